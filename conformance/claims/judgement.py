"""Claims judged: a lane is measured, and a verdict is found that must be the one on file.

claim -> its tests -> trials (of a bench, which asks the lane) -> law, condition, correction -> finding -> record
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.adapters.base import Adapter, Lane
from conformance.adapters.operators import load_operators
from conformance.claims.checks import CHECKS, Bench
from conformance.claims.ledger import Claim, Standing, Test, find
from conformance.predicates.predicate import relation
from conformance.processes.attempt import failed
from conformance.records.record import Record, Verdict
from conformance.run import Result, record_of
from conformance.suites.case import Asked
from conformance.suites.expectations import expected_here


@dataclass(frozen=True, slots=True)
class Weighed:
    """One trial, weighed: whether it is inside of the condition, and whether law and correction hold (None: unsaid)."""

    trial: Mapping[str, Any]
    inside: bool
    law: bool | None
    truth: bool | None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a lane's trials make of a claim, and whether that is the verdict on file."""

    claim: Claim
    trials: tuple[Weighed, ...]

    @property
    def standing(self) -> Standing:
        """The verdict that the law's trials earn, whatever is on file."""
        judged = [trial for trial in self.trials if trial.law is not None]
        if any(weighed.inside and not weighed.law for weighed in judged):
            return Standing.REFUTED
        if any(not weighed.inside and not weighed.law for weighed in judged):
            return Standing.TRUE_ONLY_WHEN
        return Standing.CONFIRMED if judged else Standing.NOT_CHECKABLE

    @property
    def fault(self) -> str:
        """Why the verdict on file is not earned; empty where it is."""
        if wrong := [trial for trial in self.trials if trial.truth is False]:
            return f"the correction does not hold at {_trial_text(wrong[0].trial)}"
        if self.standing is self.claim.standing:
            lacks_inside = self.standing is Standing.TRUE_ONLY_WHEN and not any(trial.inside for trial in self.trials)
            return "no trial is inside of the condition" if lacks_inside and not self.claim.across else ""
        if self.claim.across and self.standing is Standing.CONFIRMED:
            return ""
        worst = next((trial for trial in self.trials if trial.law is False and trial.inside), None)
        where = f": the law fails at {_trial_text(worst.trial)}" if worst else ""
        return f"is {self.claim.standing} on file, and found {self.standing}{where}"

    def __str__(self) -> str:
        """What was tried, counted."""
        inside = [trial for trial in self.trials if trial.law is not None and trial.inside]
        outside = [trial for trial in self.trials if trial.law is not None and not trial.inside]
        corrected = [trial for trial in self.trials if trial.truth is not None]
        words = [f"{sum(bool(weighed.law) for weighed in inside)} of {len(inside)} trials hold"]
        if outside:
            words[0] += " inside of the condition"
            words.append(f"{sum(not weighed.law for weighed in outside)} of {len(outside)} fail outside")
        if corrected:
            words.append(f"what is right instead holds in {sum(bool(weighed.truth) for weighed in corrected)} of "
                         f"{len(corrected)}")  # fmt: skip
        return f"{self.standing}: {'; '.join(words)}"


def evaluate(lane: Lane, adapter: Adapter, asked: Sequence[Asked]) -> list[Result]:
    """The results of claims, each a case in a dtype; the counterpart of `run.evaluate`."""
    made = bench(lane, adapter)
    return [Result(_judged(made, one)) for one in asked]


_BENCHES: dict[Lane, Bench] = {}


def bench(lane: Lane, adapter: Adapter) -> Bench:
    """A lane's bench; one a process, which remembers the sizes it has seen."""
    if lane not in _BENCHES:
        _BENCHES[lane] = Bench(lane, adapter, load_operators(lane), expected_here(lane))
    return _BENCHES[lane]


def examine(claim: Claim, made: Bench, shown: Callable[[Iterable[Test]], Iterable[Test]] = iter) -> Finding:
    """A claim's trials on a bench, weighed; `shown` counts its tests. Raises what the framework raises."""
    tests = shown(claim.tests_on(made.framework))
    return Finding(claim, tuple(weighed for test in tests for weighed in _weighed(test, made)))


def _weighed(test: Test, made: Bench) -> Iterator[Weighed]:
    law, when, truth = (relation(text, test.names) if text else None for text in (test.law, test.when, test.truth))
    for measured in CHECKS[test.measure].measure(made, **test.parameters):
        trial = {**measured, **test.given}
        yield Weighed(
            trial, True if when is None else bool(when(trial)), None if law is None else bool(law(trial)),
            None if truth is None else bool(truth(trial)),
        )  # fmt: skip


def _judged(made: Bench, asked: Asked) -> Record:
    claim = find(asked.case.id)
    started = time.perf_counter()
    try:
        finding = examine(claim, made)
    except BaseException as error:
        return record_of(made.lane, asked, Verdict.ERRORED, message=failed("measuring", error).message)
    verdict = Verdict.DIVERGES if finding.fault else Verdict.CONFORMS
    return record_of(
        made.lane, asked, verdict, message=": ".join(filter(None, [finding.fault, str(finding)])),
        actual=digest(finding), seconds=round(time.perf_counter() - started, 6),
    )  # fmt: skip


def digest(finding: Finding) -> str:
    """A hash of all that was measured, so that two lanes, or two versions, can be compared."""
    lines = (json.dumps(dict(trial.trial), sort_keys=True, default=int) for trial in finding.trials)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _trial_text(trial: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in trial.items())
