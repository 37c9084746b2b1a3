"""The weights of a scan, in the order of axes and taps that problems have."""

from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import layout
from conformance.problem import Problem

Array = NDArray[Any]
_PIECE = 1 << 20


def canonical(array: Array, problem: Problem, axes: str, *, reverse: bool) -> Array:
    """A weight of these axes as (in, out of a group, *kernel); taps reversed if asked. Raises LayoutError."""
    known = {"g": problem.groups, "i": problem.in_channels, "o": problem.out_channels}
    layout.sizes(array.shape, axes, problem.rank, known)
    parted, letters = layout.parted(array, axes, known)
    made = layout.restore(parted, layout.WEIGHT, letters).reshape(problem.weight_shape)
    return np.flip(made, tuple(range(2, made.ndim))) if reverse else made


def digest_of(array: Array) -> str:
    """A hash of a weight's type, shape and values, the same for -0 and +0, taken piece by piece."""
    hashed = blake2b(f"{array.dtype.newbyteorder('<').str}{array.shape}".encode(), digest_size=8)
    if not array.flags.c_contiguous:
        array = np.ascontiguousarray(array)
    flat = array.reshape(-1)
    for start in range(0, flat.size, _PIECE):
        hashed.update(np.add(flat[start : start + _PIECE], flat.dtype.type(0)))
    return hashed.hexdigest()
