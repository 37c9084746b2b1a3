"""How the stamps of a call overlap, which a checkerboard shows where it is uneven, and the kernel that interpolates."""

from collections.abc import Iterator
from fractions import Fraction
from math import gcd, prod

from conformance.problem import Problem


def overlap(problem: Problem) -> tuple[int, int]:
    """The smallest and the largest number of taps that meet in an output element away from the borders."""
    axes = [*_axes(problem)]
    least = prod(k // phases if phases == s else 0 for k, s, _, phases in axes)
    return least, prod(-(-k // phases) for k, _, _, phases in axes)


def say(problem: Problem) -> str:
    """The overlap in words, with what makes it uneven."""
    least, most = overlap(problem)
    if least == most:
        return f"{most} tap{'s' * (most > 1)} of the kernel in every inner element"
    reasons = dict.fromkeys(filter(None, (_reason(*axis) for axis in _axes(problem))))
    taps = f"{least} to {most} tap{'s' * (most > 1)} of the kernel in an inner element"
    return f"{taps}; a checkerboard can show, since {' and '.join(reasons)}"


def bilinear(problem: Problem) -> tuple[Fraction, ...]:
    """The taps of an axis with which a call upsamples linearly on each, away from the border; empty where none do.

    The kernel is the product of these over the axes. Between two different channels the weight is 0, so that there are
    as many out channels as in channels. There are such taps where a kernel has 2s - s % 2 of them and the window leaves
    s times the input's extent, cut alike at both ends.
    """
    (s, *others) = dict.fromkeys(problem.stride)
    k, cut = 2 * s - s % 2, (s - s % 2) // 2
    plain = not others and s > 1 and set(problem.dilation) == {1} and problem.in_channels == problem.out_channels
    if not plain or set(problem.kernel) != {k} or set(problem.window) != {(cut, cut)}:
        return ()
    middle = Fraction(k - 1, 2)
    return tuple(1 - abs(tap - middle) / s for tap in range(k))


def _axes(problem: Problem) -> Iterator[tuple[int, int, int, int]]:
    """Kernel, stride, dilation, and of how many phases of the output the taps reach any, an axis."""
    for k, s, d in zip(problem.kernel, problem.stride, problem.dilation, strict=True):
        yield k, s, d, s // gcd(s, d)


def _reason(k: int, s: int, d: int, phases: int) -> str:
    if phases != s:
        return f"dilation {d} and stride {s} have a common divisor"
    return f"kernel {k} is not a multiple of stride {s}" if k % s else ""
