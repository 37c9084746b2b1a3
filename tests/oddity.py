"""An odd behaviour: what an implementation can do other than answer, and the one verdict that it ends in."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from conformance.records.record import Verdict

Array = NDArray[Any]
Behaviour = Callable[[Array], Any]

CONFORMS, DIVERGES, REJECTS = Verdict.CONFORMS, Verdict.DIVERGES, Verdict.REJECTS
ERRORED, INCONCLUSIVE, UNSUPPORTED = Verdict.ERRORED, Verdict.INCONCLUSIVE, Verdict.UNSUPPORTED


class RefusalError(Exception):
    """What the framework of these behaviours raises where it refuses."""


class Odd(NamedTuple):
    """A behaviour with what it ends in: the verdict, and a part of the message or the kind of the divergence.

    `replaces` are functions of the adapter, by name, that behave so in place of the call.
    """

    what: str
    verdict: Verdict
    says: str = ""
    call: Behaviour = lambda y: y
    replaces: Mapping[str, Callable[..., Any]] = {}


def raising(error: Any) -> Behaviour:
    def call(_: Array) -> Any:
        raise error() if isinstance(error, type) else error

    return call


def after(change: Callable[[], Any]) -> Behaviour:
    """A right answer, given after a change of the process."""

    def call(y: Array) -> Any:
        change()
        return y

    return call
