"""A selection run by pytest: items, workers and their deaths, the journal."""
