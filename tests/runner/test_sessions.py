"""Several suites of a lane in one session: the records are those of a session each, and nothing of one is another's."""

from pathlib import Path

import pytest

from conformance.io import exit_status
from conformance.records import record_file
from conformance.records.record import Verdict
from conformance.runner.items import unit_starts
from conformance.suites import cases
from tests.runner.test_lane_run import CASE, body, descriptor, environment, inside, lane, pytest_process  # noqa: F401  # fixtures

SUITES = ("smoke", "extreme", "rounding")
ASKED = [f"--suite={suite}" for suite in SUITES]


def paths(folder: Path, framework: str, variant: str) -> list[Path]:
    return [folder / f"{framework}-{variant}-{suite}.jsonl" for suite in SUITES]


def test_units_are_of_one_suite() -> None:
    items = [("a", 3)] * 5 + [("b", 1)] * 2 + [("c", 4)] * 3 + [("a", 3)]
    assert unit_starts(items) == [0, 0, 0, 3, 3, 5, 6, 7, 7, 7, 10]


@pytest.mark.slow
@pytest.mark.usefixtures("environment", "inside")
@pytest.mark.parametrize(("framework", "variant"), [("oracle_adapter", "single"), ("block_adapter", "blocks")])
def test_the_records_are_those_of_a_session_a_suite(tmp_path: Path, framework: str, variant: str) -> None:
    fault = f"wrong@{descriptor(CASE)}"
    status, output = lane(tmp_path / "one", "-n2", *ASKED, framework=framework, fault=fault)
    assert status == exit_status.DIVERGED, output
    for suite in ASKED:
        lane(tmp_path / "each", "-n2", suite, framework=framework, fault=fault)
    one, each = (paths(tmp_path / name, framework, variant) for name in ("one", "each"))
    assert list(map(body, one)) == list(map(body, each))
    assert all(record_file.read(path).complete for path in one)
    headers = [[record_file.read(path).header.expected for path in side] for side in (one, each)]
    assert headers[0] == headers[1]


@pytest.mark.slow
@pytest.mark.usefixtures("environment", "inside")
@pytest.mark.parametrize("framework", ["oracle_adapter", "block_adapter"])
def test_a_death_is_of_its_case_in_its_suite(tmp_path: Path, framework: str) -> None:
    dies = cases.read_suite("rounding").cases[-1]
    status, output = lane(tmp_path, "-n2", *ASKED, framework=framework, fault=f"segfault@{dies.descriptor}")
    assert status == exit_status.DIVERGED, output
    variant = {"oracle_adapter": "single", "block_adapter": "blocks"}[framework]
    runs = dict(zip(SUITES, map(record_file.read, paths(tmp_path, framework, variant)), strict=True))
    crashed = {
        (suite, each.case) for suite, run in runs.items() for each in run.records if each.verdict is Verdict.CRASHED
    }
    assert crashed == {("rounding", dies.id)}
    assert all(run.complete for run in runs.values())


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_a_case_that_two_suites_have_is_run_in_both(tmp_path: Path) -> None:
    status, output = lane(tmp_path, "-n2", "--suite=smoke", "--suite=core", "--case=smoke-1d-01", "--dtype=float32")
    assert status == 0, output
    for suite in ("smoke", "core"):
        (record,) = record_file.read(tmp_path / "partial" / f"oracle_adapter-single-{suite}.jsonl").records
        assert record.case == "smoke-1d-01"


@pytest.mark.slow
@pytest.mark.usefixtures("environment")
def test_what_was_interrupted_goes_on_in_every_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANGS", str(tmp_path / "hangs"))
    hangs = cases.read_suite("rounding").cases[-1]
    process = pytest_process(tmp_path, "-n1", *ASKED, "--timeout=5", fault=f"hang@{hangs.descriptor}")
    while not (tmp_path / "hangs").exists():
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert not list(tmp_path.glob("*.jsonl"))
    assert len(list(tmp_path.glob(".*.journal"))) == len(SUITES)
    status, output = lane(tmp_path, "-n2", *ASKED, "--resume")
    assert status == 0, output
    assert all(record_file.read(path).complete for path in paths(tmp_path, "oracle_adapter", "single"))
    assert not list(tmp_path.glob(".*.journal"))
