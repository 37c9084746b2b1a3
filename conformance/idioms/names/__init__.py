"""Names of functions and of their arguments: whose they are, and what is meant by one that there is not."""
