"""Expectations against records: exact ones are silent, and every way of not being exact has its name and its fix."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.analysis.exactness import Finding, Flaw, asked, check, propose
from conformance.cli import main
from conformance.cli.expect import without
from conformance.diagnosis.explain import Cause
from conformance.predicates.predicate import Predicate
from conformance.problem import Problem
from conformance.records.evidence import Floor
from conformance.records.record import Record, Run, Verdict
from conformance.records.record_file import write
from conformance.runner.selection import absent, nightly
from conformance.suites.expectation_files import ExpectationError
from conformance.suites.expectations import (
    Expectation,
    applying,
    by_chance,
    expected_of,
    fails,
    known,
    read_expectations,
    read_floors,
    unkept,
)
from tests.regression.test_comparison import HEADER, PLANTED, RECORDS, conforming, crashed, diverging, refused, run

ENTRY = """
[[expectation]]
id = "{id}"
when = '{when}'
verdict = "{verdict}"
{more}
reason = "because"
upstream = "none found"
since = 2026-11-22
"""
Files = Callable[..., tuple[Expectation, ...]]


def entry(when: str = PLANTED, verdict: str = "diverges", more: str = "", id: str = "planted") -> str:
    return ENTRY.format(when=when, verdict=verdict, more=more, id=id)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Writes MXNet's expectations and reads them."""
    monkeypatch.setenv("CONFORMANCE_CASES", str(tmp_path / "cases"))

    def wrote(*entries: str) -> tuple[Expectation, ...]:
        path = tmp_path / "cases" / "expectations" / "mxnet.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# what is known\n" + "".join(entries))
        return read_expectations("mxnet")

    return wrote


def faults(findings: list[Finding]) -> list[tuple[Flaw, str]]:
    return [(each.fault, each.subject) for each in findings]


def test_an_exact_expectation_is_silent(files: Files) -> None:
    assert check(files(entry()), [run(diverging)]) == []


def test_a_fix_is_stale(files: Files) -> None:
    (found,) = check(files(entry()), [run()])
    assert (found.fault, found.facts.endswith("another verdict: conforms"), found.witness in RECORDS) == (
        Flaw.STALE, True, True,
    )  # fmt: skip


def test_a_partial_fix_is_narrower_and_the_right_predicate_is_proposed(files: Files) -> None:
    partly = f"{PLANTED} and rank == 2"
    (found,) = check(files(entry()), [run(diverging, partly)])
    assert found.fault is Flaw.NARROWER
    assert found.where is not None
    assert found.where.exact
    same = Predicate.parse(found.where.predicate), Predicate.parse(partly)
    run_of = {"framework": "", "variant": "", "dtype": "", "direction": ""}
    problems = {record.problem for record in RECORDS}
    assert all(len({each(Problem.parse(text), **run_of) for each in same}) == 1 for text in problems)


def test_a_spread_is_wider_and_the_right_predicate_is_proposed(files: Files) -> None:
    (found,) = check(files(entry("rank == 2 and bias")), [run(diverging, "bias")])
    assert (found.fault, found.where and found.where.predicate) == (Flaw.WIDER, "bias")


def test_a_region_that_moved_is_narrower_and_wider(files: Files) -> None:
    found = check(files(entry("bias and rank > 1")), [run(diverging, "bias and rank < 3")])
    assert [each.fault for each in found] == [Flaw.NARROWER, Flaw.WIDER]
    assert {each.where and each.where.predicate for each in found} == {"rank <= 2 and bias"}


def test_another_verdict_in_the_region_is_not_excused(files: Files) -> None:
    found = check(files(entry()), [run(crashed)])
    assert faults(found) == [(Flaw.STALE, "planted"), (Flaw.UNKNOWN, "crashed killed by SIGSEGV")]
    assert found[1].where is not None
    assert found[1].where.predicate == PLANTED


def test_another_message_is_another_refusal(files: Files) -> None:
    told = files(entry(verdict="rejects", more='message = "no 3 dilations"'))
    assert check(told, [run(refused)]) == []
    other = check(told, [run(lambda each: refused(each, "Error: something else"))])
    assert faults(other) == [(Flaw.STALE, "planted"), (Flaw.UNKNOWN, "rejects Error: something else")]


