"""The report on synthetic runs: what it finds wrong with records, what it shows, and that it stands alone."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from conformance.records.record import Header, Record, Run, Verdict
from conformance.records.reproduction import reproduction
from conformance.report import Site, write_report
from conformance.report.integrity import measure_integrity
from conformance.report.overview import Group, Reason, lane_groups, ordered, summary
from conformance.report.tables import counts
from conformance.report.words import GLOSSARY

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \"'&"


def record(case: str, verdict: Verdict = Verdict.CONFORMS, lane: str = "torch-eager", **rest: object) -> Record:
    framework, _, variant = lane.partition("-")
    values: dict[str, object] = {"dtype": "float32", "direction": "forward", "problem": "i3 k2", **rest}
    return Record(framework=framework, variant=variant, case=case, verdict=verdict, **values)  # type: ignore[arg-type]  # fields by name


def run(
    lane: str = "torch-eager", records: Sequence[Record] | None = None, complete: bool = True, **rest: object
) -> Run:
    framework, _, variant = lane.partition("-")
    records = [record(f"case-{n}", lane=lane, expected=f"{n:016x}") for n in range(3)] if records is None else records
    header = Header(framework, variant, "core", ("float32",), ("forward",), "c" * 16, len(records), "o" * 16,
                    environment={framework: "1.2.3", "device": "cpu"}, started="2025-01-02T03:04:05+00:00")  # fmt: skip
    return Run(replace(header, **rest), tuple(records), complete)  # type: ignore[arg-type]  # fields by name


def page(path: Path, *runs: Run, expected_lanes: Sequence[str] = ()) -> str:
    write_report(Site(runs, expected_lanes), path / "index.html")
    return (path / "index.html").read_text(encoding="utf-8")


def framework_page(path: Path, *runs: Run, name: str = "torch") -> str:
    write_report(Site(runs), path / "index.html")
    return (path / "site" / f"framework-{name}.html").read_text(encoding="utf-8")


def everything(path: Path) -> str:
    """Every page of a site as one text."""
    return "\n".join(each.read_text(encoding="utf-8") for each in sorted(path.rglob("*.html")))


def known_to_nobody(_record: Record) -> str:
    return ""


def groups(*runs: Run, known: Reason = known_to_nobody) -> tuple[Group, ...]:
    return next(lane_groups(ordered(runs), known)).groups


def said(*runs: Run, known: Reason = known_to_nobody) -> str:
    return summary(ordered(runs), list(lane_groups(ordered(runs), known)))


def text(html: str) -> str:
    """What a reader reads."""
    body = html.partition("<body>")[2]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", body)))


TORCH, JAX = run(), run("jax-jit")
FINDINGS = {
    "no runs": ([], [], "records: no run was given"),
    "no runs of an expected lane": ([], ["torch-eager"], "torch-eager: it is expected, and has no record"),
    "unsupported": ([run(records=[record("a", Verdict.UNSUPPORTED)])], [],
                    "torch-eager, core: it answers nothing: 0 of 1 record, all of them are unsupported"),
    "wrong": ([run(records=[record("a", Verdict.DIVERGES, kind="value"), record("b", Verdict.ERRORED)])], [],
              "torch-eager, core: it conforms nowhere: 0 of 2 records: 1 diverges, 1 errored"),
    "absent": ([TORCH], ["torch-eager", "jax-jit"], "jax-jit: it is expected, and has no record in core"),
    "absent from a suite": ([TORCH, JAX, run(suite="negative")], ["torch-eager", "jax-jit"], "jax-jit: it is expected, "
                            "and has no record in negative"),
    "incomplete": ([run(complete=False)], [], "torch-eager, core: it did not finish: it has 3 of 3 expected records"),
    "too few": ([run(expected=4000)], [], "torch-eager, core: it is marked complete, and has 3 of 4,000 expected"),
    "nothing": ([run(records=[])], [], "torch-eager, core: it ran nothing: 0 records, 0 expected"),
    "shards": ([run(shard=(1, 2)), run(shard=(2, 2), records=[record("z")])], [],
               "torch-eager, core: shards 1 of 2, 2 of 2 stand apart"),
    "twice": ([TORCH, TORCH], [], "torch-eager, core: 2 runs are counted together, of 3 and 3 records"),
    "cases": ([TORCH, run("jax-jit", cases="d")], [], f"suite core: case set d in jax-jit; case set {'c' * 16} in"),
    "oracle": ([TORCH, run("jax-jit", oracle="p")], [], f"suite core: oracle p in jax-jit; oracle {'o' * 16} in torch"),
    "answers": ([TORCH, run("jax-jit", records=[record("case-1", lane="jax-jit", expected="f00d")])], [],
                f"jax-jit and torch-eager: 1 expected answers differ, first case-1 float32: f00d against {1:016x}"),
}  # fmt: skip


def test_one_call_may_mean_two_problems_in_two_variants() -> None:
    other = replace(record("case-1", lane="jax-jit", expected="f00d"), problem="i3 k1")
    assert Site([TORCH, run("jax-jit", records=[other])]).integrity.holds


@pytest.mark.parametrize(("runs", "expected_lanes", "finding"), FINDINGS.values(), ids=FINDINGS)
def test_a_fault_of_the_records_is_one_finding_and_stands_first(
    tmp_path: Path, runs: list[Run], expected_lanes: list[str], finding: str
) -> None:
    site = Site(runs, expected_lanes)
    outcome = write_report(site, tmp_path / "index.html")
    assert not site.integrity.holds
    assert outcome.incomplete is not any(found.silent for found in site.integrity.findings)
    assert len([found for found in map(str, site.integrity.findings) if found.startswith(finding)]) == 1
    shown = text((tmp_path / "index.html").read_text(encoding="utf-8"))
    for found in site.integrity.findings:
        assert f"{found.subject} : {found.facts} {found.command or found.next_step} " in shown
    assert "Evidence: complete and consistent" not in shown
    count = len(site.integrity.findings)
    assert shown.index(f"Red, {count} reason") < shown.index("Lanes and suites") < shown.index("What is new")


def test_a_fault_is_not_reported_twice() -> None:
    assert len(measure_integrity([run(records=[], complete=False, expected=9)], ["torch-eager"]).findings) == 1


@pytest.mark.parametrize(
    ("lane", "command"),
    [
        ("torch-eager", "tox run -e torch"),
        ("mylib-fast", "conformance run mylib --variant fast --suite smoke"),
        ("my_conv-function", "conformance.check(my_conv, suite='smoke').write(FOLDER)"),
    ],
)
def test_an_absent_lane_is_run_by_what_can_run_it(lane: str, command: str) -> None:
    (finding,) = measure_integrity([run("jax-jit", suite="smoke")], [lane], ["jax", "torch"]).findings
    assert finding.command == command


def test_a_function_is_put_to_its_case_again_by_a_line_of_python() -> None:
    failing = replace(record("a"), framework="my_conv", variant="function")
    assert reproduction(failing) == "conformance.check(my_conv, cases=['a'], dtypes=['float32'])"


def test_sound_records_have_no_finding_and_the_expected_lanes_are_named(tmp_path: Path) -> None:
    shown = text(page(tmp_path, TORCH, JAX, expected_lanes=["torch-eager", "jax-jit"]))
    assert "Evidence: complete and consistent" in shown
    assert "Each required lane is here: jax-jit, torch-eager." in shown
    assert "so only the lanes and suites that were run are judged" in text(page(tmp_path, TORCH))


def test_what_was_not_run_is_named_and_is_no_reason_to_be_red(tmp_path: Path) -> None:
    site = Site([TORCH, run(suite="negative"), JAX], night=["torch-eager", "jax-jit", "mxnet-native"])
    assert site.not_run == "jax-jit (negative), mxnet-native"
    assert write_report(site, tmp_path / "index.html").green
    shown = text((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert "Not run, and therefore not judged: jax-jit (negative), mxnet-native." in shown
    assert replace(site, expected_lanes=["mxnet-native", "jax-jit"]).not_run == ""
    assert "Not run" not in text(page(tmp_path, TORCH))


def test_answers_to_the_same_case_in_another_dtype_are_no_conflict() -> None:
    both = [record("a", expected="1"), record("a", expected="2", dtype="float64")]
    assert measure_integrity([run(records=both), run("jax-jit", records=both[:1])]).holds


def test_the_summary_counts_lanes_records_and_verdicts() -> None:
    diverging = run("jax-jit", records=[
        record("a", Verdict.DIVERGES, "jax-jit", kind="value"), record("b", Verdict.REJECTS, "jax-jit"),
    ])  # fmt: skip
    assert said(TORCH, diverging) == (
        "2 lanes, 5 records, invalid calls included: 3 conform, 1 diverges, 1 refused. 2 failing records are new."
    )
    assert said() == "0 lanes, 0 records, invalid calls included."


def test_without_divergences_the_page_says_so(tmp_path: Path) -> None:
    shown = text(page(tmp_path, TORCH, JAX))
    assert "2 lanes, 6 records, invalid calls included: 6 conform." in shown
    assert "All failures are known." in shown
    write_report(Site([TORCH]), tmp_path / "index.html")
    assert "No known fault showed." in text((tmp_path / "site" / "divergences.html").read_text(encoding="utf-8"))


def test_only_verdicts_that_occur_are_columns_and_a_lane_without_records_keeps_its_row() -> None:
    cropped = [record("a", composed=("crop",)), record("b", composed=("crop",))]
    records = [*cropped, record("c", Verdict.CRASHED), record("d")]
    runs = ordered([run(records=records), run("jax-jit", records=[])])
    verdicts, assistance = counts.verdicts(runs), counts.assistance(runs)
    assert verdicts.columns == ("conforms", "crashed")
    assert [(row.lane, row.labels, row.counts) for row in verdicts.rows] == [
        ("jax-jit", ("core", "float32"), (0, 0, 0)),
        ("torch-eager", ("core", "float32"), (4, 3, 1)),
    ]
    assert assistance.columns == ("native", "crop")
    assert assistance.rows[1].counts == (3, 1, 2)


def test_verdicts_by_pass_and_dtype_count_a_case_of_several_suites_once_and_no_invalid_call() -> None:
    backward = replace(record("a", Verdict.DIVERGES), direction="weight")
    invalid = replace(record("b", Verdict.REJECTS), fault="groups-0")
    twice = [run(records=[record("a"), record("c")]), run(records=[record("a"), backward, invalid])]
    table = counts.by_pass(twice)
    assert table.columns == ("conforms", "diverges")
    assert [(row.lane, row.labels, row.counts) for row in table.rows] == [
        ("torch-eager", ("forward", "float32"), (2, 2, 0)),
        ("torch-eager", ("weight", "float32"), (1, 0, 1)),
    ]


@pytest.mark.parametrize(
    ("messages", "label"),
    [
        (["shape is (1, 2, 9), expected (1, 2)", "shape is (3,), expected (4,)"], "shape is (…), expected (…)"),
        (["adj 3 must be less than 2", "adj -4.5e+3 must be less than 2"], "adj … must be less than 2"),
        (["at 0x7ffe12: nan in conv2d", "at 0x1: -inf in conv2d"], "at …: … in conv2d"),
        (["out of memory", "out of  memory\n"], "out of memory"),
        (["", ""], ""),
    ],
)
def test_messages_that_differ_in_numbers_alone_form_one_group(messages: list[str], label: str) -> None:
    records = [record(f"c{n}", Verdict.ERRORED, message=message) for n, message in enumerate(messages)]
    (group,) = groups(run(records=records))
    assert group.label == label
    assert group.count == len(messages)


def test_groups_are_apart_by_verdict_kind_and_words_and_failures_come_first() -> None:
    found = groups(run(records=[
        record("a", Verdict.UNSUPPORTED, message="same"), record("b", Verdict.REJECTS, message="same"),
        record("c", Verdict.CRASHED, message="same"), record("d", Verdict.DIVERGES, kind="value", message="same"),
        record("e", Verdict.DIVERGES, kind="shape", message="same"), record("f", Verdict.REJECTS, message="other"),
    ]))  # fmt: skip
    assert [(group.verdict.value, group.kind, group.label) for group in found] == [
        ("diverges", "shape", "same"), ("diverges", "value", "same"), ("rejects", "", "other"), ("rejects", "", "same"),
        ("crashed", "", "same"), ("unsupported", "", "same"),
    ]  # fmt: skip


def test_what_fails_is_open_and_the_rest_is_closed(tmp_path: Path) -> None:
    records = [record(f"case-{verdict}", verdict) for verdict in Verdict]
    html = framework_page(tmp_path, run(records=records))
    found = re.findall(r'<details class="group"( open)?>\n<summary><span class="tag ([a-z-]+)">', html)
    opened = {verdict: bool(is_open) for is_open, verdict in found}
    assert opened == {verdict.value: verdict.fails for verdict in Verdict if verdict is not Verdict.CONFORMS}


def test_a_row_has_the_evidence_and_the_command(tmp_path: Path) -> None:
    found = record("gap-2d", Verdict.DIVERGES, "mxnet-native", kind="value", problem="i5x7 k3 s2x1 p1:2x0 bias",
                   message="3 of 9 values differ", call="Deconvolution([1, 3])", composed=("crop", "bias"))  # fmt: skip
    shown = text(framework_page(tmp_path, run("mxnet-native", records=[found]), name="mxnet"))
    command = "conformance call mxnet 'i5x7 k3 s2x1 p1:2x0 bias' --variant native --dtype float32 --case gap-2d"
    for evidence in ("3 of 9 values differ", "Deconvolution([1, 3])", "crop, bias", command):
        assert evidence in shown


def test_a_command_runs_nothing_that_a_record_smuggles_in() -> None:
    found = record("$(touch x)", Verdict.REJECTS, problem='i3 k2"; touch y; `z`')
    (group,) = groups(run(records=[found]))
    assert group.rows[0].command == (
        "conformance call torch 'i3 k2\"; touch y; `z`' --variant eager --dtype float32 --case '$(touch x)'"
    )


def test_hostile_text_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    found = record(HOSTILE, Verdict.DIVERGES, dtype=HOSTILE, problem=HOSTILE, kind=HOSTILE, message=f"{HOSTILE} 1",
                   call=HOSTILE, composed=(HOSTILE,))  # fmt: skip
    other = replace(found, case="x", verdict=Verdict.CONFORMS, message=f"{HOSTILE} 2")
    one = run(records=[found, other], framework=HOSTILE, variant=HOSTILE, suite=HOSTILE, dtypes=(HOSTILE,),
              cases=HOSTILE, started=HOSTILE, oracle=HOSTILE, environment={HOSTILE: HOSTILE})  # fmt: skip
    page(tmp_path, one, expected_lanes=[HOSTILE])
    html = everything(tmp_path)
    assert not re.findall(r"<script(?! defer src=\"[a-z/]+\.js\"></script>)", html)
    assert "<img" not in html
    assert HOSTILE in text(html)
    assert not [name for _, attributes in elements(html) for name in attributes if name.startswith("on")]
    assert all(script.read_text(encoding="utf-8").isascii() for script in tmp_path.rglob("data/*.js"))
    ElementTree.parse(tmp_path / "site" / "changes.atom")
    assert "<script" not in (tmp_path / "site" / "summary.md").read_text(encoding="utf-8")


def test_text_that_cannot_be_written_or_seen_is_spelt_out(tmp_path: Path) -> None:
    html = framework_page(
        tmp_path, run(records=[record("a", Verdict.ERRORED, message="lone \ud800 nul \0 turned \u202e")])
    )
    assert r"lone \ud800 nul \u0000 turned \u202e" in html


def test_the_same_runs_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    runs = [run(records=mixed(60)), run("jax-jit", records=mixed(50, "jax-jit"))]
    page(tmp_path / "1", *runs)
    page(tmp_path / "2", *reversed(runs))
    first, second = (
        {each.relative_to(folder): each.read_bytes() for each in folder.rglob("*") if each.is_file()}
        for folder in (tmp_path / "1", tmp_path / "2")
    )
    assert first == second


def test_the_site_stands_alone_and_its_links_lead_somewhere(tmp_path: Path) -> None:
    page(tmp_path, run(records=mixed(700)), JAX)
    pages = {each: elements(each.read_text(encoding="utf-8")) for each in tmp_path.rglob("*.html")}
    ids = {each: [attributes["id"] for _, attributes in found if "id" in attributes] for each, found in pages.items()}
    for each, found in pages.items():
        assert not {"iframe", "object", "base"} & {tag for tag, _ in found}
        assert len(ids[each]) == len(set(ids[each])), each
        targets = [attributes[name] for _, attributes in found for name in ("href", "src") if name in attributes]
        for target in targets:
            path, _, fragment = target.partition("#")
            if target == "data:,":
                continue
            assert not re.match(r"[a-z]+:", target), f"{each}: {target}"
            reached = (each.parent / path).resolve() if path else each
            assert reached.exists(), f"{each}: {target}"
            if fragment and reached.stem not in ("search", "case", "maps"):
                assert fragment in ids[reached], f"{each}: {target}"
    style = (tmp_path / "site" / "style.css").read_text(encoding="utf-8")
    assert "@import" not in style
    assert not re.findall(r"url\((?!#)", style)


def test_the_markup_is_accessible(tmp_path: Path) -> None:
    page(tmp_path, run(records=mixed(30)), JAX)
    for each in tmp_path.rglob("*.html"):
        found = elements(each.read_text(encoding="utf-8"))
        tags = [tag for tag, _ in found]
        assert ("html", {"lang": "en"}) in found
        assert tags.count("table") == tags.count("caption")
        assert tags.count("main") == tags.count("h1") == 1
        levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
        assert all(after <= before + 1 for before, after in pairwise(levels)), each
        assert all("scope" in attributes for tag, attributes in found if tag == "th")
        images = [attributes for tag, attributes in found if tag == "svg" and "aria-hidden" not in attributes]
        assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in images)


def test_every_verdict_is_explained(tmp_path: Path) -> None:
    assert list(GLOSSARY) == list(Verdict)
    shown = text(page(tmp_path, TORCH))
    assert all(meaning in shown for meaning in GLOSSARY.values())
    assert all(f'id="verdict-{verdict}"' in page(tmp_path, TORCH) for verdict in Verdict)


@pytest.mark.slow
def test_many_records_are_all_present_and_every_page_stays_small(tmp_path: Path) -> None:
    records = mixed(20_000)
    front = page(tmp_path, run(records=records))
    assert len(front) < 20_000
    assert all(each.stat().st_size < 60_000 for each in tmp_path.rglob("*.html"))
    ids = [id for block in shards(tmp_path, "cases-*.js") for id in block["ids"]]
    assert ids == sorted(found.case for found in records)
    assert sum(len(each["records"]) for each in shards(tmp_path, "case-*.js")) == len(records)
    columns = shards(tmp_path, "records-*.js")
    assert sorted(case for each in columns for case in each["case"]) == list(range(len(records)))


def test_a_divergence_is_found_with_its_own_numbers(tmp_path: Path) -> None:
    told = ["1 of 9 values differ", "2 of 9 values differ"]
    records = [record(f"c{n}", Verdict.DIVERGES, kind="value", message=message) for n, message in enumerate(told)]
    page(tmp_path, run(records=records))
    texts = [each.read_text(encoding="utf-8") for each in (tmp_path / "site" / "data").glob("*.js")
             if not each.name.startswith("case-")]  # fmt: skip
    assert all(any(message in text for text in texts) for message in told)


def shards(path: Path, pattern: str) -> list[dict[str, Any]]:
    """The contents of a site's data files."""
    files = sorted((path / "site" / "data").glob(pattern), key=lambda each: (len(each.name), each.name))
    return [json.loads(each.read_text(encoding="utf-8").partition("(")[2].rpartition(")")[0]) for each in files]


