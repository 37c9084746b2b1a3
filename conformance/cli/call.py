"""conformance call: a call, or every call of a source file, read; and one that is known in whole, made."""

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import click

from conformance import adapters, idioms
from conformance.adapters.base import Lane
from conformance.calls.meaning import Meaning, pointed, understand
from conformance.calls.meaning.other_lanes import OtherLane, answered_elsewhere, as_data, other_lanes
from conformance.calls.meaning.wording import as_json, lines
from conformance.cli.options import VERBOSE, framework_of
from conformance.idioms import Reading, arithmetic
from conformance.idioms.base import DTYPES, HALVES, INTEGERS, ClaimedCall, Refusal
from conformance.io.bounded import read_source, require_no_path
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.terminal import abridged, echo, one_line, plural
from conformance.problem import FORWARD, PASSES

DIGITS = 18
"""Digits that an extent may have."""
INSTEAD = 'give a problem, as in `conformance call {name} "i5x7 k3 s2 p1"`'
"""The next step for a framework whose calls are not known."""


class ShapeError(ValueError):
    """A shape, or a source file, that cannot be read."""


@click.command()
@click.argument("framework")
@click.argument("expression")
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="NAME=DIMS",
    help="The shape of a tensor, such as x=1,8,5,7; repeatable.",
)
@click.option(
    "--let", "lets", multiple=True, metavar="NAME=VALUE", help="The value of a name, such as ngf=64; repeatable."
)
@click.option("--variant", help="How the framework executes (default: its first variant).")
@click.option("--dtype", default="float32", show_default=True, type=click.Choice((*DTYPES, *HALVES, *INTEGERS)),
              help="The dtype of operands and answer.")  # fmt: skip
@click.option(
    "--pass", "direction", default=FORWARD, show_default=True, type=click.Choice(PASSES),
    help="Forward, or the gradient of the problem that it means, with respect to an operand.",
)  # fmt: skip
@click.option(
    "--lane",
    "lanes",
    multiple=True,
    metavar="NAME",
    help="Run the problem that the call means on these lanes, frameworks, or all; repeatable.",
)
@click.option("--case", "case_id", help="Use the data of the case with this id.")
@click.option("--claim", is_flag=True, help="Say what it means, and make no call.")
@VERBOSE
@click.option("--json", "json_", is_flag=True, help="Print what it means as JSON, and make no call.")
def command(
    framework: str, expression: str, shapes: tuple[str, ...], lets: tuple[str, ...], variant: str | None, dtype: str,
    direction: str, lanes: tuple[str, ...], case_id: str | None, claim: bool, json_: bool,
) -> int:  # fmt: skip
    """Read EXPRESSION, a call of FRAMEWORK as people write it, such as "torch.nn.ConvTranspose2d(8, 4, 3, stride=2)".

    FRAMEWORK may be the name of a module, such as keras. This prints what the call means, makes the call on exact data,
    and compares the answer. A layer's input is called x. Write None for an extent that is not known. For a file, such
    as model.py, or for several calls, it lists what each call means; model.py:12 is the call on line 12. Nothing in a
    file is evaluated. With --pass it computes a gradient of the problem that the call means. With --lane it runs this
    problem on other lanes. In an integer dtype it also runs this problem, because the weights of a layer are floats.
    Exit status: 0 the call does what is claimed, 1 it does not. If no call is made: 0 the call has a meaning, 1 the
    framework is claimed to refuse the call. 2 usage, or no idiom says what the call means.
    """
    named, framework = framework, framework_of(framework, INSTEAD)
    lane = adapters.lane(framework, variant)
    name, picked, text = source_of(expression)
    given = parse_lets(lets, text)
    entries = list(idioms.read_all(framework, text, given))
    file = bool(name) and picked is None
    listed = file or (not name and len(entries) > 1)
    if shapes and listed:
        _refuse_shapes(name, entries)
    elsewhere_or_back = direction != FORWARD or bool(lanes)
    _require_asked(case_id, elsewhere_or_back, bool(lanes), listed=listed, made=not (claim or json_ or listed))
    if listed:
        return _list(lane, expression if file else "line", dtype, json_, entries)
    reading = idioms.reading(framework, expression, given) if picked is None else of_line(name, picked, entries)
    of = parse_shapes(shapes)
    meaning = _understood(lane, reading, of, dtype, expression, json_=json_)
    others = other_lanes(lane, reading, of, dtype, meaning)
    if json_:
        echo(json.dumps(_document(meaning, others), indent=2))
        return DIVERGED if meaning.refused else OK
    if case_id is not None:
        _require_case(lane, case_id)
    point = None if claim else _point(lane, reading, of, dtype)
    for line in _said(meaning, others):
        echo(abridged(line))
    if point is None:
        return DIVERGED if meaning.refused else OK
    if elsewhere_or_back or dtype in INTEGERS:
        return _ask(lane, lanes, point, dtype, direction, case_id)
    _require_installed(lane, named)
    return _make(lane, point, dtype, case_id)


