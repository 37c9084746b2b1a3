"""What is to be explained: an array, and the operands that it is said to come from.

Four statements change the question and not an operand: where they hold, the rest of the array is the answer to another
question, and that one is searched.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.numerics.operands import Arrays
from conformance.problem import Ints, Problem, Window

Array = NDArray[Any]


SPACED = 2.0**53
"""Whole numbers up to which float64 has all, and adds up without rounding."""
AT_ONCE = 2**23
"""Values of an array that are judged at once."""
REPEATED = "groups ignored, the kernel repeated for every output"


class DiagnosisError(ValueError):
    """Arrays that are not of the problem they are said to be of; the message says what they must be."""


@dataclass(frozen=True, slots=True)
class Observation:
    """An array and its operands in float64, with an axis for the groups; `said` are the statements that led here.

    x is (batch, groups, in, *input), weight (groups, in, out, *kernel), bias (2, groups*out): what is added inside the
    stamp and beyond it, zeros where there is none; actual is (batch, groups*out, *any extents). `windows` are those
    that count as the claimed one. `taken` is the most that was taken from a value of the array, which was added to it.
    """

    problem: Problem
    x: Array
    weight: Array
    bias: Array
    actual: Array
    windows: tuple[Window, ...]
    said: tuple[str, ...] = ()
    taken: float = 0


@dataclass(frozen=True, slots=True)
class Spot:
    """An element of an array that is to be given first, and its neighbours: axis, step and value of each."""

    batch: int
    channel: int
    at: Ints
    value: float
    beside: tuple[tuple[int, int, float], ...]


def spot_of(actual: Array, weight: Array) -> Spot:
    """The element of the largest weight."""
    batch, channel, *at = map(int, np.unravel_index(weight.argmax(), weight.shape))
    plane, beside = actual[batch, channel], []
    for axis, extent in enumerate(plane.shape):
        for step in (-1, 1):
            if 0 <= at[axis] + step < extent:
                place = (*at[:axis], at[axis] + step, *at[axis + 1 :])
                beside.append((axis, step, float(plane[place])))
    return Spot(batch, channel, tuple(at), float(plane[tuple(at)]), tuple(beside))


def questions(asked: Observation) -> Iterator[Observation]:
    """The question as it is put, and those that statements make of it; none for what no transposed convolution gives.

    That is an array with another number of axes, batch or channels, and one that is not finite.
    """
    if asked.actual.ndim != asked.problem.rank + 2 or not np.isfinite(asked.actual).all():
        return
    for observation in (asked, *_ungrouped(asked), *_interleaved(asked), *_bias_astray(asked)):
        if observation.actual.size and observation.actual.shape[:2] == observation.problem.output_shape[:2]:
            yield observation
            yield from _filled(observation)


def observed(problem: Problem, arrays: Arrays, actual: Array) -> Observation:
    """The question as it is put."""
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    bias = np.zeros(problem.bias_shape) if arrays.bias is None else _in_float64("bias", arrays.bias)
    return Observation(
        problem,
        _in_float64("x", arrays.x).reshape(problem.batch, g, ic, *problem.input),
        _in_float64("weight", arrays.weight).reshape(g, ic, oc, *problem.kernel),
        np.stack([bias, bias]),
        _in_float64("actual", actual),
        (problem.window,),
    )


def _in_float64(name: str, array: Array) -> Array:
    """An array's very values in float64. Raises DiagnosisError where one of them is another there."""
    with np.errstate(over="ignore"):
        held: Array = array.astype(np.float64)
    if array.dtype.kind in "iu":
        lost = np.abs(held) > SPACED
        lost |= (np.abs(held) == SPACED) & (array % 2 == 1)
    elif array.dtype.itemsize > held.dtype.itemsize:
        lost = (held.astype(array.dtype) != array) & ~np.isnan(array)
    else:
        return held
    if lost.any():
        at = tuple(map(int, np.argwhere(lost)[0]))
        raise DiagnosisError(f"{name} is {array[at]!s} at {at} in {array.dtype}, which float64 does not hold for sure: "
                             f"give values that it holds, whole numbers up to {SPACED:.0f}")  # fmt: skip
    return held


