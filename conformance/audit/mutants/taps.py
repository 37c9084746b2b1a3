"""Faults of the taps: their order, their spacing, and the spacing of the stamps."""

from dataclasses import replace
from typing import Any

import numpy as np

from conformance.audit.mutants.base import Array, Family, right
from conformance.problem import Problem

family = Family("taps")
MUTANTS = family.mutants


def _without(w: Array, where: Any) -> Array:
    w = w.copy()
    w[where] = 0
    return w


def _steps(p: Problem) -> tuple[int, ...]:
    return tuple(s * d for s, d in zip(p.stride, p.dilation, strict=True))


family.reads_weight("reversed on every axis", lambda p, w: np.flip(w, tuple(range(2, w.ndim))))
family.reads_weight("reversed on the first axis", lambda p, w: np.flip(w, 2))
family.reads_weight("reversed on the last axis", lambda p, w: np.flip(w, -1))
family.reads_weight("reversed on the last axis for even kernels only",
                    lambda p, w: np.flip(w, -1) if w.shape[-1] % 2 == 0 else w)  # fmt: skip
family.reads_weight("reversed on every axis but the first", lambda p, w: np.flip(w, tuple(range(3, w.ndim))))
family.reads_weight("first tap lost", lambda p, w: _without(w, (..., slice(1))))
family.reads_weight("last tap lost", lambda p, w: _without(w, (..., slice(-1, None))))
family.reads_weight("last tap lost for kernels above 3",
                    lambda p, w: _without(w, (..., slice(-1, None))) if w.shape[-1] > 3 else w)  # fmt: skip
family.reads("dilation ignored", lambda p: replace(p, dilation=(1,) * p.rank))
family.reads("dilation one too many", lambda p: replace(p, dilation=tuple(d + 1 for d in p.dilation)))
family.reads("dilation one too few", lambda p: replace(p, dilation=tuple(max(d - 1, 1) for d in p.dilation)))
family.reads("dilation applied to the stride", lambda p: replace(p, stride=_steps(p), dilation=(1,) * p.rank))
family.reads("dilation multiplied by the stride", lambda p: replace(p, dilation=_steps(p)))
family.reads("dilation and stride swapped", lambda p: replace(p, dilation=p.stride, stride=p.dilation))
family.reads("dilation of the first axis on all", lambda p: replace(p, dilation=p.dilation[:1] * p.rank))
family.reads("stride of the first axis on all", lambda p: replace(p, stride=p.stride[:1] * p.rank))
family.reads("strides in reverse order of axes", lambda p: replace(p, stride=p.stride[::-1]))
family.reads("dilations in reverse order of axes", lambda p: replace(p, dilation=p.dilation[::-1]))
family.reads("dilation above 2 read as 2", lambda p: replace(p, dilation=tuple(min(d, 2) for d in p.dilation)))


@family.add("stamps written over each other, not added")
def overwritten(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    whole = replace(p, pads=((0, 0),) * p.rank, output_padding=(0,) * p.rank, bias=False)
    one = replace(whole, input=(1,) * p.rank)
    stamped = np.zeros(whole.output_shape, x.dtype)
    for at in np.ndindex(p.input):
        place: Any = (..., *(slice(i * s, i * s + k) for i, s, k in zip(at, p.stride, p.effective_kernel, strict=True)))
        element: Any = (..., *(slice(i, i + 1) for i in at))
        stamped[place] = right(one, x[element], w, None)
    widths = [(0, 0), (0, 0), *((max(-lo, 0), max(-hi, 0)) for lo, hi in p.window)]
    cut: Any = (..., *(slice(max(lo, 0), max(lo, 0) + out) for (lo, _), out in zip(p.window, p.output, strict=True)))
    y: Array = np.pad(stamped, widths)[cut]
    return y if b is None else y + b.reshape(-1, *[1] * p.rank)
