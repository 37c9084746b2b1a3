"""The arrays of a case, drawn from its id alone, and the certificate that every framework can compute them exactly.

Values are non-zero integers from raw Philox words, which NumPy keeps the same across versions. They are drawn
until no reversal or swap of axes leaves an array unchanged, since data that is blind to a fault cannot show it.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate, pairwise
from math import isqrt, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance import oracle
from conformance.problem import Problem

Array = NDArray[Any]

SIGNIFICAND = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8, "int64": 53, "int32": 31, "int8": 7}
"""Bits in which a partial sum may be stored, per dtype: whole numbers are exact up to 2**bits, in `INTEGERS` below it.

Of the 63 bits of int64 as many are used as float64 has, in which arrays are explained."""
DTYPES = ("float32", "float64")
"""Those that a suite runs in unless it has others."""
HALVES = ("bfloat16", "float16")
"""Those of half precision, each of which has data of its own, with fewer bits."""
INTEGERS = ("int8", "int32", "int64")
"""Those of whole numbers, which have data of their own, too, and no gradients."""

EXACT_IN = "float32"
"""The narrowest dtype that the data of `DTYPES` is drawn for."""
ROOM = 1 << SIGNIFICAND[EXACT_IN]
"""What a sum of magnitudes may reach in it: `room` has that of every dtype."""

NARROW, NARROW_BIAS = 9, 99
"""Largest values of an operand that leaves its room to another one, and of a bias that does."""
HALF_NARROW, BIAS_SHARE = 3, 8
"""The same where there is less room, of a bias as one part in so many: a wide operand of float16 has more than 8 bits.
"""
TURNS = ("weight", "x", "both", "bias", "sum")
"""Which operand a case's numbers make as wide as there is room, by the case's id. In a turn of "sum" all are positive
and of the upper half of their range, so that answers come near to the limit."""

LEAST_HEAVY = 4
"""The least width of which the upper half has two numbers, so that not all are the same."""

DRAWS = 64


class Widths(NamedTuple):
    """The largest value of each operand, and whether all are positive and at least half as large."""

    x: int
    weight: int
    bias: int
    heavy: bool = False


class Sums(NamedTuple):
    """What is expected of operands, and the largest of `magnitudes`."""

    expected: Array
    largest: int


class DataError(ValueError):
    """No draw gives data that is both asymmetric and exact."""


class Arrays(NamedTuple):
    """Operands in canonical order, int64 as drawn or in the dtype of a run; `bias` is None where there is none."""

    x: Array
    weight: Array
    bias: Array | None

    def astype(self, dtype: str) -> "Arrays":
        """The same operands, held for another dtype; always copies, so that no framework can reach the originals."""
        held = held_in(dtype)
        return Arrays(
            self.x.astype(held), self.weight.astype(held), None if self.bias is None else self.bias.astype(held)
        )

    def contents(self) -> tuple[bytes, ...]:
        """The bytes of each operand, which show whether anybody wrote to it."""
        return tuple(b"" if array is None else array.tobytes() for array in self)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Why every order of summation is exact in a dtype: no partial sum can exceed `largest`, for which it has room."""

    largest: int
    dtype: str
    terms: int

    @property
    def holds(self) -> bool:
        return self.largest <= room(self.dtype)

    def evidence(self) -> dict[str, int]:
        """The numbers, by name; `bits` are those of the dtype."""
        return {"largest": self.largest, "bits": SIGNIFICAND[self.dtype], "terms": self.terms}


def room(dtype: str) -> int:
    """What a sum of magnitudes may reach so that every partial sum is exact: 2**bits, or the largest integer."""
    return (1 << SIGNIFICAND[dtype]) - (dtype in INTEGERS)


def held_in(dtype: str) -> str:
    """The dtype of the NumPy arrays that stand for a dtype: its own, or float32 for bfloat16, which NumPy has not."""
    return "float32" if dtype == "bfloat16" else dtype


