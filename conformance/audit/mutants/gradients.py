"""Wrong gradients, one documented fault each: from a changed problem, changed operands, or a changed result.

What is wrong in a gradient alone, such as a sum over wrong axes, stands beside what is wrong in any convolution.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.audit.mutants.base import Region, begun_at, with_window
from conformance.numerics import gradients
from conformance.numerics.formats import rounded
from conformance.numerics.gradients import passes_of
from conformance.numerics.operands import Arrays
from conformance.problem import BACKWARD, BIAS, INPUT, WEIGHT, Problem

Array = NDArray[Any]
Gradient = Callable[[Problem, Arrays, Array], Array]
"""What gives a gradient from the problem, the operands and the upstream gradient, in the dtype of the operands."""
Change = Callable[[Problem, Array], Array]


@dataclass(frozen=True)
class GradientMutant:
    """A wrong gradient with respect to one operand: its fault in words, and what makes it anew, without memory."""

    direction: str
    family: str
    fault: str
    make: Callable[[], Gradient]

    @property
    def name(self) -> str:
        return f"{self.direction}: {self.family}: {self.fault}"


def right(direction: str, p: Problem, arrays: Arrays, upstream: Array) -> Array:
    """The right gradient."""
    return gradients.expected(p, direction, arrays, upstream)


def of_another(direction: str, p: Problem, other: Problem, arrays: Arrays, upstream: Array) -> Array:
    """The gradient of another problem, whose window begins where it says and is as large as the right one."""
    ends = zip(other.window, other.full, p.output, strict=True)
    return right(direction, with_window(other, tuple((lo, full - out - lo) for (lo, _), full, out in ends)), arrays,
                 upstream)  # fmt: skip


def _misread() -> Iterator[tuple[str, str, Callable[[Problem], Problem]]]:
    """Families, faults and problems that are read instead."""
    ones = (1, 1, 1)
    yield "taps", "stride ignored", lambda p: replace(p, stride=ones[: p.rank])
    yield "taps", "dilation ignored", lambda p: replace(p, dilation=ones[: p.rank])
    yield "taps", "stride and dilation exchanged", lambda p: replace(p, stride=p.dilation, dilation=p.stride)
    yield "taps", "dilation one too many", lambda p: replace(p, dilation=tuple(d + 1 for d in p.dilation))
    yield "taps", "strides in reverse order of axes", lambda p: replace(p, stride=p.stride[::-1])
    yield "taps", "dilations in reverse order of axes", lambda p: replace(p, dilation=p.dilation[::-1])
    yield "taps", "stride of the first axis on all", lambda p: replace(p, stride=p.stride[:1] * p.rank)
    yield "taps", "dilation multiplied by the stride", lambda p: replace(p, dilation=_steps(p))
    yield "window", "on the wrong side", lambda p: _begun(p, [hi for _, hi in p.window])
    yield "window", "left out", lambda p: _begun(p, [0] * p.rank)
    yield "window", "applied twice", lambda p: _begun(p, [2 * lo for lo, _ in p.window])
    yield "window", "one late on the last axis", lambda p: _begun(p, [*_lows(p)[:-1], _lows(p)[-1] + 1])
    yield "window", "one early on the first axis", lambda p: _begun(p, [_lows(p)[0] - 1, *_lows(p)[1:]])
    yield "window", "that of the first axis on all", lambda p: _begun(p, _lows(p)[:1] * p.rank)
    yield "window", "lost where it is negative", lambda p: _begun(p, [max(lo, 0) for lo in _lows(p)])


def _steps(p: Problem) -> tuple[int, ...]:
    return tuple(s * d for s, d in zip(p.stride, p.dilation, strict=True))


def _lows(p: Problem) -> list[int]:
    return [lo for lo, _ in p.window]


def _begun(p: Problem, lows: Sequence[int]) -> Problem:
    return begun_at(p, lows)


REGIONS: Sequence[tuple[str, Region]] = (
    ("in groups with a stride", lambda p: p.groups > 1 and max(p.stride) > 1),
    ("for stride with dilation", lambda p: any(s > 1 < d for s, d in zip(p.stride, p.dilation, strict=True))),
    ("in a batch with a bias", lambda p: p.batch > 1 and p.bias),
    ("for kernels longer than the input", lambda p: any(k > i for k, i in zip(p.kernel, p.input, strict=True))),
    ("where output_padding reaches the stride",
     lambda p: any(op >= s for op, s in zip(p.output_padding, p.stride, strict=True))),
    ("where the window extends the stamp", lambda p: any(end < 0 for ends in p.window for end in ends)),
    ("where the window cuts more than a kernel",
     lambda p: any(lo > ke for (lo, _), ke in zip(p.window, p.effective_kernel, strict=True))),
    ("for strides longer than the kernel",
     lambda p: any(s > ke for s, ke in zip(p.stride, p.effective_kernel, strict=True))),
    ("in 1-D with dilation", lambda p: p.rank == 1 and max(p.dilation) > 1),
    ("in 3-D with different strides", lambda p: p.rank == 3 and len(set(p.stride)) > 1),
    ("for several in and out channels in groups", lambda p: p.groups > 1 and min(p.in_channels, p.out_channels) > 1),
    ("for kernels of one", lambda p: set(p.kernel) == {1} and max(p.stride) > 1),
)  # fmt: skip
"""Where an implementation that has several is wrong by one step on the last axis."""


def _mutants() -> Iterator[GradientMutant]:
    for direction in (INPUT, WEIGHT):
        for family, fault, change in _misread():
            yield _of(direction, family, fault, partial(_reads, direction, change))
        for where, region in REGIONS:
            yield _of(direction, "regions", f"one late only {where}", partial(_late_in, direction, region))
    for direction, operands in (
        (INPUT, {"weight": _of_weight(), "upstream": _of_upstream()}),
        (WEIGHT, {"x": _of_x(), "upstream": _of_upstream()}),
        (BIAS, {"upstream": _of_upstream_alone()}),
    ):
        for operand, changes in operands.items():
            for family, fault, made in changes:
                yield _of(direction, family, f"{operand} {fault}", partial(_changed, direction, operand, made))
    for direction in BACKWARD:
        for family, fault, made in _of_result(direction):
            yield _of(direction, family, fault, partial(_afterwards, direction, made))
        for bits in (22, 16, 11):
            yield _of(direction, "numerics", f"sums kept in {bits} bits", partial(_in_bits, direction, bits))
        yield GradientMutant(direction, "memory", "accumulated into the gradient of the call before of its shape",
                             partial(_accumulating, direction))  # fmt: skip
        yield GradientMutant(direction, "memory", "the gradient of the call before of its shape",
                             partial(_stale, direction))  # fmt: skip
    yield _of(BIAS, "axes", "summed over the channels, not the batch", _over_channels)
    yield _of(BIAS, "axes", "summed over all axes but the last", _over_all_but_last)
    yield _of(BIAS, "window", "not counted where no tap reaches", _only_reached)


def _of(direction: str, family: str, fault: str, run: Gradient) -> GradientMutant:
    return GradientMutant(direction, family, fault, lambda: run)


def _reads(
    direction: str, change: Callable[[Problem], Problem], p: Problem, arrays: Arrays, upstream: Array
) -> Array:  # fmt: skip
    return of_another(direction, p, change(p), arrays, upstream)


def _late_in(direction: str, region: Region, p: Problem, arrays: Arrays, upstream: Array) -> Array:
    lows = _lows(p)
    read = begun_at(p, [*lows[:-1], lows[-1] + 1]) if region(p) else p
    return right(direction, read, arrays, upstream)


def _changed(direction: str, operand: str, change: Change, p: Problem, arrays: Arrays, upstream: Array) -> Array:
    if operand == "upstream":
        return right(direction, p, arrays, change(p, upstream).reshape(upstream.shape))
    array = getattr(arrays, operand)
    return right(direction, p, arrays._replace(**{operand: change(p, array).reshape(array.shape)}), upstream)


def _afterwards(direction: str, change: Change, p: Problem, arrays: Arrays, upstream: Array) -> Array:
    gradient = right(direction, p, arrays, upstream)
    changed: Array = change(p, gradient).reshape(gradient.shape)
    return changed.astype(gradient.dtype)


def _in_bits(direction: str, bits: int, p: Problem, arrays: Arrays, upstream: Array) -> Array:
    kept: Array = rounded(bits, right(direction, p, arrays, upstream))
    return kept.astype(upstream.dtype)


def _grouped(p: Problem, w: Array) -> Array:
    return w.reshape(p.groups, p.in_channels, p.out_channels, *p.kernel)


def _flips(rank_axes: int) -> Iterator[tuple[str, str, Change]]:
    yield "taps", "reversed on every axis", lambda p, w: np.flip(w, tuple(range(2, w.ndim)))
    yield "taps", "reversed on the first axis", lambda p, w: np.flip(w, rank_axes)
    yield "taps", "reversed on the last axis", lambda p, w: np.flip(w, -1)


def _of_weight() -> Iterator[tuple[str, str, Change]]:
    yield from _flips(2)
    yield "taps", "without its last tap", lambda p, w: _without(w, (..., slice(-1, None)))
    yield "axes", "with in and out channels exchanged", lambda p, w: _exchanged(p, w)
    yield "axes", "with groups in reverse order", lambda p, w: _grouped(p, w)[::-1]
    yield "axes", "of the first group for all", lambda p, w: np.broadcast_to(_grouped(p, w)[:1], _grouped(p, w).shape)
    yield "axes", "with out channels in reverse order", lambda p, w: w[:, ::-1]
    yield "axes", "with height and width exchanged", lambda p, w: np.moveaxis(w, -1, 2)
    yield "numerics", "rounded to TF32", lambda p, w: rounded(11, w)
    yield "numerics", "rounded to bfloat16", lambda p, w: rounded(8, w)


def _exchanged(p: Problem, w: Array) -> Array:
    return w.reshape(p.groups, p.out_channels, p.in_channels, *p.kernel).swapaxes(1, 2)


def _of_x() -> Iterator[tuple[str, str, Change]]:
    yield "axes", "of the first of the batch for all", lambda p, x: np.broadcast_to(x[:1], x.shape)
    yield "axes", "with the batch in reverse order", lambda p, x: x[::-1]
    yield "axes", "with channels in reverse order", lambda p, x: x[:, ::-1]
    yield "axes", "dealt to groups in turn", lambda p, x: x.reshape(
        p.batch, p.in_channels, p.groups, *p.input).swapaxes(1, 2)  # fmt: skip
    yield "axes", "with height and width exchanged", lambda p, x: np.moveaxis(x, -1, 2)
    yield "taps", "reversed on the last axis", lambda p, x: np.flip(x, -1)
    yield "numerics", "rounded to TF32", lambda p, x: rounded(11, x)
    yield "numerics", "rounded to bfloat16", lambda p, x: rounded(8, x)


def _of_upstream() -> Iterator[tuple[str, str, Change]]:
    yield from _of_upstream_alone()
    yield "axes", "with the batch in reverse order", lambda p, g: g[::-1]
    yield "axes", "with height and width exchanged", lambda p, g: np.moveaxis(g, -1, 2)
    yield "taps", "reversed on the last axis", lambda p, g: np.flip(g, -1)


def _of_upstream_alone() -> Iterator[tuple[str, str, Change]]:
    yield "window", "without the rows of output_padding", _without_padded
    yield "window", "without its first row", lambda p, g: _without(g, (..., slice(1)))
    yield "axes", "of the first of the batch for all", lambda p, g: np.broadcast_to(g[:1], g.shape)
    yield "axes", "of the first of the batch alone", lambda p, g: _without(g, slice(1, None))
    yield "axes", "with channels in reverse order", lambda p, g: g[:, ::-1]
    yield "axes", "dealt to groups in turn", lambda p, g: g.reshape(
        p.batch, p.out_channels, p.groups, *p.output).swapaxes(1, 2)  # fmt: skip
    yield "numerics", "rounded to TF32", lambda p, g: rounded(11, g)
    yield "numerics", "rounded to bfloat16", lambda p, g: rounded(8, g)


def _without(array: Array, where: Any) -> Array:
    array = array.copy()
    array[where] = 0
    return array


def _without_padded(p: Problem, g: Array) -> Array:
    g = g.copy()
    for axis, op in enumerate(p.output_padding, start=2):
        np.moveaxis(g, axis, 0)[g.shape[axis] - op :] = 0
    return g


def _of_result(direction: str) -> Iterator[tuple[str, str, Change]]:
    yield "axes", "averaged over the batch", lambda p, g: g / p.batch
    yield "axes", "multiplied by the batch", lambda p, g: g * p.batch
    yield "axes", "of the first group for all", partial(_first_group, direction)
    yield "axes", "of the last channel lost", lambda p, g: _without(
        g, (slice(None), slice(-1, None)) if direction == INPUT else slice(-1, None))  # fmt: skip
    if direction == BIAS:
        yield "axes", "averaged over the positions", lambda p, g: g / np.prod(p.output)
        yield "axes", "with channels in reverse order", lambda p, g: g[::-1]
        return
    yield "taps", "reversed on every axis", lambda p, g: np.flip(g, tuple(range(2, g.ndim)))
    yield "taps", "reversed on the last axis", lambda p, g: np.flip(g, -1)
    yield "axes", "with groups in reverse order", partial(_groups_reversed, direction)
    yield "axes", "with groups added up", partial(_groups_added, direction)
    yield "axes", "with height and width exchanged", lambda p, g: np.moveaxis(g, -1, 2)
    if direction == WEIGHT:
        yield "axes", "with in and out channels exchanged", lambda p, g: _grouped(p, g).swapaxes(1, 2)


def _parted(direction: str, p: Problem, g: Array) -> Array:
    """A gradient with its groups first."""
    if direction == INPUT:
        return g.reshape(p.batch, p.groups, p.in_channels, *p.input).swapaxes(0, 1)
    return g.reshape(p.groups, -1)


def _joined(direction: str, parted: Array) -> Array:
    return parted.swapaxes(0, 1) if direction == INPUT else parted


def _first_group(direction: str, p: Problem, g: Array) -> Array:
    parted = _parted(direction, p, g)
    return _joined(direction, np.broadcast_to(parted[:1], parted.shape))


def _groups_reversed(direction: str, p: Problem, g: Array) -> Array:
    return _joined(direction, _parted(direction, p, g)[::-1])


def _groups_added(direction: str, p: Problem, g: Array) -> Array:
    parted = _parted(direction, p, g)
    return _joined(direction, np.broadcast_to(parted.sum(axis=0, keepdims=True), parted.shape))


def _over_channels(p: Problem, arrays: Arrays, upstream: Array) -> Array:
    summed = upstream.sum(axis=tuple(range(1, upstream.ndim)))
    return np.resize(summed, p.bias_shape)


def _over_all_but_last(p: Problem, arrays: Arrays, upstream: Array) -> Array:
    summed = upstream.sum(axis=tuple(range(upstream.ndim - 1)))
    return np.resize(summed, p.bias_shape)


def _only_reached(p: Problem, arrays: Arrays, upstream: Array) -> Array:
    ones = Arrays(np.ones_like(arrays.x), np.ones_like(arrays.weight), None)
    from_all = np.ones_like(upstream)
    reached = np.zeros(upstream.shape, bool)
    for at in np.ndindex(*p.output):
        one = np.zeros_like(from_all)
        one[(0, 0, *at)] = 1
        reached[(..., *at)] = bool(right(INPUT, p, ones, one).any())
    return right(BIAS, p, arrays, upstream * reached)


def _accumulating(direction: str) -> Gradient:
    before: dict[Any, Array] = {}

    def run(p: Problem, arrays: Arrays, upstream: Array) -> Array:
        gradient = right(direction, p, arrays, upstream)
        before[gradient.shape] = before.get(gradient.shape, np.zeros_like(gradient)) + gradient
        return before[gradient.shape]

    return run


def _stale(direction: str) -> Gradient:
    before: dict[Any, Array] = {}

    def run(p: Problem, arrays: Arrays, upstream: Array) -> Array:
        gradient = right(direction, p, arrays, upstream)
        return before.setdefault(gradient.shape, gradient)

    return run


MUTANTS: Sequence[GradientMutant] = tuple(_mutants())


def applies(mutant: GradientMutant, p: Problem) -> bool:
    """Whether a problem has the gradient that a mutant is of."""
    return mutant.direction in passes_of(p)
