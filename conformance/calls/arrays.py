"""Arrays as a call has them, in the order of a problem: layouts and the order of taps follow from the call's claim."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance import idioms, layout
from conformance.idioms import IdiomError, Reading
from conformance.idioms.base import FLOAT32, ClaimedCall, Refusal
from conformance.layout import LayoutError
from conformance.numerics.operands import Arrays
from conformance.problem import Ints, Problem

Array = NDArray[Any]


class Restored(NamedTuple):
    """A call that has been read, and its arrays in canonical order."""

    call: ClaimedCall
    arrays: Arrays
    actual: Array


def framework_of(name: str) -> str:
    """The framework of a name, which may be a module's, such as keras. Raises IdiomError for any other."""
    owners = {root: framework for framework in idioms.frameworks() for root in idioms.dialect(framework).roots}
    framework = name if name in idioms.frameworks() else owners.get(name, name)
    idioms.idioms(framework)
    return framework


def restored(reading: Reading, arrays: Arrays, actual: Array, variant: str) -> Restored:
    """The arrays of a call in canonical order.

    Raises IdiomError for a call that is refused, and for arrays that are not of the shapes that it takes and gives.
    """
    try:
        call = idioms.point(reading, _shapes(reading, arrays, actual), variant, _dtype(actual))
    except Refusal as reason:
        raise IdiomError(f"{reading.text}: {reason}") from None
    claim = call.claim
    if claim.refused:
        raise IdiomError(f"{reading.text}: refused: {claim.refused}")
    if arrays.bias is None and claim.problem.bias:
        raise IdiomError(f"{reading.text} has a bias: give it with --bias, or give the call without one")
    if arrays.bias is not None and not claim.problem.bias:
        raise IdiomError(f"{reading.text} has no bias: leave --bias out")
    if actual.ndim != arrays.x.ndim:
        raise IdiomError(
            f"{reading.text}: actual is {actual.shape}, and the answer has as many axes as x, {arrays.x.shape}"
        )
    try:
        x, given = (layout.restore(array, layout.DATA, claim.data) for array in (arrays.x, actual))
        weight = _weight(arrays.weight, claim.weight, claim.problem)
    except LayoutError as error:
        raise IdiomError(f"{reading.text}: {error}") from None
    if claim.reversed:
        weight = np.flip(weight, tuple(range(2, weight.ndim)))
    return Restored(call, Arrays(x, weight, arrays.bias), given)


def _shapes(reading: Reading, arrays: Arrays, actual: Array) -> Mapping[str, Ints]:
    """The shapes of the call's tensors; where a gradient is taken, z has the answer's."""
    every = {"x": arrays.x, "w": arrays.weight, "b": arrays.bias, "z": actual}
    return {name: array.shape for name, array in every.items() if name in reading.tensors and array is not None}


def _dtype(actual: Array) -> str:
    return "float64" if actual.dtype == np.float64 else FLOAT32


def _weight(array: Array, axes: str, problem: Problem) -> Array:
    """A weight as (in, out/groups, *kernel)."""
    rank = problem.rank
    known = {"g": problem.groups, "i": problem.in_channels, "o": problem.out_channels}
    extents = layout.sizes(array.shape, axes, rank, known)
    if tuple(extents["k"]) != problem.kernel:
        raise LayoutError(
            f"the weight {array.shape} has a kernel of {tuple(extents['k'])}, the call of {problem.kernel}"
        )
    parted, letters = layout.parted(array, axes, known)
    return layout.restore(parted, layout.WEIGHT, letters).reshape(problem.weight_shape)
