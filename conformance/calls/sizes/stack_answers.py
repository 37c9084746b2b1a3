"""What is said of a stack of layers and an input: as lines, and as data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.calls.sizes.levels import LayerResult, comes_back, cropped, end_of, walk, written
from conformance.calls.sizes.passing import Rule, least_of, passing
from conformance.calls.sizes.stack import Stack
from conformance.problem import Ints


@dataclass(frozen=True, slots=True)
class StackAnswer:
    """What the layers of a stack give for an input, where there is one, and the sizes that pass.

    `crops` is the same way where the skip connections are cropped and no argument is changed; empty where that is no
    other way. `rule` is of levels that are joined, as in a U-Net. `end` is what the input becomes where nothing is
    joined, and `chain` the rule of the sizes that come back then; None where the stack does not both shrink and grow.
    """

    stack: Stack
    input: Ints
    results: tuple[LayerResult, ...]
    crops: tuple[LayerResult, ...]
    rule: Rule
    end: Ints
    chain: Rule | None

    @property
    def joined(self) -> bool:
        """Whether the input passes with every level joined; without one, whether any does."""
        return all(result.passes for result in self.results) if self.input else bool(self.rule.rests)

    @property
    def passes(self) -> bool:
        """Whether the input passes, joined or as a chain; without one, whether any does."""
        if self.joined or self.chain is None:
            return self.joined
        return self.end == self.input if self.input else bool(self.chain.rests)

    @property
    def alone(self) -> bool:
        """Whether the layers pass on nothing but their answers, and the input does not come back from them."""
        return self.stack.sequential and self.chain is not None and self.end not in ((), self.input)

    @property
    def chained(self) -> tuple[LayerResult, ...]:
        """What each layer gives for the input where nothing is joined."""
        return tuple(walk(self.stack, self.input, lambda result: result.after))

    @property
    def near(self) -> Ints:
        """The nearest sizes that pass, where the input does not and has equal axes."""
        return () if self.joined or len(set(self.input)) != 1 else self.rule.near(self.input[0])

    @property
    def near_chain(self) -> Ints:
        """The nearest sizes that come back where nothing is joined, if the input does not and has equal axes."""
        if self.chain is None or len(set(self.input)) != 1 or self.end == self.input:
            return ()
        return self.chain.near(self.input[0])


def answer_stack(stack: Stack, extents: Ints) -> StackAnswer:
    """What a stack gives for an input of these extents, if there are any."""
    results = tuple(walk(stack, extents)) if extents else ()
    crops = tuple(walk(stack, extents, cropped)) if any(_is_short(result) and result.fix for result in results) else ()
    end = end_of(stack, extents) if extents else ()
    chain = passing(stack, comes_back) if {"down", "up"} <= {layer.kind for layer in stack.layers} else None
    return StackAnswer(stack, extents, results, crops, passing(stack), end, chain)


def stack_lines(answer: StackAnswer) -> Iterator[str]:
    """An answer, a line a layer, and what follows from it."""
    for result in answer.chained if answer.alone else answer.results:
        level = f"level {result.level}" if result.level else ""
        where = ", ".join(filter(None, [result.layer.place, level]))
        after = result.refused or short(result.after)
        yield f"{result.layer.call}: {short(result.before)} -> {after}{f' ({where})' if where else ''}"
    if not answer.stack.in_order:
        yield "the layers are taken in the order in which they stand in the text, each of them once"
    if answer.stack.unknown:
        pads = ", which may fix a level that breaks" if any(".pad " in call for call in answer.stack.unknown) else ""
        yield f"not known, and taken to keep sizes: {', '.join(answer.stack.unknown)}{pads}"
    if answer.stack.assumed:
        yield f"with the defaults {', '.join(answer.stack.assumed)}"
    size = short(answer.input)
    if answer.alone:
        end = short(answer.end) if len(set(answer.input)) == 1 else "x".join(map(str, answer.end))
        yield f"as an autoencoder the answer is {end}, not {size}"
    joined = ", with a skip connection on every level" if answer.alone else ""
    for result in answer.results:
        if not result.passes:
            yield f"input {size}{joined}: {_broken(result, _number(answer, result))}"
    if answer.crops:
        yield f"input {size} with crops of the skip connections alone: {_cropping(answer.crops)}"
    if answer.input and answer.joined:
        yield f"input {size} passes"
    near = f"; the nearest to {size}: {' and '.join(map(str, answer.near))}" if answer.near else ""
    if answer.chain is None or (answer.chain == answer.rule and answer.rule.rests):
        yield f"sizes that pass: {answer.rule}{near}"
        return
    if answer.end and not answer.alone:
        again = " again" if answer.end == answer.input else ""
        yield f"without skip connections, input {size} gives {short(answer.end)}{again}"
    yield f"sizes that pass with a skip connection on every level, as in a U-Net: {answer.rule}{near}"
    back = answer.near_chain
    near = f"; the nearest to {size}: {' and '.join(map(str, back))}" if back else ""
    yield f"sizes that come out as they went in, without skip connections: {answer.chain}{near}"


def short(extents: Sequence[int]) -> str:
    """Extents as they are given: one number where all axes are equal."""
    return "x".join(map(str, extents[:1] if len(set(extents)) == 1 else extents))


def _number(answer: StackAnswer, result: LayerResult) -> str:
    """Which layer it is, where there are several."""
    count = len(answer.stack.layers)
    return f"layer {answer.results.index(result) + 1} of {count}" if count > 1 else ""


def _broken(result: LayerResult, number: str) -> str:
    """Where a stack breaks, and what fixes it."""
    if result.refused:
        least = least_of(result.layer, len(result.before))
        needs = f" and needs at least {least}" if least > min(result.before) else ""
        subject = f"{number}, {result.layer.call}," if number else result.layer.call
        return f"{subject} gets {short(result.before)}{needs}: {result.refused}"
    place = f" ({result.layer.place})" if result.layer.place else ""
    gives = f"level {result.level}{place} gives {short(result.after)} where {short(result.needed)} is needed"
    ways = [f"give {written(result.fix)} there"] if result.fix else []
    return f"{gives}: {' or '.join([*ways, *_crops(result)])}"


def _is_short(result: LayerResult) -> bool:
    """Whether a layer that grows gives less than is needed."""
    return any(needed > after for after, needed in zip(result.after, result.needed or result.after, strict=True))


def _cropping(results: Sequence[LayerResult]) -> str:
    """What is cropped on each level where nothing else is done, and what is left at the end."""
    crops = [
        f"{more}{' of its answer' if whose == 'its answer' else ''} on level {result.level}"
        + (f" ({result.layer.place})" if result.layer.place else "")
        for result in results if not result.passes and not result.refused
        for more, whose in _differences(result)
    ]  # fmt: skip
    last = results[-1]
    end = f"then {last.layer.call} gives nothing: {last.refused}" if last.refused else f"{short(last.cropped)} is left"
    return f"crop {', '.join(crops)}; {end}"


def _differences(result: LayerResult) -> Iterator[tuple[str, str]]:
    """By how much each side of a level is too large."""
    pairs = list(zip(result.after, result.needed, strict=True))
    for more, whose in (
        ([max(after - needed, 0) for after, needed in pairs], "its answer"),
        ([max(needed - after, 0) for after, needed in pairs], "the skip connection"),
    ):
        if any(more):
            yield short(more), whose


def _crops(result: LayerResult) -> Iterator[str]:
    """What to cut of either side, so that both are equal."""
    joined = result.joined.call if result.joined else ""
    place = f" ({result.joined.place})" if result.joined and result.joined.place else ""
    for more, whose in _differences(result):
        which = "" if whose == "its answer" else f", which is what goes into {joined}{place}"
        yield f"crop {more} of {whose}{which}"


def as_data(answer: StackAnswer) -> dict[str, Any]:
    """An answer as data, by the keys that docs/porting.md documents."""
    return {
        "framework": answer.stack.framework,
        "axes": answer.stack.rank,
        "in_order": answer.stack.in_order,
        "unknown": list(answer.stack.unknown),
        "assumed": list(answer.stack.assumed),
        "input": list(answer.input) or None,
        "passes": answer.passes,
        "joined": answer.joined,
        "end": list(answer.end) or None,
        "layers": [_result_as_data(result) for result in answer.results],
        "crops": [_result_as_data(result) for result in answer.crops] or None,
        "sizes": _rule_as_data(answer.rule),
        "chain": None if answer.chain is None else _rule_as_data(answer.chain),
        "nearest": list(answer.near),
        "nearest_chain": list(answer.near_chain),
    }


def _rule_as_data(rule: Rule) -> dict[str, Any]:
    return {"rule": str(rule), "period": rule.period, "rests": list(rule.rests), "from": rule.first}


def _result_as_data(result: LayerResult) -> dict[str, Any]:
    broken = not result.passes and not result.refused
    return {
        "line": result.layer.reading.line,
        "call": result.layer.call,
        "input": list(result.before),
        "output": list(result.after),
        "level": result.level,
        "needed": list(result.needed) or None,
        "passes": result.passes,
        "give": dict(result.fix) if broken and result.fix else None,
        "crop": list(_crops(result)) if broken else [],
        "refused": result.refused or None,
    }
