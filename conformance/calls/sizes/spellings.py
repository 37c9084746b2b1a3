"""Every call of a framework whose answer has given extents, each held to the claim of its own idiom."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from typing import Any

from conformance import idioms
from conformance.idioms import Reading, expression
from conformance.idioms.base import ClaimedCall, Idiom, Refusal, with_window
from conformance.idioms.names.meanings import MEANINGS
from conformance.problem import Problem

GEOMETRY = "input", "kernel", "stride", "dilation", "groups", "output"
"""What a call must have of a problem; its window is its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Whose calls are looked for: a framework, how it executes, and the values that arguments must have, by the roles
    of `MEANINGS`; with an idiom's id, those of that idiom alone, with a module, such as keras, those of its idioms."""

    framework: str
    variant: str = ""
    idiom: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    module: str = ""

    def idioms(self) -> list[Idiom]:
        """The idioms in which sizes can be said, layers first. Raises IdiomError for an id that is none of them."""
        able = [idiom for idiom in idioms.idioms(self.framework) if idiom.say or idiom.reach is not Idiom.reach]
        of_module = idioms.idioms_of(self.module or self.framework)
        chosen = [idiom for idiom in able if (self.idiom == idiom.id if self.idiom else idiom in of_module)]
        if not chosen:
            raise idioms.no_idiom(self.framework, self.idiom, "that says sizes", [idiom.id for idiom in able])
        return sorted(chosen, key=lambda idiom: not idiom.layer)

    def paddings(self) -> tuple[list[str], bool]:
        """The names that these idioms' calls have for paddings, as they are first written, where capitals tell no two
        apart; and whether any has numbers."""
        texts = (text for idiom in self.idioms() for text, _ in idiom.examples())
        calls = [idioms.reading(self.framework, text).arguments for text in texts]
        values = [call[name] for call in calls for name in sorted(MEANINGS["padding"]) if name in call]
        names = {value.upper(): value for value in reversed(values) if isinstance(value, str)}
        return [*names.values()][::-1], any(not isinstance(value, str) for value in values)


SHOWN = 8
"""Windows that are shown at most of a way to say sizes, as where a long stride leaves many paddings to choose from."""


def spellings(target: Target, problem: Problem) -> Iterator[ClaimedCall]:
    """The calls that leave a problem's output extents, whatever the window, the most natural first."""
    seen: set[str] = set()
    for idiom in target.idioms():
        layer = replace(problem, bias=idiom.layer)  # which it has unless it is told otherwise, and no size depends on
        said = (_named(text, target.given.get("padding")) for text in _said(idiom, layer))
        for texts in (said, (_plain(idiom, text) for text in idiom.reach(layer))):
            for call in islice(_fitting(target, idiom, texts, problem), SHOWN):
                if call.text not in seen:
                    seen.add(call.text)
                    yield call


def in_order(calls: Sequence[ClaimedCall]) -> tuple[ClaimedCall, ...]:
    """Calls with those of an idiom that cut the same at both ends before the others."""
    ids = list(dict.fromkeys(call.idiom.id for call in calls))
    unequal = {id(call): any(lo != hi for lo, hi in call.claim.problem.window) for call in calls}
    return tuple(sorted(calls, key=lambda call: (ids.index(call.idiom.id), unequal[id(call)])))


def _said(idiom: Idiom, problem: Problem) -> Iterator[str]:
    """An idiom's expressions for a problem with the usual windows."""
    if idiom.say is None:
        return
    for window in idioms.windows(problem):
        with suppress(Refusal):
            yield _plain(idiom, idiom.say(with_window(problem, window)))


def _named(text: str, padding: Any) -> str:
    """A call with another name for its padding, if a name is given and the call has one, in capitals as that is."""
    if not isinstance(padding, str):
        return text
    call = expression.parse(text)
    assert call is not None
    words = {
        name: (padding.upper() if value.isupper() else padding.lower())
        if name in MEANINGS["padding"] and isinstance(value, str) else value
        for name, value in call.named.items()
    }  # fmt: skip
    return expression.write(call.function, *call.positional, **words)


def _plain(idiom: Idiom, text: str) -> str:
    """A call without the arguments that no size depends on."""
    if not idiom.unsized:
        return text
    call = expression.parse(text)
    assert call is not None
    words = {name: value for name, value in call.named.items() if name not in idiom.unsized}
    return expression.write(call.function, *call.positional, **words)


def _fitting(target: Target, idiom: Idiom, texts: Iterator[str], problem: Problem) -> Iterator[ClaimedCall]:
    """The calls in texts that are claimed to be answered with the extents that are asked for."""
    shapes = idioms.shapes_for(idiom, problem)
    for text in texts:
        reading = idioms.reading(target.framework, text)
        if not _as_given(reading, target.given):
            continue
        with suppress(Refusal):
            point = idioms.point(reading, shapes, target.variant)
            same = all(getattr(point.claim.problem, name) == getattr(problem, name) for name in GEOMETRY)
            if same and not point.claim.refused:
                yield point


def _as_given(reading: Reading, given: Mapping[str, Any]) -> bool:
    """Whether a call has the values that were asked for; what it has no argument for is not as given."""
    return all(
        any(same_value(reading.arguments[name], value) for name in MEANINGS[role] if name in reading.arguments)
        for role, value in given.items()
    )


def same_value(value: Any, given: Any) -> bool:
    """Whether two values of an argument are the same, where one number may stand for all axes."""
    if isinstance(value, str) or isinstance(given, str):
        return isinstance(value, str) and value.upper() == str(given).upper()
    return _axes(value) == _axes(given)


def _axes(value: Any) -> tuple[Any, ...]:
    """Numbers of all axes, one of which may stand for equal ones."""
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    return values[:1] if len(set(map(str, values))) == 1 else values


@lru_cache(maxsize=2**10)
def first(target: Target, problem: Problem) -> ClaimedCall | None:
    """The most natural call that leaves a problem's output extents."""
    return next(spellings(target, problem), None)
