"""Every verb that reads a folder of records reads one of a whole night, which has negative cases and claims in it."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import commands
from conformance.predicates.comparisons import facts
from conformance.predicates.induction import induce
from conformance.records.record import CLAIMS, IDIOMS, NEGATIVE, PORTS, Header, Record, Run, Verdict
from conformance.records.record_file import read, write
from conformance.suites.cases import read_suite

STARTED = "2026-11-22T01:02:03+00:00"


def record(case: str, problem: str, verdict: Verdict = Verdict.CONFORMS, **rest: str) -> Record:
    actual = "a" if verdict is Verdict.CONFORMS else ""
    plain = Record("torch", "eager", case, "float32", "forward", problem, verdict, actual=actual, expected=actual)
    return replace(plain, **rest)  # type: ignore[arg-type]  # all that is given is text


NIGHT = {
    "core": [record(f"grid-{i}-{k}", f"i{i} k{k} s{k}") for i in (1, 2, 3) for k in (1, 2)],
    IDIOMS: [
        record("a", "i3 k2", idiom="torch-layer/padding", claimed="conforms", call="torch.nn.F(x) with x=1,1,3"),
        record("b", "i3 k2", Verdict.REJECTS, idiom="torch-layer/padding", claimed="rejects", message="Error: no"),
    ],
    PORTS: [record("c", "i3 k2", idiom="port/jax-to-torch", claimed="conforms", call="jax.f(x) with x=1,3,1")],
    CLAIMS: [
        record("D1-01", "size i=4: o == 2", idiom="claim", message="confirmed: 1 of 1 trials hold"),
        record("D1-02", "size i=5: o == 2", Verdict.DIVERGES, kind="value", idiom="claim", message="0 of 2 hold"),
    ],
    NEGATIVE: [
        record("stride-0-1d", "i3 k2 s0", Verdict.REJECTS, fault="stride-0", message="RuntimeError: stride"),
        record("four-axes-4d", "i2x2x2x2 k1", Verdict.CRASHED, fault="four-axes", message="killed by SIGSEGV"),
        record("batch-0-1d", "i3 k2 n0", Verdict.ACCEPTS_INVALID, fault="batch-0", message="answered (0, 1, 4)"),
        record("op-huge-1d", "i3 k2", Verdict.DIVERGES, kind="shape", fault="op-huge", message="shape is (1, 1, 4)"),
    ],
}  # fmt: skip


@pytest.fixture
def night(tmp_path: Path) -> Path:
    folder = tmp_path / "records"
    for suite, records in NIGHT.items():
        header = Header("torch", "eager", suite, ("float32",), ("forward",), "c" * 16, len(records), "o" * 16,
                        environment={"torch": "2.13.0"}, started=STARTED)  # fmt: skip
        write(header.path(folder), Run(header, tuple(records), True))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "arguments", "said"),
    [
        (1, "report --lane torch-eager --records {night} --to {to}/index.html", "index.html"),
        (1, "expect check --records {night}", "four-axes-4d"),
        (1, "expect propose {night}/torch-eager-negative.jsonl", "op-huge"),
        (0, "expect propose {night}/torch-eager-claims.jsonl", "nothing fails that is not expected"),
        (0, "coverage --records {night}", "torch-eager"),
        (0, "domain --records {night}", "torch-eager"),
        (0, "diff {night} {night}", "nothing changed"),
        (0, "history --store {to}/history.sqlite3 --add {night}", "claims"),
        (2, "diagnose {night}/torch-eager-negative.jsonl", "arrays"),
    ],
)  # fmt: skip
def test_a_verb_reads_a_whole_night(
    status: int, arguments: str, said: str, night: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [word.format(night=night, to=tmp_path) for word in arguments.split()]
    result = CliRunner().invoke(commands, words, standalone_mode=False)
    if status == 2:
        assert type(result.exception).__module__.startswith("conformance."), result.exception
        assert said in str(result.exception)
        return
    assert result.exception is None, result.exception
    assert result.return_value == status
    assert said in result.output + capfd.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["diff {night} {changed}", "report --records {changed} --baseline {night} --to {to}"])
def test_a_change_of_every_kind_of_record_is_told(verb: str, night: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    for path in night.glob("*.jsonl"):
        run = read(path)
        broken = tuple(replace(each, verdict=Verdict.CRASHED, message="killed by SIGSEGV") for each in run.records[::2])
        rest = run.records[1::2]
        write(changed / path.name, replace(run, records=(*broken, *rest)))
    words = [word.format(night=night, changed=changed, to=tmp_path / "index.html") for word in verb.split()]
    result = CliRunner().invoke(commands, [*words, *["--lane", "torch-eager"] * ("report" in verb)],
                                standalone_mode=False)  # fmt: skip
    assert result.exception is None, result.exception
    assert result.return_value == 1


def test_every_negative_case_can_be_told_from_the_others() -> None:
    records = [record(case.id, case.descriptor, fault="f") for case in read_suite(NEGATIVE).cases]
    for step in (2, 3, 5):
        inside, outside = ([facts(each) for at, each in enumerate(records) if (at % step == 0) is kind]
                           for kind in (True, False))  # fmt: skip
        assert induce(inside, outside).of == len(inside)


def test_history_answers_about_problems_beside_claims(night: Path, tmp_path: Path) -> None:
    store = ["history", "--store", str(tmp_path / "history.sqlite3")]
    CliRunner().invoke(commands, [*store, "--add", str(night)], standalone_mode=False, catch_exceptions=False)
    said = CliRunner().invoke(commands, [*store, "rank == 1"], standalone_mode=False, catch_exceptions=False).output
    assert "torch-eager core: 6 records of 6 cases" in said
    assert "claims" not in said
