"""A model's layers from one build to another: what became of each on exact data, and with the model's own weights."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.records.record import Record
from conformance.regression.change import WORSE, Change, rho, state_of
from conformance.regression.comparison import Comparison

SUITE, OWN = "scan-", "-weights"
"""How the names of the suites of a scan begin, and how those end that have the model's own weights."""
MODELS = "models"
"""The suite of layers of published architectures, each a model's layer too."""

SAME = "the same"
SAME_BITS = "same bits"
OTHERWISE = "rounds otherwise within the bound"
BEYOND = "worse than any rounding"
"""What own weights can show; whatever else becomes of a layer is said by its change."""


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer at one size on one lane: what became of it on exact data and with own weights, and its times.

    `seconds` are of the old and the new build; side by side if `timed`, and otherwise of the first call in each run.
    """

    lane: str
    layer: str
    problem: str
    dtype: str
    exact: str
    own: str
    rho: str
    seconds: tuple[float, float]
    rank: int
    timed: bool = False

    @property
    def changed(self) -> bool:
        """Whether anything about its answers is not as it was."""
        return self.exact not in ("", SAME) or self.own not in ("", SAME_BITS)


def layers(comparisons: Sequence[Comparison]) -> list[LayerRow]:
    """The layers of all scans that were compared, what changed first; none where there is no scan among the suites."""
    found: dict[tuple[str, str, str], dict[bool, LayerRow]] = {}
    for comparison in comparisons:
        if is_of_layers(comparison.new.header.suite):
            for row, own in _of_one(comparison):
                found.setdefault((row.lane, row.layer, row.dtype), {})[own] = row
    return sorted(map(_joined, found.values()), key=lambda row: row.rank)


def is_of_layers(suite: str) -> bool:
    """Whether the cases of a suite are layers of models."""
    return suite.startswith(SUITE) or suite == MODELS


def has_own_weights(suite: str) -> bool:
    """Whether a model's own weights are the data of a suite."""
    return suite.startswith(SUITE) and suite.endswith(OWN)


def _of_one(comparison: Comparison) -> Iterator[tuple[LayerRow, bool]]:
    own = has_own_weights(comparison.new.header.suite)
    changes = {difference.record.key: group.change for group in comparison.groups for difference in group.differences}
    before: Mapping[object, Record] = {record.key: record for record in comparison.old.records}
    for record in comparison.new.records:
        old, change = before.get(record.key), changes.get(record.key)
        said = _own(old, record, change) if own else (change.value if change else SAME)
        order = list(Change)
        rank = order.index(change) if change else len(order) + (said not in (OTHERWISE, BEYOND))
        moved = f"{rho(old):g} -> {rho(record):g}" if own and old and rho(old) and rho(record) else ""
        times = comparison.timed.get(record.key)
        seconds = (times.old, times.new) if times else (old.seconds if old else 0.0, record.seconds)
        yield LayerRow(
            record.lane, record.case.removesuffix(OWN), record.problem, record.dtype, "" if own else said,
            said if own else "", moved, seconds, rank, times is not None,
        ), own  # fmt: skip


def _own(old: Record | None, new: Record, change: Change | None) -> str:
    """What own weights show of a layer."""
    if old is None or state_of(new) not in ("right", "wrong") or state_of(old) not in ("right", "wrong"):
        return change.value if change else SAME
    if state_of(new) == "wrong":
        return BEYOND if new.kind == "value" else f"another {new.kind}"
    if old.actual == new.actual:
        return SAME_BITS
    return OTHERWISE if state_of(old) == "right" else Change.FIXED.value


def _joined(both: Mapping[bool, LayerRow]) -> LayerRow:
    """A layer's row on exact data and with own weights as one."""
    if len(both) == 1:
        return next(iter(both.values()))
    exact, own = both[False], both[True]
    return LayerRow(
        exact.lane, exact.layer, exact.problem, exact.dtype, exact.exact, own.own, own.rho, exact.seconds,
        min(exact.rank, own.rank), exact.timed,
    )  # fmt: skip


def worse(row: LayerRow) -> bool:
    """Whether a layer is worse than it was."""
    return row.own == BEYOND or row.exact in WORSE or row.own in WORSE
