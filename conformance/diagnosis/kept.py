"""How an answer is kept: what a right value can have become in the array that holds it.

Whole numbers that are exact stay what they are. Real numbers are rounded, by no more than any order of summation can
(conformance/numerics/formats.py). Integers that do not fit are clipped, or wrap around.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from conformance.diagnosis.misreadings import Placing
from conformance.diagnosis.observation import SPACED, DiagnosisError, Observation
from conformance.numerics.by_taps import stamped
from conformance.numerics.formats import FLOAT32, FLOAT64, FORMATS, Format, format_of, gamma, limit, spacing

Array = NDArray[Any]
Flags = NDArray[np.bool_]


class Sums(NamedTuple):
    """What the definition gives, in float64, and what its rounding depends on.

    `magnitudes` are convT(|x|, |w|) + |bias|, `terms` how often a term of each value can be rounded at most, and
    `stamps` the same where the products of a tap are added up before they are kept; `within` is how far an answer can
    be. For what is exact, values alone count.
    """

    values: Array
    magnitudes: Array
    terms: Array
    stamps: Array
    within: Array


class Kept(Protocol):
    """One way to keep an answer; `said` is what a diagnosis then says, and `exact` that values alone decide."""

    @property
    def said(self) -> tuple[str, ...]: ...
    @property
    def exact(self) -> bool: ...

    def fits(self, actual: Array, sums: Sums) -> Flags:
        """Where a value of an array can be what became of the definition's."""

    def telling(self, actual: Array) -> Flags:
        """Where a value says what the definition's was."""


@dataclass(frozen=True, slots=True)
class Exact:
    """As it is."""

    said: tuple[str, ...] = ()
    exact: bool = True

    def fits(self, actual: Array, sums: Sums) -> Flags:
        same: Flags = sums.values == actual
        return same

    def telling(self, actual: Array) -> Flags:
        return np.ones(actual.shape, bool)


@dataclass(frozen=True, slots=True)
class Saturated:
    """Clipped to the range of an integer type."""

    dtype: str
    exact: bool = True

    @property
    def said(self) -> tuple[str, ...]:
        return (f"values saturated to {self.dtype}",)

    def fits(self, actual: Array, sums: Sums) -> Flags:
        bounds = np.iinfo(self.dtype)
        same: Flags = np.clip(sums.values, bounds.min, bounds.max) == actual
        return same

    def telling(self, actual: Array) -> Flags:
        bounds = np.iinfo(self.dtype)
        inside: Flags = (actual > bounds.min) & (actual < bounds.max)
        return inside


@dataclass(frozen=True, slots=True)
class Wrapped:
    """Modulo the number of values of an integer type."""

    dtype: str
    exact: bool = True

    @property
    def said(self) -> tuple[str, ...]:
        return (f"values wrapped to {self.dtype}",)

    def fits(self, actual: Array, sums: Sums) -> Flags:
        same: Flags = np.mod(sums.values - actual, 2.0 ** np.iinfo(self.dtype).bits) == 0
        return same

    def telling(self, actual: Array) -> Flags:
        return np.ones(actual.shape, bool)


