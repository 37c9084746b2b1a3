"""What an idiom is: one way people call transposed convolution, and the claim of what its own arguments mean.

A framework's idioms are text and arithmetic in a module of its name, and need no framework. Its lane runs that text.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from conformance import layout
from conformance.idioms.expression import HOLE, Invocation, Name
from conformance.layout import LayoutError
from conformance.problem import Ints, Problem, Window
from conformance.problem import with_window as with_window
from conformance.records.calls import RecordedCall

Shapes = Mapping[str, Ints]

EMPTY = "nothing is left of the stamp of {}: window {} leaves {}, and nothing is claimed of an empty answer: cut less"
"""The same framework gives some and refuses some: it depends on the batch, the dtype and the library beneath."""

LARGEST = 2**31 - 1
"""The largest number that a call is claimed of: what does not fit 32 bits is taken, refused or ends the process."""

FLOAT32 = "float32"
"""The dtype that a call is read in unless another is given."""
DTYPES = (FLOAT32, "float64")
HALVES, INTEGERS = ("bfloat16", "float16"), ("int8", "int32", "int64")
"""Those of exact data, which `numerics.operands` has the significands of."""

Layer = tuple[int | None, int, Ints]
"""What a layer says of its weight: in channels, out channels, kernel."""
_OPERANDS = {"x": "input", "w": "weight"}

Rule = tuple[str | Callable[[Problem], str], Callable[[Problem], bool]]
"""Why a framework refuses a call, which may depend on the problem, and whether it does."""


class Refusal(Exception):
    """Arguments of which nothing can be claimed, since they say no problem, or one that not every build takes alike;
    the message says why."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a call means: a problem (its window included), the layout of its arrays, and the order of its taps.

    `law` is the id of the window convention. With `refused` set the framework refuses the call, for that reason.
    """

    problem: Problem
    law: str
    data: str = "n c k"
    weight: str = "(g i) o k"
    reversed: bool = False
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of an idiom: its arguments by name, and the shapes of its tensors by operand (x, w, z).

    z is where a gradient is taken: the input of the ordinary convolution.
    """

    rank: int
    arguments: Mapping[str, Any]
    shapes: Shapes
    variant: str
    dtype: str = FLOAT32

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def has(self, name: str) -> bool:
        """Whether an optional tensor is given."""
        return isinstance(self.arguments.get(name), Name)

    def per_axis(self, name: str, default: int | None = None) -> Ints:
        """An argument that is one whole number, or one a spatial axis; `default`, where there is one, for None."""
        value = self.arguments[name]
        return per_axis(name, default if value is None else value, self.rank)

    def claim(
        self,
        law: str,
        *,
        data: str = "n c k",
        weight: str = "(g i) o k",
        stride: Ints,
        window: Callable[[Problem], Window] | None = None,
        pads: Any = 0,
        output_padding: Any = 0,
        dilation: Ints,
        groups: int = 1,
        bias: bool = False,
        reversed: bool = False,
        layer: Layer | None = None,
        refusals: Sequence[Rule] = (),
    ) -> Claim:
        """The claim of these arguments, with the extents that the shapes of x and w have in their layouts.

        `window` computes the window where it depends on extents. A layer has no weight shape, but (in channels,
        out channels, kernel). The first of the `refusals` whose condition holds for the problem is why the
        framework refuses.
        """
        _require_whole(groups, layer)
        of_x = self._sizes("x", data, {})
        channels, out, kernel, refused = self._weight(of_x["c"], weight, groups, layer)
        for what, extents in (("input", of_x["k"]), ("kernel", kernel), ("channels", (channels, out))):
            if min(extents) < 1:
                raise Refusal(f"{what} {tuple(extents)}: nothing is claimed of extents below 1")
        problem = Problem.of(
            of_x["k"], kernel, stride, pads, output_padding, dilation,
            groups=groups, in_channels=max(channels // groups, 1), out_channels=max(out, 1), batch=of_x.get("n", 1),
            bias=bias,
        )  # fmt: skip
        _require_small(problem)
        if window and not refused:
            problem = with_window(problem, window(problem))
        if min(problem.output) == 0:
            raise Refusal(EMPTY.format(problem.full, problem.window, problem.output))
        broken = next((reason for reason, holds in refusals if not refused and holds(problem)), "")
        refused = refused or (broken if isinstance(broken, str) else broken(problem))
        if not refused and min(problem.output) < 0:
            raise Refusal(EMPTY.format(problem.full, problem.window, problem.output))
        return Claim(problem, law, data, weight, reversed, refused)

    def _sizes(self, operand: str, axes: str, known: Mapping[str, int]) -> dict[str, Any]:
        try:
            return layout.sizes(self.shapes[operand], axes, self.rank, known)
        except LayoutError as error:
            raise Refusal(f"{_OPERANDS[operand]} {error}") from None

    def _weight(self, channels: int, axes: str, groups: int, layer: Layer | None) -> tuple[int, int, Ints, str]:
        """In channels, out channels of a group, kernel, and why these are refused; from w, or as a layer says."""
        if layer is None:
            of_w = self._sizes("w", axes, {"g": groups})
            given = of_w["i"] * groups
            refused = f"the weight has {given} in channels, the input {channels}" if given != channels else ""
            return channels, of_w["o"], of_w["k"], refused
        declared, out, kernel = layer
        if declared not in (None, channels):
            return declared, out // groups, kernel, f"the layer has {declared} in channels, the input {channels}"
        divided = channels % groups == 0 == out % groups
        return (
            channels,
            out // groups,
            kernel,
            ("" if divided else f"{groups} groups do not divide both {channels} in and {out} out channels"),
        )


class Example(NamedTuple):
    """An expression to try, with the shapes of its tensors by name."""

    text: str
    shapes: Shapes


@dataclass(frozen=True, kw_only=True)
class Spelling:
    """Another function that says what an idiom does, such as an older version's: its arguments become the idiom's.

    `names` are the parameters that are called otherwise there, None for those that the idiom does not have;
    `applied` is the parameter that is a layer's input. `values` turns an argument's value into the idiom's.
    """

    functions: Mapping[int, str]
    signature: str
    names: Mapping[str, str | None] = field(default_factory=dict)
    applied: str = ""
    values: Callable[[str, Any], Any] = lambda _, value: value
    of_x: str = ""
    """The idiom's parameter that this function takes from the channels of x, when it is called."""
    otherwise: str = ""
    """What is to be said of arguments that do not fit, where they may be of an older version."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What becomes of arguments that people copy into a call: whether numbers become sequences, and what padding p
    becomes where it is no number: "spatial" for a pair each spatial axis, "all" for a pair each axis of the data.

    Calls of one `family`, "function" or "layer", are copied into each other.
    """

    family: str
    sequences: bool = False
    pairs: str = ""


@dataclass(frozen=True, kw_only=True)
class Idiom:
    """One way to call transposed convolution.

    `functions` are dotted names by rank; `signature` the parameters with their real names, order and defaults;
    `outer` those of the call of a layer. `tensors` says which parameter is which operand. `form` is the expression
    that the call stands in, where that is more than the call. `program` writes the lines that run it on x, w, b and z.
    """

    id: str
    functions: Mapping[int, str]
    signature: str
    read: Callable[[Use], Claim]
    """The claim of a use; its docstring is the claim in words. Raises Refusal where not even a problem is said."""
    examples: Callable[[], Iterator[Example]]
    """The grid that proves the claim, refused calls included."""
    say: Callable[[Problem], str] | None = None
    """The expression that means exactly a problem, on x, w, b and z. Raises Refusal where there is none."""
    reach: Callable[[Problem], Iterator[str]] = lambda problem: iter(())
    """Expressions that may leave a problem's output extents in words that `say` has not, such as output_size, whatever
    the window; their claims say which of them do."""
    data: str = "n c k"
    weight: str = "(g i) o k"
    """The layouts that `say` writes for."""
    tensors: Mapping[str, str] = field(default_factory=lambda: {"x": "x", "w": "w", "b": "b"})
    orders: Mapping[int, str] = field(default_factory=dict)
    """The signatures of the ranks whose parameters stand in another order."""
    settled: int = 0
    """How many parameters stand first in every version, where the others do not; 0 where all do."""
    outer: str = ""
    variables: Callable[[Mapping[str, Any]], Sequence[str]] = lambda given: ()
    """The tensors that a symbol with these arguments has; it makes by itself those that its call does not write."""
    lists: Mapping[str, str] = field(default_factory=dict)
    """The parameters that list tensors by their names, as strings, each with the letters of these in order."""
    form: str = HOLE
    imports: tuple[str, ...] = ()
    engines: Mapping[str, str] = field(default_factory=dict)
    """What defines the functions that `program` writes around the call, by variant, the default first."""
    program: Callable[[str, str, bool], Sequence[str]] = lambda call, outer, bias: [f"y = {call}"]
    variants: tuple[str, ...] = ()
    """The lanes it is proved in; empty for all."""
    aside: Mapping[str, str] = field(default_factory=dict)
    """The parameters that cannot change the answer, each with the reason, from `names.meanings`."""
    only: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """The values that a parameter may have here, where others would mean something else."""
    apart: bool = False
    """Whether calls are ported to it only where it, or its module, is asked for by name."""
    unsized: frozenset[str] = frozenset()
    """The parameters on which values hang, and no size."""
    dtypes: frozenset[str] = frozenset()
    """The parameters that name a dtype, which is to be the operands' own."""
    spellings: tuple[Spelling, ...] = ()
    copied: Copied | None = None
    """How calls of other frameworks are copied into it; None for a call that people do not take for another."""

    @property
    def layer(self) -> bool:
        """Whether the call makes a layer, which owns its weight."""
        return bool(self.outer)

    def signature_of(self, last: str) -> str:
        """The signature of the function with this last name."""
        ranks = [rank for rank, name in self.functions.items() if name.rpartition(".")[2] == last]
        return self.orders.get(ranks[0], self.signature) if len(ranks) == 1 else self.signature

    def named(self, invocation: Invocation) -> bool:
        """Whether an invocation is of one of this idiom's functions."""
        return invocation.last in {name.rpartition(".")[2] for name in self.functions.values()}


Widths = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a framework says what may have to be done around a call, as text.

    `pad` writes an array with zeros around it, given (begin, end) for each axis; `concat` a list of arrays joined on
    an axis; `tensor` the framework's array from a NumPy array, and `array` the way back.
    """

    imports: tuple[str, ...]
    tensor: str
    array: str
    pad: Callable[[str, Widths], str]
    concat: Callable[[str, int], str]
    modules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The other names that a module goes by."""
    batch: str = ""
    """The batch of x as the framework says it, where an argument has to name it."""
    roots: tuple[str, ...] = ()
    """The first parts of the dotted names that are the framework's own."""
    arrays: str = ""
    """The module of the framework's functions that reorder and reverse arrays."""
    native: Callable[[str], str] = lambda name: name
    """The dotted name of a function, from the one that a record of the adapter's call has."""
    prelude: tuple[str, ...] = ()
    """What a script has behind its imports, so that it computes in every dtype."""
    precision: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Environment variables without which the framework does not compute in a dtype, by dtype."""
    engines: Mapping[str, str] = field(default_factory=dict)
    """As an idiom's: what defines the functions that `native` names, by variant."""
    kernels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The dtypes that a variant computes in, or "" for each of them; a framework without any computes in all."""
    bfloat16: tuple[str, str] = ("{}", "{}")
    """A tensor of float32 as one of bfloat16, which NumPy has not, and back."""


@dataclass(frozen=True, slots=True)
class ClaimedCall:
    """A call with its claim: what the lane runs and what it must be.

    `code`, where there is any, is run in place of the call: a port of it, which defines convert_weight(w) and
    conv_transpose(x, w, b). `origin` then says from where to where.
    """

    idiom: Idiom
    text: str
    shapes: Shapes
    claim: Claim
    inner: str
    outer: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    written: frozenset[str] = frozenset()
    """Names of the arguments that were written out."""
    code: str = ""
    origin: str = ""
    aside: tuple[str, ...] = ()
    """What was set aside in reading it, each with the reason."""
    variant: str = ""

    def __str__(self) -> str:
        """The call with its shapes in a line."""
        return str(RecordedCall(self.text, self.shapes))

    @property
    def name(self) -> str:
        """The claim that is put to the proof, as one word: the idiom with its law of windows, or the port's origin."""
        return self.origin or f"{self.idiom.id}/{self.claim.law}"


def engine(engines: Mapping[str, str], variant: str) -> tuple[str, ...]:
    """What defines the functions around a call in a variant, if anything; "" is the default one."""
    return (engines[variant or next(iter(engines))],) if engines else ()


def _require_small(problem: Problem) -> None:
    """Raises Refusal for numbers of which nothing is claimed, since they do not fit 32 bits."""
    pads = tuple(pad for ends in problem.pads for pad in ends)
    channels = problem.batch, *problem.weight_shape[:2]
    numbers = {"stride": problem.stride, "dilation": problem.dilation, "padding": pads, "stamp": problem.full,
               "batch or channels": channels}  # fmt: skip
    for what, values in numbers.items():
        if (largest := max(map(abs, values))) > LARGEST:
            raise Refusal(f"{what} {largest}: nothing is claimed of numbers above {LARGEST}, which 32 bits do not hold")


def _require_whole(groups: Any, layer: Layer | None) -> None:
    """Raises Refusal for a number of groups or channels that is none."""
    channels = zip(("in channels", "out channels"), (layer or ())[:2], strict=False)
    for what, value in (("groups", groups), *channels):
        if value is not None and not is_whole(value):
            raise Refusal(f"{what} is {value!r}: it takes a whole number{how_to_give(value)}")
    if groups < 1:
        raise Refusal(f"{groups} groups: there is at least one")


def per_axis(name: str, value: Any, rank: int) -> Ints:
    """A whole number for every axis, or a sequence of one an axis. Raises Refusal for anything else."""
    if is_whole(value):
        return (value,) * rank
    if isinstance(value, list | tuple) and all(map(is_whole, value)):
        if len(value) == rank:
            return tuple(value)
        raise Refusal(f"{name} is {value!r}: it takes {rank} numbers here")
    raise Refusal(f"{name} is {value!r}: it takes a whole number, or {rank} of them{how_to_give(value)}")


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, which True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def how_to_give(value: Any, example: str = "2") -> str:
    """How a value that the text does not say can be given, and where it stands."""
    names = [value] if isinstance(value, Name) else value if isinstance(value, list | tuple) else ()
    unknown = next((name for name in names if isinstance(name, Name)), None)
    if unknown is None:
        return ""
    where = "" if unknown.at is None else f" (at character {unknown.at + 1})"
    step = f'write it, or give it by --let "{unknown}={example}"'
    return f", and the text does not say the value of {unknown}{where}: {step}"