def test_an_empty_region_an_overlap_and_an_expired_entry_are_errors(files: Files) -> None:
    told = files(
        entry(), entry("rank == 7", id="empty"), entry("all(dilation > 1) and all(stride > 1)", id="inside"),
        entry("rank == 9", more="expires = 2020-01-01", id="old"),
    )  # fmt: skip
    found = check(told, [run(diverging)], day=date(2026, 1, 1))
    assert faults(found) == [
        (Flaw.EXPIRED, "old"), (Flaw.EMPTY, "empty"), (Flaw.EMPTY, "old"), (Flaw.OVERLAP, "planted"),
    ]  # fmt: skip


def test_partly_needs_some_case_and_chance_needs_none(files: Files) -> None:
    some = run(diverging, f"{PLANTED} and bias")
    assert check(files(entry(more='partly = "a reason"')), [some]) == []
    assert faults(check(files(entry(more='partly = "a reason"')), [run()])) == [(Flaw.STALE, "planted")]
    assert check(files(entry(more='chance = "a reason"')), [some]) == []
    assert check(files(entry(more='chance = "a reason"')), [run()]) == []


def test_what_one_build_does_not_repeat_is_flaky_unless_it_says_chance(files: Files) -> None:
    found = check(files(entry()), [run(diverging)], [run()])
    assert faults(found) == [(Flaw.FLAKY, "planted")]
    assert check(files(entry(more='chance = "a reason"')), [run(diverging)], [run()]) == []


def test_an_entry_of_other_versions_is_not_asked_for(files: Files) -> None:
    told = files(entry(more='versions = ">=2"'))
    assert check(told, [run()]) == []
    assert faults(check(told, [run(diverging)])) == [(Flaw.UNKNOWN, "diverges value")]
    assert expected_of(run()) == ()
    assert len(files(entry(more='versions = ">=1.9,<2"'))) == len(expected_of(run())) == 1


def test_what_fails_a_run(files: Files) -> None:
    told = files(
        entry("bias", "rejects", 'message = "no 3"'), entry("rank == 3 and not bias", more='chance = "c"', id="b")
    )
    biased, plain_ = conforming(problem="i3 k2 bias"), conforming(problem="i3 k2")
    chance = conforming(problem="i3x1x1 k2x1x1")
    expectations = {
        refused(biased): False, biased: True, diverging(biased): True, refused(biased, "Error: other"): True,
        plain_: False, refused(plain_): True, diverging(plain_): True, crashed(plain_): True,
        chance: False, diverging(chance): False, refused(chance): True,
    }  # fmt: skip
    assert {record.to_json(): fails(record, told) for record in expectations} == {
        record.to_json(): answer for record, answer in expectations.items()
    }
    assert unkept(biased, told) is told[0]
    assert by_chance(chance, told)
    assert not by_chance(biased, told)


def test_an_idiom_is_of_its_own_entries_only(files: Files) -> None:
    told = files(entry("rank > 0"), entry("rank > 0", more='idiom = ["mx-gluon/*", "port/*"]', id="calls"))
    own, call, other = (diverging(conforming(idiom=name, claimed="conforms" if name else "")) for name in (
        "", "mx-gluon/padding", "mx-autograd/gradient"))  # fmt: skip
    assert [found and found.id for found in (known(each, told) for each in (own, call, other))] == [
        "planted", "calls", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ('versions = "new"', "give a range such as"),
        ("idiom = 3", "idiom is 3: give a text, or list of texts"),
        ("idiom = []", "idiom is"),
        ("idiom = [1]", "idiom is"),
        ('expires = "soon"', "give a date"),
        ('partly = " "', "partly is ' '"),
        ('partly = "a"\nchance = "b"', "partly and chance"),
        ('because = "x"', "keys differ by .'because'"),
    ],
)
def test_a_faulty_key_is_refused_by_name(files: Files, more: str, line: str) -> None:
    with pytest.raises(ExpectationError, match=line) as error:
        files(entry(more=more))
    assert "mxnet.toml#planted" in str(error.value)


