"""conformance check: a function of yours put to a suite."""

import importlib
import shlex
import sys
from collections.abc import Mapping, Sequence
from functools import reduce
from inspect import signature
from pathlib import Path
from typing import Any

import click

import conformance
from conformance.cli.options import EXPECTATIONS, QUIET, number
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.terminal import echo, one_line
from conformance.suites.cases import SUITES
from conformance.suites.expectation_files import give, require_asked

REFERENCE = "MODULE:FUNCTION"
SECONDS: float = signature(conformance.check).parameters["seconds"].default


@click.command()
@click.argument("function", metavar=REFERENCE)
@click.option("--suite", default="", help="The suite (default: core, or the suite that has the cases of --case).")
@click.option("--case", "cases", multiple=True, metavar="ID", help="Only this case; repeatable.")
@click.option("--where", default="", metavar="PREDICATE", help="Only problems of this kind, such as 'rank == 2'.")
@click.option("--dtype", "dtypes", multiple=True, help="Only this dtype; repeatable.")
@click.option("--data", default="n c k", show_default=True, help="The order of axes of data.")
@click.option("--weight", default="(g i) o k", show_default=True, help="The order of axes of the weight.")
@click.option(
    "--tensor",
    metavar=REFERENCE,
    help="The function that converts a NumPy array to an operand, such as torch:from_numpy.",
)
@click.option("--seconds", default=SECONDS, show_default=True, type=float, callback=number,
              help="Seconds of CPU time or of sleep that a call may take.")  # fmt: skip
@click.option("--name", default="", help="The name in records (default: the function's name).")
@click.option("--records", default="reports/records", show_default=True, type=Path, help="Where the record file goes.")
@EXPECTATIONS
@QUIET
def command(
    function: str,
    suite: str,
    cases: Sequence[str],
    where: str,
    dtypes: Sequence[str],
    data: str,
    weight: str,
    tensor: str | None,
    seconds: float,
    name: str,
    records: Path,
    expectations: Sequence[str],
) -> int:
    """Test the function MODULE:FUNCTION with a suite, as `conformance.check` does, and write its record file.

    The module is imported from this folder or from the environment. A layout is written in letters: n batch, c
    channels, g groups, i and o input and output channels of a group, k all spatial axes. Exit status: 0 all as
    expected, 1 a case diverges or fails in another way, or no case conforms, 2 usage.
    """
    options = {"--data": data, "--weight": weight, "--tensor": tensor, "--seconds": seconds, "--name": name}
    given = _words(function, options, suite)
    name = name or function.rpartition(":")[2].rpartition(".")[2]
    require_asked(give(expectations), [name])
    sys.path.insert(0, str(Path.cwd()))
    report = conformance.check(
        _named(function), data=data, weight=weight, suite=suite, cases=cases, where=where,
        dtypes=dtypes, tensor=None if tensor is None else _named(tensor), name=name, seconds=seconds,
    )  # fmt: skip
    report.again = lambda record: shlex.join([*given, "--case", record.case, "--dtype", record.dtype])
    file = report.write(records)
    echo(f"{report}\n{file}")
    if report.faults:
        witness = shlex.quote(report.faults[0].witness.case)
        echo(f"next: `conformance show {file} {witness}` has the smallest case in whole; `conformance report --records "
             f"{file.parent}` makes pages of all")  # fmt: skip
    return OK if report.conforms else DIVERGED


def _words(function: str, options: Mapping[str, object], suite: str) -> list[str]:
    """The command that puts a case to a function again, but for the case: the options that were given."""
    defaults = {option.opts[0]: option.default for option in command.params}
    given = [(name, str(value)) for name, value in options.items() if value and value != defaults[name]]
    given += [("--suite", suite)] if suite and suite not in SUITES else []
    return ["conformance", "check", function, *(word for pair in given for word in pair)]


def _named(reference: str) -> Any:
    """The object that a reference names. Raises click.UsageError where there is none."""
    module, _, names = reference.partition(":")
    if not module or not names:
        raise click.UsageError(f"'{reference}': give {REFERENCE}, such as mylib.layers:conv_transpose")
    try:
        return reduce(getattr, names.split("."), importlib.import_module(module))
    except AttributeError as error:
        raise click.UsageError(f"'{reference}': {one_line(str(error))}: give {REFERENCE}") from None
    except Exception as error:
        what = f"{type(error).__name__}: {one_line(str(error))}"
        step = "fix what it says"
        if isinstance(error, ModuleNotFoundError):
            step = f"install it into the environment of {sys.executable}, or run this in its folder"
        raise click.UsageError(f"'{reference}': {module} cannot be imported here, {what}: {step}") from None
