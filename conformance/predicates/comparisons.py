"""Small comparisons over many problems at once: what a predicate can be made of, as columns of truth values.

A comparison of fields that have axes has a value an axis; `any` and `all` make one of it. Only what differs between the
given problems, and each column once, in the first of the words for it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.predicates.predicate import Predicate
from conformance.problem import Problem, ProblemError
from conformance.records.record import Key, Record

Numbers = NDArray[np.signedinteger[Any]]
Truths = NDArray[np.bool_]
Named = tuple[str, Truths]

MOST_AXES = 3
MOST_CONSTANTS = 10
_OF_AXIS = ("input", "kernel", "stride", "dilation", "output_padding")
_ALONG_AXES = (*_OF_AXIS, "pad_begin", "pad_end")
_OF_PROBLEM = ("rank", "batch", "groups", "in_channels", "out_channels")
_OF_RUN = ("framework", "variant", "dtype", "direction")
_SAY_NOTHING_NEW = {
    ("pad_begin", "lo"), ("pad_begin", "hi"), ("pad_end", "lo"), ("pad_end", "hi"), ("kernel", "effective_kernel"),
}  # fmt: skip
"""Pairs whose comparison says again what one of them says alone, or with its own kind."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A problem, and how it was run."""

    problem: Problem
    framework: str = ""
    variant: str = ""
    dtype: str = ""
    direction: str = ""

    def satisfies(self, predicate: Predicate) -> bool:
        """Whether a predicate holds for the problem as it was run."""
        return predicate(self.problem, **{name: getattr(self, name) for name in _OF_RUN})


NO_PROBLEM = Problem.of(1, 1)
"""Stands for what is about no single problem, such as a claim of the ledger: a predicate has nothing to say of it."""


@cache
def parsed(descriptor: str) -> Problem:
    """The problem of a descriptor, or NO_PROBLEM."""
    try:
        return Problem.parse(descriptor)
    except ProblemError:
        return NO_PROBLEM


def problem_of(record: Record) -> Problem:
    """The problem that a record is about."""
    return parsed(record.problem)


def facts(record: Record) -> Facts:
    """What a predicate can say of a record; nothing of a problem that has more axes than any framework takes."""
    problem = problem_of(record)
    problem = problem if problem.rank <= MOST_AXES else NO_PROBLEM
    return Facts(problem, record.framework, record.variant, record.dtype, record.direction)


def size(record: Record) -> tuple[int, int, Key]:
    """By which records are sorted for the one that is the least to compute, and then to read."""
    return problem_of(record).multiplies, len(record.problem), record.key


def smallest(records: Iterable[Record]) -> Record:
    """The record whose problem is the least to compute, and then to read."""
    return min(records, key=size)


def of_cases(facts: Sequence[Facts]) -> Iterator[Named]:
    """Comparisons of what a case has one of, (cases,)."""
    values = dict(zip(_OF_PROBLEM, _numbers(facts)[:, MOST_AXES * len(_ALONG_AXES) :].T, strict=True))
    for name, numbers in values.items():
        yield from _with_constants(name, numbers, numbers)
    yield from _with_each_other("in_channels", "out_channels", values)
    bias = np.array([fact.problem.bias for fact in facts])
    yield from (("bias", bias), ("not bias", ~bias))
    for name in _OF_RUN:
        texts = np.array([getattr(fact, name) for fact in facts])
        for text in np.unique(texts) if len(set(texts.tolist())) > 1 else ():
            yield from ((f"{name} == {str(text)!r}", texts == text), (f"{name} != {str(text)!r}", texts != text))


def of_axes(facts: Sequence[Facts]) -> tuple[Truths, list[Named]]:
    """Which axes there are, (axes, cases), and comparisons of what each has, of the same shape."""
    there = np.arange(MOST_AXES)[:, None] < np.array([fact.problem.rank for fact in facts])
    values = _fields(facts)
    return there, [(text, np.logical_and(column, there, out=column)) for text, column in _of_fields(values, there)]


