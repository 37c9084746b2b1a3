"""The weights of a scan, in the order of axes and taps that problems have."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from conformance import layout
from conformance.layout import LayoutError
from conformance.problem import Problem
from conformance.suites.case import Case, Learnt, Rounded

Array = NDArray[Any]
_PIECE = 1 << 20


class WeightError(ValueError):
    """Weights that are not beside a scan, or not those that were scanned; the message says what to do."""


def canonical(array: Array, problem: Problem, axes: str, *, reverse: bool) -> Array:
    """A weight of these axes as (in, out of a group, *kernel); taps reversed if asked. Raises LayoutError."""
    known = {"g": problem.groups, "i": problem.in_channels, "o": problem.out_channels}
    layout.sizes(array.shape, axes, problem.rank, known)
    parted, letters = layout.parted(array, axes, known)
    made = layout.restore(parted, layout.WEIGHT, letters).reshape(problem.weight_shape)
    return np.flip(made, tuple(range(2, made.ndim))) if reverse else made


def digest_of(array: Array) -> str:
    """A hash of a weight's type, shape and values, the same for -0 and +0, taken piece by piece."""
    hashed = blake2b(f"{array.dtype.newbyteorder('<').str}{array.shape}".encode(), digest_size=8)
    if not array.flags.c_contiguous:
        array = np.ascontiguousarray(array)
    flat = array.reshape(-1)
    for start in range(0, flat.size, _PIECE):
        hashed.update(np.add(flat[start : start + _PIECE], flat.dtype.type(0)))
    return hashed.hexdigest()


def bias_of(layer: str) -> str:
    """The name that a layer's bias has beside a scan."""
    return f"{layer}.bias"


def require_weights(cases: Iterable[Case]) -> None:
    """Raises WeightError where a case is on own weights that are not beside its scan, or not those scanned."""
    try:
        for case in cases:
            if isinstance(case.subject, Rounded) and case.subject.learnt is not None:
                weights_of(case, case.subject.learnt)
    finally:
        _held.cache_clear()  # the run's own processes read them again


def weights_of(case: Case, learnt: Learnt) -> tuple[Array, Array | None]:
    """The weight of a case in canonical order, and its bias. Raises WeightError where they are not those scanned."""
    where = f"{learnt.file}: {learnt.name}"
    held = _held(learnt.file)
    if learnt.name not in held or (learnt.bias and bias_of(learnt.name) not in held):
        raise WeightError(f"{where}: is not in it: scan the model again with --weights")
    try:
        made = canonical(held[learnt.name], case.problem, learnt.axes, reverse=learnt.reverse)
    except LayoutError as error:
        raise WeightError(f"{where}: {error}: scan the model again with --weights") from None
    if digest_of(made) != learnt.digest:
        raise WeightError(f"{where}: is another weight than was scanned: scan the model again with --weights")
    bias = held[bias_of(learnt.name)] if learnt.bias else None
    if bias is not None and bias.shape != (case.problem.groups * case.problem.out_channels,):
        raise WeightError(f"{where}: its bias is of shape {bias.shape}: scan the model again with --weights")
    return made, bias


@lru_cache(maxsize=1)
def _held(file: str) -> Mapping[str, Array]:
    """All weights of a file."""
    try:
        loaded: Mapping[str, Array] = load_file(file)
    except (SafetensorError, OSError) as error:
        raise WeightError(f"{file}: cannot be read: {error}: scan the model again with --weights") from None
    return loaded
