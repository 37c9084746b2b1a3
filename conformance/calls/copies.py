"""What happens to someone who copies a call's arguments to another framework as they stand.

Arguments go to those of the same meaning, whatever their names; an integer becomes a sequence, and padding p the pairs
(p, p), where the target's syntax wants it; what the target has no argument for is dropped. Arrays are put into the
target's order of axes. The copied call is a call like any other: its claim says what comes out, and its lane runs it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations, product
from typing import Any

import numpy as np

from conformance import adapters, idioms, layout, oracle
from conformance.diagnosis.diagnose import diagnose, difference
from conformance.idioms import expression
from conformance.idioms.base import ClaimedCall, Copied, Example, Idiom, Refusal, Shapes
from conformance.idioms.expression import ExpressionError, Name, write
from conformance.idioms.names.meanings import MEANINGS
from conformance.numerics.operands import draw
from conformance.problem import Problem

DEFAULTS = {"stride": 1, "padding": 0}
"""What is given where the source says nothing and the target must be told."""

CHANNELS = {"in": 2, "out": 3}
INPUT = 7


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a copied call gives beside its source: "same", "other shape", "other values" or "refused", and how so."""

    source: ClaimedCall
    target: str
    text: str
    kind: str
    how: str


SETTINGS: Sequence[Mapping[str, Any]] = (
    {"kernel": 3, "stride": 2},
    {"kernel": 3, "stride": 2, "padding": 1},
    {"kernel": 5, "stride": 2, "padding": 2, "output_padding": 1},
    {"kernel": 3, "dilation": 2, "padding": 1},
    {"kernel": 3, "stride": 2, "padding": 1, "groups": 2},
    {"kernel": 3, "stride": 2, "padding": "SAME"},
    {"kernel": 5, "stride": 2, "padding": "SAME"},
    {"kernel": 2, "stride": 3, "padding": "VALID"},
)
"""Arguments that people have in their models, in words of their own."""


@cache
def families() -> Sequence[Sequence[str]]:
    """The ids of the idioms that people translate into each other: functions, and layers."""
    ids: dict[str, list[str]] = defaultdict(list)
    for framework in reversed(idioms.frameworks()):  # a call that two sources are copied to is the first one's case
        for idiom in idioms.idioms(framework):
            if idiom.copied:
                ids[idiom.copied.family].append(idiom.id)
    return list(ids.values())


def meanings(point: ClaimedCall) -> dict[str, Any]:
    """What a call's arguments say, by meaning, as far as they were written out and are among MEANINGS."""
    return {
        meaning: point.arguments[name]
        for meaning, names in MEANINGS.items()
        for name in names & point.written - set(point.idiom.tensors.values())
        if meaning != "output"
    }


def spell(idiom: Idiom, arguments: Mapping[str, Any], rank: int, output: Sequence[int]) -> tuple[str, set[str]]:
    """A call with these arguments, as they stand, and the meanings that the idiom has no argument for."""
    assert idiom.copied
    named = {}
    left = set(arguments) - {"in", "out", "kernel"}
    for name, parameter in expression.signature(idiom.signature).parameters.items():
        if name in idiom.tensors.values():
            continue
        meaning = next((meaning for meaning, names in MEANINGS.items() if name in names), "")
        if meaning == "output":
            named[name] = tuple(output)
        elif meaning in arguments or (meaning in DEFAULTS and parameter.default is parameter.empty):
            named[name] = _spelt(meaning, arguments.get(meaning, DEFAULTS.get(meaning)), rank, idiom.copied)
            left.discard(meaning)
    operands = [] if idiom.layer else [Name("x"), Name("w")]
    return write(idiom.functions[rank], *operands, **named), left


def _spelt(meaning: str, value: Any, rank: int, copied: Copied) -> Any:
    if meaning in ("in", "out", "groups", "bias") or isinstance(value, str):
        return value
    if meaning == "padding" and copied.pairs and not _are_pairs(value):
        values = (value,) * rank if isinstance(value, int) else value
        pairs = [(p, p) for p in values]
        return [(0, 0), *pairs, (0, 0)] if copied.pairs == "all" else pairs
    return (value,) * rank if copied.sequences and isinstance(value, int) else value


