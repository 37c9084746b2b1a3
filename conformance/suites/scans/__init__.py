"""Scans of models as files, and as suites."""
