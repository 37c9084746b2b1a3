"""Causes in groups: one cause is one group, ties go with the rest of the run, and every count is of records."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance import oracle
from conformance.analysis import groups
from conformance.analysis.groups import by_cause, groups_of, others, witnessed
from conformance.cli.diagnose import text_lines
from conformance.diagnosis import explain
from conformance.diagnosis.explain import (
    SEARCHED,
    UNEXPLAINED,
    Cause,
    Explained,
    causes,
    expected_of_others,
    explain_run,
)
from conformance.diagnosis.misreadings import kind_of
from conformance.numerics.deviation import digest, fingerprint
from conformance.numerics.operands import draw
from conformance.predicates.comparisons import facts
from conformance.problem import Problem
from conformance.records.record import Record, Verdict
from conformance.records.record_file import parse

Array = NDArray[Any]
MOVED = "window moved by (+1, -1)"


def record(case: str, problem: str = "i5x4 k3 s2 p1 ic2 oc3 n2 bias", verdict: Verdict = Verdict.DIVERGES) -> Record:
    return Record("f", "v", case, "float64", "forward", problem, verdict, kind="value")


def explained(case: str, *causes: tuple[str, ...]) -> Explained:
    return Explained(record(case), tuple(map(Cause, causes)))


def in_groups(members: list[Explained], run: list[Explained] | None = None) -> list[tuple[str, list[str]]]:
    return [(str(cause), [member.record.case for member in those]) for cause, those in by_cause(members, run or ())]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (MOVED, "window moved"),
        ("window moved by (+0, +0) x (+1, -1) x (+0, +0)", "window moved"),
        ("taps reversed on axis 0", "taps reversed"),
        ("taps reversed on axes 0 and 1 and 2", "taps reversed"),
        ("kernel axes 0 and 2 swapped", "kernel axes swapped"),
        ("bias added along axis 1 for the channels", "bias added for the channels"),
        ("the last 2x3 positions filled with zeros", "the last \u2026 positions filled with zeros"),
        ("rows 2 to 4 on axis 1 never written, which hold zeros", "rows \u2026 never written, which hold zeros"),
        ("out channels in the order 3 1 0 2", "out channels in another order"),
        ("input elements from 3 on put 2 late on axis 0", "input elements from \u2026 on put \u2026 late"),
        ("the answer of the case grid-i5-k3", "another case's answer"),
        ("weight rounded to 11 bits (TF32, float16)", "weight rounded to 11 bits (TF32, float16)"),
        ("values saturated to int8", "values saturated to int8"),
    ],
)
def test_axes_and_numbers_leave_a_kind(text: str, kind: str) -> None:
    assert kind_of(text) == kind


def test_one_window_fault_on_every_axis_is_one_group() -> None:
    forms = [MOVED, *(f"window moved by {' x '.join(part)}" for part in (
        ("(+1, -1)", "(+0, +0)"), ("(+0, +0)", "(+1, -1)"), ("(+1, -1)", "(+1, -1)"),
        ("(+1, -1)", "(+0, +0)", "(+0, +0)"), ("(+0, +0)", "(+0, +0)", "(+2, -2)"),
    ))]  # fmt: skip
    members = [explained(f"case-{number}", (text,)) for number, text in enumerate(forms)]
    assert in_groups(members) == [("window moved", [f"case-{number}" for number in range(6)])]
    (group,) = groups_of(members, [], lambda _: np.zeros((2, 3, 9, 7)))
    assert group.forms == dict.fromkeys(forms, 1)


def test_a_complex_answer_without_imaginary_parts_is_right_but_for_its_dtype() -> None:
    one = replace(record("a", "i1 k2"), kind="dtype")
    problem = Problem.parse(one.problem)
    right = oracle.expected(problem, *draw(one.case, problem, one.dtype)).astype(complex)
    found = explain_run([one], [one], lambda _: right)
    (group,) = groups_of(found, [facts(one)], lambda _: right)
    assert str(group.cause) == "equals the oracle but for its dtype"
    assert group.arrays["actual"] == right.astype(str).tolist()


def test_a_cause_that_is_the_same_everywhere_keeps_its_numbers() -> None:
    assert in_groups([explained("a", (MOVED,)), explained("b", (MOVED,))]) == [(MOVED, ["a", "b"])]


def test_another_precision_is_another_cause() -> None:
    narrow, wide = "weight rounded to 8 bits (bfloat16)", "weight rounded to 11 bits (TF32, float16)"
    assert len(in_groups([explained("a", (narrow,)), explained("b", (wide,))])) == 2


def test_of_ties_the_one_that_explains_the_other_groups_of_the_run_comes_first() -> None:
    tie = explained("tie", ("a statement",), ("stride ignored",))
    run = [tie, *(explained(f"case-{number}", ("stride ignored",)) for number in range(3))]
    assert in_groups([tie]) == [("a statement", ["tie"])]
    assert in_groups([tie], run) == [("stride ignored", ["tie"])]


def test_of_ties_the_one_that_shares_a_statement_with_an_earlier_group_comes_first() -> None:
    tie = explained("tie", ("a statement", "bias ignored"), ("bias ignored", "stride ignored"))
    run = [*(explained(f"case-{number}", ("stride ignored",)) for number in range(3)), tie]
    assert in_groups(run)[1] == ("bias ignored and stride ignored", ["tie"])


def test_no_line_counts_more_records_than_the_group_has() -> None:
    """Four records with seven other causes each: their sum is no count of records."""
    also = [(f"statement {name}",) for name in "abcdefg"]
    members = [explained(f"case-{number}", ("stride ignored",), *also) for number in range(4)]
    members.append(explained("case-4", ("stride ignored",)))
    ((cause, those),) = by_cause(members)
    assert {len(keys) for keys in others(cause, those).values()} == {4}
    lines = list(text_lines(Path("f.jsonl"), 5, groups_of(members, [], lambda _: np.zeros((2, 3, 9, 7)))))
    assert lines[0] == "5 of 5: equals the oracle with stride ignored"
    assert "    in 4, the data fits 4 others as well" in lines


def test_the_witness_of_a_group_brings_its_own_window() -> None:
    small, large = record("small", "i2 k3"), record("large", "i9 k3")
    members = [
        Explained(one, (Cause((f"window moved by ({by:+d}, {-by:+d})",), window=((by, -by),)),))
        for one, by in ((large, 2), (small, 1))
    ]
    ((cause, those),) = by_cause(members)
    assert (str(cause), witnessed(cause, those).window) == ("window moved", ((1, -1),))


class TestCandidates:
    def test_several_statements_are_a_candidate_until_they_are_replicated(self) -> None:
        cause = Cause(("stride ignored", "bias ignored"))
        assert cause.candidate
        assert cause.sentence == "candidate: equals the oracle with stride ignored and bias ignored"
        assert not replace(cause, replicated=True).candidate
        assert not Cause(("stride ignored",)).candidate

    @pytest.fixture
    def given(self) -> tuple[Record, Array]:
        """An answer with reversed taps and no bias."""
        one = record("reversed")
        problem = Problem.parse(one.problem)
        x, weight, bias = draw(one.case, problem)
        assert bias is not None
        return one, oracle.expected(problem, x, np.flip(weight, (2, 3)), 0 * bias).astype("float64")

    def test_a_record_keeps_what_was_replicated(self, given: tuple[Record, Array]) -> None:
        one, array = given
        (cause,) = causes(one, lambda _: array)
        assert cause.candidate
        kept = parse(replace(one, replicated={str(cause): True}).to_json())
        (again,) = causes(kept, lambda _: array)
        assert (again, again.candidate) == (cause, False)

    def test_what_was_refuted_explains_nothing(self, given: tuple[Record, Array]) -> None:
        one, array = given
        (cause,) = causes(one, lambda _: array)
        assert causes(replace(one, replicated={str(cause): False}), lambda _: array) == (UNEXPLAINED,)

    def test_a_group_is_no_candidate_where_one_of_its_records_was_asked(self) -> None:
        two = Cause(("stride ignored", "bias ignored"))
        members = [Explained(record("a"), (two,)), Explained(record("b"), (replace(two, replicated=True),))]
        ((cause, _),) = by_cause(members)
        assert not cause.candidate


class TestAnotherAnswer:
    def run(self, problem: str, actual_of: Callable[[Array], Array]) -> tuple[list[Record], Array]:
        """Two cases of one problem, of which the second is answered with something made of the first's answer."""
        records, expected = [], {}
        for case in ("first", "second"):
            expected[case] = oracle.expected(Problem.parse(problem), *draw(case, Problem.parse(problem))).astype("f8")
            hashed = digest(expected[case])
            records.append(replace(record(case, problem, Verdict.CONFORMS), expected=hashed, actual=hashed))
        actual = actual_of(expected["first"])
        records[1] = replace(records[1], verdict=Verdict.DIVERGES, actual=fingerprint(actual))
        return records, actual

    def test_the_expected_array_of_another_case_is_named_first(self) -> None:
        records, actual = self.run("i5x4 k3 s2 ic2", lambda first: first)
        ((_, told),) = explain_run(records[1:], records, lambda _: actual)
        assert told == (Cause(("the answer of the case first",)),)

    def test_its_own_answer_in_another_dtype_is_no_other_answer(self) -> None:
        """What is expected in float64, and came where float32 was asked for, differs in its dtype alone."""
        (right, _), actual = self.run("i5x4 k3 s2 ic2", lambda first: first)
        single = replace(right, dtype="float32", expected="00", verdict=Verdict.DIVERGES, kind="dtype")
        ((_, told),) = explain_run([single], [right, single], lambda _: actual)
        assert told == (Cause(but_for="dtype"),)

    def test_an_array_that_is_a_little_unlike_it_is_not(self) -> None:
        def changed(first: Array) -> Array:
            return first + np.eye(1, first.size).reshape(first.shape)

        records, actual = self.run("i5x4 k3 s2 ic2", changed)
        ((_, told),) = explain_run(records[1:], records, lambda _: actual)
        assert told == (UNEXPLAINED,)

    def test_zeros_are_zeros_and_not_another_answer(self) -> None:
        records, actual = self.run("i5x4 k3 s2 ic2", lambda first: 0 * first)
        records[0] = replace(records[0], expected=fingerprint(actual))
        ((_, told),) = explain_run(records[1:], records, lambda _: actual)
        assert str(told[0]) == "nothing but zeros"

    def test_an_answer_that_two_cases_share_is_nobodys(self) -> None:
        shared = [replace(record(case), expected="00") for case in "ab"]
        assert expected_of_others(shared) == {}