def test_an_id_that_stands_twice_is_refused(files: Files) -> None:
    with pytest.raises(ExpectationError, match="planted stands there twice"):
        files(entry(), entry())


def test_an_expired_entry_excuses_nothing(files: Files) -> None:
    told = files(entry(more="expires = 2026-11-22"))
    assert applying(told, "1.9.1", date(2026, 11, 22), {}) == told
    assert applying(told, "1.9.1", date(2026, 11, 23), {}) == ()
    assert applying(told, "a build of mine", date(2026, 11, 22), {}) == told


REGIONS = st.sampled_from(["bias", "rank == 2", "any(stride > 2)", "groups > 1 and rank < 3", "all(kernel == 1)"])


@settings(max_examples=12)
@given(REGIONS, REGIONS)
def test_exactly_the_true_region_is_exact(stated: str, true: str) -> None:
    told = Expectation("x", Predicate.parse(stated), Verdict.DIVERGES, "r", "u", date(2026, 1, 1))
    assert (check([told], [run(diverging, true)]) == []) == (stated == true)


class TestPartOfANight:
    """What was not run was not asked."""

    ABSENT = ("mxnet-onednn core",)

    def held(self, told: tuple[Expectation, ...], made: Run) -> tuple[list[tuple[Flaw, str]], list[str]]:
        found, unasked = asked(check(told, [made]), told, absent=self.ABSENT)
        return faults(found), unasked

    def test_a_region_without_a_record_is_not_asked(self, files: Files) -> None:
        told = files(entry(), entry("rank == 9", id="empty"))
        assert self.held(told, run(diverging)) == ([], ["empty"])
        found, unasked = asked(check(told, [run(diverging)]), told, absent=())
        assert (faults(found), unasked) == ([(Flaw.EMPTY, "empty")], [])

    def test_an_exact_region_that_is_otherwise_is_stale(self, files: Files) -> None:
        assert self.held(files(entry()), run()) == ([(Flaw.STALE, "planted")], [])

    def test_some_case_of_a_region_may_be_in_another_suite(self, files: Files) -> None:
        assert self.held(files(entry(more='partly = "a reason"')), run()) == ([], ["planted"])

    def test_negative_cases_alone_say_nothing_of_a_region_that_is_not_theirs(self, files: Files) -> None:
        made = run(records=[conforming(problem="i3 k2", fault="odd"), conforming("two", problem="i4 k2", fault="even")])
        assert self.held(files(entry("rank == 1")), made) == ([], ["planted"])
        assert self.held(files(entry('fault == "odd"')), made) == ([(Flaw.STALE, "planted")], [])

    def test_what_is_known_to_nobody_is_told(self) -> None:
        assert self.held((), run(diverging)) == ([(Flaw.UNKNOWN, "diverges value")], [])


def test_a_night_lacks_what_is_narrowed_a_shard_or_of_another_lane() -> None:
    suites = nightly("mxnet")
    whole = [replace(HEADER, variant=variant, suite=suite) for variant in ("onednn", "native") for suite in suites]
    assert absent("mxnet", whole) == []
    assert absent("mxnet", [replace(whole[0], shard=(1, 2)), *whole[1:]]) == ["mxnet-onednn core"]
    assert absent("mxnet", [replace(whole[0], selection="-k grid"), *whole[1:]]) == ["mxnet-onednn core"]
    assert absent("mxnet", whole[: len(suites)]) == [f"mxnet-native {suite}" for suite in suites]


