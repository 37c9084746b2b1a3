"""A record's call as a script of plain framework code, which needs nothing of this package.

It loads x.npy, w.npy and b.npy beside it, all in the order of axes that the call takes, and saves what comes out as
y.npy. The call is taken from the record's own text, so that no adapter has a part in it.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import idioms, layout
from conformance.adapters.base import unwindowed
from conformance.calls import native, program
from conformance.calls.port import port
from conformance.calls.program import Program
from conformance.idioms.base import ClaimedCall, Dialect
from conformance.io.terminal import one_line
from conformance.numerics import upstream
from conformance.numerics.operands import Arrays, draw, drawn_for, held_in
from conformance.problem import BIAS, FORWARD, INPUT, WEIGHT, Problem
from conformance.records import calls
from conformance.records.calls import RecordedCall, RecordedCallError
from conformance.records.record import Record, SubjectKind

Array = NDArray[Any]

_DOTTED = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)
_OPERAND = re.compile(r"\[[\d, ]*\]")
_NATIVE = re.compile(r"[A-Za-z_]\w*\(\[", re.ASCII)
"""Where the native call begins in the text of a gradient's call."""
_NAMES = {INPUT: "x", WEIGHT: "w", BIAS: "b"}


class ReproducerError(ValueError):
    """A record from whose text no script can be written; the message says which part is missing."""


@dataclass(frozen=True, slots=True)
class Reproducer:
    """A script and the program in it; `layout` is of the axes that y has where it is not canonical."""

    text: str
    program: Program
    problem: Problem
    layout: str = ""

    @property
    def operands(self) -> Mapping[str, Array]:
        """The arrays that the script loads, by name."""
        return self.program.arrays

    def canonical(self, y: Array) -> Array:
        """The script's y in canonical order."""
        return layout.restore(y, layout.DATA, self.layout) if self.layout else y


def write(record: Record) -> Reproducer:
    """The reproducer of a record that has a call. Raises ReproducerError."""
    if record.framework not in idioms.frameworks() or not record.call:
        raise ReproducerError(f"{record.case}: a call of {record.framework!r} cannot be written out")
    if record.direction != FORWARD:
        return _of_gradient(record)
    if record.subject is SubjectKind.PROBLEM:
        return _of_case(record)
    return _of_port(record) if record.subject is SubjectKind.PORT else _of_idiom(record)


def _of_idiom(record: Record) -> Reproducer:
    call = _called(record)
    point = idioms.read(record.framework, call.text, call.shapes, record.variant)
    problem = point.claim.problem
    written = program.of_call(point, _operands(record, point), record.dtype, _dialect(record))
    return Reproducer(_script(record, written), written, problem, point.claim.data)


def _of_port(record: Record) -> Reproducer:
    """The code that a port prints, and a call of it on the source's arrays."""
    call = _called(record)
    made = port(call.text, record.ported_from, record.framework, call.shapes, variant=record.variant)
    written = program.of_port(made, _operands(record, made.point), _dialect(record))
    return Reproducer(_script(record, written), written, made.source.claim.problem, made.point.claim.data)


def _called(record: Record) -> RecordedCall:
    """The call and the shapes of its operands that an idiom's record says."""
    try:
        return calls.parse(record.call)
    except RecordedCallError as error:
        raise ReproducerError(f"{record.case}: {error}") from None


def _dialect(record: Record) -> Dialect:
    return idioms.dialect(record.framework, record.dtype, record.variant)


def _operands(record: Record, point: ClaimedCall) -> list[Array | None]:
    return native.operands(point, *draw(record.case, point.claim.problem, record.dtype).astype(record.dtype))


def _of_case(record: Record) -> Reproducer:
    problem = Problem.parse(record.problem)
    call, taken = _native_call(record, record.call)
    given = _arranged(record, problem, draw(record.case, problem, record.dtype))
    unit = ["y = y[:, 0]"] if "unit-axis" in record.composed else []
    moved = ["y = np.moveaxis(y, -1, 1)"] if _channels_are_last(record) else []
    after = [*unit, *moved, *_finished(problem, record.composed)]
    written = program.of_text(call, given, _dialect(record), taken=[name for name in given if name in taken],
                              after=after)  # fmt: skip
    return Reproducer(_script(record, written), written, problem)


def _of_gradient(record: Record) -> Reproducer:
    """The gradient that the record's text has: the native call, with what comes from above put where it belongs."""
    problem, words = Problem.parse(record.problem), idioms.words(record.framework)
    if record.subject is not SubjectKind.PROBLEM or words is None or not words.gradient:
        raise ReproducerError(
            f"{record.case}: no script is written of this gradient: `conformance call --pass` makes it"
        )
    call, taken = _native_call(record, _inside(record))
    drawn = upstream.draw(record.case, problem, drawn_for(record.dtype))
    given = _arranged(record, problem, drawn.arrays)
    operand = _NAMES[record.direction]
    if operand not in taken:
        call, taken = words.biased.format(call), (*taken, operand)
    given = {name: array for name, array in given.items() if name in taken}
    given["g"] = _from_above(record, problem, drawn.upstream.astype(held_in(record.dtype)))
    after = _canonical(record, problem)
    lines = [line.format(call=call, operand=operand) for line in words.gradient]
    written = program.of_gradient(lines, given, _dialect(record), after=after)
    return Reproducer(_script(record, written), written, problem)


def _inside(record: Record) -> str:
    """The native call in the text of a gradient's call: from its name to the bracket that closes it."""
    if begin := _NATIVE.search(record.call):
        depth = 0
        for at, letter in enumerate(record.call[begin.start() :], begin.start()):
            depth += (letter == "(") - (letter == ")")
            if letter == ")" and not depth:
                return record.call[begin.start() : at + 1]
    raise ReproducerError(
        f"{record.case}: its call is {record.call[:80]!r}, which has no native call: run the lane again"
    )


