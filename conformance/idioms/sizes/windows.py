"""Windows by which a problem's output extents can be left of its stamp: the usual ones of all frameworks."""

from collections.abc import Iterator, Sequence

from conformance.problem import Problem, Window


def windows(problem: Problem) -> Iterator[Window]:
    """Windows that leave the output extents of a problem, whatever its own window is, the most usual first.

    What is too much of the stamp is cut in halves, the odd row at the end, as by SAME, or at the beginning, as by
    PyTorch; or all of it at the end, as by VALID. Then follow those that cut ever more at the beginning, as far as a
    stride or a dilation lets it be given back at the end.
    """
    excess = [lo + hi for lo, hi in problem.window]
    halves = [max(-(-rest // 2), 0) for rest in excess]
    furthest = [
        max((rest + max(s, d) - 1) // 2, half)
        for rest, s, d, half in zip(excess, problem.stride, problem.dilation, halves, strict=True)
    ]
    for begins in ([max(rest, 0) // 2 for rest in excess], halves, [0] * problem.rank):
        yield _window(begins, excess)
    room = max(last - half for last, half in zip(furthest, halves, strict=True))
    for more in range(1, room + 1):
        yield _window([min(half + more, last) for half, last in zip(halves, furthest, strict=True)], excess)


def _window(begins: Sequence[int], excess: Sequence[int]) -> Window:
    return tuple((lo, rest - lo) for lo, rest in zip(begins, excess, strict=True))
