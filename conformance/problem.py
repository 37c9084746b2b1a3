"""A transposed convolution as pure geometry, in canonical (PyTorch) order.

Every problem is one stamp and one window, per spatial axis::

    full[i*stride + k*dilation] += x[i] * w[k]
    y = full[lo : full_extent - hi]          a negative lo or hi extends with zeros

so a problem says which extents, which stamp and which window; never a framework, dtype or value.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import gcd, prod
from operator import index
from typing import Any, NamedTuple, Self

Ints = tuple[int, ...]
PerAxis = int | Sequence[int]
Window = tuple[tuple[int, int], ...]

LARGEST = 2**59  # no element count may pass this: the bytes of an int64 array are still counted in int64

COUNTED = 2**24
"""Products on one axis up to which `terms` is counted."""


FORWARD = "forward"
INPUT, WEIGHT, BIAS = "input", "weight", "bias"
BACKWARD = (INPUT, WEIGHT, BIAS)
"""The passes that are gradients, each with respect to an operand."""
PASSES = (FORWARD, *BACKWARD)
"""What is asked of a problem: the answer, or a gradient of it."""


class ProblemError(ValueError):
    """A problem that cannot be written down: a missing, misspelt or wrongly sized field."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The geometry of one transposed convolution, with channels counted per group.

    Data is (batch, groups*in_channels, *input), weight (groups*in_channels, out_channels, *kernel),
    bias (groups*out_channels,), as in PyTorch. `pads` are (begin, end) per axis and may be negative.
    Construction checks structure only; `broken_rule` checks geometry.
    """

    input: Ints
    kernel: Ints
    stride: Ints
    pads: Window
    output_padding: Ints
    dilation: Ints
    groups: int = 1
    in_channels: int = 1
    out_channels: int = 1
    batch: int = 1
    bias: bool = False

    def __post_init__(self) -> None:
        if not self.input:
            raise ProblemError("input has 0 axes: a problem has at least 1 spatial axis")
        for name in PER_AXIS:
            axes = len(getattr(self, name))
            if axes != len(self.input):
                raise ProblemError(
                    f"{name} has {axes} axes, input has {len(self.input)}: give one value per axis, or a single one"
                )

    @classmethod
    def of(
        cls,
        input: PerAxis,
        kernel: PerAxis,
        stride: PerAxis = 1,
        pads: PerAxis | Sequence[Sequence[int]] = 0,
        output_padding: PerAxis = 0,
        dilation: PerAxis = 1,
        **rest: Any,
    ) -> Self:
        """A problem from plain arguments: an int stands for every axis, and in `pads` for both ends of an axis."""
        extents = _ints("input", input, 1)
        rank = len(extents)
        given: Any = pads
        ends = list(given) if _is_row(given) else [given] * rank
        if unknown := rest.keys() - _KNOWN:
            known = ", ".join(each.name for each in fields(cls))
            raise ProblemError(f"a problem has no {min(unknown)!r}: its fields are {known}")
        if type(bias := rest.pop("bias", False)).__name__ not in ("bool", "bool_"):  # or NumPy's, which is not imported
            raise ProblemError(f"bias is {bias!r}: give True or False")
        counts: dict[str, Any] = {name: whole(name, value) for name, value in rest.items()} | {"bias": bool(bias)}
        return cls(
            input=extents,
            kernel=_ints("kernel", kernel, rank),
            stride=_ints("stride", stride, rank),
            pads=tuple(_pair(end) for end in ends),
            output_padding=_ints("output_padding", output_padding, rank),
            dilation=_ints("dilation", dilation, rank),
            **counts,
        )

    @classmethod
    def parse(cls, descriptor: str) -> Self:
        """The problem that a one-line descriptor spells; the inverse of `str`.

        >>> Problem.parse("i5x7 k3 s2x1 p1:2x0 op1x0 g2 bias").output
        (9, 9)
        """
        return cls(**_read(descriptor))

    def __str__(self) -> str:
        """The descriptor: every field that is not at its default, in one fixed order."""
        words = ["i" + "x".join(map(str, self.input)), "k" + _axes(self.kernel)]
        pads = tuple(str(b) if b == e else f"{b}:{e}" for b, e in self.pads)
        for token, values, default in (
            ("s", self.stride, 1), ("p", pads, "0"), ("op", self.output_padding, 0), ("d", self.dilation, 1)
        ):  # fmt: skip
            if any(value != default for value in values):
                words.append(token + _axes(values))
        for token in ("g", "ic", "oc", "n"):
            value = getattr(self, FIELDS[token])
            if value != 1:
                words.append(f"{token}{value}")
        return " ".join([*words, "bias"] if self.bias else words)

    @property
    def rank(self) -> int:
        """Number of spatial axes."""
        return len(self.input)

    @property
    def effective_kernel(self) -> Ints:
        """Extent of the dilated kernel per axis: dilation*(kernel - 1) + 1."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))

    @property
    def full(self) -> Ints:
        """Extent of the whole stamp per axis, before the window: (input - 1)*stride + effective kernel."""
        return tuple((i - 1) * s + ke for i, s, ke in zip(self.input, self.stride, self.effective_kernel, strict=True))

    @property
    def window(self) -> Window:
        """Signed crop (lo, hi) per axis: positive cuts, negative extends with zeros. hi = pad end - output_padding."""
        return tuple((b, e - op) for (b, e), op in zip(self.pads, self.output_padding, strict=True))

    @property
    def output(self) -> Ints:
        """Spatial extents of the output; zero or negative where the window cuts everything."""
        return tuple(extent - lo - hi for extent, (lo, hi) in zip(self.full, self.window, strict=True))

    @property
    def axes(self) -> "list[Axis]":
        """The spatial axes, each with all that is said of it."""
        lows = [lo for lo, _ in self.window]
        return [*map(Axis, self.input, self.stride, self.kernel, self.dilation, lows, self.output)]

    @property
    def input_shape(self) -> Ints:
        return (self.batch, self.groups * self.in_channels, *self.input)

    @property
    def weight_shape(self) -> Ints:
        return (self.groups * self.in_channels, self.out_channels, *self.kernel)

    @property
    def bias_shape(self) -> Ints:
        return (self.groups * self.out_channels,)

    @property
    def output_shape(self) -> Ints:
        return (self.batch, self.groups * self.out_channels, *self.output)

    @property
    def multiplies(self) -> int:
        """Multiplications in the whole stamp, which is what a framework that computes first and crops later does."""
        return self.batch * self.groups * self.in_channels * self.out_channels * prod(self.input) * prod(self.kernel)

    @property
    def terms(self) -> int:
        """K: the largest number of products that are summed into one output element."""
        if max(i * k for i, k in zip(self.input, self.kernel, strict=True)) > COUNTED:
            raise ProblemError(f"'{self}' has too many products on an axis to count: give at most {COUNTED}")
        overlap = 1
        for i, s, k, d, lo, out in self.axes:
            hits = Counter(x * s + t * d for x in range(i) for t in range(k))
            overlap *= max((n for at, n in hits.items() if lo <= at < lo + out), default=0)
        return self.in_channels * overlap


