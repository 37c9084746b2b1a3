"""Sizes: what extents come out, of one operator, of one after the other, and of those that a call may be asked for."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from conformance.adapters.operators.base import Convolution
from conformance.claims.checks.base import Bench, CheckError, Numbers, Question, Trial, check, square, sweep
from conformance.claims.checks.matrices import convolution_matrix, transposed_matrix
from conformance.problem import Problem

Named = dict[str, Any]


def outputs(bench: Bench, problems: Sequence[Problem]) -> list[int]:
    """The framework's extent of transposed convolutions of square problems."""
    new = [fromkey for fromkey in dict.fromkeys(problems) if fromkey not in bench.shapes]
    questions = [
        Question(problem, np.ones(problem.input_shape, np.float32), np.ones(problem.weight_shape, np.float32))
        for problem in new
    ]
    bench.shapes.update(zip(new, (y.shape for y in bench.transposed(questions)), strict=True))
    return [bench.shapes[problem][2] for problem in problems]


def reduced(bench: Bench, cases: Sequence[tuple[int, int, int, int, int]]) -> list[int]:
    """The framework's extent of ordinary convolutions, each (input, kernel, stride, padding, dilation)."""
    new = [fromkey for fromkey in dict.fromkeys(cases) if fromkey not in bench.shapes]
    convolutions = [
        Convolution(np.ones((1, 1, i, i), np.float32), np.ones((1, 1, k, k), np.float32), (s, s), (p, p), (d, d))
        for i, k, s, p, d in new
    ]
    bench.shapes.update(zip(new, (y.shape for y in bench.convolved(convolutions)), strict=True))
    return [bench.shapes[case][2] for case in cases]


def _sizes(named: Named) -> tuple[int, int, int, int, int]:
    return named["i"], named["k"], named["s"], named["p"], named.get("d", 1)


def _sound(bench: Bench, trials: Iterator[Named]) -> list[tuple[Named, Problem]]:
    """The trials that say a transposed convolution at which the lane is not known to fail."""
    names = ("i", "k", "s", "p", "d", "op")
    pairs = [(trial, square(*(trial[name] for name in names))) for trial in trials]
    return [(sizes, problem) for sizes, problem in pairs if min(problem.output) > 0 and not bench.faulty(problem)]


@check("i", "k", "s", "p", "d", "op", "o")
def transposed_size(
    bench: Bench, *, i: Numbers, k: Numbers, s: Numbers = 1, p: Numbers = 0, d: Numbers = 1, op: Numbers = 0,
    where: str = "",
) -> Iterator[Trial]:  # fmt: skip
    """o: the extent that a transposed convolution gives."""
    trials = _sound(bench, sweep(where, i=i, k=k, s=s, p=p, d=d, op=op))
    for (named, _), o in zip(trials, outputs(bench, [problem for _, problem in trials]), strict=True):
        yield {**named, "o": o}


@check("i", "k", "s", "p", "d", "o")
def convolution_size(
    bench: Bench, *, i: Numbers, k: Numbers, s: Numbers = 1, p: Numbers = 0, d: Numbers = 1, where: str = ""
) -> Iterator[Trial]:
    """o: the extent that an ordinary convolution gives."""
    trials = list(sweep(where, i=i, k=k, s=s, p=p, d=d))
    for named, o in zip(trials, reduced(bench, [_sizes(trial) for trial in trials]), strict=True):
        yield {**named, "o": o}


@check("i", "k", "s", "p", "r", "o", "back", "repaired", "forth")
def round_trip(
    bench: Bench, *, i: Numbers, k: Numbers, s: Numbers = 1, p: Numbers = 0, where: str = ""
) -> Iterator[Trial]:
    """o: the extent after a convolution of i; back: of its transposed one; repaired: with output_padding r; forth: the
    extent after a transposed convolution of i and then a convolution. r is (i + 2p - k) % s.
    """  # fmt: skip
    trials = [sizes | {"r": (sizes["i"] + 2 * sizes["p"] - sizes["k"]) % sizes["s"]} for sizes in
              sweep(where, i=i, k=k, s=s, p=p)]  # fmt: skip
    extents = reduced(bench, [_sizes(trial) for trial in trials])
    yield from _returned(bench, trials, extents)


