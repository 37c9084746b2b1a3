"""A problem in the terms of PyTorch, TensorFlow and ONNX, or the reason why one of them cannot say it."""

from dataclasses import replace

from conformance.calls.port import PortError, canonical, translate
from conformance.idioms.base import Refusal
from conformance.problem import Problem
from conformance.vectors.schema import Call, Calls, OnnxAttributes, OnnxCall

X, WEIGHT, Y = "n (g i) k", "(g i) o k", "n (g o) k"
"""The order of axes that vectors have."""
LATE = "bias"
"""What may be done after a call that still says the problem."""


def calls(problem: Problem) -> Calls:
    """A problem in everybody's terms."""
    return Calls(framework_call(problem, "torch"), framework_call(problem, "tensorflow"), onnx_call(problem))


def axes(order: str, rank: int) -> str:
    """A layout with each spatial axis by name: "n k c" is "n k0 k1 c"."""
    return order.replace("k", " ".join(f"k{axis}" for axis in range(rank)))


def framework_call(problem: Problem, framework: str) -> Call:
    """A problem in the terms of a framework with idioms, in its default lane."""
    try:
        port = translate(canonical(problem, framework), framework, framework)
    except PortError as error:
        return Call(None, None, str(error))
    around = tuple(step for step in port.steps if step != LATE)
    claim = port.target.claim
    x, y = (claim.data.replace("c", channels) for channels in ("(g i)", "(g o)"))
    orders = (axes(order, problem.rank) for order in (x, claim.weight, y))
    reason = next((note for note in port.notes if note.startswith("a single call")), "") if around else ""
    return Call(None if around else port.target.text, port.code, reason, port.steps, *orders)


def onnx_call(problem: Problem) -> OnnxCall:
    """A problem in ONNX's terms."""
    orders = [axes(order, problem.rank) for order in (X, WEIGHT, Y)]
    try:
        attributes = onnx_attributes(problem)
    except Refusal as reason:
        return OnnxCall(None, None, str(reason), *orders)
    named = ", ".join(f"{name}={value!r}" for name, value in onnx_values(attributes).items())
    return OnnxCall(f"ConvTranspose(x, weight{', bias' if problem.bias else ''}, {named})", attributes, "", *orders)


def onnx_values(attributes: OnnxAttributes) -> dict[str, int | list[int]]:
    """The attributes by name, as ONNX's package takes them."""
    named = {name: getattr(attributes, name) for name in attributes.__struct_fields__}
    return {name: value if isinstance(value, int) else list(value) for name, value in named.items()}


def onnx_attributes(problem: Problem) -> OnnxAttributes:
    """The attributes that mean a problem's window: its own, or others where its pads are negative.

    Raises Refusal where none do: pads must not be negative, and output_padding be less than stride or dilation.
    """
    said = problem if min(min(ends) for ends in problem.pads) >= 0 else _without_negative_pads(problem)
    begins, ends = zip(*said.pads, strict=True)
    return OnnxAttributes(
        said.kernel, said.stride, (*begins, *ends), said.output_padding, said.dilation, said.groups
    )  # fmt: skip


def _without_negative_pads(problem: Problem) -> Problem:
    given_back = tuple(max(0, -hi) for _, hi in problem.window)
    for (lo, hi), op, s, d in zip(problem.window, given_back, problem.stride, problem.dilation, strict=True):
        if lo < 0 or op >= max(s, d):
            raise Refusal(f"window ({lo}, {hi}): pads must not be negative, and output_padding be less than "
                          f"stride {s} or dilation {d}")  # fmt: skip
    pads = tuple((lo, max(hi, 0)) for lo, hi in problem.window)
    return replace(problem, pads=pads, output_padding=given_back)
