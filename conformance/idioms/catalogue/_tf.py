"""TensorFlow's law of windows, which tf.nn and Keras share: the answer's size is given, and padding says the rest.

A call is the gradient of an ordinary convolution with that padding, so a size is legal where the convolution of an
answer of that size has the extents of the input. Weight "k o (g i)", kernel as stored.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from conformance.idioms.base import FLOAT32, Claim, Example, Refusal, Rule, Use
from conformance.idioms.sizes.legal import legal_alone
from conformance.problem import Ints, Problem, Window

WEIGHT = "k o (g i)"
Padding = str | Window
"""SAME, VALID, or explicit (begin, end) pairs."""


def window(problem: Problem, padding: Padding, size: Ints) -> Window:
    """The window of a size: SAME halves the excess, the odd one cut at the end; else the beginning is the padding's."""
    excess = [full - out for full, out in zip(problem.full, size, strict=True)]
    if padding == "SAME":
        begins = [max(surplus, 0) // 2 for surplus in excess]
    else:
        begins = [begin for begin, _ in _pairs(problem, padding)]
    return tuple((lo, surplus - lo) for lo, surplus in zip(begins, excess, strict=True))


def legal(problem: Problem, padding: Padding, size: Ints, *, truncated: bool = False) -> bool:
    """Whether an ordinary convolution with this padding turns the size into the problem's input.

    `truncated` divides as C does: a size below the kernel, by less than a stride, then gives 1 and not 0.
    """
    ranges = legal_sizes(problem, padding, truncated=truncated)
    return all(out in extents for out, extents in zip(size, ranges, strict=True))


def legal_sizes(problem: Problem, padding: Padding, *, truncated: bool = False) -> list[range]:
    """The sizes that are legal on each axis; `truncated` divides as in `legal`."""
    axes = list(zip(problem.input, problem.stride, problem.full, strict=True))
    if padding == "SAME":
        return [range((i - 1) * s + 1, i * s + 1) for i, s, _ in axes]
    least = [full - begin - end for (_, _, full), (begin, end) in zip(axes, _pairs(problem, padding), strict=True)]
    return [range(max(first - (s - 1 if truncated and i == 1 else 0), 1), first + s)
            for (i, s, _), first in zip(axes, least, strict=True)]  # fmt: skip


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
    given: tuple[str, Ints] | None,
    refusals: Sequence[Rule] = (),
    **rest: Any,
) -> Claim:
    """The claim of a call whose answer has the extents `size`, which a `given` argument, by its name, moves one for
    one; `first` with the channels before the spatial axes.

    Pairs, float64 and int32 run on Eigen even where oneDNN is on, and on a CPU Eigen knows neither dilation, groups nor
    channels first. Half precision runs on Eigen on some CPUs, so that nothing is claimed of these.
    """
    eigen = use.variant == "eigen" or use.dtype != FLOAT32 or not isinstance(padding, str)
    return use.claim(
        law, data="n c k" if first else "n k c", weight=WEIGHT, stride=stride, dilation=dilation,
        window=lambda p: window(p, padding, size(p)),
        refusals=[
            *refusals,
            ("half precision", lambda p: _hangs_on_the_cpu(use, p, first)),
            ("channels first without oneDNN", lambda _: eigen and first),
            ("dilation without oneDNN", lambda _: eigen and max(dilation) > 1),
            ("groups without oneDNN", lambda p: eigen and p.groups > 1),
            ("groups in 3-D", lambda p: p.rank == 3 and p.groups > 1),
            ("3-D in int32", lambda p: p.rank == 3 and use.dtype == "int32"),
            *([refused_size(given, size, padding, truncated=not eigen)] if given else []),
        ],
        **rest,
    )  # fmt: skip


def _hangs_on_the_cpu(use: Use, problem: Problem, first: bool) -> bool:
    """Never. Raises Refusal for a call in half precision that Eigen refuses and oneDNN answers, if the CPU has it."""
    odd = first or problem.groups > 1 or max(problem.dilation) > 1
    if odd and use.variant != "eigen" and use.dtype in ("bfloat16", "float16"):
        raise Refusal(
            f"in {use.dtype} dilation, groups and channels-first layouts depend on the CPU: nothing is claimed of them"
        )
    return False


def refused_size(
    given: tuple[str, Ints], size: Callable[[Problem], Ints], padding: Padding, *, truncated: bool = False
) -> Rule:  # fmt: skip
    """The refusal of a size that no convolution turns into the input, in terms of the argument that is given."""
    name, values = given

    def legal_values(problem: Problem) -> list[range]:
        ranges = legal_sizes(problem, padding, truncated=truncated)
        moved = [value - out for value, out in zip(values, size(problem), strict=True)]
        return [range(extents.start + by, extents.stop + by) for extents, by in zip(ranges, moved, strict=True)]

    return legal_alone(
        "an ordinary convolution does not turn an answer of this size into the input's size", name, values, legal_values
    )


def distinct(examples: Iterable[Example]) -> Iterator[Example]:
    """Each example once."""
    seen = set()
    for example in examples:
        key = example.text, *example.shapes.items()
        if key not in seen:
            seen.add(key)
            yield example