def drawn_for(dtype: str) -> str:
    """The dtype whose data a dtype has: that of float32 is float64's too."""
    return EXACT_IN if dtype in DTYPES else dtype


def draw(case_id: str, problem: Problem, dtype: str = EXACT_IN) -> Arrays:
    """The int64 arrays of a case: the first draw that sees every fault, as wide as its sums are exact in a dtype.

    Raises DataError where there is none. Dtypes of few bits have no room for sums of many terms: where no draw is exact
    in one, one is given that sees every fault, and whose certificate does not hold.
    """
    room = 1 << SIGNIFICAND[drawn_for(dtype)]

    def summed(problem: Problem, arrays: Arrays) -> Sums:
        bound = _bound(problem, arrays)  # which nearly always has room, and takes no sums
        return Sums(arrays.x, bound if bound <= room else largest_sum(problem, arrays))

    return draw_with(summed, case_id, problem, dtype)[0]


def draw_with(
    summed: Callable[[Problem, Arrays], Sums], case_id: str, problem: Problem, dtype: str = EXACT_IN
) -> tuple[Arrays, Sums]:
    """What `draw` gives, with its sums, which `summed` computes: every draw that sees every fault is asked for them."""
    whole = room(drawn_for(dtype))
    turn = TURNS[int(words(f"{case_id} turn", (1,))[0] % np.uint64(len(TURNS)))]
    inexact = None
    for widths in _ever_narrower(widths_of(problem, turn, whole), whole - most_terms(problem)):
        for attempt in range(DRAWS):
            arrays = _draw(f"{case_id}#{attempt}", problem, widths)
            if not _sees_every_fault(problem, arrays):
                continue
            sums = summed(problem, arrays)
            if sums.largest <= whole:
                return arrays, sums
            inexact = arrays, sums
    if inexact is not None and dtype not in DTYPES:
        return inexact
    raise DataError(
        f"{case_id}: no draw of {DRAWS} for '{problem}' is asymmetric and exact: give it another id or size"
    )


