"""Every case of two runs, by what it was before: what the cases that changed alike are told from."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from conformance.predicates.comparisons import Facts, facts
from conformance.predicates.induction import induce
from conformance.predicates.rule import NEAR, Rule
from conformance.records.record import Key, Record
from conformance.regression.change import MENDED, REFUSED, Change, state_of

EXACT, ANY = 1.0, 0.0
Pair = tuple[Record | None, Record | None]
"""A case before and after, of which at least one is there."""


class Population:
    """The cases of both runs, changed or not.

    What is mended is told from all other cases, if a predicate does that exactly, or from all that had an answer, if
    one comes near: it names the region of the fault, of which the cases that were wrong before may have nothing but.
    """

    def __init__(self, every: Sequence[tuple[Record | None, Record]]) -> None:
        """`every` has a record before, if there is one, and one after, or else the same."""
        self._facts: dict[str, dict[Key, Facts]] = defaultdict(dict)
        for old, record in every:
            self._facts[state_of(old) if old else ""][record.key] = facts(record)

    def rule(self, change: Change, those: Sequence[Pair]) -> Rule:
        """What tells cases that changed alike from others."""
        changed = [record for old, new in those if (record := new or old)]
        keys, inside = {record.key for record in changed}, [facts(record) for record in changed]
        for least, states in self._populations(change, *those[0]):
            cases = (case for state in states for case in self._facts[state].items())
            rule = induce(inside, [fact for key, fact in cases if key not in keys])
            if rule.nearness >= least:
                return rule
        raise AssertionError("the last of what a group is told from is taken whatever the rule is")

    def _populations(self, change: Change, old: Record | None, new: Record | None) -> Iterator[tuple[float, list[str]]]:
        """How near a predicate has to be, and what the others were before: at last the same, or anything if a run lacks
        them."""
        if change in MENDED:
            yield EXACT, [*self._facts]
            if old and state_of(old) != REFUSED:
                yield NEAR, [state for state in self._facts if state != REFUSED]
        yield ANY, [*self._facts] if old is None or new is None else [state_of(old)]