def _fields(facts: Sequence[Facts]) -> dict[str, Numbers]:
    """The fields of every axis, (axes, cases), zero where there is no axis."""
    along = _numbers(facts)[:, : MOST_AXES * len(_ALONG_AXES)].T.reshape(len(_ALONG_AXES), MOST_AXES, -1)
    values = dict(zip(_ALONG_AXES, along, strict=True))
    begin, end = values.pop("pad_begin"), values.pop("pad_end")
    reach = values["dilation"] * (values["kernel"] - 1) + 1
    lo, hi = begin, end - values["output_padding"]
    output = (values["input"] - 1) * values["stride"] + reach - lo - hi
    return _narrow(values | {"pad_begin": begin, "pad_end": end, "lo": lo, "hi": hi, "output": output,
                             "effective_kernel": reach})  # fmt: skip


def _narrow(values: dict[str, Numbers]) -> dict[str, Numbers]:
    """The same in the narrowest whole numbers that hold them and their sums: hundreds of comparisons read them all."""
    largest = max(int(np.abs(numbers).max(initial=0)) for numbers in values.values())
    width = next((width for width in (np.int16, np.int32) if largest <= np.iinfo(width).max // 8), np.int64)
    return {name: numbers.astype(width) for name, numbers in values.items()}


def _numbers(facts: Sequence[Facts]) -> Numbers:
    """What is reckoned with, a row a case: of each axis, then of the problem."""
    return np.array([_row(fact.problem) for fact in facts], np.int64)


@lru_cache(maxsize=1 << 15)
def _row(problem: Problem) -> tuple[int, ...]:
    begin, end = zip(*problem.pads, strict=True)
    fields = (*(getattr(problem, name) for name in _OF_AXIS), begin, end)
    padded = (number for values in fields for number in (*values, *[0] * (MOST_AXES - len(values))))
    return (*padded, *(getattr(problem, name) for name in _OF_PROBLEM))


def _of_fields(values: dict[str, Numbers], there: Truths) -> Iterator[Named]:
    for name, numbers in values.items():
        yield from _with_constants(name, numbers, numbers[there])
    for a, b in combinations(values, 2):
        if (a, b) not in _SAY_NOTHING_NEW:
            yield from _with_each_other(a, b, values)
    sums = {f"{a} + {b}": values[a] + values[b] for a, b in (("lo", "hi"), ("pad_begin", "pad_end"))}
    for text, numbers in sums.items():
        yield from _with_constants(text, numbers, numbers[there])
    for text, numbers in (values | sums).items():
        yield from ((f"({text}) % 2 == 1" if "+" in text else f"{text} % 2 == 1", numbers % 2 == 1),)
        yield from ((f"({text}) % 2 == 0" if "+" in text else f"{text} % 2 == 0", numbers % 2 == 0),)
    for a, b in permutations(("input", "kernel", "stride", "dilation"), 2):
        rest = values[a] % np.maximum(values[b], 1)
        yield from ((f"{a} % {b} == 0", rest == 0), (f"{a} % {b} > 0", rest > 0))


def _with_constants(text: str, numbers: Numbers, seen: Numbers) -> Iterator[Named]:
    """A quantity against the values that it has: all of them where they are few, else the smallest and a few more."""
    known = np.unique(seen)
    few = MOST_CONSTANTS // 2
    if known[0] < 0:
        yield f"{text} < 0", numbers < 0
    if len(known) > MOST_CONSTANTS:
        known = np.concatenate([known[:few], known[few :: len(known) // few]])
    for constant in known.tolist():
        yield f"{text} > {constant}", numbers > constant
        yield f"{text} == {constant}", numbers == constant
        yield f"{text} != {constant}", numbers != constant
        yield f"{text} <= {constant}", numbers <= constant


def _with_each_other(a: str, b: str, values: dict[str, Any]) -> Iterator[Named]:
    left, right = values[a], values[b]
    yield from (
        (f"{a} > {b}", left > right), (f"{a} < {b}", left < right), (f"{a} == {b}", left == right),
        (f"{a} != {b}", left != right), (f"{a} >= {b}", left >= right), (f"{a} <= {b}", left <= right),
    )  # fmt: skip
