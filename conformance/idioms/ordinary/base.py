"""What a layer beside transposed convolutions is: a way to call it, and how it changes the extents of its input."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any, Literal

from conformance.idioms.base import Claim, Idiom, Refusal, Use
from conformance.problem import Ints, Window

CHANNELS = 4
"""Of the input of every example."""

Kind = Literal["down", "up", "level"]
"""Whether a layer leaves fewer extents by a factor, more, or about as many."""


@dataclass(frozen=True, slots=True)
class SizeLaw:
    """How a layer changes extents: the extent of the answer for an axis and the extent of its input.

    `of` raises Refusal where the framework refuses, or leaves nothing. `factor` is by how many times fewer or more
    elements there are, borders aside; 0 where that depends on the input.
    """

    of: Callable[[int, int], int]
    kind: Kind
    factor: float = 1


@dataclass(frozen=True, kw_only=True)
class SizedLayer:
    """A layer with its law of sizes, and calls that prove it, on inputs of CHANNELS channels."""

    idiom: Idiom
    law: Callable[[Use], SizeLaw]
    examples: Callable[[], Iterator[str]]
    fatal: bool = False
    """Whether a call that leaves nothing may end the process, so that no such call is made to prove the law."""


def no_claim(use: Use) -> Claim:
    """Sizes alone are known of it."""
    raise Refusal("it is no transposed convolution: only the sizes that it gives are known")


def sized_layer(
    id: str, functions: Mapping[int, str], signature: str, law: Callable[[Use], SizeLaw],
    examples: Callable[[], Iterator[str]], fatal: bool = False, **rest: Any,
) -> SizedLayer:  # fmt: skip
    """A layer of which sizes alone are known."""
    idiom = Idiom(id=id, functions=functions, signature=signature, read=no_claim, examples=lambda: iter(()), **rest)
    return SizedLayer(idiom=idiom, law=law, examples=examples, fatal=fatal)


def window_law(
    kernel: Ints, stride: Ints, pads: Window, dilation: Ints = (), *, up: bool = False, inside: bool = False
) -> SizeLaw:  # fmt: skip
    """The law of a kernel that moves by a stride over a padded input: floor((in + pads - ke) / s) + 1.

    `up` rounds up, as ceil_mode does; `inside` then leaves out a last window that would begin behind the input and
    its padding at the beginning.
    """
    extents = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation or (1,) * len(kernel), strict=True))

    def of(axis: int, extent: int) -> int:
        ke, s, (lo, hi) = extents[axis], stride[axis], pads[axis]
        steps = extent + lo + hi - ke
        out = (ceil(steps / s) if up else steps // s) + 1
        if up and inside and (out - 1) * s >= extent + lo:
            out -= 1
        if out < 1 or (steps < 0 and not up):
            raise Refusal(f"the kernel of {ke} is larger than the input of {extent} with its padding of {lo + hi}")
        return out

    return strided(of, stride)


def same_law(stride: Ints) -> SizeLaw:
    """The law of SAME: ceil(in / s)."""
    return strided(lambda axis, extent: -(-extent // stride[axis]), stride)


def strided(of: Callable[[int, int], int], stride: Ints) -> SizeLaw:
    """The law of what moves by a stride. Raises Refusal for one below 1."""
    if min(stride) < 1:
        raise Refusal(f"the stride is {stride}: it is at least 1")
    return SizeLaw(of, "down" if max(stride) > 1 else "level", prod(stride))


def scaled(of: Callable[[int, int], int], factors: Sequence[float]) -> SizeLaw:
    """The law of what multiplies each extent by a factor."""
    factor = prod(factors)
    return SizeLaw(of, "up" if factor > 1 else "down" if factor < 1 else "level", max(factor, 1 / factor))


def equal_pads(pads: Ints) -> Window:
    """The same padding at both ends."""
    return tuple((pad, pad) for pad in pads)


def texts(function: str, *choices: Sequence[str]) -> Iterator[str]:
    """Calls with every combination of arguments that are written out, an empty one being left out."""
    combinations: list[list[str]] = [[]]
    for choice in choices:
        combinations = [[*before, word] for before in combinations for word in choice]
    for words in combinations:
        yield f"{function}({', '.join(word for word in words if word)})"
