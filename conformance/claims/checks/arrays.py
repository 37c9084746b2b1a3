"""Arrays: worked examples, and one operator said through another."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from conformance.adapters.operators.base import Convolution
from conformance.claims.checks.base import Bench, Numbers, Question, Trial, check, drawn, plane, square, sweep
from conformance.layout import Array
from conformance.predicates.predicate import relation
from conformance.problem import Ints, Problem

Rows = Sequence[Sequence[int]]

ONE: Ints = (1, 1)
NOTHING: Ints = (0, 0)


@check("same")
def convolution_example(
    bench: Bench, *, x: Rows, kernel: Rows, y: Rows, stride: int = 1, padding: int | str = 0
) -> Iterator[Trial]:
    """same: whether an ordinary convolution of the arrays gives y."""
    ends = padding if isinstance(padding, str) else (padding, padding)
    (answer,) = bench.convolved([Convolution(plane(x), plane(kernel), (stride, stride), ends)])
    yield {"same": np.array_equal(answer[0, 0], y)}


@check("same")
def transposed_example(bench: Bench, *, x: Rows, kernel: Rows, y: Rows, window: str = "") -> Iterator[Trial]:
    """same: whether a transposed convolution of the arrays gives y; `window` is a descriptor without its extents."""
    problem = Problem.parse(f"i{len(x)}x{len(x[0])} k{len(kernel)}x{len(kernel[0])} {window}".strip())
    (answer,) = bench.transposed([Question(problem, plane(x), plane(kernel))])
    yield {"same": np.array_equal(answer[0, 0], y)}


@check("same", "coincide")
def call_example(
    bench: Bench, *, calls: Mapping[str, str], x: Rows, kernel: Rows, y: Rows, original: Rows = ()
) -> Iterator[Trial]:
    """same: whether the framework's own call gives y; coincide: how many entries equal the original's."""
    answer = bench.called(calls[bench.framework], plane(x), plane(kernel))[0, 0]
    yield {"same": np.array_equal(answer, y), "coincide": int(np.sum(answer == np.array(original or y)))}


def inserted(x: Array, stride: Sequence[int]) -> Array:
    """x (n, c, *k) with stride - 1 zeros between neighbours."""
    extents = [(i - 1) * s + 1 for i, s in zip(x.shape[2:], stride, strict=True)]
    stretched = np.zeros((*x.shape[:2], *extents), x.dtype)
    places: tuple[Any, ...] = (..., *(slice(None, None, s) for s in stride))
    stretched[places] = x
    return stretched


def bordered(x: Array, ends: Sequence[tuple[int, int]]) -> Array:
    """x (n, c, *k) with zeros around it; a negative end crops."""
    padded = np.pad(x, [(0, 0), (0, 0), *((max(lo, 0), max(hi, 0)) for lo, hi in ends)])
    extents = zip(padded.shape[2:], ends, strict=True)
    crop: tuple[Any, ...] = (..., *(slice(max(-lo, 0), extent - max(-hi, 0)) for extent, (lo, hi) in extents))
    cut: Array = padded[crop]
    return cut


def turned(problem: Problem, weight: Array, *, rotated: bool = True, swapped: bool = True) -> Array:
    """A transposed convolution's weight as an ordinary one's: taps reversed, channel axes swapped in each group."""
    grouped = weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    grouped = grouped.swapaxes(1, 2) if swapped else grouped
    grouped = grouped[:, :, :, ::-1, ::-1] if rotated else grouped
    return np.ascontiguousarray(grouped.reshape(-1, *grouped.shape[2:]))


@check(
    "i",
    "k",
    "s",
    "p",
    "d",
    "op",
    "g",
    "ic",
    "oc",
    "border",
    "rotated",
    "swapped",
    "inserted",
    "extended",
    "sized",
    "equal",
)
def recipe(
    bench: Bench, *, i: Numbers, k: Numbers, s: Numbers = 1, p: Numbers = 0, d: Numbers = 1, op: Numbers = 0,
    g: Numbers = 1, ic: Numbers = 1, oc: Numbers = 1, border: Numbers = "d*(k - 1) - p",
    rotated: Sequence[bool] = (True,), swapped: Sequence[bool] = (True,), inserted: Sequence[bool] = (True,),
    extended: Sequence[bool] = (True,), where: str = "",
) -> Iterator[Trial]:  # fmt: skip
    """equal: whether an ordinary convolution, made of the same arrays in this way, equals the transposed one; sized:
    whether its extents do.

    `border` is how many zeros go around, a number or a formula; where it is `extended`, output_padding adds more at
    the end; where zeros are not `inserted`, the convolution has the same stride and padding instead.
    """  # fmt: skip
    names = {"i": i, "k": k, "s": s, "p": p, "d": d, "op": op, "g": g, "ic": ic, "oc": oc}
    ways = {"rotated": rotated, "swapped": swapped, "inserted": inserted, "extended": extended}
    formula = border if isinstance(border, str) and ".." not in border else None
    trials = []
    for named in sweep(where, **names, **ways, border=0 if formula else border):
        problem = square(*(named[name] for name in ("i", "k", "s", "p", "d", "op")), groups=named["g"],
                         in_channels=named["ic"], out_channels=named["oc"])  # fmt: skip
        if min(problem.output) > 0 and not bench.faulty(problem) and (named["swapped"] or named["ic"] == named["oc"]):
            zeros = relation(formula, named)(named) if formula else named["border"]
            trials.append((named | {"border": zeros}, problem))
    yield from _compared(bench, trials)


def _compared(bench: Bench, trials: Sequence[tuple[dict[str, Any], Problem]]) -> Iterator[Trial]:
    arrays = {problem: drawn(problem) for _, problem in trials}
    stated = dict(zip(arrays, bench.transposed([Question(*question) for question in _questions(arrays)]), strict=True))
    made = [(named, problem, _convolution(problem, *arrays[problem][:2], named)) for named, problem in trials]
    possible = [trial for trial in made if trial[2] is not None]
    answers = iter(bench.convolved([convolution for _, _, convolution in possible if convolution is not None]))
    for named, problem, convolution in made:
        answer = np.empty(0) if convolution is None else next(answers)
        sized = answer.shape == stated[problem].shape
        yield {**named, "sized": sized, "equal": sized and np.array_equal(answer, stated[problem])}


def _questions(arrays: Mapping[Problem, Any]) -> Iterator[tuple[Problem, Array, Array]]:
    return ((problem, pair.x, pair.weight) for problem, pair in arrays.items())


def _convolution(problem: Problem, x: Array, weight: Array, named: Trial) -> Convolution | None:
    """The ordinary convolution of one way of making it; None where nothing is left to convolve."""
    weight = turned(problem, weight, rotated=named["rotated"], swapped=named["swapped"])
    if named["inserted"]:
        ends = [(named["border"], named["border"] + op * named["extended"]) for op in problem.output_padding]
        x, stride, padding = bordered(inserted(x, problem.stride), ends), ONE, NOTHING
    else:
        stride, padding = problem.stride, tuple(lo for lo, _ in problem.pads)
    extents = zip(x.shape[2:], padding, problem.effective_kernel, strict=True)
    if any(extent + 2 * pad < kernel for extent, pad, kernel in extents):
        return None
    return Convolution(x, weight, stride, padding, problem.dilation, problem.groups)


@check("i", "s", "o", "zeros", "placed")
def insertion(bench: Bench, *, i: Numbers, s: Numbers) -> Iterator[Trial]:
    """zeros: how many a 1x1 kernel of one leaves between a line's elements; placed: whether those stand s apart."""
    for named in sweep(i=i, s=s):
        problem = square(named["i"], 1, named["s"])
        x = np.arange(1, named["i"] ** 2 + 1, dtype=np.float32).reshape(problem.input_shape)
        (y,) = bench.transposed([Question(problem, x, np.ones((1, 1, 1, 1), np.float32))])
        zeros = int(np.sum(y[0, 0, 0] == 0))
        yield {**named, "o": y.shape[2], "zeros": zeros, "placed": np.array_equal(y, inserted(x, problem.stride))}


