"""Do deep learning frameworks agree on transposed convolution, and where not, exactly how?"""

__version__ = "0.1.0"
