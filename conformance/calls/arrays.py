"""Arrays as a call has them, in the order of a problem: layouts and the order of taps follow from the call's claim."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance import idioms, layout
from conformance.idioms import IdiomError, Reading
from conformance.idioms.base import FLOAT32, ClaimedCall, Refusal
from conformance.idioms.expression import Name
from conformance.idioms.names.meanings import MEANINGS
from conformance.layout import LayoutError
from conformance.numerics.operands import DTYPES, Arrays
from conformance.problem import Ints, Problem

Array = NDArray[Any]
MISFIT = "give the arrays of this call, or the call that gave the arrays"


class MisfitError(IdiomError):
    """Arrays that do not fit a call."""


class Restored(NamedTuple):
    """A call that has been read, and its arrays in canonical order."""

    call: ClaimedCall
    arrays: Arrays
    actual: Array


def restored(reading: Reading, arrays: Arrays, actual: Array, variant: str) -> Restored:
    """The arrays of a call in canonical order.

    Raises IdiomError for a call that is refused, and MisfitError for arrays that are not of the shapes that it takes
    and gives; this names the transposes that would make them fit.
    """
    try:
        return _restored(reading, arrays, actual, variant)
    except MisfitError as error:
        step = _transposes(reading, arrays, actual, variant) or MISFIT
        raise MisfitError(f"{reading.text}: {error}: {step}") from None


def _transposes(reading: Reading, arrays: Arrays, actual: Array, variant: str) -> str:
    def fits(shapes: tuple[Ints, ...]) -> tuple[str, str, str] | None:
        x, weight, answer = (np.broadcast_to(0.0, shape) for shape in shapes)
        try:
            call, _, given = _restored(reading, Arrays(x, weight, arrays.bias), answer, variant)
        except IdiomError:
            return None
        claim = call.claim
        return (claim.data, claim.weight, claim.data) if given.shape == claim.problem.output_shape else None

    return layout.transposes({"x": arrays.x.shape, "weight": arrays.weight.shape, "actual": actual.shape}, fits)


def _restored(reading: Reading, arrays: Arrays, actual: Array, variant: str) -> Restored:
    call = _claimed(reading, arrays, actual, variant)
    claim = call.claim
    if arrays.bias is None and claim.problem.bias:
        raise MisfitError("the call has a bias, and --bias is not given")
    if arrays.bias is not None and not claim.problem.bias:
        raise MisfitError("the call has no bias, and --bias is given")
    if actual.ndim != arrays.x.ndim:
        raise MisfitError(f"actual is {actual.shape}, and the answer has as many axes as x, {arrays.x.shape}")
    x, given = (layout.restore(array, layout.DATA, claim.data) for array in (arrays.x, actual))
    try:
        weight = _weight(arrays.weight, claim.weight, claim.problem)
    except LayoutError as error:
        raise MisfitError(f"weight: {error}") from None
    if claim.reversed:
        weight = np.flip(weight, tuple(range(2, weight.ndim)))
    return Restored(call, Arrays(x, weight, arrays.bias), given)


def _claimed(reading: Reading, arrays: Arrays, actual: Array, variant: str) -> ClaimedCall:
    """The call with its claim, in the first dtype in which it is not refused: arrays may have been cast since."""
    reasons: list[IdiomError] = []
    for dtype in (FLOAT32, *sorted({*DTYPES} - {FLOAT32})):
        try:
            call = idioms.point(_with_channels(reading, arrays), _shapes(reading, arrays, actual), variant, dtype)
        except LayoutError as reason:
            reasons.append(MisfitError(f"weight: {reason}"))
            continue
        except Refusal as reason:
            with_step = ": " in str(reason)
            reasons.append(IdiomError(f"{reading.text}: {reason}") if with_step else MisfitError(str(reason)))
            continue
        if not call.claim.refused:
            return call
        reasons.append(MisfitError(f"refused: {call.claim.refused}"))
    raise reasons[0]


def _with_channels(reading: Reading, arrays: Arrays) -> Reading:
    """The call with numbers for channels that are names or formulas: those of the weight.

    Raises LayoutError for a weight of another number of axes than such a call has.
    """
    unknown = {
        name: role for role in ("in", "out") for name in MEANINGS[role]
        if isinstance(reading.arguments.get(name), Name) and name not in reading.idiom.tensors.values()
    }  # fmt: skip
    if not unknown:
        return reading
    given = (reading.arguments.get(name) for name in MEANINGS["groups"])
    groups = next((number for number in given if isinstance(number, int)), 1)
    extents = layout.sizes(arrays.weight.shape, reading.idiom.weight, arrays.weight.ndim - 2, {"g": groups})
    channels = {"in": groups * extents["i"], "out": groups * extents["o"]}
    return replace(reading, arguments={**reading.arguments, **{name: channels[role] for name, role in unknown.items()}})


def _shapes(reading: Reading, arrays: Arrays, actual: Array) -> Mapping[str, Ints]:
    """The shapes of the call's tensors; where a gradient is taken, z has the answer's."""
    every = {"x": arrays.x, "w": arrays.weight, "b": arrays.bias, "z": actual}
    return {name: array.shape for name, array in every.items() if name in reading.tensors and array is not None}


def _weight(array: Array, axes: str, problem: Problem) -> Array:
    """A weight as (in, out/groups, *kernel)."""
    rank = problem.rank
    known = {"g": problem.groups, "i": problem.in_channels, "o": problem.out_channels}
    extents = layout.sizes(array.shape, axes, rank, known)
    if tuple(extents["k"]) != problem.kernel:
        raise LayoutError(f"{array.shape} has a kernel of {tuple(extents['k'])}, the call of {problem.kernel}")
    parted, letters = layout.parted(array, axes, known)
    return layout.restore(parted, layout.WEIGHT, letters).reshape(problem.weight_shape)
