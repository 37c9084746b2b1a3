"""Cases tried once more, each alone and in a process of its own, when everything else has been run.

A case is tried again if its worker passed a limit of time, which a busy machine may have caused, or died of a signal
that others send.
"""

from collections.abc import Callable
from dataclasses import replace

from conformance.processes.isolation import Isolation, Limits
from conformance.run import Result
from conformance.runner.negative import isolated
from conformance.runner.selection import Selection
from conformance.suites.case import Case


def trial(selection: Selection, seconds: float) -> Callable[[Case, str], Result]:
    """What tries a case of a selection in a dtype."""
    isolation = Isolation(selection.lane, Limits(seconds=seconds), selection.suite.name)
    return lambda case, dtype: isolated(isolation, selection.lane, case, dtype)


def noted(result: Result, why: str) -> Result:
    """A result with the reason for which it was tried again, if there is one to tell."""
    if not why:
        return result
    words = "; ".join(filter(None, [result.record.message, f"tried again alone: {why} before"]))
    return result._replace(record=replace(result.record, message=words))
