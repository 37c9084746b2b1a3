"""A function of the user as an adapter: a problem becomes a call of it, and what it returns an array."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from conformance import layout
from conformance.adapters.base import Call, Unsupported, extends
from conformance.layout import Array
from conformance.problem import Problem
from conformance.processes import wire
from conformance.records.record import FUNCTION


class CheckError(ValueError):
    """A question to `check` that cannot be answered; the message says what to give instead."""


def require_layouts(data: str, weight: str) -> None:
    """Raises CheckError for what are no layouts of a function's arrays."""
    try:
        wire.require_layouts(data, weight)
    except wire.ViolationError as error:
        raise CheckError(f"there is no such layout: {error}") from None


OPTIONS = ("stride", "padding", "output_padding", "groups", "dilation")
"""The keyword arguments that a function may have, as PyTorch's conv_transpose names and means them."""


class Function:
    """What every adapter has, for `function(x, weight, bias, *, stride, padding, output_padding, groups, dilation)`.

    Keyword arguments that it does not have are never given: a problem that needs one is unsupported, as is a bias
    where it takes two arrays, and groups where the weight's layout has none. `tensor` turns an operand into what the
    function takes.
    """

    VARIANTS: Mapping[str, Mapping[str, str]] = {FUNCTION: {}}  # a mapping is not written to
    REFUSALS = (NotImplementedError,)
    BLOCK = 1

    def __init__(
        self, function: Callable[..., Any], data: str, weight: str, tensor: Callable[[Array], Any] | None
    ) -> None:
        self._function, self._data, self._weight = function, data, weight
        self._tensor = tensor
        self._options, self._bias = taken(function)

    def describe(self) -> Mapping[str, str]:
        """The function's name, and where it is from."""
        return {"function": _name(self._function), "module": str(getattr(self._function, "__module__", None) or "none")}

    def translate(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
        options, window = self._arguments(problem)
        data = layout.arrange(x, layout.DATA, self._data)
        if problem.groups > 1 and "g" not in self._weight:
            raise Unsupported(f"the layout of the weight, {self._weight!r}, has no groups")
        grouped = weight.reshape(problem.groups, problem.in_channels, problem.out_channels, *problem.kernel)
        operands = [self.tensor(data), self.tensor(layout.arrange(grouped, layout.WEIGHT, self._weight))]
        left = bias if window is not None and extends(window) else None
        given = None if left is not None or bias is None else self.tensor(bias)
        if self._bias == "bias":
            options["bias"] = given
        elif self._bias:
            operands.append(given)
        elif given is not None:
            raise Unsupported("the function takes no bias")
        return Call(self._function, tuple(operands), options, window=window, bias=left, layout=self._data)

    def _arguments(self, problem: Problem) -> tuple[dict[str, Any], Any]:
        """The keyword arguments that say a problem, and what is left of its window where they cannot say that."""
        window = problem.window
        lows = tuple(lo for lo, _ in window)
        more = tuple(lo - hi for lo, hi in window)
        most = map(max, problem.stride, problem.dilation)
        said = min(lows) >= 0 and all(0 <= op < end for op, end in zip(more, most, strict=True))
        none, ones = (0,) * problem.rank, (1,) * problem.rank
        neutral: dict[str, Any] = {
            "stride": ones, "padding": none, "output_padding": none, "groups": 1, "dilation": ones,
        }  # fmt: skip
        values = neutral | {"stride": problem.stride, "groups": problem.groups, "dilation": problem.dilation}
        if said:
            values |= {"padding": lows, "output_padding": more}
        lacking = [name for name in OPTIONS if name not in self._options and values[name] != neutral[name]]
        if not said and "padding" not in self._options:
            lacking.append("padding")
        if lacking:
            raise Unsupported(f"the function takes no {lacking[0]}")
        return {name: values[name] for name in OPTIONS if name in self._options}, None if said else window

    def run(self, calls: Sequence[Call]) -> Sequence[Any]:
        return [call() for call in calls]

    def array(self, result: Any) -> Array:
        """What the function returned, as NumPy's array; what is no array is refused by its name."""
        if type(result) is np.ndarray:
            return result
        name = type(result).__name__
        if isinstance(result, np.ma.MaskedArray):
            raise TypeError("the function returned a masked array: return a plain one")
        if (array := read(result)) is None:
            raise TypeError(f"the function returned a {name}: return an array")
        return array

    def tensor(self, array: Array) -> Any:
        return array if self._tensor is None else self._tensor(array)


def read(values: Any) -> Array | None:
    """An array of any library as NumPy's, of PyTorch also one that a gradient is wanted of; None for what is none."""
    if getattr(values, "requires_grad", False):
        values = values.detach()
    if hasattr(values, "__array__"):
        return np.asarray(values)
    return np.from_dlpack(values) if hasattr(values, "__dlpack__") else None


def taken(function: Callable[..., Any]) -> tuple[frozenset[str], str]:
    """The keyword arguments of ours that a function takes, and how it takes a bias: "third", as "bias", or not at all.

    A function that does not say what it takes, as one of C, is taken to have all of them.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return frozenset(OPTIONS), "third"
    kinds = {parameter.kind for parameter in parameters}
    names = {parameter.name for parameter in parameters if parameter.kind is not parameter.POSITIONAL_ONLY}
    options = OPTIONS if inspect.Parameter.VAR_KEYWORD in kinds else [name for name in OPTIONS if name in names]
    in_order = [
        parameter.name for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and parameter.name not in OPTIONS
    ]  # fmt: skip
    if len(in_order) > 2 or inspect.Parameter.VAR_POSITIONAL in kinds:
        return frozenset(options), "third"
    return frozenset(options), "bias" if "bias" in names or inspect.Parameter.VAR_KEYWORD in kinds else ""


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)


def lane_name(function: Callable[..., Any]) -> str:
    """A function's name as that of a framework, which can be part of a file's name."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", _name(function)).strip("_")[:60] or "function"
