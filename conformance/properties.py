"""What transposed convolution must satisfy whatever the oracle says: two computations of one framework that are equal.

The data is of small whole numbers, so that both sides are exact and equality means every bit.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from conformance import adapters, data
from conformance.adapters import Lane
from conformance.adapters.base import Adapter, Convolving, finish
from conformance.data import SIGNIFICAND, Arrays
from conformance.problem import Ints, Problem, Window
from conformance.run import Ended, make

Array = NDArray[Any]
Answer = Callable[[Problem, Array, Array, Array | None], Array]
Sides = tuple[Array, Array]

MAGNITUDE = {"x": 9, "weight": 31, "bias": 99, "y": 9}
HOLDS, FAILS, REFUSED = "holds", "fails", "refused"


class Refused(Exception):
    """A side that the framework gave no answer to; the message is its own."""


class Finding(NamedTuple):
    """What became of one property on one problem; `problems` are those that the framework was asked."""

    property: str
    problem: str
    outcome: str
    message: str
    problems: tuple[str, ...]


class Asked(NamedTuple):
    """A problem with its operands, the framework's answers, and its ordinary convolution."""

    problem: Problem
    arrays: Arrays
    answer: Answer
    convolve: Callable[[Problem, Array, Array], Array]


def adjoint(a: Asked) -> Sides | None:
    """<convT(x), y> = <x, conv(y)>, with the framework's own convolution."""
    plain = replace(a.problem, bias=False)
    y = _drawn(plain, "y", plain.output_shape).astype(a.arrays.weight.dtype)
    convolved = a.convolve(plain, _unwindowed(plain, y), a.arrays.weight)
    ours = a.answer(plain, a.arrays.x, a.arrays.weight, None)
    return _sum(ours, y), _sum(a.arrays.x, convolved)


def linear(a: Asked) -> Sides | None:
    """convT(x + x') = convT(x) + convT(x'), without a bias."""
    plain = replace(a.problem, bias=False)
    other = _drawn(plain, "x", plain.input_shape, "other").astype(a.arrays.x.dtype)
    apart = (a.answer(plain, each, a.arrays.weight, None) for each in (a.arrays.x, other))
    return a.answer(plain, a.arrays.x + other, a.arrays.weight, None), sum(apart, start=np.zeros(()))


def grouped(a: Asked) -> Sides | None:
    """Groups give what each group alone gives, one after the other."""
    groups, problem = a.problem.groups, a.problem
    if groups == 1:
        return None
    x, weight, bias = a.arrays
    parts = zip(
        np.split(x, groups, 1), np.split(weight, groups),
        [None] * groups if bias is None else np.split(bias, groups), strict=True,
    )  # fmt: skip
    one = replace(problem, groups=1)
    return a.answer(problem, *a.arrays), np.concatenate([a.answer(one, *part) for part in parts], 1)


def batched(a: Asked) -> Sides | None:
    """The elements of a batch in another order give the same answers in that order."""
    three = replace(a.problem, batch=3)
    x, order = _drawn(three, "x", three.input_shape).astype(a.arrays.x.dtype), [2, 0, 1]
    return a.answer(three, x[order], *a.arrays[1:]), a.answer(three, x, *a.arrays[1:])[order]


def channels_in(a: Asked) -> Sides | None:
    """Input channels in another order inside their groups, in x and weight alike, change nothing."""
    problem = a.problem
    if problem.in_channels == 1:
        return None
    order = np.arange(problem.groups * problem.in_channels).reshape(problem.groups, -1)[:, ::-1].ravel()
    x, weight, bias = a.arrays
    return a.answer(problem, x[:, order], weight[order], bias), a.answer(problem, x, weight, bias)


def channels_out(a: Asked) -> Sides | None:
    """Output channels of the weight and the bias in another order give the answer's in that order."""
    problem = a.problem
    if problem.out_channels == 1:
        return None
    order = np.arange(problem.groups * problem.out_channels).reshape(problem.groups, -1)[:, ::-1].ravel()
    x, weight, bias = a.arrays
    turned = a.answer(problem, x, weight[:, ::-1], None if bias is None else bias[order])
    return turned, a.answer(problem, x, weight, bias)[:, order]


def translated(a: Asked) -> Sides | None:
    """A zero before the input moves the whole stamp by one stride, and leaves zeros there."""
    whole = _whole(a.problem)
    longer = replace(whole, input=tuple(extent + 1 for extent in whole.input))
    x = np.pad(a.arrays.x, [(0, 0), (0, 0), *[(1, 0)] * whole.rank])
    moved = a.answer(whole, a.arrays.x, a.arrays.weight, None)
    return a.answer(longer, x, a.arrays.weight, None), np.pad(moved, [(0, 0), (0, 0), *((s, 0) for s in whole.stride)])


def undilated(a: Asked) -> Sides | None:
    """A dilated kernel is a larger one with holes; a dilation of one, or of one tap, is none."""
    problem = a.problem
    if set(problem.dilation) == {1}:
        return None
    holes = np.zeros((*a.arrays.weight.shape[:2], *problem.effective_kernel), a.arrays.weight.dtype)
    at: Any = (..., *(slice(None, None, d) for d in problem.dilation))
    holes[at] = a.arrays.weight
    plain = replace(problem, kernel=problem.effective_kernel, dilation=(1,) * problem.rank)
    return a.answer(problem, *a.arrays), a.answer(plain, a.arrays.x, holes, a.arrays.bias)


