"""Windows: which part of the whole stamp a framework's own call gives, found from its answer alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from conformance import oracle
from conformance.claims.checks.base import Bench, CheckError, Numbers, Question, Trial, check, drawn, square, sweep
from conformance.layout import Array
from conformance.predicates.predicate import relation

PROBES = 2, 3
"""Powers of 1, 2, 3, ... that the input's and the kernel's elements are, so that no two windows are alike."""


@check("i", "k", "s", "d", "o", "full", "lo", "hi", "rest")
def window(
    bench: Bench, *, calls: Mapping[str, str], i: Numbers, k: Numbers, s: Numbers = 1, d: Numbers = 1, o: str = "i * s",
    where: str = "",
) -> Iterator[Trial]:  # fmt: skip
    """lo and hi: how much a call cuts at the beginning and, net, at the end of the full stamp; negative where it adds.

    `o` is the extent asked for, a formula; rest is (o + lo + hi - k) % s.
    """
    for named in sweep(where, i=i, k=k, s=s, d=d):
        asked = int(relation(o, named)(named))
        text = calls[bench.framework].format(**named, o=asked)
        x, kernel = (np.arange(1.0, named[name] + 1) ** power for name, power in zip("ik", PROBES, strict=True))
        answer = bench.called(text, _rows(x), _rows(kernel))[0, 0]
        full = oracle.conv_transpose(_rows(x), _rows(kernel), stride=named["s"], dilation=named["d"])[0, 0]
        lo = _begin(full, answer)
        hi = full.shape[0] - lo - answer.shape[0]
        rest = (answer.shape[0] + lo + hi - named["k"]) % named["s"]
        yield {**named, "o": answer.shape[0], "full": full.shape[0], "lo": lo, "hi": hi, "rest": rest}


def _rows(values: Array) -> Array:
    """(1, 1, n, n) with a value a row; no larger than what float32 sums exactly."""
    kernel: Array = np.outer(values, np.ones_like(values))[None, None].astype(np.float32)
    return kernel


def _begin(full: Array, answer: Array) -> int:
    """Where an answer begins in the full stamp, extended by zeros. Raises CheckError unless it is in one place."""
    extent = int(answer.shape[0])
    wide = np.pad(full, extent)
    trials = [
        at - extent
        for at in range(wide.shape[0] - extent + 1)
        if np.array_equal(wide[at : at + extent, at : at + extent], answer)
    ]
    if len(trials) != 1:
        raise CheckError(f"the answer is {len(trials)} windows of the full stamp: expected it to be one")
    return trials[0]


@check("i", "k", "s", "p", "op", "o", "sized", "equal", "shifted")
def symmetric_twins(
    bench: Bench, *, calls: Mapping[str, str], i: Numbers, k: Numbers, s: Numbers, ic: int = 1, oc: int = 1,
    o: str = "i * s", where: str = "",
) -> Iterator[Trial]:  # fmt: skip
    """For each padding p at both ends with output_padding op that a layer could have: sized, whether the answer is of
    the call's size; equal, whether it is the call's; shifted, whether it is that moved by one pixel.
    """  # fmt: skip
    for named in sweep(where, i=i, k=k, s=s):
        asked = int(relation(o, named)(named))
        arrays = drawn(square(*named.values(), in_channels=ic, out_channels=oc))
        text = calls[bench.framework].format(**named, o=asked, oc=oc)
        answer = bench.called(text, arrays.x, arrays.weight)
        for p in range(named["k"]):
            for op in range(named["s"]):
                twin = square(**named, p=p, op=op, in_channels=ic, out_channels=oc)
                if twin.output[0] != asked or bench.faulty(twin):
                    continue
                (other,) = bench.transposed([Question(twin, arrays.x, arrays.weight)])
                yield {**named, "p": p, "op": op, "o": asked, "sized": other.shape == answer.shape,
                       "equal": np.array_equal(other, answer), "shifted": _shifted(other, answer)}  # fmt: skip


def _shifted(array: Array, other: Array) -> bool:
    """Whether one is the other moved by one pixel towards the beginning."""
    return array.shape == other.shape and np.array_equal(array[:, :, :-1, :-1], other[:, :, 1:, 1:])


@check("i", "k", "s", "p", "op", "equal", "twins", "even")
def symmetric_twin(
    bench: Bench, *, calls: Mapping[str, str], i: Numbers, k: Numbers, s: Numbers, o: str = "i * s", where: str = ""
) -> Iterator[Trial]:
    """twins: how many pairs of padding and output_padding give a call's answer; equal: whether any does."""
    for named in sweep(where, i=i, k=k, s=s):
        trials = list(symmetric_twins(bench, calls=calls, o=o, **named))
        twins = sum(trial["equal"] for trial in trials)
        yield {**named, "p": 0, "op": 0, "equal": twins > 0, "twins": twins, "even": (named["k"] - named["s"]) % 2 == 0}


