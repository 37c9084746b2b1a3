"""Scripts that show a fault: literal arrays, one framework's own call, and what is expected beside what comes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from textwrap import indent
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import adapters, idioms, layout
from conformance.adapters.base import Lane, Unsupported
from conformance.calls import program, reproducer, unchecked
from conformance.calls.native import operands
from conformance.calls.port import PortError, canonical, translate
from conformance.calls.program import Program
from conformance.idioms.base import ClaimedCall, with_window
from conformance.numerics.operands import held_in
from conformance.problem import Problem
from conformance.records.record import Record
from conformance.report.content.faults import Snippet
from conformance.runner import negative
from conformance.suites import departure
from conformance.suites.case import Case, departure_of

Array = NDArray[Any]

LARGEST = 3000
"""Elements of an array above which it is not written out."""
WIDTH = 110
WIDEST = "float64"
"""What a negative case's script asks for, as its lane does, whose operands and arguments can be of any width."""
VIEWED = {
    "reversed-axes": ["x = np.ascontiguousarray(x.T).T"],
    "every-second": ["x = np.repeat(x, 2, axis=-1)[..., ::2]"],
    "one-value": ["x = np.broadcast_to(x.reshape(-1)[:1].reshape((1,) * x.ndim), x.shape)"],
}
"""How an operand is made to lie otherwise in memory."""

TAIL = """
print("actual", actual, sep="\\n")
if actual.shape != expected.shape:
    print(f"shape {actual.shape}, expected {expected.shape}")
else:
    differs = ~np.isclose(actual, expected, rtol=0, atol=0, equal_nan=True)
    print(f"{np.count_nonzero(differs)} of {expected.size} values differ")
"""
ALONE = """
print("actual", actual, actual.shape, sep="\\n")
"""
"""Where there is nothing to compare with."""


AGAIN = """
for _ in range(100):  # the fault is one of chance: what freed memory holds may decide
    spare = [np.full(2**size, np.nan, "float32") for size in range(4, 12)]
    del spare
    actual = answer({given})
    if not np.array_equal(actual, expected, equal_nan=True):
        break
"""
"""What a script does until it shows a fault that not every call shows."""


def of_problem(
    lane: Lane, problem: Problem, arrays: Sequence[Array | None], expected: Array | None, dtype: str
) -> Snippet:
    """The script of a problem on canonical arrays, in the call of the lane's framework that says it best."""
    return _ported(canonical(problem, lane.framework), lane.framework, lane, arrays, expected, dtype)


def of_record(lane: Lane, record: Record, expected: Array | None) -> Snippet:
    """The script of the very call that a record has, where no other way to say its problem is to stand for it."""
    made = reproducer.write(record)
    return _snippet(lane, made.program, expected, record.dtype, made.layout or layout.DATA)


def of_gradient(lane: Lane, record: Record, expected: Array) -> Snippet:
    """The script of a gradient, as its record has it: the call, what comes from above, and the derivative."""
    try:
        return of_record(lane, record, expected)
    except reproducer.ReproducerError as reason:
        return Snippet(lane.framework, str(lane), "", str(reason).removeprefix(f"{record.case}: "))


def of_call(
    lane: Lane, point: ClaimedCall, source: str, arrays: Sequence[Array | None], expected: Array | None, dtype: str
) -> Snippet:
    """The script of a call as it was written, or of its port where the lane is of another framework."""
    if lane.framework != source:
        return _ported(point, source, lane, operands(point, *_three(arrays, dtype)), expected, dtype)
    given = operands(point, *_three(arrays, dtype))
    written = program.of_call(point, given, dtype, idioms.dialect(lane.framework, dtype, lane.variant))
    return _snippet(lane, written, expected, dtype, point.claim.data)


def of_negative(lane: Lane, case: Case, dtype: str) -> Snippet:
    """The script of a negative case: its call as it stands, on its very operands unless they are many."""
    unlike = departure_of(case)
    dialect = idioms.dialect(lane.framework, variant=lane.variant)
    try:
        words = unchecked.words_of(lane.framework)
        text = negative.text(lane.framework, case)
    except Unsupported as reason:
        return Snippet(lane.framework, str(lane), "", str(reason))
    if unlike.view and not words.views:
        return Snippet(
            lane.framework, str(lane), "", "its tensors are copies, so that none can lie otherwise in memory"
        )
    arrays = departure.operands(case.id, case.problem, unlike, dtype)
    expected = _defined(case, arrays)
    if _too_large(arrays.values(), expected):
        return too_large(lane)
    x, weight = words.arrange(case.problem, arrays["x"], arrays["weight"])
    given = {"x": x, "w": weight} | ({"b": arrays["bias"]} if "bias" in arrays else {})
    given = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in given.items()}
    if "bfloat16" in unlike.dtypes.values():
        dialect = idioms.dialect(lane.framework, "bfloat16")
    named = [f"import {module}" + f" as {name}" * (name != module) for name, module in words.modules.items()]
    written = program.of_text(text, given, dialect, named, taken=given)
    written = replace(written, body=(*VIEWED.get(unlike.view, ()), *written.body))
    tail = TAIL if expected is not None else ALONE + _claim(case, words.layout)
    return Snippet(
        lane.framework, str(lane), _script(lane, WIDEST, written, _expected(expected, dtype, words.layout), tail)
    )


def _claim(case: Case, data: str) -> str:
    """What is to be said of an answer that came, where it is not compared: that it is none, or of which shape it is."""
    unlike = departure_of(case)
    if not unlike.defined:
        why = departure.misfit(case.problem, unlike) or f"no call says this: {case.why}"
        return f"print({f'answered, though {why}'!r})\n"
    n, c, *spatial = case.problem.output_shape
    shape = (n, c, *spatial) if data == "n c k" else (n, *spatial, c)
    return f'print(f"shape {{actual.shape}}, expected {shape}")\n'


