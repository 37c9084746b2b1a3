"""ONNX: how each engine reads a ConvTranspose, and the text that makes a model of one node and runs it there.

A script needs nothing else. The weight and the bias are constants of the model, as in most models, and its answer has
no declared extents.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from conformance.idioms.base import LARGEST, Refusal, Rule
from conformance.idioms.sizes.legal import Legal, legal_alone
from conformance.problem import Ints, Problem, Window

SAME = "SAME_UPPER", "SAME_LOWER"
DEFAULT = "onnxruntime"


@dataclass(frozen=True, slots=True)
class Asked:
    """The attributes of a node that windows depend on; `padded` where pads were given, even if they are 0."""

    begins: Ints
    ends: Ints
    padded: bool
    back: Ints
    auto: str
    sizes: Ints | None
    kernel: Ints | None

    def early(self, total: int) -> int:
        """What of a total is cut at the beginning: the smaller half for SAME_UPPER, else the larger one."""
        return total // 2 if self.auto == "SAME_UPPER" else -(-total // 2)

    def totals(self, problem: Problem, sizes: Ints) -> list[int]:
        """What is too much on each axis for these sizes; negative where the stamp is too short."""
        return [full + op - out for full, op, out in zip(problem.full, self.back, sizes, strict=True)]

    def at(self, lows: Iterable[int], outs: Iterable[int], problem: Problem) -> Window:
        """The window that begins at `lows` and leaves `outs`."""
        return tuple((lo, full - out - lo) for lo, full, out in zip(lows, problem.full, outs, strict=True))

    @property
    def pads(self) -> Window:
        """The pads of each axis, without any for VALID."""
        zeros = (0,) * len(self.back)
        begins, ends = (zeros, zeros) if self.auto == "VALID" else (self.begins, self.ends)
        return tuple(zip(begins, ends, strict=True))

    def padding(self) -> Window:
        """The window of the pads."""
        return tuple((lo, hi - op) for (lo, hi), op in zip(self.pads, self.back, strict=True))


@dataclass(frozen=True, slots=True)
class Engine:
    """How an engine reads attributes: the window that they mean on a problem, and what it refuses."""

    window: Callable[[Asked, Problem], Window]
    refusals: Callable[[Asked], list[Rule]]


def times_stride(problem: Problem) -> Ints:
    """i*s on each axis."""
    return tuple(i * s for i, s in zip(problem.input, problem.stride, strict=True))


def _window(asked: Asked, problem: Problem) -> Window:
    """As ONNX Runtime reads it: nothing is cut of a stamp that is too short, and auto_pad leaves it as it is."""
    if asked.sizes is None and asked.auto not in SAME:
        return asked.padding()
    totals = [max(total, 0) for total in asked.totals(problem, asked.sizes or times_stride(problem))]
    outs = asked.sizes or [full + op - total for full, op, total in zip(problem.full, asked.back, totals, strict=True)]
    return asked.at(map(asked.early, totals), outs, problem)


def _onnxruntime(asked: Asked) -> list[Rule]:
    return [
        ("strides and dilations are at least 1", lambda p: min(*p.stride, *p.dilation) < 1),
        ("kernel_shape is not that of the weight", lambda p: asked.kernel not in (None, p.kernel)),
        ("pads are not negative", lambda p: min(*asked.begins, *asked.ends) < 0),
        ("pads and auto_pad exclude each other", lambda p: asked.padded and asked.auto != "NOTSET"),
        _less_than_stride(asked),
        *_sized(asked, lambda p: [range(1, full + s) for full, s in zip(p.full, p.stride, strict=True)]),
    ]


def _less_than_stride(asked: Asked) -> Rule:
    def left(problem: Problem) -> list[range]:
        """Where the pads, if they count, leave something of the stamp."""
        whole = asked.sizes or asked.auto in SAME
        return [range(0 if whole else 1 - full + lo + hi, LARGEST)
                for full, (lo, hi) in zip(problem.full, asked.pads, strict=True)]  # fmt: skip

    def legal(problem: Problem) -> list[range]:
        return [range(s) for s in problem.stride]

    return legal_alone("output_padding must be less than the stride", "output_padding", asked.back, legal, left)


def _sized(asked: Asked, legal: Legal) -> list[Rule]:
    return (
        [legal_alone("an input of this size does not give this output_shape", "output_shape", asked.sizes, legal)]
        if asked.sizes
        else []
    )


def _reference_window(asked: Asked, problem: Problem) -> Window:
    """As the reference evaluator reads it: a stamp that is too short is filled up on both sides, pads go before
    auto_pad, and with pads an output_shape says the end alone."""
    if asked.kernel not in (None, problem.kernel):
        raise Refusal("kernel_shape differs from the weight's kernel, which the reference evaluator uses: nothing is "
                      "claimed of it")  # fmt: skip
    if asked.padded or asked.auto not in SAME:
        lows = asked.begins if asked.padded else (0,) * problem.rank
        ends = asked.ends if asked.padded else (0,) * problem.rank
        plain = [full + op - lo - hi for full, op, lo, hi in zip(problem.full, asked.back, lows, ends, strict=True)]
        return asked.at(lows, asked.sizes or plain, problem)
    sizes = asked.sizes or times_stride(problem)
    return asked.at(map(asked.early, asked.totals(problem, sizes)), sizes, problem)


def _reference(asked: Asked) -> list[Rule]:
    def reached(problem: Problem) -> list[range]:
        """The sizes that as many stamps leave as there are inputs, by the pads that were computed with."""
        pads = [lo + hi for lo, hi in zip(asked.begins, asked.ends, strict=True)]
        return [range(max(full - pad, 1), full - pad + s)
                for full, pad, s in zip(problem.full, pads, problem.stride, strict=True)]  # fmt: skip

    by_size = asked.sizes is not None and (asked.padded or asked.auto not in SAME)
    return [
        ("an empty batch", lambda p: p.batch == 0),
        ("groups of several channels raise", lambda p: p.groups > 1 and (p.in_channels, p.out_channels) != (1, 1)),
        *(_sized(asked, reached) if by_size else [_less_than_stride(asked)]),
    ]  # fmt: skip


_MODEL = '''


def model_of(node, x, constants):
    """A model of one node, whose first input is x and whose others are constants."""
    element = onnx.helper.np_dtype_to_tensor_dtype(x.dtype)
    y = onnx.helper.make_tensor_value_info(node.output[0], element, [f"y{axis}" for axis in range(x.ndim)])
    inputs = [onnx.helper.make_tensor_value_info(node.input[0], element, x.shape)]
    names = node.input[1:]
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in zip(names, constants, strict=True)]
    graph = onnx.helper.make_graph([node], "one", inputs, [y], tensors)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 11)], ir_version=8)
    return model.SerializeToString()


def conv_transpose(x, *constants, **attributes):
    """A ConvTranspose with these attributes."""
    names = ["x", "w", "b"][: 1 + len(constants)]
    return evaluate(onnx.helper.make_node("ConvTranspose", names, ["y"], **attributes), x, *constants)


def evaluate(node, x, *constants):
    """The answer of a node."""
    model = model_of(node, x, constants)
'''


def _engine(imports: str, *lines: str) -> str:
    return "\n".join([imports]) + _MODEL + "".join(f"    {line}\n" for line in lines)


TEXTS = {
    "onnxruntime": _engine(
        "import onnxruntime",
        "session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])",
        "return session.run(None, {node.input[0]: x})[0]",
    ),
    "reference": _engine(
        "import onnx.reference",
        "return onnx.reference.ReferenceEvaluator(onnx.load_from_string(model)).run(None, {node.input[0]: x})[0]",
    ),
}
"""By variant."""

ENGINES: Mapping[str, Engine] = {
    "onnxruntime": Engine(_window, _onnxruntime),
    "reference": Engine(_reference_window, _reference),
}
"""By variant."""
