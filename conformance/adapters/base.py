"""The interface between a framework and the harness: a problem goes in, one native call comes out.

An adapter is a module in this folder that satisfies `Adapter`. It translates; it never computes and never sees the
expected array. What a native call leaves to be done (a crop, a bias) is stated in the `Call`, done here in NumPy,
and recorded.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from conformance import layout
from conformance.layout import Array
from conformance.problem import BACKWARD, BIAS, Problem, Window

UNIT_AXIS = "unit-axis"
"""What `prepared` says where a 1-D problem was given a first spatial axis of extent 1."""


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """A framework with a variant of execution."""

    framework: str
    variant: str

    def __str__(self) -> str:
        return f"{self.framework}-{self.variant}"


class AdapterError(ValueError):
    """A framework or variant that does not exist or is not installed; the message says what would help."""


class Unsupported(Exception):
    """The adapter cannot say a problem in one call of its framework; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A problem in a framework's own words: one native call, not yet made, and what remains to be done to its result.

    The result of the call, whose axes are in `layout`, is extended and cropped by `window`, and `bias` is added.
    `prepared` names what was done to the input beforehand other than permuting axes; `text` is the call as a line,
    where its function does not say it. A gradient has `places`: for each element of the result, the one of the
    canonical operand that it is of; their extents are `shape`.
    """

    function: Callable[..., Any]
    operands: tuple[Any, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    window: Window | None = None
    bias: Array | None = None
    prepared: tuple[str, ...] = ()
    layout: str = "n c k"
    text: str = ""
    places: Array | None = None
    shape: tuple[int, ...] = ()

    def __call__(self) -> Any:
        """Make the native call; returns the framework's own tensor."""
        return self.function(*self.operands, **self.options)

    def __str__(self) -> str:
        """The call as a line of code, with operands as shapes."""
        if self.text:
            return self.text
        words = [str(list(getattr(operand, "shape", ()))) for operand in self.operands]
        words += [f"{name}={value!r}" for name, value in self.options.items()]
        return f"{getattr(self.function, '__name__', self.function)}({', '.join(words)})"

    @property
    def composed(self) -> tuple[str, ...]:
        """What assisted the native call: empty for a purely native answer."""
        remains = [("crop", self.window), ("bias", self.bias)]
        return self.prepared + tuple(name for name, rest in remains if rest is not None)


class Widened(NamedTuple):
    """The values of a result whose dtype NumPy has not, such as bfloat16: exactly, in float32."""

    array: Array
    dtype: str


DTYPES = ("float32", "float64")
"""The dtypes of an adapter that names none."""


