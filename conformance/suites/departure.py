"""What is unlike an ordinary problem in a negative case: operands that do not fit, odd values, views, certain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import oracle
from conformance.numerics.operands import whole_numbers
from conformance.problem import Ints, Problem

Array = NDArray[Any]

OPERANDS = ("x", "weight", "bias")
VIEWS = ("reversed-axes", "every-second", "one-value")
OTHER = {"float32": "float64", "float64": "float32"}
DTYPES = ("other", "int32", "bfloat16")
VALUES = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}
LONGEST = 90
"""Seconds that a case may give itself: less than what a worker is given for an item."""
LARGEST = 2**22
"""Elements of an output above which no answer is computed."""
_MAGNITUDE = {"x": 9, "weight": 99, "bias": 99}
_NARROW = {"x": 9, "weight": 15, "bias": 15}
"""Largest drawn values in bfloat16, in which whole numbers are exact up to 256."""


class DepartureError(ValueError):
    """A description of operands that says nothing that can be made; the message says what can."""


@dataclass(frozen=True, slots=True)
class Departure:
    """How the operands depart from those that the problem says, and in which words which framework is called.

    `shapes` are canonical; `dtypes` are of the run, its "other", or named; `view` says how x lies in memory; `values`
    are (operand, value, index). With `calls`, only the frameworks in it are called, in just those words. `defined` says
    whether the definition of transposed convolution gives an answer, be it an empty one; `seconds`, unless 0, is what
    the call may take.
    """

    fault: str
    shapes: Mapping[str, Ints] = field(default_factory=dict)
    dtypes: Mapping[str, str] = field(default_factory=dict)
    view: str = ""
    values: tuple[tuple[str, str, Ints], ...] = ()
    calls: Mapping[str, str] = field(default_factory=dict)
    defined: bool = True
    seconds: float = 0.0


def read(fault: str, table: Mapping[str, Any], at: int) -> Departure:
    """The departures that a case's table states for the `at`-th of its problems. Raises DepartureError."""
    shapes = {name: tuple(_at(name, table[name], at)) for name in OPERANDS if name in table}
    dtypes, view, calls = table.get("dtypes", {}), table.get("view", ""), table.get("calls", {})
    if view and view not in VIEWS:
        raise DepartureError(f"view is {view!r}: the views are {', '.join(VIEWS)}")
    if not isinstance(dtypes, dict) or not (dtypes.keys() <= set(OPERANDS) and set(dtypes.values()) <= set(DTYPES)):
        raise DepartureError(f"dtypes is {dtypes!r}: give {', '.join(DTYPES)} for {', '.join(OPERANDS)}")
    if not isinstance(calls, dict) or not all(isinstance(call, str) for call in calls.values()):
        raise DepartureError(f"calls is {calls!r}: give a call for a framework")
    values, seconds = tuple(map(_value, table.get("values", ()))), table.get("seconds", 0.0)
    if not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST:
        raise DepartureError(f"seconds is {seconds!r}: give a number up to {LONGEST}")
    return Departure(fault, shapes, dtypes, view, values, calls, table["defined"] is True, seconds)


def _at(name: str, shapes: Any, at: int) -> Sequence[int]:
    try:
        shape = shapes[at]
        if isinstance(shape, list) and all(isinstance(extent, int) and 0 <= extent <= LARGEST for extent in shape):
            return shape
    except (TypeError, IndexError, KeyError):
        pass
    raise DepartureError(f"{name} is {shapes!r}: give the operand's shape for each of the problems, in their order")


def _value(entry: Any) -> tuple[str, str, Ints]:
    match entry:
        case {"of": str(name), "is": str(value), "at": list(index), **rest} if (
            not rest and name in OPERANDS and value in VALUES and all(isinstance(number, int) for number in index)
        ):
            return name, value, tuple(index)
    raise DepartureError(f'values holds {entry!r}: give for example {{of = "x", is = "nan", at = [0, 0, 1]}}')


def shape_of(problem: Problem, departure: Departure, name: str) -> Ints:
    """The shape that an operand has in a case."""
    shapes = {"x": problem.input_shape, "weight": problem.weight_shape, "bias": problem.bias_shape}
    return departure.shapes.get(name, shapes[name])


def misfit(problem: Problem, departure: Departure) -> str:
    """Why the definition gives these operands no answer, in words; empty where it gives one, be it an empty one."""
    if problem.groups < 1:
        return f"groups is {problem.groups}"
    for name in ("input", "kernel", "stride", "dilation"):
        for axis, value in enumerate(getattr(problem, name)):
            if value < 1:
                return f"{name} is {value} on axis {axis}"
    for name in departure.shapes:
        actual, stated = shape_of(problem, departure, name), shape_of(problem, Departure(""), name)
        if actual != stated:
            return f"{name} is {actual}, not {stated}"
    for name, dtype in departure.dtypes.items():
        if dtype != "bfloat16":
            return f"{name} is of another dtype than the rest"
    if min(problem.output) < 0:
        return f"the output extents are {problem.output}"
    return ""


def operands(case_id: str, problem: Problem, departure: Departure, dtype: str) -> dict[str, Array]:
    """The operands of a case by name, whole numbers drawn from its id, in canonical order."""
    arrays = {}
    for name in OPERANDS if problem.bias or "bias" in departure.shapes else OPERANDS[:2]:
        shape = shape_of(problem, departure, name)
        kind = {"other": OTHER[dtype], "bfloat16": "float32"}.get(
            departure.dtypes.get(name, ""), departure.dtypes.get(name)
        )
        arrays[name] = whole_numbers(f"{case_id} {name}", shape, _magnitude(departure)[name]).astype(kind or dtype)
    for name, value, index in departure.values:
        arrays[name][index] = VALUES[value]
    if departure.view:
        arrays["x"] = _viewed(arrays["x"], departure.view)
    return arrays


def _magnitude(departure: Departure) -> Mapping[str, int]:
    return _NARROW if "bfloat16" in departure.dtypes.values() else _MAGNITUDE


def dtype_of(departure: Departure, dtype: str) -> str:
    """The dtype that an answer has in a run of a dtype."""
    return "bfloat16" if "bfloat16" in departure.dtypes.values() else dtype


def largest_sum(problem: Problem, departure: Departure) -> int:
    """A bound that no partial sum of a case's finite operands exceeds."""
    most = _magnitude(departure)
    return problem.terms * most["x"] * most["weight"] + most["bias"] * problem.bias


def _viewed(x: Array, view: str) -> Array:
    """The same values, lying otherwise in memory; a single value everywhere for one-value."""
    if view == "one-value":
        return np.broadcast_to(x.reshape(-1)[:1].copy().reshape((1,) * x.ndim), x.shape)
    if view == "reversed-axes":
        return np.ascontiguousarray(x.T).T
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


def answer(problem: Problem, arrays: Mapping[str, Array]) -> Array | None:
    """The definition's answer in float64; None where it is too large to compute. NaN and infinities spread by it."""
    x, weight = (arrays[name].astype(np.float64) for name in ("x", "weight"))
    bias = arrays["bias"].astype(np.float64) if problem.bias else None
    if prod(problem.output_shape) > LARGEST:
        return None
    if 0 in problem.output_shape or problem.in_channels == 0:
        zeros = np.zeros(problem.output_shape)
        return zeros if bias is None else zeros + bias.reshape(-1, *[1] * problem.rank)
    with np.errstate(invalid="ignore"):
        return oracle.expected(problem, x, weight, bias)
