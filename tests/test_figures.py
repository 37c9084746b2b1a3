"""README's figures of the lanes are written by a command, into tables; that of core has every lane."""

import re
from dataclasses import replace
from pathlib import Path

from benchmarks import lanes as costs
from benchmarks.figures import README, TABLE, figures, lanes, without_run, written
from conformance import adapters
from conformance.adapters.base import Lane
from conformance.records.record import Header, Record, Run, Verdict
from conformance.runner.selection import nightly

TEXT = README.read_text(encoding="utf-8")


def run(suite: str, lane: str, *verdicts: Verdict) -> Run:
    framework, _, variant = lane.partition("-")
    records = tuple(Record(framework, variant, f"case-{number}", "float32", "forward", "i3 k2", verdict)
                    for number, verdict in enumerate(verdicts))  # fmt: skip
    header = Header(framework, variant, suite, ("float32",), ("forward",), "c", len(records), "o")
    return Run(header, records, True)


def test_the_table_of_core_has_a_row_for_every_lane_of_this_package() -> None:
    ours = {str(lane) for lane in adapters.lanes() if not adapters.is_outside(lane.framework)}
    by_suite = lanes(TEXT)
    assert set(by_suite) == {"core", "half", "gradients"}
    assert set(by_suite["core"]) == ours
    assert all(set(those) <= ours for those in by_suite.values())


def test_figures_are_counts_with_verbs_of_their_number() -> None:
    verdicts = [Verdict.CONFORMS, Verdict.CONFORMS, Verdict.DIVERGES, Verdict.CRASHED, Verdict.REJECTS]
    assert figures(run("core", "jax-jit", *verdicts)) == "2 conform, 1 diverges, 1 refused, 1 crashes"


def test_only_the_figures_of_the_tables_are_written() -> None:
    runs = {(suite, lane): run(suite, lane, Verdict.CONFORMS) for suite, those in lanes(TEXT).items() for lane in those}
    made = written(TEXT, runs)
    assert len(re.findall(r"\w+, 1 records \|", made)) == len(TABLE.findall(TEXT))
    assert made.count(" | 1 conforms |\n") == len(runs)
    assert len(made.splitlines()) == len(TEXT.splitlines())
    assert written(made, runs) == made


def test_a_lane_that_was_not_run_keeps_its_figures() -> None:
    made = written(TEXT, {("core", "jax-jit"): run("core", "jax-jit", Verdict.CONFORMS)})
    changed = [line for line, before in zip(made.splitlines(), TEXT.splitlines(), strict=True) if line != before]
    assert len(changed) == 2


def test_the_instruction_sets_of_the_figures_are_those_of_their_records() -> None:
    half = run("half", "torch-eager", Verdict.CONFORMS)
    measured = replace(half, header=replace(half.header, machine={"onednn": "sse41 avx avx9"}))
    assert "a CPU on which oneDNN goes up to `avx9`" in written(TEXT, {("half", "torch-eager"): measured})
    without = replace(half, header=replace(half.header, variant="eigen", machine={"onednn": "off"}))
    runs = {("half", "tensorflow-eigen"): without, ("half", "torch-eager"): measured}
    assert "a CPU on which oneDNN goes up to `avx9`" in written(TEXT, runs)
    assert "a CPU on which oneDNN goes up to ``" not in written(TEXT, {("half", "torch-eager"): half})


def test_the_table_of_costs_has_a_row_for_every_lane_with_the_lines_of_its_adapter() -> None:
    text = costs.PAGE.read_text(encoding="utf-8")
    assert costs.written(text, {}, {}) == text


def test_only_what_was_measured_is_written_into_the_table_of_costs() -> None:
    text = costs.PAGE.read_text(encoding="utf-8")
    one = run("core", "torch-eager", *Verdict)
    measured = replace(one, header=replace(one.header, environment={"torch": "9.1-build7"}))
    made = costs.written(text, {"torch-eager": measured}, {"torch": 1234})
    (row,) = set(made.splitlines()) - set(text.splitlines())
    lines = costs.lines(Lane("torch", "eager"))
    assert row == f"| `torch-eager` | 9.1 | {lines} | 1,234 | 9 | not measured | 3 | 1 | 2 | 1 | 3 | 2 |"
    program = replace(one, header=replace(one.header, framework="tfjs", variant="wasm",
                                          environment={"tfjs": "9.2", "node": "v9"}))  # fmt: skip
    other = replace(program, header=replace(program.header, framework="onnxruntime_js", variant="node",
                                            environment={"onnxruntime-node": "9.3", "node": "v9"}))  # fmt: skip
    made = costs.written(text, {"tfjs-wasm": program, "onnxruntime_js-node": other}, {"programs": 56})
    rows = [row.split(" | ")[:4] for row in made.splitlines() if row.startswith(("| `tfjs", "| `onnxruntime_js"))]
    assert [row[0] for row in rows] == [
        "| `onnxruntime_js-node`",
        "| `onnxruntime_js-web`",
        "| `tfjs-cpu`",
        "| `tfjs-wasm`",
    ]
    assert (rows[0][1], rows[3][1]) == ("9.3", "9.2")
    assert {row[3] for row in rows} == {"56"}


def test_a_lane_that_never_runs_core_has_the_figures_of_the_smallest_suite() -> None:
    assert {str(lane) for lane in costs.every() if costs.suite_of(lane.framework, "core") == "smoke"} == {"tvm-llvm"}
    smoke = run("smoke", "tvm-llvm", Verdict.CONFORMS)
    smoke = replace(smoke, header=replace(smoke.header, environment={"tvm": "9.3"}))
    made = costs.written(costs.PAGE.read_text(encoding="utf-8"), {"tvm-llvm": smoke}, {})
    (row,) = [row for row in made.splitlines() if row.startswith("| `tvm-llvm`")]
    assert row.endswith(" | 1 of `smoke` | not measured | 1 | 1 | 0 | 0 | 0 | 0 |")


def test_what_files_of_an_environment_take_is_counted_without_links(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(bytes(3_000_000))
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "file")
    assert costs.megabytes(tmp_path) == 3


def test_each_lane_of_a_night_has_a_run_of_the_same_cases() -> None:
    each = [lane for lane in lanes(TEXT)["half"] if "half" in nightly(lane.partition("-")[0])]
    runs = {("half", lane): run("half", lane, Verdict.CONFORMS) for lane in each}
    assert list(without_run(TEXT, runs, ["half"])) == []
    assert f"{each[0]} core" in without_run(TEXT, runs, [])
    other = runs["half", each[0]]
    runs["half", each[0]] = replace(other, header=replace(other.header, cases="d"))
    assert list(without_run(TEXT, runs, ["half"])) == [f"{lane} half on the same cases" for lane in each]
    del runs["half", each[0]]
    assert list(without_run(TEXT, runs, ["half"])) == [f"{each[0]} half"]
