"""What transposed convolution must satisfy whatever the oracle says: two computations of one framework that are equal.

A property asks a framework some questions and makes two sides of the answers. The data is of small whole numbers, so
that both sides are exact and equality means every bit.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.adapters.base import ordinary, silent, unwindowed
from conformance.audit.properties.questions import (
    Question,
    by_input,
    by_weight,
    misfitting,
    misfitting_by_weight,
    second_by_input,
    second_by_weight,
    tangent_of_input,
    tangent_of_weight,
    traced_by_input,
    traced_by_weight,
)
from conformance.numerics import gradients, operands
from conformance.numerics.operands import ROOM, Arrays
from conformance.problem import INPUT, WEIGHT, Ints, Problem, Window

Array = NDArray[Any]
Sides = tuple[Array, Array]

MAGNITUDE = {"x": 9, "weight": 31, "bias": 99, "y": 9}
"""Largest drawn values."""
LARGEST_FACTOR = 4
"""How many times the largest sum of one answer there is on a side, which must be exact, too."""

Asking = Generator[Sequence[Question], Sequence[Array], Sides | None]
"""A property at work: it asks once, is sent the answers, and returns both sides; or None where it does not apply."""


def adjoint(problem: Problem, arrays: Arrays) -> Asking:
    """<convT(x), y> = <x, conv(y)>, with the framework's own convolution."""
    plain = replace(problem, bias=False)
    y = _drawn(plain, "y", plain.output_shape).astype(arrays.weight.dtype)
    ours, convolved = yield [
        Question(plain, arrays.x, arrays.weight),
        Question(plain, unwindowed(plain.window, y), arrays.weight, translate=ordinary),
    ]
    return _sum(ours, y), _sum(arrays.x, convolved)


def learnt(problem: Problem, arrays: Arrays) -> Asking:
    """<convT(x), g> = <x, dx> = <weight, dw>: what is learnt is learnt of the very answer that is given."""
    plain = replace(problem, bias=False)
    g = _upstream(plain, arrays.weight)
    if g is None:
        return None
    answer, by_x, by_w = yield [
        Question(plain, arrays.x, arrays.weight),
        Question(plain, g, arrays.weight, translate=by_input),
        Question(plain, arrays.x, g, translate=by_weight),
    ]
    given = _sum(answer, g)
    return np.stack([given, given]), np.stack([_sum(arrays.x, by_x), _sum(arrays.weight, by_w)])


def linear(problem: Problem, arrays: Arrays) -> Asking:
    """convT(2x - x') = 2 convT(x) - convT(x'), without a bias."""
    plain = replace(problem, bias=False)
    other = _drawn(plain, "x", plain.input_shape, "other").astype(arrays.x.dtype)
    both, one, another = yield [Question(plain, x, arrays.weight) for x in (2 * arrays.x - other, arrays.x, other)]
    return both, 2 * one - another


def biased(problem: Problem, arrays: Arrays) -> Asking:
    """A bias is added once to every element of its channel, also where no tap reaches."""
    x, weight, bias = arrays
    if bias is None:
        return None
    with_it, without = yield [Question(problem, *arrays), Question(replace(problem, bias=False), x, weight)]
    return with_it, without + bias.reshape(-1, *[1] * problem.rank)


def grouped(problem: Problem, arrays: Arrays) -> Asking:
    """Groups give what each group alone gives, one after the other."""
    groups = problem.groups
    if groups == 1:
        return None
    biases = [None] * groups if arrays.bias is None else np.split(arrays.bias, groups)
    parts = zip(np.split(arrays.x, groups, 1), np.split(arrays.weight, groups), biases, strict=True)
    one = replace(problem, groups=1)
    whole, *apart = yield [Question(problem, *arrays), *(Question(one, *part) for part in parts)]
    return whole, np.concatenate(apart, 1)


def batched(problem: Problem, arrays: Arrays) -> Asking:
    """The elements of a batch in another order give the same answers in that order."""
    three, order = replace(problem, batch=3), [2, 0, 1]
    x = _drawn(three, "x", three.input_shape).astype(arrays.x.dtype)
    turned, straight = yield [Question(three, operand, *arrays[1:]) for operand in (x[order], x)]
    return turned, straight[order]


def channels_in(problem: Problem, arrays: Arrays) -> Asking:
    """Input channels in another order inside their groups, in x and weight alike, change nothing."""
    if problem.in_channels == 1:
        return None
    order = _reversed_in_groups(problem.groups, problem.in_channels)
    x, weight, bias = arrays
    turned, straight = yield [Question(problem, x[:, order], weight[order], bias), Question(problem, *arrays)]
    return turned, straight


def channels_out(problem: Problem, arrays: Arrays) -> Asking:
    """Output channels of the weight and the bias in another order give the answer's in that order."""
    if problem.out_channels == 1:
        return None
    order = _reversed_in_groups(problem.groups, problem.out_channels)
    x, weight, bias = arrays
    moved = None if bias is None else bias[order]
    turned, straight = yield [Question(problem, x, weight[:, ::-1], moved), Question(problem, *arrays)]
    return turned, straight[:, order]


