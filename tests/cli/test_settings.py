"""Defaults of options in pyproject.toml."""

from pathlib import Path

import pytest

from tests.cli.test_cli import Command


@pytest.fixture
def conformance(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capfd)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder below that of a pyproject.toml, which is worked in."""
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    return tmp_path / "pyproject.toml"


def test_an_option_has_the_default_of_the_project_and_a_command_line_stands_before_it(
    conformance: Command, project: Path
) -> None:
    project.write_text('[tool.conformance.options.cases.list]\nsuite = "smoke"\nprobes = "dilation"\n')
    smoke = conformance("cases", "list").out
    assert smoke == conformance("cases", "list", "--suite=smoke", "--probes=dilation").out
    assert smoke != conformance("cases", "list", "--suite=curated").out != ""


def test_a_path_is_relative_to_the_file(conformance: Command, project: Path) -> None:
    project.write_text('[tool.conformance.options.domain]\nrecords = "out/records"\n')
    assert f"{project.parent / 'out/records'}: has no record files" in conformance("domain").err
    assert f"{project.parent / 'out/records'}: has no record files" in conformance("domain", "--coverage").err


def test_options_of_one_form_are_none_of_another(conformance: Command, project: Path) -> None:
    project.write_text("[tool.conformance.options.call]\nclaim = true\n")
    assert conformance("call", "torch", "nn.ConvTranspose1d(1, 1, 2)").out.startswith("means")
    assert "absent" in conformance("call", "absent", "i3 k2").err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.conformance.options.report]\nrecord = 'a'\n", "has 'record', which is no option of it"),
        ("[tool.conformance.options]\nreport = 'a'\n", "[tool.conformance.options.report] is no table"),
        ("[tool.conformance\n", "cannot be read"),
        ("tool = 5 # conformance\n", "cannot be read"),
        ("[tool.conformance.options.report]\nrecords = 5\n", "5: has no record files"),
    ],
)
def test_a_table_that_is_not_understood_is_told_in_a_line(
    conformance: Command, project: Path, text: str, words: str
) -> None:
    project.write_text(text)
    ended = conformance("report")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "pyproject.toml" in ended.err or "no record files" in ended.err
    assert words in ended.err
