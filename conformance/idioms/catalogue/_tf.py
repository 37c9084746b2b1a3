"""TensorFlow's law of windows, which tf.nn and Keras share: the answer's size is given, and padding says the rest.

A call is the gradient of an ordinary convolution with that padding, so a size is legal where the convolution of an
answer of that size has the extents of the input. Weight "k o (g i)", kernel as stored.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from conformance.idioms.base import FLOAT32, Claim, Example, Use
from conformance.problem import Ints, Problem, Window

WEIGHT = "k o (g i)"
Padding = str | Window
"""SAME, VALID, or explicit (begin, end) pairs."""


def window(problem: Problem, padding: Padding, size: Ints) -> Window:
    """The window of a size: SAME halves the excess, the odd one cut at the end; else the beginning is the padding's."""
    excess = [full - out for full, out in zip(problem.full, size, strict=True)]
    if padding == "SAME":
        begins = [max(each, 0) // 2 for each in excess]
    else:
        begins = [begin for begin, _ in _pairs(problem, padding)]
    return tuple((lo, each - lo) for lo, each in zip(begins, excess, strict=True))


def legal(problem: Problem, padding: Padding, size: Ints, *, truncated: bool = False) -> bool:
    """Whether an ordinary convolution with this padding turns the size into the problem's input.

    `truncated` divides as C does: a size below the kernel, by less than a stride, then gives 1 and not 0.
    """
    axes = list(zip(problem.input, problem.stride, problem.effective_kernel, size, strict=True))
    if padding == "SAME":
        return all((i - 1) * s < out <= i * s for i, s, _, out in axes)
    room = [
        out + begin + end - ke for (_, _, ke, out), (begin, end) in zip(axes, _pairs(problem, padding), strict=True)
    ]
    return all(
        (int(more / s) if truncated else more // s) + 1 == i for (i, s, _, _), more in zip(axes, room, strict=True)
    )


def _pairs(problem: Problem, padding: Padding) -> Window:
    return ((0, 0),) * problem.rank if isinstance(padding, str) else padding


def claim(
    use: Use,
    size: Callable[[Problem], Ints],
    padding: Padding,
    stride: Ints,
    dilation: Ints,
    *,
    law: str,
    first: bool,
    refusals: Sequence[tuple[str, Callable[[Problem], bool]]] = (),
    **rest: Any,
) -> Claim:
    """The claim of a call whose answer has the extents `size`; `first` with the channels before the spatial axes.

    Pairs and float64 run on Eigen even where oneDNN is on, and on a CPU Eigen knows neither dilation, groups nor
    channels first.
    """
    eigen = use.variant == "eigen" or use.dtype != FLOAT32 or not isinstance(padding, str)
    return use.claim(
        law, data="n c k" if first else "n k c", weight=WEIGHT, stride=stride, dilation=dilation,
        window=lambda p: window(p, padding, size(p)),
        refusals=[
            *refusals,
            ("channels first without oneDNN", lambda _: eigen and first),
            ("dilation without oneDNN", lambda _: eigen and max(dilation) > 1),
            ("groups without oneDNN", lambda p: eigen and p.groups > 1),
            ("groups in 3-D", lambda p: p.rank == 3 and p.groups > 1),
            ("no convolution of the answer has the input's extents",
             lambda p: not legal(p, padding, size(p), truncated=not eigen)),
        ],
        **rest,
    )  # fmt: skip


def distinct(examples: Iterable[Example]) -> Iterator[Example]:
    """Each example once."""
    seen = set()
    for example in examples:
        key = example.text, *example.shapes.items()
        if key not in seen:
            seen.add(key)
            yield example
