"""What a run leaves on disk: verdicts with their evidence, and the machine that they were seen on."""
