"""Files of TFLite: their operators, the shapes of tensors whose extents are free, and weights that are computed."""
