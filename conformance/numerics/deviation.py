"""Actual against expected under a valid exactness certificate: every bit counts, except that -0 equals +0.

A NaN equals a NaN: where one is expected, it is the answer.

What compares is bound here at import, and taken from ufuncs: who replaces numpy's names later changes no verdict.
"""

from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any

from numpy import (
    absolute,
    add,
    argwhere,
    count_nonzero,
    errstate,
    isfinite,
    isnan,
    logical_or,
    maximum,
    not_equal,
    subtract,
    where,
)
from numpy.typing import NDArray

Array = NDArray[Any]

WHOLE = 2**53
"""From here on a number is written with an exponent."""


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
    differs = not_equal(actual, expected)
    if not _any(differs):
        return None
    differs &= ~(isnan(actual) & isnan(expected))
    if not _any(differs):
        return None
    index = tuple(map(int, argwhere(differs)[0]))
    finite = isfinite(actual) & isfinite(expected)
    both = differs & finite
    with errstate(over="ignore"):
        wide = "float64" if actual.dtype.kind in "iu" else None  # in which no difference wraps around
        largest = maximum.reduce(absolute(subtract(actual[both], expected[both], dtype=wide)), initial=0)
    kind = "nonfinite" if _any(differs & ~finite) else "value"
    count = int(count_nonzero(differs))
    first = f"{written(actual[index])}, expected {written(expected[index])}"
    message = f"{count} of {actual.size} values differ, first at {index}: {first}"
    return Deviation(kind, message, count, actual.size, index, f"{largest:g}")


def written(value: Any) -> str:
    """A number with as many digits as tell it from every other number of its dtype; whole ones as integers are."""
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < WHOLE else str(value)


def digest(array: Array) -> str:
    """A hash of an array's dtype, shape and values, the same for -0 and +0 and for any memory layout."""
    hashed = blake2b(f"{array.dtype.str}{array.shape}".encode(), digest_size=8)
    hashed.update(add(array, array.dtype.type(0), order="C"))
    return hashed.hexdigest()


def fingerprint(array: Array) -> str:
    """A digest of an array in which one NaN is like another."""
    odd = isnan(array)
    if _any(odd):
        array = where(odd, array.dtype.type("nan"), array)
    return digest(array)


def _any(flags: Array) -> bool:
    return bool(logical_or.reduce(flags, axis=None))
