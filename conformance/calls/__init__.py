"""A call ported, copied as it stands, run, and written out as a script."""
