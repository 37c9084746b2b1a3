"""A stack of layers, read from a text: what each layer does to the extents of its input."""

import ast
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Any

from conformance.calls.meaning import claim_on
from conformance.calls.sizes import order
from conformance.calls.sizes.network import SEQUENCES, WRAPPERS, Network, Step
from conformance.calls.sizes.proposals import SizesError
from conformance.idioms import IdiomError, Reading, _reading, _source
from conformance.idioms.arithmetic import value_or_name
from conformance.idioms.base import Claim, Refusal
from conformance.idioms.expression import ExpressionError, Name
from conformance.idioms.names.meanings import MEANINGS
from conformance.idioms.ordinary.base import Kind, SizeLaw
from conformance.idioms.sizes.layers import KERNELS, catalogue, keeps, law_of, rank_of, read_layers
from conformance.problem import Ints

LARGEST = 2**62
"""The largest extent that is passed on."""


SIZE = "output_size"
"""The argument with which a layer is applied whose answer is to have a size."""


def _with_size(reading: Reading, size: Any) -> Reading:
    return replace(reading, arguments={**reading.arguments, SIZE: size})


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """What a layer does to sizes: its law, or the claim of a transposed one. Layers that differ in what no size hangs
    on, such as channels, have the same one, so that what was found out is known of all of them."""

    reading: Reading
    law: SizeLaw | None
    kind: Kind
    factor: float
    variant: str

    @property
    def takes_size(self) -> bool:
        """Whether it is applied with an output_size that is known only when it runs."""
        return isinstance(self.reading.arguments.get(SIZE), Name)

    def claim(self, extents: Ints) -> Claim:
        """What a transposed convolution means on an input of these extents, without a size that is not known."""
        reading = _with_size(self.reading, None) if self.takes_size else self.reading
        return claim_on(reading, extents, self.variant)

    def gives(self, extents: Ints, size: Ints) -> bool:
        """Whether a transposed convolution can be applied with this output_size."""
        try:
            return not claim_on(_with_size(self.reading, list(size)), extents, self.variant).refused
        except Refusal:
            return False


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A layer of a stack: its call, where it stands, and what it does to sizes."""

    reading: Reading
    effect: Effect

    @property
    def call(self) -> str:
        return self.reading.text

    @property
    def place(self) -> str:
        """Its line, where that is not the first of a text."""
        return f"line {self.reading.line}" if self.reading.line > 1 else ""

    @property
    def kind(self) -> Kind:
        return self.effect.kind

    @property
    def factor(self) -> float:
        """By how many times fewer or more elements it leaves."""
        return self.effect.factor

    def after(self, extents: Ints) -> Ints:
        """The extents of its answer. Raises Refusal where the framework refuses, or leaves nothing."""
        after = after_or_refusal(self.effect, extents)
        if isinstance(after, str):
            raise Refusal(after)
        return after


@lru_cache(maxsize=2**16)
def after_or_refusal(effect: Effect, extents: Ints) -> Ints | str:
    """The extents behind a layer, or why there are none."""
    try:
        if effect.law is not None:
            return tuple(effect.law.of(axis, extent) for axis, extent in enumerate(extents))
        claim = effect.claim(extents)
    except Refusal as reason:
        return str(reason)
    if max(claim.problem.output) > LARGEST:
        return f"no array has an extent of more than {LARGEST}"
    return claim.refused or claim.problem.output


@dataclass(frozen=True, slots=True)
class Stack:
    """Layers in the order in which they are passed, of so many spatial axes; `in_order` where the text says so, and
    `sequential` where each of them is given the answer of the one before and nothing else, as in a Sequential.

    `unknown` are the calls of a text of which it is not known what they do to sizes, and which are taken to keep them;
    `assumed` are the defaults of a class's parameters that tests in the text depend on.
    """

    framework: str
    layers: tuple[Layer, ...]
    rank: int
    in_order: bool
    unknown: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    sequential: bool = False


def read_stack(framework: str, texts: Sequence[str], axes: int = 0, variant: str = "", start: str = "") -> Stack:
    """The layers of texts, one after the other. `axes` is the number of spatial axes where it is known.

    A text with a class that has a forward method is followed from there, from `start` where it is given. Raises
    SizesError for a layer that cannot be read, or whose effect on sizes is not known.
    """
    parts = [_part(framework, text if "\n" in text.strip() else text.strip(), start) for text in texts]
    readings = [reading for part in parts for reading in part.readings]
    unknown = dict.fromkeys(call for part in parts for call in part.unknown)
    if not readings:
        raise SizesError(f"no layer of {framework} that changes sizes stands in it: give calls such as "
                         f"{catalogue(framework).idioms[0].functions[2]}(...)")  # fmt: skip
    ranks = {rank for reading in readings if (rank := rank_of(reading))} | ({axes} if axes > 1 else set())
    if len(ranks) > 1:
        raise SizesError(f"layers of {' and '.join(map(str, sorted(ranks)))} spatial axes stand in one stack")
    rank = ranks.pop() if ranks else max(axes, 1)
    effects: dict[tuple[Any, ...], Effect] = {}
    layers = tuple(_layer(framework, reading, rank, variant, effects) for reading in readings)
    in_order = len(texts) > 1 or len(readings) == 1 or all(part.in_order for part in parts)
    assumed = dict.fromkeys(value for part in parts for value in part.assumed)
    sequential = all(
        part.in_order and _is_sequence(text, listed=False) for part, text in zip(parts, texts, strict=True)
    )
    return Stack(framework, layers, rank, in_order, tuple(unknown), tuple(assumed), sequential)


@dataclass(frozen=True, slots=True)
class _Part:
    """The layers of one text, the calls of which it is not known what they do, and whether the text says the order."""

    readings: Sequence[Reading]
    unknown: Sequence[str]
    in_order: bool
    assumed: Sequence[str] = ()


def _part(framework: str, text: str, start: str) -> _Part:
    known = catalogue(framework).last_names
    try:
        network = Network(text, frozenset(known), keeps(framework))
        top = start or network.top
        if not top:
            return _as_it_stands(framework, text)
        steps = list(network.steps(top))
    except RecursionError:
        raise SizesError(f"{text[:60]!r}... is nested too deeply to be read") from None
    readings = [_resolved(framework, step) for step in steps if step.known]
    unknown = [f"{step.call.function} (line {step.call.line})" for step in steps if not step.known]
    part = _Part(readings, unknown, in_order=True, assumed=network.defaults(top))
    return part if readings else _as_it_stands(framework, text)


def _resolved(framework: str, step: Step) -> Reading:
    try:
        reading = _reading.resolve(catalogue(framework), step.call, step.given)
        applied = step.size is not None and SIZE in reading.idiom.outer
        return _with_size(reading, value_or_name(step.size, step.given)) if applied and step.size else reading
    except (IdiomError, ExpressionError) as error:
        raise SizesError(f"line {step.call.line}: {error}") from None


def _as_it_stands(framework: str, text: str) -> _Part:
    """The layers of a text in the order in which they stand there."""
    known = catalogue(framework).last_names
    try:
        _require_known(framework, text)
        order.require_order(text, known)
    except RecursionError:
        raise SizesError(f"{text[:60]!r}... is nested too deeply to be read") from None
    readings: list[Reading] = []
    for line, entry in read_layers(framework, text):
        if isinstance(entry, str):
            raise SizesError(f"line {line}: {entry}")
        readings.append(entry)
    unknown = order.not_known(text, known | SEQUENCES | keeps(framework))
    return _Part(readings, [*unknown], _is_sequence(text))


def starts_at(framework: str, text: str, name: str) -> bool:
    """Whether a text has a class of this name with a forward method, which can be followed."""
    return name in Network(text, frozenset(catalogue(framework).last_names), keeps(framework)).classes


def part_of(framework: str, text: str, name: str) -> str:
    """A text of which nothing is left but a class or function with layers; see `order.part_of`."""
    return order.part_of(text, name, catalogue(framework).last_names)


def _layer(framework: str, reading: Reading, rank: int, variant: str, effects: dict[tuple[Any, ...], Effect]) -> Layer:
    """A layer, with the effect that an equal one before it has, if there is any."""
    key = (reading.idiom.id, reading.last, *_sizing(reading))
    if key not in effects:
        effects[key] = _effect(framework, reading, rank, variant)
    return Layer(reading, effects[key])


def _sizing(reading: Reading) -> Iterator[tuple[str, str]]:
    """The arguments that a size, or a refusal, may depend on; channels are such where they are in groups, or none."""
    grouped = any(reading.arguments.get(name) not in (1, None) for name in MEANINGS["groups"])
    for name, value in reading.arguments.items():
        plain = isinstance(value, Name) or (isinstance(value, int) and value > 0)
        if grouped or not plain or name not in MEANINGS["in"] | MEANINGS["out"]:
            yield name, repr(value)


def _effect(framework: str, reading: Reading, rank: int, variant: str) -> Effect:
    try:
        plain = isinstance(reading.arguments.get(SIZE), Name) and SIZE in reading.idiom.outer
        law = law_of(framework, _with_size(reading, None) if plain else reading, rank)
    except Refusal as reason:
        raise SizesError(f"line {reading.line}: {reading.text}: {reason}") from None
    if law is not None:
        return Effect(reading, law, law.kind, law.factor, variant)
    if not reading.idiom.layer and not any(name in reading.arguments for name in KERNELS):
        raise SizesError(f"line {reading.line}: {reading.text}: its kernel is that of its weight, which no stack says: "
                         "write a layer")  # fmt: skip
    strides = [reading.arguments[name] for name in sorted(MEANINGS["stride"] | {"lhs_dilation"})
               if name in reading.arguments]  # fmt: skip
    per_axis = [value if isinstance(value, list | tuple) else [value] * rank for value in strides]
    factor = prod(number for value in per_axis for number in value if isinstance(number, int))
    return Effect(reading, None, "up" if factor > 1 else "level", max(factor, 1), variant)


def _is_sequence(text: str, *, listed: bool = True) -> bool:
    """Whether a text is one call that passes layers on in order, or a list of them if that is `listed`."""
    body = _source.parse(text.strip()).body
    value = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr | ast.Assign) else None
    if isinstance(value, ast.Call):
        return _source.dotted(value.func).rpartition(".")[2] in SEQUENCES
    return listed and isinstance(value, ast.List | ast.Tuple)


def _require_known(framework: str, text: str) -> None:
    """Raises SizesError for an element of a sequence of which it is not known what it does to sizes."""
    known = catalogue(framework).last_names | SEQUENCES
    for element in _elements(_source.parse(text)):
        if not _is_known(element, known, keeps(framework)):
            name = _source.dotted(element.func) if isinstance(element, ast.Call) else ""
            whole = _source.resolved(name, _source.parse(text))
            if name and (elsewhere := catalogue(framework).elsewhere(whole)):
                raise SizesError(f"line {element.lineno}: {elsewhere}")
            raise SizesError(f"line {element.lineno}: what {ast.unparse(element)[:80]!r} does to sizes is not known: "
                             "write its layers out, or leave it out if it keeps them")  # fmt: skip


def _is_known(element: ast.expr, known: Set[str], keeping: Set[str]) -> bool:
    """Whether an element is a layer that is known, or such a one in a wrapper or with a suffix."""
    if isinstance(element, ast.Tuple) and len(element.elts) == 2:
        return _is_known(element.elts[1], known, keeping)  # a name and its layer, as in OrderedDict
    if not isinstance(element, ast.Call):
        return _source.dotted(element).rpartition(".")[2] in keeping
    last = _source.dotted(element.func).rpartition(".")[2]
    if last in WRAPPERS and element.args:
        return _is_known(element.args[0], known, keeping)
    if isinstance(element.func, ast.Attribute) and isinstance(element.func.value, ast.Call):
        return _is_known(element.func.value, known, keeping)
    return last in known | keeping


def _elements(tree: ast.Module) -> Iterator[ast.expr]:
    """What stands in sequences, or in a list that is the whole text."""
    for statement in tree.body:
        if isinstance(statement, ast.Expr | ast.Assign) and isinstance(statement.value, ast.List | ast.Tuple):
            yield from statement.value.elts
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and _source.dotted(call.func).rpartition(".")[2] in SEQUENCES:
            for argument in call.args:
                held = argument.args[0] if isinstance(argument, ast.Call) and _is_dictionary(argument) else argument
                yield from held.elts if isinstance(held, ast.List | ast.Tuple) else [held]


def _is_dictionary(call: ast.Call) -> bool:
    return _source.dotted(call.func).rpartition(".")[2] == "OrderedDict" and len(call.args) == 1