@dataclass(frozen=True, slots=True)
class Rounded:
    """Added up in one format, in any order, and kept in another of no more bits.

    `taps` is the format in which the products of one tap are added up over in channels, before they are kept.
    """

    sums: Format
    answer: Format
    taps: Format | None = None
    said: tuple[str, ...] = ()
    exact: bool = False

    @property
    def words(self) -> str:
        """The kind of rounding."""
        if self.sums == self.answer and self.answer in (FLOAT32, FLOAT64):
            return "within rounding"
        how = f"stamps added up in {self.sums.name}" if self.taps else f"sums in {self.sums.name}"
        return f"within the rounding of {self.answer.name}, consistent with {how}"

    def within(self, values: Array, magnitudes: Array, terms: Array, stamps: Array) -> Array:
        """How far an answer can be from the values."""
        if self.taps is None:
            return limit(self.sums, self.answer, values, magnitudes, terms)
        of_taps = limit(self.taps, self.taps, values, magnitudes, terms)
        return of_taps + limit(self.sums, self.answer, values, magnitudes + of_taps, stamps)

    def fits(self, actual: Array, sums: Sums) -> Flags:
        with np.errstate(invalid="ignore"):
            near: Flags = np.abs(actual - sums.values) <= sums.within
        if not np.isfinite(actual).all():
            near |= self.beyond(actual, sums)
        return near

    def beyond(self, actual: Array, sums: Sums) -> Flags:
        """Where an infinity stands for a value that the answer's format cannot hold, or not on the way to it."""
        signed: Flags = np.isinf(actual) & (np.sign(actual) == np.sign(sums.values))
        on_the_way: Flags = ~np.isfinite(actual) & (sums.magnitudes > self.sums.largest)
        return (signed & self.past(sums)) | on_the_way

    def past(self, sums: Sums) -> Flags:
        """Where a value can be one that the answer's format cannot hold."""
        most = self.answer.largest * (1 + self.answer.unit / 2)
        with np.errstate(invalid="ignore", over="ignore"):
            past: Flags = np.abs(sums.values) + sums.within >= most
        return past

    def tells(self, sums: Sums) -> bool:
        """Whether an array of zeros would be more than this far off, in most of the values that have a term."""
        apart = np.count_nonzero(np.abs(sums.values) > sums.within)  # none where there is no term
        reached = np.count_nonzero(sums.magnitudes)
        return bool(2 * apart > reached or not reached)

    def telling(self, actual: Array) -> Flags:
        return np.isfinite(actual)


class Requantisation(NamedTuple):
    """How a sum of integers became one of an integer type: divided by the scale, rounded, moved by the zero point."""

    scale: float
    zero_point: int = 0

    def __str__(self) -> str:
        return f"requantised by scale {self.scale:g} and zero point {self.zero_point}"


@dataclass(frozen=True, slots=True)
class Requantised:
    """Requantised and clipped to an integer type, by a scale that is held in float32 at least.

    What is as near to one whole number as to another tells how ties are rounded where the scale is a power of two.
    With another scale a quotient that is as near, within the rounding of the scale and the quotient, may become either.
    """

    dtype: str
    by: Requantisation
    to_even: bool
    wraps: bool = False
    """Whether what does not fit the type is taken modulo the number of its values, and not clipped."""
    exact: bool = True

    @property
    def said(self) -> tuple[str, ...]:
        return (f"values wrapped to {self.dtype}",) if self.wraps else ()

    def fits(self, actual: Array, sums: Sums) -> Flags:
        quotient = sums.values / self.by.scale
        lowest, highest = self._limits(quotient)
        bounds = np.iinfo(self.dtype)
        if self.wraps:
            same: Flags = np.mod(actual - lowest - self.by.zero_point, 2.0**bounds.bits) <= highest - lowest
            return same
        low, high = (np.clip(end + self.by.zero_point, bounds.min, bounds.max) for end in (lowest, highest))
        inside: Flags = (low <= actual) & (actual <= high)
        return inside

    def telling(self, actual: Array) -> Flags:
        if self.wraps:
            return np.ones(actual.shape, bool)
        bounds = np.iinfo(self.dtype)
        inside: Flags = (actual > bounds.min) & (actual < bounds.max)
        return inside

    def tells(self, sums: Sums) -> bool:
        """Whether most of the sums become another number than zero does."""
        return bool(2 * np.count_nonzero(np.abs(sums.values) > self.by.scale) > np.count_nonzero(sums.values))

    def expected(self, values: Array) -> Array:
        """What sums become that are clipped."""
        bounds = np.iinfo(self.dtype)
        clipped: Array = np.clip(self._nearest(values / self.by.scale) + self.by.zero_point, bounds.min, bounds.max)
        return clipped

    def nearness(self, actual: Array, sums: Sums) -> "Nearness":
        """How near an array is that fits; a unit is a step of the integer type."""
        quotient, inside = sums.values / self.by.scale, self.telling(actual)
        apart = actual - self.by.zero_point - quotient
        if self.wraps:
            apart -= np.rint(apart / 2.0 ** np.iinfo(self.dtype).bits) * 2.0 ** np.iinfo(self.dtype).bits
        error = np.where(inside, np.abs(apart), 0)
        worst = tuple(map(int, np.unravel_index(error.argmax(), error.shape)))
        ties = self._tells_ties and (inside & (np.abs(quotient - np.floor(quotient)) == 0.5)).any()
        how = f"ties {'to even' if self.to_even else 'away from zero'}" if ties else "no tie tells how ties are rounded"
        most = float(0.5 + self._slack(np.abs(quotient[worst])))
        return Nearness(f"{self.by}, {how}", worst, float(error[worst]), most)

    @property
    def _tells_ties(self) -> bool:
        return bool(np.frexp(self.by.scale)[0] == 0.5)

    def _limits(self, quotient: Array) -> tuple[Array, Array]:
        if self._tells_ties:
            return self._nearest(quotient), self._nearest(quotient)
        slack = self._slack(np.abs(quotient))
        return np.ceil(quotient - 0.5 - slack), np.floor(quotient + 0.5 + slack)

    def _slack(self, quotient: Array) -> Array:
        """What the scale, its inverse, a sum and the quotient can lose in float32."""
        return gamma(FLOAT32, np.asarray(4)) * quotient

    def _nearest(self, quotient: Array) -> Array:
        away: Array = np.copysign(np.floor(np.abs(quotient) + 0.5), quotient)
        return np.rint(quotient) if self.to_even else away


