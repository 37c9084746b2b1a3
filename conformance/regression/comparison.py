"""Run against run: what changed from one build to another, case by case and then by what the changed cases share.

A case is right, refused, wrong or dead in each run; the pair of the two says which change it is. Nothing is netted: a
fix never cancels a break. What a build does not answer twice alike is set apart as flaky, and what is known to be by
chance is left out.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from conformance.predicates.comparisons import size
from conformance.predicates.rule import Rule
from conformance.records.machine import differing
from conformance.records.messages import without_numbers
from conformance.records.record import Key, Record, Run, Verdict
from conformance.regression.change import (
    DRIFT,
    OF_THE_MACHINE,
    WORSE,
    Change,
    accumulation,
    answer_of,
    classify,
    plain,
    rho,
)
from conformance.regression.population import Population
from conformance.regression.side_by_side import Times
from conformance.regression.timing import Pace, measure_pace

ANOTHER = "another problem has its id"
REPEATS = "repeats"
"""The folder, beside record files, of the same build's further runs: repeats/2, repeats/3 and so on."""


class GuardError(ValueError):
    """Runs that cannot be compared; the message names both facts and the next step."""


Explain = Callable[[Record], Sequence[object]]
"""Every smallest cause of a diverging record, each a value that prints; none where there is no evidence."""


class Difference(NamedTuple):
    """A case that changed, with its record on either side where there is one.

    `note` says what records do not, `expected` why the new record is as it is, where that is known.
    """

    change: Change
    old: Record | None
    new: Record | None
    note: str = ""
    expected: str = ""

    @property
    def record(self) -> Record:
        """The newer record that there is."""
        record = self.new or self.old
        assert record
        return record


@dataclass(frozen=True, slots=True)
class Group:
    """Cases that changed in the same way, and what tells them from others: see `Population`."""

    change: Change
    before: str
    after: str
    differences: tuple[Difference, ...]
    where: Rule
    witness: Difference

    @property
    def worse(self) -> bool:
        return self.change in WORSE

    @property
    def expected(self) -> str:
        """Why all of them are as they are; empty where that is not known."""
        return self.witness.expected

    def fails(self, fail_on: Collection[Change]) -> bool:
        """Whether it is one of the changes that are to fail, and not expected."""
        return self.change in fail_on and not self.expected


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed in one lane and suite; `left_out` counts cases that were not compared, by why.

    `timed` is what calls took side by side, where that was measured.
    """

    old: Run
    new: Run
    compared: int
    left_out: Mapping[str, int]
    groups: tuple[Group, ...]
    pace: Pace | None
    timed: Mapping[Key, Times] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Both builds and the suite, and what else is not the same."""
        ends = [f"{run.header.lane} {run.header.version}".strip() for run in (self.old, self.new)]
        title = f"{ends[0]} -> {ends[1]}, {self.new.header.suite}{self._others}"
        if not self.machines:
            return title
        return title + (": one build on two machines" if one_build(self.old, self.new) else ": on two machines")

    @property
    def _others(self) -> str:
        """What builds differ in whose framework has one version, such as the engine of ONNX models; or nothing."""
        old, new = self.old.header, self.new.header
        if old.version != new.version or old.lane != new.lane:
            return ""
        moved = [f"{name} {old.environment[name]} -> {new.environment[name]}" for name in sorted(old.environment)
                 if new.environment.get(name, old.environment[name]) != old.environment[name]]  # fmt: skip
        return f" ({', '.join(moved)})" if moved else ""

    @property
    def machines(self) -> list[str]:
        """The facts in which the machines differ, in words; none where they do not, or one is not known."""
        return differing(self.old.header.machine, self.new.header.machine)

    @property
    def incomplete(self) -> str:
        """Which side did not come to its own end, in words; empty where both did."""
        sides = {"old": self.old, "new": self.new}
        return " and ".join(
            f"the {name} run has {len(run.records):,} of {run.header.expected:,} records"
            for name, run in sides.items()
            if not run.complete or not run.records
        )

    def count(self, change: Change) -> int:
        """How many cases changed so."""
        return sum(len(group.differences) for group in self.groups if group.change is change)


def one_build(old: Run, new: Run) -> bool:
    """Whether two runs are of one lane and of the very same build."""
    return old.header.lane == new.header.lane and old.header.environment == new.header.environment


def no_diagnosis(record: Record) -> tuple[()]:
    """What explains a record where there is no evidence: nothing."""
    return ()


def _never(record: Record) -> bool:
    return False


def _not_expected(record: Record) -> str:
    return ""