def _returned(bench: Bench, trials: Sequence[Named], given: Sequence[int]) -> Iterator[Trial]:
    sound = []
    for named, o in zip(trials, given, strict=True):
        k, s, p = named["k"], named["s"], named["p"]
        ways = [square(o, k, s, p), square(o, k, s, p, op=named["r"]), square(named["i"], k, s, p)]
        if all(min(way.output) > 0 and not bench.faulty(way) for way in ways):
            sound.append((named | {"o": o}, ways))
    extents = outputs(bench, [way for _, ways in sound for way in ways])
    grown = extents[2::3]
    again = reduced(bench, [_sizes(named | {"i": i}) for (named, _), i in zip(sound, grown, strict=True)])
    for (named, _), back, repaired, forth in zip(sound, extents[::3], extents[1::3], again, strict=True):
        yield {**named, "back": back, "repaired": repaired, "forth": forth}


@check("same")
def shape(bench: Bench, *, rows: Sequence[Named]) -> Iterator[Trial]:
    """same: whether a problem's answer has the shape that stands beside it, as (n, c, *k) or its extents alone."""
    for row in rows:
        problem = Problem.parse(row["problem"])
        question = Question(
            problem, np.ones(problem.input_shape, np.float32), np.ones(problem.weight_shape, np.float32)
        )
        (y,) = bench.transposed([question])
        stated = row["output"]
        if len(stated) not in (problem.rank, problem.rank + 2):
            raise CheckError(f"{row['problem']}: output {stated} is neither a shape nor its extents")
        yield {"same": list(y.shape)[-len(stated) :] == stated}


@check("i", "k", "s", "p", "o", "direct", "emulated")
def multiplications(
    bench: Bench, *, i: Numbers, k: Numbers, s: Numbers, p: Numbers = 0, where: str = ""
) -> Iterator[Trial]:
    """direct and emulated: multiplications per pair of channels, of the stamp, and of a stride-1 convolution over the
    stretched input that gives the same extent o.
    """  # fmt: skip
    trials = _sound(bench, sweep(where, i=i, k=k, s=s, p=p, d=1, op=0))
    for (named, _), o in zip(trials, outputs(bench, [problem for _, problem in trials]), strict=True):
        i_, k_, s_, p_, _, _ = named.values()
        (again,) = reduced(bench, [((i_ - 1) * s_ + 1 + 2 * (k_ - 1 - p_), k_, 1, 0, 1)])
        counts = {"direct": (i_ * k_) ** 2, "emulated": (again * k_) ** 2}
        yield {"i": i_, "k": k_, "s": s_, "p": p_, "o": o, **counts}


@check("h_out", "h_in", "k", "s", "p", "r", "fits")
def pairs(bench: Bench, *, h_out: Numbers, k: Numbers, s: Numbers, p: Numbers, where: str = "") -> Iterator[Trial]:
    """fits: whether h_in is what a convolution makes of h_out, for that and for its neighbours; r is
    (h_out + 2p - k) % s.
    """  # fmt: skip
    trials = list(sweep(where, h_out=h_out, k=k, s=s, p=p))
    extents = reduced(bench, [(trial["h_out"], trial["k"], trial["s"], trial["p"], 1) for trial in trials])
    for named, o in zip(trials, extents, strict=True):
        r = (named["h_out"] + 2 * named["p"] - named["k"]) % named["s"]
        for h_in in (o - 1, o, o + 1):
            yield {**named, "h_in": h_in, "r": r, "fits": h_in == o}


@check("sized", "transposes")
def figures(bench: Bench, *, transposed: bool, rows: Sequence[Named]) -> Iterator[Trial]:
    """sized: whether a drawn arrangement has its stated extent o; transposes: whether its matrix is the transpose of
    its counterpart's.
    """  # fmt: skip
    for row in rows:
        named = {"s": 1, "p": 0, "d": 1, "op": 0} | row
        small, large = (named["i"], named["o"]) if transposed else (named["o"], named["i"])
        k, s, p, d = named["k"], named["s"], named["p"], named["d"]
        rest = (large + 2 * p - d * (k - 1) - 1) % s
        problem = square(small, k, s, p, d, rest)
        weight = np.arange(1.0, k * k + 1, dtype=np.float32).reshape(problem.weight_shape)
        there = transposed_matrix(bench, problem, weight)
        back = convolution_matrix(bench, (1, large, large), weight, s, p, d)
        rows_ = (there if transposed else back).shape[0]
        yield {"sized": rows_ == named["o"] ** 2, "transposes": np.array_equal(there, back.T)}
