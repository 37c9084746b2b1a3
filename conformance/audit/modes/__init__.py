"""What a framework's modes of execution make of a problem, beside what eager execution makes of it."""
