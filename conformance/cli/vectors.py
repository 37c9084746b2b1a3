"""conformance vectors: test vectors as files, for an implementation in any language."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.cli.options import QUIET
from conformance.io.atomic import replace_folder, require_our_folder
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.terminal import echo, plural
from conformance.suites.cases import read_suite
from conformance.vectors.changes import changes, read_index
from conformance.vectors.chosen import SUITES, chosen_of

if TYPE_CHECKING:
    from conformance.vectors.making import Made


@click.command()
@QUIET
@click.option(
    "--suite",
    type=click.Choice(SUITES),
    default=SUITES[0],
    show_default=True,
    help="The suite that the cases come from.",
)
@click.option("--out", type=Path, help="The folder to write. It is replaced if this command wrote it.")
@click.option("--onnx", "with_onnx", is_flag=True, help="Also write ONNX models, as onnx's node tests; needs onnx.")
@click.option("--diff", nargs=2, type=Path, metavar="OLD NEW", help="Say which vectors of two folders differ.")
def command(suite: str, out: Path | None, with_onnx: bool, diff: tuple[Path, Path] | None) -> int:
    """Write test vectors: operands, attributes and the only right answer, as JSON with an index.

    The vectors are the chosen cases of a suite. Those of core detect every wrong implementation of the audit. Each
    vector says why it is there, which misreadings and known faults it detects, and how to write it in PyTorch,
    TensorFlow and ONNX. Exit status: 0, or 2 for usage; with --diff, 1 if vectors differ.
    """
    if diff is not None and out is None:
        return _say_changes(*diff)
    if out is None or diff is not None:
        raise click.UsageError("give a folder with --out, or two with --diff, and not both")
    if with_onnx and importlib.util.find_spec("onnx") is None:
        raise click.UsageError("--onnx needs the package onnx: install it, or the extra onnx of this package")
    from conformance.vectors import writing  # slow, and --diff needs none of it

    require_our_folder(out, lambda _: False)
    vectors = list(writing.made(suite))
    files = [*writing.files(suite, vectors), *(_onnx_files(vectors) if with_onnx else ())]
    replace_folder(out, files)
    size = sum(len(content) for _, content in files)
    counts = f"{plural(len(vectors), 'vector')}, {size:,} bytes in {plural(len(files), 'file')}"
    echo(f"{out}: {counts}; read index.json first")
    if lacking := len(read_suite(suite).cases) - len(chosen_of(suite).cases):
        echo(f"no vector of {plural(lacking, 'case')} of {suite}: the vectors of core detect the same wrong "
             "implementations without them")  # fmt: skip
    return OK


def _onnx_files(vectors: "list[Made]") -> Iterator[tuple[str, bytes]]:
    from conformance.vectors import onnx_tests  # which imports onnx

    return onnx_tests.files(vectors)


def _say_changes(old: Path, new: Path) -> int:
    found = changes(read_index(old), read_index(new))
    for what, ids in (("added", found.added), ("removed", found.removed), ("changed", found.changed)):
        for vector in ids:
            echo(f"{what}: {vector}")
    echo(f"{len(found.added)} added, {len(found.removed)} removed, {len(found.changed)} changed")
    return DIVERGED if found else OK
