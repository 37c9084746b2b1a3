"""Actual against expected under a valid exactness certificate: every bit counts, except that -0 equals +0.

A NaN equals a NaN: where one is expected, it is the answer.
"""

from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Deviation:
    """How an actual array differs from the expected one; `kind` is shape, dtype, nonfinite or value.

    For the last two, `count` of `size` elements differ, first at `index`, at most by `largest`; `cause` says of which
    kind of rounding they are.
    """

    kind: str
    message: str
    count: int = 0
    size: int = 0
    index: tuple[int, ...] = ()
    largest: str = ""
    cause: str = ""

    def evidence(self) -> dict[str, Any]:
        """The numbers, without kind and message and without what does not apply."""
        values = asdict(self)
        return {name: values[name] for name in ("count", "size", "index", "largest", "cause") if values[name]}


def measure_deviation(actual: Array, expected: Array) -> Deviation | None:
    """How `actual` deviates from `expected`, or None where shape, dtype and every value agree."""
    if actual.shape != expected.shape:
        return Deviation("shape", f"shape is {actual.shape}, expected {expected.shape}")
    if actual.dtype != expected.dtype:
        return Deviation("dtype", f"dtype is {actual.dtype}, expected {expected.dtype}")
    differs = (actual != expected) & ~(np.isnan(actual) & np.isnan(expected))
    if not differs.any():
        return None
    index = tuple(map(int, np.argwhere(differs)[0]))
    finite = np.isfinite(actual) & np.isfinite(expected)
    with np.errstate(over="ignore"):
        largest = np.abs(actual[differs & finite] - expected[differs & finite]).max(initial=0)
    kind = "value" if finite[differs].all() else "nonfinite"
    count = int(np.count_nonzero(differs))
    message = (
        f"{count} of {actual.size} values differ, first at {index}: {actual[index]:g}, expected {expected[index]:g}"
    )
    return Deviation(kind, message, count, actual.size, index, f"{largest:g}")


def fingerprint(array: Array) -> str:
    """A hash of dtype, shape and values that is the same for -0 and +0 and for any memory layout."""
    normal = np.ascontiguousarray(array + array.dtype.type(0))
    head = f"{array.dtype.str}{array.shape}".encode()
    return blake2b(head + normal.tobytes(), digest_size=8).hexdigest()