@check("i", "k", "s", "d", "o", "begin", "end", "stated")
def same_padding(bench: Bench, *, calls: Mapping[str, str], i: Numbers, k: Numbers, s: Numbers) -> Iterator[Trial]:
    """begin and end: what SAME cuts, never less than nothing; stated: how much it would be by the rule for a
    convolution's input, applied to i.
    """  # fmt: skip
    for measured in window(bench, calls=calls, i=i, k=k, s=s):
        i_, k_, s_ = measured["i"], measured["k"], measured["s"]
        stated = max(k_ - (i_ % s_ or s_), 0)
        cut = {"begin": max(measured["lo"], 0), "end": max(measured["hi"], 0)}
        yield {**{name: measured[name] for name in ("i", "k", "s", "d", "o")}, **cut, "stated": stated}


@check("i", "k", "s", "p", "op", "o", "answered")
def evaluated_size(
    bench: Bench, *, call: str, i: Numbers, k: Numbers, s: Numbers = 1, p: Numbers = 0, op: Numbers = 0, where: str = ""
) -> Iterator[Trial]:
    """o: the extent that a call on x (1, i, i, 1) gives; answered: whether it gives any."""
    for named in sweep(where, i=i, k=k, s=s, p=p, op=op):
        x = np.ones((1, named["i"], named["i"], 1), np.float32)
        try:
            answer = eval(call.format(**named), {**bench.operators.NAMESPACE, "x": x})  # our own text
        except (*bench.adapter.REFUSALS, *bench.operators.ABORTS):
            yield {**named, "o": 0, "answered": False}
            continue
        yield {**named, "o": int(answer.shape[1]), "answered": True}


@check("i", "k", "s", "p", "o", "accepted")
def accepted_sizes(
    bench: Bench, *, call: str, i: Numbers, k: Numbers, s: Numbers, p: Numbers = 0, beyond: int = 3, where: str = ""
) -> Iterator[Trial]:
    """accepted: whether a call that is told the output's extent o gives an answer of that very extent."""
    for named in sweep(where, i=i, k=k, s=s, p=p):
        full = square(named["i"], named["k"], named["s"])
        values: dict[str, Any] = {"x": np.ones((1, *full.input, 1), np.float32)}
        values["w"] = np.ones((*full.kernel, 1, 1), np.float32)
        for o in range(1, full.full[0] + named["s"] + beyond):
            try:
                answer = eval(call.format(**named, o=o), {**bench.operators.NAMESPACE, **values})  # our own text
            except (*bench.adapter.REFUSALS, *bench.operators.ABORTS):
                yield {**named, "o": o, "accepted": False}
                continue
            yield {**named, "o": o, "accepted": tuple(answer.shape[1:3]) == (o, o)}


@check("same")
def same_calls(bench: Bench, *, pairs: Sequence[Mapping[str, Any]]) -> Iterator[Trial]:
    """same: whether two calls as they are written give the same answer on the same arrays."""
    for pair in pairs:
        i, k, s = pair["i"], pair["k"], pair.get("s", 1)
        arrays = drawn(square(i, k, s, in_channels=pair.get("ic", 1), out_channels=pair.get("oc", 1)))
        one, other = (bench.called(pair[name], arrays.x, arrays.weight) for name in ("one", "other"))
        yield {"same": np.array_equal(one, other)}
