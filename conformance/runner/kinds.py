"""The kinds of cases, and how the cases of each are evaluated. One table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from conformance.adapters.base import Adapter, Lane
from conformance.idioms.base import ClaimedCall
from conformance.numerics.operands import HALVES, INTEGERS
from conformance.run import Job, Result, evaluate
from conformance.runner import negative
from conformance.suites.case import Asked, Case, Exact, LedgerClaim, Rounded
from conformance.suites.departure import Departure
from conformance.suites.references import Reference

Referring = Callable[[Case, str, str], Reference]
"""What gives a case's operands and expected array in a dtype and a pass."""


class Evaluator(Protocol):
    """What gives the results of what is asked, in order; `reference` gives operands and expected arrays."""

    def __call__(
        self, lane: Lane, adapter: Adapter, asked: Sequence[Asked], reference: Referring, /
    ) -> list[Result]: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """How cases are evaluated: each in a process of its own if `alone`, several at once if `in_blocks`.

    An implementation from outside can be asked if `outside`: the case needs no call that is written in advance. There
    is data in `dtypes` beside those of every suite, and there are gradients if `backward`.
    """

    evaluate: Evaluator
    alone: bool = False
    in_blocks: bool = True
    outside: bool = True
    dtypes: tuple[str, ...] = ()
    backward: bool = False


def _compared(lane: Lane, adapter: Adapter, asked: Sequence[Asked], reference: Referring) -> list[Result]:
    return evaluate(lane, adapter, [Job(one.case, one.dtype, reference(*one), one.direction) for one in asked])


def _measured(lane: Lane, adapter: Adapter, asked: Sequence[Asked], reference: Referring) -> list[Result]:
    from conformance.claims import judgement  # which the cases of other kinds need not wait for

    return judgement.evaluate(lane, adapter, asked)


def _unchecked(lane: Lane, adapter: Adapter, asked: Sequence[Asked], reference: Referring) -> list[Result]:
    return [negative.evaluate(lane, adapter, one) for one in asked]


KINDS: Mapping[type, Kind] = {
    Exact: Kind(_compared, dtypes=(*HALVES, *INTEGERS), backward=True),
    Rounded: Kind(_compared, dtypes=HALVES),
    ClaimedCall: Kind(_compared, outside=False),
    LedgerClaim: Kind(_measured, in_blocks=False),
    Departure: Kind(_unchecked, alone=True, outside=False),
}
"""By the subject of a case. Every subject has a row."""


def kind_of(case: Case) -> Kind:
    """How a case is evaluated; with a model's own weight, which half precision does not hold, not in that."""
    kind = KINDS[type(case.subject)]
    return replace(kind, dtypes=()) if isinstance(case.subject, Rounded) and case.subject.learnt else kind
