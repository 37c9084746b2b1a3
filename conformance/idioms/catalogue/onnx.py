"""ONNX's idiom: a node, as onnx.helper.make_node writes it. Data is NC*, the weight (g i) o k, kernel as stored.

A node does not run by itself: `_engines` defines what makes a model of it and runs that, for each engine.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from conformance.idioms._edges import draws
from conformance.idioms.base import Claim, Dialect, Example, Idiom, Refusal, Use, Widths, per_axis, with_window
from conformance.idioms.catalogue._engines import DEFAULT, ENGINES, SAME, TEXTS, Asked
from conformance.idioms.expression import Name, write
from conformance.idioms.names.meanings import LABEL
from conformance.idioms.sizes.windows import windows
from conformance.problem import Ints, Problem

NODE = "onnx.helper.make_node"


def arguments(problem: Problem) -> dict[str, Any]:
    """The attributes that mean a problem's window: pads (lo, hi), and output_padding where hi is negative.

    Raises Refusal for a window that begins before the stamp.
    """
    for lo, hi in problem.window:
        if lo < 0:
            raise Refusal(f"window ({lo}, {hi}) would need a pad of {lo} at the beginning, which must not be negative")
    return {
        "strides": list(problem.stride),
        "pads": [lo for lo, _ in problem.window] + [max(hi, 0) for _, hi in problem.window],
        "output_padding": [max(-hi, 0) for _, hi in problem.window],
        "dilations": list(problem.dilation),
        "group": problem.groups,
    }


def written(attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes as people write them, defaults left out."""
    plain = {"strides": 1, "pads": 0, "output_padding": 0, "dilations": 1, "group": 1, "auto_pad": "NOTSET"}
    return {name: value for name, value in attributes.items()
            if (set(value) if isinstance(value, list) else {value}) != {plain.get(name)}}  # fmt: skip


def node(bias: bool, attributes: dict[str, Any]) -> str:
    """A node as text."""
    return write(NODE, "ConvTranspose", ["x", "w", *["b"] * bias], ["y"], **written(attributes))


def _ints(use: Use, name: str, default: int, count: int) -> Ints:
    value = use[name]
    if isinstance(value, int):
        raise Refusal(f"{name} is {value!r}: it takes a list of {count} numbers here")
    if isinstance(value, list | tuple) and len(value) != count and all(isinstance(each, int) for each in value):
        raise Refusal(f"{name} is {value!r}: it takes {count} numbers here")
    return (default,) * count if value is None else per_axis(name, value, count)


def _read(use: Use) -> Claim:
    """`pads`, all begins and then all ends, cut the stamp, `output_padding` gives back at the end: (begin, end - op).

    With `output_shape` the pads are ignored. Then total = full + output_padding - output_shape is cut, with the larger
    half at the beginning: lo = ceil(total / 2). With auto_pad SAME_UPPER the larger half is at the end: lo = total //
    2. Without `output_shape`, `auto_pad` SAME_UPPER and SAME_LOWER give the size i*s in the same way, but do not extend
    a shorter stamp. VALID means no pads. ONNX Runtime reads ONNX's text in this way; `_engines` has the ways of other
    engines.
    """
    rank = use.rank
    stride, dilation = _ints(use, "strides", 1, rank), _ints(use, "dilations", 1, rank)
    pads, back = _ints(use, "pads", 0, 2 * rank), _ints(use, "output_padding", 0, rank)
    if use["auto_pad"] not in (None, "NOTSET", "VALID", *SAME):
        raise Refusal(f"auto_pad is {use['auto_pad']!r}: it takes 'NOTSET', 'SAME_UPPER', 'SAME_LOWER' or 'VALID'")
    sizes = None if use["output_shape"] is None else _ints(use, "output_shape", 0, rank)
    kernel = None if use["kernel_shape"] is None else _ints(use, "kernel_shape", 0, rank)
    asked = Asked(pads[:rank], pads[rank:], use["pads"] is not None, back, use["auto_pad"] or "NOTSET", sizes, kernel)
    engine = ENGINES.get(use.variant, ENGINES[DEFAULT])
    law = "output-shape" if sizes else "auto-pad" if use["auto_pad"] in SAME else "begins-ends"
    return use.claim(
        law, stride=stride, dilation=dilation, window=lambda p: engine.window(asked, p), groups=use["group"],
        bias=use.has("b"), refusals=engine.refusals(asked),
    )  # fmt: skip


def _say(problem: Problem) -> str:
    return node(problem.bias, arguments(problem))


def _reach(problem: Problem) -> Iterator[str]:
    """By output_shape, whose odd row is cut at the beginning or at the end; and by the window's own pads."""
    plain = arguments(with_window(problem, ((0, 0),) * problem.rank)) | {"output_shape": list(problem.output)}
    for auto in ("NOTSET", "SAME_UPPER"):
        yield node(problem.bias, plain | {"auto_pad": auto})
    for window in windows(problem):
        if min(lo for lo, _ in window) >= 0:
            yield node(problem.bias, arguments(with_window(problem, window)))


