"""conformance generate: the generated case files."""

from collections.abc import Mapping
from functools import partial

import click

from conformance.cli.options import QUIET
from conformance.io.atomic import require_our_file, write_atomically
from conformance.io.folders import cases_folder
from conformance.io.terminal import echo, progress
from conformance.suites import cases, generate
from conformance.vectors.chosen import path


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if a file differs from what would be written.")
@click.option("--vectors", is_flag=True, help="Only choose the cases of test vectors. Takes minutes.")
@QUIET
def command(check: bool, vectors: bool) -> int:
    """Write the generated case files. The same version writes the same bytes.

    The cases of test vectors are chosen so that they detect all wrong implementations of the audit. They are chosen
    again only with --vectors. `conformance audit` fails if they no longer detect all.
    """
    files = _chosen() if vectors else generate.files(partial(progress, what="cases", unit="file"))
    different = generate.differences(cases_folder(), files)
    if check:
        for name in different:
            made_by = "conformance generate --vectors" if vectors else "conformance generate"
            echo(f"{cases_folder() / name}: is not what `{made_by}` writes: run it and commit the file")
        return int(bool(different))
    for name in different:
        require_our_file(cases_folder() / name, f'"format": "{cases.FORMAT}"', "Written by `conformance generate")
    for name, text in files.items():
        if name in different:
            write_atomically(cases_folder() / name, text.encode())
        echo(f"{cases_folder() / name}: {'written' if name in different else 'unchanged'}")
    return 0


def _chosen() -> Mapping[str, str]:
    """The file of the cases that test vectors are made of, by its name."""
    from conformance.audit import choice  # every mutant, which the other files need not

    return {path().relative_to(cases_folder()).as_posix(): choice.text()}