def _are_pairs(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(entry, list | tuple) for entry in value)


def shapes(idiom: Idiom, arguments: Mapping[str, Any], rank: int) -> Shapes:
    """The shapes of x and w, in an idiom's own layouts, for CHANNELS and INPUT."""
    groups, kernel = arguments.get("groups", 1), arguments["kernel"]
    x = np.zeros((1, CHANNELS["in"] * groups, *(INPUT,) * rank))
    w = np.zeros((groups, CHANNELS["in"], CHANNELS["out"], *(kernel,) * rank))
    weight = idiom.weight if "g" in idiom.weight or groups == 1 else idiom.weight.replace("i", "(g i)")
    of_x = layout.arrange(x, layout.DATA, idiom.data).shape
    return {"x": of_x} if idiom.layer else {"x": of_x, "w": layout.arrange(w, layout.WEIGHT, weight).shape}


def sources(framework: str, idiom: Idiom, rank: int) -> Iterator[ClaimedCall]:
    """The settings that an idiom's own arguments can say, as calls of it that are not refused."""
    for setting in SETTINGS:
        given = {**setting, "in": CHANNELS["in"] * setting.get("groups", 1),
                 "out": CHANNELS["out"] * setting.get("groups", 1)}  # fmt: skip
        text, left = spell(idiom, given, rank, _natural(idiom, setting, rank))
        if left - ({"groups"} if "g" in idiom.weight else set()):
            continue
        try:
            point = _call_of(framework, _example(idiom, text, setting, rank))
        except (Refusal, ExpressionError):
            continue
        if not point.claim.refused:
            yield point


def _natural(idiom: Idiom, setting: Mapping[str, Any], rank: int) -> tuple[int, ...]:
    """The output shape that people ask for: in*stride for SAME, the stamp less the padding otherwise."""
    k, s, d = setting["kernel"], setting.get("stride", 1), setting.get("dilation", 1)
    padding, full = setting.get("padding", 0), (INPUT - 1) * s + d * (k - 1) + 1
    extent = INPUT * s if padding == "SAME" else full if padding == "VALID" else full - 2 * padding
    out = np.zeros((1, CHANNELS["out"] * setting.get("groups", 1), *(extent,) * rank))
    return layout.arrange(out, layout.DATA, idiom.data).shape


@cache
def idiom_named(idiom_id: str) -> tuple[str, Idiom]:
    """An idiom and its framework, by id."""
    return next((framework, idiom) for framework in idioms.frameworks() for idiom in idioms.idioms(framework)
                if idiom.id == idiom_id)  # fmt: skip


@cache
def outcomes(rank: int = 2) -> tuple[Outcome, ...]:
    """What every source's settings give in every counterpart, for one number of spatial axes."""
    return tuple(
        _outcome(point, *idiom_named(target))
        for family in families()
        for name, target in permutations(family, 2)
        for point in sources(*idiom_named(name), rank)
    )


def copy(point: ClaimedCall, idiom: Idiom) -> Example:
    """A call's arguments in another idiom, as they stand."""
    problem = point.claim.problem
    out = np.zeros(problem.output_shape)
    arguments = {"kernel": problem.kernel[0], "in": problem.groups * problem.in_channels,
            "out": problem.groups * problem.out_channels, **meanings(point)}  # fmt: skip
    text, _ = spell(idiom, arguments, problem.rank, layout.arrange(out, layout.DATA, idiom.data).shape)
    return _example(idiom, text, {"kernel": problem.kernel[0], "groups": problem.groups}, problem.rank)


def _example(idiom: Idiom, text: str, arguments: Mapping[str, Any], rank: int) -> Example:
    """A call with a weight in the layout that this very call claims."""
    given = shapes(idiom, arguments, rank)
    try:
        claim = _call_of(idiom_named(idiom.id)[0], Example(text, given)).claim
    except (Refusal, ExpressionError):
        return Example(text, given)
    return Example(text, shapes(replace(idiom, weight=claim.weight), arguments, rank))


