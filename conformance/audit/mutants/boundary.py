"""Faults in a corner of the space only: everywhere else the answer is right."""

from conformance.audit.mutants.base import Family
from conformance.problem import Problem

family = Family("boundary")
MUTANTS = family.mutants

family.only("only where stride exceeds the kernel",
            lambda p: any(s > k for s, k in zip(p.stride, p.kernel, strict=True)))  # fmt: skip
family.only("only for an input extent of 1", lambda p: 1 in p.input)
family.only("only for an output extent of 1", lambda p: 1 in p.output)
family.only("only for dilation with output_padding",
            lambda p: any(d > 1 and op > 0 for d, op in zip(p.dilation, p.output_padding, strict=True)))  # fmt: skip
family.only("only for output_padding of at least the stride",
            lambda p: any(op >= s for s, op in zip(p.stride, p.output_padding, strict=True)))  # fmt: skip
family.only("only for groups with several channels", lambda p: p.groups > 1 and p.in_channels > 1)
family.only("only for depthwise with a multiplier",
            lambda p: p.groups > 1 and p.in_channels == 1 and p.out_channels > 1)  # fmt: skip
family.only("only for groups with dilation", lambda p: p.groups > 1 and max(p.dilation) > 1)
family.only("only in three dimensions", lambda p: p.rank == 3)
family.only("only in one dimension", lambda p: p.rank == 1)
family.only("only for batches", lambda p: p.batch > 1)
family.only("only for padding beyond the kernel",
            lambda p: any(b > k for (b, _), k in zip(p.pads, p.effective_kernel, strict=True)))  # fmt: skip
family.only(
    "only where stride and dilation share a factor",
    lambda p: any(s > 1 and d > 1 and s % d == 0 for s, d in zip(p.stride, p.dilation, strict=True)),
)
family.only("only for kernels larger than the input",
            lambda p: any(k > i for k, i in zip(p.kernel, p.input, strict=True)))  # fmt: skip
family.only("only for a one-tap kernel with dilation",
            lambda p: any(k == 1 and d > 1 for k, d in zip(p.kernel, p.dilation, strict=True)))  # fmt: skip
family.only("only for a stride of at least 4", lambda p: max(p.stride) >= 4)
family.only("only where the strides of two axes differ", lambda p: len(set(p.stride)) > 1)
family.only("only for even kernels with an odd stride above 1",
            lambda p: any(k % 2 == 0 and s % 2 and s > 1 for k, s in zip(p.kernel, p.stride, strict=True)))  # fmt: skip
family.only("only in three dimensions with strides that are not in order",
            lambda p: p.rank == 3 and list(p.stride) != sorted(p.stride))  # fmt: skip
family.only("only for negative padding with dilation", lambda p: _extended(p) and max(p.dilation) > 1)
family.only("only for negative padding in groups", lambda p: _extended(p) and p.groups > 1)
family.only("only for negative padding in three dimensions", lambda p: _extended(p) and p.rank == 3)
family.only("only for batches above 2", lambda p: p.batch > 2)
family.only("only for a dilation of at least 4", lambda p: max(p.dilation) >= 4)
family.only("only for sums of more than 256 terms", lambda p: p.terms > 256)
family.only("only for 3x3 kernels, as Winograd's method takes them, on several channels",
            lambda p: p.kernel == (3, 3) and {*p.stride, *p.dilation} == {1} and p.in_channels > 1)  # fmt: skip


def _extended(p: Problem) -> bool:
    return any(min(ends) < 0 for ends in p.pads)
