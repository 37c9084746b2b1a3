"""What opens a file that a user or a stranger gives goes through `conformance/io/bounded.py`."""

import ast
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.io.bounded import LARGEST_TEXT, BoundError, read_named_text
from conformance.io.folders import PACKAGE

READS = ("open", "read_text", "read_bytes", "np.load", "json.load")
EXEMPT = {
    "analysis/content/constants.py": "our own sources",
    "audit/fakes/__init__.py": "what it made itself",
    "audit/fakes/answers.py": "what a fake peeks at",
    "adapters/base.py": "a header of the C library",
    "calls/kept.py": "our own sources",
    "calls/verify.py": "what our own process said",
    "cli/__init__.py": "the null device",
    "io/atomic.py": "files that it makes itself, and descriptors to lock",
    "io/folders.py": "what pip wrote of our own package",
    "processes/isolation.py": "our own log",
    "processes/lane_process.py": "the null device",
    "processes/memory.py": "/proc",
    "processes/pulse.py": "our own pulse",
    "regression/room.py": "our own page, and what it wrote of an environment",
    "processes/tree.py": "/proc",
    "records/machine.py": "/proc",
    "regression/environments.py": "our own tox.ini and sources",
    "report/changes.py": "our own script",
    "report/site.py": "our own scripts",
    "runner/controller.py": "our own log",
    "runner/items.py": "our own log",
    "suites/reference_cache.py": "its own source",
    "suites/references.py": "our own sources",
    "testing/check.py": "what our own process said",
    "testing/report.py": "arrays that our own process wrote",
}


def reads(source: Path) -> Iterator[str]:
    """The calls in a source that open a file, but for those of functions that `bounded` gives."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    bounded = {
        name.asname or name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in ("conformance.io.bounded", "conformance.io.array_files")
        for name in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            last = called.rpartition(".")[2]
            if called not in bounded and (called in READS or ("." in called and last in READS)):
                yield f"{called}:{node.lineno}"


@pytest.mark.slow
def test_every_read_is_bounded_or_has_a_reason() -> None:
    sources = {path.relative_to(PACKAGE).as_posix(): list(reads(path)) for path in PACKAGE.rglob("*.py")}
    unbounded = {name: calls for name, calls in sources.items() if calls and name != "io/bounded.py"}
    assert unbounded.keys() == EXEMPT.keys(), {name: unbounded.get(name) for name in unbounded.keys() ^ EXEMPT.keys()}


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 31)


def nested(path: Path) -> None:
    path.write_text("[" * 100_000, encoding="utf-8")


BAD = (pipe, endless, sparse)


def conformance(*words: str, **variables: str) -> tuple[int, str]:
    """The exit status and all output of a command."""
    done = subprocess.run([sys.executable, "-m", "conformance", *words], env=os.environ | variables, timeout=120,
                          capture_output=True, text=True, check=False)  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("make", [*BAD, nested])
def test_evidence_that_has_no_end_is_told_in_a_line(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "proved.json")
    status, out = conformance("conventions", "--check", CONFORMANCE_CASES=str(tmp_path))
    assert (status, out.count("\n")) == (2, 1), out
    assert f"{tmp_path / 'proved.json'}: " in out


@pytest.mark.parametrize("make", [*BAD, nested])
def test_an_adapter_that_has_no_end_is_told_in_a_line(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "endless_adapter.py")
    status, out = conformance("run", "endless_adapter", "--suite", "smoke", CONFORMANCE_ADAPTERS=str(tmp_path))
    assert (status, out.count("\n")) == (2, 1), out
    assert f"{tmp_path / 'endless_adapter.py'}: " in out


@pytest.mark.parametrize("make", BAD)
@pytest.mark.parametrize("words", [("conventions",), ("claims", "errata")])
def test_a_document_that_has_no_end_is_told_in_a_line(
    make: Callable[[Path], None], words: tuple[str, ...], tmp_path: Path
) -> None:
    document = tmp_path / "document.md"
    make(document)
    status, out = conformance(*words, "--check", "--to", str(document))
    assert (status, out.count("\n")) == (2, 1), out
    assert f"{document}: " in out


def test_more_than_is_read_names_the_file(tmp_path: Path) -> None:
    sparse(tmp_path / "a")
    with pytest.raises(BoundError, match=f"a: has more than {LARGEST_TEXT} bytes"):
        read_named_text(tmp_path / "a")


def test_text_that_is_not_utf8_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff")
    with pytest.raises(BoundError, match="a: is not UTF-8 text"):
        read_named_text(tmp_path / "a")
