"""Pairs of faults: hostile calls with two things wrong, where the check of one may come after the harm of the other.

Every fault alone is a case of its own under `cases/negative/`. Here it stands with each fault of another subject that
leaves it as it is, once, in one, two or three dimensions by turns. What ends a process alone is left out, for nothing
comes after it.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, islice
from typing import Any

from conformance import idioms
from conformance.idioms import expression
from conformance.idioms.base import Refusal
from conformance.problem import Ints, Problem
from conformance.suites.cases import FORMAT
from conformance.suites.departure import Departure, misfit

BASES = tuple(map(Problem.parse, ("i5 k3 ic2 oc3", "i5x4 k3x2 ic2 oc3", "i4x3x2 k2 ic2 oc3")))


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a framework's call that is said otherwise: its value, and the subject that it says, if any."""

    name: str
    value: Callable[[Problem], Any]
    says: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: what it makes of a problem, of an operand's shape or dtype, or of a call's arguments.

    Two faults of one subject exclude each other, and so does one that `hides` what the other `needs`. Shapes are those
    of the problem in one group, changed.
    """

    name: str
    subject: str
    problem: Mapping[str, Callable[[Problem], Any]] = field(default_factory=dict)
    shapes: Mapping[str, Callable[[Ints], Ints]] = field(default_factory=dict)
    dtypes: Mapping[str, str] = field(default_factory=dict)
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    hides: frozenset[str] = frozenset()


def _first(values: Ints, value: int) -> Ints:
    return (value, *values[1:])


def _as_it_is(shape: Ints) -> Ints:
    return shape


def _output_shape(p: Problem) -> Ints:
    return (p.batch, *p.output, p.out_channels)


X, WEIGHT = frozenset({"x"}), frozenset({"weight"})
STATED = {"x": _as_it_is, "weight": _as_it_is}
"""Shapes that stand in the case, because the number of groups gives none."""

FAULTS: Sequence[Fault] = (
    Fault("stride-0", "stride", {"stride": lambda p: _first(p.stride, 0)}),
    Fault("dilation-0", "dilation", {"dilation": lambda p: _first(p.dilation, 0)}),
    Fault("padding-past-everything", "padding", {"pads": lambda p: ((p.full[0], p.full[0]), *p.pads[1:])}),
    Fault("op-negative", "output_padding", {"output_padding": lambda p: _first(p.output_padding, -1)}),
    Fault("groups-0", "groups", {"groups": lambda p: 0}, STATED),
    Fault("groups-not-dividing", "groups", {"groups": lambda p: 2},
          {"x": lambda shape: (shape[0], 5, *shape[2:]), "weight": lambda shape: _first(shape, 5)}, needs=X | WEIGHT),
    Fault("batch-0", "batch", {"batch": lambda p: 0}, needs=X),
    Fault("kernel-0", "kernel", {"kernel": lambda p: _first(p.kernel, 0)}, needs=WEIGHT),
    Fault("in-channels-0", "in_channels", {"in_channels": lambda p: 0}, needs=X | WEIGHT),
    Fault("out-channels-0", "out_channels", {"out_channels": lambda p: 0}, needs=WEIGHT),
    Fault("x-scalar", "x", shapes={"x": lambda shape: ()}, hides=X),
    Fault("x-axis-more", "x", shapes={"x": lambda shape: (1, *shape)}, hides=X),
    Fault("x-other-dtype", "x", dtypes={"x": "other"}),
    Fault("weight-scalar", "weight", shapes={"weight": lambda shape: ()}, hides=WEIGHT),
    Fault("weight-axis-less", "weight", shapes={"weight": lambda shape: shape[:-1]}, hides=WEIGHT),
    Fault("weight-of-whole-numbers", "weight", dtypes={"weight": "int32"}),
    Fault("bias-scalar", "bias", {"bias": lambda p: True}, {"bias": lambda shape: ()}),
    Fault("arguments-long", "arguments", arguments={
        "jax": Argument("strides", lambda p: (1,) * (p.rank + 1), "stride"),
        "mxnet": Argument("stride", lambda p: (1,) * (p.rank + 1), "stride"),
        "tensorflow": Argument("output_shape", lambda p: (*_output_shape(p), 1)),
        "torch": Argument("stride", lambda p: (1,) * (p.rank + 1), "stride"),
    }),
    Fault("output-shape-of-two", "arguments", arguments={
        "tensorflow": Argument("output_shape", lambda p: _output_shape(p)[:2]),
    }),
)  # fmt: skip


WHY = "Two things are wrong: the check of one may stand behind what the other breaks."
PROBES = ("limits", "operands")


def text() -> str:
    """The generated case file's text."""
    lines = list(pairs())
    header = {"format": FORMAT, "cases": len(lines), "why": WHY, "probes": PROBES}
    return "\n".join(map(json.dumps, (header, *lines))) + "\n"


def pairs() -> Iterator[dict[str, Any]]:
    """A line for each pair of faults that can stand together, in the rank whose turn it is, or the next with words."""
    for (at, one), (beside, other) in combinations(enumerate(FAULTS), 2):
        if not can_stand_together(one, other):
            continue
        turns = (BASES[(at + beside + later) % len(BASES)] for later in range(len(BASES)))
        yield from islice(filter(None, (pair(one, other, base) for base in turns)), 1)


def can_stand_together(one: Fault, other: Fault) -> bool:
    """Whether each of two faults leaves the other as it is."""
    return one.subject != other.subject and not (one.hides & other.needs or other.hides & one.needs)


def pair(one: Fault, other: Fault, base: Problem) -> dict[str, Any] | None:
    """A base problem's call with two faults, as a line of a case file; None where no framework can say it."""
    problem = base
    for fault in (one, other):
        problem = replace(problem, **{name: change(problem) for name, change in fault.problem.items()})
    departure = Departure(f"{one.name} {other.name}", _shapes(problem, one, other), {**one.dtypes, **other.dtypes})
    calls = _calls(problem, one, other)
    if calls == {}:
        return None
    line = {
        "id": f"{one.name}-and-{other.name}-{problem.rank}d", "problem": str(problem), "faults": [one.name, other.name],
        "defined": calls is None and not misfit(problem, departure),
        **{name: [list(shape)] for name, shape in departure.shapes.items()},
    }  # fmt: skip
    return {**line, **{name: value for name, value in (("dtypes", departure.dtypes), ("calls", calls)) if value}}


def _shapes(problem: Problem, *faults: Fault) -> Mapping[str, Ints]:
    """The shapes that the faults state, of the whole problem; what hides a shape has the last word."""
    alone = replace(problem, groups=1)
    plain = {"x": alone.input_shape, "weight": alone.weight_shape, "bias": alone.bias_shape}
    shapes: dict[str, Ints] = {}
    for fault in sorted(faults, key=lambda fault: bool(fault.hides)):
        shapes |= {name: change(plain[name]) for name, change in fault.shapes.items()}
    return shapes


def _calls(problem: Problem, *faults: Fault) -> dict[str, str] | None:
    """The literal call of each framework that can say it; None where the call is that of the problem."""
    changed = {name: fault.arguments[name] for fault in faults for name in fault.arguments}
    if not changed:
        return None
    subjects = {fault.subject for fault in faults}
    calls = {}
    for framework, argument in sorted(changed.items()):
        try:
            words = idioms.words(framework)
            text = words.text(problem) if words else ""
        except Refusal:
            continue
        call = expression.parse(text) if text else None
        if argument.says not in subjects and call is not None:
            named = {**call.named, argument.name: argument.value(problem)}
            calls[framework] = expression.write(call.function, *call.positional, **named)
    return calls
