"""The closed space of misreadings: every statement that a diagnosis can make, by the operand that it changes.

A statement changes one operand into what somebody reads who makes that mistake: the input, the weight, the bias, or
where stamps are placed. Statements that change the question itself (which array is to be explained) stand apart at the
end. Windows are no statements: a diagnosis finds them.
"""

import re
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import combinations
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from conformance.diagnosis.scatter import FURTHEST, Part, Rule, Shift, Table, landing, shifted_landing
from conformance.numerics.formats import cut, rounded
from conformance.problem import Ints, Problem

Array = NDArray[Any]
T = TypeVar("T")

MayBe = Callable[[int, Part], Array | None]
"""Of an axis and a part of it, where (how much later, from where on) it may be put elsewhere; None where all may."""
BLOCKS = (4, 8, 16, 32, 64, 128, 256, 512)
"""Channels that are computed together."""


UNSIGNED = {"uint8": 1 << 8, "uint16": 1 << 16}
LIMITS = {"int8": 1 << 7, **UNSIGNED, "int16": 1 << 15}
"""The first number that a type does not hold."""


@dataclass(frozen=True, slots=True)
class Statement(Generic[T]):
    """One way to misread: `family` is what it misreads, and a diagnosis has at most one statement of each."""

    family: str
    text: str
    change: Callable[[T], T]


@dataclass(frozen=True, slots=True)
class Placing:
    """Where stamps are placed: strides and dilations per axis, which of those that meet are counted, and which part of
    them is elsewhere."""

    stride: Ints
    dilation: Ints
    rule: Rule = "all"
    shift: Shift | None = None

    def tables(self, problem: Problem) -> tuple[Table, ...]:
        """The landing of each axis."""
        axes = list(zip(problem.input, problem.kernel, self.stride, self.dilation, strict=True))
        tables = [landing(*axis, self.rule) for axis in axes]
        if self.shift is not None:
            tables[self.shift.axis] = shifted_landing(*axes[self.shift.axis], self.shift)
        return tuple(tables)

    def full(self, problem: Problem) -> Ints:
        """The extents of the stamp."""
        axes = zip(problem.input, problem.kernel, self.stride, self.dilation, strict=True)
        return tuple((i - 1) * s + d * (k - 1) + 1 for i, k, s, d in axes)

    @property
    def plain(self) -> bool:
        """Whether all that meet are counted, each at its place."""
        return self.rule == "all" and self.shift is None


@dataclass(frozen=True, slots=True)
class Space:
    """The statements that are searched together, by what they are about; `kinds` are theirs, where it is not all."""

    x: Callable[[Problem], Iterator[Statement[Array]]]
    weight: Callable[[Problem], Iterator[Statement[Array]]]
    placing: Callable[[Problem], Iterator[Statement[Placing]]]
    bias: Callable[[Problem], Iterator[Statement[Array]]]
    kinds: Set[str] | None = None

    def has(self, *texts: str) -> bool:
        """Whether it has statements of these kinds."""
        return self.kinds is None or all(kind_of(text) in self.kinds for text in texts)


def of_weight(problem: Problem) -> Iterator[Statement[Array]]:
    """Statements about the weight, which is (groups, in, out, *kernel)."""
    yield from _precision("weight")
    yield from _taps(problem)
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    if ic > 1 and oc > 1:
        yield Statement("weight channels", "in and out channels of the weight swapped", _transposed)
    if g > 1:
        yield Statement("weight groups", "groups in reverse order", lambda w: w[::-1])
        yield Statement("weight groups", "the first group's weight for all", partial(_first_for_all, 0))
    if ic > 1:
        yield Statement("weight channels", "in channels of each group in reverse order", lambda w: w[:, ::-1])
    for name, order in _orders(oc):
        yield Statement("weight channels", f"out channels {name}", partial(_reordered, 2, order))


def _taps(problem: Problem) -> Iterator[Statement[Array]]:
    long = [axis for axis, k in enumerate(problem.kernel) if k > 1]
    for count in range(1, len(long) + 1):
        for axes in combinations(long, count):
            flip = partial(np.flip, axis=tuple(axis + 3 for axis in axes))
            yield Statement("taps", f"taps reversed on {_axes(axes)}", flip)
    for axis in long:
        yield Statement("taps", f"the first tap lost on axis {axis}", partial(_without, axis + 3, 0))
        yield Statement("taps", f"the last tap lost on axis {axis}", partial(_without, axis + 3, -1))
    for a, b in combinations(long, 2):
        if problem.kernel[a] == problem.kernel[b]:
            swap = partial(np.swapaxes, axis1=a + 3, axis2=b + 3)
            yield Statement("kernel axes", f"kernel axes {a} and {b} swapped", swap)


