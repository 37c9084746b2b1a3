"""The machines that some runs stood on, a line each, for the pages and the feeds."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from conformance.records.machine import Machine, host, line
from conformance.records.record import Run


@dataclass(frozen=True, slots=True)
class Stand:
    """A machine in a line, and what ran on it; `names` is empty where everything did."""

    line: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.names)}: {self.line}" if self.names else self.line


def hosts(runs: Iterable[Run]) -> list[Stand]:
    """The machines of runs of several frameworks, without what the libraries of each may use."""
    return _stands(runs, host)


def machines(runs: Iterable[Run]) -> list[Stand]:
    """The machines of one framework's runs, with all facts."""
    return _stands(runs, dict)


def _stands(runs: Iterable[Run], facts: Callable[[Machine], Machine]) -> list[Stand]:
    on: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        on[line(facts(run.header.machine))].append(run)
    lines: dict[str, set[str]] = defaultdict(set)
    for told, those in on.items():
        for run in those:
            lines[run.header.lane].add(told)
    return [Stand(told, _names(those, lines) if len(on) > 1 else ()) for told, those in on.items()]


def _names(runs: Sequence[Run], lines: dict[str, set[str]]) -> tuple[str, ...]:
    """The lanes of some runs; with the suite where the lane's other runs stood elsewhere."""
    headers = [run.header for run in runs]
    return tuple(dict.fromkeys(
        header.lane if len(lines[header.lane]) == 1 else f"{header.lane} {header.suite}" for header in headers
    ))  # fmt: skip
