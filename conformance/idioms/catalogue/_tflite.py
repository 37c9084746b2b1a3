"""TensorFlow Lite's operators, by their names and attributes in MLIR's dialect `tfl`; a file says the same of them.

An operator does not run by itself: `ENGINES` defines what makes a model of one and runs that, as LiteRT would. Data is
N*C, kernel as stored, and there are no groups.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

from conformance.idioms._edges import draws
from conformance.idioms._words import W, X
from conformance.idioms.base import FLOAT32, Claim, Example, Idiom, Refusal, Spelling, Use, is_whole
from conformance.idioms.catalogue._tf import legal, legal_sizes, window
from conformance.idioms.expression import Name, write
from conformance.idioms.names.meanings import AFTER
from conformance.idioms.sizes.legal import listed
from conformance.problem import Ints, Problem

OPERATORS = {2: "tfl.transpose_conv", 3: "tfl.conv_3d_transpose"}
SCHEMA = {2: "TRANSPOSE_CONV", 3: "CONV_3D_TRANSPOSE"}
"""Their names in the schema of files, which tools print."""
WEIGHTS = {2: "o k i", 3: "k o i"}
STRIDES = {2: ("stride_h", "stride_w"), 3: ("stride_d", "stride_h", "stride_w")}
DILATIONS = "dilation_d_factor", "dilation_h_factor", "dilation_w_factor"
PADDINGS = "SAME", "VALID"
ACTIVATION = "fused_activation_function"
UNTOLD = "NONE"


def text(rank: int, size: Sequence[int], strides: Sequence[int], padding: str, *, bias: bool, after: str = UNTOLD) -> (
    str
):  # fmt: skip
    """An operator as a call; `size` is the shape of its answer."""
    words: dict[str, Any] = {"padding": padding, **dict(zip(STRIDES[rank], strides, strict=True))}
    words |= {ACTIVATION: after} if after != UNTOLD else {}
    return write(OPERATORS[rank], tuple(size), W, X, *[Name("b")] * bias, **words)


def _read(use: Use, weights: str) -> Claim:
    """`output_shape` is the shape of the answer, and the window follows TensorFlow's law of `padding`. SAME cuts lo =
    max(full - out, 0) // 2 and accepts (i - 1)*s < out <= i*s. VALID cuts lo = 0 and accepts (i - 1)*s + k <= out < i*s
    + k. Nothing is claimed for any other shape: the operator does not check it, and the answer is then that of no
    problem. The same holds for the channels of a converted layer that had groups: TensorFlow's interpreter leaves
    memory in the answer that was not written, and LiteRT refuses the call. float32 is the only floating-point dtype.
    """
    size, padding, of_w = use["output_shape"], use["padding"], use.shapes["w"]
    if padding not in PADDINGS:
        raise Refusal(f"padding is {padding!r}: it takes 'SAME' or 'VALID'")
    if not isinstance(size, list | tuple) or len(size) != use.rank + 2:
        raise Refusal(f"output_shape is {size!r}: it takes {use.rank + 2} extents")
    if not all(is_whole(extent) and extent > 0 for extent in size):
        raise Refusal(f"output_shape is {size!r}: it takes numbers of at least 1")
    stride = tuple(use[name] for name in STRIDES[use.rank])
    if other := next((name for name in STRIDES[use.rank] if not is_whole(use[name])), ""):
        raise Refusal(f"{other} is {use[other]!r}: it takes a whole number")
    if min(stride) < 1:
        raise Refusal(f"strides {stride}: nothing is claimed of strides below 1")
    spatial = tuple(size[1:-1])
    made = use.claim(
        padding.lower(), data="n k c", weight=weights, stride=stride, dilation=(1,) * use.rank, bias=use.has("bias"),
        window=lambda p: window(p, padding, spatial),
        refusals=[("float32 is the only dtype of floating point", lambda _: use.dtype != FLOAT32)],
    )  # fmt: skip
    if not made.refused:
        _require_shape(made.problem, padding, size, of_w)
    return made


def _require_shape(problem: Problem, padding: str, size: Sequence[int], weight: Ints) -> None:
    """Raises Refusal for a shape of the answer that no problem has, which TensorFlow Lite does not check."""
    if size[0] != problem.batch:
        raise Refusal(f"a batch of {problem.batch} as one of {size[0]}: output_shape takes {problem.batch} here of it")
    if size[-1] != problem.out_channels:
        raise Refusal(f"{size[-1]} channels of the answer from a weight {weight} of {problem.out_channels}: there are "
                      "no groups, so that LiteRT refuses it and TensorFlow's interpreter leaves memory in the answer: "
                      "split the layer into one of each group before it is converted")  # fmt: skip
    if not legal(problem, padding, problem.output):
        axes = enumerate(zip(problem.output, legal_sizes(problem, padding), strict=True))
        axis, legals = next((axis, legals) for axis, (out, legals) in axes if out not in legals)
        raise Refusal("an ordinary convolution does not turn an answer of this size into the input's size, "
                      f"which is not checked: output_shape takes {listed(legals)} here on axis {axis}")  # fmt: skip


def _read_plane(use: Use) -> Claim:
    return _read(use, WEIGHTS[2])


def _read_solid(use: Use) -> Claim:
    return _read(use, WEIGHTS[3])


_read_plane.__doc__ = _read_solid.__doc__ = _read.__doc__


def _say(rank: int, problem: Problem) -> str:
    if problem.rank != rank:
        raise Refusal(f"{OPERATORS[rank]} has {rank} spatial axes, the problem {problem.rank}")
    for padding in PADDINGS:
        if legal(problem, padding, problem.output) and window(problem, padding, problem.output) == problem.window:
            break
    else:
        raise Refusal(f"window {problem.window}: neither SAME nor VALID means it")
    if problem.groups > 1 or max(problem.dilation) > 1:
        raise Refusal("there are no groups and no dilation")
    return text(problem.rank, _shape(problem), problem.stride, padding, bias=problem.bias)


def _reach(rank: int, problem: Problem) -> Iterator[str]:
    if problem.rank == rank:
        yield from (text(problem.rank, _shape(problem), problem.stride, padding, bias=problem.bias)
                    for padding in PADDINGS)  # fmt: skip


def _shape(problem: Problem) -> Ints:
    return problem.batch, *problem.output, problem.out_channels


AXES = {"i": range(1, 6), "k": range(1, 6), "s": (1, 2, 2, 3, 4), "out": range(4)}
FEWER = {"i": range(1, 4), "k": range(1, 4), "s": (1, 2, 3), "out": range(3)}
REST = {"ic": (1, 2, 3), "oc": (1, 2, 3), "n": (1, 2), "bias": (False, True), "padding": PADDINGS}


def _examples(rank: int, count: int) -> Iterator[Example]:
    for pick in draws(f"tflite-{rank}", count, rank, AXES if rank == 2 else FEWER, REST):
        problem = Problem.of(pick["i"], pick["k"], pick["s"], 0, 0, (1,) * rank)
        sizes = [legals[min(at, len(legals) - 1)]
                 for at, legals in zip(pick["out"], legal_sizes(problem, pick["padding"]), strict=True)]  # fmt: skip
        if not _ends_the_process(problem, sizes):
            yield _example(problem, sizes, pick)
    if rank == 2:
        yield from _along_one_axis()


def _ends_the_process(problem: Problem, sizes: Sequence[int]) -> bool:
    """Whether XNNPACK may die of a call: of these one is tried, since each ends a process."""
    axes = zip(problem.input, problem.kernel, problem.stride, sizes, strict=True)
    return any(i == 1 == out and k >= s >= 3 for i, k, s, out in axes)


def _along_one_axis() -> Iterator[Example]:
    """Every legal size of small extents along the height, and one call of which XNNPACK dies."""
    rest = {"ic": 1, "oc": 1, "n": 1, "bias": False}
    for i, k, s, padding in product((1, 2, 3), (1, 2, 3, 4, 5), (1, 2, 3), PADDINGS):
        problem = Problem.of((i, 1), (k, 1), (s, 1), 0, 0, (1, 1))
        for out in legal_sizes(problem, padding)[0]:
            if not _ends_the_process(problem, (out, 1)) or (i, k, s, out) == (1, 5, 3, 1):
                yield _example(problem, (out, 1), {**rest, "padding": padding})


def _example(problem: Problem, sizes: Sequence[int], pick: Mapping[str, Any]) -> Example:
    extents = {"o": (pick["oc"],), "k": problem.kernel, "i": (pick["ic"],)}
    call = text(problem.rank, (pick["n"], *sizes, pick["oc"]), problem.stride, pick["padding"], bias=pick["bias"])
    weight = tuple(extent for letter in WEIGHTS[problem.rank].split() for extent in extents[letter])
    return Example(call, {"x": (pick["n"], *problem.input, pick["ic"]), "w": weight})


_TEXT = '''

def run(name, options, padding, activation, operands):
    """The answer of an operator on (output_shape, weights, input, bias), all but input constants of a model."""
    codes, kinds = vars(schema.BuiltinOperator), {{np.dtype("int32"): schema.TensorType.INT32}}
    options.padding = vars(schema.Padding)[padding]
    options.fusedActivationFunction = vars(schema.ActivationFunctionType)[activation]
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.buffers, model.subgraphs, graph.tensors = 3, [schema.BufferT()], [graph], []
    for at, array in enumerate(operands):
        tensor, buffer = schema.TensorT(), schema.BufferT()
        tensor.name, tensor.shape, tensor.buffer = str(at), array.shape, 0 if at == 2 else len(model.buffers)
        tensor.type = kinds.get(array.dtype, schema.TensorType.FLOAT32)
        buffer.data = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
        model.buffers += [buffer] * (at != 2)
        graph.tensors.append(tensor)
    answer = schema.TensorT()
    answer.name, answer.shape, answer.type, answer.buffer = "y", operands[0], schema.TensorType.FLOAT32, 0
    graph.tensors.append(answer)
    operator, code = schema.OperatorT(), schema.OperatorCodeT()
    operator.inputs, operator.outputs = list(range(len(operands))), [len(operands)]
    operator.builtinOptions = options
    operator.builtinOptionsType = vars(schema.BuiltinOptions)[type(options).__name__[:-1]]
    code.builtinCode, code.deprecatedBuiltinCode = codes[name], min(codes[name], 127)
    code.version = (4 if activation != "NONE" else 3 if len(operands) > 3 else 1) if name == "TRANSPOSE_CONV" else 1
    graph.operators, graph.inputs, graph.outputs, model.operatorCodes = [operator], [2], operator.outputs, [code]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is to move to another package
        interpreter = Interpreter(model_content=bytes(builder.Output()), experimental_op_resolver_type={resolver})
    try:
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], operands[2])
        interpreter.invoke()
    except RuntimeError as error:  # by which it refuses a model
        raise ValueError(str(error)) from None
    return tf.constant(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def operands_of(output_shape, *arrays):
    return [np.array(output_shape, "int32"), *(np.asarray(array) for array in arrays if array is not None)]


def transpose_conv(output_shape, weights, input, bias=None, *, padding, stride_h, stride_w,
                   fused_activation_function="NONE"):
    """TRANSPOSE_CONV."""
    options = schema.TransposeConvOptionsT()
    options.strideH, options.strideW = stride_h, stride_w
    operands = operands_of(output_shape, weights, input, bias)
    return run("TRANSPOSE_CONV", options, padding, fused_activation_function, operands)


def conv_3d_transpose(output_shape, weights, input, bias=None, *, padding, stride_d, stride_h, stride_w,
                      fused_activation_function="NONE", **dilations):
    """CONV_3D_TRANSPOSE."""
    options = schema.Conv3DOptionsT()
    options.strideD, options.strideH, options.strideW = stride_d, stride_h, stride_w
    operands = operands_of(output_shape, weights, input, bias)
    return run("CONV_3D_TRANSPOSE", options, padding, fused_activation_function, operands)


tfl = types.SimpleNamespace(transpose_conv=transpose_conv, conv_3d_transpose=conv_3d_transpose)
'''

IMPORTS = (
    "import types", "import warnings", "import flatbuffers", "import numpy as np", "import tensorflow as tf",
    "from tensorflow.lite.python import schema_py_generated as schema",
    "from tensorflow.lite.python.interpreter import Interpreter, OpResolverType",
)  # fmt: skip
ENGINES = {
    "onednn": _TEXT.format(resolver="OpResolverType.AUTO"),
    "eigen": _TEXT.format(resolver="OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES"),
}
"""By variant: with the delegate XNNPACK, which is the default, and TensorFlow Lite's own kernels."""


