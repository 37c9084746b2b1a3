"""mx.gluon's layers of transposed convolution: what their arguments mean, and the grid of calls that proves it."""

from collections.abc import Iterator, Sequence
from typing import Any

from conformance.idioms.base import FLOAT32, Claim, Example, Refusal, Use
from conformance.idioms.catalogue._nd import (
    CHANNELS,
    arguments,
    data_layout,
    padded,
    picks,
    require_count,
    unless_empty,
    written,
)
from conformance.idioms.expression import write
from conformance.problem import Ints, Problem

UNKNOWN = 2**32 - 1
"""How many in channels a layer without in_channels has for the check of its groups: -1, unsigned."""


def read(use: Use) -> Claim:
    """`padding` cuts both ends of the stamp, `output_padding` gives back at the end: window (p, p - op), op < stride.

    A layer without in_channels takes them from its input. Such a layer cannot have groups, unless their number divides
    2**32 - 1, which is the value of the unknown number of channels. Data is NC*. There is no dilation in 3-D, and
    without oneDNN there is no 3-D. A negative output_padding is treated as in Deconvolution. An activation is not part
    of a transposed convolution.
    """
    if use.dtype != FLOAT32:
        raise Refusal(f"the layer is of float32, and takes {use.dtype} only without a bias: nothing is claimed of it")
    data, weight, refusals = data_layout(use)
    groups, padding, output_padding = use["groups"], unless_empty(use, "padding", 0), use.per_axis("output_padding")
    require_count("in_channels", use["in_channels"])
    return use.claim(
        "padding", data=data, weight=weight, stride=unless_empty(use, "strides", 1),
        dilation=unless_empty(use, "dilation", 1), pads=padding, output_padding=output_padding, groups=groups,
        bias=bool(use["use_bias"]),
        layer=(use["in_channels"] or None, use["channels"], use.per_axis("kernel_size")),
        refusals=[
            *refusals,
            ("groups need in_channels", lambda p: not use["in_channels"] and UNKNOWN % groups > 0),
            *padded(use, ("padding", padding), ("output_padding", output_padding)),
        ],
    )  # fmt: skip


def say(problem: Problem) -> str:
    words = arguments(problem)
    return _layer(problem.rank, words["num_filter"], problem.kernel, {
        "strides": words["stride"], "padding": words["pad"], "output_padding": words["adj"],
        "dilation": words["dilate"],
        "groups": problem.groups, "in_channels": problem.groups * problem.in_channels, "use_bias": problem.bias,
    })  # fmt: skip


def _layer(rank: int, channels: int, kernel: Ints, options: dict[str, Any]) -> str:
    short = {name: value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
             for name, value in (options | {"": kernel}).items()}  # fmt: skip
    return write(f"mxnet.gluon.nn.Conv{rank}DTranspose", channels, short.pop(""), **written(short))


def program(call: str, outer: str, bias: bool) -> Sequence[str]:
    return [f"layer = {call}", "layer.initialize()", "layer.weight.set_data(w)",
            *(["layer.bias.set_data(b)"] if bias else []), f"y = layer({outer})"]  # fmt: skip


def examples() -> Iterator[Example]:
    rest = CHANNELS | {"wrong": (0,) * 40 + (1,), "deferred": (False, False, True), "g": (1, 1, 1, 2, 3)}
    for rank, count in ((1, 900), (2, 220), (3, 70)):
        for pick in picks("mx-gluon", count, rank, rest):
            channels = pick["g"] * pick["ic"]
            text = _layer(rank, pick["g"] * pick["oc"], pick["k"], {
                "strides": pick["stride"], "padding": pick["pad"], "output_padding": pick["adj"],
                "dilation": pick["dilate"], "groups": pick["g"], "use_bias": pick["bias"],
                "in_channels": 0 if pick["deferred"] else channels,
            })  # fmt: skip
            wrong = 0 if pick["deferred"] else pick["wrong"]
            if not (pick["deferred"] and pick["wrong"]):
                yield Example(text, {"x": (pick["n"], channels + wrong, *pick["i"])})
    yield Example("mxnet.gluon.nn.Conv2DTranspose(3, (2, 3), layout='NCHW')", {"x": (1, 2, 3, 4)})
    yield Example("mxnet.gluon.nn.Conv2DTranspose(3, 2, in_channels=2, layout='NHWC')", {"x": (1, 3, 4, 2)})
    yield Example("mxnet.gluon.nn.Conv3DTranspose(3, 2, in_channels=2, layout='NDHWC')", {"x": (1, 3, 4, 2, 2)})