BIAS = 100
"""What stands where nothing else does."""


@check("i", "k", "s", "p", "op", "j", "grown", "kept", "empty", "empties")
def output_padding(
    bench: Bench, *, k: Numbers, s: Numbers, p: Numbers, op: Numbers, i: Numbers = 3, where: str = "op > 0"
) -> Iterator[Trial]:
    """Of each row j that output_padding adds: empty, whether it is nothing but the bias; of all: how many are, empties.

    grown: by how much the answer grew; kept: whether its old part stands where it stood.
    """
    for named in sweep(where, i=i, k=k, s=s, p=p, op=op):
        i_, k_, s_, p_, rows = named.values()
        plain, padded = square(i_, k_, s_, p_, bias=True), square(i_, k_, s_, p_, op=rows, bias=True)
        x = np.arange(1, i_ * i_ + 1, dtype=np.float32).reshape(plain.input_shape)
        weight = np.arange(1, k_ * k_ + 1, dtype=np.float32).reshape(plain.weight_shape)
        bias = np.array([BIAS], np.float32)
        before, after = bench.transposed([Question(problem, x, weight, bias) for problem in (plain, padded)])
        extent = before.shape[2]
        kept = np.array_equal(after[:, :, :extent, :extent], before)
        empty = [bool((after[0, 0, extent + row] == BIAS).all()) for row in range(rows)]
        for row in range(rows):
            measured = {"j": row, "grown": after.shape[2] - extent, "kept": kept}
            yield {**named, **measured, "empty": empty[row], "empties": sum(empty)}


