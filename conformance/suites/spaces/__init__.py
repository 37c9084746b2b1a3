"""Spaces: problems that a file of levels stands for, each with a number in an order that a seed shuffles."""
