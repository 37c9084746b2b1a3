"""README's figures of the lanes are written by a command, into tables; that of core has every lane."""

import re

from benchmarks.figures import README, TABLE, figures, lanes, written
from conformance import adapters
from conformance.records.record import Header, Record, Run, Verdict

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