def compare(
    old: Sequence[Run],
    new: Sequence[Run],
    *,
    by_chance: Callable[[Record], bool] = _never,
    expected: Callable[[Record], str] = _not_expected,
    explain_old: Explain = no_diagnosis,
    explain_new: Explain = no_diagnosis,
    alike: Callable[[Any], object] = str,
    drift: float = DRIFT,
    timed: Mapping[Key, Times] = MappingProxyType({}),
) -> Comparison:
    """What changed between two builds, each given by its run and any repetitions of it, of one lane and suite.

    `by_chance` says whether a record is of a known kind that no two runs agree on, `expected` why one is as it is, or
    nothing, `alike` what causes share that are told as one where one build alone is wrong, `drift` by which factor an
    error within bounds must grow to be told, `timed` what calls took side by side, which stands above the times of
    records. Raises GuardError for runs of different suites or oracles, or without a case in common.
    """
    _require_comparable([*old, *new])
    before, after = _Side(old, explain_old, alike), _Side(new, explain_new, alike)
    pairs, left_out = _paired(before, after, by_chance)
    if not pairs and not left_out:
        raise GuardError(
            f"{new[0].header.lane}, {new[0].header.suite}: no case is in both runs: compare runs of the same cases"
        )
    compared = [_difference(before.answers(now.key), after.answers(now.key), drift) for _, now in pairs]
    differences = [difference._replace(expected=expected(difference.record)) for difference in compared if difference]
    same = [pair for pair, difference in zip(pairs, compared, strict=True) if difference is None]
    pace = None if timed else measure_pace(before.seconds(same, 0), after.seconds(same, 1))
    moved = _moved(same, timed) if pace is None else pace.moved
    differences += [
        Difference(Change.SLOWER if by > 1 else Change.FASTER, *same[at], note=f"{max(by, 1 / by):.1f} times")
        for at, by in moved.items()
    ]
    still = [pair for at, pair in enumerate(same) if at not in moved]
    one_sided = list(_one_sided(before, after, _absent(old[0], new[0])))
    left_out.update(
        "are in one run only" for difference in one_sided if difference.change in (Change.OLD_ONLY, Change.NEW_ONLY)
    )
    if one_build(old[0], new[0]) and differing(old[0].header.machine, new[0].header.machine):
        differences = [_of_the_machine(difference) for difference in differences]
    groups = tuple(_groups([*differences, *one_sided], still, before, after))
    return Comparison(old[0], new[0], len(pairs), dict(left_out), groups, pace, timed)


class _Side:
    """The runs of one build: the records of the first, and every answer of all of them."""

    def __init__(self, runs: Sequence[Run], explain: Explain, alike: Callable[[Any], object] = str) -> None:
        self.records: Mapping[Key, Record] = {record.key: record for record in runs[0].records}
        self._repeats = [{record.key: record for record in run.records} for run in runs[1:]]
        self._explain, self._alike = explain, alike

    def answers(self, key: Key) -> list[Record]:
        """One record for each different answer that the runs gave, the first run's first."""
        every = [self.records[key], *(repeat[key] for repeat in self._repeats if key in repeat)]
        return list({answer_of(record): record for record in reversed(every)}.values())[::-1]

    def seconds(self, pairs: Sequence[tuple[Record, Record]], side: int) -> list[list[float]]:
        """How long each pair's call took, in every run."""
        keys = [pair[side].key for pair in pairs]
        return [
            [record.seconds for runs in (self.records, *self._repeats) if (record := runs.get(key))] for key in keys
        ]

    def say(self, record: Record | None, change: Change) -> tuple[str, ...]:
        """What a record says, in words that other cases can share; several where the data cannot tell."""
        if record is None:
            return ("absent",)
        causes = self._explain(record) if record.verdict is Verdict.DIVERGES else ()
        if causes:
            named = causes if change is Change.CHANGED_VALUE else map(self._alike, causes)
            return tuple(dict.fromkeys(f"{_outcome(record)}: {cause}" for cause in named))
        # a diverging record's message is about its own numbers, and its kind says what others can share
        message = "" if record.verdict is Verdict.DIVERGES else without_numbers(plain(record.message))
        return (f"{_outcome(record)}: {message}" if message else _outcome(record),)


def _paired(
    before: _Side, after: _Side, by_chance: Callable[[Record], bool]
) -> tuple[list[tuple[Record, Record]], Counter[str]]:
    """The records that can be compared, and how many of the cases that both runs have cannot, by why."""
    pairs, left_out = [], Counter[str]()
    for key in sorted(before.records.keys() & after.records.keys()):
        was, now = before.records[key], after.records[key]
        if _asks_another(was, now):
            continue  # it is one case that vanished, and another that came
        if by_chance(was) or by_chance(now):
            left_out["are known to be right or wrong by chance"] += 1
        else:
            pairs.append((was, now))
    return pairs, left_out


def _moved(same: Sequence[tuple[Record, Record]], timed: Mapping[Key, Times]) -> dict[int, float]:
    """By which factor those moved that did, by their number."""
    return {at: timed[now.key].factor for at, (_, now) in enumerate(same)
            if now.key in timed and timed[now.key].factor != 1}  # fmt: skip