def of_input(problem: Problem) -> Iterator[Statement[Array]]:
    """Statements about the input, which is (batch, groups, in, *input)."""
    yield from _precision("input")
    g, ic = problem.groups, problem.in_channels
    if g > 1 and ic > 1:
        yield Statement("in channels", "in channels dealt to groups in turn", _dealt)
    for name, order in _orders(g * ic):
        yield Statement("in channels", f"in channels {name}", partial(_channels_taken, order))
    if ic > 1:
        of_each = "" if g == 1 else " of each group"
        yield Statement("in channels", f"the first in channel{of_each} lost", partial(_without, 2, 0))
        yield Statement("in channels", f"the last in channel{of_each} lost", partial(_without, 2, -1))
    for name, order in _orders(problem.batch):
        yield Statement("batch", f"batch {name}", partial(_reordered, 0, order))
    if problem.batch > 1:
        yield Statement("batch", "the first of the batch for all", partial(_first_for_all, 0))
    long = [axis for axis, extent in enumerate(problem.input) if extent > 1]
    for count in range(1, len(long) + 1):
        for axes in combinations(long, count):
            flip = partial(np.flip, axis=tuple(axis + 3 for axis in axes))
            yield Statement("input", f"input reversed on {_axes(axes)}", flip)
    for a, b in combinations(long, 2):
        if problem.input[a] == problem.input[b]:
            swap = partial(np.swapaxes, axis1=a + 3, axis2=b + 3)
            yield Statement("input axes", f"input axes {a} and {b} swapped", swap)


def of_placing(problem: Problem) -> Iterator[Statement[Placing]]:
    """Statements about where stamps are placed, and what becomes of overlaps."""
    for name in ("stride", "dilation"):
        values: Ints = getattr(problem, name)
        for text, changed in {
            f"{name} ignored": (1,) * problem.rank,
            f"{name} applied twice": tuple(value * value for value in values),
            f"{name} in reverse order of axes": values[::-1],
            f"{name} of the first axis on all": values[:1] * problem.rank,
        }.items():
            if changed != values:
                yield Statement(name, text, partial(_placed, name, changed))
    more = tuple(d + 1 for d in problem.dilation)
    yield Statement("dilation", "dilation one too large", partial(_placed, "dilation", more))
    yield Statement("stride", "stride and dilation swapped", lambda p: replace(p, stride=p.dilation, dilation=p.stride))
    rules: dict[Rule, str] = {
        "every dilation-th": "stamps met only at every dilation-th input position",
        "last": "overlapping stamps overwrite instead of add, the last stays",
        "first": "overlapping stamps overwrite instead of add, the first stays",
    }
    for rule, text in rules.items():
        yield Statement("overlap", text, partial(_ruled, rule))


