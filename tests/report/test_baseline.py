"""The report against the run before it: the front page says what changed, and links to all of it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import commands
from conformance.records.record import Verdict
from conformance.records.record_file import write
from tests.report.test_report import record, run


@pytest.fixture
def nights(tmp_path: Path) -> tuple[Path, Path]:
    """The records of two nights: in the second a case is refused that was answered."""
    old, new = tmp_path / "old", tmp_path / "new"
    cases = [record(name, expected="e", actual="e") for name in ("a", "b", "c")]
    refused = record("c", Verdict.REJECTS, message="RuntimeError: no")
    write(old / "torch-eager-core.jsonl", run(records=cases))
    write(new / "torch-eager-core.jsonl", run(records=[*cases[:2], refused], started="2025-01-03T03:04:05+00:00"))
    return old, new


def report(records: Path, baseline: Path, page: Path) -> tuple[int, str]:
    arguments = ["report", "--records", str(records), "--to", str(page), "--lane", "torch-eager"]
    result = CliRunner().invoke(commands, [*arguments, "--baseline", str(baseline)], standalone_mode=False)
    assert result.exception is None, result.output
    return int(result.return_value), page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_front_page_says_what_changed_and_where_to_read_on(nights: tuple[Path, Path], tmp_path: Path) -> None:
    status, front = report(nights[1], nights[0], tmp_path / "index.html")
    assert status == 1
    assert "<strong>newly-refused</strong> <b>torch-eager</b>" in front
    assert 'href="site/changes.html"' in front
    changes = (tmp_path / "site" / "changes.html").read_text(encoding="utf-8")
    assert "RuntimeError: no" in changes
    assert '<nav aria-label="Pages">' in changes
    assert 'href="case.html#' in changes


def test_a_night_like_the_one_before_has_no_change(nights: tuple[Path, Path], tmp_path: Path) -> None:
    _, front = report(nights[0], nights[0], tmp_path / "index.html")
    assert "Nothing changed since the run that this one was compared with." in front