def blocks(asked: Observation) -> Iterator[tuple[int, Observation]]:
    """The question about an array of the right shape by out channels of each group, as many as memory takes at once.

    Each comes with its first channel.
    """
    problem = asked.problem
    step = max(1, AT_ONCE * problem.out_channels // asked.actual.size)
    for start in range(0, problem.out_channels, step):
        channels = slice(start, min(start + step, problem.out_channels))
        if channels == slice(0, problem.out_channels):
            yield 0, asked
            return
        bias, actual = _parted(asked.bias, problem), _parted(asked.actual, problem)
        part = replace(problem, out_channels=channels.stop - start)
        yield start, replace(
            asked, problem=part, weight=asked.weight[:, :, channels], bias=bias[:, :, channels].reshape(2, -1),
            actual=actual[:, :, channels].reshape(part.output_shape),
        )  # fmt: skip


def _parted(array: Array, problem: Problem) -> Array:
    """An array (..., groups*out, ...) of two leading axes with an axis for the groups."""
    return array.reshape(array.shape[0], problem.groups, problem.out_channels, *array.shape[2:])


def _ungrouped(asked: Observation) -> Iterator[Observation]:
    """Without groups every in channel reaches every out channel, and there are as many as one group has, or each
    group's again."""
    problem = asked.problem
    if problem.groups > 1:
        one = replace(problem, groups=1, in_channels=problem.groups * problem.in_channels)
        x = asked.x.reshape(problem.batch, 1, -1, *problem.input)
        weight = asked.weight.reshape(1, -1, *asked.weight.shape[2:])
        bias = asked.bias[:, : problem.out_channels]
        yield replace(asked, problem=one, x=x, weight=weight, bias=bias, said=(*asked.said, "groups ignored"))
        dense, weight = replace(one, out_channels=problem.groups * problem.out_channels), _repeated(weight, problem)
        statements = (*asked.said, REPEATED)
        yield replace(asked, problem=dense, x=x, weight=weight, said=statements)


def _repeated(weight: Array, problem: Problem) -> Array:
    """A weight without groups (1, in, out, *kernel) for the out channels of every group."""
    return np.tile(weight, (1, 1, problem.groups, *[1] * problem.rank))


def _interleaved(asked: Observation) -> Iterator[Observation]:
    """Out channels one of each group in turn, put back in the order of groups."""
    g, oc, actual = asked.problem.groups, asked.problem.out_channels, asked.actual
    if g > 1 and oc > 1 and actual.shape[1] == g * oc:
        apart = actual.reshape(actual.shape[0], oc, g, *actual.shape[2:]).swapaxes(1, 2).reshape(actual.shape)
        yield replace(asked, actual=apart, said=(*asked.said, "out channels dealt to groups in turn"))


def _bias_astray(asked: Observation) -> Iterator[Observation]:
    """A bias that was added along a spatial axis of as many elements as there are channels."""
    channels = asked.bias.shape[1]
    for axis, extent in enumerate(asked.actual.shape[2:]):
        if asked.problem.bias and extent == channels > 1:
            along = asked.bias[0].reshape(-1, *[1] * (asked.problem.rank - 1 - axis))
            problem, bias = replace(asked.problem, bias=False), np.zeros_like(asked.bias)
            statements = (*asked.said, f"bias added along axis {axis} for the channels")
            taken = float(np.abs(along).max())
            yield replace(asked, problem=problem, bias=bias, actual=asked.actual - along, said=statements, taken=taken)


def _filled(asked: Observation) -> Iterator[Observation]:
    """The array without its end, where that holds zeros or the bias alone: as though it was computed too short."""
    problem, actual = asked.problem, asked.actual
    if actual.shape != problem.output_shape:
        return
    fills = {"zeros": np.zeros_like(asked.bias[0])} | ({"zeros and bias": asked.bias[0]} if problem.bias else {})
    for name, fill in fills.items():
        filled = actual == fill.reshape(-1, *[1] * problem.rank)
        lost = _ends(filled)
        several = {lost: _positions(lost), problem.output_padding: "output_padding"}
        for counts, what in several.items():
            if any(counts) and all(count <= most for count, most in zip(counts, lost, strict=True)):
                yield _without_ends(asked, counts, f"{what} filled with {name}")


def _ends(filled: Array) -> Ints:
    """How many slices at the end of each spatial axis are filled throughout; none where everything is."""
    if filled.all():
        return (0,) * (filled.ndim - 2)
    others = (tuple(other for other in range(filled.ndim) if other != axis) for axis in range(2, filled.ndim))
    return tuple(int(np.argmin(np.all(filled, axis=axes)[::-1])) for axes in others)


def _positions(counts: Ints) -> str:
    return f"the last {'x'.join(map(str, counts))} positions"


def _without_ends(asked: Observation, counts: Ints, statement: str) -> Observation:
    kept: tuple[Any, ...] = (..., *(slice(o - n) for o, n in zip(asked.problem.output, counts, strict=True)))
    shorter = tuple((lo, hi + n) for (lo, hi), n in zip(asked.problem.window, counts, strict=True))
    return replace(asked, actual=asked.actual[kept], windows=(shorter, *asked.windows), said=(*asked.said, statement))
