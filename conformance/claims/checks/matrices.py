"""Matrices: an operator applied to every unit impulse, column by column."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from conformance.adapters.operators.base import Convolution
from conformance.claims.checks.base import Bench, Numbers, Question, Trial, check, plane, square, sweep, whole
from conformance.layout import Array
from conformance.problem import Problem

Rows = Sequence[Sequence[int]]


def impulses(shape: Sequence[int]) -> list[Array]:
    """Every array (1, *shape) that is one at a single place, in row-major order."""
    count = int(np.prod(shape))
    return list(np.eye(count, dtype=np.float32).reshape(count, 1, *shape))


def convolution_matrix(
    bench: Bench, shape: Sequence[int], weight: Array, stride: int = 1, padding: int = 0, dilation: int = 1
) -> Array:
    """The framework's convolution of x (c, h, w) as a matrix: an output a row, an input a column."""
    options = (stride, stride), (padding, padding), (dilation, dilation)
    answers = bench.convolved([Convolution(x, weight, *options) for x in impulses(shape)])
    return np.stack([answer.ravel() for answer in answers], 1)


def transposed_matrix(bench: Bench, problem: Problem, weight: Array) -> Array:
    """The framework's transposed convolution as a matrix: an output a row, an input a column."""
    answers = bench.transposed([Question(problem, x, weight) for x in impulses(problem.input_shape[1:])])
    return np.stack([answer.ravel() for answer in answers], 1)


def _counts(matrix: Array, axis: int) -> dict[str, int]:
    counts = np.count_nonzero(matrix, axis=axis)
    return {"least": int(counts.min()), "most": int(counts.max())}


@check("rows", "columns", "least", "most", "same", "product")
def convolution_rows(
    bench: Bench,
    *,
    i: int,
    kernels: Sequence[Rows],
    s: int = 1,
    p: int = 0,
    matrix: Rows = (),
    x: Rows = (),
    y: Rows = (),
) -> Iterator[Trial]:
    """least and most: nonzeros in a row of a convolution's matrix; same: whether it is `matrix`; product: whether it
    takes x to y, which the framework's convolution does too.
    """  # fmt: skip
    for kernel in kernels:
        built = convolution_matrix(bench, (1, i, i), plane(kernel), s, p)
        product = True
        if len(x):
            (direct,) = bench.convolved([Convolution(plane(x), plane(kernel), (s, s), (p, p))])
            flat = built @ np.ravel(whole(x))
            product = np.array_equal(flat, np.ravel(y)) and np.array_equal(direct[0, 0], y)
        same = np.array_equal(built, matrix) if len(matrix) else True
        facts = {"rows": built.shape[0], "columns": built.shape[1]}
        yield {**facts, **_counts(built, 1), "same": same, "product": product}


@check("i", "k", "s", "p", "rows", "columns", "least", "most", "first", "transposes", "pattern", "product", "zeros")
def transposed_columns(
    bench: Bench, *, i: Numbers, k: Numbers = 3, s: Numbers = 1, p: Numbers = 0, kernel: Rows = (), x: Rows = (),
    y: Rows = (), where: str = "",
) -> Iterator[Trial]:  # fmt: skip
    """least and most: how many outputs an input reaches; first: those of the first; transposes: whether the matrix is
    the transpose of the convolution's with the same weights; pattern: whether it has nonzeros where that of other
    weights has; product: whether it takes x to y; zeros: how many of the kernel's entries are zero.
    """
    for named in sweep(where, i=i, k=k, s=s, p=p):
        k_ = named["k"]
        weight = plane(kernel or np.arange(1, k_ * k_ + 1).reshape(k_, k_))
        problem = square(*named.values())
        if bench.faulty(problem):
            continue
        matrix = transposed_matrix(bench, problem, weight)
        other = transposed_matrix(bench, problem, weight[:, :, ::-1, ::-1] + (weight[:, :, ::-1, ::-1] != 0))
        forward = convolution_matrix(bench, (1, *problem.output), weight, named["s"], named["p"])
        product = True
        if len(x):
            (direct,) = bench.transposed([Question(problem, plane(x), weight)])
            flat = matrix @ np.ravel(whole(x))
            product = np.array_equal(flat, np.ravel(y)) and np.array_equal(direct[0, 0], y)
        yield {
            **named, "rows": matrix.shape[0], "columns": matrix.shape[1], **_counts(matrix, 0),
            "first": int(np.count_nonzero(matrix[:, 0])), "transposes": np.array_equal(matrix, forward.T),
            "pattern": np.array_equal(matrix != 0, other != 0) and not np.array_equal(matrix, other),
            "product": product, "zeros": int(np.sum(weight == 0)),
        }  # fmt: skip


