"""The answer to a problem of usual size in float64: a product of matrices for each tap, added where the tap lands.

It computes what `conformance.oracle` does, without einsum, and no more of the stamp than the window keeps.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.problem import Ints

Array = NDArray[Any]


def stamped(x: Array, weight: Array, stride: Ints, dilation: Ints, lows: Ints, output: Ints) -> Array:
    """The window of a stamp that begins at `lows` and has extents `output`, without a bias.

    x is (batch, groups, in, *input), weight (groups, in, out, *kernel); the answer (batch, groups, out, *output).
    """
    batch, groups, _, *_ = x.shape
    out, *kernel = weight.shape[2:]
    answer = np.zeros((batch, groups, out, *output))
    for tap in np.ndindex(*kernel):
        offsets = [t * d - lo for t, d, lo in zip(tap, dilation, lows, strict=True)]
        landing = [_kept(*axis) for axis in zip(x.shape[3:], stride, offsets, output, strict=True)]
        if not all(last > first for first, last in landing):
            continue
        inputs: tuple[Any, ...] = (..., *(slice(first, last) for first, last in landing))
        outputs: tuple[Any, ...] = (..., *_outputs(landing, stride, offsets))
        part = x[inputs]
        flat = part.reshape(*part.shape[:3], -1)
        made = weight[(..., *tap)].swapaxes(1, 2) @ flat
        answer[outputs] += made.reshape(batch, groups, out, *part.shape[3:])
    return answer


def _kept(extent: int, stride: int, offset: int, output: int) -> tuple[int, int]:
    """The input positions from which a tap lands inside of the window: the first, and the one after the last."""
    first = max(0, -(offset // stride))
    return first, max(first, min(extent, -((offset - output) // stride)))


def _outputs(landing: Sequence[tuple[int, int]], stride: Ints, offsets: Sequence[int]) -> tuple[slice, ...]:
    return tuple(
        slice(first * s + offset, (last - 1) * s + offset + 1, s)
        for (first, last), s, offset in zip(landing, stride, offsets, strict=True)
    )
