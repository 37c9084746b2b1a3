"""Green or red, and why: each reason has its fact and its command, on the terminal, the page and in every feed."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest

from conformance.analysis.exactness import Finding, Flaw, check
from conformance.analysis.reasons import ReasonError, beside, of_expectations, of_floors, unexplained
from conformance.cli.report import command
from conformance.cli.run import told
from conformance.io.folders import cases_folder
from conformance.predicates.predicate import Predicate
from conformance.records.record import Run, Verdict
from conformance.records.record_file import write
from conformance.report import Outcome, Reason, Site, write_report
from conformance.report.outcome import NOUNS, SHOWN
from conformance.report.site import pages
from conformance.suites.expectations import Expectation
from tests.report.test_report import record, run, text

LANE = "torch-eager"
STALE = Reason("stale", "torch-far", "stale: all 3 cases of its region have another verdict: conforms",
               "conformance call torch x", "torch", LANE, record("case-1"))  # fmt: skip


def front(path: Path, *reasons: Reason, runs: tuple[Run, ...] = (run(),)) -> tuple[Outcome, str]:
    outcome = write_report(Site(runs, [LANE], reasons=reasons), path / "index.html")
    return outcome, (path / "index.html").read_text(encoding="utf-8")


def test_green_says_how_much_was_judged(tmp_path: Path) -> None:
    outcome, html = front(tmp_path)
    assert outcome.green
    assert list(outcome.lines()) == ["Green: 1 lane, 3 records, all as expected", "0 new, 0 known"]
    assert "Green: 1 lane, 3 records, all as expected" in text(html)
    assert "Red" not in text(html)


def test_a_stale_expectation_is_on_the_front_page_and_in_every_feed(tmp_path: Path) -> None:
    outcome, html = front(tmp_path, STALE)
    shown, site = text(html), tmp_path / "site"
    assert (
        shown.index("Red, 1 reason: 1 stale expectation")
        < shown.index("Lanes and suites")
        < shown.index("1 lane, 3 records")
    )
    assert f"torch-far : {STALE.facts} {STALE.command}" in shown
    assert 'href="site/case.html#case-1"' in html
    summary = json.loads((site / "summary.json").read_text())
    assert (summary["green"], summary["complete"]) == (False, True)
    assert [(each["kind"], each["subject"]) for each in summary["reasons"]] == [("stale", "torch-far")]
    assert summary["counts"] == "0 new, 0 known, 1 stale"
    assert "Stale: torch-far" in (site / "changes.atom").read_text()
    assert (site / "summary.md").read_text().splitlines()[2] == "**Red, 1 reason: 1 stale expectation.**"
    assert STALE.command in (site / "summary.md").read_text()
    assert not outcome.green


def test_a_badge_is_red_for_every_reason_of_its_lane_and_for_no_other() -> None:
    runs = (run(), run("jax-jit"))
    expired = Reason("expired", "jax-old", "it was to hold until 2026-01-01", "conformance expect check", "jax")
    made = dict(pages(Site(runs, [LANE, "jax-jit"], reasons=[STALE, expired])))
    assert "torch-eager: 1 stale<" in made["badges/torch-eager.svg"]
    assert "jax-jit: 1 expired<" in made["badges/jax-jit.svg"]
    assert "conformance: 1 stale, 1 expired<" in made["badges/all.svg"]
    made = dict(pages(Site(runs, [LANE, "jax-jit"], reasons=[STALE])))
    assert "jax-jit: all as expected<" in made["badges/jax-jit.svg"]


def test_a_lane_without_records_is_a_reason_with_the_command_that_runs_it(tmp_path: Path) -> None:
    outcome = write_report(Site([run(), run(suite="negative")], [LANE, "jax-jit"], ["jax"]), tmp_path / "index.html")
    assert outcome.incomplete
    assert list(outcome.lines())[:3] == [
        "Red, 1 reason:",
        "  jax-jit: it is expected, and has no record in any suite",
        "      tox run -e jax",
    ]
    outcome = write_report(Site([run(), run(suite="negative"), run("jax-jit")], [LANE, "jax-jit"]), tmp_path / "a.html")
    assert list(outcome.lines())[2] == "      conformance run jax --variant jit --suite negative"


def test_a_lane_that_answers_nothing_is_red_everywhere(tmp_path: Path) -> None:
    silent = run(
        "jax-jit", records=[record(f"case-{n}", Verdict.UNSUPPORTED, "jax-jit", message="no") for n in range(3)]
    )
    outcome, html = front(tmp_path, runs=(run(), silent))
    assert not outcome.incomplete
    assert "jax-jit, core : it answers nothing: 0 of 3 records, all of them are unsupported" in text(html)
    assert "jax-jit: 1 silent<" in (tmp_path / "site" / "badges" / "jax-jit.svg").read_text()
    assert "torch-eager: all as expected<" in (tmp_path / "site" / "badges" / "torch-eager.svg").read_text()
    assert not json.loads((tmp_path / "site" / "summary.json").read_text())["complete"]


def test_a_lane_that_answers_too_little_is_red_and_says_both_counts(tmp_path: Path) -> None:
    short = run("tensorflow-eigen", records=[
        record(f"case-{n}", Verdict.CONFORMS if n == 0 else Verdict.UNSUPPORTED, "tensorflow-eigen")
        for n in range(7800)
    ])  # fmt: skip
    outcome, html = front(tmp_path, *of_floors([short]), runs=(run(), short))
    said = "it answers 1 of 7,800 records, its floor is 84, since its suite's is 4,200 of 11,916"
    assert outcome.sentence == "Red, 1 reason: 1 run that answers too little"
    assert f"tensorflow-eigen, core : {said}" in text(html)
    assert f"  tensorflow-eigen, core: {said}" in list(outcome.lines())
    assert "      conformance run tensorflow --variant eigen --suite core" in list(outcome.lines())
    assert "tensorflow-eigen: 1 short<" in (tmp_path / "site" / "badges" / "tensorflow-eigen.svg").read_text()
    assert "torch-eager: all as expected<" in (tmp_path / "site" / "badges" / "torch-eager.svg").read_text()


def test_what_is_unsupported_is_never_called_as_expected_without_a_word(tmp_path: Path) -> None:
    some = run(records=[record("a", Verdict.CONFORMS), record("b", Verdict.UNSUPPORTED, message="no")])
    outcome, _ = front(tmp_path, runs=(some,))
    assert outcome.sentence == "Green: 1 lane, 2 records, all as expected, 1 of them unsupported"
    badge = (tmp_path / "site" / "badges" / "torch-eager.svg").read_text()
    assert "torch-eager: all as expected, 1 unsupported<" in badge


def test_many_reasons_are_a_screen_and_the_rest_is_counted(tmp_path: Path) -> None:
    outcome, html = front(tmp_path, *(replace(STALE, subject=f"torch-{n}") for n in range(40)))
    lines = list(outcome.lines())
    assert len(lines) == 2 * SHOWN + 3
    assert lines[-2:] == ["  and 30 more", "1 lane, 3 records: 0 new, 0 known, 40 stale"]
    assert "And 20 more" in text(html)


def test_a_terminal_obeys_nothing_in_a_reason(tmp_path: Path) -> None:
    outcome, _ = front(tmp_path, replace(STALE, subject="\x1b[31mtorch", facts="a\nb\x07", command="x \x1b]0;y"))
    assert not any(ord(char) < 32 for line in outcome.lines() for char in line)
    assert len(list(outcome.lines())) == 4


def test_every_fault_of_an_expectation_is_a_kind_of_reason() -> None:
    finding = {fault: Finding(fault, "torch-x", "facts") for fault in Flaw}
    kinds = [reason.kind for reason in of_expectations("torch", finding.values())]
    assert set(kinds) <= set(NOUNS)
    assert len(set(kinds)) == len(Flaw)


def test_a_finding_tells_its_lane_and_the_command_of_its_witness() -> None:
    far = Expectation("torch-far", Predicate.parse("rank == 1"), Verdict.DIVERGES, "r", "u", date(2026, 1, 1))
    (reason,) = of_expectations("torch", check([far], [run()]))
    assert (reason.kind, reason.subject, reason.framework, reason.lane) == ("stale", "torch-far", "torch", LANE)
    assert reason.command.startswith("conformance call torch ")


PROPERTIES = {
    "lane": LANE, "suite": "covering", "dtype": "float32", "counts": {"linear": {"holds": 2, "fails": 1}},
    "findings": [{"property": "linear", "outcome": "holds"}, {"property": "linear", "outcome": "fails", "known": None},
                 {"property": "linear", "outcome": "fails", "known": "torch-x"}],
}  # fmt: skip
SPECIALS = {"lane": LANE, "suite": "smoke", "departures": ["inf in the weight is lost"], "measured": [{}]}
CONFIRMED = {"lane": LANE, "suite": "core", "taken": 9, "others": [{"by_chance": True}, {"by_chance": False}]}
CRASHED = {
    "environment": "torch", "ended": "2030-01-01T00:00:00+00:00",
    "commands": [{"command": "conformance run torch", "status": 2, "said": "ImportError: no torch"},
                 {"command": "conformance audit confirm x", "status": 1, "said": ""},
                 {"command": "python -m pytest", "status": 1, "said": "1 failed"},
                 {"command": "conformance audit properties torch", "status": 0, "said": ""}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "document", "facts"),
    [
        ("properties", PROPERTIES, ["1 unexpected failure of the property linear on covering"]),
        ("properties", PROPERTIES | {"counts": {"linear": {"holds": 0}}, "findings": []},
         ["no property held on covering, so nothing was shown"]),
        ("properties", PROPERTIES | {"findings": []}, []),
        ("specials", SPECIALS, ["inf in the weight is lost"]),
        ("specials", SPECIALS | {"departures": [], "measured": []}, ["no special value was answered on smoke"]),
        ("specials", SPECIALS | {"departures": []}, []),
        ("modes", SPECIALS, ["inf in the weight is lost"]),
        ("modes", SPECIALS | {"departures": [], "measured": []}, ["no call in another mode was answered on smoke"]),
        ("confirmed", CONFIRMED, ["1 of 9 divergences in core are not confirmed by plain framework code"]),
        ("confirmed", CONFIRMED | {"others": []}, []),
        ("status", CRASHED, ["`conformance run torch` ended with exit status 2: ImportError: no torch",
                             "`python -m pytest` ended with exit status 1: 1 failed"]),
        ("status", CRASHED | {"commands": []}, ["its environment could not be installed, so nothing was run"]),
        ("status", CRASHED | {"ended": "2020-01-01T00:00:00+00:00"}, []),
    ],
)  # fmt: skip
def test_what_other_commands_left_is_told(
    tmp_path: Path, folder: str, document: Mapping[str, Any], facts: list[str]
) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "torch.json").write_text(json.dumps(document))
    found = list(beside(tmp_path / "records", [run()]))
    assert [each.facts for each in found] == facts
    assert all(each.kind in NOUNS and each.command and each.framework == "torch" for each in found)


def test_drawn_problems_that_nobody_predicted_are_a_reason_with_the_command_that_draws_them_again(
    tmp_path: Path,
) -> None:
    right, wrong = record("drawn-1"), record("drawn-2", verdict=Verdict.DIVERGES, kind="value")
    drawn = run(records=(right, wrong))
    header = replace(drawn.header, suite="borders", selection="--seed 7 --draws 2", expected=2)
    write(tmp_path / "borders" / "torch-eager.jsonl", replace(drawn, header=header))
    (reason,) = beside(tmp_path / "records", [])
    assert (reason.kind, reason.lane) == ("border", LANE)
    assert reason.facts == "1 of 2 drawn problems are not as predicted"
    assert reason.command == "conformance fuzz --borders torch --variant eager --seed 7 --draws 2"


def test_a_command_that_failed_is_told_where_nothing_else_explains_it(tmp_path: Path) -> None:
    (tmp_path / "status").mkdir()
    (tmp_path / "status" / "torch.json").write_text(json.dumps(CRASHED))
    green, red = (Site([run()], [LANE], reasons=those).outcome for those in ((), (STALE,)))
    (told,) = unexplained(tmp_path / "records", [run()], green)
    assert told.facts == "`conformance audit confirm x` ended with exit status 1"
    assert list(unexplained(tmp_path / "records", [run()], red)) == []


def test_an_environment_that_is_no_framework_s_is_no_lane_s_reason(tmp_path: Path) -> None:
    (tmp_path / "status").mkdir()
    (tmp_path / "status" / "lint.json").write_text(json.dumps(CRASHED))
    assert list(beside(tmp_path / "records", [run()])) == []


@pytest.mark.parametrize("folder", ["properties", "specials", "modes", "confirmed", "status"])
@pytest.mark.parametrize("content", ["", "[]", "{}", "3", '{"lane": "a", "suite": 3, "others": 4, "environment": 1}'])
def test_a_file_that_no_command_wrote_is_refused_by_name(tmp_path: Path, folder: str, content: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "torch.json").write_text(content)
    with pytest.raises(ReasonError, match=r"torch\.json: not as this version writes it"):
        list(beside(tmp_path / "records", []))


ENTRY = """
[[expectation]]
id = "torch-far"
when = "rank == 1"
verdict = "diverges"
reason = "because"
upstream = "none found"
since = 2026-11-22
"""


@pytest.mark.parametrize(
    ("made", "status", "said"),
    [
        ([run()], 1, ["Red, 1 reason:", f"  torch-far: {STALE.facts}"]),
        ([run(shard=(1, 2))], 1, ["Red, 1 reason:", f"  torch-far: {STALE.facts.partition(': conforms')[0]}"]),
        ([run(records=[record("a", problem="i3x3 k2")])], 0, ["Green: 1 lane, 1 record, all as expected"]),
        ([run(records=[record("a", Verdict.UNSUPPORTED, problem="i3x3 k2")])], 1,
         ["Red, 1 reason:", "  torch-eager, core: it answers nothing: 0 of 1 record, all of them are unsupported"]),
        ([], 0, []),
    ],
)  # fmt: skip
def test_a_lane_s_own_run_ends_with_what_it_alone_can_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    made: list[Run], status: int, said: list[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("CONFORMANCE_CASES", str(tmp_path))
    (tmp_path / "expectations").mkdir()
    (tmp_path / "expectations" / "torch.toml").write_text(ENTRY)
    assert told(made, tmp_path / "records") == status
    lines = capsys.readouterr().out.splitlines()[1:]
    assert all(line.startswith(start) for line, start in zip(lines, said, strict=False))
    assert len(lines) >= len(said)


@pytest.mark.parametrize(
    ("entry", "made", "status", "last"),
    [
        ("", run(), 0, "0 new, 0 known"),
        (ENTRY, run(), 1, "1 lane, 3 records: 0 new, 0 known, 1 stale"),
        ("", run(records=[record("a"), record("b", Verdict.ERRORED, message="Odd: b")]), 1,
         "1 lane, 2 records: 1 new, 0 known"),
        (ENTRY, run(complete=False), 3, "1 lane, 3 records: 0 new, 0 known, 1 incomplete, 1 stale"),
    ],
    ids=["green", "stale", "new", "incomplete"],
)  # fmt: skip
def test_the_command_ends_with_its_counts_and_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    entry: str, made: Run, status: int, last: str,
) -> None:  # fmt: skip
    copytree(cases_folder(), tmp_path / "cases", ignore=ignore_patterns("torch.toml"))
    monkeypatch.setenv("CONFORMANCE_CASES", str(tmp_path / "cases"))
    if entry:
        (tmp_path / "cases" / "expectations" / "torch.toml").write_text(entry)
    write(made.header.path(tmp_path / "records"), made)
    arguments = ["--records", str(tmp_path / "records"), "--to", str(tmp_path / "index.html"), "--lane", LANE]
    assert command.main(arguments, standalone_mode=False) == status
    assert capsys.readouterr().out.splitlines()[-1] == last
    assert (tmp_path / "index.html").exists()
