"""The adapter by which conformance tests stamps."""