def _one_sided(before: _Side, after: _Side, absent: tuple[Change, Change]) -> Iterator[Difference]:
    """What one of the runs has alone, as the changes that it is where only the old, and only the new one has it."""
    both = before.records.keys() & after.records.keys()
    others = {key for key in both if _asks_another(before.records[key], after.records[key])}
    for key in sorted(before.records.keys() - both | others):
        yield Difference(absent[0], before.records[key], None, ANOTHER if key in others else "")
    for key in sorted(after.records.keys() - both | others):
        yield Difference(absent[1], None, after.records[key], ANOTHER if key in others else "")


def _asks_another(was: Record, now: Record) -> bool:
    """Whether two records of one id are of two questions."""
    return (was.problem, was.idiom) != (now.problem, now.idiom)


def _absent(old: Run, new: Run) -> tuple[Change, Change]:
    """What a case is that one of the runs lacks: left out, unless both are to have the very same cases."""
    selected = [(run.header.cases, run.header.dtypes, run.header.directions, run.header.shard, run.header.selection)
                for run in (old, new)]  # fmt: skip
    if selected[0] == selected[1] and old.complete and new.complete:
        return Change.VANISHED, Change.APPEARED
    return Change.OLD_ONLY, Change.NEW_ONLY


def _require_comparable(runs: Sequence[Run]) -> None:
    first = runs[0].header
    for run in runs[1:]:
        header = run.header
        for name in ("suite", "oracle"):
            ours, theirs = getattr(first, name), getattr(header, name)
            if ours != theirs:
                raise GuardError(
                    f"{first.lane} and {header.lane} have different {name}s, {ours} and {theirs}: "
                    "run both again with one version of this project"
                )


def unsteady(runs: Sequence[Run]) -> list[Record]:
    """The records of the first of several runs of one build that the others do not agree with."""
    side = _Side(runs, no_diagnosis)
    return [record for key, record in side.records.items() if len(side.answers(key)) > 1]


def _difference(old: Sequence[Record], new: Sequence[Record], drift: float) -> Difference | None:
    """What became of a case whose every different answer in either build is given."""
    if len(new) > 1:
        known = {answer_of(record) for record in old}
        if len(old) > 1 and {answer_of(record) for record in new} & known:
            return None  # it was flaky before, and still is
        return Difference(Change.FLAKY, old[0], new[0], f"{len(new)} answers of one build")
    if answer_of(new[0]) in map(answer_of, old[1:]):
        return None
    change = classify(old[0], new[0], drift)
    return Difference(change, old[0], new[0], _note(change, old[0], new[0])) if change else None


def _note(change: Change, old: Record, new: Record) -> str:
    """What became of the rounding of an answer, in numbers; a break says it too, as that of TF32 does."""
    was, now = accumulation(old), accumulation(new)
    if was and now and was != now:
        cause = (new.deviation or {}).get("cause", "")
        return f"class {was}, now {now}{', ' if cause else ''}{cause}"
    return f"rho {rho(old):g}, now {rho(new):g}" if change is Change.DRIFT else ""


def _of_the_machine(difference: Difference) -> Difference:
    """A difference of one build between two machines: expected where it is of rounding or of time."""
    if difference.change in OF_THE_MACHINE and not difference.expected:
        return difference._replace(expected="another machine")
    return difference


def _outcome(record: Record) -> str:
    return f"{record.verdict} ({record.kind})" if record.kind else record.verdict.value


def _groups(
    differences: Sequence[Difference], same: Sequence[tuple[Record, Record]], before: _Side, after: _Side
) -> Iterator[Group]:
    alike: dict[tuple[Change, str, str, str], list[Difference]] = defaultdict(list)
    for change in Change:
        those = [difference for difference in differences if difference.change is change]
        texts = (
            _voted([before.say(difference.old, change) for difference in those]),
            _voted([after.say(difference.new, change) for difference in those]),
        )
        for changed, was, now in zip(those, *texts, strict=True):
            alike[change, was, now, changed.expected].append(changed)
    order = list(Change)
    population = Population([*((each.old, each.record) for each in differences), *same]) if differences else None
    for (change, was, now, _), those in sorted(
        alike.items(), key=lambda item: (order.index(item[0][0]), -len(item[1]), item[0])
    ):
        assert population is not None
        where = population.rule(change, [(each.old, each.new) for each in those])
        yield Group(change, was, now, tuple(those), where, min(those, key=lambda difference: size(difference.record)))


def _voted(options: Sequence[tuple[str, ...]]) -> list[str]:
    """Of what may be said of each, what may be said of most."""
    votes = Counter(text for texts in options for text in texts)
    return [min(texts, key=lambda text: (-votes[text], text.count(" and "), text)) for texts in options]
