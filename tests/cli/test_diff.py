"""conformance diff: what it prints and writes, what it exits with, and what it refuses to compare."""

import html
import json
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conformance import oracle
from conformance.cli import main
from conformance.numerics import operands
from conformance.problem import Problem
from conformance.records.record import Record, Run
from conformance.records.record_file import write
from conformance.regression.change import WORSE, Change
from conformance.regression.comparison import Comparison, compare
from conformance.report import changes
from tests.regression.test_comparison import (
    HEADER,
    PLANTED,
    RECORDS,
    conforming,
    crashed,
    diverging,
    refused,
    run,
    slow,
)

HOSTILE = "<script>alert(1)</script> | `x` \x00 @someone ]]> \ud800"
PATH = "mxnet-native-core.jsonl"
Diff = Callable[..., tuple[int, str, str]]


@pytest.fixture
def diff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Diff:
    """Runs the command on runs, which are put into folders, or on paths."""
    monkeypatch.setenv("CONFORMANCE_CASES", str(tmp_path / "cases"))

    def put(name: str, each: Run | Path) -> Path:
        if isinstance(each, Path):
            return each
        write(tmp_path / name / PATH, each)
        return tmp_path / name

    def ended(old: Run | Path, new: Run | Path, *options: object) -> tuple[int, str, str]:
        arguments = ["conformance", "diff", put("old", old), put("new", new), *options]
        monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
        with pytest.raises(SystemExit) as exit_:
            main()
        status = exit_.value.code
        assert isinstance(status, int)
        return status, *capsys.readouterr()

    return ended


def test_a_regression_is_shown_with_its_region_and_a_command(diff: Diff) -> None:
    status, out, _ = diff(run(), run(refused))
    planted = sum(each.verdict != "conforms" for each in run(refused).records)
    assert status == 1
    assert f"{planted} newly-refused: conforms -> rejects: Error: no \u2026 dilations" in out
    assert f"where {PLANTED}\n" in out
    assert "conformance call mxnet " in out


def test_a_run_against_itself_is_empty(diff: Diff) -> None:
    status, out, err = diff(run(diverging), run(diverging))
    assert (status, err) == (0, "")
    counted = f"{len(RECORDS)} cases compared"
    assert out.splitlines() == [
        f"mxnet-native 1.9.1 -> mxnet-native 1.9.1, core: {counted}, nothing changed",
        f"1 run, {counted}: nothing changed",
    ]


def test_cases_that_vanished_and_came_are_told_and_fail(diff: Diff) -> None:
    unknown = [replace(each, case=f"unknown-{each.case}") for each in RECORDS[:30]]
    status, out, _ = diff(run(), run(records=[*RECORDS[30:], *unknown]))
    assert status == 1
    assert "30 vanished, 30 appeared" in out
    assert "nothing changed" not in out
    assert diff(run(), run(records=[*RECORDS[30:], *unknown]), "--fail-on", "crash")[0] == 0


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ([], 1),
        (["--fail-on", "crash"], 0),
        (["--fail-on", "newly-refused"], 1),
        (["--fail-on", "crash", "--fail-on", "newly-refused"], 1),
        (["--fail-on", "none"], 0),
    ],
)
def test_fail_on_chooses(diff: Diff, options: list[str], status: int) -> None:
    assert diff(run(), run(refused), *options)[0] == status
    assert diff(run(refused), run(), "--fail-on", "newly-accepted")[0] == 1
    assert diff(run(refused), run(), *options)[0] == 0


def test_every_format_has_every_group(diff: Diff, tmp_path: Path) -> None:
    new = run(crashed, "rank == 3", run(refused).records)
    files = {name: tmp_path / name for name in ("markdown", "junit", "html")}
    status, out, _ = diff(run(), new, "--json", *(part for n, p in files.items() for part in (f"--{n}", p)))
    (found,) = json.loads(out)["comparisons"]
    assert status == 1
    assert [group["change"] for group in found["groups"]] == ["crash", "newly-refused"]
    for group in found["groups"]:
        for path in files.values():
            shown = re.sub(r"\s+", " ", path.read_text().replace("&lt;", "<").replace("&gt;", ">"))
            assert group["change"] in shown
            assert group["where"]["predicate"] in shown
    suite = ET.parse(files["junit"]).getroot()[0]
    assert int(suite.attrib["failures"]) == sum(group["count"] for group in found["groups"])
    assert len(suite) == int(suite.attrib["tests"]) == 1 + int(suite.attrib["failures"])
    assert files["markdown"].read_text().startswith(f"# {suite.attrib['failures']} cases changed for the worse")