def translated(problem: Problem, arrays: Arrays) -> Asking:
    """A zero before the input moves the whole stamp by one stride, and leaves zeros there."""
    whole = _without_window_and_bias(problem)
    longer = replace(whole, input=tuple(extent + 1 for extent in whole.input))
    x = np.pad(arrays.x, [(0, 0), (0, 0), *[(1, 0)] * whole.rank])
    moved, still = yield [Question(longer, x, arrays.weight), Question(whole, arrays.x, arrays.weight)]
    return moved, np.pad(still, [(0, 0), (0, 0), *((s, 0) for s in whole.stride)])


def undilated(problem: Problem, arrays: Arrays) -> Asking:
    """A dilated kernel is a larger one with holes; a dilation of one is none, and need not be said."""
    plain = replace(problem, kernel=problem.effective_kernel, dilation=(1,) * problem.rank)
    if plain == problem:
        biased, unsaid = yield [Question(problem, *arrays), Question(problem, *arrays, translate=silent)]
        return biased, unsaid
    holes = np.zeros((*arrays.weight.shape[:2], *problem.effective_kernel), arrays.weight.dtype)
    at: Any = (..., *(slice(None, None, d) for d in problem.dilation))
    holes[at] = arrays.weight
    dilated, stretched = yield [Question(problem, *arrays), Question(plain, arrays.x, holes, arrays.bias)]
    return dilated, stretched


def lifted(problem: Problem, arrays: Arrays) -> Asking:
    """An axis more, of extent one, before or after the others, changes nothing: 2-D is 1-D, and 3-D is 2-D."""
    if problem.rank == 3:
        return None
    x, weight, bias = arrays
    first, last = 2, 2 + problem.rank
    before, after, plain = yield [
        *(Question(_with_unit(problem, at - 2), np.expand_dims(x, at), np.expand_dims(weight, at), bias)
          for at in (first, last)),
        Question(problem, *arrays),
    ]  # fmt: skip
    return np.stack([before.squeeze(first), after.squeeze(last)]), np.stack([plain, plain])


def repeated(problem: Problem, arrays: Arrays) -> Asking:
    """A call with the same shapes and other values, in between, is answered by its own, and changes no other."""
    plain = replace(problem, bias=False)
    x, weight, _ = arrays
    first, other, again = yield [
        Question(plain, x, weight), Question(plain, -x, 2 * weight, due=True), Question(plain, x, weight, due=True)
    ]  # fmt: skip
    return np.stack([other, again]), np.stack([-2 * first, first])


def repeated_gradients(problem: Problem, arrays: Arrays) -> Asking:
    """`repeated`, of gradients: what is added up in a buffer, and what is kept of a shape, shows."""
    plain, (x, weight, _) = replace(problem, bias=False), arrays
    g = _upstream(plain, weight, 2)
    if g is None:
        return None
    by_x, other_x, again_x, by_w, other_w, again_w = yield [
        Question(plain, g, weight, translate=by_input),
        Question(plain, -g, 2 * weight, translate=by_input, due=True),
        Question(plain, g, weight, translate=by_input, due=True),
        Question(plain, x, g, translate=by_weight),
        Question(plain, 2 * x, -g, translate=by_weight, due=True),
        Question(plain, x, g, translate=by_weight, due=True),
    ]
    return _joined(other_x, again_x, other_w, again_w), _joined(-2 * by_x, by_x, -2 * by_w, by_w)


def undisturbed(problem: Problem, arrays: Arrays) -> Asking:
    """A call that fails changes nothing for the next one. One problem in four is asked: no call here shares a block."""
    if not _is_one_in_four(problem, "undisturbed"):
        return None
    valid = Question(problem, *arrays, alone=True)
    before, after = yield [valid, valid._replace(translate=misfitting), valid._replace(due=True)]
    return before, after


def undisturbed_gradients(problem: Problem, arrays: Arrays) -> Asking:
    """`undisturbed`, of gradients, and of the answer after a gradient that fails."""
    plain, (x, weight, _) = replace(problem, bias=False), arrays
    g = _upstream(plain, weight)
    if g is None or not _is_one_in_four(problem, "undisturbed"):
        return None
    answer = Question(plain, x, weight, alone=True)
    of_input, of_weight = (
        answer._replace(x=g, translate=by_input), answer._replace(weight=g, translate=by_weight)
    )  # fmt: skip
    before = yield [
        answer, of_input, of_weight, of_weight._replace(translate=misfitting_by_weight),
        *(each._replace(due=True) for each in (answer, of_input, of_weight)),
    ]  # fmt: skip
    return _joined(*before[:3]), _joined(*before[3:])


