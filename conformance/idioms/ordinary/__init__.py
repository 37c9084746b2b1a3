"""Ordinary convolutions, poolings and resizings, by their sizes alone: a module for each framework."""
