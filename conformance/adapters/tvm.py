"""TVM: a function of one relax.op.nn.conv{1,2,3}d_transpose, compiled by LLVM for the CPU at hand.

Data NC*, weight (in, out/groups, *kernel), kernel as stored; a bias is added in the same function. `padding` (all
begins, then all ends) and `output_padding` mean the window (begin, end - output_padding). Whether the ends may be
negative, and whether output_padding has an upper bound, is for TVM to say; of a window that begins before the stamp the
whole stamp is asked for. Each call is compiled, which takes half a second. The kernel is dilated with zeros, which are
multiplied as all else is.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import Any

import tvm
from tvm import relax

from conformance.adapters._plain import array as array
from conformance.adapters._plain import run as run
from conformance.adapters._plain import tensor as tensor
from conformance.adapters.base import Call, Unsupported, extends
from conformance.layout import Array
from conformance.problem import Problem

PACKAGE = "apache-tvm"
VARIANTS = {"llvm": {"TVM_NUM_THREADS": "{threads}", "OMP_NUM_THREADS": "{threads}"}}
SUITES = ("smoke",)
REFUSALS = (RuntimeError, ValueError, TypeError, tvm.error.OpError)
BLOCK = 1

MOST_MULTIPLIED = 1_000_000_000
"""Products, those of the dilated kernel's zeros among them, that a call may take: a second on a core of an AMD EPYC."""

NN = relax.op.nn
OPERATORS = {1: NN.conv1d_transpose, 2: NN.conv2d_transpose, 3: NN.conv3d_transpose}


def describe() -> Mapping[str, str]:
    return {"tvm": tvm.__version__, "device": "cpu"}


def conv_transpose(x: Array, *constants: Array, **options: Any) -> Any:
    """The answer of a function of one operator."""
    return _compiled(x, *constants, **options)(tvm.runtime.tensor(x)).numpy()


def _compiled(x: Array, weight: Array, *bias: Array, **options: Any) -> Any:
    builder = relax.BlockBuilder()
    given = relax.Var("x", relax.TensorType(x.shape, x.dtype.name))
    with builder.function("main", [given]):
        with builder.dataflow():
            made = OPERATORS[x.ndim - 2](given, _constant(weight), **options)
            for each in bias:
                made = relax.op.add(made, _constant(each.reshape(1, -1, *[1] * (x.ndim - 2))))
            answer = builder.emit_output(builder.emit(made))
        builder.emit_func_output(answer)
    return relax.VirtualMachine(tvm.compile(builder.get(), target="llvm"), tvm.cpu())["main"]


def _constant(array: Array) -> Any:
    return relax.const(array, array.dtype.name)  # which is float32 where it is not said


def repeated(call: Call) -> Callable[[], object]:
    return partial(_compiled(*call.operands, **call.options), tvm.runtime.tensor(call.operands[0]))


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    if problem.rank not in OPERATORS:
        raise Unsupported(f"{problem.rank} spatial axes: there is conv1d_transpose to conv3d_transpose")
    _require_short(problem)
    options: dict[str, Any] = {
        "strides": problem.stride, "dilation": problem.dilation, "groups": problem.groups
    }  # fmt: skip
    operands = tensor(x), tensor(weight)
    biases = () if bias is None else (tensor(bias),)
    if any(lo < 0 for lo, _ in problem.window):
        late = bias if extends(problem.window) else None
        return Call(conv_transpose, (*operands, *(biases if late is None else ())), options, problem.window, late)
    padding = tuple(end for ends in zip(*problem.pads, strict=True) for end in ends)
    options |= {"padding": padding, "output_padding": problem.output_padding}
    return Call(conv_transpose, (*operands, *biases), options)


def _require_short(problem: Problem) -> None:
    """Raises Unsupported for a problem that it takes too long for."""
    spans = (dilation * (size - 1) + 1 for dilation, size in zip(problem.dilation, problem.kernel, strict=True))
    channels = problem.batch * problem.groups * problem.in_channels * problem.out_channels
    if (products := channels * prod(problem.full) * prod(spans)) > MOST_MULTIPLIED:
        raise Unsupported(
            f"TVM multiplies {products:,} times, by the dilated kernel's zeros too: more than is waited for"
        )