def source_of(expression: str) -> tuple[str, int | None, str]:
    """The source file of an expression and the line in it, if there are any, and the text that is to be read."""
    name, picked = _file_and_line(expression)
    if not name:
        step = "give a call, a source file, which ends in .py, or a line of one, as in model.py:12"
        require_no_path(expression, step)
    return name, picked, read_source(Path(name)) if name else expression


def _refuse_shapes(name: str, entries: Sequence[tuple[int, Reading | str]]) -> NoReturn:
    """Raise ShapeError for shapes that are given with several calls."""
    one = f"by its line, as in {name}:{entries[0][0]}" if name and entries else "alone"
    raise ShapeError(f"--shape is of the tensors of one call, and {len(entries)} are read here: give one {one}")


def _require_asked(case_id: str | None, elsewhere_or_back: bool, lanes: bool, *, listed: bool, made: bool) -> None:
    """Raise ShapeError for options that are about a call that is made, where none is."""
    if case_id is not None and not made:
        raise ShapeError("--case draws the data of a call that is made, and none is made here: leave it out, or "
                         f"{'give one call' if listed else 'leave out --claim and --json'}")  # fmt: skip
    if elsewhere_or_back and (not made or (lanes and case_id)):
        raise ShapeError("--pass and --lane ask for the answers to the problem of one call: give one, and leave out "
                         "--claim and --json, and --case beside --lane")  # fmt: skip


def _understood(
    lane: Lane, reading: Reading, of: Mapping[str, Any], dtype: str, expression: str, *, json_: bool
) -> Meaning:
    """What a call means. Raises IdiomError where it is refused, with the lanes that answer it."""
    try:
        return understand(lane.framework, reading, of, lane.variant, dtype)
    except Refusal as reason:
        if json_:
            echo(json.dumps({"framework": lane.framework, "call": reading.text, "refused": str(reason)}, indent=2))
        elsewhere = answered_elsewhere(lane, reading, of, dtype)
        raise idioms.IdiomError(f"{expression}: {reason}{elsewhere}") from None


def _file_and_line(expression: str) -> tuple[str, int | None]:
    """The source file that is given, and the line of the call in it, if one is given; no file for a call."""
    file, colon, line = expression.rpartition(":")
    if colon and file.endswith(".py") and line.isascii() and line.isdecimal() and "\n" not in file:
        return file, int(line[:DIGITS])
    return (expression, None) if expression.endswith(".py") else ("", None)


def of_line(file: str, line: int, entries: Sequence[tuple[int, Reading | str]]) -> Reading:
    """The one call on a line of a file. Raises IdiomError where there is none, several, or one that cannot be read."""
    of_line = [entry for at, entry in entries if at == line]
    if len(of_line) != 1:
        lines = ", ".join(dict.fromkeys(str(at) for at, _ in entries)) or "none"
        raise idioms.IdiomError(f"{file}:{line}: {len(of_line) or 'no'} calls are on this line: those with calls are "
                                f"{lines}: give one of these")  # fmt: skip
    (entry,) = of_line
    if isinstance(entry, str):
        raise idioms.IdiomError(f"{file}:{line}: {entry}")
    return entry


def _said(meaning: Meaning, others: Sequence[OtherLane]) -> Iterator[str]:
    yield from lines(meaning)
    for other in others:
        yield from other.lines(meaning.refused)


def _document(meaning: Meaning, others: Sequence[OtherLane]) -> dict[str, Any]:
    return {**as_json(meaning), "other_lanes": as_data(others)}


def _require_case(lane: Lane, case_id: str) -> None:
    """Raises CaseError where no call of a lane's suites has that id."""
    from conformance.cli.one import require_case
    from conformance.records.record import IDIOMS, PORTS

    require_case(lane, case_id, IDIOMS, PORTS)


def _require_installed(lane: Lane, named: str) -> None:
    """Raises AdapterError for a framework that is not installed, by the name that was given."""
    try:
        adapters.require_installed(lane.framework)
    except adapters.AdapterError as error:
        module = "" if named == lane.framework else f"{named}: "
        raise adapters.AdapterError(f"{module}{error}; with --claim, what is said above is all that is asked") from None


def _make(lane: Lane, point: ClaimedCall, dtype: str, case_id: str | None) -> int:
    """Make the call on exact data, and judge the answer."""
    from conformance.calls import suites
    from conformance.cli.one import show
    from conformance.suites.case import Asked

    case = suites.case_of(point, lane.framework)
    return show(lane, Asked(case if case_id is None else replace(case, id=case_id), dtype))