def tells(kept: Kept, sums: Sums) -> bool:
    """Whether it says something that an array fits."""
    return not isinstance(kept, Rounded | Requantised) or kept.tells(sums)


class Nearness(NamedTuple):
    """How near an array is to what a diagnosis gives, where it is not exact.

    The worst value, measured by what rounding can do to it, stands `at`: `units` of u * (convT(|x|, |w|) + |bias|)
    away, of `most` that can be. `beyond` values are not finite since the format cannot hold them, or what they are sums
    of, such as `example`.
    """

    kind: str
    at: tuple[int, ...]
    units: float
    most: float
    beyond: int = 0
    example: str = ""

    @property
    def share(self) -> float:
        """How much of what rounding can do was done."""
        return self.units / self.most if self.most else 0.0

    def __str__(self) -> str:
        place = f"worst at {self.at}: {self.units:.3g} of at most {self.most:.4g} units"
        more = f"; {self.beyond} not finite, such as {self.example}" if self.beyond else ""
        return f"{self.kind} ({place}{more})"


def nearness_of(kept: Kept, actual: Array, sums: Sums, *, exact: bool) -> Nearness | None:
    """How near an array is that fits; None where it is equal, and nothing was rounded on the way."""
    if isinstance(kept, Requantised):
        return kept.nearness(actual, sums)
    if not isinstance(kept, Rounded) or (exact and np.array_equal(actual, sums.values)):
        return None
    finite = np.isfinite(actual)
    error = np.abs(np.where(finite, actual, sums.values) - sums.values)
    most = np.broadcast_to(sums.within, error.shape)
    share = np.divide(error, most, out=np.zeros(error.shape), where=(most > 0) & np.isfinite(most))
    worst = tuple(map(int, np.unravel_index(share.argmax(), share.shape)))
    scale = kept.answer.unit * float(sums.magnitudes[worst]) or 1.0
    beyond = np.argwhere(~finite)
    example = ""
    if beyond.size:
        first = tuple(map(int, beyond[0]))
        which = "which is" if kept.past(sums)[first] else "which partial sums can be"
        example = f"{sums.values[first]:g} at {first}, {which} beyond {kept.answer.name}"
    return Nearness(kept.words, worst, float(error[worst]) / scale, float(most[worst]) / scale, len(beyond), example)


