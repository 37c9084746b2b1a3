"""What a narrower range or format makes of the values of a right answer: saturated, wrapped around, rounded."""

from collections.abc import Iterator
from math import ceil, inf, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.diagnosis.kept import Kept, Sums
from conformance.numerics.formats import BFLOAT16, FLOAT16, rounded

Array = NDArray[Any]

LEAST_RANGE = 3
"""The smallest value that is taken for the end of a range, which is a power of two or one less."""
MOST_BITS = 32
"""Of a range that sums are kept in."""
TYPES = 8, 16, 32
"""Bits of the integer types that sums are saturated to."""
WRAPPED = 8, 16
"""Bits of the integers that sums are taken to wrap around in."""


def narrowed(actual: Array, kept: Kept, right: Sums) -> Iterator[tuple[str, Sums]]:
    """What each value of a right answer can have become, with the sums that it then has."""
    if not kept.exact or not actual.size or not np.isfinite(actual).all():
        return
    for said, values in (*_saturated(actual, right.values), *_wrapped(actual, right.values), *_rounded(right.values)):
        yield said, right._replace(values=values)


def _saturated(actual: Array, right: Array) -> Iterator[tuple[str, Array]]:
    """Values clipped to the range of a signed or an unsigned integer, or at one end alone."""
    lowest, highest = float(actual.min()), float(actual.max())
    if power := _power(max(-lowest, highest)):
        end = 2.0**power
        if power + 1 in TYPES:
            yield f"values saturated to int{power + 1}", np.clip(right, -end, end - 1)
        for low, high in ((-end, end), (-end, end - 1), (1 - end, end - 1)):
            yield f"values saturated at 2**{power}", np.clip(right, low, high)
    if power := _power(highest):
        said = f"to uint{power}" if power in TYPES and highest == 2.0**power - 1 else f"at 0 and 2**{power}"
        yield f"values saturated {said}", np.clip(right, 0, highest)
        yield f"values saturated above at 2**{power}", np.clip(right, -inf, highest)
    if power := _power(-lowest):
        yield f"values saturated below at -2**{power}", np.clip(right, lowest, inf)


def _power(end: float) -> int:
    """The power of two that the end of a range is, or is one less than; 0 where it is none."""
    power = ceil(log2(end)) if end >= LEAST_RANGE else 0
    return power if power <= MOST_BITS and end in (2.0**power, 2.0**power - 1) else 0


def _wrapped(actual: Array, right: Array) -> Iterator[tuple[str, Array]]:
    """Values modulo the range of an integer type."""
    for bits in WRAPPED:
        half = 2.0 ** (bits - 1)
        for name, low in ((f"int{bits}", -half), (f"uint{bits}", 0.0)):
            if low <= actual.min() and actual.max() < low + 2 * half:
                yield f"values wrapped to {name}", (right - low) % (2 * half) + low


def _rounded(right: Array) -> Iterator[tuple[str, Array]]:
    """Sums that were right and were rounded afterwards."""
    for bits, where in ((BFLOAT16.bits, "bfloat16"), (FLOAT16.bits, "TF32, float16")):
        yield f"every value rounded to {bits} bits ({where})", rounded(bits, right)
