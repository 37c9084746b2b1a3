"""The command line: one small module a verb, imported only when its verb is used."""

import importlib
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import click

from conformance.io.atomic import explain
from conformance.io.exit_status import USAGE
from conformance.io.terminal import abridged, echo, one_line

VERBS = {
    "run": "Run a suite on a framework, case by case, in worker processes.",
    "one": "Evaluate a single problem in this process and show what comes out.",
    "adapter": "Write an adapter of your own, or a program in another language, and try it step by step.",
    "call": "Read a call as people write it, make it, and judge it by what it is claimed to mean.",
    "sizes": "Name the calls that turn one size into another, and the sizes that pass a stack of layers.",
    "diagnose": "Name the misreading that explains an array, or a record file's divergences.",
    "diff": "Say what changed from one build's records to another's.",
    "expect": "Hold known divergences and refusals against records: check, explain, propose, prune.",
    "borders": "Draw problems in and around every known region, and hold what is predicted of them.",
    "history": "Keep runs, and say since when a case, or a region of cases, is what it is.",
    "upgrade": "Run two versions of a framework, and say what changed.",
    "bisect": "Find the first version that has a change.",
    "port": "Translate a call from one framework to another, and prove it by running both.",
    "conventions": "Write the handbook of conventions, and what a run has proved of them.",
    "domain": "State what each lane accepts and where its domain ends, from record files.",
    "properties": "Check what must hold of a framework whatever the oracle says.",
    "fuzz": "Draw problems, run them, and shrink the first that diverges to a case.",
    "coverage": "Count the combinations of parameters that each lane answered, and say why others were not.",
    "claims": "What is written about transposed convolution: list, show, check.",
    "cases": "Explore the cases: list, show, count, version.",
    "audit": "Run wrong implementations against the cases: which are killed, and by which case.",
    "confirm": "Confirm the divergences of a record file by other oracles and by scripts of plain framework code.",
    "generate": "Write the generated case files again, or check that they are what they must be.",
    "vectors": "Write test vectors for an implementation in any language: JSON, and ONNX models.",
    "merge": "Join the record files of a run's shards.",
    "report": "Build the HTML report from record files.",
}


class _Verbs(click.Group):
    """Commands by name; the help texts stand above so that --help imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, help="Do deep learning frameworks agree on transposed convolution, and where not, how?")
@click.version_option(package_name="conformance")
def commands() -> None:
    """The group that holds the verbs."""


def main() -> None:
    """The program: a user's mistake is one line and exit status 2, never a traceback."""
    _open_closed_streams()
    try:
        status: Any = commands(standalone_mode=False)
        sys.stdout.flush()  # so that a full disk behind it is told here, and not while the interpreter ends
    except click.exceptions.NoArgsIsHelpError as error:
        echo(error.format_message(), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _end(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        _discard_output()
        sys.exit(0)
    except ValueError as error:
        if not type(error).__module__.startswith("conformance."):
            raise
        _end(str(error), USAGE)
    except MemoryError as error:
        _end(f"out of memory: {error}: give a smaller problem", USAGE)
    except OSError as error:
        if error.filename is None:
            _discard_output()
        _end(explain(error), USAGE)
    sys.exit(status or 0)


def _open_closed_streams() -> None:
    """Open the null device for each standard stream that the caller closed, so that no file takes its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115  # open until the program ends
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def _end(message: str, status: int) -> NoReturn:
    echo(f"conformance: {abridged(one_line(message))}", err=True)
    sys.exit(status)


def _discard_output() -> None:
    """Let what is still to be printed go nowhere, since the interpreter would try again as it ends."""
    with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