def _from_above(record: Record, problem: Problem, g: Array) -> Array:
    """What comes from above, as the native answer lies: behind the cut that follows the call, and in its axes."""
    if "crop" in record.composed:
        g = unwindowed(problem.window, g)
    if "unit-axis" in record.composed:
        g = g[:, :, None]
    return np.moveaxis(g, 1, -1) if _channels_are_last(record) else g


def _canonical(record: Record, problem: Problem) -> list[str]:
    """What puts a native gradient into canonical order, in NumPy."""
    if record.direction == BIAS or not _channels_are_last(record):
        return []
    unit = "unit-axis" in record.composed
    if record.direction == INPUT:
        return ["y = y[:, 0]"] * unit + ["y = np.moveaxis(y, -1, 1)"]
    lines = ["y = y[0]"] * unit
    if "reversed kernel" not in record.composed:
        return [*lines, "y = np.moveaxis(y, (-2, -1), (1, 0))"]
    axes = tuple(range(3, 3 + problem.rank))
    shape = (*problem.kernel, problem.in_channels, problem.groups, problem.out_channels)
    return [
        *lines, f"y = np.moveaxis(y.reshape{shape}, (-3, -2, -1), (1, 0, 2))",
        f"y = np.flip(y, {axes}).reshape{problem.weight_shape}",
    ]  # fmt: skip


def _native_call(record: Record, text: str) -> tuple[str, Sequence[str]]:
    """A native call as text on x, w and b, and those of them that it takes. Raises ReproducerError."""
    function, _, arguments = text.removesuffix(")").partition("(")
    count = len(_OPERAND.findall(arguments.partition("=")[0]))
    names = iter(("x", "w", "b")[:count])
    arguments = _OPERAND.sub(lambda _: next(names), arguments, count=count)
    call = f"{_dialect(record).native(function)}({arguments})"
    _require_literal(record, call)
    return call, ("x", "w", "b")[:count]


def _arranged(record: Record, problem: Problem, drawn: Arrays) -> dict[str, Array]:
    """Operands as a record's native call takes them."""
    arrays = drawn.astype(record.dtype)
    given = {name: array for name, array in zip("xwb", arrays, strict=True) if array is not None}
    if _channels_are_last(record):
        given["x"] = np.moveaxis(given["x"], 1, -1)
        given["w"] = _channels_last(problem, given["w"], reversed="reversed kernel" in record.composed)
    if "unit-axis" in record.composed:
        given["x"], given["w"] = given["x"][:, None], given["w"][None]
    return given


def _channels_are_last(record: Record) -> bool:
    words = idioms.words(record.framework)
    return words is not None and layout.groups(words.layout)[-1] == "c"


def _require_literal(record: Record, call: str) -> None:
    """Raises ReproducerError unless a record's call is one of operands and literals: its script may be run."""
    try:
        tree = ast.parse(call, mode="eval").body
        literal = isinstance(tree, ast.Call) and _is_literal(tree)
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError):
        literal = False
    if not literal:
        raise ReproducerError(
            f"{record.case}: its call is {record.call[:80]!r}, not a call of operands and literals: run the lane again"
        )


def _is_literal(call: ast.Call) -> bool:
    """Whether a call is of a dotted name, with operands and named literals. Raises ValueError for no literal."""
    for keyword in call.keywords:
        ast.literal_eval(keyword.value)
    operands = all(isinstance(arg, ast.Name) and arg.id in "xwb" for arg in call.args)
    return (
        operands and all(keyword.arg for keyword in call.keywords) and bool(_DOTTED.fullmatch(ast.unparse(call.func)))
    )


def _channels_last(problem: Problem, w: Array, *, reversed: bool) -> Array:
    """(groups*in, out, *kernel) as (*kernel, out, in); reversed, as (*kernel, in, groups*out) of a convolution."""
    if not reversed:
        return np.moveaxis(w, (1, 0), (-2, -1))
    w = w.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    w = np.moveaxis(np.flip(w, tuple(range(3, w.ndim))), (1, 0, 2), (-3, -2, -1))
    return w.reshape(*problem.kernel, problem.in_channels, problem.groups * problem.out_channels)


def _finished(problem: Problem, composed: Sequence[str]) -> list[str]:
    """What remains after the call, in NumPy."""
    lines = []
    if "crop" in composed:
        widths = [(0, 0), (0, 0), *((max(-lo, 0), max(-hi, 0)) for lo, hi in problem.window)]
        starts = [max(lo, 0) for lo, _ in problem.window]
        ends = zip(starts, problem.output, strict=True)
        lines.append(f"y = np.pad(y, {widths})[:, :, {', '.join(f'{at}:{at + out}' for at, out in ends)}]")
    if "bias" in composed:
        lines.append(f"y = y + b.reshape(-1{', 1' * problem.rank})")
    return lines


def _script(record: Record, written: Program) -> str:
    """The program between its operands' files and its answer's."""
    about = one_line(f"# {record.lane} {record.dtype}, case {record.case}: {record.problem}")
    imports = program.in_order(("import numpy as np", *written.imports))
    loads = [
        f"{name} = None" if array is None else f"{name} = np.load('{name}.npy')"
        for name, array in written.operands.items()
    ]
    prelude = _dialect(record).prelude
    lines = [about, *imports, *prelude, *written.definitions, *loads, *written.body, "np.save('y.npy', y)", ""]
    return "\n".join(lines)