class Phases(NamedTuple):
    """Phases of an axis that have equally many taps: the first taps of theirs are `first`, `first + 1`, ..., and the
    places from `begin` to before `end` have an output in some of them."""

    first: int
    number: int
    taps: int
    begin: int
    end: int


class Axis(NamedTuple):
    """One axis of a problem: element i and tap k meet at output i*stride + k*dilation - lo."""

    input: int
    stride: int
    kernel: int
    dilation: int
    lo: int
    output: int

    @property
    def turned(self) -> "Axis":
        """The same axis with elements and taps in each other's place."""
        return Axis(self.kernel, self.dilation, self.input, self.stride, self.lo, self.output)

    @property
    def every(self) -> int:
        """How many taps are from one to the next that meets at the same output."""
        return self.stride // gcd(self.stride, self.dilation)

    @property
    def apart(self) -> int:
        """How many elements are between those that two such taps meet."""
        return self.dilation // gcd(self.stride, self.dilation)

    @property
    def most(self) -> int:
        """A bound of the products that meet at an output, which the whole stamp reaches."""
        return min((self.input - 1) // self.apart, (self.kernel - 1) // self.every) + 1

    @property
    def phases(self) -> list[Phases]:
        """The axis as ordinary convolutions of stride 1: place m of the phase that tap k begins, k < every, is output
        m*stride + k*dilation - lo, where element m - j*apart meets tap k + j*every for each j."""
        taps, more = divmod(self.kernel, self.every)
        found = []
        for first, stop, count in ((0, more, taps + 1), (more, self.every, taps)):
            begin = max(0, -(((stop - 1) * self.dilation - self.lo) // self.stride))
            last = (self.output - 1 + self.lo - first * self.dilation) // self.stride
            end = min(last + 1, self.input + (count - 1) * self.apart)
            if count and first < stop and begin < end:
                found.append(Phases(first, stop - first, count, begin, end))
        return found

    @property
    def work(self) -> int:
        """Products that the phases take, with the zeros around the elements."""
        return sum(some.number * some.taps * (some.end - some.begin) for some in self.phases)


FIELDS = {
    "i": "input", "k": "kernel", "s": "stride", "p": "pads", "op": "output_padding", "d": "dilation",
    "g": "groups", "ic": "in_channels", "oc": "out_channels", "n": "batch", "bias": "bias",
}  # fmt: skip
PER_AXIS = ("kernel", "stride", "pads", "output_padding", "dilation")
_DEFAULT: dict[str, Any] = {"stride": 1, "pads": (0, 0), "output_padding": 0, "dilation": 1, "kernel": 1}
_KNOWN = frozenset(field.name for field in fields(Problem))
assert set(FIELDS.values()) == _KNOWN

_WORD = re.compile(r"([a-z]+)(.*)")
_NUMBER = r"-?[0-9]{1,19}"
_NUMBERS = re.compile(rf"{_NUMBER}(?:x{_NUMBER})*")
_PAIRS = re.compile(rf"{_NUMBER}(?::{_NUMBER})?(?:x{_NUMBER}(?::{_NUMBER})?)*")


def broken_rule(problem: Problem) -> str | None:
    """Which rule of transposed convolution the problem breaks, in words; None for a valid one."""
    if problem.rank > 3:
        return f"input has {problem.rank} spatial axes, at most 3 are transposed convolutions that frameworks know"
    for name in ("batch", "groups", "in_channels", "out_channels"):
        if getattr(problem, name) < 1:
            return f"{name} {getattr(problem, name)} must be at least 1"
    for name in ("input", "kernel", "stride", "dilation"):
        for axis, value in enumerate(getattr(problem, name)):
            if value < 1:
                return f"{name} {value} on axis {axis} must be at least 1"
    for axis, (op, s, d) in enumerate(zip(problem.output_padding, problem.stride, problem.dilation, strict=True)):
        if op < 0:
            return f"output_padding {op} on axis {axis} must not be negative"
        if op >= max(s, d):
            return f"output_padding {op} on axis {axis} must be less than stride {s} or dilation {d}"
    for axis, (out, full, (lo, hi)) in enumerate(zip(problem.output, problem.full, problem.window, strict=True)):
        if out < 1:
            return f"output extent {out} on axis {axis} must be at least 1: full extent {full}, window ({lo}, {hi})"
    if max(prod(problem.output_shape), prod(problem.full), prod(problem.weight_shape)) > LARGEST:
        return f"output shape {problem.output_shape} has more than 2**59 elements"
    return None


def whole(name: str, value: Any) -> int:
    """A whole number, of Python or NumPy. Raises ProblemError for anything else, truth values among it."""
    try:
        if not isinstance(value, bool):
            return index(value)
    except TypeError:
        pass
    raise ProblemError(f"{name} is {value!r}: give a whole number")


def _is_row(values: Any) -> bool:
    """Whether something holds values in an order: neither a number, nor a set, a dict or text."""
    if isinstance(values, str | bytes):
        return False
    return isinstance(values, Sequence) or bool(getattr(values, "ndim", 0))  # a NumPy array is no Sequence


def _ints(name: str, values: Any, rank: int) -> Ints:
    if type(values) is int:  # as nearly always
        return (values,) * rank
    if type(values) is tuple and {*map(type, values)} == {int}:
        return values
    try:
        return tuple(whole(name, value) for value in values) if _is_row(values) else (whole(name, values),) * rank
    except ProblemError:
        raise ProblemError(f"{name} is {values!r}: give a whole number, or one an axis") from None


def _pair(ends: Any) -> tuple[int, int]:
    pair = _ints("pads", ends, 2)
    if len(pair) != 2:
        raise ProblemError(f"pads has {len(pair)} ends on an axis: give one number, or a (begin, end) pair")
    return pair[0], pair[1]


def _axes(values: tuple[object, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else "x".join(map(str, values))


def _read(descriptor: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in descriptor.split():
        match = _WORD.fullmatch(word)
        if match is None or match[1] not in FIELDS:
            raise ProblemError(f"{word!r} in {descriptor!r} is not a field: the fields are {', '.join(FIELDS)}")
        name = FIELDS[match[1]]
        if name in found:
            raise ProblemError(f"{word!r} in {descriptor!r} gives {name} a second time: give it once")
        found[name] = _value(word, name, match[2])
    for name in ("input", "kernel"):
        if name not in found:
            raise ProblemError(f"{descriptor!r} has no {name}: a descriptor starts like 'i5x7 k3'")
    for name in PER_AXIS:
        values = found.get(name, (_DEFAULT[name],))
        found[name] = values * len(found["input"]) if len(values) == 1 else values
    return found


def _value(word: str, name: str, text: str) -> Any:
    """One word's value: a tuple for a field that has axes, (begin, end) pairs for pads, else a number."""
    if name == "bias":
        if text:
            raise ProblemError(f"{word!r}: bias takes no value")
        return True
    if name == "pads":
        if not _PAIRS.fullmatch(text):
            raise ProblemError(f"{word!r}: pads takes numbers or begin:end pairs joined by 'x'")
        return tuple((int(part.split(":")[0]), int(part.split(":")[-1])) for part in text.split("x"))
    if not _NUMBERS.fullmatch(text):
        raise ProblemError(f"{word!r}: {name} takes whole numbers joined by 'x'")
    values = tuple(map(int, text.split("x")))
    if name == "input" or name in PER_AXIS:
        return values
    if len(values) > 1:
        raise ProblemError(f"{word!r}: {name} takes a single number")
    return values[0]


def with_window(problem: Problem, window: Window) -> Problem:
    """The problem with another window, as pads alone."""
    return Problem.of(
        problem.input, problem.kernel, problem.stride, window, 0, problem.dilation,
        groups=problem.groups, in_channels=problem.in_channels, out_channels=problem.out_channels,
        batch=problem.batch, bias=problem.bias,
    )  # fmt: skip
