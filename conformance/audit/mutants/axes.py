"""Faults of the axes: channels, groups, batch, spatial order and the bias."""

from dataclasses import replace

import numpy as np

from conformance.audit.mutants.base import Array, Family, grouped, right
from conformance.problem import Problem

family = Family("axes")
MUTANTS = family.mutants

family.reads_weight(
    "in and out channels read in the other order",
    lambda p, w: w.reshape(p.groups, p.out_channels, p.in_channels, *p.kernel).swapaxes(1, 2),
)
family.reads_weight("groups in reverse order", lambda p, w: grouped(p, w)[::-1])
family.reads_weight("the first group's weight for all",
                    lambda p, w: np.broadcast_to(grouped(p, w)[:1], grouped(p, w).shape))  # fmt: skip
family.reads_weight("out channels in reverse order", lambda p, w: w[:, ::-1])
family.reads_weight("in channels of each group in reverse order", lambda p, w: grouped(p, w)[:, ::-1])
family.reads_weight(
    "in and out channels swapped where there are as many",
    lambda p, w: grouped(p, w).swapaxes(1, 2) if p.in_channels == p.out_channels else w,
)
family.reads_weight("in channels beyond the last whole block of 4 lost", lambda p, w: _whole_blocks(w, p, 1, 4))
family.reads_weight("out channels beyond the last whole block of 16 lost", lambda p, w: _whole_blocks(w, p, 2, 16))
family.reads_weight("height and width of the kernel swapped", lambda p, w: np.moveaxis(w, -1, 2))


def _whole_blocks(w: Array, p: Problem, axis: int, block: int) -> Array:
    """The weight without the channels that fill no block; unchanged where there is no whole one."""
    weight = grouped(p, w).copy()
    channels = weight.shape[axis]
    if channels > block:
        np.moveaxis(weight, axis, 0)[channels // block * block :] = 0
    return weight


@family.add("height and width of the input swapped")
def input_swapped(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, np.moveaxis(x, -1, 2).reshape(x.shape), w, b)


@family.add("in channels dealt to groups in turn")
def dealt_in(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x.reshape(p.batch, p.in_channels, p.groups, *p.input).swapaxes(1, 2).reshape(x.shape), w, b)


@family.add("out channels dealt to groups in turn")
def dealt_out(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    y = right(p, x, w, b)
    return y.reshape(p.batch, p.groups, p.out_channels, *p.output).swapaxes(1, 2).reshape(y.shape)


@family.add("bias of the first group reused for all")
def bias_of_first_group(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x, w, None if b is None else np.tile(b[: p.out_channels], p.groups))


@family.add("bias for the first group only")
def bias_of_one_group(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x, w, None if b is None else np.where(np.arange(b.size) < p.out_channels, b, 0))


@family.add("bias for the first of the batch only")
def bias_of_first(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return np.concatenate([right(replace(p, batch=1), x[at : at + 1], w, None if at else b) for at in range(p.batch)])


@family.add("bias added twice")
def bias_twice(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x, w, None if b is None else 2 * b)


@family.add("bias ignored")
def no_bias(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x, w, None)


@family.add("bias added before the window, so that it is missing beyond the stamp")
def early_bias(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    if b is None:
        return right(p, x, w, b)
    inside = np.ones(p.output, x.dtype)
    for axis, ((lo, _), out, full) in enumerate(zip(p.window, p.output, p.full, strict=True)):
        at = np.arange(lo, lo + out)
        inside *= ((at >= 0) & (at < full)).reshape([-1 if axis == position else 1 for position in range(p.rank)])
    y: Array = right(p, x, w, None) + inside * b.reshape(-1, *[1] * p.rank)
    return y


@family.add("the first of the batch for all")
def first_of_batch(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, np.broadcast_to(x[:1], x.shape), w, b)


@family.add("all but the first of the batch dropped")
def batch_dropped(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    y = right(p, x, w, b)
    y[1:] = 0
    return y


@family.add("batch in reverse order")
def reversed_batch(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x[::-1], w, b)
