"""The signatures of PyTorch's transposed convolutions, and what is said of a padding that they do not take."""

from typing import Any

from conformance.idioms._words import B, W, X, require
from conformance.idioms.base import Refusal, Rule, Spelling, Use, is_whole
from conformance.idioms.expression import ExpressionError, Name, write
from conformance.problem import Ints, Problem

FUNCTION = "input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1"
LAYER = ("out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1, "
         "padding_mode='zeros', device=None, dtype=None")  # fmt: skip
LAZY = Spelling(
    functions={rank: f"torch.nn.LazyConvTranspose{rank}d" for rank in (1, 2, 3)}, signature=LAYER, of_x="in_channels",
)  # fmt: skip
LISTS = "stride", "padding", "output_padding", "dilation"
"""The parameters of which operators take lists alone."""


def _of_operator(name: str, value: Any) -> Any:
    if name in LISTS and not isinstance(value, list | tuple | Name):
        raise ExpressionError(f"{name} is {value!r}: the operator takes a list here, such as [1]")
    return value


SPELLINGS = tuple(
    Spelling(
        functions={rank: f"{module}.conv_transpose{rank}d" for rank in (1, 2, 3)}, signature=FUNCTION, values=values
    )
    for module, values in (("torch", lambda _, value: value), ("torch.ops.aten", _of_operator))
)

ATEN = "input, weight, bias, stride, padding, dilation, transposed, output_padding, groups"
CONVOLUTION = Spelling(functions=dict.fromkeys((1, 2, 3), "torch.convolution"), signature=ATEN)
"""The same function of ATen, which PyTorch exports without documenting it."""


def axes(use: Use, name: str) -> Ints:
    """One number an axis; a list of one number is spread over all of them."""
    value = use[name]
    alone = isinstance(value, list | tuple) and len(value) == 1 and is_whole(value[0])
    return (value[0],) * use.rank if alone else use.per_axis(name)


def require_extents(name: str, value: Any, count: int) -> Ints:
    """So many extents. Raises Refusal for anything else."""
    if isinstance(value, list | tuple) and len(value) == count and all(map(is_whole, value)):
        return tuple(value)
    raise Refusal(f"{name} is {value!r}: it takes {count} extents")


def require_dilation(use: Use) -> None:
    """Raises Refusal for a dilation below 1."""
    if min(axes(use, "dilation")) < 1:
        raise Refusal(f"dilation is {use['dilation']!r}: the operator takes 0 of some shapes, nothing is claimed of it")


def unlisted(use: Use) -> Rule:
    """The refusal of a number where the operators take lists alone."""
    name = next((name for name in LISTS if not isinstance(use[name], list | tuple)), "")
    return f"{name} is {use[name] if name else ''}: the operator takes a list, such as [1]", lambda _: bool(name)


def other_than(name: str, size: Ints, rank: int) -> Rule:
    """The refusal of an answer's size that has another batch, or other channels."""

    def outer(problem: Problem) -> Ints:
        return (problem.batch, problem.groups * problem.out_channels)[-len(size) + rank :]

    return (
        lambda p: f"{name} begins with {size[:-rank]}, which is {outer(p)} of batch and channels here",
        lambda p: size[:-rank] != outer(p),
    )


def no_name(use: Use, kernel: Ints | None) -> str:
    """Why no string is a padding, and which numbers leave as many times the extents as the stride is."""
    reason = f"padding is {use['padding']!r}: a transposed convolution takes whole numbers here, and no string"
    if use["padding"] != "same":
        return reason
    if kernel is None:
        return (
            f"{reason}. Extents i*stride are left where 2*padding - output_padding = dilation*(kernel - 1) + 1 - stride"
        )
    each = list(zip(kernel, axes(use, "stride"), axes(use, "dilation"), strict=True))
    excess = [d * (k - 1) + 1 - s for k, s, d in each]  # what (i - 1)*s + ke has more than i*s
    padding, given = tuple(-(-more // 2) for more in excess), tuple(more % 2 for more in excess)
    if min(excess) < 0 or any(op >= max(s, d) for op, (_, s, d) in zip(given, each, strict=True)):
        return f"{reason}. No numbers leave extents i*stride here"
    words = write("", **{name: value[0] if len(set(value)) == 1 else value for name, value in (
        ("padding", padding), ("output_padding", given))})[1:-1]  # fmt: skip
    late = ". The odd row is cut at the beginning then; TensorFlow cuts it at the end" if any(given) else ""
    return f"{reason}. Extents i*stride are left by {words}{late}"


def unchecked(problem: Problem) -> str:
    """torch.nn.functional: the window (padding, padding - output_padding)."""
    require(problem, problem.rank in (1, 2, 3), "conv_transpose has one to three spatial axes")
    return write(
        f"torch.nn.functional.conv_transpose{problem.rank}d", X, W, *[B] * problem.bias, stride=problem.stride,
        padding=tuple(lo for lo, _ in problem.window), output_padding=tuple(lo - hi for lo, hi in problem.window),
        groups=problem.groups, dilation=problem.dilation,
    )  # fmt: skip
