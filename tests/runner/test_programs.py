"""Programs in any language that answer for a lane: what they may say is taken, and anything else is one record."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from conformance import adapters
from conformance.adapters import AdapterError
from conformance.adapters.base import Lane, ordinary
from conformance.cli.adapter import command
from conformance.problem import Problem
from conformance.processes import wire
from conformance.processes.attempt import Ended
from conformance.records.record import Verdict
from conformance.run import Job
from conformance.runner.outside import LaneProcess, Question, evaluate
from conformance.suites.case import Case
from conformance.suites.references import compute
from tests.adapters import forget_adapters
from tests.adapters.odd_program import REPLIES, STARTED, STRUCK

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "protocol.schema.json"
ODD = ROOT / "tests" / "adapters" / "odd_program.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of $CONFORMANCE_ADAPTERS."""
    monkeypatch.setattr(adapters, "__path__", [*adapters.__path__, str(tmp_path)])
    forget_adapters()
    yield tmp_path
    forget_adapters()


@pytest.fixture
def odd(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(folder, f'command = ["{sys.executable}", "{ODD}"]\nblock = 4\n')
    monkeypatch.delenv("ODD_PROGRAM", raising=False)
    return folder


def write(folder: Path, text: str) -> None:
    (folder / "odd.toml").write_text(text)


def ends(descriptor: str = "i1 k1", seconds: float = 5.0, dtype: str = "float32") -> tuple[Verdict, str]:
    """The verdict and the message of one problem that the program is given."""
    lane = adapters.lane("odd")
    process = LaneProcess(lane, seconds)
    case = Case("case", Problem.parse(descriptor), descriptor, "", (), "")
    try:
        (result,) = evaluate(process, lane, [Job(case, dtype, compute(case))])
    finally:
        process.stop()
    return result.record.verdict, result.record.message


@pytest.mark.usefixtures("odd")
class TestAnswer:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("way", ["", "base64", "channels last"])
    def test_of_any_encoding_and_layout_is_compared(
        self, way: str, dtype: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ODD_PROGRAM", way)
        assert ends("i1 k1 bias", dtype=dtype) == (Verdict.CONFORMS, "")

    def test_to_several_jobs_of_a_turn_is_told_apart(self) -> None:
        lane = adapters.lane("odd")
        process = LaneProcess(lane, 5.0)
        cases = [Case(f"case-{n}", Problem.parse("i1 k1"), "i1 k1", "", (), "") for n in range(9)]
        try:
            results = evaluate(process, lane, [Job(case, "float32", compute(case)) for case in cases])
        finally:
            process.stop()
        assert [result.record.verdict for result in results] == [Verdict.CONFORMS] * 9
        assert process.environment["odd"] == "1"
        assert process.environment["numpy"]

    def test_to_another_problem_is_wrong(self) -> None:
        assert ends("i2 k2")[0] in (Verdict.DIVERGES, Verdict.CRASHED)

    def test_of_a_layout_without_groups_is_not_asked_for_groups(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ODD_PROGRAM", "channels last")
        assert ends("i1 k1 g2") == (Verdict.UNSUPPORTED, "its layout of the weight, 'k o i', has no groups")

    def test_of_an_ordinary_convolution_is_not_asked_for(self) -> None:
        process = LaneProcess(adapters.lane("odd"), 5.0)
        (reply,) = process.answers([Question(Problem.parse("i1 k1"), (), ordinary.__name__)])
        process.stop()
        assert reply.answer == Ended(Verdict.UNSUPPORTED, "a program is asked for transposed convolutions alone")


VIOLATIONS = {
    "an unknown field": "contains unknown field `verdct`",
    "a verdict of the harness": "the verdict 'conforms', which no lane process gives",
    "no array": "an answer of 0 arrays that does not say what they are",
    "another job": "an answer to another job",
    "base64 of another length": "an array of 8 bytes as 3 bytes of base64",
    "base64 that is none": "an array whose base64 cannot be read",
    "a dtype that is none": "an array of dtype 'number', which there is not",
}
AT_START = {
    "unknown encoding": "encoding",
    "data of no batch": "the data layout 'k c': give one such as 'n c k'",
    "weight of unknown letters": "the weight layout 'q i o k': give one such as '(g i) o k'",
    "unknown field at the start": "contains unknown field `layuot`",
    "no environment": "Expected `object`, got `null`",
    "speaks first": "does not start: a line that is not of the protocol: b'welcome",
    "dies at its start": "5 of 5 starts used: odd-program does not start: exited with status 3",
}


@pytest.mark.usefixtures("odd")
class TestFault:
    @pytest.mark.parametrize("fault", VIOLATIONS)
    def test_of_a_reply_is_named(self, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ODD_PROGRAM", fault)
        verdict, message = ends()
        assert (verdict, VIOLATIONS[fault] in message) == (Verdict.ERRORED, True), message

    @pytest.mark.parametrize("fault", AT_START)
    def test_at_the_start_is_named(self, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ODD_PROGRAM", fault)
        verdict, message = ends()
        assert (verdict, AT_START[fault] in message) == (Verdict.CRASHED, True), message

    def test_that_ends_the_process_is_a_crash(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ODD_PROGRAM", "dies of a job")
        assert ends() == (Verdict.CRASHED, "killed by SIGABRT")

    def test_that_hangs_it_is_a_time_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ODD_PROGRAM", "silent")
        assert ends(seconds=1.0) == (Verdict.TIMED_OUT, "no answer after 1 s asleep")

    @pytest.mark.parametrize(("way", "verdict"), [("refuses", Verdict.REJECTS), ("unsupported", Verdict.UNSUPPORTED)])
    def test_that_is_none_is_taken(self, way: str, verdict: Verdict, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ODD_PROGRAM", way)
        assert ends()[0] is verdict


FILES = {
    "": "Object missing required field `command`",
    "command = []": "Expected `array` of length >= 1",
    'command = "node x"': "Expected `array`, got `str`",
    'command = ["x"]\nblocks = 2': "Object contains unknown field `blocks`",
    'command = ["x"]\nblock = 0': "Expected `int` >= 1",
    "command = [": "Invalid value",
}


class TestFile:
    @pytest.mark.parametrize("text", FILES)
    def test_that_starts_no_program_is_refused_by_name(self, folder: Path, text: str) -> None:
        write(folder, text)
        with pytest.raises(AdapterError) as raised:
            adapters.lane("odd")
        assert str(folder / "odd.toml") in str(raised.value)
        assert FILES[text] in str(raised.value)
        assert "docs/protocol.md" in str(raised.value)

    @pytest.mark.parametrize(("name", "step"), [("nosuchprogram", "on PATH: install it"), ("./nosuch", "build it")])
    def test_of_a_program_that_is_not_there_says_how_to_get_it(self, folder: Path, name: str, step: str) -> None:
        write(folder, f'command = ["{name}"]')
        with pytest.raises(AdapterError, match=f"odd needs {name}, which is no program .*{step}"):
            adapters.require_installed("odd")

    def test_of_what_brings_a_program_is_told_where_it_is_not_there_or_dies_at_its_start(self, folder: Path) -> None:
        write(folder, 'command = ["nosuchprogram"]\ninstall = "make it"')
        with pytest.raises(AdapterError, match="which is no program on PATH: `make it`, or correct"):
            adapters.require_installed("odd")
        forget_adapters()
        write(folder, 'command = ["false"]\ninstall = "make it"')
        assert ends()[1].endswith("odd-program does not start: exited with status 1: `make it` brings what it needs")

    def test_names_the_variants(self, folder: Path) -> None:
        write(folder, 'command = ["x"]\n[variants.fast]\nTHREADS = "2"\n[variants.slow]\n')
        assert adapters.lane("odd") == Lane("odd", "fast")
        assert adapters.settings(Lane("odd", "fast")) == {"THREADS": "2"}
        assert adapters.is_outside("odd")


@pytest.mark.usefixtures("odd")
class TestCheck:
    @pytest.mark.slow
    def test_of_a_program_that_answers_all_but_the_plainest_wrongly_says_what_to_mend(self) -> None:
        done = CliRunner().invoke(command, ["check", "odd"], standalone_mode=False)
        assert done.return_value == 1
        assert "'i1 k1': conforms" in done.output
        assert "FIX diverges" in done.output
        assert "conformance call odd 'i3 k2' --variant program --dtype float32" in done.output
        assert "stop: ok" in done.output

    @pytest.mark.slow
    def test_of_a_program_that_refuses_everything_is_red(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ODD_PROGRAM", "unsupported")
        done = CliRunner().invoke(command, ["check", "odd"], standalone_mode=False)
        assert done.return_value == 1
        assert "FIX no problem was answered rightly" in done.output

    @pytest.mark.slow
    def test_of_a_program_that_says_no_goodbye_names_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ODD_PROGRAM", "no goodbye")
        done = CliRunner().invoke(command, ["check", "odd"], standalone_mode=False)
        assert 'FIX stop: something else than {"bye": true}' in done.output

    def test_of_a_program_that_does_not_start_names_the_violation(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ODD_PROGRAM", "unknown field at the start")
        done = CliRunner().invoke(command, ["check", "odd"], standalone_mode=False)
        assert done.return_value == 1
        assert "contains unknown field `layuot`" in done.output


class TestSchema:
    def test_is_what_the_types_give(self) -> None:
        assert PUBLISHED.read_text() == wire.text(), "wire.text() writes it"
        Draft202012Validator.check_schema(json.loads(PUBLISHED.read_text()))

    def test_holds_for_what_is_sent_and_said(self) -> None:
        validator = Draft202012Validator(json.loads(PUBLISHED.read_text()))
        problem = Problem.parse("i3x2 k2 s2 p0:1 bias")
        job = wire.Asked("0" * 16, str(problem), "transposed", wire.attributes(problem), ())
        for message in (wire.Start("mine", "only"), wire.Run((job,)), wire.Stop()):
            validator.validate(json.loads(wire.encode(message)))
        replies: list[dict[str, object]] = [{"environment": {}}, {"job": "0", "verdict": "rejects"}, {"ready": True}]
        for reply in replies:
            validator.validate(reply)
        assert not validator.is_valid({"job": "0", "verdct": "rejects"})


ENDS = {
    "raises": (Verdict.CRASHED, "exited with status 1"),
    "exits": (Verdict.CRASHED, "exited with status 7"),
    "exits with 0": (Verdict.CRASHED, "exited with status 0"),
    "blocks": (Verdict.TIMED_OUT, "no answer after 1 s asleep"),
    "forks": (Verdict.CONFORMS, ""),
    "prints": (Verdict.ERRORED, "its process gave a line that is not of the protocol: b'noise"),
    "changes its surroundings": (Verdict.CONFORMS, ""),
    "a list": (Verdict.ERRORED, "its process gave "),
    "another rank": (Verdict.DIVERGES, "shape is (1,), expected (1, 1, 1)"),
    "objects": (Verdict.ERRORED, "its process gave an array of dtype object"),
    "two arrays": (Verdict.ERRORED, "its process gave "),
}
"""What a program does on one problem, and the record of that problem."""


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("way", ENDS)
def test_whatever_a_program_does_on_one_problem_is_one_record_and_the_run_goes_on(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODD_PROGRAM", way)
    lane = adapters.lane("odd")
    process = LaneProcess(lane, 1.0)
    descriptors = ("i1 k1", STRUCK, "i1 k1 n2", "i1x1 k1")
    cases = [Case(text, Problem.parse(text), text, "", (), "") for text in descriptors]
    try:
        results = evaluate(process, lane, [Job(case, "float32", compute(case)) for case in cases])
    finally:
        process.stop()
    verdict, words = ENDS[way]
    before, struck, *after = (result.record for result in results)
    assert (struck.verdict, words in struck.message) == (verdict, True), struck
    assert {record.verdict for record in (before, *after)} == {Verdict.CONFORMS}


def test_each_odd_reply_and_start_is_tested() -> None:
    assert set(REPLIES) == {*VIOLATIONS, "refuses", "unsupported"}
    assert set(STARTED) <= {*AT_START, "channels last", "base64"}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(shutil.which("cc") is None, reason="the program in C needs a compiler")
def test_program_in_c_conforms_in_the_whole_smoke_suite(tmp_path: Path) -> None:
    for name in ("loops.c", "loops.toml"):
        shutil.copy(ROOT / "templates" / "c" / name, tmp_path)
    flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-o", "loops", "loops.c"]
    subprocess.run(["cc", *flags], cwd=tmp_path, check=True)
    environment = {"CONFORMANCE_ADAPTERS": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "run", "loops", "--suite=smoke", f"--records={tmp_path}"],
        env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert "Green: 1 lane, 120 records, all as expected" in done.stdout, done.stdout + done.stderr
    assert len((ROOT / "templates" / "c" / "loops.c").read_text().splitlines()) <= 80