def of_part(firsts: Ints, may_be: MayBe, problem: Problem) -> Iterator[Statement[Placing]]:
    """Statements about a part of the input, or of the taps, that is put elsewhere.

    `firsts` is the first wrong row of each axis of the array, which tells from where on; `may_be` what is looked at.
    """
    lows = [lo for lo, _ in problem.window]
    for axis, first in enumerate(firsts):
        reach, stride = problem.effective_kernel[axis], problem.stride[axis]
        steps: dict[Part, tuple[int, int]] = {
            "input elements": (stride, problem.input[axis]), "taps": (problem.dilation[axis], problem.kernel[axis]),
        }  # fmt: skip
        furthest = min(max(stride, reach), FURTHEST)
        for of, (step, count) in steps.items():
            fits = may_be(axis, of)
            for by in (*range(-furthest, 0), *range(1, furthest + 1)):
                last = (first + lows[axis] - min(by, 0)) // step  # its first row is wrong at the latest
                low, high = max(1, last - (reach + stride) // step), min(last + 1, count)
                starts = range(low, high) if fits is None else low + np.flatnonzero(fits[by, low : max(low, high)])
                for start in map(int, starts):
                    text = f"{of} from {start} on put {abs(by)} {'late' if by > 0 else 'early'} on axis {axis}"
                    yield Statement("part", text, partial(_shifted, Shift(axis, of, start, by)))


def of_input_alone(problem: Problem) -> Iterator[Statement[Array]]:
    """Statements about the input that stand for a fault of blocks or of layout, and are made alone."""
    channels, of_each = problem.groups * problem.in_channels, "" if problem.groups == 1 else " of each group"
    for start in _ends_of_blocks(problem.in_channels):
        text = f"in channels{of_each} from {start} on lost"
        yield Statement("in channels", text, partial(_without, 2, slice(start, None)))
    for axis, extent in enumerate(problem.input):
        for name, limit in LIMITS.items():
            if extent > limit:
                text = f"input beyond {name} lost on axis {axis}"
                yield Statement("input", text, partial(_without, axis + 3, slice(limit, None)))
        for name, limit in UNSIGNED.items():
            if extent > limit:
                text = f"input coordinates kept in {name} on axis {axis}"
                yield Statement("input", text, partial(_reordered, axis + 3, np.arange(extent) % limit))
    if channels > 1 and max(problem.input) > 1:
        yield Statement("input", "memory of the input read with channels last", _channels_last)
    if channels > 1 and problem.batch > 1:
        yield Statement("input", "memory of the input read with channels before the batch", _channels_first)


def of_weight_alone(problem: Problem) -> Iterator[Statement[Array]]:
    """Statements about the weight that stand for a fault of layout, and are made alone."""
    if problem.in_channels * problem.groups * problem.out_channels > 1 and max(problem.kernel) > 1:
        yield Statement("weight", "memory of the weight read with taps first", _taps_first)


def of_bias_alone(problem: Problem) -> Iterator[Statement[Array]]:
    """Statements about the bias that stand for a fault of groups or blocks, and are made alone."""
    g, oc = problem.groups, problem.out_channels
    if not problem.bias:
        return
    if g > 1:
        yield Statement("bias", "bias for the first group only", partial(_without, 1, slice(oc, None)))
    for name, order in _orders(g):
        of_group = np.arange(g * oc).reshape(g, oc)[order].ravel()
        yield Statement("bias", f"bias of groups {name}", partial(_reordered, 1, of_group))
    if g > 1 and oc > 1:
        dealt = np.arange(g * oc).reshape(oc, g).T.ravel()
        yield Statement("bias", "bias dealt to groups in turn", partial(_reordered, 1, dealt))
    for start in _ends_of_blocks(g * oc):
        yield Statement("bias", f"bias from {start} on lost", partial(_without, 1, slice(start, None)))


def _ends_of_blocks(count: int) -> tuple[int, ...]:
    """Where the last whole blocks of usual sizes end, if something is left behind them."""
    ends = {count // block * block for block in BLOCKS}
    return tuple(sorted(end for end in ends if 0 < end < count - 1))  # the last one alone has a statement


def of_placing_alone(problem: Problem) -> Iterator[Statement[Placing]]:
    """That an input element is repeated up to the next one, which is made alone."""
    if max(problem.stride) > 1:
        text = "input elements repeated up to the next, instead of zeros between"
        yield Statement("overlap", text, partial(_ruled, "repeated"))


def of_bias(problem: Problem) -> Iterator[Statement[Array]]:
    """Statements about the bias, which is (2, channels): what is added inside the stamp, and beyond it."""
    if not problem.bias:
        return
    yield Statement("bias", "bias ignored", np.zeros_like)
    yield Statement("bias", "bias added twice", lambda bias: 2 * bias)
    yield Statement("bias", "bias missing beyond the stamp", lambda bias: bias * [[1], [0]])
    for name, order in _orders(problem.groups * problem.out_channels):
        yield Statement("bias", f"bias {name}", partial(_reordered, 1, order))
    if problem.groups > 1:
        first = np.tile(np.arange(problem.out_channels), problem.groups)
        yield Statement("bias", "bias of the first group for all", partial(_reordered, 1, first))


def _precision(operand: str) -> Iterator[Statement[Array]]:
    for bits, names in ((11, "TF32, float16"), (8, "bfloat16")):
        for how, change in (("rounded", rounded), ("cut", cut)):
            text = f"{operand} {how} to {bits} bits ({names})"
            yield Statement(f"{operand} precision", text, partial(change, bits))


def _orders(count: int) -> Iterator[tuple[str, Array]]:
    """Wrong orders of so many things, in words and as indices."""
    if count > 1:
        yield "in reverse order", np.arange(count)[::-1]
    if count > 2:
        yield "moved on by one", np.roll(np.arange(count), 1)
        yield "moved back by one", np.roll(np.arange(count), -1)


def _placed(name: str, values: Ints, placing: Placing) -> Placing:
    return replace(placing, stride=values) if name == "stride" else replace(placing, dilation=values)


def _ruled(rule: Rule, placing: Placing) -> Placing:
    return replace(placing, rule=rule)


def _shifted(shift: Shift, placing: Placing) -> Placing:
    return replace(placing, shift=shift)


def _reordered(axis: int, order: Array, array: Array) -> Array:
    return array.take(order, axis)


def _channels_taken(order: Array, x: Array) -> Array:
    """The input with its channels, all groups' together, in another order."""
    return x.reshape(x.shape[0], -1, *x.shape[3:])[:, order].reshape(x.shape)


def _dealt(x: Array) -> Array:
    """The input as if channel c belonged to group c % groups."""
    return x.reshape(x.shape[0], x.shape[2], x.shape[1], *x.shape[3:]).swapaxes(1, 2)


def _transposed(weight: Array) -> Array:
    """The weight as if it were stored (groups, out, in, *kernel)."""
    groups, inner, outer, *kernel = weight.shape
    return weight.reshape(groups, outer, inner, *kernel).swapaxes(1, 2)


def _first_for_all(axis: int, array: Array) -> Array:
    return np.broadcast_to(array.take([0], axis), array.shape)


def _channels_last(x: Array) -> Array:
    """The input (batch, groups, in, *input) as if its memory held (batch, *input, channels)."""
    batch, groups, inner, *spatial = x.shape
    return np.moveaxis(x.reshape(batch, *spatial, groups * inner), -1, 1).reshape(x.shape)


def _channels_first(x: Array) -> Array:
    """The input (batch, groups, in, *input) as if its memory held (channels, batch, *input)."""
    batch, groups, inner, *spatial = x.shape
    return x.reshape(groups * inner, batch, *spatial).swapaxes(0, 1).reshape(x.shape)


def _taps_first(weight: Array) -> Array:
    """The weight (groups, in, out, *kernel) as if its memory held (*kernel, groups*in, out)."""
    groups, inner, outer, *kernel = weight.shape
    rank = len(kernel)
    stored = weight.reshape(*kernel, groups * inner, outer)
    return stored.transpose(rank, rank + 1, *range(rank)).reshape(weight.shape)


def _without(axis: int, at: int | slice, array: Array) -> Array:
    """The array with zeros at some places of an axis."""
    array = array.copy()
    np.moveaxis(array, axis, 0)[at] = 0
    return array


def _axes(axes: Ints) -> str:
    return ("axis " if len(axes) == 1 else "axes ") + " and ".join(map(str, axes))


def _nothing(_: Problem) -> Iterator[Statement[Any]]:
    return iter(())


WHOLE = Space(of_input, of_weight, of_placing, of_bias)
"""Everything is read in one wrong way."""
ALONE = Space(of_input_alone, of_weight_alone, of_placing_alone, of_bias_alone)
"""A fault of blocks, layouts, widths or groups, which is sought alone."""


MOVED = "window moved"
ELSEWHERE = tuple(
    f"{of} from \N{HORIZONTAL ELLIPSIS} on put \N{HORIZONTAL ELLIPSIS} {when}"
    for of in ("input elements", "taps") for when in ("early", "late")
)  # fmt: skip
"""Kinds of the statements about a part that is put elsewhere."""
_AXES = re.compile(r" (?:on|along) ax[ei]s \d+(?: and \d+)*|(?<= axes) \d+ and \d+")
_NUMBERS = re.compile(r"(?<= )\d+(?:x\d+)*(?:(?: to| and)? \d+)*(?: \.\.\.)?(?= |$)")
_OF_ONE_PROBLEM = (
    (re.compile(r"^window .*"), MOVED),
    (re.compile(r" in the order .*"), " in another order"),
    (re.compile(r"^the answer of the case .*"), "another case's answer"),
    (_AXES, ""),
    (_NUMBERS, "\N{HORIZONTAL ELLIPSIS}"),
)
_NUMBERED = re.compile(r" (?:rounded|cut) to \d| saturated | wrapped ")
"""Statements whose numbers say what they are: of a precision, and of a range."""


@lru_cache(maxsize=1 << 12)
def kind_of(text: str) -> str:
    """A statement's text without the axes and numbers that it has in one problem and not in another."""
    if _NUMBERED.search(text):
        return text
    for pattern, instead in _OF_ONE_PROBLEM:
        text = pattern.sub(instead, text)
    return text


def restricted(space: Space, kinds: Set[str] | None) -> Space:
    """A space, but for statements of other kinds; all of it where none are given."""
    if kinds is None:
        return space

    def of(every: Callable[[Problem], Iterator[Statement[T]]]) -> Callable[[Problem], Iterator[Statement[T]]]:
        return lambda problem: (statement for statement in every(problem) if kind_of(statement.text) in kinds)

    return Space(of(space.x), of(space.weight), of(space.placing), of(space.bias), kinds)


def parts(firsts: Ints, may_be: MayBe) -> Space:
    """A part is put elsewhere; `firsts` is the first wrong row of each axis, and `may_be` what is looked at."""
    return Space(_nothing, _nothing, partial(of_part, firsts, may_be), _nothing)
