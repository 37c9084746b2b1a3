"""README's figures of the lanes are written by a command, into a table that has every lane."""

from benchmarks.figures import HEAD, README, figures, lanes, written
from conformance import adapters
from conformance.records.record import Header, Record, Run, Verdict

TEXT = README.read_text(encoding="utf-8")


def run(lane: str, *verdicts: Verdict) -> Run:
    framework, _, variant = lane.partition("-")
    records = tuple(Record(framework, variant, f"case-{number}", "float32", "forward", "i3 k2", verdict)
                    for number, verdict in enumerate(verdicts))  # fmt: skip
    header = Header(framework, variant, "core", ("float32",), ("forward",), "c", len(records), "o")
    return Run(header, records, True)


def test_the_table_has_a_row_for_every_lane_of_this_package() -> None:
    assert len(HEAD.findall(TEXT)) == 1
    ours = {str(lane) for lane in adapters.lanes() if not adapters.is_outside(lane.framework)}
    assert set(lanes(TEXT)) == ours


def test_figures_are_counts_with_verbs_of_their_number() -> None:
    verdicts = [Verdict.CONFORMS, Verdict.CONFORMS, Verdict.DIVERGES, Verdict.CRASHED, Verdict.REJECTS]
    assert figures(run("jax-jit", *verdicts)) == "2 conform, 1 diverges, 1 refused, 1 crashes"


def test_only_the_figures_of_the_table_are_written() -> None:
    runs = {lane: run(lane, Verdict.CONFORMS) for lane in lanes(TEXT)}
    made = written(TEXT, runs)
    assert "core, 1 records" in made
    assert made.count(" | 1 conforms |\n") == len(runs)
    assert len(made.splitlines()) == len(TEXT.splitlines())
    assert written(made, runs) == made
