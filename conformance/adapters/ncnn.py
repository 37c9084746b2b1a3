"""ncnn: a net of one Deconvolution layer, on the CPU.

Data C*, weight (groups, out/groups, in/groups, *kernel), kernel as stored; sizes stand in the order x, y, z. A net
takes one input of a batch at a time. The pads and the output pads mean the window (begin, end - output_pad); none may
be negative, so that of a window that begins before the stamp the whole stamp is asked for.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from tempfile import NamedTemporaryFile
from typing import Any

import ncnn
import numpy as np

from conformance.adapters._plain import array as array
from conformance.adapters._plain import run as run
from conformance.adapters._plain import tensor as tensor
from conformance.adapters.base import Call, Unsupported, extends
from conformance.layout import Array
from conformance.problem import Problem

VARIANTS = {"cpu": {"OMP_NUM_THREADS": "{threads}"}}
NIGHT = ("core", "models", "rounding")  # the whole stamp of a problem of `extreme` takes 17 GB
REFUSALS = (ValueError,)
BLOCK = 1
LAYERS = {1: "Deconvolution{}1D", 2: "Deconvolution{}", 3: "Deconvolution{}3D"}
NUMBERS = {
    "kernel": (1, 11, 21), "dilation": (2, 12, 22), "stride": (3, 13, 23), "pad_begin": (4, 14, 24),
    "pad_end": (15, 16, 17), "output_pad": (18, 19, 20),
}  # fmt: skip
"""The parameters of a layer along x, y and z: a file of ncnn has numbers in place of names."""
OUTPUT, BIAS, SIZE, GROUP = 0, 5, 6, 7
FLOAT32 = bytes(4)
"""Stands before the numbers of a weight that is stored in float32."""


def describe() -> Mapping[str, str]:
    return {"ncnn": ncnn.__version__, "device": "cpu"}


def deconvolution(x: Array, weight: Array, *bias: Array, **options: Any) -> Array:
    """The answers of a net of one layer to each input of a batch."""
    net = _net(weight, *bias, **options)
    return np.stack([_answer(net, each) for each in x])


def _net(weight: Array, *bias: Array, group: int, **options: Sequence[int]) -> Any:
    """A net of one layer, which computes in float32 alone."""
    net = ncnn.Net()
    net.opt.num_threads = int(os.environ["OMP_NUM_THREADS"])
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    numbers = {OUTPUT: group * weight.shape[1], BIAS: len(bias), SIZE: weight.size, **dict(_numbers(options))}
    numbers |= {GROUP: group} if group > 1 else {}
    layer = LAYERS[weight.ndim - 3].format("DepthWise" if group > 1 else "")
    words = " ".join(f"{name}={value}" for name, value in numbers.items())
    if code := net.load_param_mem(f"7767517\n2 2\nInput x 0 1 x\n{layer} y 1 1 x y {words}\n"):
        raise ValueError(f"load_param gives {code}")
    with NamedTemporaryFile() as file:  # of what is given in memory, a net keeps the address
        file.write(FLOAT32 + weight.tobytes() + b"".join(each.tobytes() for each in bias))
        file.flush()
        if code := net.load_model(file.name):
            raise ValueError(f"load_model gives {code}")
    return net


def _numbers(options: Mapping[str, Sequence[int]]) -> Iterator[tuple[int, int]]:
    for name, values in options.items():
        yield from zip(NUMBERS[name], reversed(values), strict=False)


def _answer(net: Any, x: Array) -> Array:
    extractor = net.create_extractor()
    extractor.input("x", ncnn.Mat(x).clone())  # whose channels are aligned, as layers with groups take for granted
    code, answer = extractor.extract("y")
    if code:
        raise ValueError(f"extract gives {code}")
    return np.array(answer)


def repeated(call: Call) -> Callable[[], object]:
    x, *constants = call.operands
    net = _net(*constants, **call.options)
    return lambda: [_answer(net, each) for each in x]


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    if x.dtype != np.float32:
        raise Unsupported("its layers compute in float32, or in less")
    if problem.rank not in LAYERS:
        raise Unsupported(f"{problem.rank} spatial axes: there is Deconvolution1D to Deconvolution3D")
    kernels = weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
    whole = any(lo < 0 for lo, _ in problem.window)
    options: dict[str, Any] = {
        "group": problem.groups, "kernel": problem.kernel, "dilation": problem.dilation, "stride": problem.stride
    }  # fmt: skip
    if not whole:
        options |= _ends(problem)
    late = bias is not None and whole and extends(problem.window)
    operands = [x, kernels.swapaxes(1, 2), *([] if bias is None or late else [bias])]
    return Call(
        deconvolution, tuple(map(tensor, operands)), options, problem.window if whole else None,
        bias if late else None, ("one-by-one",) * (problem.batch > 1),
    )  # fmt: skip


def _ends(problem: Problem) -> dict[str, Sequence[int]]:
    pads, back = problem.pads, problem.output_padding
    if any(pad < 0 for ends in pads for pad in ends):
        pads = tuple((lo, max(hi, 0)) for lo, hi in problem.window)
        back = tuple(max(-hi, 0) for _, hi in problem.window)
    begins, ends = zip(*pads, strict=True)
    return {"pad_begin": begins, "pad_end": ends, "output_pad": back}
