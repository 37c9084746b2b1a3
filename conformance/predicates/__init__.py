"""Sentences over problems and machines, and the smallest one that tells some cases from others."""
