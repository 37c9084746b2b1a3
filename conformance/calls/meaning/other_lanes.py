"""What a call means where its framework executes in another way, as far as that is not the same."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.calls.meaning import Meaning, understand
from conformance.calls.meaning.wording import extents
from conformance.idioms import IdiomError, Reading, Refusal


@dataclass(frozen=True, slots=True)
class OtherLane:
    """A lane in which a call is refused and here it is not, or the other way round, or in which its window is another.

    `how` says what to set for that lane, and `ours` for the one that was asked; `meaning` is the reason where nothing
    can be claimed.
    """

    lane: Lane
    how: str
    ours: str
    meaning: Meaning | str

    @property
    def refused(self) -> str:
        """Why the call is refused in that lane; empty where it is not."""
        return self.meaning if isinstance(self.meaning, str) else self.meaning.refused

    def lines(self, refused_here: str) -> Iterator[str]:
        """The difference, and what is to be set for an answer."""
        said = f"refused: {self.refused}" if isinstance(self.meaning, str) or self.refused else _window(self.meaning)
        yield f"  on {self.lane}: {said}"
        if refused_here or self.refused:
            yield f"    to be answered: {self.how if refused_here else self.ours}"


def other_lanes(
    lane: Lane, reading: Reading, shapes: Mapping[str, Any], dtype: str, here: Meaning
) -> Sequence[OtherLane]:  # fmt: skip
    """The other lanes of a framework in which a call does not mean what it means `here`."""
    others = [Lane(lane.framework, variant) for variant in adapters.variants(lane.framework) if variant != lane.variant]
    found = []
    for other in others:
        there = _meaning(other, reading, shapes, dtype)
        if isinstance(there, str) or (there.refused, there.window) != (here.refused, here.window):
            hows = adapters.how_to_run(other, lane.variant), adapters.how_to_run(lane, other.variant)
            found.append(OtherLane(other, *hows, there))
    return found if not here.refused else [other for other in found if not other.refused]


def answered_elsewhere(lane: Lane, reading: Reading, shapes: Mapping[str, Any], dtype: str) -> str:
    """In which other lane a call is answered that has no meaning here, and what to set for it; empty for none."""
    for variant in adapters.variants(lane.framework):
        other = Lane(lane.framework, variant)
        there = _meaning(other, reading, shapes, dtype)
        if not isinstance(there, str) and not there.refused:
            return f": {other} answers it: {adapters.how_to_run(other, lane.variant)}"
    return ""


def as_data(others: Sequence[OtherLane]) -> list[dict[str, Any]]:
    """Other lanes as data, by the keys that docs/porting.md documents."""
    return [
        {
            "lane": str(other.lane), "how": other.how, "refused": other.refused or None,
            "window": None if isinstance(other.meaning, str) else [list(ends) for ends in other.meaning.window],
            "output": None if isinstance(other.meaning, str) else list(other.meaning.output),
        }
        for other in others
    ]  # fmt: skip


def _meaning(lane: Lane, reading: Reading, shapes: Mapping[str, Any], dtype: str) -> Meaning | str:
    try:
        return understand(lane.framework, reading, shapes, lane.variant, dtype)
    except (Refusal, IdiomError) as reason:
        return str(reason)


def _window(meaning: Meaning) -> str:
    window = " x ".join(f"({lo}, {hi})" for lo, hi in meaning.window)
    return f"window {window}, which leaves {extents(meaning.output)}"
