"""Test vectors: chosen cases as files that a program in any language reads, with the answers that they must have."""
