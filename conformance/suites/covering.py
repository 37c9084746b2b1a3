"""Covering arrays under constraints: few rows in which every valid combination of `strength` levels occurs.

Greedy and deterministic. Constraints never cross a unit (an axis, or the parameters that axes share), so a unit is
given as the list of its valid level combinations and a row is any choice of one from each unit: no search can fail.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

CANDIDATES = 256


def covering_array(
    units: Sequence[Rows],
    strength: int,
    key: int,
    candidates: int = CANDIDATES,
    cheap: Callable[[Sequence[int]], bool] | None = None,
) -> Rows:
    """Rows over the columns of all units side by side; `key` seeds the choice among equally good candidates.

    Each unit is a (combinations, columns) array of small non-negative levels, its cheapest combination first. With
    `cheap`, no other row is taken: levels that meet in none but dear rows are left out.
    """
    random = np.random.Philox(key=key)
    columns = np.array(list(combinations(range(sum(unit.shape[1] for unit in units)), strength)))
    codes = Codes(columns, 1 + max(int(unit.max()) for unit in units))
    todo = achievable(units, codes)
    rows = []
    while todo.any():
        fixed = codes.levels(int(todo.argmax()))
        chosen = np.hstack([_choose(unit, part, random, candidates) for unit, part in _per_unit(units, fixed)])
        if cheap is not None:
            cheapest = [_fitting(unit, part)[:1] for unit, part in _per_unit(units, fixed)]
            chosen = np.vstack([chosen, np.hstack(cheapest)])
        order = np.argsort(-todo[codes.of(chosen)].sum(axis=1), kind="stable")
        best = next((chosen[at] for at in order if cheap is None or cheap(chosen[at].tolist())), None)
        if best is None:
            todo[int(todo.argmax())] = False
            continue
        todo[codes.of(best[None])] = False
        rows.append(best)
    return np.array(rows)


class Codes:
    """Numbers the combinations: for each choice of columns, each tuple of levels in them."""

    def __init__(self, columns: Rows, levels: int) -> None:
        self.columns, self.base = columns, levels
        self.size = levels ** columns.shape[1]
        self.weights = levels ** np.arange(columns.shape[1])

    def of(self, rows: Rows) -> Rows:
        """The codes that each row covers, (rows, choices of columns)."""
        codes: Rows = rows[:, self.columns] @ self.weights + self.size * np.arange(len(self.columns))
        return codes

    def seen(self, rows: Rows) -> NDArray[np.bool_]:
        """Which codes some row covers, (codes,); a negative level is none, and covers nothing."""
        covered = np.zeros(len(self.columns) * self.size, np.bool_)
        for row in rows:
            covered[self.of(row[None])[0][(row[self.columns] >= 0).all(axis=1)]] = True
        return covered

    def all(self, levels: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
        """Which codes are of levels that the columns have, (codes,)."""
        return achievable([np.arange(len(every))[:, None] for every in levels], self)

    def levels(self, code: int) -> dict[int, int]:
        """A code as {column: level}."""
        choice, rest = divmod(code, self.size)
        return {int(c): int(rest // w % self.base) for c, w in zip(self.columns[choice], self.weights, strict=True)}


def achievable(units: Sequence[Rows], codes: Codes) -> NDArray[np.bool_]:
    """Which codes some valid row covers: the products of what each unit allows in the chosen columns."""
    todo = np.zeros(len(codes.columns) * codes.size, np.bool_)
    for choice, chosen in enumerate(codes.columns):
        sums = np.array([codes.size * choice])
        for unit, part in _per_unit(units, dict(zip(chosen.tolist(), codes.weights.tolist(), strict=True))):
            if part:
                allowed = np.unique(unit[:, list(part)] @ np.array(list(part.values())))
                sums = np.add.outer(sums, allowed).ravel()
        todo[sums] = True
    return todo


def _per_unit(units: Sequence[Rows], by_column: dict[int, int]) -> Any:
    """Each unit with the part of `by_column` that falls into it, renumbered to the unit's own columns."""
    start = 0
    for unit in units:
        end = start + unit.shape[1]
        yield unit, {column - start: value for column, value in by_column.items() if start <= column < end}
        start = end


def _fitting(unit: Rows, fixed: dict[int, int]) -> Rows:
    """The combinations of one unit that have the fixed levels."""
    fits: Rows = unit[np.all(unit[:, list(fixed)] == list(fixed.values()), axis=1)]
    return fits


def _choose(unit: Rows, fixed: dict[int, int], random: np.random.Philox, count: int) -> Rows:
    """Candidates for one unit, with repetition, among its combinations that have the fixed levels."""
    fits = _fitting(unit, fixed)
    chosen: Rows = fits[random.random_raw(count) % np.uint64(len(fits))]
    return chosen
