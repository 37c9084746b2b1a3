"""The engine of several machines: a client of a scheduler of Dask, and the workers that offer lanes to it."""
