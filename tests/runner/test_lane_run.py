"""Whole runs of a lane, in processes of their own, on adapters over the oracle that misbehave on demand."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.io import exit_status
from conformance.records import record_file
from conformance.records.record import Run, Verdict
from conformance.runner.items import SLOW
from conformance.suites import cases
from tests.adapters import copy_with_expectations

ADAPTERS = Path(__file__).parents[1] / "adapters"
RECORDS = 120  # 60 smoke cases in two dtypes
CASE = "smoke-2d-05"

SLEPT = "no answer after 5 s asleep in answer"

Command = Callable[..., Any]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFORMANCE_ADAPTERS", str(ADAPTERS))


@pytest.fixture
def inside(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapters answer in the workers, as those of the frameworks here do."""
    monkeypatch.setenv("PYTEST_PLUGINS", "answering_inside")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    )


def descriptor(case: str) -> str:
    return cases.find(cases.read_suite("smoke"), [case]).cases[0].descriptor


def pytest_process(folder: Path, *options: str, fault: str = "", framework: str = "oracle_adapter") -> Any:
    suite = [] if any(option.startswith("--suite") for option in options) else ["--suite=smoke"]
    command = [sys.executable, "-m", "pytest", f"--framework={framework}", *suite, f"--records={folder}", "-q"]
    return subprocess.Popen(
        [*command, *options],
        env=os.environ | {"FAULT": fault},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )


def conformance_process(folder: Path, *options: str, fault: str = "", framework: str = "oracle_adapter") -> Any:
    command = [sys.executable, "-m", "conformance", "run", framework, "--suite=smoke", f"--records={folder}"]
    return subprocess.Popen(
        [*command, *options],
        env=os.environ | {"FAULT": fault},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_until_it_hangs(mark: Path) -> None:
    deadline = time.monotonic() + 60
    while not mark.exists():
        assert time.monotonic() < deadline, "the run never came to the case that hangs"
        time.sleep(0.05)


def lane(folder: Path, *options: str, **settings: str) -> tuple[int, str]:
    process = pytest_process(folder, *options, **settings)
    try:
        output, _ = process.communicate(timeout=90)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        pytest.fail(f"the run hangs:\n{output}")
    return process.returncode, output


def read(folder: Path, name: str = "oracle_adapter-single-smoke") -> Run:
    return record_file.read(folder / f"{name}.jsonl")


def body(path: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    for line in lines:
        line.pop("seconds", None)
    return lines


@pytest.mark.usefixtures("environment")
class TestRecords:
    @pytest.mark.slow
    def test_every_case_and_dtype_has_a_record(self, tmp_path: Path) -> None:
        status, output = lane(tmp_path, "-n2")
        run = read(tmp_path)
        assert status == 0, output
        assert run.complete
        assert run.verdicts == {"conforms": RECORDS}
        assert {each.dtype for each in run.records} == {"float32", "float64"}
        assert run.header.environment["variant"] == "single"

    @pytest.mark.slow
    def test_one_process_and_four_write_the_same_records(self, tmp_path: Path) -> None:
        fault = f"wrong@{descriptor(CASE)}"
        for workers in ("0", "4"):
            lane(tmp_path / workers, f"-n{workers}", fault=fault)
        paths = [tmp_path / workers / "oracle_adapter-single-smoke.jsonl" for workers in ("0", "4")]
        assert body(paths[0]) == body(paths[1])
        archives = [path.with_suffix(".npz").read_bytes() for path in paths]
        assert archives[0] == archives[1]

    def test_arrays_of_a_divergence_lie_beside_the_record(self, tmp_path: Path) -> None:
        status, _ = lane(tmp_path, "-n1", fault=f"wrong@{descriptor(CASE)}")
        (wrong,) = [each for each in read(tmp_path).records if each.verdict is Verdict.DIVERGES]
        assert (status, wrong.case, wrong.kind) == (1, CASE, "value")
        with np.load(tmp_path / "oracle_adapter-single-smoke.npz", allow_pickle=False) as arrays:
            actual, expected = (arrays[f"{CASE}/float32/forward/{name}"] for name in ("actual", "expected"))
        assert np.array_equal(actual, expected + 1)

    def test_a_narrowed_run_leaves_the_whole_record_alone(self, tmp_path: Path) -> None:
        lane(tmp_path, "-n0")
        before = (tmp_path / "oracle_adapter-single-smoke.jsonl").read_bytes()
        status, _ = lane(tmp_path, "-n0", "-k", "smoke-1d", fault="wrong@")
        assert status == 1
        assert (tmp_path / "oracle_adapter-single-smoke.jsonl").read_bytes() == before
        partial = record_file.read(tmp_path / "partial" / "oracle_adapter-single-smoke.jsonl")
        assert partial.header.selection
        assert {each.case[:8] for each in partial.records} == {"smoke-1d"}

    def test_a_run_in_a_dtype_that_is_not_the_suites_is_narrowed(self, tmp_path: Path) -> None:
        lane(tmp_path, "-n0", "--suite=negative", "--shard=1/300", "--dtype=float64")
        (partial,) = tmp_path.rglob("*.jsonl")
        assert partial.parent.name == "partial"

    @pytest.mark.slow
    @pytest.mark.parametrize(("number", "file"), [(1, "oracle_adapter-single-smoke.1of60.jsonl"), (5, "partial")])
    def test_a_shard_is_whole_where_the_cases_that_are_named_are_its_own(
        self, tmp_path: Path, number: int, file: str
    ) -> None:
        case = cases.read_suite("smoke").cases[number - 1].id
        process = conformance_process(tmp_path, "--variant=single", "--shard=1/60", f"--case={case}")
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        assert [each.name for each in tmp_path.iterdir()] == [file]
        (made,) = tmp_path.rglob("*.jsonl")
        assert str(made) in output
        assert record_file.read(made).complete

    @pytest.mark.slow
    def test_shards_together_are_the_whole(self, tmp_path: Path) -> None:
        lane(tmp_path / "whole", "-n0")
        for shard in ("1/3", "2/3", "3/3"):
            lane(tmp_path / "shards", "-n0", f"--shard={shard}")
        shards = [record_file.read(path) for path in (tmp_path / "shards").glob("*.jsonl")]
        assert len(shards) == 3
        whole = record_file.merge(shards)
        record_file.write(tmp_path / "merged.jsonl", whole)
        assert whole.complete
        assert body(tmp_path / "merged.jsonl") == body(tmp_path / "whole" / "oracle_adapter-single-smoke.jsonl")


@pytest.mark.usefixtures("environment")
class TestOutcomes:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("fault", "verdict", "message", "status"),
        [
            ("refuse", "rejects", "ArithmeticError: not today", 1),
            ("unsupported", "unsupported", "no call says this", 0),
            ("raise", "errored", "KeyError: 'a bug'", 1),
            ("wrong", "diverges", "values differ", 1),
            ("print", "conforms", "", 0),
        ],
    )
    def test_what_a_framework_does_is_told_apart(
        self, tmp_path: Path, fault: str, verdict: str, message: str, status: int
    ) -> None:
        code, _ = lane(tmp_path, "-n1", "--case", CASE, fault=f"{fault}@")
        run = record_file.read(tmp_path / "partial" / "oracle_adapter-single-smoke.jsonl")
        (found,) = [each for each in run.records if each.dtype == "float32"]
        assert (found.verdict, code) == (verdict, status)
        assert message in found.message

    def test_a_refusal_is_counted_under_its_own_name(self, tmp_path: Path) -> None:
        junit = tmp_path / "out.xml"
        _, output = lane(tmp_path, "-n0", f"--junitxml={junit}", fault=f"refuse@{descriptor(CASE)}")
        assert f"{RECORDS - 1} conforms, 1 rejects" in output
        assert "passed" not in output
        assert 'name="verdict" value="rejects"' in junit.read_text()
        assert junit.read_text().count("<testcase ") == RECORDS

    @pytest.mark.slow
    def test_last_failed_runs_what_diverged(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        cache = ("-o", f"cache_dir={tmp_path / 'cache'}")
        lane(tmp_path, "-n0", *cache, fault=f"wrong@{descriptor(CASE)}")
        _, output = lane(tmp_path, "-n0", "--lf", *cache)
        assert "1 conforms" in output.splitlines()[-1]


@pytest.mark.usefixtures("inside")
class TestDeaths:
    @pytest.mark.slow
    @pytest.mark.parametrize("framework", ["oracle_adapter", "block_adapter"])
    @pytest.mark.parametrize(
        ("fault", "verdict", "message"),
        [
            ("segfault", "crashed", "killed by SIGSEGV in answer"),
            ("kill", "crashed", "killed by SIGKILL"),
            ("exit", "crashed", "exited with status 7"),
            ("hang", "timed-out", f"{SLEPT}; tried again alone: {SLEPT} before"),
            ("stop", "timed-out", "no answer after 5 s asleep; tried again alone: no answer after 5 s asleep before"),
            ("deaf", "timed-out", f"{SLEPT}; tried again alone: {SLEPT} before"),
        ],
    )
    def test_a_death_names_its_case_and_the_run_goes_on(
        self, tmp_path: Path, framework: str, fault: str, verdict: str, message: str
    ) -> None:
        code, output = lane(tmp_path, "-n2", "--timeout=5", fault=f"{fault}@{descriptor(CASE)}", framework=framework)
        variant = "single" if framework == "oracle_adapter" else "blocks"
        run = read(tmp_path, f"{framework}-{variant}-smoke")
        assert run.complete, output
        assert code == 1
        assert run.verdicts == {"conforms": RECORDS - 1, verdict: 1}
        (dead,) = [each for each in run.records if each.verdict == verdict]
        assert (dead.case, dead.dtype, dead.message) == (CASE, "float32", message)

    @pytest.mark.slow
    def test_too_many_deaths_end_the_run_as_incomplete(self, tmp_path: Path) -> None:
        code, output = lane(tmp_path, "-n1", "--max-worker-restart=2", fault="segfault@")
        assert code != 0
        assert "3 workers died and 2 may" in output
        assert not read(tmp_path).complete

    @pytest.mark.slow
    def test_an_interrupt_keeps_what_was_finished(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HANGS", str(tmp_path / "hangs"))
        process = pytest_process(tmp_path, "-n1", fault=f"hang@{descriptor('wide-2d-078')}")
        wait_until_it_hangs(tmp_path / "hangs")
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        run = read(tmp_path)
        assert not run.complete
        assert 0 < len(run.records) < RECORDS
        assert run.header.expected == RECORDS
        assert process.returncode != 0

    @pytest.mark.slow
    def test_the_command_line_keeps_it_too(self, tmp_path: Path) -> None:
        command = [sys.executable, "-c", "from conformance.cli import main; main()", "run", "oracle_adapter"]
        options = ["--suite=smoke", "--suite=curated", "-n1", f"--records={tmp_path}"]
        process = subprocess.Popen(
            [*command, *options],
            env=os.environ | {"FAULT": f"hang@{descriptor('wide-2d-078')}", "HANGS": str(tmp_path / "hangs")},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        wait_until_it_hangs(tmp_path / "hangs")
        os.killpg(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 3
        assert "conform" in output
        assert not read(tmp_path).complete
        assert [path.name for path in tmp_path.glob("*.jsonl")] == ["oracle_adapter-single-smoke.jsonl"]

    @pytest.mark.slow
    def test_a_killed_controller_leaves_the_last_good_record(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lane(tmp_path, "-n1")
        before = (tmp_path / "oracle_adapter-single-smoke.jsonl").read_bytes()
        monkeypatch.setenv("HANGS", str(tmp_path / "hangs"))
        process = pytest_process(tmp_path, "-n1", fault=f"hang@{descriptor('wide-2d-078')}")
        wait_until_it_hangs(tmp_path / "hangs")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        assert (tmp_path / "oracle_adapter-single-smoke.jsonl").read_bytes() == before


@pytest.mark.usefixtures("environment")
class TestMistakes:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("--suite=smoek", "the nearest is 'smoke'"),
            ("--variant=none", "its variants are single, other"),
            ("--case=smoke-1d-99", "has no case"),
            ("--dtype=float8", "the dtypes are float64, float32, float16, bfloat16"),
            ("--shard=3/2", "not I/N"),
            ("--records=README.md", "README.md/"),
            ("--timeout=-5", "--timeout -5 is no limit of time: give a number of seconds above 0"),
            ("--timeout=nan", "--timeout nan is no limit of time"),
            ("--timeout=inf", "--timeout inf is no limit of time"),
            ("-n-3", "-n -3 is no number of workers: give auto, or 0, 1, 2 and so on"),
            ("--suite=nosuch", "half, integers, gradients, negative, idioms, ports, claims"),
        ],
    )
    @pytest.mark.parametrize("command", [pytest_process, conformance_process])
    def test_a_mistake_is_named_in_a_line_before_anything_runs(
        self, tmp_path: Path, option: str, message: str, command: Command
    ) -> None:
        if command is conformance_process and option.startswith("--records"):
            option = "--records=README.md/records"
        process = command(tmp_path, "-n1", option)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == exit_status.USAGE
        assert message in output
        assert len(output.splitlines()) == 1
        assert not list(tmp_path.glob("*.jsonl"))


MUTE = """
from conformance.adapters.base import Unsupported
VARIANTS = {"only": {}}
REFUSALS = ()
BLOCK = 1
def describe():
    return {"mute_adapter": "1.0"}
def translate(problem, x, weight, bias):
    raise Unsupported("no call says this")
def run(calls):
    return []
def array(result):
    return result
def tensor(array):
    return array
"""


class TestEvidence:
    @pytest.mark.slow
    @pytest.mark.parametrize("command", [pytest_process, conformance_process])
    def test_a_lane_that_answers_nothing_fails_and_says_so_in_a_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
    ) -> None:
        (tmp_path / "mute_adapter.py").write_text(MUTE)
        monkeypatch.setenv("CONFORMANCE_ADAPTERS", str(tmp_path))
        for options, expected in (((), 1), (("--dtype=float32",), 0), (("--shard=1/2",), 0)):
            process = command(tmp_path, "-n1", *options, framework="mute_adapter")
            output, _ = process.communicate(timeout=60)
            assert process.returncode == expected, output
            said = f"mute_adapter-only smoke answers nothing: 0 of {RECORDS} records, all of them are unsupported"
            assert (said in output) is bool(expected)


STRANGERS = {
    "pyproject.toml": """
[project]
name = "mine"
version = "1"
[tool.pytest.ini_options]
addopts = "-n 2 --strict-markers -ra"
testpaths = ["tests"]
python_files = ["check_*.py"]
filterwarnings = ["error"]
xfail_strict = true
markers = ["gpu: needs one"]
""",
    "conftest.py": """
import pytest

@pytest.fixture(autouse=True)
def seeded():
    yield

def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.gpu)
""",
    "tests/conftest.py": "import pytest\n\n@pytest.fixture\ndef number(): return 5\n",
    "tests/check_own.py": "def test_mine(number): assert number == 5\n\ndef test_other(): pass\n",
}
"""The folder of somebody who has settings, fixtures, hooks and names of files of his own."""


@pytest.mark.usefixtures("environment")
class TestBesideOwnTests:
    @pytest.mark.slow
    @pytest.mark.parametrize("workers", ["0", "2"])
    def test_own_tests_and_cases_run_in_one_session(self, tmp_path: Path, workers: str) -> None:
        own = tmp_path / "own"
        own.mkdir()
        (own / "test_mine.py").write_text("def test_right(): pass\n\ndef test_wrong(): assert 1 == 2\n")
        status, output = lane(tmp_path / "records", f"-n{workers}", "-rA", str(own))
        assert status == 1
        assert f"1 failed, 1 passed, {RECORDS} conforms" in output, output
        assert "FAILED " in output
        assert "test_mine.py::test_wrong" in output
        run = read(tmp_path / "records")
        assert (run.complete, run.header.selection, run.verdicts) == (True, "", {"conforms": RECORDS})
        status, output = lane(tmp_path / "records", f"-n{workers}", str(own / "test_mine.py::test_right"))
        assert status == 0, output

    @pytest.mark.slow
    @pytest.mark.parametrize(("options", "passed"), [((), 2), (("-n0",), 2), (("-k", "not other"), 1)])
    def test_in_a_strangers_folder_his_own_settings_and_fixtures_hold(
        self, tmp_path: Path, options: tuple[str, ...], passed: int
    ) -> None:
        for name, text in STRANGERS.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        words = ("--framework", "oracle_adapter", "--variant", "single", "--suite", "smoke", *options, "tests/")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{passed} passed, " in done.stdout
        assert f"{RECORDS} conforms" in done.stdout
        assert read(tmp_path / "reports" / "records").verdicts == {"conforms": RECORDS}


@pytest.mark.usefixtures("environment")
class TestKnownDivergences:
    @pytest.mark.slow
    def test_a_known_divergence_does_not_fail_and_a_new_one_does(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CONFORMANCE_ADAPTERS", str(copy_with_expectations(
            "oracle_adapter", tmp_path / "adapters",
            '[[expectation]]\nid = "known"\nwhen = "rank == 2"\nverdict = "diverges"\n'
            'partly = "one of them"\nreason = "on purpose"\nupstream = "none found"\nsince = 2026-11-22\n',
        )))  # fmt: skip
        known, output = lane(tmp_path / "known", "-n0", fault=f"wrong@{descriptor(CASE)}")
        assert known == 0, output
        assert "1 diverges (known)" in output
        new, output = lane(tmp_path / "new", "-n0", fault=f"wrong@{descriptor('smoke-1d-05')}")
        assert new == 1
        assert "1 diverges" in output

    @pytest.mark.slow
    @pytest.mark.parametrize("fault", ["", "refuse", "segfault"])
    def test_what_was_expected_and_is_no_longer_so_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
    ) -> None:
        monkeypatch.setenv("CONFORMANCE_ADAPTERS", str(copy_with_expectations(
            "oracle_adapter", tmp_path / "adapters",
            '[[expectation]]\nid = "known"\nwhen = "rank == 2 and dtype == \'float32\'"\nverdict = "diverges"\n'
            'reason = "on purpose"\nupstream = "none found"\nsince = 2026-11-22\n',
        )))  # fmt: skip
        options = ("-n1", "--case", CASE, "--dtype", "float32")
        assert lane(tmp_path / "as-expected", *options, fault="wrong@")[0] == 0
        junit = tmp_path / "out.xml"
        status, output = lane(tmp_path / "otherwise", *options, f"--junitxml={junit}", fault=f"{fault}@")
        assert status == 1, output
        assert "expected by known: diverges" in junit.read_text()

    @pytest.mark.slow
    @pytest.mark.usefixtures("inside")
    def test_what_is_known_to_time_out_is_not_waited_for_as_long_and_not_tried_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CONFORMANCE_ADAPTERS", str(copy_with_expectations(
            "oracle_adapter", tmp_path / "adapters",
            '[[expectation]]\nid = "known"\nwhen = "rank == 2"\nverdict = "timed-out"\n'
            'chance = "the machine"\nreason = "on purpose"\nupstream = "none found"\nsince = 2026-11-22\n',
        )))  # fmt: skip
        known, output = lane(tmp_path / "known", "-n1", "--timeout=500", fault=f"hang@{descriptor(CASE)}")
        assert known == 0, output
        (slow,) = [each for each in read(tmp_path / "known").records if each.verdict == "timed-out"]
        assert (slow.case, slow.message) == (CASE, SLEPT.replace("after 5 s", f"after {SLOW:g} s"))


BROKEN = """
VARIANTS = {"whole": {}, "half": {}}
REFUSALS = ()
BLOCK = 1
describe = translate = run = array = tensor = None
if True:
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "fails", "said_of_it"),
    [
        ("0", "import a_module_that_nobody_has", "No module named 'a_module_that_nobody_has'"),
        ("2", "import a_module_that_nobody_has", "No module named 'a_module_that_nobody_has'"),
        ("2", "raise OSError('undefined symbol: f\\nof lib.so')", "OSError: undefined symbol: f"),
    ],
)
def test_a_lane_that_cannot_be_imported_ends_in_a_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: None, workers: str, fails: str, said_of_it: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken_adapter.py").write_text(f"{BROKEN}    {fails}\n")
    monkeypatch.setenv("CONFORMANCE_ADAPTERS", str(tmp_path / "in"))
    process = conformance_process(tmp_path / "records", f"-n{workers}", "--variant=half", framework="broken_adapter")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == exit_status.USAGE
    assert said.strip() == (
        f"broken_adapter-half: broken_adapter cannot be imported ({said_of_it}): install "
        "it, or use its environment: `tox run -e broken_adapter`; or give another --variant: whole"
    )
    assert list((tmp_path / "records").iterdir()) == []
