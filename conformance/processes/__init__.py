"""Native calls made, in this process or in one that may die, and what limits and watches it."""
