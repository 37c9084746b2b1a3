"""Faults of the window: which part of the stamp is cut out."""

from dataclasses import replace

import numpy as np

from conformance.audit.mutants.base import Array, Family, begun_at, right, with_window
from conformance.problem import Problem, Window

family = Family("window")
MUTANTS = family.mutants

family.reads("begins one late", lambda p: begun_at(p, [lo + 1 for lo, _ in p.window]))
family.reads("begins one early", lambda p: begun_at(p, [lo - 1 for lo, _ in p.window]))
family.reads("begins one late on the last axis only",
             lambda p: begun_at(p, [*(lo for lo, _ in p.window[:-1]), p.window[-1][0] + 1]))  # fmt: skip
family.reads("ends one early, zeros in place of the last row",
             lambda p: with_window(p, tuple((lo, hi + 1) for lo, hi in p.window)))  # fmt: skip
family.reads("total crop split in halves, floor first",
             lambda p: begun_at(p, [(lo + hi) // 2 for lo, hi in p.window]))  # fmt: skip
family.reads("total crop split in halves, ceil first",
             lambda p: begun_at(p, [-(-(lo + hi) // 2) for lo, hi in p.window]))  # fmt: skip
family.reads("crop on the other side", lambda p: with_window(p, tuple((hi, lo) for lo, hi in p.window)))
family.reads("begin pad used at both ends", lambda p: replace(p, pads=tuple((b, b) for b, _ in p.pads)))
family.reads("end pad used at both ends", lambda p: replace(p, pads=tuple((e, e) for _, e in p.pads)))
family.reads("padding ignored", lambda p: replace(p, pads=((0, 0),) * p.rank))
family.reads("padding clamped at k - 1", lambda p: replace(
    p, pads=tuple((min(b, k - 1), min(e, k - 1)) for (b, e), k in zip(p.pads, p.kernel, strict=True))))  # fmt: skip
family.reads("negative padding read as none",
             lambda p: replace(p, pads=tuple((max(b, 0), max(e, 0)) for b, e in p.pads)))  # fmt: skip
family.reads("pads of each axis read as all begins, then all ends", lambda p: replace(p, pads=_interleaved(p)))
family.reads("pads in reverse order of axes", lambda p: replace(p, pads=p.pads[::-1]))
family.reads("SAME computed from the kernel and stride alone", lambda p: begun_at(
    p, [max(k - s, 0) // 2 for k, s in zip(p.effective_kernel, p.stride, strict=True)]))  # fmt: skip
family.reads("SAME computed from the input size", lambda p: begun_at(
    p, [max((-(-i // s) - 1) * s + k - i, 0) // 2
        for i, k, s in zip(p.input, p.effective_kernel, p.stride, strict=True)]))  # fmt: skip
family.reads("output_padding ignored", lambda p: replace(p, output_padding=(0,) * p.rank))
family.reads("output_padding at the begin", lambda p: begun_at(
    p, [lo - op for (lo, _), op in zip(p.window, p.output_padding, strict=True)]))  # fmt: skip
family.reads("output_padding in reverse order of axes",
             lambda p: replace(p, output_padding=p.output_padding[::-1]))  # fmt: skip

family.reads("output_padding clamped at stride - 1", lambda p: replace(
    p, output_padding=tuple(min(op, s - 1) for op, s in zip(p.output_padding, p.stride, strict=True))))  # fmt: skip


def _interleaved(p: Problem) -> Window:
    flat = [end for pair in p.pads for end in pair]
    return tuple(zip(flat[: p.rank], flat[p.rank :], strict=True))


@family.add("output_padding filled with zeros instead of computed")
def zero_filled(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    y = right(p, x, w, b)
    for axis, op in enumerate(p.output_padding, start=2):
        if op:
            np.moveaxis(y, axis, 0)[-op:] = 0
    return y


@family.add("output_padding doubled, so that the answer is longer")
def doubled(p: Problem, x: Array, w: Array, b: Array | None) -> Array:
    return right(replace(p, output_padding=tuple(2 * op for op in p.output_padding)), x, w, b)
