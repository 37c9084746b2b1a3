"""What is said of a stack of layers and an input: as lines, and as data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.calls.sizes.levels import Passage, walk, written
from conformance.calls.sizes.passing import Rule, passing
from conformance.calls.sizes.stack import Stack
from conformance.problem import Ints


@dataclass(frozen=True, slots=True)
class Journey:
    """An input's way through a stack, where there is an input, and the sizes that pass."""

    stack: Stack
    input: Ints
    passages: tuple[Passage, ...]
    rule: Rule

    @property
    def passes(self) -> bool:
        """Whether the input passes; without one, whether any does."""
        return all(passage.passes for passage in self.passages) if self.input else bool(self.rule.rests)

    @property
    def near(self) -> Ints:
        """The nearest sizes that pass, where the input does not and has equal axes."""
        return () if self.passes or len(set(self.input)) != 1 else self.rule.near(self.input[0])


def journey(stack: Stack, extents: Ints) -> Journey:
    """The way of an input of these extents, if there are any, through a stack."""
    return Journey(stack, extents, tuple(walk(stack, extents)) if extents else (), passing(stack))


def told(journey: Journey) -> Iterator[str]:
    """A way through a stack, a line a layer, and what follows from it."""
    for passage in journey.passages:
        level = f" (level {passage.level})" if passage.level else ""
        after = passage.refused or short(passage.after)
        yield f"{passage.layer.call}: {short(passage.before)} -> {after}{level}"
    if not journey.stack.in_order:
        yield "the layers are taken in the order in which they stand in the text, each of them once"
    size = short(journey.input)
    for passage in journey.passages:
        if not passage.passes:
            yield f"input {size}: {_broken(passage)}"
    if journey.input and journey.passes:
        yield f"input {size} passes"
    near = f"; the nearest to {size}: {' and '.join(map(str, journey.near))}" if journey.near else ""
    yield f"sizes that pass: {journey.rule}{near}"


def short(extents: Sequence[int]) -> str:
    """Extents as they are given: one number where all axes are equal."""
    return "x".join(map(str, extents[:1] if len(set(extents)) == 1 else extents))


def _broken(passage: Passage) -> str:
    """Where a stack breaks, and what mends it."""
    if passage.refused:
        return f"{passage.layer.call} gives nothing from {short(passage.before)}: {passage.refused}"
    gives = f"level {passage.level} gives {short(passage.after)} where {short(passage.needed)} is needed"
    ways = [f"give {written(passage.mend)} there"] if passage.mend else []
    return f"{gives}: {' or '.join([*ways, *_crops(passage)])}"


def _crops(passage: Passage) -> Iterator[str]:
    pairs = list(zip(passage.after, passage.needed, strict=True))
    for more, whose in (
        ([max(after - needed, 0) for after, needed in pairs], ""),
        ([max(needed - after, 0) for after, needed in pairs], " of the encoder's"),
    ):
        if any(more):
            yield f"crop {short(more)}{whose}"


def as_data(journey: Journey) -> dict[str, Any]:
    """A way through a stack as data, by the keys that docs/porting.md documents."""
    rule = journey.rule
    return {
        "framework": journey.stack.framework,
        "axes": journey.stack.rank,
        "in_order": journey.stack.in_order,
        "input": list(journey.input) or None,
        "passes": journey.passes,
        "layers": [_passage_as_data(passage) for passage in journey.passages],
        "sizes": {"rule": str(rule), "period": rule.period, "rests": list(rule.rests), "from": rule.first},
        "nearest": list(journey.near),
    }


def _passage_as_data(passage: Passage) -> dict[str, Any]:
    broken = not passage.passes and not passage.refused
    return {
        "line": passage.layer.reading.line,
        "call": passage.layer.call,
        "input": list(passage.before),
        "output": list(passage.after),
        "level": passage.level,
        "needed": list(passage.needed) or None,
        "passes": passage.passes,
        "give": dict(passage.mend) if broken and passage.mend else None,
        "crop": list(_crops(passage)) if broken else [],
        "refused": passage.refused or None,
    }
