"""Kernels and strides for two sizes, where they are not given, and the nearest sizes where nothing fits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

from conformance.calls.sizes.overlap import overlap
from conformance.calls.sizes.spellings import Target, first
from conformance.idioms.base import ClaimedCall, with_window
from conformance.problem import Ints, Problem

PROPOSED = 5
"""Kernels and strides that are proposed at most."""
TRIED = 200
"""Extents of an axis, and pairs of kernel and stride, that are tried at most."""
MOST = 2**12
"""The longest stride that is proposed."""


class SizesError(ValueError):
    """Sizes of which no problem can be made; the message names the one that is wrong."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Two sizes, and what is known of the layer between them; None for a kernel or stride that is to be proposed."""

    input: Ints
    output: Ints
    kernel: Ints | None = None
    stride: Ints | None = None
    dilation: Ints = ()
    groups: int = 1
    in_channels: int = 1
    out_channels: int = 1

    def __post_init__(self) -> None:
        for name in ("output", "kernel", "stride", "dilation"):
            axes = getattr(self, name)
            if axes and len(axes) != len(self.input):
                both = "x".join(map(str, self.input * (len(axes) if len(self.input) == 1 else 1)))
                raise SizesError(f"--{name} has {len(axes)} axes, --input has {len(self.input)}: give one number, or "
                                 f"one an axis, {f'as in --input {both}' if len(self.input) == 1 else 'as in 20x30'}"
                                 )  # fmt: skip
        if len(self.input) > 3:
            raise SizesError(f"--input has {len(self.input)} axes: a transposed convolution has one to three")

    def problem(self, kernel: Ints, stride: Ints) -> Problem:
        """The problem with a kernel and a stride; all that is too much of its stamp is cut at the end."""
        plain = Problem.of(
            self.input, kernel, stride, 0, 0, self.dilation or 1, groups=self.groups, in_channels=self.in_channels,
            out_channels=self.out_channels,
        )  # fmt: skip
        return with_output(plain, self.output)


def with_output(problem: Problem, output: Ints) -> Problem:
    """The problem with other output extents, cut or given at the end."""
    return with_window(problem, tuple((0, full - out) for full, out in zip(problem.full, output, strict=True)))


def proposals(target: Target, wanted: Wanted, tried: int = TRIED) -> Iterator[ClaimedCall]:
    """The most natural calls for kernels and strides that suit two sizes, the best first; so many pairs are tried.

    Good ones cut the same at both ends, let the stamps overlap evenly, so that there is no checkerboard, and have a
    kernel of twice the stride.
    """
    axes = [_ranked(wanted, axis) for axis in range(len(wanted.input))]
    ranked = islice(zip_longest(*axes), tried) if all(axes) else ()
    pairs = ([pair or axis[-1] for pair, axis in zip(row, axes, strict=True)] for row in ranked)
    calls = (first(target, wanted.problem(*zip(*row, strict=True))) for row in pairs)
    yield from islice(filter(None, calls), PROPOSED)


def _ranked(wanted: Wanted, axis: int) -> list[tuple[int, int]]:
    """Kernels and strides of an axis, the best first."""
    return sorted(_candidates(wanted, axis), key=lambda pair: _cost(wanted, axis, *pair))


def _candidates(wanted: Wanted, axis: int) -> Iterator[tuple[int, int]]:
    """Kernels and strides of an axis that may do."""
    usual = _usual_strides(wanted, axis)
    strides = {stride + more for stride in usual for more in (-1, 0, 1) if 0 < stride + more <= MOST}
    for stride in (wanted.stride[axis],) if wanted.stride else sorted(strides if wanted.kernel else usual & strides):
        valid = wanted.output[axis] - (wanted.input[axis] - 1) * stride
        kernels = {*range(stride, max(2 * stride + 4, 8)), 3 * stride, 4 * stride, *([valid] if valid > 0 else [])}
        yield from ((kernel, stride) for kernel in ((wanted.kernel[axis],) if wanted.kernel else sorted(kernels)))


