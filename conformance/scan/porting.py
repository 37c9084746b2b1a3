"""A model's layers in another framework: the code of each, its weight as that takes it, and a proof on own weights."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conformance import adapters, idioms, layout, oracle
from conformance.adapters.base import Lane
from conformance.calls.port import Port, PortError, port
from conformance.calls.verify import answers
from conformance.idioms import IdiomError, Refusal
from conformance.idioms.expression import ExpressionError
from conformance.numerics import learnt
from conformance.numerics.operands import Arrays
from conformance.numerics.rounding import measure_rounding
from conformance.problem import Ints, Problem
from conformance.suites.scans.file import Row
from conformance.suites.scans.weights import Array, bias_of, canonical


@dataclass(frozen=True, slots=True)
class PortedLayer:
    """A layer with its port, or why there is none."""

    row: Row
    port: Port | None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Into:
    """What layers are ported to: a lane, the module whose idioms alone are used, and the id of one, if it is chosen."""

    lane: Lane
    module: str = ""
    idiom: str = ""


def ported(rows: Sequence[Row], into: Into) -> list[PortedLayer]:
    """The first row of each layer in the target's words."""
    first = {row.layer: row for row in reversed(rows)}
    return [_ported(first[name], into) for name in dict.fromkeys(row.layer for row in rows)]


def _ported(row: Row, into: Into) -> PortedLayer:
    problem = row.known
    if problem is None or row.unknown:
        return PortedLayer(row, None, row.unknown or "its extents are not known")
    try:
        return PortedLayer(row, _port(row, problem, into))
    except PortError as reason:
        return PortedLayer(row, None, f"{reason}; {_nearest(row, problem, into.lane)}")
    except (Refusal, IdiomError, ExpressionError) as reason:
        return PortedLayer(row, None, str(reason))


def _port(row: Row, problem: Problem, into: Into) -> Port:
    source = idioms.framework_of(row.call.partition("(")[0].partition(".")[0])
    tensors = idioms.reading(source, row.call).tensors
    every = {"x": _shape(row.data, problem, problem.input), "w": _shape(row.weight, problem, problem.kernel)}
    shapes = {name: every[name] for name in ("x", "w") if name in tensors}
    return port(row.call, source, into.lane.framework, shapes, variant=into.lane.variant, module=into.module,
                idiom=into.idiom)  # fmt: skip


def _nearest(row: Row, problem: Problem, asked: Lane) -> str:
    """The nearest that says what a target does not, in words: another module of it, another lane, another framework."""
    lanes = [Lane(asked.framework, each) for each in (asked.variant, *adapters.variants(asked.framework))]
    lanes += [adapters.lane(each) for each in idioms.frameworks() if each != asked.framework]
    for lane in lanes:
        try:
            made = _port(row, problem, Into(lane))
        except PortError:
            continue
        around = f", and {' and '.join(made.steps)} around it" if made.steps else ""
        return f"the nearest that says it is {made.target.text} on {lane}{around}"
    return "nothing says it"


def _shape(axes: str, problem: Problem, spatial: Ints) -> Ints:
    """The shape of data or of a weight in a layout."""
    channels = problem.groups * problem.in_channels
    extents = {"n": problem.batch, "c": channels, "g": problem.groups, "i": problem.in_channels,
               "o": problem.out_channels}  # fmt: skip
    shape: list[int] = []
    for part in layout.groups(axes):
        shape += spatial if part == "k" else [int(np.prod([extents[letter] for letter in part]))]
    return tuple(shape)


def converted(made: Port, weight: Array) -> Array:
    """A layer's weight as the target takes it, by the code that is printed."""
    lines = [*made.definitions]
    end = next(at for at, line in enumerate(lines) if line.startswith("def conv_transpose"))
    namespace: dict[str, Any] = {"np": np}
    exec(compile("\n".join(lines[:end]), "<convert_weight>", "exec"), namespace)  # text of our own making: see `port`
    return np.ascontiguousarray(namespace["convert_weight"](weight))


def proved(
    layers: Sequence[PortedLayer], weights: Mapping[str, Array], lane: Lane, pythons: Mapping[str, str]
) -> dict[str, str]:
    """What came of each port on its layer's own weight, in words. Raises VerifyError where the target cannot be run."""
    able = [layer for layer in layers if layer.port is not None and layer.row.layer in weights]
    operands = [_operands(layer.row, weights) for layer in able]
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        ports = [layer.port for layer in able if layer.port is not None]
        given = answers(ports, operands, lane, pythons, Path(name)) if able else []
    said = {layer.row.layer: "not run, since its weight was not kept" for layer in layers if layer.port is not None}
    for layer, arrays, actual in zip(able, operands, given, strict=True):
        problem = layer.row.known
        assert problem is not None
        expected = oracle.expected(problem, *arrays)
        if actual.shape != expected.shape:
            said[layer.row.layer] = f"gives {actual.shape}, and {expected.shape} is right"
            continue
        rounding = measure_rounding(problem, arrays, expected, actual)
        said[layer.row.layer] = RIGHT if not rounding.count else (
            f"{rounding.count} of {rounding.size} values err by more than any order of summation can")  # fmt: skip
    return said


RIGHT = "right on its own weight, within what rounding can do"


def _operands(row: Row, weights: Mapping[str, Array]) -> Arrays:
    problem = row.known
    assert problem is not None
    weight = canonical(weights[row.layer], problem, row.weight, reverse=row.taps == "reversed")
    bias = weights.get(bias_of(row.layer)) if problem.bias else None
    return learnt.draw(row.id, problem, weight, bias)