@check("rows", "columns", "identity", "sized", "valued", "same")
def restoration(bench: Bench, *, rows: Sequence[dict[str, Any]]) -> Iterator[Trial]:
    """A convolution, then its transpose: sized, whether the shape comes back; valued, whether the values do; identity,
    whether C^T C is the identity; same, whether what comes back is `y`.
    """  # fmt: skip
    for row in rows:
        x, weight, stride = plane(row["x"]), np.array(row["weight"], np.float32), row.get("stride", 1)
        matrix = convolution_matrix(bench, x.shape[1:], weight, stride)
        (forward,) = bench.convolved([Convolution(x, weight, (stride, stride))])
        problem = Problem.of(forward.shape[2:], weight.shape[2:], stride, in_channels=weight.shape[0])
        (back,) = bench.transposed([Question(problem, forward, weight)])
        through = (matrix.T @ matrix @ x.ravel()).reshape(x.shape)
        yield {
            "rows": matrix.shape[0], "columns": matrix.shape[1], "sized": back.shape == x.shape,
            "identity": np.array_equal(matrix.T @ matrix, np.eye(x.size)), "valued": np.array_equal(back, x),
            "same": np.array_equal(back, through) and ("y" not in row or np.array_equal(back[0, 0], row["y"])),
        }  # fmt: skip


@check("row", "column", "right", "wrong")
def printed_matrix(bench: Bench, *, i: int, k: int, labels: Sequence[str]) -> Iterator[Trial]:
    """right: whether an entry of a printed matrix names the tap, "rc" or ".", that the framework has there; wrong: how
    many of all do not.
    """  # fmt: skip
    taps = [[10 * row + column for column in range(1, k + 1)] for row in range(1, k + 1)]
    matrix = convolution_matrix(bench, (1, i, i), plane(taps))
    names = {0: ".", **{value: f"{value // 10 - 1}{value % 10 - 1}" for line in taps for value in line}}
    right = [[label == names[int(value)] for label, value in zip(*line, strict=True)]
             for line in zip(map(str.split, labels), matrix, strict=True)]  # fmt: skip
    wrong = sum(not agrees for line in right for agrees in line)
    for row, line in enumerate(right):
        for column, equal in enumerate(line):
            yield {"row": row, "column": column, "right": equal, "wrong": wrong}


@check("same", "corner", "flipped", "reaches", "apart")
def patch(bench: Bench, *, x: Rows, kernel: Rows) -> Iterator[Trial]:
    """same: whether the first output is the sum of products of the first patch and the kernel as stored; flipped: with
    the kernel reversed; reaches: whether the first input is in the first output; apart: and not in the last.
    """  # fmt: skip
    data, taps = whole(x), whole(kernel)
    (y,) = bench.convolved([Convolution(plane(x), plane(kernel))])
    first = data[: taps.shape[0], : taps.shape[1]]
    matrix = convolution_matrix(bench, (1, *data.shape), np.ones_like(plane(kernel)))
    yield {
        "same": y[0, 0, 0, 0] == np.sum(first * taps), "flipped": y[0, 0, 0, 0] == np.sum(first * taps[::-1, ::-1]),
        "corner": int(y[0, 0, 0, 0]), "reaches": bool(matrix[0, 0]), "apart": not matrix[-1, 0],
    }  # fmt: skip