def _ask(lane: Lane, lanes: Sequence[str], point: ClaimedCall, dtype: str, direction: str, case_id: str | None) -> int:
    """Ask a lane, or others, of the problem that a call means, in a pass. Raises IdiomError where it means none."""
    from conformance.cli import one
    from conformance.suites.case import Asked, Case

    if point.claim.refused:
        raise idioms.IdiomError(f"{point.text}: is claimed to be refused, so that there is nothing to ask of it: "
                                f"{point.claim.refused}")  # fmt: skip
    descriptor = str(point.claim.problem)
    if lanes:
        return one.everywhere(lanes, [descriptor], dtype, direction, json_=False)
    problem = one.problem_of(descriptor, direction)
    return one.show(lane, Asked(Case(case_id or "one", problem, descriptor, "", (), ""), dtype, direction))


def _point(lane: Lane, reading: Reading, shapes: Mapping[str, Any], dtype: str) -> ClaimedCall:
    """The call as it can be made. Raises IdiomError where something of it is not known, or is not of the dtype."""
    if other := [cast for cast in reading.casts if cast != dtype]:
        raise idioms.IdiomError(f"{reading.function}: it is cast to {other[0]}, and the run is in {dtype}: leave the "
                                "cast out, or give --claim")  # fmt: skip
    if unknown := next((name for name, shape in shapes.items() if None in shape), ""):
        raise idioms.IdiomError(f"{reading.function}: {unknown} has an extent that is not known, so that no call can "
                                "be made: give all of them, or --claim")  # fmt: skip
    try:
        return pointed(lane.framework, reading, shapes, lane.variant, dtype)
    except Refusal as reason:
        raise idioms.IdiomError(f"{reading.text}: {reason}") from None


def _list(lane: Lane, name: str, dtype: str, json_: bool, entries: Sequence[tuple[int, Reading | str]]) -> int:
    """What every call of a source text means, or why it cannot be read."""
    calls = [(line, _listed(lane, entry, dtype)) for line, entry in entries]
    status = DIVERGED if any(not isinstance(read, str) and read[0].refused for _, read in calls) else OK
    if json_:
        echo(json.dumps([{"line": line, "refused": read} if isinstance(read, str) else _document(*read)
                         for line, read in calls], indent=2))  # fmt: skip
        return status
    name = one_line(name)
    for line, read in calls:
        if isinstance(read, str):
            echo(abridged(f"{name}:{line}: not read: {read}"))
            continue
        echo(abridged(f"{name}:{line}: {read[0].call}"))
        for text in _said(*read):
            echo(abridged(f"  {text.strip()}"))
    unread = sum(isinstance(read, str) for _, read in calls)
    echo(f"{plural(len(calls), 'call')}, {unread} of them not read")
    return status


def _listed(lane: Lane, entry: Reading | str, dtype: str) -> tuple[Meaning, Sequence[OtherLane]] | str:
    """What a call of a text means, here and in other lanes, or why it cannot be read."""
    if isinstance(entry, str):
        return entry
    try:
        meaning = understand(lane.framework, entry, {}, lane.variant, dtype)
        return meaning, other_lanes(lane, entry, {}, dtype, meaning)
    except (Refusal, idioms.IdiomError) as reason:
        return str(reason)


def parse_lets(lets: Sequence[str], text: str) -> dict[str, Any]:
    """Values by what they are of. Raises ShapeError for what does not stand in the text, or is given twice."""
    given = each_once("--let", [parse_let(let) for let in lets])
    if unknown := next((name for name in given if not idioms.stands_in(name, text)), ""):
        raise ShapeError(f"--let {unknown}: nothing of this name stands in the text")
    return given


def parse_let(text: str) -> tuple[str, Any]:
    """("ngf", 64) from "ngf=64"."""
    name, _, value = text.rpartition("=")
    try:
        number = arithmetic.value(ast.parse(value.strip(), mode="eval").body, {})
        return ast.unparse(ast.parse(name.strip(), mode="eval")), number
    except (SyntaxError, ValueError, RecursionError, MemoryError, arithmetic.NotLiteral):
        raise ShapeError(f"{text!r} gives no value: write a name and a literal, as in ngf=64") from None


def parse_shapes(texts: Sequence[str]) -> dict[str, tuple[int | None, ...]]:
    """Shapes by the names of tensors. Raises ShapeError for a name that is given twice."""
    return each_once("--shape", [parse_shape(text) for text in texts])


def each_once(option: str, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The values of a repeated option by name. Raises ShapeError for a name that is given twice."""
    names = [name for name, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise ShapeError(f"{option} {twice} is given twice: give it once")
    return dict(pairs)


def parse_shape(text: str) -> tuple[str, tuple[int | None, ...]]:
    """("x", (1, 8, 5, None)) from "x=1,8,5,None"; an extent that is not known may also be -1 or a name."""
    name, _, dims = text.partition("=")
    parts = [part.strip() for part in dims.split(",")]
    known = [(part.isascii() and part.isdecimal() and len(part) <= DIGITS) or part == "-1" or part.isidentifier()
             for part in parts]  # fmt: skip
    if not name.replace(".", "").isidentifier() or not all(known):
        raise ShapeError(f"{text[:100]!r} is not a shape: write the tensor's name and its extents, as in x=1,8,5,7")
    return name, tuple(int(part) if part.isdecimal() else None for part in parts)
