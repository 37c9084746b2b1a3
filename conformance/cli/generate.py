"""conformance generate: the generated case files."""

import click

from conformance.io.atomic import require_our_file, write_atomically
from conformance.io.folders import cases_folder
from conformance.io.terminal import echo
from conformance.suites import cases, generate


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if a file differs from what would be written.")
def command(check: bool) -> int:
    """Write the generated case files, the same bytes every time."""
    different = generate.differences(cases_folder())
    if check:
        for name in different:
            echo(f"{cases_folder() / name}: is not what `conformance generate` writes: run it and commit the file")
        return int(bool(different))
    for name in different:
        require_our_file(cases_folder() / name, f'"format": "{cases.FORMAT}"')
    for name, text in generate.files().items():
        if name in different:
            write_atomically(cases_folder() / name, text.encode())
        echo(f"{cases_folder() / name}: {'written' if name in different else 'unchanged'}")
    return 0
