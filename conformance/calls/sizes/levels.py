"""Encoder and decoder, level by level: which input sizes pass a stack, which level breaks, and what mends it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from conformance.calls.sizes.proposals import with_output
from conformance.calls.sizes.spellings import Target, same_value, spellings
from conformance.calls.sizes.stack import Layer, Stack
from conformance.idioms import expression
from conformance.idioms.base import MEANINGS, ClaimedCall, Refusal
from conformance.problem import Ints

ROUNDING = 1e-9
"""Of products of factors, which need not be whole numbers."""


class Level(NamedTuple):
    """The extents before a layer that shrinks, and by how many times fewer elements it leaves."""

    extents: Ints
    factor: float


@dataclass(frozen=True, slots=True)
class LayerResult:
    """What a layer of a stack gives for an input, and what it has to give.

    `level` counts the layers that shrink, and each that grows again is of the last level that is still open: `needed`
    are the extents that the encoder has there. `refused` is why a layer gives nothing.
    """

    framework: str
    layer: Layer
    before: Ints
    after: Ints = ()
    level: int = 0
    needed: Ints = ()
    refused: str = ""

    @property
    def passes(self) -> bool:
        """Whether the layer answers, and with the extents that are needed."""
        return not self.refused and self.needed in ((), self.after)

    @property
    def mend(self) -> Mapping[str, Any] | None:
        """The arguments that give the extents that are needed, as few as there can be; None where none do."""
        return _mend(self.framework, self.layer, self.before, self.needed) if self.needed else None

    @property
    def passed_on(self) -> Ints:
        """The extents behind the level: those that are needed, but where the encoder's alone can be cropped."""
        if self.passes or not self.needed:
            return self.after
        if self.mend is not None:
            return self.needed
        return tuple(map(min, self.after, self.needed))


def walk(stack: Stack, extents: Ints) -> Iterator[LayerResult]:
    """What each layer of a stack gives for an input, up to one that refuses it.

    Behind a level that breaks, the extents are those that a mended one gives.
    """
    encoder: list[Level] = []
    grown: float = 1
    for layer in stack.layers:
        needed: Ints = ()
        if layer.kind == "down":
            encoder.append(Level(extents, layer.factor))
        level = len(encoder) if layer.kind != "level" else 0
        if layer.kind == "up":
            grown *= layer.factor
            needed, grown = _close(encoder, grown)
        try:
            after, refused = layer.after(extents), ""
        except Refusal as reason:
            after, refused = (), str(reason)
        result = LayerResult(stack.framework, layer, extents, after, level, needed, refused)
        yield result
        if refused:
            return
        extents = result.passed_on


def _close(encoder: list[Level], grown: float) -> tuple[Ints, float]:
    """The extents of the encoder's last level that a decoder is back at that has grown by so much, and by how much it
    has grown beyond that; levels that are passed are taken away. A factor of 0 is not known, and closes a level."""
    needed: Ints = ()
    while encoder and (not needed or grown > 1) and (not grown or grown >= encoder[-1].factor * (1 - ROUNDING)):
        needed, factor = encoder.pop()
        grown = grown / factor if grown and factor else 1
    return needed, grown or 1


def passes(stack: Stack, extents: Ints) -> bool:
    """Whether an input meets the encoder's extents on every level, and is refused by no layer."""
    return all(result.passes for result in walk(stack, extents))


def end_of(stack: Stack, extents: Ints) -> Ints:
    """What an input becomes where nothing is joined, as in a chain; nothing where a layer refuses."""
    for layer in stack.layers:
        try:
            extents = layer.after(extents)
        except Refusal:
            return ()
    return extents


def comes_back(stack: Stack, extents: Ints) -> bool:
    """Whether a chain gives the extents of its input again."""
    return end_of(stack, extents) == extents


@lru_cache(maxsize=2**10)
def _mend(framework: str, layer: Layer, before: Ints, needed: Ints) -> Mapping[str, Any] | None:
    if layer.law is not None:
        return None
    try:
        problem = with_output(layer.claim(before).problem, needed)
    except Refusal:
        return None
    target = Target(framework, layer.variant, idiom=layer.reading.idiom.id)
    changes = [_changes(layer, call) for call in spellings(target, problem)] if _spelt(target) else []
    return min(changes, key=len, default=None)


def _spelt(target: Target) -> bool:
    return any(idiom.id == target.idiom for idiom in Target(target.framework).idioms())


def _changes(layer: Layer, call: ClaimedCall) -> dict[str, Any]:
    """The arguments of a call by which its window is another than the layer's."""
    ours = layer.reading.arguments
    names = MEANINGS["padding"] | MEANINGS["output_padding"] | {"output_size", "output_shape", "target_shape"}
    return {name: value for name, value in call.arguments.items()
            if name in names and not same_value(value, ours.get(name))}  # fmt: skip


def written(mend: Mapping[str, Any]) -> str:
    """Arguments as they are written, one number for equal ones."""
    short = {name: value[0] if isinstance(value, list | tuple) and len(set(map(str, value))) == 1 and not isinstance(
        value[0], list | tuple) else value for name, value in mend.items()}  # fmt: skip
    return expression.write("", **short)[1:-1]
