"""Numbers in place of what a call's text does not say: channels, a batch, extents, a kernel. No window depends on
channels and a batch."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from conformance import idioms, layout
from conformance.idioms._reading import Reading
from conformance.idioms.base import Refusal
from conformance.idioms.expression import Name
from conformance.idioms.names.meanings import MEANINGS
from conformance.idioms.weights.shapes import SIZES
from conformance.idioms.weights.views import whole_shape
from conformance.problem import Ints

CHANNELS = 4
"""Of a group, where they are not known."""

Extents = Sequence[int | None]
"""A shape, with None for an extent that is not known."""


@dataclass(frozen=True, slots=True)
class StandIns:
    """A call of so many spatial axes with numbers for the channels that are names; what was known of its tensors'
    shapes; the letters of each axis of x and of w; and what is not known, in words."""

    reading: Reading
    rank: int
    known: Mapping[str, Extents]
    data: Sequence[str]
    weight: Sequence[str]
    unknown: tuple[str, ...]
    channels: int = 0
    """Of x, where they are not known and the usual ones will not do."""

    @property
    def open_channels(self) -> bool:
        """Whether nothing says the channels of x, and something those of the answer."""
        return not self.channels and "x" not in self.known and "w" not in self.known and self.out > 0

    @property
    def out(self) -> int:
        """The channels of the answer, by an argument; 0 where none says them."""
        stated = next((self.reading.arguments[name] for name in of_role(self.reading, "out")), None)
        return stated if isinstance(stated, int) else 0

    @property
    def tells_weight(self) -> bool:
        """Whether the weight's shape follows from the arguments."""
        return bool(of_role(self.reading, "kernel")) or "scale" in self.reading.arguments

    @property
    def sized(self) -> bool:
        """Whether an argument is the size of the answer."""
        for name in (*SIZES, "output_size", "target_shape"):
            size = self.reading.arguments.get(name)
            parts = size if isinstance(size, list | tuple) else [] if size is None else [size]
            if parts and not any(isinstance(part, Name) for part in parts):
                return True
        return False

    @property
    def open_extents(self) -> bool:
        """Whether an extent of the input is not known."""
        extents = self.known.get("x")
        return extents is None or any(e is None for e, letter in zip(extents, self.data, strict=True) if letter == "k")

    @property
    def open_kernel(self) -> bool:
        """Whether the kernel is not known."""
        if "w" in self.known:
            return None in (e for e, letter in zip(self.known["w"], self.weight, strict=True) if letter == "k")
        kernel = next((self.reading.arguments[name] for name in of_role(self.reading, "kernel")), None)
        return isinstance(kernel, Name) if self.tells_weight else True

    def told(self, k: int) -> Reading:
        """The call with a kernel of this extent, where the argument for it is a name."""
        names = [name for name in of_role(self.reading, "kernel") if isinstance(self.reading.arguments[name], Name)]
        return replace(self.reading, arguments={**self.reading.arguments, **dict.fromkeys(names, (k,) * self.rank)})

    def shapes(self, i: int | Ints, k: int) -> dict[str, Any]:
        """The shapes of its tensors, where i and k stand for extents of the input and kernel that are not known; i may
        be all of the former."""
        groups, channels = _groups(self.reading), self._in()
        spatial = iter((i,) * self.rank if isinstance(i, int) else i)
        numbers = [{"n": _batch(self.reading), "c": channels, "k": next(spatial) if letter == "k" else 0}[letter]
                   for letter in self.data]  # fmt: skip
        given = self.known.get("x") or (None,) * len(numbers)
        x = tuple(number if e is None else e for e, number in zip(given, numbers, strict=True))
        shapes = {**self.known, "x": x}
        if self.reading.idiom.layer or ("w" not in self.known and self.tells_weight):
            return shapes
        channels = prod(extent for extent, letter in zip(x, self.data, strict=True) if letter == "c")
        out = self._out()
        extents = {"gi": channels, "i": channels // groups, "o": out, "go": groups * out, "k": k}
        weight = _filled(self.known.get("w"), self.weight, extents)
        turned = self.reading.view is not None and "w" not in self.known
        shapes["w"] = whole_shape(self.reading.view, weight) if turned and self.reading.view else weight
        return shapes

    def _in(self) -> int:
        """The channels of x, which an argument or the weight may say."""
        stated = next((self.reading.arguments[name] for name in of_role(self.reading, "in")), None)
        if isinstance(stated, int) and stated:
            return stated
        if self.channels:
            return self.channels
        weight = zip(self.known.get("w", ()), self.weight, strict=False)
        return next(
            (extent if letter == "gi" else extent * _groups(self.reading) for extent, letter in weight
             if extent and letter in ("gi", "i")), CHANNELS * _groups(self.reading),
        )  # fmt: skip

    def _out(self) -> int:
        """The out channels of a group, which the shape of the answer may say."""
        size = next((self.reading.arguments[name] for name in sorted(SIZES) if name in self.reading.arguments), None)
        told = isinstance(size, list | tuple) and len(size) == len(self.data) and "c" in self.data
        return size[list(self.data).index("c")] if told and size else CHANNELS

    def to_give(self, name: str) -> str:
        """The option that says what is not known of a tensor, as in "--shape w=3,3,None,None"."""
        letters = self.data if name == "x" else self.weight
        if name == "w" and (names := [n for n in of_role(self.reading, "kernel") if n in self.reading.arguments]):
            return f'--let "{self.reading.arguments[names[0]]}=3"'
        extents = ",".join({"x": "8", "w": "3"}[name] if letter == "k" else "None" for letter in letters)
        called = self.reading.tensors.get(name) or name
        return f"--shape {called if called.replace('.', '').isidentifier() else name}={extents}"


def stand_in(
    reading: Reading, of: Mapping[str, Any], rank: int, variant: str = "", dtype: str = "float32"
) -> StandIns:  # fmt: skip
    """A call on tensors of these shapes, in which None stands for an extent that is not known.

    Raises Refusal for a shape of another number of axes.
    """
    data, weight = layouts(reading, rank, variant, dtype)
    letters = {"x": spread(data, rank), "w": spread(weight, rank)}
    known = {name: extents for name, extents in of.items() if name in "xw" or None not in extents}
    for name, extents in known.items():
        if name == "x" and len(extents) != rank + 2:
            raise Refusal(f"x has {layout.counted(len(extents))}, {layout.axes_of(data, rank)}")
        if name == "w" and len(extents) != len(letters["w"]):
            if None in extents:
                raise Refusal(f"w has {layout.counted(len(extents))}, {layout.axes_of(weight, rank)}")
            letters["w"] = [""] * len(extents)  # which the claim refuses, or which is turned
    arguments, unknown = _told(reading, known, letters["x"])
    return StandIns(replace(reading, arguments=arguments), rank, known, letters["x"], letters["w"], unknown)


def layouts(reading: Reading, rank: int, variant: str = "", dtype: str = "float32") -> tuple[str, str]:
    """The layouts of a call's data and weight; where dimension numbers say them, those of its claim on arrays whose
    extents are all equal, which fit every layout."""
    arguments, (data, weight) = reading.arguments, (reading.idiom.data, reading.idiom.weight)
    spelt = arguments.get("data_format") or arguments.get("layout")
    if isinstance(spelt, str):
        return ("n c k" if spelt.lower() == "channels_first" or spelt.startswith("NC") else "n k c"), weight
    for extent in (CHANNELS, 4 * CHANNELS, 16 * CHANNELS) if "dimension_numbers" in arguments else ():
        shape = (extent * _groups(reading),) * (rank + 2)
        with suppress(Refusal, idioms.IdiomError):
            claim, _ = idioms.claim_of(replace(reading, view=None), {"x": shape, "w": shape}, variant, dtype)
            return claim.data, claim.weight
    return data, weight


def spread(axes: str, rank: int) -> list[str]:
    """The letters of each axis of a layout: "n c k" of two spatial ones is n, c, k, k."""
    return [letter for part in layout.groups(axes) for letter in [part] * (rank if part == "k" else 1)]


def of_role(reading: Reading, role: str) -> list[str]:
    """The names of a call's arguments of a role; tensors are none."""
    tensors = set(reading.idiom.tensors.values())
    return [name for name in sorted(MEANINGS[role]) if name in reading.arguments and name not in tensors]


def _groups(reading: Reading) -> int:
    given = next((reading.arguments[name] for name in of_role(reading, "groups")), 1)
    return given if isinstance(given, int) and given > 0 else 1


def _filled(known: Extents | None, letters: Sequence[str], extents: Mapping[str, int]) -> Ints:
    """A shape with numbers for what is not known of it."""
    given = known or [None] * len(letters)
    return tuple(extents[letter] if e is None else e for e, letter in zip(given, letters, strict=True))


def _told(
    reading: Reading, known: Mapping[str, Extents], data: Sequence[str]
) -> tuple[dict[str, Any], tuple[str, ...]]:  # fmt: skip
    """The arguments with numbers for channels that are names or formulas, and what those are."""
    arguments, unknown = dict(reading.arguments), []
    count, x = _groups(reading), known.get("x")
    channels = next((e for e, letter in zip(x or (), data, strict=False) if letter == "c" and e), CHANNELS * count)
    for role, number in (("in", channels), ("out", CHANNELS * count), ("groups", 1)):
        for name in of_role(reading, role):
            if isinstance(arguments[name], Name):
                unknown.append(f"{name} is {arguments[name]}")
                arguments[name] = number
    for name in sorted(SIZES):
        if isinstance(size := arguments.get(name), list | tuple) and len(size) == len(data):
            resolved = [*_resolved(size, known, data)]
            arguments[name] = type(size)(number for number, _ in resolved)
            unknown += [word for _, word in resolved if word]
    unknown += [f"{name} is {arguments[name]}" for name in of_role(reading, "kernel")
                if isinstance(arguments[name], Name)]  # fmt: skip
    return arguments, tuple(unknown)


def _resolved(size: Sequence[Any], known: Mapping[str, Extents], data: Sequence[str]) -> Iterator[tuple[Any, str]]:
    """The elements of a shape of the answer, each with what was not known: batch and channels are those of x and w."""
    batch = next((e for e, letter in zip(known.get("x", ()), data, strict=False) if letter == "n" and e), 1)
    out = known["w"][-2] if "w" in known else None
    for value, letter in zip(size, data, strict=True):
        if letter == "k" or not (isinstance(value, Name) or value in (None, -1)):
            yield value, ""
        elif letter == "n":
            yield batch, f"the batch is {value}"
        else:
            yield out or CHANNELS, f"the channels of the answer are {value}"


def _batch(reading: Reading) -> int:
    """The batch that a shape of the answer says; 1 where none does."""
    size = reading.arguments.get("output_shape")
    batch = size[0] if isinstance(size, list | tuple) and size else None
    return batch if isinstance(batch, int) and batch > 0 else 1