def _call_of(framework: str, example: Example) -> ClaimedCall:
    return idioms.read(framework, *example, adapters.lane(framework).variant)


def _outcome(source: ClaimedCall, framework: str, idiom: Idiom) -> Outcome:
    example = copy(source, idiom)
    try:
        point = _call_of(framework, example)
    except Refusal as reason:
        return Outcome(source, idiom.id, example.text, "refused", str(reason))
    if point.claim.refused:
        return Outcome(source, idiom.id, example.text, "refused", point.claim.refused)
    kind, how = _compared(source, point)
    return Outcome(source, idiom.id, example.text, kind, how)


def _compared(source: ClaimedCall, copied: ClaimedCall) -> tuple[str, str]:
    """How the copied call's answer looks to someone who expects the source's."""
    problem, other = source.claim.problem, copied.claim.problem
    if other.weight_shape != problem.weight_shape:
        return "refused", f"its weight holds {other.weight_shape} in PyTorch's order, not {problem.weight_shape}"
    arrays = draw("literal", problem)
    weight = arrays.weight
    if source.claim.reversed != copied.claim.reversed:
        weight = np.flip(weight, tuple(range(2, weight.ndim)))
    actual = oracle.expected(other, arrays.x, weight, arrays.bias)
    if actual.shape == problem.output_shape and np.array_equal(actual, oracle.expected(problem, *arrays)):
        return "same", ""
    diagnoses = diagnose(problem, arrays, actual)
    how = diagnoses[0].words if diagnoses else difference(problem, arrays, actual)
    return "other values" if actual.shape == problem.output_shape else "other shape", how


def copies(framework: str) -> Iterator[tuple[ClaimedCall, Idiom, Example]]:
    """Every call that is copied into a framework: its source, the idiom it becomes, and itself."""
    for rank, family in product((1, 2, 3), families()):
        for name, target in permutations(family, 2):
            if idiom_named(target)[0] == framework:
                for point in sources(*idiom_named(name), rank):
                    yield point, idiom_named(target)[1], copy(point, idiom_named(target)[1])


@dataclass(frozen=True, slots=True)
class Given:
    """An array in one weight layout, handed to a call that takes another: what becomes of it.

    Each is "refused", "same", or what the answer equals: with other channel counts, with equal ones, and where the
    kernel too has that many taps on each axis.
    """

    layout: str
    taken_as: str
    unequal: str
    equal: str
    cube: str


def given_as_it_is(layouts: Sequence[str]) -> Iterator[Given]:
    """Every array that is handed over without conversion, for two spatial axes."""
    for ours, theirs in permutations(layouts, 2):
        yield Given(ours, theirs, *(_reread(ours, theirs, i, o, k) for i, o, k in ((2, 3, 4), (2, 2, 4), (3, 3, 3))))


def _reread(ours: str, theirs: str, i: int, o: int, k: int) -> str:
    """What a weight of one layout, read in another, does to the answer."""
    problem = Problem.of((4, 5), (k, k), 2, in_channels=i, out_channels=o)
    arrays = draw("given", problem)
    array = layout.arrange(arrays.weight[None], layout.WEIGHT, ours)
    sizes = layout.sizes(array.shape, theirs, 2, {"g": 1})
    if sizes["i"] != i:
        return "refused"
    names = layout.groups(theirs.replace("(", "").replace(")", "").replace("g ", ""))
    spread = [letter for name in names for letter in ([f"{name}0", f"{name}1"] if name == "k" else [name])]
    read = array.transpose([spread.index(letter) for letter in ("i", "o", "k0", "k1")])
    other = Problem.of((4, 5), sizes["k"], 2, in_channels=i, out_channels=sizes["o"])
    actual = oracle.expected(other, arrays.x, read, None)
    if actual.shape != problem.output_shape:
        return f"other shape: {actual.shape[1:]}"
    explained = diagnose(problem, arrays, actual)
    return explained[0].words if explained else "other values"
