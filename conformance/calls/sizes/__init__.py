"""From sizes to arguments: the calls that give an answer of given extents, and which sizes pass a stack of layers."""
