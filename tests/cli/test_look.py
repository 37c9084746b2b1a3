"""demo, lanes, show and doctor: what there is, told without any framework."""

import configparser
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance import adapters, oracle
from conformance.adapters import _literals
from conformance.cli import GROUPS, VERBS
from conformance.cli.demo import QUESTIONS
from conformance.cli.forms import BEFORE
from conformance.io import folders
from conformance.io.folders import cases_folder
from conformance.numerics.operands import draw
from conformance.records.arrays import member
from conformance.records.record import Run, Verdict
from conformance.records.record_file import write
from conformance.regression import room
from conformance.suites.cases import read_suite
from conformance.suites.expectations import read_expectations
from tests.cli.test_cli import Command
from tests.records.test_record import HEADER, RECORDS


@pytest.fixture
def conformance(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capfd)


def test_bare_command_prints_its_help(conformance: Command) -> None:
    ended = conformance()
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == conformance("--help").out


def test_help_has_a_line_of_80_columns_for_each_verb(conformance: Command) -> None:
    text = conformance("--help").out
    for group, verbs in GROUPS.items():
        assert f"\n{group}:\n" in text
        for verb, what in verbs.items():
            assert re.search(rf"^  {verb} +{re.escape(what)}$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 80
    modules = {path.stem for path in (Path(__file__).parents[2] / "conformance" / "cli").glob("[a-z]*.py")}
    assert set(VERBS) | set(BEFORE) == modules - {"asked", "options", "forms", "settings", "held", "examples"}
    assert len(VERBS) <= 26


@pytest.mark.parametrize("words", ["cases list", "sizes torch --input 20 --output 40", "demo"])
def test_a_reader_that_has_enough_is_no_failure(words: str) -> None:
    program = f"set -o pipefail; '{sys.executable}' -m conformance {words} | head -1"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)


def test_demo_answers_each_question(conformance: Command) -> None:
    ended = conformance("demo")
    assert (ended.status, ended.err) == (0, "")
    for question, line in QUESTIONS.items():
        assert f"# {question}\n$ conformance {line}\n" in ended.out
    assert "leaves (14, 14)" in ended.out
    assert "return w.transpose(3, 2, 0, 1)" in ended.out
    assert "padding=3, output_padding=1" in ended.out
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for figure in (r"\d+ to \d+ minutes", r"\d+ to \d+ GB of disk"):  # of a night
        assert re.findall(figure, ended.out) == re.findall(figure, readme)


def test_lanes_says_where_each_is_and_when_it_last_ran(conformance: Command, tmp_path: Path) -> None:
    for name, started in (("smoke", "2025-01-02T03:04:05+00:00"), ("core", "2025-01-03T03:04:05+00:00")):
        header = replace(HEADER, framework="torch", variant="eager", suite=name, started=started, expected=0)
        write(tmp_path / f"torch-eager-{name}.jsonl", Run(header, (), complete=True))
    lanes = {
        lane["lane"]: lane
        for lane in map(json.loads, conformance("lanes", "--records", tmp_path, "--json").out.splitlines())
    }
    assert {"torch-eager", "tensorflow-onednn", "tensorflow-eigen", "jax-jit"} <= set(lanes)
    assert lanes["torch-eager"]["last_run"] == "2025-01-03T03:04:05+00:00"
    assert lanes["jax-jit"]["last_run"] == ""
    assert lanes["tensorflow-eigen"]["settings"]["TF_ENABLE_ONEDNN_OPTS"] == "0"


