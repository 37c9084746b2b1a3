"""Sizes: which are legal, the windows that leave them, and the layers that change them."""