def test_a_long_message_is_cut(tmp_path: Path) -> None:
    records = [record(f"c{n}", Verdict.ERRORED, message=f"{n} {'x' * 9000}", call="y" * 9000) for n in range(100)]
    assert len(framework_page(tmp_path, run(records=records))) < 120_000


def mixed(count: int, lane: str = "torch-eager") -> list[Record]:
    """Records of which 1 in 20 conforms, in order of their keys."""
    return [record(f"grid-i5-k3-s2-{n:05d}", lane=lane, problem=f"i{n} k3 s2 p1:2 op1", **_evidence(n))  # type: ignore[arg-type]  # fields by name
            for n in range(count)]  # fmt: skip


def _evidence(n: int) -> dict[str, object]:
    if n % 20 == 0:
        return {"composed": ("crop",) if n % 40 else ()}
    call = f"conv_transpose1d([1, 1, {n}], [1, 1, 3], stride=(2,), padding=(1,), output_padding=(1,), dilation=(1,))"
    if n % 3:
        message = f"{n} of {n * 2} values differ, first at (0, 0, {n}): {n}, expected {-n}"
        return {"verdict": Verdict.DIVERGES, "kind": "value", "message": message, "call": call}
    return {"verdict": Verdict.REJECTS, "message": f"Error: stride {n} is too large", "call": call}


def elements(html: str) -> list[tuple[str, dict[str, str]]]:
    """Every start tag with its attributes."""
    parser = _Elements()
    parser.feed(html)
    return parser.found


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def test_a_known_divergence_says_why_and_is_folded() -> None:
    records = [record("a", Verdict.DIVERGES, kind="value"), record("b", Verdict.DIVERGES, kind="value")]
    (new, old) = groups(run(records=records), known=lambda each: "an old fault" if each.case == "a" else "")
    assert (new.new, new.rows[0].case) == (True, "b")
    assert (old.new, old.known, old.rows[0].case) == (False, "an old fault", "a")
    reason = {"a": "an old fault"}
    assert said(run(records=records), known=lambda each: reason.get(each.case, "")).endswith("1 failing record is new.")
