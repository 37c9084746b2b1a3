"""ONNX's ConvTranspose: what its attributes mean, and the call as text."""

from collections.abc import Mapping, Sequence
from typing import Any

from conformance.idioms.base import Claim, Refusal, Use
from conformance.idioms.expression import Name, write
from conformance.problem import Ints, Problem, Window

_DEFAULTS: Mapping[str, Any] = {"auto_pad": "NOTSET", "group": 1}


def text(attributes: Mapping[str, Any], *, bias: bool) -> str:
    """The node as a call."""
    operands = [Name("x"), Name("w"), *[Name("b")] * bias]
    words = {name: _plain(value) for name, value in sorted(attributes.items())}
    return write("ConvTranspose", *operands, **{name: value for name, value in words.items()
                                                if value != _DEFAULTS.get(name)})  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return [int(each) for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def claim(attributes: Mapping[str, Any], x: Ints, w: Ints, *, bias: bool) -> Claim:
    """The claim of a node. Raises Refusal where it says no problem.

    `output_shape` puts `pads` aside: of what is too much, SAME_UPPER cuts the odd one at the end, all else at the
    beginning. SAME_UPPER and SAME_LOWER alone have the output input * stride, VALID cuts nothing.
    """
    words = {name: _plain(value) for name, value in attributes.items()}
    rank = len(x) - 2
    if rank < 1 or len(w) != len(x):
        raise Refusal(f"x {x} and w {w} are not of the same number of spatial axes")
    use = Use(rank, {"group": 1, **words}, {"x": x, "w": w}, "")
    axes = {name: tuple(words.get(name) or default) for name, default in (
        ("strides", (1,) * rank), ("dilations", (1,) * rank), ("output_padding", (0,) * rank),
        ("pads", (0,) * (2 * rank)), ("output_shape", ()), ("kernel_shape", w[2:]),
    )}  # fmt: skip
    for name, values in axes.items():
        takes = {"pads": (2 * rank,), "output_shape": (0, rank, rank + 2)}.get(name, (rank,))
        if len(values) not in takes or not all(isinstance(value, int) for value in values):
            raise Refusal(f"{name} is {list(values)}: it takes {takes[-1]} numbers here")
    if axes["kernel_shape"] != w[2:]:
        raise Refusal(f"kernel_shape is {list(axes['kernel_shape'])}, and the weight is {w}")
    auto = words.get("auto_pad", "NOTSET")
    if auto not in ("NOTSET", "", "SAME_UPPER", "SAME_LOWER", "VALID"):
        raise Refusal(f"auto_pad is {auto!r}: it takes NOTSET, SAME_UPPER, SAME_LOWER or VALID")

    def window(problem: Problem) -> Window:
        whole = tuple(full + extra for full, extra in zip(problem.full, axes["output_padding"], strict=True))
        output = axes["output_shape"][-rank:]
        if not output and auto.startswith("SAME"):
            output = tuple(i * s for i, s in zip(problem.input, problem.stride, strict=True))
        if output:
            cut = [max(full - out, 0) for full, out in zip(whole, output, strict=True)]
            lows = [each // 2 if auto == "SAME_UPPER" else each - each // 2 for each in cut]
            return tuple((lo, full - out - lo) for lo, full, out in zip(lows, problem.full, output, strict=True))
        begins, ends = (axes["pads"][:rank], axes["pads"][rank:]) if auto != "VALID" else ((0,) * rank,) * 2
        return tuple((lo, hi - op) for lo, hi, op in zip(begins, ends, axes["output_padding"], strict=True))

    law = "output-shape" if axes["output_shape"] else "pads" if auto in ("NOTSET", "") else auto.lower()
    return use.claim(
        law, stride=axes["strides"], dilation=axes["dilations"], groups=words.get("group", 1), bias=bias, window=window,
        refusals=[("the window cuts more than there is", lambda p: min(p.output) < 0)],
    )  # fmt: skip
