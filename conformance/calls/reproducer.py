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
from conformance.calls import native, program
from conformance.calls.port import port
from conformance.calls.program import Program
from conformance.idioms.base import ClaimedCall, Dialect
from conformance.io.terminal import one_line
from conformance.numerics.operands import draw
from conformance.problem import Problem
from conformance.records import calls
from conformance.records.calls import RecordedCall, RecordedCallError
from conformance.records.record import FORWARD, Record, SubjectKind

Array = NDArray[Any]

_DOTTED = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)
_OPERAND = re.compile(r"\[[\d, ]*\]")


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
        raise ReproducerError(f"{record.case}: no script is written of a gradient: `conformance call --pass` makes it")
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
    arrays = draw(record.case, problem, record.dtype).astype(record.dtype)
    function, _, arguments = record.call.removesuffix(")").partition("(")
    count = len(_OPERAND.findall(arguments.partition("=")[0]))
    names = iter(("x", "w", "b")[:count])
    arguments = _OPERAND.sub(lambda _: next(names), arguments, count=count)
    dialect = _dialect(record)
    function = dialect.native(function)
    given = {name: array for name, array in zip("xwb", arrays, strict=True) if array is not None}
    words = idioms.words(record.framework)
    last = words is not None and layout.groups(words.layout)[-1] == "c"
    if last:
        given["x"] = np.moveaxis(given["x"], 1, -1)
        given["w"] = _channels_last(problem, given["w"], reversed="reversed kernel" in record.composed)
    if "unit-axis" in record.composed:
        given["x"], given["w"] = given["x"][:, None], given["w"][None]
    taken = [name for name in given if name in "xwb"[:count]]
    call = f"{function}({arguments})"
    _require_literal(record, call)
    unit = ["y = y[:, 0]"] if "unit-axis" in record.composed else []
    moved = ["y = np.moveaxis(y, -1, 1)"] if last else []
    after = [*unit, *moved, *_finished(problem, record.composed)]
    written = program.of_text(call, given, dialect, taken=taken, after=after)
    return Reproducer(_script(record, written), written, problem)


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
