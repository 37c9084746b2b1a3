"""What a sweep found: its faults, each with where it is, and what is known of it; at the same memory for any size.

Of each fault a sample of the records is kept, by which its region is induced, and the smallest, which are explained.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from conformance.analysis.domain import pattern
from conformance.analysis.groups import Group, groups_of
from conformance.diagnosis.explain import explain_run
from conformance.predicates.comparisons import Facts
from conformance.predicates.induction import Rule, where
from conformance.problem import Problem
from conformance.records.record import Record, Verdict
from conformance.records.record_file import parse
from conformance.run import Job, judge, record_of
from conformance.runner.outside import LaneProcess, Question
from conformance.runner.sweeps.ledger import Done, Identity, kept, read_blocks, read_identity
from conformance.runner.sweeps.task import Sweep
from conformance.suites.borders import asked_of, case_of
from conformance.suites.expectations import Expectation, applying, known, read_expectations, unkept
from conformance.suites.references import compute, lacks_data
from conformance.suites.spaces.space import Space

SAMPLE = 1000
"""Records of a fault, and conforming problems, by which its region is induced."""
SMALLEST = 40
"""Records of a fault that are kept as witnesses, and explained."""
FAULTS = 200
"""Faults that are told apart; what has yet another message is counted with the others of its verdict."""

_CONFORMS = f'"verdict":"{Verdict.CONFORMS}"'.encode()


class Key(NamedTuple):
    """What makes records those of one fault: verdict, message without numbers, and the expectation that knew."""

    verdict: Verdict
    pattern: str
    known: str


@dataclass(slots=True)
class Fault:
    """Records of one kind: how many, a sample that their case ids decide, and the smallest ones."""

    key: Key
    count: int = 0
    sample: list[tuple[str, Facts]] = field(default_factory=list)
    smallest: list[tuple[int, int, str, Record]] = field(default_factory=list)

    def add(self, record: Record, problem: Problem) -> None:
        """Count a record, and keep it as long as it is one of the sample, or of the smallest."""
        self.count += 1
        negated = "".join(chr(126 - ord(letter) % 94) for letter in record.case)  # a heap gives its least first
        _keep(self.sample, (negated, facts_of(record, problem)), SAMPLE)
        _keep(self.smallest, (-problem.multiplies, -len(record.problem), negated, record), SMALLEST)

    @property
    def witnesses(self) -> list[Record]:
        """The smallest records, the least first."""
        return [record for *_, record in sorted(self.smallest, key=lambda entry: entry[:3], reverse=True)]


@dataclass(frozen=True, slots=True)
class Summary:
    """A sweep's folder, read: its counts, its faults with the greatest first, and a sample of what conforms."""

    identity: Identity
    blocks: Sequence[Done]
    again: Sequence[Done]
    faults: Sequence[Fault]
    conforming: Sequence[Facts]
    unkept: Sequence[tuple[Expectation, Record]]

    @property
    def verdicts(self) -> Counter[str]:
        """How many records there are of each verdict."""
        return sum((Counter(done.verdicts) for done in self.blocks), Counter[str]())

    @property
    def new(self) -> list[Fault]:
        """The faults that nobody knew of, and that are some framework's."""
        return [fault for fault in self.faults if not fault.key.known and fault.witnesses[0].fails
                and not lacks_data(fault.witnesses[0])]  # fmt: skip

    def region(self, fault: Fault) -> Rule:
        """Where a fault is, as far as samples tell it from what conforms."""
        return where([one for _, one in fault.sample], self.conforming)


def read(folder: Path, shown: Callable[[Iterator[Done], int], Iterator[Done]] = lambda done, _: done) -> Summary:
    """The summary of a sweep's folder; `shown` passes the blocks on while they are read, of which there are so many."""
    identity = read_identity(folder)
    blocks, again = read_blocks(folder)
    sweep = identity.sweep
    expectations = applying(
        read_expectations(sweep.framework), identity.environment.get(sweep.framework, ""), datetime.now(UTC).date(),
        identity.machine,
    )  # fmt: skip
    others = _sampled(sweep, blocks)
    faults: dict[Key, Fault] = {}
    texts: list[bytes] = []

    def passed() -> Iterator[Done]:
        for done, text in kept(folder, sweep.keep, blocks):
            texts.append(text)
            yield done

    for _ in shown(passed(), len(blocks)):
        for line in texts.pop().splitlines():
            if _CONFORMS not in line:
                record = parse(line.decode())
                others.pop(record.case, None)
                _fault(faults, record, expectations).add(record, Problem.parse(record.problem))
    right = [_conforming(identity, problem) for problem in others.values()]
    broken = [(broken, record) for record in right if (broken := unkept(record, expectations))]
    conforming = [facts_of(record, problem) for record, problem in zip(right, others.values(), strict=True)]
    ordered = sorted(faults.values(), key=lambda fault: (-fault.count, fault.key))
    return Summary(identity, blocks, again, ordered, conforming, broken)


def explained(summary: Summary, fault: Fault, process: LaneProcess) -> list[Group]:
    """The smallest records of a fault as groups of one cause, from answers that a lane gives once more."""
    sweep = summary.identity.sweep
    arrays: dict[str, Any] = {}
    records = []
    for record in fault.witnesses:
        case = case_of(Problem.parse(record.problem))
        job = Job(case, record.dtype, compute(case, record.dtype))
        operands = (array for array in job.reference.arrays.astype(record.dtype) if array is not None)
        (reply,) = process.answers([Question(case.problem, tuple(operands))])
        result = judge(sweep.lane, job, reply.call, reply.answer)
        if "actual" in result.arrays:
            arrays[record.case] = result.arrays["actual"]
            records.append(result.record)

    def actual(record: Record) -> Any:
        return arrays[record.case]

    return groups_of(explain_run(records, records, actual), summary.conforming, actual) if records else []


def facts_of(record: Record, problem: Problem) -> Facts:
    """What a predicate can say of a record; `comparisons.facts` keeps every problem that it has seen."""
    return Facts(problem, record.framework, record.variant, record.dtype, record.direction)


def _fault(faults: dict[Key, Fault], record: Record, expectations: Sequence[Expectation]) -> Fault:
    reason = known(record, expectations)
    key = Key(record.verdict, "" if reason else pattern(record), reason.id if reason else "")
    if key not in faults and len(faults) >= FAULTS:
        key = key._replace(pattern="other messages")
    return faults.setdefault(key, Fault(key))


def _keep(heap: list[Any], entry: Any, most: int) -> None:
    """Put an entry on a heap of the greatest ones."""
    if len(heap) < most:
        heapq.heappush(heap, entry)
    elif entry[:-1] > heap[0][:-1]:
        heapq.heapreplace(heap, entry)


def _sampled(sweep: Sweep, blocks: Sequence[Done]) -> dict[str, Problem]:
    """Problems spread over what is done, by their case ids."""
    space = Space.of_text(sweep.space, sweep.seed)
    total = sum(done.stop - done.start for done in blocks)
    step = max(1, total // (2 * SAMPLE))
    found, passed = {}, 0
    for done in blocks:
        for number in range(done.start + -passed % step, done.stop, step):
            case = asked_of(space[number], sweep.dtype, sweep.direction).case
            found[case.id] = case.problem
        passed += done.stop - done.start
    return found


def _conforming(identity: Identity, problem: Problem) -> Record:
    sweep = identity.sweep
    return record_of(sweep.lane, asked_of(problem, sweep.dtype, sweep.direction), Verdict.CONFORMS)