class TestCommand:
    @pytest.fixture
    def expect(
        self, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> Callable[..., tuple[int, str, str]]:
        files(entry())

        def ended(made: Run, *arguments: str) -> tuple[int, str, str]:
            file = tmp_path / "records" / "mxnet-native-core.jsonl"
            write(file, made)
            said = [str(file) if each == "RECORD" else each for each in arguments]
            options = [] if said[0] == "propose" else ["--records", str(file.parent)]
            monkeypatch.setattr(sys, "argv", ["conformance", "expect", *said, *options])
            with pytest.raises(SystemExit) as exit_:
                main()
            assert isinstance(exit_.value.code, int)
            return exit_.value.code, *capsys.readouterr()

        return ended

    def test_check_names_the_fault_and_fails(self, expect: Callable[..., tuple[int, str, str]]) -> None:
        assert expect(run(diverging), "check")[0] == 0
        status, out, _ = expect(run(), "check")
        assert status == 1
        assert "planted: stale: " in out
        status, _, err = expect(replace(run(diverging), complete=False), "check")
        assert status == 3
        assert "run it again" in err

    @pytest.mark.parametrize(
        ("machine", "why"),
        [({"onednn": "sse41"}, "onednn is sse41"), ({}, "onednn is not known")],
        ids=["other", "old"],
    )
    def test_check_names_what_it_cannot_judge_on_the_machine_of_the_runs(
        self, expect: Callable[..., tuple[int, str, str]], files: Files, machine: dict[str, str], why: str
    ) -> None:
        files(entry(more="machine = '\"avx2\" in onednn'"))
        made = run()
        status, out, err = expect(replace(made, header=replace(made.header, machine=machine)), "check")
        assert (status, err) == (0, "")
        assert [line for line in out.splitlines() if "planted" in line] == [
            f'  not judged here: planted: it is about machines where "avx2" in onednn, but {why}'
        ]
        there = replace(made, header=replace(made.header, machine={"onednn": "sse41 avx avx2"}))
        status, out, _ = expect(there, "check")
        assert status == 1
        assert "planted: stale: " in out
        assert "not judged here" not in out

    def test_check_names_a_lane_that_answers_nothing(
        self, expect: Callable[..., tuple[int, str, str]], files: Files
    ) -> None:
        files(entry("rank == 9"))
        silent = run(lambda each: replace(each, verdict=Verdict.UNSUPPORTED, actual="", expected=""), "rank > 0")
        status, out, _ = expect(silent, "check")
        assert status == 1
        assert "  mxnet-native core answers nothing: 0 of " in out

    def test_check_of_one_suite_counts_the_rest_as_not_asked(
        self, expect: Callable[..., tuple[int, str, str]], files: Files
    ) -> None:
        files(entry(), entry("rank == 9", id="elsewhere"))
        status, out, err = expect(run(diverging), "check")
        assert (status, err) == (0, "")
        assert "  not asked: elsewhere: there is no whole run of mxnet-onednn core, " in out

    def test_explain_says_why(self, expect: Callable[..., tuple[int, str, str]]) -> None:
        made = run(diverging)
        case = next(each.case for each in made.records if each.verdict is Verdict.DIVERGES)
        status, out, _ = expect(made, "explain", case)
        assert status == 0
        assert "known: planted, since 2026-11-22: because" in out
        assert "FAILS: planted says diverges" in expect(run(), "explain", case)[1]
        status, _, err = expect(made, "explain", "none")
        assert status == 2
        assert "no record of the case 'none'" in err

    def test_what_is_proposed_is_exact_once_a_person_completed_it(
        self, expect: Callable[..., tuple[int, str, str]], files: Files
    ) -> None:
        made = run(lambda each: refused(each, 'Error: "stride" \\ 3'), "rank == 3", run(diverging).records)
        files(entry("rank == 9"))
        status, out, _ = expect(made, "propose", "RECORD")
        assert status == 1
        with pytest.raises(ExpectationError, match="reason is ''"):
            files(out)
        told = files(out.replace('reason = ""', 'reason = "known"').replace('upstream = ""', 'upstream = "none found"'))
        assert len(told) == 2
        assert "core = {answered = " in out
        assert check(told, [made]) == []
        assert expect(made, "propose", "RECORD") == (
            0,
            "nothing fails that is not expected, and every floor is stated\n",
            "",
        )

    def test_a_floor_is_learned_and_a_run_below_it_fails(
        self, expect: Callable[..., tuple[int, str, str]], files: Files, tmp_path: Path
    ) -> None:
        files(entry())
        status, out, _ = expect(run(diverging), "check")
        assert (status, "no floor: mxnet-native core: " in out) == (0, True)
        status, out, _ = expect(run(diverging), "propose", "RECORD")
        count = len(RECORDS)
        assert (status, out) == (1, f"[floor.native]\ncore = {{answered = {count}, of = {count}}}\n\n")
        files(entry(), out)
        status, out, _ = expect(run(diverging), "check")
        assert (status, "floor" in out) == (0, False)
        unsaid = run(lambda each: replace(each, verdict=Verdict.UNSUPPORTED), "rank == 3", run(diverging).records)
        status, out, _ = expect(unsaid, "check")
        lost = sum(record.verdict is Verdict.UNSUPPORTED for record in unsaid.records)
        assert status == 1
        assert f"  mxnet-native core answers {count - lost} of {count} records, its floor is {count}\n" in out

    def test_prune_leaves_floors_alone(self, expect: Callable[..., tuple[int, str, str]], files: Files) -> None:
        files(entry(), "[floor.native]\ncore = {answered = 1, of = 2}\n")
        assert expect(run(), "prune")[0] == 0
        assert read_expectations("mxnet") == ()
        assert read_floors("mxnet") == {("native", "core"): Floor(1, 2)}

    def test_prune_takes_out_what_is_stale_and_nothing_else(
        self, expect: Callable[..., tuple[int, str, str]], files: Files, tmp_path: Path
    ) -> None:
        files(entry(), "\n# a comment\n", entry("rank == 2 and bias and all(dilation == 1)", "rejects", id="kept"))
        path = tmp_path / "cases" / "expectations" / "mxnet.toml"
        before = path.read_text()
        made = run(refused, "rank == 2 and bias and all(dilation == 1)")
        assert expect(replace(made, complete=False), "prune")[0] == 3
        assert path.read_text() == before
        status, out, _ = expect(made, "prune")
        assert status == 0
        assert "planted taken out" in out
        assert [each.id for each in read_expectations("mxnet")] == ["kept"]
        assert path.read_text().startswith("# what is known\n")
        assert expect(made, "prune")[1] == "nothing is stale\n"

    def test_without_keeps_all_other_bytes(self) -> None:
        text = f"# head\n{entry(id='a')}{entry(id='b')}"
        assert without(text, ["b"]) == f"# head\n{entry(id='a')}"
        assert without(text, []) == text


class TestDiagnosis:
    """What a divergence is said to be is held against what explains its array."""

    MORE = 'diagnosis = "reversed"'

    @staticmethod
    def reversed_(record: Record) -> tuple[Cause, ...]:
        return (Cause(("window moved",)), Cause(("taps reversed on axis 0",)))

    def test_the_same_explanation_is_silent(self, files: Files) -> None:
        assert check(files(entry(more=self.MORE)), [run(diverging)], explain=self.reversed_) == []

    def test_another_explanation_is_named(self, files: Files) -> None:
        def measured(record: Record) -> Record:
            return replace(diverging(record), deviation={"count": 1})

        (found,) = check(files(entry(more=self.MORE)), [run(measured)], explain=lambda _: (Cause(("bias ignored",)),))
        assert (found.fault, found.subject) == (Flaw.OTHERWISE, "planted")
        assert found.facts.endswith("is 'bias ignored', not 'reversed'")

    def test_no_evidence_is_no_finding(self, files: Files) -> None:
        assert check(files(entry(more=self.MORE)), [run(diverging)]) == []

    def test_only_a_divergence_has_one(self, files: Files) -> None:
        with pytest.raises(ExpectationError, match="planted: a diagnosis is of what diverges, verdict is rejects"):
            files(entry(verdict="rejects", more=self.MORE))

    def test_faults_of_two_kinds_are_two_proposals(self) -> None:
        def explain(record: Record) -> tuple[Cause, ...]:
            names = ("bias ignored",) if "bias" in record.problem else ("taps reversed", "window moved")
            return tuple(Cause((name,)) for name in names)

        made = propose([run(diverging)], (), explain)
        assert {str(each.cause) for each in made} == {"bias ignored", "taps reversed"}
        for each in made:
            assert {"bias" in record.problem for record in each.records} == {str(each.cause) == "bias ignored"}