@pytest.fixture
def clone(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone in which tox has made no environment; the one that these tests lie in can have any."""
    root = tmp_path_factory.mktemp("clone")
    monkeypatch.setattr(folders, "checkout", lambda: root)
    return root


@pytest.mark.parametrize(
    ("lane", "package"), [("mxnet-native", "mxnet"), ("paddle-cpu", "paddlepaddle"), ("tvm-llvm", "apache-tvm")]
)
def test_lanes_finds_an_environment_of_tox(
    conformance: Command, clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lane: str, package: str
) -> None:
    monkeypatch.chdir(tmp_path)
    framework = lane.partition("-")[0]
    about = tmp_path / f".tox/{framework}/lib/python3.11/site-packages/{package.replace('-', '_')}-1.9.1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Name: {package}\nVersion: 1.9.1\n")
    (line,) = (line for line in conformance("lanes").out.splitlines() if line.startswith(lane))
    assert f"1.9.1 in .tox/{framework}" in line
    (line,) = (line for line in conformance("lanes").out.splitlines() if line.startswith("jax-jit"))
    assert f"not installed: `tox run -e jax --notest` in {clone}" in line


@pytest.mark.parametrize("name", sorted(adapters.own()))
def test_an_environment_of_tox_installs_the_package_that_the_adapter_names(name: str) -> None:
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(Path(__file__).parents[2] / "tox.ini")
    assert re.search(rf"[:\s]{adapters.package(name)}(\[\w+\])?==", settings[f"testenv:{name}"]["deps"], re.IGNORECASE)


def test_a_framework_with_several_engines_is_not_installed_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = {"ai_edge_litert", "flatbuffers", "numpy", "conformance", "os", "warnings", "collections", "typing",
            "importlib"}  # fmt: skip
    monkeypatch.setattr(_literals, "find_spec", lambda name: name if name in here else None)
    adapters.require_installed("tflite")
    here.remove("ai_edge_litert")
    with pytest.raises(adapters.AdapterError, match="tflite needs ai_edge_litert, which is not installed here"):
        adapters.require_installed("tflite")


def test_show_tells_a_case_with_its_verdicts(conformance: Command, tmp_path: Path) -> None:
    case = read_suite("smoke").cases[0]
    record = replace(RECORDS[0], framework="torch", variant="eager", case=case.id, problem=case.descriptor,
                     verdict=Verdict.CONFORMS, message="")  # fmt: skip
    header = replace(HEADER, framework="torch", variant="eager", expected=1)
    write(tmp_path / "torch-eager-smoke.jsonl", Run(header, (record,), complete=True))
    out = conformance("show", case.id, "--records", tmp_path).out
    assert case.descriptor in out
    assert case.why in out
    assert re.search(rf"^torch-eager +{record.dtype} +conforms$", out, re.MULTILINE)


def test_show_tells_an_expectation_with_what_it_covers(conformance: Command, tmp_path: Path) -> None:
    known = next(known for known in read_expectations("jax") if known.id == "jax-algebraic-simplifier-abort")
    (case,) = (case for case in read_suite("covering").cases if case.id == "cover-2d-148")
    record = replace(RECORDS[0], framework="jax", variant="jit", case=case.id, problem=case.descriptor, message="",
                     verdict=Verdict.CRASHED)  # fmt: skip
    header = replace(HEADER, framework="jax", variant="jit", expected=1)
    write(tmp_path / "jax-jit-core.jsonl", Run(header, (record,), complete=True))
    out = conformance("show", known.id, "--records", tmp_path).out
    assert f"upstream: {known.upstream}" in out
    assert "1 record of it" in out
    assert case.id in out
    assert f"[known: {known.id}]" in conformance("show", case.id, "--records", tmp_path).out


def test_show_tells_a_record_with_its_diagnosis_and_a_script(conformance: Command, tmp_path: Path) -> None:
    _write_run(tmp_path)
    file = tmp_path / "torch-eager-core.jsonl"
    out = conformance("show", file, "plain-2d-028").out
    assert out.startswith("torch: taps reversed")
    assert re.search(r"^diverges on torch-eager; no expectation knows of it$", out, re.MULTILINE)
    assert re.search(r"^diagnosis +equals the oracle's answer to the last bit, if .* taps reversed", out, re.MULTILINE)
    assert re.search(r"^again +conformance call torch '.*' --variant eager --dtype float32 --case plain-2d", out, re.M)
    assert "    import torch\n" in out
    assert "page: `conformance report` writes it" in out
    ended = conformance("show", file, "plain-2d-029")
    assert (ended.status, ended.out) == (2, "")
    assert "the nearest is 'plain-2d-028'" in ended.err
    assert "give the id of a case of it, too" in conformance("show", file).err
    assert "is no record file, and takes no CASE" in conformance("show", "plain-2d-028", "x").err


def test_show_tells_a_fault_of_the_report_as_its_page_does(conformance: Command, tmp_path: Path) -> None:
    _write_run(tmp_path / "records")
    conformance("report", "--records", tmp_path / "records", "--to", tmp_path / "index.html", "-q")
    (page,) = (tmp_path / "site").glob("fault-torch-*.html")
    out = conformance("show", page.stem, "--records", tmp_path / "records").out
    html = page.read_text(encoding="utf-8")
    assert out.endswith(f"page: {page.resolve().as_uri()}\n")
    for line in ("taps reversed", "plain-2d-028", "--case plain-2d-028"):
        assert line in out
        assert line in html
    ended = conformance("show", f"{page.stem}x", "--records", tmp_path / "records")
    assert (ended.status, ended.out) == (2, "")
    assert f"the nearest is {page.stem!r}" in ended.err


def _write_run(folder: Path) -> None:
    """A run of torch with one record, whose array is the answer with its taps reversed."""
    case = next(case for case in read_suite("covering").cases if case.id == "plain-2d-028")
    arrays = draw(case.id, case.problem)
    actual = oracle.expected(case.problem, arrays.x, arrays.weight[..., ::-1, ::-1], arrays.bias)
    record = replace(RECORDS[0], framework="torch", variant="eager", case=case.id, problem=case.descriptor,
                     dtype="float32", verdict=Verdict.DIVERGES, kind="value", message="differs", call="")  # fmt: skip
    header = replace(HEADER, framework="torch", variant="eager", suite="core", expected=1)
    folder.mkdir(exist_ok=True)
    write(folder / "torch-eager-core.jsonl", Run(header, (record,), complete=True))
    kept: dict[str, Any] = {member(record.key): actual.astype("float32")}
    np.savez(folder / "torch-eager-core.npz", **kept)


def test_show_tells_a_claim_and_how_it_is_checked(conformance: Command, tmp_path: Path) -> None:
    lines = conformance("show", "D0-04", "--records", tmp_path).out.splitlines()
    assert lines[0] == "D0-04 (Transposed convolution by matrices, matrix form; cases/claims/000.toml)"
    assert any(line.startswith("  convolution-rows on jax") for line in lines)


def test_show_names_the_nearest(conformance: Command, tmp_path: Path) -> None:
    ended = conformance("show", "cover-2d-1488", "--records", tmp_path)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "the nearest is 'cover-2d-148'" in ended.err


def test_doctor_says_what_is_lacking_and_how_to_get_it(
    conformance: Command, clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONFORMANCE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(room, "NIGHT", (0, 0))  # free space differs between machines
    ended = conformance("doctor", "--json")
    checks = {check["name"]: check for check in map(json.loads, ended.out.splitlines())}
    assert checks["cases"]["here"] == str(cases_folder())
    assert checks["cache"]["here"] == f"{tmp_path / 'cache'}, 0 MB"
    assert checks["mxnet"]["fix"] == f"`tox run -e mxnet --notest` in {clone}"
    assert ended.status == 0
    assert list(tmp_path.iterdir()) == []
    assert re.search(r"^no +mxnet ", conformance("doctor").out, re.MULTILINE)


@pytest.mark.slow
def test_doctor_ends_with_1_where_something_is_to_be_mended(
    conformance: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "NIGHT", (2**60, 2**61))
    ended = conformance("doctor")
    assert ended.status == 1
    assert "lacks  disk" in ended.out
    assert "for the environments of a night: free " in ended.out