def lifted(a: Asked) -> Sides | None:
    """An axis more, of extent one, changes nothing: 2-D is 1-D, and 3-D is 2-D."""
    problem, (x, weight, bias) = a.problem, a.arrays
    if problem.rank == 3:
        return None
    more = replace(
        problem, input=(1, *problem.input), kernel=(1, *problem.kernel), stride=(1, *problem.stride),
        pads=((0, 0), *problem.pads), output_padding=(0, *problem.output_padding), dilation=(1, *problem.dilation),
    )  # fmt: skip
    return a.answer(more, x[:, :, None], weight[:, :, None], bias)[:, :, 0], a.answer(problem, x, weight, bias)


PROPERTIES: Mapping[str, Callable[[Asked], Sides | None]] = {
    "adjoint": adjoint, "linear": linear, "grouped": grouped, "batched": batched, "channels-in": channels_in,
    "channels-out": channels_out, "translated": translated, "undilated": undilated, "lifted": lifted,
}  # fmt: skip


def check(lane: Lane, key: str, problem: Problem, dtype: str, names: tuple[str, ...]) -> list[Finding]:
    """What becomes of some properties on a problem, with data drawn from a key; none where one does not apply."""
    adapter = cast(Convolving, adapters.load(lane))
    shapes = {"x": problem.input_shape, "weight": problem.weight_shape, "bias": problem.bias_shape}
    x, weight, bias = (data.whole_numbers(f"{key} {name}", shape, MAGNITUDE[name]) for name, shape in shapes.items())
    arrays = Arrays(x, weight, bias if problem.bias else None)
    if 3 * data.largest_sum(problem, arrays) > 1 << SIGNIFICAND[dtype]:
        return []
    return list(_findings(adapter, problem, arrays.astype(dtype), names))


def _findings(adapter: Convolving, problem: Problem, arrays: Arrays, names: tuple[str, ...]) -> Iterator[Finding]:
    for name in names:
        problems: list[str] = []

        def answer(asked: Problem, *operands: Any, log: list[str] = problems) -> Array:
            log.append(str(asked))
            x, weight, bias = operands
            own = _own(x), _own(weight), None if bias is None else _own(bias)
            return _made(adapter, lambda: adapter.translate(asked, *own))

        def convolve(asked: Problem, canvas: Array, weight: Array) -> Array:
            return _made(adapter, lambda: adapter.convolve(asked, _own(canvas), _own(weight)))

        outcome, message = HOLDS, ""
        try:
            sides = PROPERTIES[name](Asked(problem, arrays, answer, convolve))
            if sides is None:
                continue
            outcome, message = _compared(*sides)
        except Refused as reason:
            outcome, message = REFUSED, str(reason)
        yield Finding(name, str(problem), outcome, message, tuple(dict.fromkeys(problems)))


def _compared(left: Array, right: Array) -> tuple[str, str]:
    if left.shape != right.shape:
        return FAILS, f"one side is {left.shape}, the other {right.shape}"
    differ = int(np.count_nonzero(left != right))
    return (FAILS, f"{differ} of {left.size} values differ") if differ else (HOLDS, "")


def _made(adapter: Adapter, translate: Callable[[], Any]) -> Array:
    """The answer to a call in NC* order. Raises Refused where there is none."""
    try:
        call = translate()
    except Exception as reason:  # no convolve, Unsupported, or what a library says of arguments that it checks at once
        raise Refused(str(reason)) from None
    (made,) = make(adapter, [call])
    if isinstance(made, Ended):
        raise Refused(made.message)
    return finish(call, made.array)


def _own(array: Array) -> Array:
    """A copy that no framework shares, so that none can change what the other side is computed from."""
    return np.array(array, order="C")


def _drawn(problem: Problem, name: str, shape: Ints, salt: str = "") -> Array:
    dtype = np.float64
    return data.whole_numbers(f"{problem} {name} {salt}", shape, MAGNITUDE[name]).astype(dtype)


def _sum(left: Array, right: Array) -> Array:
    """The inner product, exact: whole numbers far below 2**53."""
    return np.asarray((left.astype(np.float64) * right.astype(np.float64)).sum())


def _whole(problem: Problem) -> Problem:
    """The problem of the whole stamp, without window and bias."""
    none: Window = ((0, 0),) * problem.rank
    return replace(problem, pads=none, output_padding=(0,) * problem.rank, bias=False)


def _unwindowed(problem: Problem, y: Array) -> Array:
    """An array of the output's extents, back in its place in the full extents: the transpose of cutting the window."""
    widen = [(max(lo, 0), max(hi, 0)) for lo, hi in problem.window]
    ends = zip(y.shape[2:], problem.window, strict=True)
    keep: Any = (..., *(slice(max(-lo, 0), extent - max(-hi, 0)) for extent, (lo, hi) in ends))
    return np.pad(y[keep], [(0, 0), (0, 0), *widen])