def wrong_by_two() -> Iterator[tuple[Record, Array]]:
    """More records with reversed taps and no bias than are searched for several statements."""
    for number in range(SEARCHED + 4):
        one = record(f"case-{number}", f"i{3 + number}x4 k3 s2 p1 ic2 oc3 n2 bias")
        problem = Problem.parse(one.problem)
        x, weight, bias = draw(one.case, problem)
        assert bias is not None
        yield one, oracle.expected(problem, x, np.flip(weight, (2, 3)), 0 * bias).astype("float64")


def test_what_the_smallest_records_have_is_tried_on_the_others() -> None:
    arrays = {one.key: (one, array) for one, array in wrong_by_two()}
    records = [one for one, _ in arrays.values()]
    told = explain_run(records, records, lambda one: arrays[one.key][1])
    assert {str(cause) for member in told for cause in member.causes} == {
        "taps reversed on axes 0 and 1 and bias ignored"
    }


@pytest.mark.slow
def test_many_records_are_explained_on_all_cores_as_few_are_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {one.key: (one, array) for one, array in wrong_by_two()}
    records = [one for one, _ in arrays.values()]
    few = explain_run(records, records, lambda one: arrays[one.key][1])
    monkeypatch.setattr(explain, "MANY", 1)
    monkeypatch.setattr(explain, "AT_ONCE", 5)
    assert explain_run(records, records, lambda one: arrays[one.key][1]) == few