def test_a_page_beside_a_report_leads_to_its_cases_and_tells_other_words_last(diff: Diff, tmp_path: Path) -> None:
    old = run(refused)
    both = run(crashed, "rank == 3", run(lambda each: refused(each, "in other words")).records)
    pages = []
    for name in ("index.html", "site/written.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "upgrade").mkdir()
    for name in ("page.html", "upgrade/page.html"):
        diff(old, both, "--html", tmp_path / name)
        pages.append((tmp_path / name).read_text())
    assert '<a href="site/case.html#' in pages[0]
    assert '<a href="../site/case.html#' in pages[1]
    assert 'href="../site/../index.html"' in pages[1]
    assert pages[0].index('id="rank-0">What is worse') < pages[0].index("What is said in other words: ")
    assert '<script defer src="site/site.js"></script>' in pages[0]


def test_the_same_records_give_the_same_bytes(diff: Diff, tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        diff(run(), run(refused), "--html", tmp_path / name, "--junit", tmp_path / f"{name}.xml")
        written.append((tmp_path / name).read_bytes() + (tmp_path / f"{name}.xml").read_bytes())
    assert written[0] == written[1]


def test_hostile_text_stays_text(diff: Diff, tmp_path: Path) -> None:
    hostile = HOSTILE.replace("\ud800", "")  # no record file can hold that one
    new = run(lambda each: refused(each, hostile))
    files = {name: tmp_path / name for name in ("markdown", "junit", "html")}
    diff(run(), new, *(part for n, p in files.items() for part in (f"--{n}", p)))
    page = files["html"].read_text()
    assert page.count("<script") == 1  # ours, which its hash allows; no other one would run
    assert re.search(r"script-src 'sha256-[\w+/]{43}='; img-src data:\"", page)
    assert "\x00" not in page
    ET.parse(files["junit"])
    text = files["markdown"].read_text()
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert "@someone" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_diagnoses_come_from_the_arrays_beside_a_file(diff: Diff, tmp_path: Path) -> None:
    cases = {"a": "i4 k3 s2 d2", "b": "i3 k2 s3 d2 oc2"}
    right = [conforming(name, text) for name, text in cases.items()]
    arrays = {}
    for record in right:
        problem = Problem.parse(record.problem)
        x, weight, bias = operands.draw(record.case, problem)
        arrays["/".join((*record.key, "actual")) + ".npy"] = oracle.expected(problem, x, weight[..., ::-1], bias)
    (tmp_path / "new").mkdir()
    with (tmp_path / "new" / PATH).with_suffix(".npz").open("wb") as file:
        np.savez(file, **{name.removesuffix(".npy"): array for name, array in arrays.items()})  # type: ignore[arg-type]  # names are keys
    _, out, _ = diff(run(records=right), run(diverging, "rank > 0", right))
    assert "2 broken: conforms -> diverges (value): taps reversed" in out


def test_repeats_beside_a_file_tell_slow_from_noise(diff: Diff, tmp_path: Path) -> None:
    for side, make in (("old", lambda each: each), ("new", slow)):
        write(tmp_path / side / "repeats" / "2" / PATH, run(make, "rank == 3"))
    status, out, _ = diff(run(), run(slow, "rank == 3"))
    assert status == 1
    assert re.search(r"\d+ slower: .*\n    (exactly|about) where rank > 2\n", out)


def test_flakiness_needs_no_expectation_to_be_seen(diff: Diff, tmp_path: Path) -> None:
    write(tmp_path / "new" / "repeats" / "2" / PATH, run(diverging))
    status, out, _ = diff(run(), run())
    assert status == 1
    assert " flaky: " in out


class TestWhatCannotBeCompared:
    def test_an_incomplete_run_never_passes(self, diff: Diff) -> None:
        for ends in ((run(), replace(run(), complete=False)), (replace(run(), complete=False), run())):
            status, out, _ = diff(*ends)
            assert status == 3
            assert "INCOMPLETE" in out

    def test_an_empty_run_never_passes(self, diff: Diff) -> None:
        assert diff(run(), run(records=[]))[0] in (2, 3)

    def test_a_lane_that_is_gone_never_passes(self, diff: Diff, tmp_path: Path) -> None:
        other = replace(HEADER, variant="onednn", expected=1)
        write(tmp_path / "old" / "mxnet-onednn-core.jsonl", Run(other, (conforming(variant="onednn"),), True))
        status, _, err = diff(run(), run())
        assert status == 3
        assert "mxnet-onednn core" in err

    @pytest.mark.parametrize(
        ("spoil", "line"),
        [
            (lambda text: text[: len(text) // 2], "is no footer"),
            (lambda text: "\n".join(text.splitlines()[:-1]), "is no footer"),
            (lambda text: '{"verdict": "ok"}\n', "no header of format"),
            (lambda text: "", "no header of format"),
            (lambda text: text.replace('"verdict":"conforms"', '"verdict":"fine"', 1), 'got "fine" at $.verdict'),
        ],
    )
    def test_a_truncated_or_foreign_file_is_one_line(
        self, diff: Diff, tmp_path: Path, spoil: Callable[[str], str], line: str
    ) -> None:
        write(tmp_path / PATH, run())
        (tmp_path / PATH).write_text(spoil((tmp_path / PATH).read_text()))
        status, out, err = diff(run(), tmp_path / PATH, "--html", tmp_path / "page.html")
        assert (status, out) == (2, "")
        assert line in err
        assert err.count("\n") == 1
        assert not (tmp_path / "page.html").exists()

    @pytest.mark.parametrize(
        ("new", "line"),
        [
            (run(oracle="p" * 16), "different oracles"),
            (run(records=[conforming("another")]), "no case is in both"),
        ],
    )
    def test_other_questions_are_one_line(self, diff: Diff, new: Run, line: str) -> None:
        status, out, err = diff(run(), new)
        assert (status, out) == (2, "")
        assert line in err

    def test_an_empty_folder_is_one_line(self, diff: Diff, tmp_path: Path) -> None:
        (tmp_path / "none").mkdir()
        status, _, err = diff(tmp_path / "none", run())
        assert status == 2
        assert "has no record files" in err

    def test_arrays_that_are_none_are_one_line(self, diff: Diff, tmp_path: Path) -> None:
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / PATH).with_suffix(".npz").write_bytes(b"PK nothing")
        status, _, err = diff(run(), run(diverging))
        assert status == 2
        assert "not an array file" in err


def test_two_files_are_compared_whatever_their_lanes(diff: Diff, tmp_path: Path) -> None:
    def as_onednn(each: Record) -> Record:
        return replace(each, variant="onednn")

    write(tmp_path / "a.jsonl", run(as_onednn, "rank > 0", variant="onednn"))
    write(tmp_path / "b.jsonl", run(diverging))
    status, out, _ = diff(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert status == 1
    assert out.startswith("mxnet-onednn 1.9.1 -> mxnet-native 1.9.1, core: ")
    assert Change.BROKEN in out


def test_every_format_lists_the_facts_in_which_two_machines_differ(diff: Diff, tmp_path: Path) -> None:
    old, new = ({"vendor": "GenuineIntel", "caps": caps, "isa": isa}
                for caps, isa in (("", "avx2 avx512f"), ("A=<b>", "avx2")))  # fmt: skip
    runs = [replace(made, header=replace(made.header, machine=machine))
            for made, machine in ((run(), old), (run(refused), new))]  # fmt: skip
    line = "machine: caps none -> A=<b>; isa avx2 avx512f -> avx2"
    files = [tmp_path / "a.html", tmp_path / "a.md"]
    _, out, _ = diff(*runs, "--html", files[0], "--markdown", files[1])
    assert f"  {line}\n" in out
    page, markdown = (each.read_text() for each in files)
    assert f'<p class="note">{html.escape(line)}</p>' in page
    assert "<dt>isa</dt><dd>avx2 avx512f</dd>" in page
    assert "machine: caps none -\\> A=\\<b\\>; isa avx2 avx512f -\\> avx2\n" in markdown
    sides = json.loads(diff(*runs, "--json")[1])["comparisons"][0]
    assert (sides["old"]["machine"], sides["new"]["machine"]) == (old, new)


def test_machines_that_differ_are_told_where_nothing_changed_and_one_machine_never_is(
    diff: Diff, tmp_path: Path
) -> None:
    here, there = (replace(run(), header=replace(run().header, machine={"cores": cores})) for cores in "24")
    files = [tmp_path / "a.html", tmp_path / "a.md"]
    for new, said in ((there, True), (here, False), (run(), False)):
        assert diff(here, new, "--html", files[0], "--markdown", files[1])[0] == 0
        assert ["machine: cores 2 -" in each.read_text() for each in files] == [said, said]


def test_what_is_expected_of_the_new_run_fails_only_without_the_option(diff: Diff, tmp_path: Path) -> None:
    path = tmp_path / "cases" / "expectations" / "mxnet.toml"
    path.parent.mkdir(parents=True)
    path.write_text(
        f"[[expectation]]\nid = 'known-now'\nwhen = '{PLANTED}'\nverdict = 'rejects'\nreason = 'r'\nupstream = 'u'\n"
        "since = 2026-11-22\n"
    )
    assert diff(run(), run(refused))[0] == 1
    status, out, _ = diff(run(), run(refused), "--unless-expected")
    assert status == 0
    assert " newly-refused (expected: known-now): conforms -> rejects" in out
    both = run(crashed, "rank == 3 and all(dilation == 1)", run(refused).records)
    status, out, _ = diff(run(), both, "--unless-expected")
    assert status == 1
    assert "crash: conforms -> crashed" in out
    assert diff(run(), run(lambda each: diverging(each)), "--unless-expected")[0] == 1


def test_the_lane_with_the_most_telling_change_comes_first() -> None:
    same, mended = compare([run()], [run()]), compare([run(refused, "rank == 2")], [run()])
    worse = compare([run()], [run(refused, "rank == 2")])
    assert changes.ordered([same, mended, worse], WORSE) == [worse, mended, same]


def test_exact_data_comes_before_own_weights_which_it_explains() -> None:
    def of(suite: str) -> Comparison:
        old, new = run(diverging), run()
        return compare(*([replace(each, header=replace(each.header, suite=suite))] for each in (old, new)))

    exact, own = of("scan-decoder"), of("scan-decoder-weights")
    assert changes.ordered([own, exact], WORSE) == [exact, own]