def tangent(problem: Problem, arrays: Arrays) -> Asking:
    """The derivative along an operand is the difference of the answers with it once more. One problem in four."""
    plain, (x, weight, _) = replace(problem, bias=False), arrays
    if not _is_one_in_four(problem, "tangent"):
        return None
    by_x, by_w, once, more = yield [
        Question(plain, x, weight, translate=tangent_of_input), Question(plain, x, weight, translate=tangent_of_weight),
        Question(plain, x, weight), Question(plain, 2 * x, weight),
    ]  # fmt: skip
    return np.stack([by_x, by_w]), np.stack([more - once, more - once])


def second_order(problem: Problem, arrays: Arrays) -> Asking:
    """A gradient derived by the other operand is the difference of gradients. One problem in four is asked."""
    plain, (x, weight, _) = replace(problem, bias=False), arrays
    g = _upstream(plain, weight, 2)
    if g is None or not _is_one_in_four(problem, "second order"):
        return None
    by_x, by_w, x_once, x_more, w_once, w_more = yield [
        Question(plain, g, weight, translate=second_by_input), Question(plain, x, g, translate=second_by_weight),
        Question(plain, g, weight, translate=by_input), Question(plain, g, 2 * weight, translate=by_input),
        Question(plain, x, g, translate=by_weight), Question(plain, 2 * x, g, translate=by_weight),
    ]  # fmt: skip
    return _joined(by_x, by_w), _joined(x_more - x_once, w_more - w_once)


def traced(problem: Problem, arrays: Arrays) -> Asking:
    """Gradients in a function that is traced are those that are taken at once.

    One problem in four is asked, and all that are dilated by steps that differ.
    """
    plain, (x, weight, _) = replace(problem, bias=False), arrays
    g = _upstream(plain, weight)
    if g is None or not (len(set(problem.dilation)) > 1 or _is_one_in_four(problem, "traced")):
        return None
    in_x, in_w, by_x, by_w = yield [
        Question(plain, g, weight, translate=traced_by_input, due=True),
        Question(plain, x, g, translate=traced_by_weight, due=True),
        Question(plain, g, weight, translate=by_input), Question(plain, x, g, translate=by_weight),
    ]  # fmt: skip
    return _joined(in_x, in_w), _joined(by_x, by_w)


PROPERTIES: Mapping[str, Callable[[Problem, Arrays], Asking]] = {
    "adjoint": adjoint, "learnt": learnt, "linear": linear, "biased": biased, "grouped": grouped, "batched": batched,
    "channels-in": channels_in, "channels-out": channels_out, "translated": translated, "undilated": undilated,
    "lifted": lifted, "repeated": repeated, "repeated-gradients": repeated_gradients, "undisturbed": undisturbed,
    "undisturbed-gradients": undisturbed_gradients, "tangent": tangent, "second-order": second_order, "traced": traced,
}  # fmt: skip


def _drawn(problem: Problem, name: str, shape: Ints, salt: str = "") -> Array:
    return operands.whole_numbers(f"{problem} {name} {salt}", shape, MAGNITUDE[name]).astype(np.float64)


def _upstream(plain: Problem, weight: Array, factor: int = 1) -> Array | None:
    """What comes from above of gradients; None where sums of so many times their operands would not be exact."""
    terms = max(gradients.terms(plain, INPUT), gradients.terms(plain, WEIGHT))
    if factor * terms * MAGNITUDE["weight"] * MAGNITUDE["y"] > ROOM:
        return None
    return _drawn(plain, "y", plain.output_shape).astype(weight.dtype)


def _is_one_in_four(problem: Problem, name: str) -> bool:
    """Whether a problem is one of those that a property is asked of, which is slow."""
    return not operands.words(f"{problem} {name}", (1,))[0] % np.uint64(4)


def _joined(*arrays: Array) -> Array:
    return np.concatenate([array.ravel() for array in arrays])


def _sum(left: Array, right: Array) -> Array:
    """The inner product, exact: whole numbers far below 2**53."""
    return np.asarray((left.astype(np.float64) * right.astype(np.float64)).sum())


def _reversed_in_groups(groups: int, channels: int) -> Array:
    return np.arange(groups * channels).reshape(groups, -1)[:, ::-1].ravel()


def _without_window_and_bias(problem: Problem) -> Problem:
    """The problem of the whole stamp, without window and bias."""
    none: Window = ((0, 0),) * problem.rank
    return replace(problem, pads=none, output_padding=(0,) * problem.rank, bias=False)


def _with_unit(problem: Problem, at: int) -> Problem:
    """The problem with one axis more, on which nothing happens."""
    unit = {"input": 1, "kernel": 1, "stride": 1, "pads": (0, 0), "output_padding": 0, "dilation": 1}
    changed: dict[str, Any] = {}
    for name, value in unit.items():
        values = getattr(problem, name)
        changed[name] = (*values[:at], value, *values[at:])
    return replace(problem, **changed)