def ways_of(
    asked: Observation, actual: Array, held: str, by: Requantisation | None = None
) -> tuple[tuple[Kept, ...], bool]:  # fmt: skip
    """How the array can keep an answer, and whether float64 computes that without rounding."""
    unit = min(spacing(asked.x) * spacing(asked.weight), spacing(asked.bias))
    most = _bound(asked)
    if not np.isfinite(most):
        raise DiagnosisError(f"sums of '{asked.problem}' can be larger than float64 holds: give smaller values")
    exact = most <= SPACED * unit
    if actual.dtype.kind in "iu" and not exact and unit % 1 == 0:
        raise DiagnosisError(f"sums of '{asked.problem}' can reach {most:.3g}, and whole numbers are exact up to "
                             f"{SPACED:.3g}: give smaller ones")  # fmt: skip
    if by is not None:
        if actual.dtype.kind not in "iu":
            raise DiagnosisError(f"actual is {actual.dtype}, and a scale is of integers: give these, or no scale")
        if not exact or (np.isfinite(unit) and unit % 1):
            raise DiagnosisError(
                "x, weight or bias are no whole numbers, and a scale is of these: give them as they are quantised, x "
                "less its zero point, and s_y / (s_x * s_w) as the scale"
            )
        name = actual.dtype.name
        return tuple(
            Requantised(name, by, to_even, wraps) for wraps in (False, True) for to_even in (True, False)
        ), exact
    stated = FORMATS.get(held or actual.dtype.name, FLOAT64)
    room = 2.0**stated.bits * unit
    largest = most if most <= room or actual.dtype.kind in "iu" else _largest(asked, room)
    kinds = tuple(_ways(actual, stated, largest, unit))
    if isinstance(kinds[0], Exact) and not unit % 1:
        return kinds, exact
    narrow = format_of(actual, held)
    if not isinstance(kinds[0], Exact):
        return tuple(_ways(actual, narrow, largest, unit)), exact
    if narrow.bits < stated.bits and unit % 1 and narrow.holds(asked.x) and narrow.holds(asked.weight):
        kinds += tuple(_ways(actual, narrow, largest, unit))  # real numbers of another format, widened
    return kinds, exact


def _bound(asked: Observation) -> float:
    """What no sum of magnitudes exceeds, at any window."""
    problem = asked.problem
    tables = Placing(problem.stride, problem.dilation).tables(problem)
    terms = problem.in_channels * prod(table.shape[1] for table in tables)
    x, weight, bias = (float(np.abs(operand).max()) for operand in (asked.x, asked.weight, asked.bias))
    return float(x * weight * terms + bias)


def _largest(asked: Observation, room: float) -> float:
    """The largest of convT(|x|, |w|) + |bias|, or of part of it where that is more than there is room for."""
    problem, x, weight = asked.problem, np.abs(asked.x), np.abs(asked.weight)
    lows, bias = tuple(lo for lo, _ in problem.window), float(np.abs(asked.bias).max())
    for channels in (slice(1), slice(1, None)):
        sums = stamped(x, weight[:, :, channels], problem.stride, problem.dilation, lows, problem.output)
        largest = float(sums.max(initial=0)) + bias
        if largest > room:
            break
    return largest


def _ways(actual: Array, held: Format, largest: float, unit: float) -> Iterator[Kept]:
    """The ways in which an array can keep an answer whose terms are multiples of `unit` and sum up to `largest`."""
    if actual.dtype.kind in "iu":
        yield Exact()
        bounds = np.iinfo(actual.dtype)
        if ((actual == bounds.min) & (bounds.min < 0) | (actual == bounds.max)).any() or (
            bounds.min == 0 and not actual.all()
        ):
            yield Saturated(actual.dtype.name)
        if largest > bounds.max or bounds.min == 0:
            yield Wrapped(actual.dtype.name)
    elif largest <= 2.0**held.bits * unit and largest <= held.largest:
        yield Exact()
    else:
        if held.bits < FLOAT32.bits:
            yield Rounded(FLOAT32, held)
            yield Rounded(held, held, FLOAT32)
        yield Rounded(held, held)
