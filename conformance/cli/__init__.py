"""The command line: one small module a verb, imported only when its verb is used."""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

import click

from conformance.cli.forms import BEFORE, FORMS, chosen, whole
from conformance.cli.settings import defaults
from conformance.io.atomic import explain
from conformance.io.exit_status import OK, USAGE
from conformance.io.terminal import abridged, echo, one_line

GROUPS = {
    "Ask": {
        "demo": "Three real questions, each with its command and its answer.",
        "call": "What a call or a problem means, and what frameworks answer.",
        "scan": "What each transposed convolution of a model file means.",
        "sizes": "Calls from one size to another; the sizes that a stack takes.",
        "port": "A call rewritten for another framework, proved by running both.",
        "diagnose": "Which misreading explains an array, or a file's divergences.",
        "claims": "Statements of tutorials about the operator, measured here.",
    },
    "Run": {
        "run": "A suite on a framework, case by case, in worker processes.",
        "check": "Your own function, tested with a suite.",
        "adapter": "Write an adapter or a program of your own, and check it.",
        "vectors": "Test vectors for any language: JSON, and ONNX models.",
        "sweep": "Millions of problems of a space, in blocks, on a lane.",
        "fuzz": "Drawn problems, of a space or of known regions; shrinks a find.",
    },
    "Compare": {
        "diff": "What changed between two runs, two scans or two versions.",
        "expect": "Known divergences and refusals: check, explain, propose.",
        "replay": "Published faults, each in a version with it and one without.",
        "history": "Kept runs: since when a case or a region has its verdict.",
    },
    "Look": {
        "lanes": "The lanes: where installed, in which version, when last run.",
        "show": "A case, a known fault, a fault of the report, or a record.",
        "report": "The HTML report from record files.",
        "cases": "The cases: list, show, count, version.",
        "domain": "What each lane accepts, and what was never answered.",
    },
    "Maintain": {
        "doctor": "What this machine has and lacks, and how to get it.",
        "merge": "Join the record files of a run's shards.",
        "audit": "Whether the cases find faults, and whether verdicts are true.",
        "generate": "Write the generated files again, or check them.",
    },
}
"""The verbs by what they are for, each with one line of help that fits 80 columns."""

VERBS = {verb: text for group in GROUPS.values() for verb, text in group.items()}


class _ReaderGoneError(Exception):
    """Whoever read the output has closed it, which click would take for a failure."""


class _InterruptedError(Exception):
    """Ctrl-C, for which click would print an empty line."""


class _Verbs(click.Group):
    """Commands by name; the help texts stand above so that --help imports none of them."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _ReaderGoneError from None
        except KeyboardInterrupt:
            raise _InterruptedError from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS and cmd_name not in BEFORE:
            ctx.fail(f"there is no verb {cmd_name!r}{_nearest(cmd_name)}: `conformance --help` lists them")
        return whole(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, words = super().resolve_command(ctx, args)
        assert name is not None
        assert command is not None
        form = name
        if name in FORMS:
            form, command, words = chosen(name, words)
        if not ctx.resilient_parsing and "--help" not in words:
            ctx.default_map = {form: defaults(name, command, FORMS.get(name, ()))}
        return form, command, words

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, VERBS))
        for name, verbs in GROUPS.items():
            with formatter.section(name):
                formatter.write_dl([(verb.ljust(width), text) for verb, text in verbs.items()])


def _nearest(name: str) -> str:
    from difflib import get_close_matches  # only a mistake needs it

    near = get_close_matches(name, VERBS, 1)
    return f", the nearest is {near[0]!r}" if near else ""


@click.group(
    cls=_Verbs,
    help="Do deep learning frameworks agree on transposed convolution? Where they do not, how do they differ?",
)
@click.version_option(package_name="conformance")
def commands() -> None:
    """The group that holds the verbs."""


def main() -> None:
    """The program: a user's mistake is one line and exit status 2, never a traceback. Raises KeyboardInterrupt."""
    _open_closed_streams()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # of what its encoding lacks, as standard error has it
    try:
        status: Any = commands(standalone_mode=False)
        sys.stdout.flush()  # so that a full disk behind it is told here, and not while the interpreter ends
    except click.exceptions.NoArgsIsHelpError as error:
        asked = error.ctx is not None and error.ctx.parent is None
        echo(error.format_message(), err=not asked)
        sys.exit(OK if asked else error.exit_code)
    except click.UsageError as error:
        from conformance.cli.examples import told  # only a mistake needs it

        _end(told(error), error.exit_code)
    except click.ClickException as error:
        _end(error.format_message(), error.exit_code)
    except (click.Abort, _InterruptedError):
        raise KeyboardInterrupt from None
    except (BrokenPipeError, _ReaderGoneError):
        _discard_output()
        sys.exit(0)
    except ValueError as error:
        if not type(error).__module__.startswith("conformance."):
            raise
        _end(str(error), USAGE)
    except ModuleNotFoundError as error:
        if not error.name or error.name.partition(".")[0] == __name__.partition(".")[0]:
            raise
        _end(f"the module {error.name} is not installed for {sys.executable}: install it there with pip", USAGE)
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