@check("i", "k", "s", "p", "d", "ic", "oc", "equal")
def adjoint(
    bench: Bench, *, i: Numbers, k: Numbers, s: Numbers = 1, p: Numbers = 0, d: Numbers = 1, ic: Numbers = 1,
    oc: Numbers = 1, where: str = "",
) -> Iterator[Trial]:  # fmt: skip
    """equal: whether a convolution's gradient in its input is the transposed convolution with the same weight array."""
    for named in sweep(where, i=i, k=k, s=s, p=p, d=d, ic=ic, oc=oc):
        i_, k_, s_, p_, d_, _, _ = named.values()
        o, rest = divmod(i_ + 2 * p_ - d_ * (k_ - 1) - 1, s_)
        problem = square(o + 1, k_, s_, p_, d_, rest, in_channels=named["ic"], out_channels=named["oc"])
        arrays = drawn(problem)
        x = np.zeros(problem.output_shape, np.float32)
        convolution = Convolution(x, arrays.weight, problem.stride, (p_, p_), problem.dilation)
        gradient = bench.operators.gradient(convolution, arrays.x)
        (answer,) = bench.transposed([Question(problem, arrays.x, arrays.weight)])
        yield {**named, "equal": np.array_equal(gradient, answer)}


@check("g", "ic", "oc", "transposed", "equal", "apart", "depth")
def split(
    bench: Bench, *, g: Numbers, channels: int, filters: int, k: int = 3, s: int = 1, p: int = 0, i: int = 8
) -> Iterator[Trial]:
    """equal: whether a grouped operator equals its groups computed one by one; apart: whether the first group's answer
    ignores all channels but its own; depth: the weight's channels per group.
    """  # fmt: skip
    for groups in sweep(g=g):
        count = groups["g"]
        problem = square(i, k, s, p, groups=count, in_channels=channels // count, out_channels=filters // count)
        one = square(i, k, s, p, in_channels=channels // count, out_channels=filters // count)
        arrays = drawn(problem)
        for transposed in (True, False):
            weight = arrays.weight if transposed else turned(problem, arrays.weight)
            whole = _operated(bench, transposed, problem, arrays.x, weight)
            parts = [np.split(operand, count, axis) for operand, axis in ((arrays.x, 1), (weight, 0))]
            alone = [_operated(bench, transposed, one, *part) for part in zip(*parts, strict=True)]
            muted = arrays.x.copy()
            muted[:, channels // count :] = 0
            first = _operated(bench, transposed, problem, muted, weight)[:, : filters // count]
            yield {
                "g": count, "ic": channels, "oc": filters, "transposed": transposed, "depth": weight.shape[1],
                "equal": np.array_equal(whole, np.concatenate(alone, 1)),
                "apart": np.array_equal(first, whole[:, : filters // count]),
            }  # fmt: skip


def _operated(bench: Bench, transposed: bool, problem: Problem, x: Array, weight: Array) -> Array:
    if transposed:
        return bench.transposed([Question(problem, x, weight)])[0]
    padding = tuple(lo for lo, _ in problem.pads)
    return bench.convolved([Convolution(x, weight, problem.stride, padding, problem.dilation, problem.groups)])[0]
