"""What is read from files and shown to people: within bounds, whole or not at all, without control codes."""