def test_a_group_of_few_records_says_nothing_about_where() -> None:
    conforming = [facts(record("b"))] * 40
    (group,) = groups_of([explained("a", ("stride ignored",))], conforming, lambda _: np.zeros((2, 3, 9, 7)))
    assert group.where.sentence == "in all 1 seen; too few to say where"


def test_what_groups_have_in_common_is_the_same_on_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    members = [
        Explained(record(f"{text[0]}{at}", f"i{at + 2}x4 k3 s2 p1 ic2 oc3 n2 bias"), (Cause((text,)),))
        for text in ("stride ignored", "bias ignored") for at in range(12)
    ]  # fmt: skip
    conforming = [facts(record(f"c{at}", f"i{at + 1}x4 k3 ic2")) for at in range(12)]
    here = groups_of(members, conforming, lambda _: np.zeros((2, 3, 9, 7)))
    assert [(len(group.records), group.where.is_of_enough) for group in here] == [(12, True), (12, True)]
    monkeypatch.setattr(groups, "MANY", 1)
    assert groups_of(members, conforming, lambda _: np.zeros((2, 3, 9, 7))) == here


def test_of_many_records_what_the_first_have_is_tried_on_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def reversed_taps() -> Iterator[tuple[Record, Array]]:
        for number in range(20):
            one = record(f"case-{number}", f"i{3 + number}x4 k3x2 s2 ic2 oc3")
            x, weight, _ = draw(one.case, Problem.parse(one.problem))
            wrong = np.flip(weight, (2, 3)) if number != 7 else np.flip(weight, 2)
            yield one, oracle.expected(Problem.parse(one.problem), x, wrong, None).astype("float64")

    arrays = {one.key: (one, array) for one, array in reversed_taps()}
    records = [one for one, _ in arrays.values()]
    each = explain_run(records, records, lambda one: arrays[one.key][1])
    asked: list[bool] = []
    plain = explain.causes

    def spied(*args: Any, **bounds: Any) -> tuple[Cause, ...]:
        asked.append(bounds["space"].kinds is None)
        return plain(*args, **bounds)

    monkeypatch.setattr(explain, "causes", spied)
    monkeypatch.setattr(explain, "MANY", 20)
    monkeypatch.setattr(explain, "ProcessPoolExecutor", Inline)
    assert explain_run(records, records, lambda one: arrays[one.key][1]) == each
    assert (asked.count(True), asked.count(False)) == (2, 18)


