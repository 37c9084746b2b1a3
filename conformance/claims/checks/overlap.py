"""Overlap: how evenly the stamps of all-one arrays cover the output, which is what a checkerboard is made of."""

from collections.abc import Iterator, Sequence

import numpy as np

from conformance.adapters.operators.base import Convolution
from conformance.claims.checks.base import Bench, Numbers, Question, Trial, check, plane, square, sweep
from conformance.layout import Array

CLIPPED = 3
"""Rows at either end of an enlargement by two for which bicubic interpolation looks past the border."""


@check("k", "s", "layers", "least", "most", "distinct", "even")
def overlap(
    bench: Bench, *, k: Numbers, s: Numbers, layers: Numbers = 1, i: int = 9, kernel: Sequence[Sequence[int]] = (),
    where: str = "",
) -> Iterator[Trial]:  # fmt: skip
    """least and most: of the values in the interior, after some transposed convolutions of ones; distinct: how many."""
    for named in sweep(where, k=k, s=s, layers=layers):
        answer, begin, end = plane(np.ones((i, i))), 0, i
        weight = plane(kernel or np.ones((named["k"], named["k"])))
        for _ in range(named["layers"]):
            problem = square(answer.shape[2], named["k"], named["s"])
            (answer,) = bench.transposed([Question(problem, answer, weight)])
            begin, end = begin * named["s"] + named["k"] - 1, (end - 1) * named["s"] + 1
        yield {**named, **_spread(answer, begin, end)}


def _spread(answer: Array, begin: int, end: int) -> dict[str, int | bool]:
    inside = answer[:, :, begin:end, begin:end]
    distinct = np.unique(inside)
    return {"least": int(distinct[0]), "most": int(distinct[-1]), "distinct": len(distinct), "even": len(distinct) == 1}


@check("rule", "k", "least", "most", "distinct", "even")
def resized_overlap(bench: Bench, *, rules: Sequence[str], k: int = 3, i: int = 9) -> Iterator[Trial]:
    """least and most: of the values in the interior, after an interpolation of ones to twice the size and a convolution
    with ones.

    There every rule's factors are sums of a few powers of two, so that the sums are exact.
    """  # fmt: skip
    border = CLIPPED + k // 2
    for rule in rules:
        if rule in bench.operators.RESIZES:
            larger = bench.operators.resize(plane(np.ones((i, i))), rule)
            (answer,) = bench.convolved([Convolution(larger, plane(np.ones((k, k))), (1, 1), (k // 2, k // 2))])
            yield {"rule": rule, "k": k, **_spread(answer, border, 2 * i - border)}


@check("rule", "equal")
def fixed_kernel(bench: Bench, *, rule: str, kernel: Sequence[Sequence[float]], s: int, p: int = 0) -> Iterator[Trial]:
    """equal: whether an interpolation is, away from the border, a transposed convolution with a fixed kernel."""
    x = (np.arange(36).reshape(1, 1, 6, 6) ** 2 % 17).astype(np.float32)
    weight = np.array(kernel, np.float32)[None, None]
    problem = square(6, weight.shape[2], s, p)
    (answer,) = bench.transposed([Question(problem, x, weight)])
    larger = bench.operators.resize(x, rule)
    yield {"rule": rule, "equal": np.array_equal(answer[:, :, s:-s, s:-s], larger[:, :, s:-s, s:-s])}
