"""What transposed convolution is, three ways that share no arithmetic; the first is the expected answer.

`conv_transpose` stamps (scatters), `by_zero_insertion` gathers from a stretched input, `by_matrix` multiplies with the
transpose of an ordinary convolution's matrix. None of them stores what the window cuts away, nor a zero in between.
Integers give exact int64 answers, floats are computed in float64.
"""

from conformance.oracle.definition import conv_transpose, expected, of_any_size
from conformance.oracle.derivations import by_matrix, by_zero_insertion, matrix

__all__ = ["by_matrix", "by_zero_insertion", "conv_transpose", "expected", "matrix", "of_any_size"]