def _program(call: str, outer: str, bias: bool) -> Sequence[str]:
    return [f"y = evaluate({call}, x, w{', b' * bias})"]


AXES = {"i": range(1, 7), "k": range(1, 6), "s": (1, 2, 3, 4), "begin": (0, 0, 1, 2, 3), "end": (0, 0, 1, 2, 3),
        "op": (0, 0, 0, 0, 1, 1, 2), "d": (1, 1, 2, 3)}  # fmt: skip
FEWER = {"i": range(1, 5), "k": range(1, 4), "begin": (0, 0, 0, 1, 2), "end": (0, 0, 0, 1, 2), "op": (0,) * 5 + (1,)}
REST = {"g": (1, 1, 2, 3), "ic": (1, 2, 3), "oc": (1, 2, 3), "n": (1, 2), "bias": (False, True), "told": (False, True),
        "wrong": ("",) * 40 + ("channels", "kernel")}  # fmt: skip


def _examples() -> Iterator[Example]:
    for rank, count in ((1, 1000), (2, 200), (3, 60)):
        for pick in draws(f"onnx-pads-{rank}", count, rank, AXES | (FEWER if rank > 1 else {}), REST):
            attributes = {"pads": [*pick["begin"], *pick["end"]], "output_padding": list(pick["op"])}
            yield from _example(pick, attributes)
    for rank, count in ((1, 600), (2, 120), (3, 30)):
        rest = REST | {"auto_pad": (*SAME, *SAME, "VALID")}
        for pick in draws(f"onnx-auto-{rank}", count, rank, AXES | (FEWER if rank > 1 else {}), rest):
            yield from _example(pick, {"auto_pad": pick["auto_pad"], "output_padding": list(pick["op"])})
    for rank, count in ((1, 600), (2, 120), (3, 30)):
        rest = REST | {"auto_pad": ("NOTSET", "NOTSET", *SAME, "VALID")}
        axes = AXES | (FEWER if rank > 1 else {}) | {"cut": range(-1, 5), "op": (0,) * 6 + (1,)}
        for pick in draws(f"onnx-shape-{rank}", count, rank, axes, rest):
            full = Problem.of(pick["i"], pick["k"], pick["s"], 0, 0, pick["d"]).full
            sizes = [extent - cut for extent, cut in zip(full, pick["cut"], strict=True)]
            if min(sizes) > 0:
                attributes = {"auto_pad": pick["auto_pad"], "output_padding": list(pick["op"]), "output_shape": sizes}
                yield from _example(pick, attributes)


def _example(pick: dict[str, Any], attributes: dict[str, Any]) -> Iterator[Example]:
    """A pick with its attributes as a call, and one that does not fit where the pick is `wrong`."""
    wrong, channels = pick["wrong"], pick["g"] * pick["ic"]
    more = {"strides": list(pick["s"]), "dilations": list(pick["d"]), "group": pick["g"]}
    told = {"kernel_shape": [pick["k"][0] + (wrong == "kernel"), *pick["k"][1:]]} if pick["told"] or wrong else {}
    yield Example(node(pick["bias"], more | attributes | told), {
        "x": (pick["n"], channels, *pick["i"]),
        "w": (channels + pick["g"] * (wrong == "channels"), pick["oc"], *pick["k"]),
    })  # fmt: skip


def _pad(name: str, widths: Widths) -> str:
    return write("np.pad", Name(name), [tuple(ends) for ends in widths])


DIALECT = Dialect(
    imports=("import numpy as np", "import onnx"),
    tensor="{}",
    array="{}",
    pad=_pad,
    concat=lambda parts, axis: f"np.concatenate({parts}, {axis})",
    roots=("onnx",),
    kernels={"onnxruntime": ("float16", "float32")},
    arrays="np",
    engines=TEXTS,
)

IDIOMS = (
    Idiom(
        id="onnx-node",
        functions=dict.fromkeys((1, 2, 3), NODE),
        signature="op_type, inputs, outputs, name=None, doc_string=None, domain=None, overload=None, "
                  "auto_pad='NOTSET', dilations=None, group=1, kernel_shape=None, output_padding=None, "
                  "output_shape=None, pads=None, strides=None",
        lists={"inputs": "xwb", "outputs": "y"},
        only={"op_type": ("ConvTranspose",), "domain": (None, "", "ai.onnx")},
        aside={"name": LABEL, "doc_string": LABEL, "overload": LABEL},
        imports=("import numpy as np", "import onnx"), engines=TEXTS,
        read=_read, say=_say, reach=_reach, examples=_examples, program=_program,
    ),
)  # fmt: skip
