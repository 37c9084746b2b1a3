"""Faults of the taps: their order, their spacing, and the spacing of the stamps."""

from dataclasses import replace
from typing import Any

import numpy as np

from conformance.mutants.base import Array, Family
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
