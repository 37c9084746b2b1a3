"""Diagnosis: planted misreadings are named, smallest first, and nothing is explained that is not exactly so."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations, product
from math import trunc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray

from conformance import cli, oracle
from conformance.audit.mutants import FUNCTIONS, Mutant
from conformance.diagnosis import misreadings
from conformance.diagnosis.diagnose import diagnose, difference
from conformance.diagnosis.misreadings import Placing, Statement
from conformance.diagnosis.observation import DiagnosisError
from conformance.diagnosis.scatter import FURTHEST, Axis, Part, Rule, Shift, landing, shifted_landing, shifted_values
from conformance.numerics.formats import rounded
from conformance.numerics.operands import Arrays, DataError, draw
from conformance.problem import Problem, broken_rule
from conformance.records import record_file
from conformance.records.record import Header, Record, Run, Verdict
from conformance.suites import cases
from tests.strategies import problems

Array = NDArray[Any]
Plant = Callable[[Problem, Arrays], Array]
PLAIN = "i5x4 k3x2 s2x1 p1:2x1 d1x2 ic3 oc2 n2"
RICH = PLAIN + " g2 bias"
CUBE = "i4x4 k3x3 s2x3 p1x0 d2x1 g2 ic3 oc3 n3 bias"
SQUARE = "i4 k3 s2 p1 g2 ic2 oc2"
LATE = "i4x3 k2x3 s3x2 p1x0 op2x1 oc2 bias"  # its output padding holds taps
MOVED = ["in reverse order", "moved on by one", "moved back by one"]


def drawn(problem: Problem) -> Arrays:
    """Operands whose inputs, too, are rounded by 11 bits."""
    arrays = draw("planted", problem)
    return arrays._replace(x=arrays.x * 1037)


def found(descriptor: str, plant: Plant) -> list[tuple[str, ...]]:
    problem = Problem.parse(descriptor)
    arrays = drawn(problem)
    return [each.statements for each in diagnose(problem, arrays, plant(problem, arrays))]


def read_as(problem: Problem, arrays: Arrays, **fields: object) -> Array:
    return oracle.expected(replace(problem, **fields), *arrays)  # type: ignore[arg-type]  # fields by name


def reading(**fields: object) -> Plant:
    return lambda p, a: read_as(p, a, **fields)


def with_x(change: Callable[[Array], Array]) -> Plant:
    return lambda p, a: oracle.expected(p, change(a.x), a.weight, a.bias)


def with_weight(change: Callable[[Array], Array]) -> Plant:
    """`change` takes and gives (groups, in, out, *kernel)."""

    def plant(p: Problem, a: Arrays) -> Array:
        grouped = a.weight.reshape(p.groups, p.in_channels, p.out_channels, *p.kernel)
        return oracle.expected(p, a.x, np.reshape(change(grouped), a.weight.shape), a.bias)

    return plant


def with_bias(change: Callable[[Array], Array | None]) -> Plant:
    return lambda p, a: oracle.expected(p, a.x, a.weight, change(a.bias))  # type: ignore[arg-type]  # there is one


def without(index: tuple[Any, ...]) -> Callable[[Array], Array]:
    def change(array: Array) -> Array:
        array = array.copy()
        array[index] = 0
        return array

    return change


def reordered(axis: int, name: str) -> Callable[[Array], Array]:
    moves = {"in reverse order": lambda a: np.flip(a, axis), "moved on by one": lambda a: np.roll(a, 1, axis),
             "moved back by one": lambda a: np.roll(a, -1, axis)}  # fmt: skip
    return moves[name]


def overwritten(order: slice) -> Plant:
    """Stamps set down one after another, position by position and tap by tap, each over what is there."""

    def plant(p: Problem, a: Arrays) -> Array:
        y = np.zeros((p.batch, p.out_channels, *p.full), a.x.dtype)
        for i in list(np.ndindex(p.input))[order]:
            for k in np.ndindex(p.kernel):
                at = (..., *(i[axis] * p.stride[axis] + k[axis] * p.dilation[axis] for axis in range(p.rank)))
                y[at] = a.x[(..., *i)] @ a.weight[(..., *k)]
        cut: tuple[Any, ...] = (..., *(slice(lo, lo + out) for (lo, _), out in zip(p.window, p.output, strict=True)))
        kept: Array = y[cut]
        return kept

    return plant


def column_to_image(p: Problem, a: Arrays) -> Array:
    """MXNet's pack_col2patch, loop by loop as it stands there, for one channel and no padding."""
    (i, k, s, d), y = (p.input[0], p.kernel[0], p.stride[0], p.dilation[0]), np.zeros(p.full, a.x.dtype)
    reach = d * (k - 1) + 1
    for at in range(p.full[0]):
        position = at % d if at < reach else (at - reach + s) // s
        while position < min((at + s) // s, i):
            y[at] += a.x[0, 0, position] * a.weight[0, 0, (at - position * s) // d]
            position += d
    return y[None, None]


def ungrouped(p: Problem, a: Arrays) -> Array:
    one = replace(p, groups=1, in_channels=p.groups * p.in_channels)
    return oracle.expected(one, a.x, a.weight, a.bias[: p.out_channels])  # type: ignore[index]  # there is one


def interleaved(p: Problem, a: Arrays) -> Array:
    y = oracle.expected(p, *a)
    return y.reshape(p.batch, p.groups, p.out_channels, *p.output).swapaxes(1, 2).reshape(y.shape)


def dealt(x: Array) -> Array:
    return x[:, [0, 2, 4, 1, 3, 5]]


def early_bias(p: Problem, a: Arrays) -> Array:
    """The bias added to the stamp, which is then extended with zeros."""
    whole = read_as(p, a, pads=((0, 0),) * p.rank, output_padding=(0,) * p.rank)
    return np.pad(whole, [(0, 0), (0, 0), *((-lo, -hi) for lo, hi in p.window)])


def ended(value: Callable[[Arrays], Any], *counts: int) -> Plant:
    """The right array with something else at the ends of its axes."""

    def plant(p: Problem, a: Arrays) -> Array:
        y = oracle.expected(p, *a)
        for axis, count in enumerate(counts, start=2):
            np.moveaxis(y, axis, 0)[len(np.moveaxis(y, axis, 0)) - count :] = value(a)
        return y

    return plant


def bias_along(axis: int) -> Plant:
    def plant(p: Problem, a: Arrays) -> Array:
        return oracle.expected(p, a.x, a.weight, None) + np.reshape(a.bias, (-1, *[1] * (p.rank - 1 - axis)))  # type: ignore[arg-type]  # there is one

    return plant


PLANTED: list[tuple[str, str, Plant]] = [
    ("taps reversed on axis 0", RICH, with_weight(lambda w: np.flip(w, 3))),
    ("taps reversed on axis 1", RICH, with_weight(lambda w: np.flip(w, 4))),
    ("taps reversed on axes 0 and 1", RICH, with_weight(lambda w: np.flip(w, (3, 4)))),
    ("the first tap lost on axis 1", RICH, with_weight(without((..., 0)))),
    ("the last tap lost on axis 0", RICH, with_weight(without((..., -1, slice(None))))),
    ("kernel axes 0 and 1 swapped", CUBE, with_weight(lambda w: w.swapaxes(3, 4))),
    ("in and out channels of the weight swapped", SQUARE, with_weight(lambda w: w.swapaxes(1, 2))),
    ("in and out channels of the weight swapped", RICH, with_weight(lambda w: w.reshape(2, 2, 3, 3, 2).swapaxes(1, 2))),
    ("groups in reverse order", RICH, with_weight(lambda w: w[::-1])),
    ("the first group's weight for all", RICH, with_weight(lambda w: w[[0, 0]])),
    ("in channels of each group in reverse order", RICH, with_weight(lambda w: w[:, ::-1])),
    *((f"out channels {name}", CUBE, with_weight(reordered(2, name))) for name in MOVED),
    ("weight rounded to 11 bits (TF32, float16)", RICH, lambda p, a: rounding(p, a, 1, 11)),
    ("weight rounded to 8 bits (bfloat16)", RICH, lambda p, a: rounding(p, a, 1, 8)),
    ("input rounded to 11 bits (TF32, float16)", RICH, lambda p, a: rounding(p, a, 0, 11)),
    ("input rounded to 8 bits (bfloat16)", RICH, lambda p, a: rounding(p, a, 0, 8)),
    ("weight cut to 11 bits (TF32, float16)", RICH, lambda p, a: rounding(p, a, 1, 11, trunc)),
    ("weight cut to 8 bits (bfloat16)", RICH, lambda p, a: rounding(p, a, 1, 8, trunc)),
    ("input cut to 11 bits (TF32, float16)", RICH, lambda p, a: rounding(p, a, 0, 11, trunc)),
    ("input cut to 8 bits (bfloat16)", RICH, lambda p, a: rounding(p, a, 0, 8, trunc)),
    ("in channels dealt to groups in turn", RICH, with_x(dealt)),
    *((f"in channels {name}", RICH, with_x(reordered(1, name))) for name in MOVED),
    ("the first in channel lost", PLAIN, with_x(without((slice(None), 0)))),
    ("the last in channel lost", PLAIN, with_x(without((slice(None), -1)))),
    ("the first in channel of each group lost", RICH, with_x(without((slice(None), [0, 3])))),
    ("the last in channel of each group lost", RICH, with_x(without((slice(None), [2, 5])))),
    *((f"batch {name}", CUBE, with_x(reordered(0, name))) for name in MOVED),
    ("the first of the batch for all", CUBE, with_x(lambda x: x[[0, 0, 0]])),
    ("input reversed on axis 1", RICH, with_x(lambda x: np.flip(x, 3))),
    ("input reversed on axes 0 and 1", RICH, with_x(lambda x: np.flip(x, (2, 3)))),
    ("input axes 0 and 1 swapped", CUBE, with_x(lambda x: x.swapaxes(2, 3))),
    ("stride ignored", RICH, reading(stride=(1, 1))),
    ("stride applied twice", RICH, reading(stride=(4, 1))),
    ("stride in reverse order of axes", RICH, reading(stride=(1, 2))),
    ("stride of the first axis on all", RICH, reading(stride=(2, 2))),
    ("stride and dilation swapped", "i5 k3 s3 d2 oc2", reading(stride=(2,), dilation=(3,))),
    ("dilation ignored", RICH, reading(dilation=(1, 1))),
    ("dilation applied twice", RICH, reading(dilation=(1, 4))),
    ("dilation in reverse order of axes", RICH, reading(dilation=(2, 1))),
    ("dilation of the first axis on all", CUBE, reading(dilation=(2, 2))),
    ("dilation one too large", RICH, reading(dilation=(2, 3))),
    ("stamps met only at every dilation-th input position", "i5 k3 s2 d3", column_to_image),
    ("overlapping stamps overwrite instead of add, the last stays", PLAIN, overwritten(slice(None))),
    ("overlapping stamps overwrite instead of add, the first stays", PLAIN, overwritten(slice(None, None, -1))),
    ("bias ignored", RICH, with_bias(lambda bias: None)),
    ("bias added twice", RICH, with_bias(lambda bias: 2 * bias)),
    ("bias missing beyond the stamp", "i3x4 k2x3 s2 p-1:0x0:-2 oc2 bias", early_bias),
    *((f"bias {name}", RICH, with_bias(reordered(0, name))) for name in MOVED),
    ("bias of the first group for all", RICH, with_bias(lambda bias: bias[[0, 1, 0, 1]])),
    ("bias added along axis 1 for the channels", "i3x2 k2 s1x2 oc4 bias", bias_along(1)),
    ("bias added along axis 0 for the channels", "i3 k2 oc4 bias", bias_along(0)),
    ("groups ignored", RICH, ungrouped),
    ("out channels dealt to groups in turn", RICH, interleaved),
    ("output_padding filled with zeros", LATE, ended(lambda a: 0, 2, 1)),
    ("output_padding filled with zeros and bias", LATE, ended(lambda a: np.reshape(a.bias, (-1, 1)), 2, 1)),  # type: ignore[arg-type]  # there is one
    ("the last 3x0 positions filled with zeros", LATE, ended(lambda a: 0, 3, 0)),
    ("window (2, 1) x (1, 1) for (1, 2) x (1, 1)", RICH, reading(pads=((2, 1), (1, 1)))),
    ("window (0, 0) for (1, 1)", SQUARE, reading(pads=((0, 0),))),
    ("window (1, 1) for (1, 0)", "i3 k3 s2 p1 op1 oc2", reading(output_padding=(0,))),
]


def rounding(p: Problem, a: Arrays, operand: int, bits: int, whole: Callable[[float], int] = round) -> Array:
    """An operand of whole numbers rounded with integers alone, ties to even, or made whole in another way."""
    given = (a.x, a.weight)[operand]
    flat = [int(value) for value in given.ravel()]
    units = [2 ** max(abs(value).bit_length() - bits, 0) for value in flat]
    near = np.reshape([whole(value / unit) * unit for value, unit in zip(flat, units, strict=True)], given.shape)
    x, weight = (near, a.weight) if operand == 0 else (a.x, near)
    return oracle.expected(p, x, weight, a.bias)


@pytest.mark.parametrize(("text", "descriptor", "plant"), PLANTED, ids=[f"{text}: {on}" for text, on, _ in PLANTED])
def test_names_a_planted_misreading(text: str, descriptor: str, plant: Plant) -> None:
    assert (text,) in found(descriptor, plant)


def catalogue(problem: Problem) -> dict[str, tuple[str, Callable[[Any], Any], str]]:
    """Every statement about an operand of a problem, by text: the operand it is about, what it does, its family."""
    of: dict[str, Callable[[Problem], Iterator[Statement[Any]]]]
    of = {"weight": misreadings.of_weight, "x": misreadings.of_input, "placing": misreadings.of_placing,
          "bias": misreadings.of_bias}  # fmt: skip
    return {each.text: (name, each.change, each.family) for name, every in of.items() for each in every(problem)}


def test_every_statement_is_planted() -> None:
    def plain(texts: list[str]) -> set[str]:
        return {re.sub(r"(?<=axis )\d|(?<=axes )\d and \d", "N", text) for text in texts}

    texts = [text for descriptor in (RICH, CUBE, PLAIN, SQUARE) for text in catalogue(Problem.parse(descriptor))]
    assert plain(texts) - plain([text for text, *_ in PLANTED]) == set()


def met(i: int, k: int, s: int, d: int, rule: Rule) -> list[list[int]]:
    """The pairs that meet at each position of an axis, by loops."""
    reach, rows = d * (k - 1) + 1, []
    for at in range((i - 1) * s + reach):
        pairs = [h * k + t for h in range(i) for t in range(k) if h * s + t * d == at]
        if rule == "every dilation-th":
            start = at % d if at < reach else (at - reach + s) // s
            pairs = [h * k + (at - h * s) // d for h in range(start, min(at // s + 1, i), d)]
        if rule == "repeated":
            pairs = [h * k + t for h in range(i) for t in range(k) if h * s <= at - t * d < (h + 1) * s]
        rows.append({"first": pairs[:1], "last": pairs[-1:]}.get(rule, pairs))
    return rows


@pytest.mark.parametrize("rule", ["all", "first", "last", "every dilation-th", "repeated"])
def test_products_land_where_loops_say(rule: Rule) -> None:
    for i, k, s, d in product(range(1, 5), range(1, 5), range(1, 5), range(1, 5)):
        table = landing(i, k, s, d, rule)
        assert [[pair for pair in row if pair != i * k] for row in table.tolist()] == met(i, k, s, d, rule)


def test_what_a_position_gets_by_a_part_elsewhere_is_what_its_landing_says() -> None:
    axis = Axis(5, 3, 2, 2)
    line = np.append(np.arange(1.0, 16) ** 3, 0)
    steps = [by for by in range(-FURTHEST, FURTHEST + 1) if by]
    counts: dict[Part, int] = {"input elements": 5, "taps": 3}
    for of, count in counts.items():
        for at in range(axis.full):
            values = shifted_values(line, at, axis, of)
            for start, by in product(range(1, count), steps):
                table = shifted_landing(*axis, Shift(0, of, start, by))
                assert values[by, start] == line[table[at]].sum()


def test_a_stride_whose_square_no_memory_holds_is_searched_for_other_statements() -> None:
    reversed_taps = found("i2 k2 s65536 p65536:0", lambda p, a: oracle.expected(p, a.x, np.flip(a.weight, 2), None))
    assert ("taps reversed on axis 0",) in reversed_taps


def test_mxnets_own_answer_is_named() -> None:
    """What mx.nd.Deconvolution 1.9.1 gives in float64, where 1, 0, 12, 0, 20 is right."""
    arrays = Arrays(np.array([[[1, 10]]]), np.array([[[1, 2]]]), None)
    given = diagnose(Problem.parse("i2 k2 s2 d2"), arrays, np.array([[[1.0, 0, 2, 10, 20]]]))
    assert [each.statements for each in given] == [("stamps met only at every dilation-th input position",)]


def test_names_three_at_once() -> None:
    def plant(p: Problem, a: Arrays) -> Array:
        return oracle.expected(replace(p, pads=((2, 1), (1, 1))), a.x, np.flip(a.weight, (2, 3)), None)

    window = "window (2, 1) x (1, 1) for (1, 2) x (1, 1)"
    assert found(RICH, plant) == [("taps reversed on axes 0 and 1", "bias ignored", window)]


def as_said(problem: Problem, arrays: Arrays, texts: tuple[str, ...], window: Any) -> Array:
    """The array of statements about operands, from the oracle."""
    known = catalogue(problem)
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    operands: dict[str, Any] = {
        "x": arrays.x.reshape(problem.batch, g, ic, *problem.input).astype(np.float64),
        "weight": arrays.weight.reshape(g, ic, oc, *problem.kernel).astype(np.float64),
        "placing": Placing(problem.stride, problem.dilation),
        "bias": np.stack([arrays.bias, arrays.bias]) if arrays.bias is not None else None,
    }
    for name, change, _ in (known[text] for text in texts if text in known):
        operands[name] = change(operands[name])
    for order in (text.removeprefix(IN_ORDER).split() for text in texts if text.startswith(IN_ORDER)):
        x = operands["x"]
        operands["x"] = x.reshape(problem.batch, g * ic, *problem.input)[:, [*map(int, order)]].reshape(x.shape)
    placing, bias = operands["placing"], operands["bias"]
    read = replace(
        problem, stride=placing.stride, dilation=placing.dilation, pads=window, output_padding=(0,) * problem.rank
    )
    x, weight = operands["x"].reshape(arrays.x.shape), operands["weight"].reshape(arrays.weight.shape)
    return oracle.expected(read, x, weight, None if bias is None else bias[0])


IN_ORDER = "in channels in the order "
SPECIAL = ("stamps met", "overlapping", "beyond the stamp")  # what the oracle cannot be told


@pytest.mark.slow
@pytest.mark.parametrize("descriptor", [RICH, SQUARE, "i4x3 k2x3 s2x3 p1x2 op1 d2x1 ic2 bias", "i6 k4 s3 d2 n2 oc2"])
@pytest.mark.parametrize("size", [2, 3])
def test_names_statements_together(descriptor: str, size: int) -> None:
    problem = Problem.parse(descriptor)
    arrays = drawn(problem)
    known = {text: of for text, of in catalogue(problem).items() if not any(special in text for special in SPECIAL)}
    sets = [
        texts for texts in combinations(known, size) if len({known[text][::2] for text in texts}) == size
    ]  # no two of a family
    exact = 0
    for number in np.random.default_rng(size).choice(len(sets), 40, replace=False):
        plan = replace(problem, pads=tuple((lo, hi) for lo, hi in problem.window), output_padding=(0,) * problem.rank)
        window = plan.window
        try:
            actual = as_said(problem, arrays, sets[number], window)
        except ValueError:
            continue  # the window cuts more than a stamp with smaller strides has
        if 0 in actual.shape:
            continue
        given = diagnose(problem, arrays, actual)
        assert given, sets[number]
        assert all(len(each.statements) == len(given[0].statements) <= size for each in given)
        exact += set(sets[number]) in [set(each.statements) for each in given]
        for each in given:
            if not any(
                special in str(each) for special in (*SPECIAL, "positions", "output_padding", "dealt", "repeated")
            ):
                assert np.array_equal(as_said(problem, arrays, each.statements, each.window), actual), str(each)
    assert exact >= 25


def test_gives_every_explanation_that_the_data_allows() -> None:
    assert found("i1 k3 s2 ic2", reading()) == [()]
    one_tap = found("i3 k2 s4 oc2 p1", with_weight(lambda w: w * [0, 1]))
    assert ("the first tap lost on axis 0",) in one_tap
    assert found("i2x3 k2 ic2", with_weight(lambda w: np.flip(w, 3)))[0] == ("taps reversed on axis 0",)
    shortened = found("i5 k1 s3 p0:-2 oc2", reading(stride=(1,)))
    assert len(shortened) == len(set(shortened))


def test_data_that_cannot_tell_two_misreadings_apart_gives_both() -> None:
    arrays = Arrays(np.array([[[3]]]), np.array([[[7, 7]]]), None)
    given = diagnose(Problem.parse("i1 k2"), arrays, np.array([[[0, 21]]]))
    assert [each.statements for each in given] == [
        ("the first tap lost on axis 0",),
        ("window (-1, 1) for (0, 0)",),
    ]


@pytest.mark.parametrize("fault", [lambda y: y + 1, lambda y: y // 2, lambda y: y[:1] + 1])
@pytest.mark.parametrize("descriptor", ["i5 k3 s2 p1 ic2 oc3 n2", "i3x4 k2x3 s2 op1 g2 oc2 n2 bias", "i1 k1 n2"])
def test_leaves_unexplained_what_is_no_misreading(fault: Callable[[Array], Array], descriptor: str) -> None:
    assert found(descriptor, lambda p, a: fault(oracle.expected(p, *a))) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_leaves_unexplained_what_is_not_finite(value: float) -> None:
    def plant(p: Problem, a: Arrays) -> Array:
        y = oracle.expected(p, *a).astype(np.float64)
        y[0, 0, 0] = value
        return y

    assert found("i5 k3 s2", plant) == []


@pytest.mark.parametrize("shape", [(1, 1, 7, 1), (7,), (1, 2, 7), (2, 1, 7), (1, 1, 0)])
def test_leaves_unexplained_what_has_another_rank_batch_or_channels(shape: tuple[int, ...]) -> None:
    assert found("i5 k3", lambda p, a: np.ones(shape)) == []


@given(problems())
def test_the_right_answer_needs_no_statement(problem: Problem) -> None:
    try:
        arrays = draw("planted", problem)
    except DataError:
        return
    (first, *_) = diagnose(problem, arrays, oracle.expected(problem, *arrays))
    assert first.statements == ()


@given(problems(ranks=(1, 2)))
def test_every_diagnosis_really_gives_the_array(problem: Problem) -> None:
    moved = replace(problem, pads=tuple((lo + 1, hi - 1) for lo, hi in problem.window),
                    output_padding=(0,) * problem.rank)  # fmt: skip
    try:
        arrays = draw("planted", problem)
    except DataError:
        return
    actual = oracle.expected(moved, *arrays)
    given = diagnose(problem, arrays, actual)
    assert (
        given
        or not actual.any()
        or all(lo >= f or hi >= f for (lo, hi), f in zip(moved.window, moved.full, strict=True))
    ), given
    for each in given:
        if not any(special in str(each) for special in (*SPECIAL, "filled", "dealt", "nothing but", "put", "order")):
            assert np.array_equal(as_said(problem, arrays, each.statements, each.window), actual), str(each)


def test_says_how_far_a_window_moved() -> None:
    problem = Problem.parse("i4x3 k3 s2 p1 op0x1")
    arrays = drawn(problem)
    (given,) = diagnose(problem, arrays, read_as(problem, arrays, pads=((2, 0), (1, 1)), output_padding=(0, 1)))
    assert given.moves == ("window moved by (+1, -1) x (+0, +0)",)
    (right,) = diagnose(problem, arrays, oracle.expected(problem, *arrays))
    assert right.moves == ()


def test_operands_of_another_problem_are_refused() -> None:
    arrays = draw("planted", Problem.parse("i5 k3 ic2"))
    with pytest.raises(DiagnosisError, match=r"x is \(1, 2, 5\), 'i5 k3' takes \(1, 1, 5\)"):
        diagnose(Problem.parse("i5 k3"), arrays, np.zeros((1, 1, 7)))


def test_an_unexplained_array_comes_with_where_it_differs() -> None:
    problem = Problem.parse("i5 k3 ic2")
    arrays = draw("planted", problem)
    actual = oracle.expected(problem, *arrays)
    actual[0, 0, 3] += 1
    assert diagnose(problem, arrays, actual) == ()
    assert "1 of 7 values differ, first at (0, 0, 3)" in difference(problem, arrays, actual)


@pytest.mark.parametrize("bits", [2, 8, 11])
def test_rounds_to_a_significand_with_ties_to_even(bits: int) -> None:
    assert rounded(bits, np.array([0.0, 2.0**bits + 1, -(2.0**bits) - 3, 5 * 2.0**60])).tolist() == (
        [0.0, 2.0**bits, -(2.0**bits) - 4, 4 * 2.0**60 if bits == 2 else 5 * 2.0**60]
    )


NAMED = {
    "begins one late": "window", "begins one early": "window", "begins one late on the last axis only": "window",
    "total crop split in halves, floor first": "window", "total crop split in halves, ceil first": "window",
    "crop on the other side": "window", "begin pad used at both ends": "window|positions",
    "end pad used at both ends": "window|positions", "output_padding ignored": "window|output_padding filled",
    "output_padding at the begin": "window", "padding clamped at k - 1": "window",
    "SAME computed from the kernel and stride alone": "window",
    "pads of each axis read as all begins, then all ends": "window|positions",
    "pads in reverse order of axes": "window|positions",
    "ends one early, zeros in place of the last row": "the last .* filled with zeros|output_padding filled with zeros",
    "padding ignored": "window", "negative padding read as none": "window",
    "SAME computed from the input size": "window",
    "output_padding in reverse order of axes": "filled with zeros", "dilation one too few": "dilation ignored",
    "reversed on every axis but the first": "taps reversed",
    "output_padding filled with zeros instead of computed": "output_padding filled with zeros",
    "output_padding doubled, so that the answer is longer": "window",
    "reversed on every axis": "taps reversed", "reversed on the first axis": "taps reversed on axis 0",
    "reversed on the last axis": "taps reversed", "reversed on the last axis for even kernels only": "taps reversed",
    "first tap lost": "the first tap lost", "last tap lost": "the last tap lost",
    "last tap lost for kernels above 3": "the last tap lost", "dilation ignored": "dilation ignored",
    "dilation one too many": "dilation one too large", "dilation and stride swapped": "stride and dilation swapped",
    "dilation of the first axis on all": "dilation of the first axis on all|dilation ignored",
    "stride of the first axis on all": "stride of the first axis on all",
    "strides in reverse order of axes": "stride in reverse order of axes",
    "in and out channels read in the other order": "in and out channels of the weight swapped",
    "groups in reverse order": "groups in reverse order",
    "the first group's weight for all": "the first group's weight for all",
    "out channels in reverse order": "out channels in reverse order",
    "in channels of each group in reverse order": "in channels of each group in reverse order",
    "in channels dealt to groups in turn": "in channels dealt to groups in turn",
    "out channels dealt to groups in turn": "out channels dealt to groups in turn",
    "bias of the first group reused for all": "bias of the first group for all",
    "bias for the first group only": "bias for the first group only",
    "bias added twice": "bias added twice", "bias ignored": "bias ignored",
    "bias added before the window, so that it is missing beyond the stamp": "bias missing beyond the stamp",
    "the first of the batch for all": "the first of the batch for all",
    "batch in reverse order": "batch in reverse order",
    "sums kept in TF32": r"every value rounded to 11 bits \(TF32, float16\)",
    "inputs rounded to TF32": "weight rounded to 11 bits", "inputs rounded to bfloat16": "weight rounded to 8 bits",
    "last in channel lost where there are many": "the last in channel lost",
    "output_padding clamped at stride - 1": "filled with zeros",
    "dilations in reverse order of axes": "dilation in reverse order of axes|dilation of the first axis on all",
    "stamps written over each other, not added": "overlapping stamps overwrite",
    "in and out channels swapped where there are as many": "in and out channels of the weight swapped",
    "in channels beyond the last whole block of 4 lost": "the last in channel lost",
    "all but the first of the batch dropped": "items? .* of the batch holding .* as if never written",
    "out channels beyond the last whole block of 16 lost": "out channel 16 holding zeros, as if never written",
    "dilation above 2 read as 2": "taps from 1 on put 2 early|dilation",
}  # fmt: skip
"""What a diagnosis says of each mutant that is a statement."""
NO_STATEMENTS = {"sums kept in float16", "relative error of 2**-22, as Winograd's transform may have",
                 "uninitialised where no tap reaches", "NaN where no tap reaches", "answers in a wider type",
                 "right values, batch and channels in one axis", "dilation applied to the stride",
                 "dilation multiplied by the stride", "height and width of the kernel swapped",
                 "height and width of the input swapped", "one term in 64 lost in long sums",
                 "bias for the first of the batch only"}  # fmt: skip
WITNESSES = (
    RICH, CUBE, SQUARE, "i4x5 k3 s2x3 p1x0 op1x2 d1x2 ic2 oc2 bias", "i5 k4 s2 p3:1 op1 oc2",
    "i4 k3 s2 p-1:2 ic2 bias", "i5x4 k5x4 s2x1 p1:2x2:0 ic2", "i3x4 k2x3 s3x1 p0:1x2:1 op2x0 d2x1 g2 oc2",
    "i3x2 k3x5 s2 p1x2 ic20", "i5 k2 s3 p3 op2 d2 bias", "i1x3x2 k1x2x2 s2 op1 d3x1x2 n2", "i3 k1 s4 d2 ic2 g2",
    "i5 k2 s2 p4:0", "i5x3 k3 s1x2 op1x0 d2x1 ic2 oc2", "i4x2 k3x2 s2x1 p1 oc2", "i4 k2 s2 p2 op2 d4",
    "i3 k3 s2 ic5 oc17", "i2x2x3 k2x1x2 s2x1x1 p-1:0x0x0 d1x2x1 g2 oc2", "i3x4 k3 ic2", "i4 k3 ic100",
)  # fmt: skip


DIAGNOSED = [each for each in FUNCTIONS if each.family not in ("memory", "contract") or each.fault in NO_STATEMENTS]
"""Faults of memory are none of a single array. Flushing subnormal numbers never shows."""


@pytest.mark.parametrize("mutant", DIAGNOSED, ids=lambda mutant: mutant.fault)
def test_names_what_a_mutant_does(mutant: Mutant) -> None:
    texts = [
        " or ".join(map(str, diagnose(problem, arrays, actual))) for problem, arrays, actual in divergences(mutant)
    ]
    assert bool(texts) is not bool(mutant.equivalent), "no witness shows it: add one"
    if mutant.equivalent:
        return
    if mutant.fault in NO_STATEMENTS:
        assert any(not text for text in texts)
        return
    name = "window" if mutant.family == "boundary" else NAMED[mutant.fault]
    named = [text for text in texts if re.search(name, text)]
    assert len(named) > len(texts) / 2, texts


def divergences(mutant: Mutant) -> list[tuple[Problem, Arrays, Array]]:
    given = []
    for descriptor in WITNESSES:
        problem = Problem.parse(descriptor)
        assert broken_rule(problem) is None, descriptor
        arrays = draw("planted", problem)
        actual, expected = mutant.make()(problem, *arrays.astype("float64")), oracle.expected(problem, *arrays)
        if actual.dtype.kind == "c" or not np.array_equal(actual, expected):
            given.append((problem, arrays, actual))
    return given


def test_a_question_is_not_asked_of_a_complex_array() -> None:
    problem = Problem.parse("i5 k3")
    arrays = drawn(problem)
    assert diagnose(problem, arrays, oracle.expected(problem, *arrays).astype(np.complex128)) == ()


Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """`conformance diagnose` with some arguments: its exit status, and all that it prints."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["conformance", "diagnose", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        output = capsys.readouterr()
        return int(ended.value.code or 0), output.out + output.err

    return run


class TestCommand:
    @pytest.fixture
    def files(self, tmp_path: Path) -> dict[str, str]:
        problem = Problem.parse("i5 k3 s2 p1 ic2")
        arrays = draw("planted", problem)
        shifted = read_as(problem, arrays, pads=((0, 2),)).astype(np.float32)
        for name, array in {"x": arrays.x, "weight": arrays.weight, "actual": shifted}.items():
            np.save(tmp_path / f"{name}.npy", array)
        return {f"--{name}": str(tmp_path / f"{name}.npy") for name in ("x", "weight", "actual")}

    def test_explains_arrays_that_a_user_gives(self, files: dict[str, str], command: Command) -> None:
        options = [word for pair in files.items() for word in pair]
        status, output = command("i5 k3 s2 p1 ic2", *options)
        assert (status, output) == (0, "equals the oracle with window (0, 2) for (1, 1)\n")
        _, output = command("i5 k3 s2 p1 ic2", *options, "--json")
        text = "equals the oracle with window (0, 2) for (1, 1)"
        document = json.loads(output)
        assert document["verdict"] == "explained"
        assert document["call"] is document["difference"] is document["not_searched"] is None
        assert document["diagnoses"] == [{
            "text": text, "statements": ["window (0, 2) for (1, 1)"], "window": [[0, 2]], "exact": True,
            "beyond_stamp": [], "rounding": None,
        }]  # fmt: skip

    def test_says_where_an_unexplained_array_differs(
        self, files: dict[str, str], tmp_path: Path, command: Command
    ) -> None:
        actual = np.load(files["--actual"])
        np.save(tmp_path / "odd.npy", actual + 1)
        options = [word for pair in (files | {"--actual": str(tmp_path / "odd.npy")}).items() for word in pair]
        status, output = command("i5 k3 s2 p1 ic2", *options)
        assert status == 1
        assert re.match(r"unexplained: \d of 9 values differ, first at", output)

    @pytest.mark.parametrize(
        ("subject", "change", "message"),
        [
            ("i5 k3 s2 p1", {}, "x is (1, 2, 5)"),
            ("i5 k3 s2 p1 ic2 bias", {}, "'i5 k3 s2 p1 ic2 bias' takes --bias"),
            ("i5 k3 s2 p9 ic2", {}, "output extent"),
            ("i5 k3 s2 p1 ic2", {"--x": "absent.npy"}, "absent.npy: No such file or directory"),
            ("i5 k3 s2 p1 ic2", {"--x": "x.csv"}, "x.csv: is none of the files that are read, .npy, .npz, .pt"),
            ("i5 k3 s2 p1 ic2", {"--actual": "--weight"}, "actual is (2, 1, 3), 'i5 k3 s2 p1 ic2' gives (1, 1, and 1 "),
            ("absent.jsonl", {}, "'absent.jsonl' is a record file, which takes no --actual: leave it out"),
        ],
    )
    def test_a_mistake_is_one_line(
        self, files: dict[str, str], subject: str, change: dict[str, str], message: str, command: Command
    ) -> None:
        chosen = files | {name: files.get(path, path) for name, path in change.items()}
        status, output = command(subject, *(word for pair in chosen.items() for word in pair))
        assert status == 2
        assert message in output
        assert output.count("\n") == 1


class TestCalls:
    """A call's arrays in its own layout, with real numbers."""

    KERAS = "keras.layers.Conv1DTranspose(3, 4, strides=2, padding='same', activation='relu', use_bias=False)"

    @pytest.fixture
    def files(self, tmp_path: Path) -> dict[str, str]:
        problem = Problem.parse("i5 k4 s2 p1 ic2 oc3")
        random = np.random.default_rng(0)
        x, weight = (random.normal(size=shape).astype("f4") for shape in (problem.input_shape, problem.weight_shape))
        answers = {
            "right": oracle.expected(problem, x, weight, None),
            "late": read_as(problem, Arrays(x, weight, None), pads=((2, 0),)),
        }
        arrays: dict[str, Any] = {name: y.swapaxes(1, 2) for name, y in answers.items()}
        arrays |= {"activated": np.tanh(arrays["right"]), "clipped": np.maximum(arrays["right"], 0)}
        np.savez(tmp_path / "arrays.npz", x=x.swapaxes(1, 2), kernel=weight.transpose(2, 1, 0), **arrays)
        return {f"--{of}": f"{tmp_path / 'arrays.npz'}:{name}" for of, name in {"x": "x", "weight": "kernel"}.items()}

    def run(self, files: dict[str, str], command: Command, actual: str, *more: str) -> tuple[int, str]:
        path = files["--x"].rpartition(":")[0]
        options = [word for pair in files.items() for word in pair]
        return command("keras", self.KERAS, *options, "--actual", f"{path}:{actual}", *more)

    def test_an_array_from_after_an_activation_is_asked_for_from_before_it(
        self, files: dict[str, str], command: Command
    ) -> None:
        status, output = self.run(files, command, "activated")
        assert status == 1
        assert "(activation='relu'): give the array from before that" in output

    def test_an_array_from_after_a_relu_is_told_so(self, files: dict[str, str], command: Command) -> None:
        status, output = self.run(files, command, "clipped")
        assert (status, "negative values clipped to 0 (a ReLU)" in output) == (0, True)

    def test_a_right_answer_in_the_calls_layout_is_told_so(self, files: dict[str, str], command: Command) -> None:
        status, output = self.run(files, command, "right")
        assert status == 0
        first, aside, order, last = output.splitlines()
        assert first == "the call means 'i5 k4 s2 p1 ic2 oc3' (keras-layer/same)"
        assert "activation" in aside
        assert order == "  indices below are in the order n c k, and the call's data is in 'n k c'"
        assert last.startswith("equals the oracle within rounding (worst at (0, ")

    def test_a_misreading_in_the_calls_layout_is_told_for_programs(
        self, files: dict[str, str], command: Command
    ) -> None:
        status, output = self.run(files, command, "late", "--json")
        document = json.loads(output)
        assert status == 0
        assert document["verdict"] == "explained"
        assert document["call"]["idiom"] == "keras-layer"
        assert document["call"]["layout"] == {"data": "n k c", "weight": "k o (g i)"}
        (diagnosis,) = document["diagnoses"]
        assert diagnosis["statements"] == ["window (2, 0) for (1, 1)"]
        assert diagnosis["exact"] is False
        assert set(diagnosis["rounding"]) == {"kind", "at", "units", "most", "beyond", "example"}

    def test_arrays_of_another_call_are_refused_by_name(self, files: dict[str, str], command: Command) -> None:
        status, output = self.run(files | {"--weight": files["--x"]}, command, "right")
        assert (status, output.count("\n")) == (2, 1)
        assert "Conv1DTranspose" in output


class TestRecords:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        """A run of smoke that reverses the taps where there are groups and shifts the window in batches of two."""
        records, arrays = [], {}
        for case in cases.read_suite("smoke").cases:
            problem, operands = case.problem, draw(case.id, case.problem)
            actual = expected = oracle.expected(problem, *operands)
            if problem.groups > 1:
                actual = with_weight(lambda w: np.flip(w, -1))(problem, operands)
            elif problem.batch > 1 and min(problem.full) > 1:
                moved = tuple((lo + 1, hi - 1) for lo, hi in problem.window)
                actual = read_as(problem, operands, pads=moved, output_padding=(0,) * problem.rank)
            differs = not np.array_equal(actual, expected)
            verdict = Verdict.DIVERGES if differs else Verdict.CONFORMS
            records.append(Record("f", "v", case.id, "float64", "forward", case.descriptor, verdict, kind="value"))
            if differs:
                arrays[f"{case.id}/float64/forward/actual"] = actual.astype(np.float64)
        header = Header("f", "v", "smoke", ("float64",), ("forward",), "digest", len(records), "oracle")
        record_file.write(tmp_path / "f-v-smoke.jsonl", Run(header, tuple(records), complete=True))
        np.savez(tmp_path / "f-v-smoke.npz", **arrays)  # type: ignore[arg-type]  # arrays by name
        return tmp_path / "f-v-smoke.jsonl"

    def test_groups_divergences_and_says_where_each_happens(self, file: Path, command: Command) -> None:
        status, output = command(str(file), "--json")
        assert status == 0
        document = json.loads(output)
        assert sum(group["count"] for group in document["groups"]) == document["diverging"]
        assert any(group["diagnosis"].startswith("taps reversed") for group in document["groups"])
        (moved,) = (group for group in document["groups"] if group["diagnosis"] == "window moved")
        assert {"window moved by (+1, -1)", "window moved by (+1, -1) x (+1, -1)"} <= moved["forms"].keys()
        for group in document["groups"]:
            where = group["where"]
            assert where["of"] == group["count"]
            assert where["covered"] > 0.8 * group["count"]  # a fault that some windows hide has no exact predicate
            assert ("too few to say where" in where["sentence"]) is (group["count"] < 10)
            assert group["witness"]["reproduction"].startswith("conformance call f ")
        told = [group["where"] for group in document["groups"] if "too few" not in group["where"]["sentence"]]
        assert sum(where["wrong"] for where in told) < 20

    def test_prints_a_group_with_its_predicate_and_witness(self, file: Path, command: Command) -> None:
        status, output = command(str(file))
        assert status == 0
        first, *lines = output.splitlines()
        assert re.fullmatch(r"\d+ of \d+: equals the oracle with .*", first)
        assert any(re.fullmatch(r"        covers \d+ of \d+, and \d+ of the [\d,]+ conforming", line) for line in lines)
        assert any(line.startswith("    conformance call f ") for line in lines)

    def test_an_unexplained_group_fails(self, file: Path, command: Command) -> None:
        evidence = file.with_suffix(".npz")
        with np.load(evidence) as kept:
            arrays = dict(kept)
        name = next(iter(arrays))
        np.savez(evidence, **(arrays | {name: arrays[name] * 2 + 1}))
        status, output = command(str(file))
        assert status == 1
        assert re.search(r"^1 of \d+: unexplained$", output, re.MULTILINE)

    def test_records_without_their_arrays_are_one_line(self, file: Path, command: Command) -> None:
        file.with_suffix(".npz").unlink()
        status, output = command(str(file))
        assert status == 2
        assert "keep it beside the record file" in output

    def test_says_so_where_nothing_diverges(self, file: Path, command: Command) -> None:
        run = record_file.read(file)
        right = tuple(each for each in run.records if each.verdict is Verdict.CONFORMS)
        record_file.write(file, Run(replace(run.header, expected=len(right)), right, complete=True))
        assert command(str(file)) == (0, f"{file}: no record diverges\n")


def test_every_smoke_case_can_be_told_from_a_reversed_kernel() -> None:
    blind = []
    for case in cases.read_suite("smoke").cases:
        arrays = draw(case.id, case.problem)
        if max(case.problem.kernel) > 1:
            actual = oracle.expected(
                case.problem, arrays.x, np.flip(arrays.weight, tuple(range(2, arrays.weight.ndim))), arrays.bias
            )
            if not any("taps" in str(each) for each in diagnose(case.problem, arrays, actual)):
                blind.append(case.id)
    assert len(blind) < 6, blind  # windows that keep too little of the stamp to see it
