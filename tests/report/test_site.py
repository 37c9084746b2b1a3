"""What the site says about faults, from records with arrays beside them; its drawings, scripts, data and feeds."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance import adapters, oracle
from conformance.analysis.content import history
from conformance.analysis.content.faults import find_faults, read_arrays
from conformance.analysis.content.snippets import of_problem
from conformance.cli.report import command
from conformance.io.atomic import replace_folder
from conformance.io.terminal import verdict_count
from conformance.numerics import operands
from conformance.numerics.deviation import fingerprint, measure_deviation
from conformance.problem import Problem
from conformance.records import record_file
from conformance.records.record import CLAIMS, NEGATIVE, ROUNDING, Header, Key, Record, RecordError, Run, Verdict
from conformance.regression.history import Store, StoreError
from conformance.report import Site, write_report
from conformance.report.content.faults import ChangeLine, Fault, Known
from conformance.report.drawings.svg import bar, box, drawn
from conformance.report.rendering import python
from conformance.report.site import pages
from conformance.report.tables.agreement import FEWEST, agreement, kin
from conformance.suites import cases, references

SUITE = cases.read_suite("smoke")
KNOWN = Known("late-crop", "torch", "rank > 1", Verdict.DIVERGES, "Because.", "https://example.org/1", date(2026, 1, 2))


def shifted(problem: Problem) -> Problem:
    """The problem with its window one place further, of the same size."""
    moved = tuple((lo + 1, hi - 1) for lo, hi in problem.window)
    return replace(problem, pads=moved, output_padding=(0,) * problem.rank)


def runs_of(lanes: Sequence[str], wrong: str = "") -> tuple[list[Run], dict[tuple[str, Key], Any]]:
    """Runs of the smoke suite where one lane shifts every window of a problem in two dimensions."""
    found, arrays = [], {}
    for lane in lanes:
        framework, _, variant = lane.partition("-")
        records = []
        for case in SUITE.cases:
            answer = references.compute(case)
            expected = answer.expected.astype("float32")
            actual = expected
            if lane == wrong and case.problem.rank == 2:
                actual = oracle.expected(shifted(case.problem), *answer.arrays).astype("float32")
            deviation = measure_deviation(actual, expected)
            made = Record(framework, variant, case.id, "float32", "forward", case.descriptor,
                          Verdict.DIVERGES if deviation else Verdict.CONFORMS, kind=deviation.kind if deviation else "",
                          message=deviation.message if deviation else "", actual=fingerprint(actual),
                          expected=fingerprint(expected), seconds=0.001)  # fmt: skip
            records.append(made)
            if deviation:
                arrays[lane, made.key] = actual
        header = Header(framework, variant, "smoke", ("float32",), ("forward",), SUITE.digest, len(records), "o" * 16,
                        environment={framework: "1.2.3"}, started="2026-11-22T03:04:05+00:00")  # fmt: skip
        found.append(Run(header, tuple(records), True))
    return found, arrays


def nobody(_record: Record) -> Known | None:
    return None


@pytest.fixture(scope="module")
def site() -> Site:
    runs, arrays = runs_of(["torch-eager", "jax-jit"], wrong="torch-eager")
    return Site(runs, ("torch-eager", "jax-jit"), found=tuple(find_faults(runs, arrays, nobody)))


@pytest.fixture(scope="module")
def fault(site: Site) -> Fault:
    return max(site.found, key=lambda each: len(each.records))


def test_divergences_of_one_diagnosis_are_one_fault_with_its_exact_predicate(site: Site, fault: Fault) -> None:
    assert fault.title == "window moved"
    assert [(each.lane, each.exact) for each in fault.where] == [("torch-eager", True)]
    assert fault.where[0].predicate.startswith("rank == 2")
    wrong = [each for run in site.runs for each in run.records if each.verdict is Verdict.DIVERGES]
    assert sorted(each.key for found in site.found for each in found.records) == sorted(each.key for each in wrong)


def test_a_moved_window_is_drawn_beside_the_expected_one(site: Site, fault: Fault) -> None:
    assert fault.arrays is not None
    expected, moved = fault.arrays.window, fault.arrays.moved
    assert moved == tuple((lo + 1, hi - 1) for lo, hi in expected)
    html = page_of(site, fault)
    assert 'class="window expected"' in html
    assert 'class="window actual"' in html
    assert html.count('class="cell differs"') == html.count('class="hatched"') > 0


def page_of(site: Site, fault: Fault) -> str:
    name = next(name for name, each in site.faults.items() if each is fault)
    return dict(pages(site))[f"{name}.html"]


def test_a_text_to_file_upstream_has_versions_script_both_arrays_where_and_who_is_right(
    site: Site, fault: Fault
) -> None:
    name = next(name for name, each in site.faults.items() if each is fault)
    made = dict(pages(site))
    assert f'href="upstream/{name}.md"' in made[f"{name}.html"]
    text = made[f"upstream/{name}.md"]
    assert text.startswith(f"# conv_transpose answers otherwise: {fault.title}\n\n## Versions\n\n- torch 1.2.3\n")
    script = next(each.code for each in fault.snippets if each.framework == fault.framework)
    assert script.strip() in text
    arrays = fault.arrays
    own = next(each.actual for each in fault.answers if each.record.lane == "torch-eager")
    assert arrays is not None
    assert own is not None
    assert f"## Expected\n\n```\n{arrays.expected.tolist()}\n```\n" in text
    assert f"```\n{own.tolist()}\n```\n" in text
    assert f"equals, to the last bit, the definition computed with: {fault.diagnosis}." in text
    assert f"- torch-eager: `{fault.where[0].predicate}`. Exactly there" in text
    assert text.rstrip().endswith("- jax-jit: conforms")


def test_every_lane_answers_the_witness_and_every_framework_has_a_script(fault: Fault) -> None:
    assert [each.record.lane for each in fault.answers] == ["torch-eager", "jax-jit"]
    assert [each.actual is None for each in fault.answers] == [False, True]
    assert [each.lane for each in fault.snippets] == ["torch-eager", "jax-jit"]
    assert all(each.code for each in fault.snippets)


def test_a_fault_of_a_framework_without_scripts_says_so_before_those_of_others() -> None:
    runs, arrays = runs_of(["mlx-cpu", "jax-jit"], wrong="mlx-cpu")
    site = Site(runs, found=tuple(find_faults(runs, arrays, nobody)))
    fault = max(site.found, key=lambda each: len(each.records))
    assert [(each.lane, bool(each.code)) for each in fault.snippets] == [("mlx-cpu", False), ("jax-jit", True)]
    html = page_of(site, fault)
    assert html.index("There is no script of mlx: use the command.") < html.index("<summary>jax-jit</summary>")
    assert "This script needs only the framework" not in html


def test_a_script_on_the_page_is_the_text_to_paste(site: Site, fault: Fault) -> None:
    html = page_of(site, fault)
    shown = [unescape(re.sub(r"<[^>]*>", "", each)) for each in re.findall(r"<code>(.*?)</code></pre>", html, re.S)]
    for snippet in fault.snippets:
        assert snippet.code in [each + "\n" if not each.endswith("\n") else each for each in shown]
        compile(snippet.code, "snippet", "exec")


def test_the_numbers_of_a_long_array_are_no_elements_of_a_page() -> None:
    code = f"y = np.array({[[1, -2] * 200]}, 'float32')\nassert y.size == 400\n"
    html = str(python(code))
    assert unescape(re.sub(r"<[^>]*>", "", html)) == code
    assert html.count("<span") < 40


def test_a_script_holds_the_case_s_very_arrays() -> None:
    problem = Problem.parse("i3 k2 s2 bias")
    arrays = operands.draw("a", problem)
    code = of_problem(
        adapters.lane("mxnet", "native"), problem, arrays, oracle.expected(problem, *arrays), "float32"
    ).code
    assert 'os.environ["MXNET_MKLDNN_ENABLED"] = "0"' in code
    literals = dict(re.findall(r"^(\w+) = np\.array\((.*), \"float32\"\)$", code, re.M))
    assert json.loads(literals["x"]) == arrays.x.tolist()
    assert json.loads(literals["w"]) == arrays.weight.tolist()
    assert arrays.bias is not None
    assert json.loads(literals["b"]) == arrays.bias.tolist()


def test_a_script_asks_jax_for_the_precision_that_it_needs() -> None:
    problem = Problem.parse("i3 k2")
    arrays = operands.draw("a", problem)
    code = of_problem(adapters.lane("jax"), problem, arrays, oracle.expected(problem, *arrays), "float64").code
    assert 'os.environ["JAX_ENABLE_X64"] = "1"' in code


def test_known_and_new_faults_are_apart_and_the_new_ones_come_first() -> None:
    runs, arrays = runs_of(["torch-eager"], wrong="torch-eager")
    wrong = [each for each in runs[0].records if each.verdict is Verdict.DIVERGES]
    site = Site(runs, found=tuple(find_faults(runs, arrays, lambda each: KNOWN if each.key != wrong[0].key else None)))
    faults = list(site.faults.values())
    assert [each.new for each in faults] == sorted((each.new for each in faults), reverse=True)
    assert faults[0].records == (wrong[0],)
    html = page_of(site, faults[-1])
    assert '<a href="https://example.org/1" rel="noreferrer">' in html
    assert "Because." in html


def test_an_upstream_that_is_no_address_is_no_link() -> None:
    runs, arrays = runs_of(["torch-eager"], wrong="torch-eager")
    hostile = replace(KNOWN, upstream="javascript:alert(1)")
    site = Site(runs, found=tuple(find_faults(runs, arrays, lambda _: hostile)))
    assert not any('href="javascript' in text for _, text in pages(site))


def test_a_page_and_the_text_to_file_say_that_a_fault_is_one_of_chance() -> None:
    runs, arrays = runs_of(["torch-eager"], wrong="torch-eager")
    by_chance = "The fault is seen in some runs."
    for known, count in ((KNOWN, 0), (replace(KNOWN, chance=by_chance), 1)):
        site = Site(runs, found=tuple(find_faults(runs, arrays, lambda _, known=known: known)))
        (name,) = [name for name, each in site.faults.items() if each.title == "window moved"]
        written = dict(pages(site))
        assert written[f"{name}.html"].count(by_chance) == count
        assert written[f"{name}.html"].count("not every run of the script shows it") == count
        assert written[f"upstream/{name}.md"].count(f"Not every run shows it. {by_chance}") == count
        (script,) = [each.code for each in site.faults[name].snippets]
        compile(script, "script", "exec")
        assert script.count("for _ in range(100):") == script.count("def answer(x, w") == count


def test_crashes_and_errors_are_faults_by_their_words() -> None:
    problems = [case.descriptor for case in SUITE.cases[:6]]
    records = [Record("torch", "eager", f"c{n}", "float32", "forward", problem,
                      Verdict.CRASHED if n < 2 else Verdict.ERRORED, message=f"killed at {n}" if n < 2 else f"Odd: {n}")
               for n, problem in enumerate(problems)]  # fmt: skip
    run = replace(runs_of(["torch-eager"])[0][0], records=tuple(records))
    found = list(find_faults([run], {}, nobody))
    assert [(each.verdict, each.title, len(each.records)) for each in found] == [
        (Verdict.ERRORED, "Odd: \u2026", 4), (Verdict.CRASHED, "killed at \u2026", 2),
    ]  # fmt: skip
    made = [page_of(Site([run], found=found), each) for each in found]
    assert all("No array came" in each for each in made)
    assert [re.findall(r"<h1>(.*?)</h1>", each) for each in made] == [["torch: ends in an error"], ["torch: dies"]]


def test_many_kinds_of_failure_do_not_make_many_pages() -> None:
    names = [chr(97 + n // 26) + chr(97 + n % 26) for n in range(200)]
    records = [Record("torch", "eager", name, "float32", "forward", "i3 k2", Verdict.ERRORED, message=f"Odd {name}")
               for name in names]  # fmt: skip
    run = replace(runs_of(["torch-eager"])[0][0], records=tuple(records))
    found = list(find_faults([run], {}, nobody))
    assert len(found) == 13
    assert sum(len(each.records) for each in found) == 200
    rest = max(found, key=lambda each: len(each.records))
    assert (rest.title, rest.where) == ("other messages, few records each", ())


def test_agreement_counts_what_both_answered_and_what_they_answered_alike(site: Site) -> None:
    lanes, pairs = agreement(site.runs)
    assert lanes == ("jax-jit", "torch-eager")
    pair = pairs["jax-jit", "torch-eager"]
    wrong = sorted(each.case for each in site.runs[0].records if each.verdict is Verdict.DIVERGES)
    assert (pair.both, pair.differ, pair.first) == (len(SUITE.cases), len(wrong), wrong[0])


def test_a_refusal_neither_agrees_nor_differs() -> None:
    runs, _ = runs_of(["torch-eager", "jax-jit"])
    refused = tuple(replace(each, verdict=Verdict.REJECTS, actual="", expected="") for each in runs[1].records)
    _, pairs = agreement([runs[0], replace(runs[1], records=refused)])
    assert pairs["jax-jit", "torch-eager"].both == 0


def refusing(run: Run, problems: int) -> Run:
    """A run that refuses its first problems."""
    records = [replace(each, verdict=Verdict.REJECTS, actual="", expected="") if at < problems else each
               for at, each in enumerate(run.records)]  # fmt: skip
    return replace(run, records=tuple(records))


def test_lanes_that_refuse_the_same_problems_are_named_together_and_no_others() -> None:
    runs, _ = runs_of(["torch-eager", "jax-jit", "mxnet-onednn", "mxnet-native"])
    numbers = (FEWEST, FEWEST, FEWEST + 1, FEWEST + 1)
    refused = [refusing(run, number) for run, number in zip(runs, numbers, strict=True)]
    (group,) = kin(refused)
    assert (group.lanes, group.refused) == (("jax-jit", "torch-eager"), FEWEST)
    assert kin([refusing(run, FEWEST - 1) for run in runs]) == []
    made = dict(pages(Site(refused)))["agreement.html"]
    assert f"jax-jit, torch-eager: {FEWEST} refusals" in made
    assert "the same kernel" not in dict(pages(Site(runs)))["agreement.html"]


def test_a_grid_marks_what_differs_by_more_than_colour_and_says_it() -> None:
    array = np.arange(6.0).reshape(1, 1, 2, 3)
    svg = str(drawn(array, "actual", differs=array == 4))
    assert svg.count('class="cell differs"') == svg.count('class="hatched"') == 1
    assert 'aria-label="actual: 0 1 2; 3 \u22604 5"' in svg


def test_a_window_that_reaches_out_is_drawn_over_zeros() -> None:
    outline = box(((-1, 2),), (4,), "window", "expected")
    svg = str(drawn(np.arange(1.0, 5.0).reshape(1, 1, 4), "stamp", boxes=[outline]))
    assert svg.count('class="cell outside"') == 1
    assert 'aria-label="stamp: 0 1 2 3 4"' in svg


def test_an_array_of_three_axes_is_drawn_in_planes() -> None:
    svg = str(drawn(np.zeros((2, 1, 3, 2, 2)), "y"))
    assert re.findall(r"<figcaption>(.*?)</figcaption>", svg) == [
        f"y, n{n} depth {d}" for n in (0, 1) for d in range(3)
    ]


def test_a_large_array_is_a_heat_map() -> None:
    svg = str(drawn(np.ones((1, 1, 40, 40)), "y"))
    assert 'class="map"' in svg
    assert "<text" not in svg


def test_a_bar_has_every_verdict_however_rare() -> None:
    svg = str(bar({"conforms": 100_000, "crashed": 1, "diverges": 0}, "lane"))
    assert "fill-crashed" in svg
    assert "fill-diverges" not in svg
    assert 'aria-label="lane: 100,000 conforms, 1 crashed"' in svg


def test_the_feed_json_markdown_and_badges_tell_the_same(site: Site) -> None:
    made = dict(pages(site))
    root = ElementTree.fromstring(made["changes.atom"])
    entries = root.findall("{http://www.w3.org/2005/Atom}entry")
    summary = json.loads(made["summary.json"])
    assert len(entries) == len(summary["faults"]) == len(site.faults)
    assert {each["page"] for each in summary["faults"]} <= made.keys()
    assert made["summary.md"].count("**new**") == len(site.faults)
    count = sum(len(each.records) for each in site.found)
    assert f"torch-eager: {count} new" in made["badges/torch-eager.svg"]
    assert "jax-jit: all as expected" in made["badges/jax-jit.svg"]


XEON = {"vendor": "GenuineIntel", "model": "Xeon <8375C>", "isa": "avx2 avx512f", "cores": "8", "memory": "31",
        "threads": "1", "caps": "XLA_FLAGS=--a", "onednn": "sse41 avx2"}  # fmt: skip
EPYC = {"vendor": "AuthenticAMD", "model": "EPYC", "isa": "avx2", "cores": "2", "memory": "7", "threads": "2"}
SHOWN = ("GenuineIntel", "Xeon <8375C>", "cores: 8", "31 GiB", "threads in a call: 1", "CPU: avx2 avx512f",
         "capped by XLA_FLAGS=--a")  # fmt: skip


def on(site: Site, *machines: dict[str, str]) -> Site:
    stood = [replace(run, header=replace(run.header, machine=each))
             for run, each in zip(site.runs, machines, strict=True)]  # fmt: skip
    return replace(site, runs=stood)


def machine_lines(html: str) -> list[str]:
    return [unescape(each) for each in re.findall(r'<p class="note">(Machine.*?)</p>', html)]


def test_the_machine_stands_on_the_front_page_each_framework_s_and_in_the_feeds(tmp_path: Path, site: Site) -> None:
    stood = on(site, XEON, XEON | {"onednn": "off"})
    write_report(stood, tmp_path / "index.html")
    line = f"Machine: {'; '.join(SHOWN)}"
    assert machine_lines((tmp_path / "index.html").read_text()) == [line]
    made = dict(pages(stood))
    assert machine_lines(made["framework-torch.html"]) == [line.replace("; capped", "; oneDNN: sse41 avx2; capped")]
    assert machine_lines(made["framework-jax.html"]) == [line.replace("; capped", "; oneDNN: off; capped")]
    assert [each["machine"] for each in json.loads(made["summary.json"])["runs"]] == [
        XEON | {"onednn": "off"}, XEON
    ]  # fmt: skip
    feed = ElementTree.fromstring(made["changes.atom"])
    assert feed.findtext("{http://www.w3.org/2005/Atom}subtitle") == line
    assert f"- {line}".replace("<", "&#60;").replace(">", "&#62;") in made["summary.md"].splitlines()


def test_several_machines_are_all_named_with_what_ran_on_them(tmp_path: Path, site: Site) -> None:
    write_report(on(site, XEON, EPYC), tmp_path / "index.html")
    first, second = machine_lines((tmp_path / "index.html").read_text())
    assert first.startswith("Machine of jax-jit: AuthenticAMD; EPYC; ")
    assert second.startswith("Machine of torch-eager: GenuineIntel; ")
    page = (tmp_path / "site" / "framework-torch.html").read_text()
    assert [each[:24] for each in machine_lines(page)] == ["Machine: GenuineIntel; X"]


def test_a_lane_that_stood_on_two_machines_is_named_with_its_suites(site: Site) -> None:
    torch = replace(site, runs=[site.runs[0], replace(site.runs[0], header=replace(site.runs[0].header, suite="core"))])
    lines = machine_lines(dict(pages(on(torch, XEON, EPYC)))["framework-torch.html"])
    assert [each.partition(": ")[0] for each in lines] == [
        "Machine of torch-eager core", "Machine of torch-eager smoke"
    ]  # fmt: skip


def test_a_machine_that_no_header_tells_is_said_to_be_not_known(tmp_path: Path, site: Site) -> None:
    write_report(site, tmp_path / "index.html")
    assert machine_lines((tmp_path / "index.html").read_text()) == ["Machine: not known"]


def test_changes_stand_below_the_matrix_and_in_the_feed(tmp_path: Path, site: Site) -> None:
    change = ChangeLine("torch-eager", "broken", "window moved by (+1, -1)", 12, True, "search.html")
    write_report(replace(site, changes=(change,)), tmp_path / "index.html")
    front = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert front.index("Lanes and suites") < front.index("What changed") < front.index("12 cases")
    assert "torch-eager: broken, 12" in (tmp_path / "site" / "changes.atom").read_text(encoding="utf-8")
    write_report(replace(site, changes=()), tmp_path / "index.html")
    assert "Nothing changed since the run" in (tmp_path / "index.html").read_text(encoding="utf-8")


def history_of(nights: Sequence[tuple[int, str]], path: Path) -> list[Run]:
    """Keeps runs of nights, in some of which a lane is wrong; the last of them, which is not kept."""
    made = []
    for day, wrong in nights:
        runs, _ = runs_of(["torch-eager"], wrong=wrong)
        made.append(replace(runs[0], header=replace(runs[0].header, started=f"2026-11-{day:02}T02:17:00+00:00")))
    with Store(path) as store:
        for run in made[:-1]:
            store.add(run)
    return made[-1:]


@pytest.mark.parametrize(
    ("nights", "said"),
    [
        ([(1, ""), (2, ""), (3, "torch-eager")], "for the first time in this run"),
        ([(1, ""), (2, "torch-eager"), (3, "torch-eager")], "since 2026-11-02 02:17"),
        ([(1, "torch-eager"), (2, "torch-eager")], "as long as the history goes back, which is to 2026-11-01 02:17"),
        ([(1, "torch-eager"), (2, ""), (3, "torch-eager"), (4, "torch-eager")], "since 2026-11-03 02:17"),
    ],
)
def test_a_fault_says_since_when_and_every_night_in_which_it_changed(
    tmp_path: Path, nights: list[tuple[int, str]], said: str
) -> None:
    runs = history_of(nights, tmp_path / "h")
    kept = history.read(tmp_path / "h", runs)
    wrong = [each for each in runs[0].records if each.fails]
    found = history.of_fault(wrong, kept)
    assert found is not None
    assert str(found) == said
    verdicts = ["diverges" if wrong else "conforms" for _, wrong in nights]
    changes = [at for at in range(len(nights)) if at == 0 or verdicts[at] != verdicts[at - 1]]
    assert [(each.started[8:10], each.counts.split(" (")[0]) for each in found.nights] == [
        (f"{nights[at][0]:02}", verdict_count(len(wrong), verdicts[at])) for at in changes
    ]


@pytest.mark.slow
def test_the_front_page_says_since_when_a_new_fault_is_there_and_a_case_what_it_was(tmp_path: Path) -> None:
    records = tmp_path / "records"
    (run,) = history_of([(1, ""), (2, ""), (3, "torch-eager")], tmp_path / "h")
    _, arrays = runs_of(["torch-eager"], wrong="torch-eager")
    named = {f"{'/'.join(key)}/actual": array for (_, key), array in arrays.items()}
    record_file.write(run.header.path(records), run)
    np.savez(run.header.path(records).with_suffix(".npz"), **named)
    arguments = ["--records", str(records), "--to", str(tmp_path / "index.html"), "--lane", "torch-eager"]
    assert command.main([*arguments, "--history", str(tmp_path / "h")], standalone_mode=False) == 1
    assert "for the first time in this run" in (tmp_path / "index.html").read_text(encoding="utf-8")
    case = next(each for each in run.records if each.fails).case
    found = [each for path in tmp_path.glob("site/data/case-*.js") for each in bucket(path) if each["case"] == case]
    assert [[state[0][:10], state[2]] for state in found[0]["past"]] == [
        ["2026-11-01", "conforms"], ["2026-11-03", "diverges"],
    ]  # fmt: skip
    with pytest.raises(StoreError, match="there is no history: keep a run with"):
        command.main([*arguments, "--history", str(tmp_path / "none")], standalone_mode=False)


def bucket(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    found: list[dict[str, Any]] = json.loads(text[text.index("(") + 1 : text.rindex(")")])["records"]
    return found


def test_missing_arrays_are_one_line_that_names_the_file(tmp_path: Path) -> None:
    runs, _ = runs_of(["torch-eager"], wrong="torch-eager")
    with pytest.raises(RecordError, match=r"torch-eager-smoke\.npz: the arrays of \d+ diverging records are not"):
        read_arrays(tmp_path, runs)
    (tmp_path / "torch-eager-smoke.npz").write_text("no archive")
    with pytest.raises(RecordError, match="not an array file"):
        read_arrays(tmp_path, runs)


def test_a_report_that_cannot_be_made_leaves_the_good_one_as_it_was(tmp_path: Path) -> None:
    runs, _ = runs_of(["torch-eager"], wrong="torch-eager")
    records = tmp_path / "records"
    good, _ = runs_of(["torch-eager"])
    record_file.write(good[0].header.path(records), good[0])
    arguments = ["--records", str(records), "--to", str(tmp_path / "index.html"), "--lane", "torch-eager"]
    assert command.main(arguments, standalone_mode=False) == 0
    before = {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file() and records not in each.parents}
    record_file.write(runs[0].header.path(records), runs[0])
    with pytest.raises(RecordError):
        command.main(arguments, standalone_mode=False)
    assert {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()
            and records not in each.parents} == before  # fmt: skip


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    replace_folder(folder, [("a.txt", b"1"), ("data/b.txt", b"2")])

    def files() -> Any:
        yield "a.txt", b"3"
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        replace_folder(folder, files())
    assert [path.read_bytes() for path in (folder / "a.txt", folder / "data" / "b.txt")] == [b"1", b"2"]
    replace_folder(folder, [("c.txt", b"4")])
    assert sorted(path.name for path in folder.iterdir()) == ["c.txt", "written.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_negative_cases_and_claims_stand_in_the_report_without_arrays(tmp_path: Path) -> None:
    """Their data is their own: nothing is drawn for them, not even where the problem is none."""
    made = [
        Record("torch", "eager", case, "float32", "forward", problem, verdict, kind=kind, message=message, fault=fault,
               idiom=idiom)
        for case, problem, verdict, kind, message, fault, idiom in (
            ("op-2e32-1d", "i5 k3", Verdict.DIVERGES, "shape", "shape is (1,), expected (2,)", "op-2e32", ""),
            ("dilation-0-1d", "i5 k3 d0", Verdict.ACCEPTS_INVALID, "", "answered (1, 3, 5)", "dilation-0", ""),
            ("batch-0-1d", "i5 k3 n0", Verdict.CRASHED, "", "killed by SIGSEGV", "batch-0", ""),
            ("D1-92", "asked", Verdict.DIVERGES, "value", "0 of 2 trials hold", "", "claim"),
        )
    ]  # fmt: skip
    for suite, records in ((NEGATIVE, made[:3]), (CLAIMS, made[3:])):
        header = Header("torch", "eager", suite, ("float32",), ("forward",), "c" * 16, len(records), "o" * 16,
                        environment={"torch": "2.13.0"})  # fmt: skip
        record_file.write(header.path(tmp_path), Run(header, tuple(records), True))
    runs = record_file.read_folder(tmp_path)
    found = list(find_faults(runs, read_arrays(tmp_path, runs), nobody))
    assert {each.case for fault in found for each in fault.records} == {each.case for each in made}
    text = "\n".join(page for _, page in pages(Site(runs, found=tuple(found))))
    assert "--suite negative --case batch-0-1d" in text
    assert "conformance claims check D1-92" in text
    assert "not recorded, since the process ended" in text
    assert "not recorded, since it conforms" not in text
    assert "equals the expected array" not in text


def test_answers_that_round_have_their_errors_and_no_part_in_agreement() -> None:
    def run(lane: str, errors: Sequence[float]) -> Run:
        framework, _, variant = lane.partition("-")
        records = tuple(
            Record(framework, variant, f"rounding-1d-0{at}", "float32", "forward", "i8 k9 ic64", Verdict.CONFORMS,
                   actual=f"{lane}{at}", expected="e", certificate={"largest": 2**60, "bits": 24, "terms": 576},
                   rounding={"terms": 576, "rho": error, "share": error / 576})
            for at, error in enumerate(errors)
        )  # fmt: skip
        header = Header(framework, variant, ROUNDING, ("float32",), ("forward",), "c" * 16, len(records), "o" * 16)
        return Run(header, records, True)

    runs = [run("torch-eager", (1.5, 4.25, 2.0)), run("jax-jit", (3.0,))]
    assert agreement(runs)[1]["torch-eager", "jax-jit"].both == 0
    made = dict(pages(Site(runs)))
    row = made["framework-torch.html"].partition('id="rounded"')[2].partition("</table>")[0]
    assert [cell for cell in re.findall(r"<td[^>]*>([^<]*)</td>", row) if cell] == [
        "float32",
        "3",
        "576",
        "2.00",
        "4.25",
        "1 %",
    ]
    assert "rounding-1d-01" in row
    assert 'id="rounded"' not in dict(pages(Site(runs_of(["torch-eager"])[0])))["framework-torch.html"]