def _idiom(rank: int, id: str, signature: str, **rest: Any) -> Idiom:
    return Idiom(
        id=id, functions={rank: OPERATORS[rank]}, signature=signature,
        tensors={"x": "input", "w": "weights", "b": "bias"}, data="n k c", weight=WEIGHTS[rank],
        imports=IMPORTS, engines=ENGINES, aside={ACTIVATION: AFTER}, apart=True, say=partial(_say, rank),
        reach=partial(_reach, rank), spellings=(Spelling(functions={rank: SCHEMA[rank]}, signature=signature),), **rest,
    )  # fmt: skip


IDIOMS = (
    _idiom(
        2, "tflite-transpose-conv",
        "output_shape, weights, input, bias=None, *, padding, stride_h, stride_w, fused_activation_function='NONE'",
        read=_read_plane, examples=lambda: _examples(2, 400),
    ),
    _idiom(
        3, "tflite-conv-3d-transpose",
        "output_shape, weights, input, bias=None, *, padding, stride_d, stride_h, stride_w, "
        "fused_activation_function='NONE', dilation_d_factor=1, dilation_h_factor=1, dilation_w_factor=1",
        read=_read_solid, examples=lambda: _examples(3, 150), only=dict.fromkeys(DILATIONS, (1,)),
    ),
)  # fmt: skip
