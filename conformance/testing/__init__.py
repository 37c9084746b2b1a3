"""Implementations of other people, tested by our cases in their own program: the public names of the package."""
