"""Sweeps: very many problems of a space, evaluated in blocks by lane processes, and kept in a store.

An engine decides which lane process gets which block; what comes of a block is the same whichever it was.
"""