def widths_of(problem: Problem, turn: str, whole: int = ROOM) -> Widths:
    """The largest values in a turn for which no sum of magnitudes leaves the whole room that there is."""
    small, small_bias = (NARROW, NARROW_BIAS) if whole >= ROOM else (HALF_NARROW, whole // BIAS_SHARE)
    bias = (whole // 2 if turn == "bias" else small_bias) if problem.bias else 0
    left = max(1, (whole - bias) // most_terms(problem))
    narrow = min(small, isqrt(left))
    match turn:
        case "x":
            return Widths(left // narrow, narrow, bias)
        case "both" | "sum":
            return Widths(isqrt(left), isqrt(left), bias, heavy=turn == "sum" and isqrt(left) >= LEAST_HEAVY)
        case _:
            return Widths(narrow, left // narrow, bias)


def _ever_narrower(widths: Widths, left: int) -> Iterator[Widths]:
    """Widths, and the same with a bias that takes no more than products of 1 and -1 leave, if that is less."""
    yield widths
    if 1 <= left < widths.bias:
        yield widths._replace(bias=left)


def most_terms(problem: Problem) -> int:
    """A bound of the products that are summed into one output element, which the whole stamp reaches."""
    return problem.in_channels * prod(axis.most for axis in problem.axes)


def _bound(problem: Problem, arrays: Arrays) -> int:
    """What no sum of magnitudes of these operands exceeds."""
    x, weight, bias = (0 if operand is None else int(np.abs(operand).max()) for operand in arrays)
    return x * weight * most_terms(problem) + bias


def modified(given: Arrays, before: Sequence[bytes]) -> str | None:
    """The name of the first operand whose contents are no longer what they were."""
    changed = (name for name, now, then in zip(Arrays._fields, given.contents(), before, strict=True) if now != then)
    return next(changed, None)


def largest_sum(problem: Problem, arrays: Arrays) -> int:
    """The largest of `magnitudes`: no partial sum of the problem is larger in magnitude."""
    return int(magnitudes(problem, arrays).max())


def stamped(problem: Problem, arrays: Arrays) -> Sums:
    """The sums of operands by the definition."""
    return Sums(oracle.expected(problem, *arrays), largest_sum(problem, arrays))


def magnitudes(problem: Problem, arrays: Arrays) -> Array:
    """convT(|x|, |w|) + |b|, which no partial sum of the same output exceeds."""
    bias = None if arrays.bias is None else np.abs(arrays.bias)
    return oracle.expected(problem, np.abs(arrays.x), np.abs(arrays.weight), bias)


def _draw(key: str, problem: Problem, widths: Widths) -> Arrays:
    shapes = (problem.input_shape, problem.weight_shape, problem.bias_shape)
    ends = list(accumulate(map(prod, shapes), initial=0))
    drawn = words(key, (ends[-1],))
    numbers = _heavy if widths.heavy else _integers
    x, weight, bias = (
        numbers(drawn[start:end], max(1, most)).reshape(shape)
        for (start, end), most, shape in zip(pairwise(ends), widths[:3], shapes, strict=True)
    )
    return Arrays(x, weight, bias if problem.bias else None)


def whole_numbers(key: str, shape: Sequence[int], magnitude: int) -> NDArray[np.int64]:
    """Non-zero integers in [-magnitude, magnitude], drawn from a key alone."""
    flat = words(key, (prod(shape),))  # in between, an array without axes would become a number
    return _integers(flat, magnitude).reshape(shape)


def words(key: str, shape: Sequence[int]) -> NDArray[np.uint64]:
    """Raw words of 64 random bits, drawn from a key alone."""
    digest = blake2b(key.encode(), digest_size=16).digest()
    generator = _OF_THREAD.__dict__.get("generator") or _OF_THREAD.__dict__.setdefault("generator", np.random.Philox())
    generator.state = {"state": {"counter": _START, "key": np.frombuffer(digest, "<u8")}, **_FRESH}
    drawn: NDArray[np.uint64] = generator.random_raw(prod(shape)).reshape(shape)
    return drawn


_START = np.zeros(4, np.uint64)
_FRESH = {"bit_generator": "Philox", "buffer": _START, "buffer_pos": 4, "has_uint32": 0, "uinteger": 0}
"""The state of a Philox generator that has drawn nothing; a new one costs several times as much as a new key."""
_OF_THREAD = threading.local()


def _integers(words: NDArray[np.uint64], magnitude: int) -> NDArray[np.int64]:
    """Words as integers in [-magnitude, magnitude] without zero, since a zero hides the tap it stands on."""
    values = (words % np.uint64(2 * magnitude)).astype(np.int64) - magnitude
    return values + (values >= 0)


def _heavy(words: NDArray[np.uint64], magnitude: int) -> NDArray[np.int64]:
    """Words as positive integers of the upper half of what is up to a magnitude."""
    return magnitude - (words % np.uint64(max(1, magnitude // 2))).astype(np.int64)


def _sees_every_fault(problem: Problem, arrays: Arrays) -> bool:
    weight = arrays.weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    swapped = problem.in_channels == problem.out_channels > 1 and np.array_equal(weight, weight.swapaxes(1, 2))
    return not swapped and all(_asymmetric(array) for array in (arrays.x, weight, arrays.bias) if array is not None)


def _asymmetric(array: Array) -> bool:
    """Whether reversing any axis longer than 1 changes the array; mostly the two ends of an edge tell."""
    if not array.size:
        return True
    first = array.item(0)
    return not any(
        extent > 1
        and first == array.item((*[0] * axis, extent - 1, *[0] * (array.ndim - axis - 1)))
        and np.array_equal(array, np.flip(array, axis))
        for axis, extent in enumerate(array.shape)
    )
