"""Integers that were requantised by a scale for each out channel: diagnosed a channel at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from numpy.typing import NDArray

from conformance.diagnosis.diagnose import ALIKE, Diagnosis, diagnose, difference
from conformance.diagnosis.kept import Requantisation
from conformance.diagnosis.observation import DiagnosisError
from conformance.layout import DATA
from conformance.numerics.operands import Arrays
from conformance.problem import Problem

Array = NDArray[Any]


class _Channel(NamedTuple):
    """One out channel of a problem, which is a problem of one."""

    problem: Problem
    arrays: Arrays
    actual: Array
    by: Requantisation


def diagnose_by_channel(
    problem: Problem, arrays: Arrays, actual: Array, ways: Sequence[Requantisation], given: str = DATA
) -> tuple[Diagnosis, ...]:  # fmt: skip
    """The diagnoses that every out channel has in common, each at the place where it is nearest to its limit.

    What mixes out channels is not searched. Raises DiagnosisError for another number of channels or scales.
    """
    common: dict[tuple[Any, ...], Diagnosis] = {}
    for number, one in enumerate(_channels(problem, arrays, actual, ways)):
        found = {(each.misreadings, each.window): _placed(each, number)
                 for each in diagnose(one.problem, one.arrays, one.actual, given=given, by=one.by)}  # fmt: skip
        kept = found.keys() & common.keys() if number else found.keys()
        common = {key: _worse(common.get(key, found[key]), found[key]) for key in found if key in kept}
        if not common:
            return ()
    return tuple(common.values())


def difference_by_channel(problem: Problem, arrays: Arrays, actual: Array, ways: Sequence[Requantisation]) -> str:
    """How the first out channel that differs does so."""
    for number, one in enumerate(_channels(problem, arrays, actual, ways)):
        said = difference(one.problem, one.arrays, one.actual, by=one.by)
        if said != ALIKE:
            return f"out channel {number} alone: {said}"
    return ALIKE


def _channels(
    problem: Problem, arrays: Arrays, actual: Array, ways: Sequence[Requantisation]
) -> Iterator[_Channel]:  # fmt: skip
    channels = problem.groups * problem.out_channels
    if len(ways) != channels:
        raise DiagnosisError(f"--scale has {len(ways)} numbers, and the answer {channels} channels: give one for each")
    if actual.ndim != problem.rank + 2 or actual.shape[1] != channels:
        raise DiagnosisError(f"actual is {actual.shape} in the order n c k, and there is a scale for each of {channels}"
                             " channels: give an array that has them there")  # fmt: skip
    for number, by in enumerate(ways):
        group, out = divmod(number, problem.out_channels)
        ins, here = slice(group * problem.in_channels, (group + 1) * problem.in_channels), slice(number, number + 1)
        bias = None if arrays.bias is None else arrays.bias[here]
        one = Arrays(arrays.x[:, ins], arrays.weight[ins, out : out + 1], bias)
        yield _Channel(replace(problem, groups=1, out_channels=1), one, actual[:, here], by)


def _placed(diagnosis: Diagnosis, channel: int) -> Diagnosis:
    """A diagnosis of one channel with its place in the whole array."""
    near = diagnosis.nearness
    if near is None:
        return diagnosis
    batch, _, *at = near.at
    kind = f"requantised by a scale for each channel, the worst one {near.kind.removeprefix('requantised ')}"
    return replace(diagnosis, nearness=near._replace(at=(batch, channel, *at), kind=kind))


def _worse(one: Diagnosis, other: Diagnosis) -> Diagnosis:
    shares = [0.0 if each.nearness is None else each.nearness.share for each in (one, other)]
    return one if shares[0] >= shares[1] else other
