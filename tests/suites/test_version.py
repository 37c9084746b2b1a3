"""The version of the cases: every vector is what its hash says, and a change of one raises the number."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import conformance
from conformance.cli import commands
from conformance.cli.cases import Version, computed_version, read_version
from conformance.io.folders import cases_folder
from conformance.suites.cases import CaseError

ROOT = Path(__file__).parents[2]
HERE = read_version(cases_folder() / "vectors.txt")


def test_every_vector_is_what_its_hash_says() -> None:
    computed = computed_version(HERE)
    assert computed.changes_since(HERE) == [], "`conformance cases version --write`, and tell it in CHANGELOG.md"
    assert computed == HERE


@pytest.mark.parametrize(
    ("older", "number", "changes"),
    [
        (HERE.vectors, 0, []),
        ({**HERE.vectors, "smoke-1d-01": "0" * 12}, 1, [("changed", "smoke-1d-01")]),
        ({**HERE.vectors, "of-old": "0" * 12}, 1, [("gone", "of-old")]),
        ({name: value for name, value in HERE.vectors.items() if name != "smoke-1d-01"}, 0, [("new", "smoke-1d-01")]),
    ],
    ids=["the same", "changed", "gone", "new"],
)
def test_the_number_grows_where_a_vector_changes_or_goes(
    older: dict[str, str], number: int, changes: list[tuple[str, str]]
) -> None:
    before = Version(7, older)
    after = computed_version(before)
    assert after.changes_since(before) == changes
    assert after.number == 7 + number


def test_which_vectors_changed_since_another_version_is_told(tmp_path: Path) -> None:
    older = tmp_path / "vectors.txt"
    older.write_text(Version(0, {**HERE.vectors, "smoke-1d-01": "0" * 12, "of-old": "0" * 12}).text())
    done = CliRunner().invoke(commands, ["cases", "version", "--since", str(older)], standalone_mode=False)
    assert done.output.splitlines() == [str(HERE), "  changed  smoke-1d-01", "  gone     of-old"]


@pytest.mark.parametrize("text", ["", "version 1\n", "# Hashes\nversion 1\nx y\n"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.txt").write_text(text)
    with pytest.raises(CaseError, match=r"x\.txt: is no file of hashes of vectors: give cases/vectors\.txt"):
        read_version(tmp_path / "x.txt")


def test_the_changelog_names_this_version_of_the_package_and_of_the_cases() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = text.split("\n## ")[1]
    assert newest.startswith(conformance.__version__)
    assert f"Version {HERE.number} of the cases" in newest
