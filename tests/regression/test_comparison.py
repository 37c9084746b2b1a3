"""The guard: every kind of change is named where it was planted, with its region, and nothing else is reported."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings

from conformance.predicates.predicate import Predicate
from conformance.problem import Problem
from conformance.records.record import Header, Record, Run, Verdict
from conformance.regression.change import WORSE, Change, classify, plain
from conformance.regression.comparison import Comparison, GuardError, compare
from conformance.regression.side_by_side import Times
from conformance.report.changes import text_lines
from conformance.suites import cases
from tests.strategies import seeds

CASES = [*cases.read_suite("grid").cases[::25], *cases.read_suite("covering").cases[::5]]
HEADER = Header(
    "mxnet", "native", "core", ("float32", "float64"), ("forward",), "c" * 16, 2 * len(CASES), "o" * 16,
    environment={"mxnet": "1.9.1"}, started="2026-11-22T00:00:00+00:00",
)  # fmt: skip
PLANTED = "any(stride > 1 and dilation > 1)"
FEW = "rank == 2 and bias"

Make = Callable[[Record], Record]


def conforming(case: str = "one", problem: str = "i3 k2", dtype: str = "float32", **rest: object) -> Record:
    made = Record("mxnet", "native", case, dtype, "forward", problem, Verdict.CONFORMS, expected="e", actual="e")
    return replace(made, **rest)  # type: ignore[arg-type]  # fields by name


RECORDS = tuple(
    conforming(case.id, case.descriptor, dtype, seconds=1e-4) for case in CASES for dtype in ("float32", "float64")
)


def diverging(record: Record, actual: str = "a") -> Record:
    return replace(record, verdict=Verdict.DIVERGES, kind="value", message=f"1 of 3 differ: {actual}", actual=actual)


def refused(record: Record, message: str = "Error: no 3 dilations") -> Record:
    return replace(record, verdict=Verdict.REJECTS, kind="", message=message, actual="", expected="")


def crashed(record: Record) -> Record:
    return replace(record, verdict=Verdict.CRASHED, kind="", message="killed by SIGSEGV", actual="", expected="")


def slow(record: Record) -> Record:
    return replace(record, seconds=record.seconds * 10)


def quick(record: Record) -> Record:
    return replace(record, seconds=record.seconds / 10)


def same(record: Record) -> Record:
    return record


def run(make: Make = same, where: str = PLANTED, records: Sequence[Record] = RECORDS, **rest: object) -> Run:
    holds = Predicate.parse(where)
    made = [
        make(each)
        if holds(Problem.parse(each.problem), variant=each.variant, dtype=each.dtype, framework=each.framework)
        else each
        for each in records
    ]
    header = replace(HEADER, expected=len(made), **rest)  # type: ignore[arg-type]  # fields by name
    return Run(header, tuple(sorted(made, key=lambda each: each.key)), complete=True)


def changes(comparison: Comparison) -> list[Change]:
    return [group.change for group in comparison.groups]


STATES: dict[str, Make] = {
    "right": same, "refused": refused, "wrong": diverging, "dead": crashed,
    "wrong otherwise": lambda each: diverging(each, "b"), "refused otherwise": lambda each: refused(each, "Other: no"),
}  # fmt: skip
EXPECTED = {
    ("right", "refused"): Change.NEWLY_REFUSED, ("right", "wrong"): Change.BROKEN, ("right", "dead"): Change.CRASH,
    ("refused", "right"): Change.NEWLY_ACCEPTED, ("refused", "wrong"): Change.BROKEN,
    ("refused", "dead"): Change.CRASH, ("wrong", "right"): Change.FIXED, ("wrong", "refused"): Change.CONTAINED,
    ("wrong", "dead"): Change.CRASH, ("dead", "right"): Change.FIXED, ("dead", "refused"): Change.CONTAINED,
    ("dead", "wrong"): Change.CHANGED_VALUE, ("wrong", "wrong otherwise"): Change.CHANGED_VALUE,
    ("refused", "refused otherwise"): Change.CHANGED_MESSAGE,
}  # fmt: skip


@pytest.mark.parametrize(("ends", "change"), EXPECTED.items(), ids=lambda each: " to ".join(map(str, each)))
def test_a_planted_change_is_one_group_with_its_own_region(ends: tuple[str, str], change: Change) -> None:
    old, new = (run(STATES[end]) for end in ends)
    found = compare([old], [new])
    assert changes(found) == [change]
    (group,) = found.groups
    planted = [each for each in old.records if each not in RECORDS or each not in new.records]
    assert [each.record.key for each in group.differences] == [each.key for each in planted]
    if "right" in ends:
        assert (group.where.predicate, group.where.exact) == (PLANTED, True)
    assert group.worse is (change in WORSE)
    assert found.compared == len(RECORDS)
    assert not found.left_out
    assert Problem.parse(group.witness.record.problem).multiplies == min(
        Problem.parse(each.problem).multiplies for each in planted
    )


@pytest.mark.parametrize("state", STATES)
def test_a_run_against_itself_is_empty(state: str) -> None:
    made = run(STATES[state])
    assert compare([made], [made]).groups == ()


def test_a_fix_never_cancels_a_break() -> None:
    old = run(diverging, "rank == 1 and any(stride > 2)")
    new = run(diverging, "rank == 2 and any(kernel == 1)")
    found = compare([old], [new])
    assert changes(found) == [Change.BROKEN, Change.FIXED]
    assert found.groups[0].where.exact
    assert found.count(Change.BROKEN) == sum(each.fails for each in new.records)
    assert found.count(Change.FIXED) == sum(each.fails for each in old.records)


def test_a_fix_is_told_from_what_was_right_where_refusals_follow_no_predicate() -> None:
    """All else that was wrong is of another dtype, from which the dtype alone would tell what is fixed."""
    odd, where = {each.key for each in RECORDS[::7]}, Predicate.parse("any(kernel > 1 and dilation > 1)")

    def new(each: Record) -> Record:
        if each.key in odd:
            return refused(each)
        return diverging(each, "b") if each.dtype == "float64" else each

    def old(each: Record) -> Record:
        holds = where(Problem.parse(each.problem), variant=each.variant, dtype=each.dtype, framework=each.framework)
        made = new(each)
        return diverging(each) if made == each and holds else made

    (group,) = compare([run(old, "rank > 0")], [run(new, "rank > 0")]).groups
    assert group.change is Change.FIXED
    assert (group.where.predicate, group.where.exact) == (
        "dtype == 'float32' and any(kernel > 1 and dilation > 1)",
        True,
    )


def test_causes_that_differ_in_numbers_alone_are_one_where_one_build_is_wrong_and_several_where_both_are() -> None:
    def moved(record: Record) -> list[str]:
        return [f"window moved by {Problem.parse(record.problem).rank}"]

    wrong, otherwise = run(diverging), run(lambda each: diverging(each, "b"))

    def said(old: Run, new: Run) -> list[tuple[str, str]]:
        found = compare([old], [new], explain_old=moved, explain_new=moved, alike=lambda cause: cause[:-5])
        return sorted((group.before, group.after) for group in found.groups)

    assert said(wrong, run()) == [("diverges (value): window moved", "conforms")]
    assert len(said(wrong, otherwise)) > 1
    assert all(before == after != "diverges (value): window moved" for before, after in said(wrong, otherwise))


def test_where_no_predicate_tells_a_fix_from_all_others_it_is_told_from_what_was_wrong_before() -> None:
    odd = [each for number, each in enumerate(RECORDS) if number * 7 % 11 < 3]
    old = run(lambda each: diverging(each) if each in odd else each, "rank > 0")
    new = run(
        lambda each: each if Problem.parse(each.problem).bias else diverging(each) if each in odd else each, "rank > 0"
    )
    (group,) = compare([old], [new]).groups
    assert group.change is Change.FIXED
    assert (group.where.predicate, group.where.exact) == ("bias", True)


def test_two_breaks_with_other_messages_are_two_groups() -> None:
    refusing = run(refused, "rank == 3")
    both = run(lambda each: refused(each, "Other: no"), "bias and rank < 3", refusing.records)
    found = compare([run()], [both])
    assert changes(found) == [Change.NEWLY_REFUSED] * 2
    assert {group.where.predicate for group in found.groups} == {"rank > 2", "rank <= 2 and bias"}


def test_a_claim_that_is_refused_as_it_says_is_right() -> None:
    claimed = conforming(idiom="x/y", claimed="rejects")
    assert classify(replace(claimed, verdict=Verdict.ACCEPTS_INVALID), refused(claimed)) is Change.FIXED
    assert classify(refused(claimed), replace(claimed, verdict=Verdict.ACCEPTS_INVALID)) is Change.BROKEN


@pytest.mark.parametrize("ends", list(product(STATES, STATES)), ids=" to ".join)
def test_what_got_worse_is_better_the_other_way_where_one_end_is_right(ends: tuple[str, str]) -> None:
    old, new = (STATES[end](RECORDS[0]) for end in ends)
    there, back = classify(old, new), classify(new, old)
    assert (there is None) == (back is None) == (ends[0] == ends[1])
    if "right" in ends and there in WORSE:
        assert back in (Change.FIXED, Change.NEWLY_ACCEPTED)


class TestNoise:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("at 0x7f0012 in f", "at 0x7e99 in f"),
            ("[10:22:33] Check failed", "[09:01:07] Check failed"),
            ("/tmp/a/lib/x.py: no", "/home/b/c/lib/x.py: no"),
            ("src/operator/deconv-inl.h:123: Check", "src/operator/deconv-inl.h:99: Check"),
            ("Error in operator conv17_deconvolution0: no", "Error in operator conv4_deconvolution0: no"),
            ("layer conv2d_transpose_12: no", "layer conv2d_transpose_3: no"),
        ],
    )
    def test_what_means_nothing_in_another_run_is_no_change(self, one: str, other: str) -> None:
        assert plain(one) == plain(other)
        assert compare([run(lambda r: refused(r, one))], [run(lambda r: refused(r, other))]).groups == ()

    def test_the_function_that_a_process_died_in_is_no_answer(self) -> None:
        one, other = (replace(crashed(RECORDS[0]), message=f"killed by SIGABRT{at}") for at in (" in compile", ""))
        assert classify(one, other) is None
        assert classify(one, crashed(RECORDS[0])) is Change.CHANGED_MESSAGE

    @pytest.mark.parametrize(("one", "other"), [("stride 2", "stride 3"), ("no a", "no b"), ("", "x")])
    def test_what_means_something_is_a_change(self, one: str, other: str) -> None:
        assert plain(one) != plain(other)

    def test_seconds_of_single_runs_say_nothing(self) -> None:
        assert compare([run()], [run(slow)]).groups == ()

    def test_what_is_by_chance_is_left_out_and_counted(self) -> None:
        chance = Predicate.parse(PLANTED)
        found = compare(
            [run()], [run(diverging, "any(stride > 1)")], by_chance=lambda each: chance(Problem.parse(each.problem))
        )
        planted = sum(chance(Problem.parse(each.problem)) for each in RECORDS)
        assert found.left_out == {"are known to be right or wrong by chance": planted}
        assert found.compared == len(RECORDS) - planted
        assert all(not chance(Problem.parse(each.record.problem)) for g in found.groups for each in g.differences)


class TestRepeats:
    def jittered(self, seed: int, make: Make = same) -> list[Run]:
        """Three runs of a build whose times vary by a tenth."""
        factors = [1 + (seed * 7 + n * 3) % 11 / 100 for n in range(3)]
        made = run(make, FEW)
        return [
            replace(made, records=tuple(replace(each, seconds=each.seconds * factor) for each in made.records))
            for factor in factors
        ]

    def test_slower_and_faster_are_seen_with_their_region(self) -> None:
        found = compare(self.jittered(1), self.jittered(2, slow))
        assert changes(found) == [Change.SLOWER]
        assert found.groups[0].where.predicate == FEW
        assert changes(compare(self.jittered(1), self.jittered(2, quick))) == [Change.FASTER]

    def test_what_one_build_varies_by_is_no_change(self) -> None:
        assert compare(self.jittered(1), self.jittered(5)).groups == ()

    def test_a_machine_that_was_slower_throughout_is_no_change(self) -> None:
        everything = [replace(each, records=tuple(map(slow, each.records))) for each in self.jittered(3)]
        found = compare(self.jittered(1), everything)
        assert found.groups == ()
        assert found.pace is not None
        assert found.pace.drift == pytest.approx(10, rel=0.2)

    def test_what_was_timed_side_by_side_stands_above_the_times_of_records(self) -> None:
        key = RECORDS[0].key
        timed = {record.key: Times(0.002, 0.002) for record in RECORDS} | {key: Times(0.002, 0.003, 1.5)}
        found = compare(self.jittered(1), self.jittered(2, slow), timed=timed)
        assert changes(found) == [Change.SLOWER]
        (difference,) = found.groups[0].differences
        assert (difference.record.key, difference.note) == (key, "1.5 times")
        assert f"; {len(RECORDS):,} timed side by side" in next(text_lines(found))
        assert compare(self.jittered(1), self.jittered(2, slow), timed=timed | {key: Times(0.002, 0.002)}).groups == ()

    def test_an_answer_that_one_build_does_not_repeat_is_flaky(self) -> None:
        found = compare([run()], [run(), run(diverging)])
        assert changes(found) == [Change.FLAKY]
        assert found.groups[0].where.predicate == PLANTED
        assert Change.FLAKY in WORSE

    def test_what_was_flaky_before_is_no_change(self) -> None:
        twice = [run(), run(diverging)]
        assert compare(twice, twice).groups == ()
        assert compare(twice, twice[::-1]).groups == ()
        assert compare(twice, [run(diverging)]).groups == ()

    def test_a_flaky_case_that_gives_a_new_answer_is_a_change(self) -> None:
        assert changes(compare([run(), run(diverging)], [run(crashed)])) == [Change.CRASH]


class TestOneSided:
    def test_the_intersection_is_compared_and_the_rest_counted(self) -> None:
        found = compare([run(records=RECORDS[4:])], [run(diverging, "rank > 0", RECORDS[:-2], cases="d" * 16)])
        assert changes(found) == [Change.BROKEN, Change.OLD_ONLY, Change.NEW_ONLY]
        assert [len(group.differences) for group in found.groups] == [len(RECORDS) - 6, 2, 4]
        assert found.left_out == {"are in one run only": 6}

    def test_of_one_case_set_nothing_may_vanish_or_appear(self) -> None:
        found = compare([run(records=RECORDS[4:])], [run(records=RECORDS[:-2])])
        assert changes(found) == [Change.VANISHED, Change.APPEARED]
        assert [len(group.differences) for group in found.groups] == [2, 4]
        assert all(group.worse for group in found.groups)
        assert not found.left_out

    @pytest.mark.parametrize("other", [{"shard": (1, 2)}, {"selection": "-k grid"}, {"dtypes": ("float32",)}])
    def test_a_part_of_a_case_set_lacks_the_rest_of_it(self, other: dict[str, Any]) -> None:
        found = compare([run()], [run(records=RECORDS[4:], **other)])
        assert changes(found) == [Change.OLD_ONLY]

    def test_what_an_incomplete_run_lacks_did_not_vanish(self) -> None:
        found = compare([run()], [replace(run(records=RECORDS[4:]), complete=False)])
        assert changes(found) == [Change.OLD_ONLY]

    def test_nothing_in_common_is_refused(self) -> None:
        with pytest.raises(GuardError, match="no case is in both"):
            compare([run(records=RECORDS[:4])], [run(records=RECORDS[4:])])

    def test_an_id_that_asks_another_problem_is_a_case_that_vanished_and_one_that_appeared(self) -> None:
        other = replace(RECORDS[0], problem="i9 k9")
        found = compare([run()], [run(records=[diverging(other), *RECORDS[1:]])])
        assert changes(found) == [Change.VANISHED, Change.APPEARED]
        assert {group.witness.note for group in found.groups} == {"another problem has its id"}
        assert found.left_out == {}


@pytest.mark.parametrize("name", ["oracle", "suite"])
def test_runs_of_another_oracle_or_suite_are_refused(name: str) -> None:
    with pytest.raises(GuardError, match=f"different {name}s"):
        compare([run()], [replace(run(), header=replace(HEADER, **{name: "other"}))])  # type: ignore[arg-type]  # fields by name


def test_incomplete_runs_say_so() -> None:
    cut = replace(run(), complete=False)
    assert compare([run()], [cut]).incomplete.startswith("the new run has")
    assert compare([cut], [cut]).incomplete.count("run has") == 2
    assert not compare([run()], [run()]).incomplete


def test_diagnoses_before_and_after_make_groups() -> None:
    def explain(record: Record) -> tuple[str, ...]:
        return ("taps reversed",) if record.dtype == "float32" else ("dilation ignored", "taps reversed")

    found = compare([run()], [run(diverging)], explain_new=explain)
    assert [group.after for group in found.groups] == ["diverges (value): taps reversed"]  # what most may be
    assert found.groups[0].before == "conforms"
    again = compare([run(diverging)], [run(lambda each: diverging(each, "b"))], explain_old=explain)
    assert [(group.before, group.after) for group in again.groups] == [
        ("diverges (value): taps reversed", "diverges (value)")
    ]


@settings(max_examples=12)
@given(seeds)
def test_every_case_is_in_exactly_one_place(seed: int) -> None:
    makes = list(STATES.values())
    old, new = (
        run(records=[makes[(seed >> (at + shift)) % len(makes)](each) for at, each in enumerate(RECORDS[:20])])
        for shift in (0, 3)
    )
    found = compare([old], [new])
    changed = [each.record.key for group in found.groups for each in group.differences]
    assert len(changed) == len(set(changed))
    both = zip(old.records, new.records, strict=True)
    assert set(changed) == {b.key for a, b in both if classify(a, b) is not None}


class TestDrift:
    """An error that grows within its bounds."""

    @staticmethod
    def rounded(rho: float, actual: str = "a") -> Run:
        each = conforming("rounding-1d-01", "i3 k2", rounding={"terms": 9, "rho": rho, "share": rho / 9}, actual=actual)
        return Run(replace(HEADER, suite="rounding", expected=1), (each,), complete=True)

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [(3.0, 6.5, True), (3.0, 5.9, False), (0.0, 1.9, False), (0.1, 2.1, True), (6.0, 0.5, False)],
    )
    def test_it_is_told_by_a_factor_beyond_one_rounding(self, old: float, new: float, told: bool) -> None:
        assert changes(compare([self.rounded(old)], [self.rounded(new)])) == [Change.DRIFT] * told

    def test_the_factor_is_chosen(self) -> None:
        old, new = self.rounded(2.0), self.rounded(5.0)
        assert changes(compare([old], [new], drift=3)) == []
        (group,) = compare([old], [new]).groups
        assert group.worse
        assert group.witness.note == "rho 2, now 5"
        assert "      rho 2, now 5" in list(text_lines(compare([old], [new])))

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [("A", "S", Change.LESS_PRECISE), ("A", "B", Change.LESS_PRECISE), ("B", "S", Change.MORE_PRECISE)],
    )
    def test_another_class_of_accumulation_is_told_as_such(self, old: str, new: str, told: Change) -> None:
        def of(name: str) -> Run:
            run = self.rounded(3.0)
            record = replace(run.records[0], accumulation={"declared": "B", "measured": name})
            return replace(run, records=(record,))

        (group,) = compare([of(old)], [of(new)]).groups
        assert (group.change, group.worse) == (told, told is Change.LESS_PRECISE)
        assert group.witness.note == f"class {old}, now {new}"
        assert changes(compare([of(old)], [of(old)])) == []

    def test_narrower_operands_are_a_break_that_names_the_format(self) -> None:
        (old, *_), cause = self.rounded(1.0).records, "as if x had been rounded to the 11 bits of TF32 or float16"
        old = replace(old, accumulation={"declared": "A", "measured": "A"})
        new = replace(old, verdict=Verdict.DIVERGES, kind="precision", deviation={"cause": cause},
                      accumulation={"declared": "A", "measured": "C"})  # fmt: skip
        runs = [replace(self.rounded(1.0), records=(record,)) for record in (old, new)]
        (group,) = compare([runs[0]], [runs[1]]).groups
        assert (group.change, group.witness.note) == (Change.BROKEN, f"class A, now C, {cause}")

    def test_another_order_of_summation_is_no_change(self) -> None:
        assert changes(compare([self.rounded(2.0, "a")], [self.rounded(2.1, "b")])) == []
        assert changes(compare([self.rounded(2.0, "a"), self.rounded(2.0, "b")], [self.rounded(2.1, "c")])) == []


def test_builds_of_one_version_are_told_by_what_else_is_another() -> None:
    old, new = (replace(HEADER, framework="onnx", environment={"onnx": "1.23.2", "onnxruntime": engine})
                for engine in ("1.27.0", "1.31.1"))  # fmt: skip
    made = [replace(each, framework="onnx") for each in RECORDS]
    found = compare([Run(old, tuple(made), True)], [Run(new, tuple(made), True)])
    assert found.title.endswith("onnx-native 1.23.2, core (onnxruntime 1.27.0 -> 1.31.1)")
