"""The mutants: each is the oracle with one fault, as a function from a problem and its operands to an array.

Integers in, so that an index fault is a fault and not rounding; the numeric ones compute in the float types they abuse.
Wrong windows are cut or extended to the right shape, since a wrong shape alone is too easy to see.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import oracle
from conformance.problem import Problem, Window

Array = NDArray[Any]
Index = tuple[Any, ...]
Run = Callable[[Problem, Array, Array, Array | None], Array]


@dataclass(frozen=True)
class Mutant:
    """A wrong implementation: its family, and its fault in words."""

    family: str
    fault: str
    run: Run


MUTANTS: list[Mutant] = []


def mutant(family: str, fault: str) -> Callable[[Run], Run]:
    """Register a function as a mutant."""

    def register(run: Run) -> Run:
        MUTANTS.append(Mutant(family, fault, run))
        return run

    return register


def right(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    """The right answer."""
    return oracle.expected(p, x, w, b)


def at(p: Problem, window: Window) -> Problem:
    """The problem with another window, output_padding folded in."""
    return replace(p, pads=window, output_padding=(0,) * p.rank)


def same_size(p: Problem, lows: list[int]) -> Problem:
    """The problem with a window of the right size that begins elsewhere."""
    return at(p, tuple((lo, full - out - lo) for lo, full, out in zip(lows, p.full, p.output, strict=True)))


def fitted(p: Problem, y: Array) -> Array:
    """An array cut, or extended with zeros, at the end to the right output extents."""
    room = np.zeros((*y.shape[:2], *(max(a, b) for a, b in zip(y.shape[2:], p.output, strict=True))), y.dtype)
    filled: Index = (..., *(slice(n) for n in y.shape[2:]))
    kept: Index = (..., *(slice(n) for n in p.output))
    room[filled] = y
    return room[kept]


def grouped(p: Problem, w: Array) -> Array:
    """The weight as (groups, in, out, *kernel)."""
    return w.reshape(p.groups, p.in_channels, p.out_channels, *p.kernel)


def changed_window(family: str, fault: str, change: Callable[[Problem], Problem]) -> None:
    """Register a mutant that reads another problem and fits the answer to the right shape."""
    MUTANTS.append(Mutant(family, fault, lambda p, x, w, b: fitted(p, right(_valid(change(p)), x, w, b))))


def _valid(p: Problem) -> Problem:
    """The problem, its window opened where it would leave nothing."""
    return at(p, tuple((lo, hi) if f - lo - hi > 0 else (0, 0) for (lo, hi), f in zip(p.window, p.full, strict=True)))


def changed_weight(family: str, fault: str, change: Callable[[Problem, Array], Array]) -> None:
    """Register a mutant that reads another weight."""
    MUTANTS.append(Mutant(family, fault, lambda p, x, w, b: right(p, x, change(p, w).reshape(w.shape), b)))


def only(family: str, fault: str, where: Callable[[Problem], bool]) -> None:
    """Register a mutant that is wrong, by one window step, in a corner of the space."""
    MUTANTS.append(Mutant(family, fault, lambda p, x, w, b: shifted(p, x, w, b) if where(p) else right(p, x, w, b)))


def shifted(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    """The answer one step late on the last axis."""
    lows = [lo for lo, _ in p.window]
    return right(same_size(p, [*lows[:-1], lows[-1] + 1]), x, w, b)


# window

changed_window("window", "begins one late", lambda p: same_size(p, [lo + 1 for lo, _ in p.window]))
changed_window("window", "begins one early", lambda p: same_size(p, [lo - 1 for lo, _ in p.window]))
changed_window("window", "begins one late on the last axis only",
               lambda p: same_size(p, [*(lo for lo, _ in p.window[:-1]), p.window[-1][0] + 1]))  # fmt: skip
changed_window("window", "total crop split in halves, floor first",
               lambda p: same_size(p, [(lo + hi) // 2 for lo, hi in p.window]))  # fmt: skip
changed_window("window", "total crop split in halves, ceil first",
               lambda p: same_size(p, [-(-(lo + hi) // 2) for lo, hi in p.window]))  # fmt: skip
changed_window("window", "crop on the other side", lambda p: at(p, tuple((hi, lo) for lo, hi in p.window)))
changed_window("window", "begin pad used at both ends", lambda p: replace(p, pads=tuple((b, b) for b, _ in p.pads)))
changed_window("window", "end pad used at both ends", lambda p: replace(p, pads=tuple((e, e) for _, e in p.pads)))
changed_window("window", "output_padding ignored", lambda p: replace(p, output_padding=(0,) * p.rank))
changed_window("window", "output_padding at the begin", lambda p: same_size(
    p, [lo - op for (lo, _), op in zip(p.window, p.output_padding, strict=True)]))  # fmt: skip
changed_window("window", "padding clamped at k - 1", lambda p: replace(
    p, pads=tuple((min(b, k - 1), min(e, k - 1)) for (b, e), k in zip(p.pads, p.kernel, strict=True))))  # fmt: skip
changed_window("window", "SAME computed from the kernel and stride alone", lambda p: same_size(
    p, [max(k - s, 0) // 2 for k, s in zip(p.effective_kernel, p.stride, strict=True)]))  # fmt: skip
changed_window("window", "pads interleaved as begins then ends", lambda p: replace(p, pads=_interleaved(p)))
changed_window("window", "pads in reverse order of axes", lambda p: replace(p, pads=p.pads[::-1]))


def _interleaved(p: Problem) -> Window:
    flat = [end for pair in p.pads for end in pair]
    return tuple(zip(flat[: p.rank], flat[p.rank :], strict=True))


@mutant("window", "output_padding filled with zeros and bias instead of computed")
def zero_filled(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    y = right(p, x, w, b)
    for axis, op in enumerate(p.output_padding, start=2):
        if op:
            np.moveaxis(y, axis, 0)[-op:] = 0
    return y


@mutant("window", "output_padding doubled")
def doubled(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(replace(p, output_padding=tuple(2 * op for op in p.output_padding)), x, w, b)


# taps

changed_weight("taps", "reversed on every axis", lambda p, w: np.flip(w, tuple(range(2, w.ndim))))
changed_weight("taps", "reversed on the first axis", lambda p, w: np.flip(w, 2))
changed_weight("taps", "reversed on the last axis", lambda p, w: np.flip(w, -1))
changed_weight("taps", "reversed for even kernels only", lambda p, w: np.flip(w, -1) if w.shape[-1] % 2 == 0 else w)
changed_weight("taps", "first tap lost", lambda p, w: _zeroed(w, (..., slice(1))))
changed_weight("taps", "last tap lost", lambda p, w: _zeroed(w, (..., slice(-1, None))))
changed_weight("taps", "last tap lost for kernels above 3",
               lambda p, w: _zeroed(w, (..., slice(-1, None))) if w.shape[-1] > 3 else w)  # fmt: skip
changed_window("taps", "dilation ignored", lambda p: replace(p, dilation=(1,) * p.rank))
changed_window("taps", "dilation one too many", lambda p: replace(p, dilation=tuple(d + 1 for d in p.dilation)))
changed_window("taps", "dilation and stride swapped", lambda p: replace(p, dilation=p.stride, stride=p.dilation))
changed_window("taps", "dilation of the first axis on all", lambda p: replace(p, dilation=p.dilation[:1] * p.rank))
changed_window("taps", "stride of the first axis on all", lambda p: replace(p, stride=p.stride[:1] * p.rank))
changed_window("taps", "strides in reverse order of axes", lambda p: replace(p, stride=p.stride[::-1]))


def _zeroed(w: Array, where: Any) -> Array:
    w = w.copy()
    w[where] = 0
    return w


# axes

changed_weight("axes", "in and out channels read in the other order",
               lambda p, w: w.reshape(p.groups, p.out_channels, p.in_channels, *p.kernel).swapaxes(1, 2))  # fmt: skip
changed_weight("axes", "groups in reverse order", lambda p, w: grouped(p, w)[::-1])
changed_weight("axes", "the first group's weight for all", lambda p, w: np.broadcast_to(grouped(p, w)[:1], (
    p.groups, p.in_channels, p.out_channels, *p.kernel)))  # fmt: skip
changed_weight("axes", "out channels in reverse order", lambda p, w: w[:, ::-1])
changed_weight("axes", "in channels of each group in reverse order", lambda p, w: grouped(p, w)[:, ::-1])


@mutant("axes", "in channels dealt to groups in turn")
def dealt_in(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x.reshape(p.batch, p.in_channels, p.groups, *p.input).swapaxes(1, 2).reshape(x.shape), w, b)


@mutant("axes", "out channels dealt to groups in turn")
def dealt_out(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    y = right(p, x, w, b)
    return y.reshape(p.batch, p.groups, p.out_channels, *p.output).swapaxes(1, 2).reshape(y.shape)


@mutant("axes", "bias of the first group reused for all")
def bias_of_first_group(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x, w, None if b is None else np.tile(b[: p.out_channels], p.groups))


@mutant("axes", "bias added twice")
def bias_twice(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x, w, None if b is None else 2 * b)


@mutant("axes", "bias ignored")
def no_bias(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x, w, None)


@mutant("axes", "bias added before the window, so that it is missing beyond the stamp")
def early_bias(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    if b is None:
        return right(p, x, w, b)
    positions = [
        (np.arange(lo, lo + out) >= 0) & (np.arange(lo, lo + out) < full)
        for (lo, _), out, full in zip(p.window, p.output, p.full, strict=True)
    ]
    mask = np.ones(p.output, np.int64)
    for axis, on in enumerate(positions):
        mask *= on.astype(np.int64).reshape([-1 if axis == each else 1 for each in range(p.rank)])
    return np.add(right(p, x, w, None), mask * b.reshape(-1, *[1] * p.rank))


@mutant("axes", "the first of the batch for all")
def first_of_batch(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, np.broadcast_to(x[:1], x.shape), w, b)


@mutant("axes", "batch in reverse order")
def reversed_batch(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x[::-1], w, b)


# numerics


def rounded(array: Array, bits: int) -> Array:
    """Integers rounded to a significand of so many bits."""
    mantissa, exponent = np.frexp(array.astype(np.float64))
    nearest: Array = np.ldexp(np.round(mantissa * 2**bits) / 2**bits, exponent)
    return nearest


@mutant("numerics", "inputs rounded to TF32")
def tf32(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, rounded(x, 11), rounded(w, 11), b)


@mutant("numerics", "inputs rounded to bfloat16")
def bf16(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, rounded(x, 8), rounded(w, 8), b)


@mutant("numerics", "sums kept in float16")
def f16(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    with np.errstate(over="ignore"):
        return right(p, x, w, b).astype(np.float16).astype(np.float64)


@mutant("numerics", "small Winograd-like error")
def winograd(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x, w, b) * (1 + 2.0**-22)


@mutant("numerics", "last in channel lost where there are many")
def lost_term(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    if p.in_channels <= 16:
        return right(p, x, w, b)
    weight = grouped(p, w).copy()
    weight[:, -1] = 0
    return right(p, x, weight.reshape(w.shape), b)


# boundary

only(
    "boundary",
    "only where stride exceeds the kernel",
    lambda p: any(s > k for s, k in zip(p.stride, p.kernel, strict=True)),
)
only("boundary", "only for an input extent of 1", lambda p: 1 in p.input)
only("boundary", "only for dilation with output_padding",
     lambda p: any(d > 1 and op > 0 for d, op in zip(p.dilation, p.output_padding, strict=True)))  # fmt: skip
only("boundary", "only for groups with several channels", lambda p: p.groups > 1 and p.in_channels > 1)
only("boundary", "only in three dimensions", lambda p: p.rank == 3)
only("boundary", "only in one dimension", lambda p: p.rank == 1)
only("boundary", "only for batches", lambda p: p.batch > 1)
only("boundary", "only for padding beyond the kernel",
     lambda p: any(b > k for (b, _), k in zip(p.pads, p.effective_kernel, strict=True)))  # fmt: skip
only("boundary", "only where stride and dilation share a factor",
     lambda p: any(s > 1 and d > 1 and s % d == 0 for s, d in zip(p.stride, p.dilation, strict=True)))  # fmt: skip
only("boundary", "only for depthwise with a multiplier",
     lambda p: p.groups > 1 and p.in_channels == 1 and p.out_channels > 1)  # fmt: skip
only(
    "boundary",
    "only for kernels larger than the input",
    lambda p: any(k > i for k, i in zip(p.kernel, p.input, strict=True)),
)
only("boundary", "only for a one-tap kernel with dilation",
     lambda p: any(k == 1 and d > 1 for k, d in zip(p.kernel, p.dilation, strict=True)))  # fmt: skip

# contract


@mutant("contract", "answers in a complex type")
def wrong_dtype(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x, w, b).astype(np.complex128)


@mutant("contract", "right values, batch axis dropped")
def wrong_rank(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(p, x, w, b).reshape(-1, *p.output)


@mutant("contract", "NaN where no tap reaches")
def nan_for_zero(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    y = right(p, x, w, b).astype(np.float64)
    reached = right(p, np.ones_like(x), np.ones_like(w), None)
    y[reached == 0] = np.nan
    return y


@mutant("memory", "uninitialised where no tap reaches")
def uninitialised(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    y = right(p, x, w, b)
    y[right(p, np.ones_like(x), np.ones_like(w), None) == 0] = -559038737
    return y
