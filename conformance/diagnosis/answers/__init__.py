"""What can have been done to an answer as a whole: to its axes, to each of its channels, to its integers."""
