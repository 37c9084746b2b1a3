"""What a command's exit status means."""

OK = 0
DIVERGED = 1
"""Something diverges or fails otherwise without an expectation, an array is unexplained, or a file differs."""
USAGE = 2
INCOMPLETE = 3
"""A selected case has no record, or records are missing or inconsistent."""
INTERRUPTED = 130
"""Ctrl-C ended the command, as shells have it."""
