"""Scripts that show a fault: literal arrays, one framework's own call, and what is expected beside what comes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import adapters, idioms, layout
from conformance.idioms.base import Claim, Dialect, Point, with_window
from conformance.port import PortError, translate
from conformance.problem import Problem
from conformance.program import lines, operands
from conformance.report.faults import Snippet

Array = NDArray[Any]

LARGEST = 3000
"""Elements above which arrays are not written out."""
WIDTH = 110
PRECISION = {("jax", "float64"): {"JAX_ENABLE_X64": "1"}}
"""What a framework has to be told before it computes in a dtype at all."""
CANONICAL = Claim(Problem.of(1, 1), "none")

TAIL = """
print("actual", actual, sep="\\n")
if actual.shape != expected.shape:
    print(f"shape {actual.shape}, expected {expected.shape}")
else:
    print(f"{np.count_nonzero(actual != expected)} of {expected.size} values differ")
"""
ALONE = """
print("actual", actual, actual.shape, sep="\\n")
"""
"""Where there is nothing to compare with."""


def of_problem(
    lane: adapters.Lane, problem: Problem, arrays: Sequence[Array | None], expected: Array | None, dtype: str
) -> Snippet:
    """The script of a problem on canonical arrays, in the call of the lane's framework that says it best."""
    idiom = idioms.idioms(lane.framework)[0]
    said = Point(idiom, str(problem), {}, replace(CANONICAL, problem=problem), str(problem), "")
    return _ported(said, lane.framework, lane, arrays, expected, dtype)


def of_call(
    lane: adapters.Lane, point: Point, source: str, arrays: Sequence[Array | None], expected: Array | None, dtype: str
) -> Snippet:
    """The script of a call as it was written, or of its port where the lane is of another framework."""
    if lane.framework != source:
        return _ported(point, source, lane, operands(point, *_three(arrays, dtype)), expected, dtype)
    if _size(arrays, expected) > LARGEST:
        return _too_large(lane)
    dialect = idioms.dialect(lane.framework)
    given = dict(zip("xwb", operands(point, *_three(arrays, dtype)), strict=True))
    if "z" in point.shapes:
        given["z"] = np.zeros(point.shapes["z"], dtype)
    written = {name: array for name, array in given.items() if array is not None}
    body = [f"{name} = {dialect.tensor.format(name)}" for name in written]
    body += [*lines(point), f"actual = np.asarray({dialect.array.format('y')})"]
    code = [_literal(name, array) for name, array in written.items()]
    code += [*_expected(expected, dtype, point.claim.data), "", *body]
    imports = {*point.idiom.imports, *dialect.imports}
    return Snippet(lane.framework, str(lane), _script(lane, dtype, imports, code, ALONE if expected is None else TAIL))


def _ported(
    point: Point, source: str, lane: adapters.Lane, given: Sequence[Array | None], expected: Array | None, dtype: str
) -> Snippet:
    if _size(given, expected) > LARGEST:
        return _too_large(lane)
    try:
        port = translate(point, source, lane.framework, variant=lane.variant)
    except PortError as error:
        return Snippet(lane.framework, str(lane), "", str(error).removeprefix(f"{point.text}: "))
    imports, _, defined = port.code.partition("\n\n\n")
    data = port.point.claim.data
    x, weight, bias = _three(given, dtype)
    assert x is not None
    canonical = layout.restore(x, layout.DATA, point.claim.data)
    arrays = {"x": layout.arrange(canonical, layout.DATA, data), "w": weight, "b": bias}
    code = [defined.rstrip(), "", ""]
    code += [f"{name} = None" if array is None else _literal(name, array) for name, array in arrays.items()]
    code += [*_expected(expected, dtype, data), ""]
    code += list(_called(idioms.dialect(lane.framework), bias is not None))
    return Snippet(lane.framework, str(lane), _script(lane, dtype, set(imports.splitlines()), code,
                                                        ALONE if expected is None else TAIL))  # fmt: skip


def _called(dialect: Dialect, bias: bool) -> Iterator[str]:
    yield "w = convert_weight(w)"
    for name in ("x", "w", "b") if bias else ("x", "w"):
        yield f"{name} = {dialect.tensor.format(name)}"
    yield "y = conv_transpose(x, w, b)"
    yield f"actual = np.asarray({dialect.array.format('y')})"


def _expected(expected: Array | None, dtype: str, data: str) -> list[str]:
    """The expected array, printed before the call, which may not return."""
    if expected is None:
        return []
    literal = _literal("expected", layout.arrange(expected.astype(dtype), layout.DATA, data))
    return [literal, 'print("expected", expected, sep="\\n", flush=True)']


def _script(lane: adapters.Lane, dtype: str, imports: Iterable[str], code: Sequence[str], tail: str) -> str:
    variables = environment(lane, dtype)
    first = [f"# {lane}"]
    if variables:
        first += ["import os", "", *(f'os.environ["{name}"] = "{value}"' for name, value in variables.items()), ""]
    modules = sorted({*imports, "import numpy as np"} - {""})
    return "\n".join([*first, *modules, "", *code]) + "\n" + tail


def environment(lane: adapters.Lane, dtype: str) -> dict[str, str]:
    """The variables that make a lane what it is against the framework's other lanes, and that a dtype needs."""
    every = adapters.variants(lane.framework)
    chosen = {
        name: value
        for name, value in every[lane.variant].items()
        if any(other.get(name) != value for other in every.values())
    }
    return chosen | PRECISION.get((lane.framework, dtype), {})


def _literal(name: str, array: Array) -> str:
    values = array.tolist() if (array % 1).any() else array.astype(np.int64).tolist()
    text = f'{name} = np.array({values}, "{array.dtype}")'
    if len(text) <= WIDTH:
        return text
    rows = np.array2string(np.asarray(values), separator=", ", threshold=array.size + 1, max_line_width=WIDTH)
    return f'{name} = np.array(\n{rows},\n"{array.dtype}")'


def _size(arrays: Iterable[Array | None], expected: Array | None) -> int:
    return sum(array.size for array in (*arrays, expected) if array is not None)


def _three(arrays: Sequence[Array | None], dtype: str) -> list[Any]:
    return [None if array is None else array.astype(dtype) for array in arrays]


def _too_large(lane: adapters.Lane) -> Snippet:
    return Snippet(lane.framework, str(lane), "", "its arrays are too large to be written out: use the command")


def same_window(point: Point, problem: Problem) -> bool:
    """Whether a call that was read again says the problem that its record has."""
    said = point.claim.problem
    return with_window(said, said.window) == with_window(problem, problem.window)
