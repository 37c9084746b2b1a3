"""How integers can have been requantised otherwise than is said: another zero point, scale or way to round.

A scale that is not given is not guessed: those that every value allows are an interval, and it is told.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.diagnosis.kept import Nearness, Requantisation, Requantised, Sums
from conformance.numerics.formats import FLOAT32, gamma

Array = NDArray[Any]

LEAST, FAR = 8, 2
"""Values that tell a scale, and how far from zero each is at least."""
LEAST_OF_POINT = 4
"""Values that tell a zero point."""
FEW = 6
"""Scales that are listed."""
SLACK = float(gamma(FLOAT32, np.asarray(4)))
"""What a scale, its inverse, a sum and a quotient can lose in float32."""

Way = Callable[[Array], Array]
CUT: dict[str, Way] = {"quotients rounded towards zero": np.trunc, "quotients rounded down": np.floor}
"""Ways to make a whole number of a quotient that are not to the nearest one."""


def requantised_otherwise(actual: Array, dtype: str, by: Requantisation, sums: Array) -> Iterator[tuple[str, Nearness]]:
    """What is said of an array that another requantisation of the right sums gives; nothing where none does."""
    found = [*_simple(actual, dtype, by, sums)]
    yield from found or _other_scale(actual, dtype, by, sums)


def _simple(actual: Array, dtype: str, by: Requantisation, sums: Array) -> Iterator[tuple[str, Nearness]]:
    """One change, or the first of two at once."""
    scales = {"": by.scale, f"sums multiplied by {by.scale:g} and not divided by it": 1 / by.scale}
    pairs: list[tuple[str, Nearness]] = []
    for (inverted, scale), (cut, way) in product(scales.items(), ({"": np.rint} | CUT).items()):
        points = {by.zero_point: "", **_zero_point(actual, dtype, by.zero_point, way(sums / scale))}
        for point, moved in points.items():
            words = [word for word in (inverted, cut, moved) if word]
            near = _near(actual, dtype, Requantisation(scale, point), sums, cut) if words else None
            if near is None:
                continue
            if len(words) == 1:
                yield words[0], near
            else:
                pairs.append((" and ".join(words), near))
    yield from pairs[:1]


def _zero_point(actual: Array, dtype: str, given: int, whole: Array) -> dict[int, str]:
    """The one zero point that most values ask for, with what is said of it, where it is not the given one."""
    inside = _inside(actual, dtype)
    if np.count_nonzero(inside) < LEAST_OF_POINT:
        return {}
    point = int(np.median((actual - whole)[inside]))
    bounds = np.iinfo(dtype)
    legal = bounds.min <= point <= bounds.max and point != given
    return {point: f"zero point {point} for {given}"} if legal else {}


def _near(actual: Array, dtype: str, by: Requantisation, sums: Array, cut: str) -> Nearness | None:
    """How near an array is to sums that were so requantised and clipped; None where it does not fit, or zeros would."""
    few = bool(cut) and np.count_nonzero(_inside(actual, dtype)) < LEAST
    if few or 2 * np.count_nonzero(np.abs(sums) > by.scale) <= np.count_nonzero(sums):
        return None
    if not cut:
        nearest = (_as_sums(Requantised(dtype, by, to_even), actual, sums) for to_even in (True, False))
        return next(filter(None, nearest), None)
    quotient, bounds = sums / by.scale, np.iinfo(dtype)
    slack = 0.0 if np.frexp(by.scale)[0] == 0.5 else SLACK
    ends = [np.clip(CUT[cut](quotient + side * slack * np.abs(quotient)) + by.zero_point, bounds.min, bounds.max)
            for side in (-1, 1)]  # fmt: skip
    if not ((ends[0] <= actual) & (actual <= ends[1])).all():
        return None
    apart = np.where(_inside(actual, dtype), np.abs(actual - by.zero_point - quotient), 0)
    worst = tuple(map(int, np.unravel_index(apart.argmax(), apart.shape)))
    return Nearness(str(by), worst, float(apart[worst]), 1 + slack * float(abs(quotient[worst])))


def _as_sums(kept: Requantised, actual: Array, sums: Array) -> Nearness | None:
    nothing = np.zeros(())
    whole = Sums(sums, nothing, nothing, nothing, nothing)
    return kept.nearness(actual, whole) if kept.fits(actual, whole).all() else None


def _other_scale(actual: Array, dtype: str, by: Requantisation, sums: Array) -> Iterator[tuple[str, Nearness]]:
    """That one scale, or one for each channel, was another; with the interval of those that all values allow."""
    whole = _scales(actual, dtype, by.zero_point, sums)
    if whole is not None:
        said = f"a scale from {whole[0]:.6g} to {whole[1]:.6g} for {by.scale:g}"
        yield said, _of_scales(actual, dtype, by, sums, np.full(actual.shape[1], sum(whole) / 2))
        return
    each = [_scales(actual[:, [c]], dtype, by.zero_point, sums[:, [c]]) for c in range(actual.shape[1])]
    plain = [scale for scale in each if scale is not None]
    if len(plain) == len(each) > 1:
        middles = np.array([(low + high) / 2 for low, high in plain])
        listed = ", ".join(f"{middle:.4g}" for middle in middles[:FEW]) + (", ..." if len(middles) > FEW else "")
        yield f"a scale of its own for each out channel (about {listed})", _of_scales(actual, dtype, by, sums, middles)


def _scales(actual: Array, dtype: str, zero_point: int, sums: Array) -> tuple[float, float] | None:
    """The scales by which every sum is as near as half to its integer; None where there is none, or nothing tells."""
    bounds, whole = np.iinfo(dtype), actual - zero_point
    inside = _inside(actual, dtype)
    if np.count_nonzero(inside & (np.abs(whole) >= FAR)) < LEAST:
        return None
    lower = np.where(actual > bounds.min, whole - 0.5, -np.inf)
    upper = np.where(actual < bounds.max, whole + 0.5, np.inf)
    if (((lower > 0) | (upper < 0)) & (sums == 0)).any():
        return None
    reached = sums != 0
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = lower[reached] / sums[reached], upper[reached] / sums[reached]
    low, high = np.minimum(*ends).max(), np.maximum(*ends).min()
    if not 0 < low * (1 - SLACK) <= high * (1 + SLACK) < np.inf:
        return None
    return 1 / (high * (1 + SLACK)), 1 / (low * (1 - SLACK))


def _of_scales(actual: Array, dtype: str, by: Requantisation, sums: Array, scales: Array) -> Nearness:
    """How near an array is to sums divided by a scale for each channel."""
    quotient = sums / scales.reshape(-1, *[1] * (sums.ndim - 2))
    apart = np.where(_inside(actual, dtype), np.abs(actual - by.zero_point - quotient), 0)
    worst = tuple(map(int, np.unravel_index(apart.argmax(), apart.shape)))
    return Nearness(f"requantised by them and zero point {by.zero_point}", worst, float(apart[worst]), 1.0)


def _inside(actual: Array, dtype: str) -> Array:
    bounds = np.iinfo(dtype)
    inside: Array = (actual > bounds.min) & (actual < bounds.max)
    return inside
