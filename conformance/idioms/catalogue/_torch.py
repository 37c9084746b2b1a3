"""The signatures of PyTorch's transposed convolutions, and what is said of a padding that they do not take."""

from conformance.idioms.base import Spelling, Use
from conformance.idioms.expression import write
from conformance.problem import Ints

FUNCTION = "input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1"
LAYER = ("out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1, "
         "padding_mode='zeros', device=None, dtype=None")  # fmt: skip
LAZY = Spelling(
    functions={rank: f"torch.nn.LazyConvTranspose{rank}d" for rank in (1, 2, 3)}, signature=LAYER, of_x="in_channels",
)  # fmt: skip
SPELLINGS = tuple(
    Spelling(functions={rank: f"{module}.conv_transpose{rank}d" for rank in (1, 2, 3)}, signature=FUNCTION)
    for module in ("torch", "torch.ops.aten")
)

ATEN = "input, weight, bias, stride, padding, dilation, transposed, output_padding, groups"
CONVOLUTION = Spelling(functions=dict.fromkeys((1, 2, 3), "torch.convolution"), signature=ATEN)
"""The same function of ATen, which PyTorch exports without documenting it."""


def no_name(use: Use, kernel: Ints | None) -> str:
    """Why no string is a padding, and which numbers leave as many times the extents as the stride is."""
    reason = f"padding is {use['padding']!r}: transposed convolutions take whole numbers, and no string as others do"
    if use["padding"] != "same":
        return reason
    if kernel is None:
        return (
            f"{reason}: extents i*stride are left where 2*padding - output_padding = dilation*(kernel - 1) + 1 - stride"
        )
    axes = list(zip(kernel, use.per_axis("stride"), use.per_axis("dilation"), strict=True))
    excess = [d * (k - 1) + 1 - s for k, s, d in axes]  # what (i - 1)*s + ke has more than i*s
    padding, given = tuple(-(-more // 2) for more in excess), tuple(more % 2 for more in excess)
    if min(excess) < 0 or any(op >= max(s, d) for op, (_, s, d) in zip(given, axes, strict=True)):
        return f"{reason}: none of them leaves extents i*stride here"
    words = write("", **{name: value[0] if len(set(value)) == 1 else value for name, value in (
        ("padding", padding), ("output_padding", given))})[1:-1]  # fmt: skip
    late = ", where the odd row is cut at the beginning, and TensorFlow cuts it at the end" if any(given) else ""
    return f"{reason}: extents i*stride are left by {words}{late}"