def _usual_strides(wanted: Wanted, axis: int) -> set[int]:
    """The whole numbers by which an axis grows, with its borders and without."""
    extent, out = wanted.input[axis], wanted.output[axis]
    return {max(round(out / extent), 1), max(round((out - 1) / (extent - 1)), 1)} if extent > 1 else {1}


def _cost(wanted: Wanted, axis: int, kernel: int, stride: int) -> tuple[bool, bool, bool, bool, bool, float, int]:
    """How far a kernel and a stride are from what is good, the worst fault first."""
    dilation = wanted.dilation[axis] if wanted.dilation else 1
    problem = Problem.of(wanted.input[axis], kernel, stride, 0, 0, dilation)
    excess = problem.full[0] - wanted.output[axis]
    least, most = overlap(problem)
    unlike = wanted.stride is None and stride not in _usual_strides(wanted, axis)
    usual = 2 * stride if stride > 1 else 3
    return unlike, excess < 0, not least, excess % 2 > 0, least != most, abs(kernel - usual), kernel


def nearest(target: Target, problem: Problem) -> list[ClaimedCall]:
    """Calls of the nearest output extents that can be had, the nearest first; on each axis one below and one above.

    An axis is tried by itself, the others having extents that are legal: those of VALID, of SAME, or of the padding
    that is given.
    """
    calls: dict[Ints, ClaimedCall] = {}
    borders = [_borders(target, problem, axis) for axis in range(problem.rank)]
    for others in zip(*borders, strict=True) if problem.rank > 1 else [problem.full]:
        near = [_near(target, problem, others, axis) for axis in range(problem.rank)]
        for ends in zip(*near, strict=True) if all(near) else ():
            if call := first(target, with_output(problem, ends)):
                calls.setdefault(ends, call)
    return [calls[output] for output in sorted(calls, key=lambda output: (_distance(problem, output), output))][:2]


def _borders(target: Target, problem: Problem, axis: int) -> list[int]:
    """Extents of an axis that are legal, or beside legal ones, in one way or another to say a window: the ends of what
    VALID, SAME and a padding that is given leave."""
    full, stride, more = problem.full[axis], problem.stride[axis], max(problem.stride[axis], problem.dilation[axis])
    same = problem.input[axis] * stride
    padding = target.given.get("padding", 0)
    pads = [0] if isinstance(padding, str) else [padding] if isinstance(padding, int) else list(padding)
    cut = full - 2 * pads[axis if axis < len(pads) else 0]
    return [full, same, max(cut, 1), full + more - 1, same - stride + 1, max(cut + more - 1, 1)]


def _near(target: Target, problem: Problem, others: Ints, axis: int) -> tuple[int, int] | None:
    """The nearest extents of an axis below and above that can be had where the other axes have theirs of `others`."""
    wanted = problem.output[axis]
    reach = min(2 * max(problem.stride[axis], problem.dilation[axis]) + 2, TRIED)
    extents = {
        extent for border in (wanted, *_borders(target, problem, axis))
        for extent in range(max(border - reach, 1), border + reach + 1)
    }  # fmt: skip
    below = _first_of(target, problem, others, axis, sorted((e for e in extents if e <= wanted), reverse=True))
    above = _first_of(target, problem, others, axis, sorted(e for e in extents if e >= wanted))
    if below is None and above is None:
        return None
    return (below or above or 0), (above or below or 0)


def _first_of(target: Target, problem: Problem, others: Ints, axis: int, extents: Sequence[int]) -> int | None:
    for extent in extents:
        if first(target, with_output(problem, (*others[:axis], extent, *others[axis + 1 :]))):
            return extent
    return None


def _distance(problem: Problem, output: Ints) -> int:
    return sum(abs(mine - asked) for mine, asked in zip(output, problem.output, strict=True))
