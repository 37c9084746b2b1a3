"""Encoder and decoder, level by level: which input sizes pass a stack, which level breaks, and what fixes it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from conformance.calls.sizes.proposals import with_output
from conformance.calls.sizes.spellings import Target, same_value, spellings
from conformance.calls.sizes.stack import Effect, Layer, Stack, after_or_refusal
from conformance.idioms import expression
from conformance.idioms.base import ClaimedCall, Refusal
from conformance.idioms.names.meanings import MEANINGS
from conformance.problem import Ints

ROUNDING = 1e-9
"""Of products of factors, which need not be whole numbers."""


class Join(NamedTuple):
    """Where a layer stands among the levels: the count of its level, 0 where it is of none, and which layer's input it
    has to meet, by its place in the stack, if any."""

    level: int
    met: int | None


@dataclass(frozen=True, slots=True)
class LayerResult:
    """What a layer of a stack gives for an input, and what it has to give.

    `level` counts the layers that shrink, and each that grows again is of the last level that is still open: `needed`
    are the extents that go into the layer `joined`, which shrinks there. `refused` is why a layer gives nothing.
    """

    framework: str
    layer: Layer
    before: Ints
    after: Ints = ()
    level: int = 0
    needed: Ints = ()
    refused: str = ""
    joined: Layer | None = None

    @property
    def passes(self) -> bool:
        """Whether the layer answers, and with the extents that are needed."""
        return not self.refused and self.needed in ((), self.after)

    @property
    def fix(self) -> Mapping[str, Any] | None:
        """The arguments that give the extents that are needed, as few as there can be; None where none do."""
        return _fix(self.framework, self.layer.effect, self.before, self.needed) if self.needed else None

    @property
    def cropped(self) -> Ints:
        """The extents behind the level where the larger of the two sides is cropped to the smaller one."""
        return tuple(map(min, self.after, self.needed)) if self.needed else self.after


def fixed(result: LayerResult) -> Ints:
    """The extents behind a level: those that are needed where an argument gives them, else the cropped ones."""
    if result.passes or not result.needed or result.fix is None:
        return result.cropped
    return result.needed


def cropped(result: LayerResult) -> Ints:
    """The extents behind a level where nothing but crops is done."""
    return result.cropped


def walk(stack: Stack, extents: Ints, behind: Callable[[LayerResult], Ints] = fixed) -> Iterator[LayerResult]:
    """What each layer of a stack gives for an input, up to one that refuses it.

    `behind` says with which extents the way goes on behind a level that breaks.
    """
    before: list[Ints] = []
    for layer, (level, met) in zip(stack.layers, joins(stack), strict=True):
        before.append(extents)
        needed, joined = ((), None) if met is None else (before[met], stack.layers[met])
        after = _after(layer.effect, extents, needed)
        refused = after if isinstance(after, str) else ""
        result = LayerResult(
            stack.framework, layer, extents, () if isinstance(after, str) else after, level, needed, refused, joined
        )
        yield result
        if refused:
            return
        extents = behind(result)


def _after(effect: Effect, extents: Ints, needed: Ints) -> Ints | str:
    """The extents behind a layer, or why there are none; those that are needed where it is applied with their size."""
    after = after_or_refusal(effect, extents)
    sized = needed and effect.takes_size and not isinstance(after, str) and effect.gives(extents, needed)
    return needed if sized else after


@lru_cache(maxsize=2**4)
def joins(stack: Stack) -> tuple[Join, ...]:
    """Which layers of a stack shrink and grow, level by level, which no size of its input changes."""
    encoder: list[int] = []
    grown: float = 1
    found: list[Join] = []
    for at, layer in enumerate(stack.layers):
        if layer.kind == "down":
            encoder.append(at)
        level, met = len(encoder) if layer.kind != "level" else 0, None
        if layer.kind == "up":
            met, grown = _close(stack, encoder, grown * layer.factor)
        found.append(Join(level, met))
    return tuple(found)


def _close(stack: Stack, encoder: list[int], grown: float) -> tuple[int | None, float]:
    """The encoder's last layer whose input a decoder is back at that has grown by so much, and by how much it has grown
    beyond that; levels that are passed are taken away. A factor of 0 is not known, and closes a level."""
    met: int | None = None
    while encoder and (met is None or grown > 1):
        factor = stack.layers[encoder[-1]].factor
        if grown and grown < factor * (1 - ROUNDING):
            break
        met = encoder.pop()
        grown = grown / factor if grown and factor else 1
    return met, grown or 1


def passes(stack: Stack, extents: Ints) -> bool:
    """Whether an input meets the encoder's extents on every level, and is refused by no layer."""
    before: list[Ints] = []
    for layer, (_, met) in zip(stack.layers, joins(stack), strict=True):
        before.append(extents)
        after = _after(layer.effect, extents, () if met is None else before[met])
        if isinstance(after, str) or (met is not None and before[met] != after):
            return False
        extents = after
    return True


def end_of(stack: Stack, extents: Ints) -> Ints:
    """What an input becomes where nothing is joined, as in a chain; nothing where a layer refuses."""
    for layer in stack.layers:
        after = after_or_refusal(layer.effect, extents)
        if isinstance(after, str):
            return ()
        extents = after
    return extents


def comes_back(stack: Stack, extents: Ints) -> bool:
    """Whether a chain gives the extents of its input again."""
    return end_of(stack, extents) == extents


@lru_cache(maxsize=2**10)
def _fix(framework: str, effect: Effect, before: Ints, needed: Ints) -> Mapping[str, Any] | None:
    if effect.law is not None:
        return None
    try:
        problem = with_output(effect.claim(before).problem, needed)
    except Refusal:
        return None
    target = Target(framework, effect.variant, idiom=effect.reading.idiom.id)
    changes = [_changes(effect, call) for call in spellings(target, problem)] if _spelt(target) else []
    return min(changes, key=len, default=None)


def _spelt(target: Target) -> bool:
    return any(idiom.id == target.idiom for idiom in Target(target.framework).idioms())


def _changes(effect: Effect, call: ClaimedCall) -> dict[str, Any]:
    """The arguments of a call by which its window is another than the layer's."""
    ours = effect.reading.arguments
    names = MEANINGS["padding"] | MEANINGS["output_padding"] | {"output_size", "output_shape", "target_shape"}
    return {name: value for name, value in call.arguments.items()
            if name in names and not same_value(value, ours.get(name))}  # fmt: skip


def written(fix: Mapping[str, Any]) -> str:
    """Arguments as they are written, one number for equal ones."""
    short = {name: value[0] if isinstance(value, list | tuple) and len(set(map(str, value))) == 1 and not isinstance(
        value[0], list | tuple) else value for name, value in fix.items()}  # fmt: skip
    return expression.write("", **short)[1:-1]