@pytest.mark.parametrize(("of_single", "searched"), [("taps reversed", 1), ("bias ignored", 2)])
def test_what_one_array_is_asked_in_two_dtypes_is_searched_once(
    monkeypatch: pytest.MonkeyPatch, of_single: str, searched: int
) -> None:
    double, single = record("a"), replace(record("a"), dtype="float32")
    problem = Problem.parse(double.problem)
    x, weight, bias = draw("a", problem)
    wrong = {
        "taps reversed": oracle.expected(problem, x, np.flip(weight, (2, 3)), bias),
        "bias ignored": oracle.expected(problem, x, weight, np.zeros(3, np.int64)),
    }
    arrays = {double.key: wrong["taps reversed"].astype("float64"), single.key: wrong[of_single].astype("float32")}
    alone = [causes(one, lambda one: arrays[one.key]) for one in (double, single)]
    asked: list[str] = []

    def spied(one: Record, *args: Any, **bounds: Any) -> tuple[Cause, ...]:
        asked.append(one.dtype)
        return causes(one, *args, **bounds)

    monkeypatch.setattr(explain, "causes", spied)
    told = explain_run([double, single], [double, single], lambda one: arrays[one.key])
    assert [member.causes for member in told] == alone
    assert len(asked) == searched


class Inline:
    """An executor that does the work when it is given."""

    def __enter__(self) -> "Inline":
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, work: Callable[..., Any], *args: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*args))
        return done
