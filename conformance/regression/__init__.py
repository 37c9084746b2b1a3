"""What changed between two builds: classified, timed, kept over time."""