class Adapter(Protocol):
    """What an adapter module defines.

    It may also assign LIBRARIES, which is read like VARIANTS without importing it: for each variant the libraries of
    `machine.WORDS` beneath, each with the environment variables that cap it, or with none where it is off; BY_ITSELF,
    which says of a variant when the framework executes so with nothing set; UNREPEATED, the environment variables for a
    process that meets no problem twice, and has no use for what is kept of the last ones; and DISTRIBUTIONS, the names
    of the packages whose versions belong to the build; and DTYPES, the dtypes that the framework computes in, where
    they are others than `DTYPES` here; with bfloat16 among them, which NumPy has not, it is a `Casting` one;
    ACCUMULATION, the class of `numerics.accumulation` by which it adds up in each dtype of half precision, if not "A";
    SUITES, those that are asked where not all are, and NIGHT, those that a night has the time for, where all that are
    asked are run once a week.
    """

    VARIANTS: Mapping[str, Mapping[str, str]]
    """Ways to execute, the default first, each with the environment variables set before the framework is imported."""

    REFUSALS: tuple[type[Exception], ...]
    """Exceptions by which the framework cleanly refuses a call."""

    BLOCK: int
    """How many calls `run` takes at once; above 1 only where calls share a cost, such as a compilation."""

    def describe(self) -> Mapping[str, str]:
        """The build: the framework's version, the device and the libraries under it."""
        ...

    def translate(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
        """The most native call that says the problem for these arrays; raises Unsupported where there is none."""
        ...

    def run(self, calls: Sequence[Call]) -> Sequence[Any]:
        """Make the calls and wait for them; each result as the framework gave it.

        Nothing else happens here: one of REFUSALS that is raised here is the framework's refusal.
        """
        ...

    def array(self, result: Any) -> Array | Widened:
        """A result of `run` as a NumPy array, axes as the framework gave them."""
        ...

    def tensor(self, array: Array) -> Any:
        """An array as an operand of a native call."""
        ...


class Casting(Adapter, Protocol):
    """An adapter whose framework computes in a dtype that NumPy has not."""

    def cast(self, call: Call, dtype: str) -> Call:
        """A call of float32 numbers that the dtype holds exactly as the same call in the dtype."""
        ...


OPERANDS = ("x", "weight", "bias")
"""What the text of a gradient's call names its operand, by number."""


class Differentiating(Adapter, Protocol):
    """An adapter that can ask its framework for gradients."""

    def gradient(self, call: Call, upstream: Array, operand: int) -> Call:
        """The call that makes `call` and gives the gradient of sum(upstream * result) with respect to an operand.

        `operand` is its number: input, weight, bias. Where `call` has two operands, the third is `call.bias`, which
        the framework is to add to the result. `upstream` has the result's layout and shape.
        """
        ...


class Convolving(Adapter, Protocol):
    """An adapter that can also make the ordinary convolution, which adjointness needs."""

    def convolve(self, problem: Problem, canvas: Array, weight: Array) -> Call:
        """The ordinary convolution that the problem transposes, from (n, g*oc, *full) to x's shape."""
        ...


class Repeating(Adapter, Protocol):
    """An adapter whose `run` compiles or builds something anew for each call, which can be kept for the next one."""

    def repeated(self, call: Call) -> Callable[[], object]:
        """What makes the call again whenever it is called, and comes back when the answer is there."""
        ...


def repeated(adapter: Adapter, call: Call) -> Callable[[], object]:
    """What makes a call again and again, with as little around it as the adapter knows to leave out."""
    return cast(Repeating, adapter).repeated(call) if hasattr(adapter, "repeated") else partial(adapter.run, [call])


def require_dtype(adapter: Adapter, dtype: str) -> None:
    """Raises Unsupported for a dtype that the adapter's framework does not compute in."""
    dtypes = getattr(adapter, "DTYPES", DTYPES)
    if dtype not in dtypes:
        raise Unsupported(f"it computes in {', '.join(dtypes)}, not in {dtype}")


def accumulation(adapter: Adapter, dtype: str) -> str:
    """The class by which an adapter declares that its framework adds up in a dtype."""
    return str(getattr(adapter, "ACCUMULATION", {}).get(dtype, "A"))


def extends(window: Window) -> bool:
    """Whether a window reaches beyond the stamp, so that the bias can only be added after it."""
    return any(end < 0 for ends in window for end in ends)


def finish(call: Call, array: Array) -> Array:
    """The answer to the problem from a native result: put into NC* order, extend, crop, then add the bias."""
    import numpy as np  # here alone, since the text of a call is read without it

    if call.places is not None:
        return _placed(call.places, call.shape, array)
    if UNIT_AXIS in call.prepared:
        array = array.squeeze(layout.groups(call.layout).index("k"))
    array = layout.restore(array, layout.DATA, call.layout)
    if call.window is not None and array.ndim != len(call.window) + 2:
        raise ValueError(f"an answer of {array.ndim} axes, of which {len(call.window)} behind two others are to be cut")
    if call.window is not None:
        if extends(call.window):
            array = _extended(array, call.window)
        ends = zip(array.shape[2:], call.window, strict=True)
        crop: tuple[Any, ...] = (..., *(slice(max(lo, 0), extent - max(hi, 0)) for extent, (lo, hi) in ends))
        array = array[crop]
    if call.bias is not None:
        bias = call.bias.reshape(-1, *[1] * (array.ndim - 2))
        array = np.add(array, bias.astype(array.dtype, copy=False))  # a bias must not hide a result of another dtype
    return array


def _placed(places: Array, shape: tuple[int, ...], array: Array) -> Array:
    """A native gradient in canonical order; one that has not its operand's shape, as an array of more axes."""
    import numpy as np

    if array.shape != places.shape:
        return array.reshape(*array.shape, *[1] * max(1, len(shape) + 1 - array.ndim))
    canonical = np.empty(places.size, array.dtype)
    canonical[places.ravel()] = array.ravel()
    return canonical.reshape(shape)


def _extended(array: Array, window: Window) -> Array:
    """An array with zeros where a window reaches beyond it."""
    import numpy as np

    ends = [(max(-lo, 0), max(-hi, 0)) for lo, hi in window]
    shape = [lo + extent + hi for extent, (lo, hi) in zip(array.shape[2:], ends, strict=True)]
    whole = np.zeros((*array.shape[:2], *shape), array.dtype)
    inside: tuple[Any, ...] = (..., *(slice(lo, end - hi) for end, (lo, hi) in zip(shape, ends, strict=True)))
    whole[inside] = array
    return whole


def differentiated(adapter: Adapter, problem: Problem, call: Call, direction: str, upstream: Array) -> Call:
    """The call that gives a problem's gradient with respect to an operand, from the call that gives its answer.

    Raises Unsupported where the adapter has no gradients, or the operand has no part in the native call.
    """
    if not hasattr(adapter, "gradient"):
        raise Unsupported("its adapter has no gradients: docs/adding-an-adapter.md says how it gains them")
    if direction == BIAS and call.bias is not None and call.window is not None and extends(call.window):
        raise Unsupported("the bias is added after the window, which is not done by the framework")
    number = BACKWARD.index(direction)
    made = cast(Differentiating, adapter).gradient(call, native_upstream(call, upstream), number)
    return of_operand(adapter, problem, call, made, number)


def of_operand(adapter: Adapter, problem: Problem, call: Call, made: Call, number: int) -> Call:
    """A call that gives what has an operand's shape, made from the call of the answer."""
    prepared = (*call.prepared, *["crop"] * (call.window is not None))
    shape = (problem.input_shape, problem.weight_shape, problem.bias_shape)[number]
    places = _places(adapter, problem, number)
    return replace(made, window=None, bias=None, prepared=prepared, places=places, shape=shape)


def native_upstream(call: Call, upstream: Array) -> Array:
    """The upstream gradient of a native answer, in its layout."""
    if call.window is not None:
        upstream = unwindowed(call.window, upstream)
    if UNIT_AXIS in call.prepared:
        upstream = upstream[:, :, None]
    return layout.arrange(upstream, layout.DATA, call.layout)


def unwindowed(window: Window, y: Array) -> Array:
    """An array of the output's extents, back in its place in the full extents: the transpose of cutting the window."""
    import numpy as np

    full = [lo + extent + hi for extent, (lo, hi) in zip(y.shape[2:], window, strict=True)]
    inside = [(max(lo, 0), max(lo, 0, end - max(hi, 0))) for end, (lo, hi) in zip(full, window, strict=True)]
    whole = np.zeros((*y.shape[:2], *full), y.dtype)
    kept: Any = (..., *(slice(start - lo, stop - lo) for (start, stop), (lo, _) in zip(inside, window, strict=True)))
    place: Any = (..., *(slice(*ends) for ends in inside))
    whole[place] = y[kept]
    return whole


def _places(adapter: Adapter, problem: Problem, number: int) -> Array:
    """For each element of a native operand, the element of the canonical one that it is.

    The adapter is asked, which translates whole numbers in place of the operand. Raises Unsupported where it does more
    to the operand than to order it.
    """
    import numpy as np

    from conformance.problem import BACKWARD, BIAS

    shapes = (problem.input_shape, problem.weight_shape, problem.bias_shape)
    size = int(np.prod(shapes[number]))
    if number == BACKWARD.index(BIAS):
        return np.arange(size)
    widest = np.float64 if "float64" in getattr(adapter, "DTYPES", DTYPES) else np.float32
    x, weight, bias = (np.arange(np.prod(shape), dtype=widest).reshape(shape) for shape in shapes)
    operand = adapter.translate(problem, x, weight, bias if problem.bias else None).operands[number]
    places = np.asarray(adapter.array(operand)).astype(np.int64)
    if not np.array_equal(np.sort(places, axis=None), np.arange(size)):
        raise Unsupported("its translation does more to the operand than to order it, so that no gradient is its own")
    return places


def widened(array: Array) -> Array | Widened:
    """An array of the frameworks' own bfloat16 type as Widened; any other as it is."""
    if array.dtype.kind == "V" and array.dtype.name == "bfloat16":
        return Widened(array.astype("float32"), "bfloat16")
    return array


def onednn_version(header: Path) -> str:
    """The version in a oneDNN version header that a framework ships; "on" where it ships none."""
    text = header.read_text(encoding="utf-8") if header.exists() else ""
    return ".".join(re.findall(r"DNNL_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text)) or "on"


DILATIONS = frozenset({"dilation", "dilations", "dilate", "rhs_dilation"})
"""What the frameworks call the dilation of a kernel."""


def transposed(adapter: Convolving, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    """The transposed convolution."""
    return adapter.translate(problem, x, weight, bias)


def ordinary(adapter: Convolving, problem: Problem, canvas: Array, weight: Array, bias: Array | None) -> Call:
    """The ordinary convolution, which the problem transposes."""
    assert bias is None
    if not hasattr(adapter, "convolve"):
        raise Unsupported("the adapter makes no ordinary convolution")
    return adapter.convolve(problem, canvas, weight)


def silent(adapter: Convolving, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    """The transposed convolution by a call that does not mention dilation."""
    call = adapter.translate(problem, x, weight, bias)
    if not DILATIONS & call.options.keys():
        raise Unsupported("its call names no dilation that could be left out")
    return replace(call, options={name: value for name, value in call.options.items() if name not in DILATIONS})


CALLS = {translate.__name__: translate for translate in (transposed, ordinary, silent)}
"""The calls that can be asked for, by name."""