def _defined(case: Case, arrays: Mapping[str, Array]) -> Array | None:
    """The definition's answer, where it gives one that is not too large to be written out."""
    unlike = departure_of(case)
    if not unlike.defined or prod(case.problem.output_shape) > LARGEST:
        return None
    return departure.answer(case.problem, arrays)


def _ported(
    point: ClaimedCall, source: str, lane: Lane, given: Sequence[Array | None], expected: Array | None, dtype: str
) -> Snippet:
    try:
        port = translate(point, source, lane.framework, variant=lane.variant)
    except PortError as error:
        return Snippet(lane.framework, str(lane), "", str(error).removeprefix(f"{point.text}: "))
    data = port.point.claim.data
    x, weight, bias = _three(given, dtype)
    assert x is not None
    canonical = layout.restore(x, layout.DATA, point.claim.data)
    arrays = (layout.arrange(canonical, layout.DATA, data), weight, bias)
    dialect = idioms.dialect(lane.framework, dtype, lane.variant)
    return _snippet(lane, program.of_port(port, arrays, dialect), expected, dtype, data)


def _snippet(lane: Lane, written: Program, expected: Array | None, dtype: str, data: str) -> Snippet:
    """A program on literal arrays, and the comparison of its answer, whose axes are `data`, with the expected one."""
    if _too_large(written.operands.values(), expected):
        return too_large(lane)
    tail = ALONE if expected is None else TAIL
    return Snippet(lane.framework, str(lane), _script(lane, dtype, written, _expected(expected, dtype, data), tail))


def _expected(expected: Array | None, dtype: str, data: str) -> list[str]:
    """The expected array, printed before the call, which may not return."""
    if expected is None:
        return []
    held = expected.astype(held_in(dtype))
    literal = _literal("expected", held if data == layout.DATA else layout.arrange(held, layout.DATA, data))
    return [literal, 'print("expected", expected, sep="\\n", flush=True)']


def _script(lane: Lane, dtype: str, written: Program, expected: Sequence[str], tail: str) -> str:
    variables = environment(lane, dtype)
    first = [f"# {lane}"]
    if variables:
        first += ["import os", "", *(f'os.environ["{name}"] = "{value}"' for name, value in variables.items()), ""]
    operands = [
        f"{name} = None" if array is None else _literal(name, array) for name, array in written.operands.items()
    ]
    code = [*written.definitions, *operands, *expected, "", *written.body, "actual = np.asarray(y)"]
    odd = {"from numpy import inf, nan"} if any(re.search(r"\b(inf|nan)\b", line) for line in code) else set()
    modules = program.in_order({*written.imports, "import numpy as np", *odd})
    return "\n".join([*first, *modules, "", *code]) + "\n" + tail


def environment(lane: Lane, dtype: str) -> dict[str, str]:
    """The variables that make a lane what it is against the framework's other lanes, and that a dtype needs."""
    every = adapters.variants(lane.framework)
    chosen = {
        name: value
        for name, value in every[lane.variant].items()
        if any(other.get(name) != value for other in every.values())
    }
    return {**chosen, **idioms.dialect(lane.framework).precision.get(dtype, {})}


def repeated(snippet: Snippet) -> Snippet:
    """The same with its call repeated until the answer differs from the expected one, where it has that."""
    head, printed, rest = snippet.code.partition("flush=True)\n\n")
    body, answered, tail = rest.partition("actual = np.asarray(y)\n")
    if not (printed and answered):
        return snippet
    given = ", ".join(re.findall(r"^([xwbg]) = ", head, re.MULTILINE))
    function = f"\ndef answer({given}):\n{indent(body, '    ')}    return np.asarray(y)\n\n"
    return replace(snippet, code=f"{head}{printed}{function}{AGAIN.format(given=given)}{tail}")


def _literal(name: str, array: Array) -> str:
    """An array's very values; where they are many, others of the same shape, which only calls without an answer get."""
    if not 0 < array.size <= LARGEST:
        return f'{name} = np.resize(np.arange(-9, 10), {array.shape}).astype("{array.dtype}")'
    whole = np.isfinite(array).all() and not (array % 1).any()
    values = array.astype(np.int64).tolist() if whole else array.tolist()
    text = f'{name} = np.array({values}, "{array.dtype}")'
    if len(text) <= WIDTH:
        return text
    rows = np.array2string(np.asarray(values), separator=", ", threshold=array.size + 1, max_line_width=WIDTH)
    rows = re.sub(r"\n\n+", "\n", rows)  # NumPy puts empty lines between planes
    return f'{name} = np.array(\n{rows},\n"{array.dtype}")'


def _too_large(arrays: Iterable[Array | None], expected: Array | None) -> bool:
    """Whether an answer that can be compared is of operands that cannot be written out."""
    return expected is not None and any(array.size > LARGEST for array in (*arrays, expected) if array is not None)


def _three(arrays: Sequence[Array | None], dtype: str) -> list[Any]:
    return [None if array is None else array.astype(held_in(dtype)) for array in arrays]


def too_large(lane: Lane) -> Snippet:
    """Why there is no script: what comes could not be compared."""
    return Snippet(lane.framework, str(lane), "", "its arrays are too large to be written out: use the command")


def same_window(point: ClaimedCall, problem: Problem) -> bool:
    """Whether a call that was read again says the problem that its record has."""
    claimed = point.claim.problem
    return with_window(claimed, claimed.window) == with_window(problem, problem.window)
