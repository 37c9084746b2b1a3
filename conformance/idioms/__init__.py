"""The catalogue of idioms: every module in the folder `catalogue` is a framework's, and needs none installed.

read("torch", "F.conv_transpose2d(x, w, stride=2)", {"x": (1, 2, 5, 7), "w": (2, 3, 3, 3)})
"""

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from conformance.idioms import _reading, _source
from conformance.idioms._dtypes import require_dtype
from conformance.idioms._reading import IdiomError, Reading, Values
from conformance.idioms._words import Words
from conformance.idioms.base import (
    FLOAT32,
    Claim,
    ClaimedCall,
    Dialect,
    Idiom,
    Refusal,
    Shapes,
    Use,
    engine,
    how_to_give,
)
from conformance.idioms.expression import Name
from conformance.idioms.names.catalogue import Catalogue
from conformance.idioms.sizes.windows import windows
from conformance.idioms.weights.shapes import derived, shapes_for, with_sizes
from conformance.idioms.weights.taken import with_numbers
from conformance.idioms.weights.views import claim_of_whole, turned_shape

__all__ = [
    "IdiomError",
    "Point",
    "Reading",
    "Refusal",
    "accepted",
    "dialect",
    "framework_of",
    "frameworks",
    "has_ordinary",
    "idioms",
    "idioms_of",
    "no_idiom",
    "point",
    "read",
    "read_all",
    "reading",
    "shapes_for",
    "stands_in",
    "windows",
    "words",
]


ALIASES = {"tflite": "tfl", "litert": "tfl"}
"""Other names of modules, as lanes and people have them."""


@cache
def frameworks() -> tuple[str, ...]:
    """Names of the frameworks that have idioms, sorted."""
    return tuple(sorted(path.stem for path in Path(__file__).with_name("catalogue").glob("[a-z]*.py")))


@cache
def idioms(framework: str) -> tuple[Idiom, ...]:
    """A framework's idioms, the preferred ones first. Raises IdiomError for an unknown framework."""
    if framework not in frameworks():
        raise IdiomError(f"there is no framework {framework!r}{_hint(framework)}: give one of {accepted()}")
    catalogued: tuple[Idiom, ...] = importlib.import_module(f"{__name__}.catalogue.{framework}").IDIOMS
    return catalogued


def accepted() -> str:
    """The names that stand for frameworks, in words."""
    modules = sorted({*owners(), *ALIASES} - {*frameworks()})
    return (f"the frameworks {', '.join(frameworks())}, or of the modules {', '.join(modules)} and those within them, "
            "such as keras.layers")  # fmt: skip


def no_idiom(framework: str, name: str, what: str, able: Sequence[str]) -> IdiomError:
    """The error for a name that is no idiom's; that of one of its claims, as a meaning has it, says which idiom."""
    own = name.partition("/")[0]
    step = f"this is a claim of {own}: give {own}" if own in able else f"those are {', '.join(able)}"
    return IdiomError(f"{framework} has no idiom {name!r} {what}: {step}")


def framework_of(name: str) -> str:
    """The framework of a name, which may be a module's, such as keras. Raises IdiomError for any other."""
    name = ALIASES.get(name, name)
    framework = name if name in frameworks() else owners().get(name.partition(".")[0], name)
    if "." in name and framework in frameworks() and name not in _modules(framework):
        near = get_close_matches(name, _modules(framework), 1)
        hint = f", the nearest is {near[0]!r}" if near else ""
        raise IdiomError(f"no call of a module {name!r} is read{hint}: those of {framework} are "
                         f"{', '.join(_modules(framework))}")  # fmt: skip
    idioms(framework)
    return framework


def _modules(framework: str) -> list[str]:
    """The modules, with those they are in, of the functions that a framework's idioms call, sorted."""
    names = {
        name for idiom in idioms(framework) for name in idiom.functions.values() if name.replace(".", "").isidentifier()
    }
    return sorted(
        {".".join(parts[:count]) for name in names for parts in [name.split(".")] for count in range(1, len(parts))}
    )


def idioms_of(name: str) -> tuple[Idiom, ...]:
    """The idioms that a name stands for: a framework's, but for those that stand apart, or those of a module of it
    alone, such as keras, if it has any.

    Raises IdiomError for any other name.
    """
    name = ALIASES.get(name, name)
    framework = framework_of(name)
    own = [idiom for idiom in idioms(framework)
           if any(called.startswith(f"{name}.") for called in idiom.functions.values())]  # fmt: skip
    if name != framework and own:
        return tuple(own)
    return tuple(idiom for idiom in idioms(framework) if not idiom.apart)


def _hint(name: str) -> str:
    """Where a name that is no framework's may belong, such as keras."""
    if owner := owners().get(name):
        return f", it is among the idioms of {owner!r}"
    if inner := [each for other in frameworks() for each in _modules(other) if each.endswith(f".{name}")]:
        return f", the module's whole name is {inner[0]!r}"
    near = get_close_matches(name, {*frameworks(), *owners()}, 1)
    return f", the nearest is {near[0]!r}" if near else ""


def dialect(framework: str, dtype: str = "", variant: str = "") -> Dialect:
    """How a framework says what stands around a call; in bfloat16, operands and answers are arrays of float32."""
    idioms(framework)
    of_framework: Dialect = importlib.import_module(f"{__name__}.catalogue.{framework}").DIALECT
    of_framework = replace(of_framework, imports=(*of_framework.imports, *engine(of_framework.engines, variant)))
    if dtype != "bfloat16":
        return of_framework
    to, back = of_framework.bfloat16
    return replace(of_framework, tensor=to.format(of_framework.tensor), array=of_framework.array.format(back))


def words(framework: str) -> Words | None:
    """How a framework says a problem that need not be valid; None where no call is made unchecked."""
    idioms(framework)
    of_framework: Words | None = getattr(importlib.import_module(f"{__name__}.catalogue.{framework}"), "WORDS", None)
    return of_framework


def reading(framework: str, text: str, given: Values | None = None) -> Reading:
    """The one call that stands in a text, by its idiom and with its arguments; `given` are values of names in it.

    Raises ExpressionError for text that is no call, and IdiomError for a call that no idiom of the framework knows.
    """
    return _reading.read(_catalogue(framework), text, given) if given else _known(framework, text)


@lru_cache(maxsize=2**13)  # a catalogue asks for each text with several shapes, and in each variant
def _known(framework: str, text: str) -> Reading:
    return _reading.read(_catalogue(framework), text, {})


def read_all(framework: str, text: str, given: Values | None = None) -> Iterator[tuple[int, Reading | str]]:
    """Every call in a source text, with its line; the reason for one that cannot be read."""
    return _reading.read_all(_catalogue(framework), text, given or {})


def stands_in(name: str, text: str) -> bool:
    """Whether an expression stands in a text as a part of it."""
    return _source.stands_in(name, text)


@cache
def _catalogue(framework: str) -> Catalogue:
    return Catalogue(framework, idioms(framework), dialect(framework), owners, lambda: {
        other: _catalogue(other) for other in frameworks() if other != framework}, lambda: _ordinary(framework)
    )  # fmt: skip


def _ordinary(framework: str) -> frozenset[str]:
    """The last names of a framework's layers and functions of which sizes alone are known."""
    if not has_ordinary(framework):
        return frozenset()
    module = importlib.import_module(f"{__name__}.ordinary.{framework}")
    functions = {full for layer in module.LAYERS for full in layer.idiom.functions.values()}
    return frozenset(full.rpartition(".")[2] for full in functions)


def has_ordinary(framework: str) -> bool:
    """Whether ordinary layers of a framework are read by their sizes."""
    return Path(__file__).with_name("ordinary").joinpath(f"{framework}.py").exists()


def owners() -> dict[str, str]:
    """Every framework by the first parts of its functions' names."""
    return {root: name for name in frameworks() for root in dialect(name).roots}


def read(
    framework: str, text: str, shapes: Shapes, variant: str = "", *, dtype: str = FLOAT32, given: Values | None = None
) -> ClaimedCall:
    """The call in an expression with its claim. `shapes` are of its tensors, by the names they have there, or by the
    letters x, w, b and z; a layer's input is x.

    Raises what `reading` raises, and Refusal where the arguments say no problem, so that no shape of an answer could be
    named.
    """
    return point(reading(framework, text, given), shapes, variant, dtype)


def point(reading: Reading, shapes: Shapes, variant: str = "", dtype: str = FLOAT32) -> ClaimedCall:
    """A call that has been read, on tensors of these shapes, with its claim."""
    reading = with_sizes(reading, operands(reading, shapes))
    claim, of = claim_of(reading, shapes, variant, dtype)
    inner, outer = _reading.parts(reading.idiom, reading.text)
    return ClaimedCall(reading.idiom, reading.text, of, claim, inner, outer, reading.arguments, reading.written,
                 aside=reading.aside, variant=variant)  # fmt: skip


def claim_of(reading: Reading, shapes: Shapes, variant: str, dtype: str) -> tuple[Claim, Shapes]:
    """The claim of a call that has been read, and the shapes of its operands."""
    idiom, of = reading.idiom, operands(reading, shapes)
    reading = with_numbers(reading, of)
    rank = rank_of(reading, of)
    of = derived(reading, of, rank)
    for operand in ("x",) if idiom.layer else ("x", "w", "z")[: 2 + ("z" in idiom.tensors)]:
        if operand not in of:
            name = reading.tensors.get(operand) or operand
            name = name if name.replace(".", "").isidentifier() else operand
            raise IdiomError(f"{reading.function}: the shape of {name} is missing: give it, as in "
                             f"--shape {name}={'1,8,5,7' if operand == 'x' else '8,4,3,3'}")  # fmt: skip
    seen = {name: shape for name, shape in of.items() if name != "b"}
    if reading.view and "w" in of:
        seen["w"] = turned_shape(reading.view, of["w"])
    use = Use(rank, reading.arguments, seen, variant, dtype)
    require_plain(reading, dtype)
    try:
        claim = idiom.read(use)
    except TypeError as error:
        raise IdiomError(f"{reading.function}: an argument is of a type that it cannot have: {error}") from error
    except Refusal as reason:
        raise Refusal(f"{reason}{_unsaid(reading, str(reason))}") from None
    biases = claim.problem.groups * claim.problem.out_channels
    if "b" in of and of["b"] != (biases,):
        raise Refusal(f"b {of['b']} is not one number for each of the {biases} channels of the answer")
    if reading.view and "w" in of:
        claim = claim_of_whole(reading.view, claim, of["w"])
    return claim, {name: of[name] for name in use.shapes}


def _unsaid(reading: Reading, reason: str) -> str:
    """How a value can be given that a refusal names, and that the text does not say."""
    listed = "".join(reading.idiom.lists.values())
    reviewed = {*reading.idiom.tensors.values(), *reading.idiom.aside, *listed}
    values = (value for name, value in reading.arguments.items() if name not in reviewed)
    parts = (part for value in values for part in (value if isinstance(value, list | tuple) else [value]))
    unsaid = next((part for part in parts if isinstance(part, Name) and _named(part.text, reason)), None)
    extents = re.search(r"it takes (\d) extents", reason)
    if unsaid is None or "--let" in reason:
        return ""
    if strings := re.findall(r'"([\w-]+)"', reason.partition("it takes ")[2]):
        if unsaid.text in strings:
            return f', and {unsaid} stands there without quotes: write "{unsaid}"'
        return f", and the text does not say the value of {unsaid}: give it by --let '{unsaid}=\"{strings[0]}\"'"
    return how_to_give(unsaid, f"({', '.join('1888888'[: int(extents[1])])})" if extents else "2")


def _named(name: str, reason: str) -> bool:
    """Whether a name stands in a reason as a word of its own."""
    return re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", reason) is not None


def operands(reading: Reading, shapes: Mapping[str, Any]) -> dict[str, Any]:
    """Shapes by the letters of the operands. Raises IdiomError for the shape of what is no tensor of the call."""
    letters = {name: operand for operand, name in reading.tensors.items() if operand in "xwbz"}
    letters |= {operand: operand for operand in reading.tensors if operand in "xwbz" and operand not in letters}
    if unknown := [name for name in shapes if name not in letters]:
        raise IdiomError(f"{unknown[0]} is no tensor of this call, {reading.function}: those are {', '.join(letters)}")
    return {letters[name]: shape for name, shape in shapes.items()}


def require_plain(reading: Reading, dtype: str) -> None:
    """Raises Refusal for an argument that would make another operation of it, or another dtype."""
    for name, values in reading.idiom.only.items():
        if (value := reading.arguments.get(name, values[0])) not in values:
            raise Refusal(f"{name} is {value!r}: it takes {' or '.join(map(repr, values))} here, anything else is "
                          "another operation")  # fmt: skip
    for name in reading.idiom.dtypes:
        require_dtype(name, reading.arguments.get(name), dtype)


def rank_of(reading: Reading, shapes: Mapping[str, Any]) -> int:
    """How many spatial axes a call has: by its function, else by the shape of x, else by its kernel."""
    last = reading.last if reading.last in _lasts(reading.idiom) else reading.text.partition("(")[0].rpartition(".")[2]
    ranks = [rank for rank, name in reading.idiom.functions.items() if name.rpartition(".")[2] == last]
    ranks = ranks or list(reading.idiom.functions)
    if len(ranks) == 1:
        return ranks[0]
    if "x" not in shapes and (told := next((rank for rank in _told_ranks(reading) if rank in ranks), 0)):
        return told
    rank = len(shapes.get("x") or (0,) * 4) - 2
    if rank not in ranks:
        raise IdiomError(f"{reading.function} of {rank} spatial axes: it takes {', '.join(map(str, ranks))}")
    return rank


def _told_ranks(reading: Reading) -> Iterator[int]:
    """How many spatial axes the lengths of arguments say."""
    for name, more in (("kernel_size", 0), ("kernel", 0), ("kernel_shape", 0), ("output_shape", 2), ("input_sizes", 2)):
        if isinstance(sequence := reading.arguments.get(name), list | tuple):
            yield len(sequence) - more
    numbers = reading.arguments.get("dimension_numbers")
    if isinstance(numbers, list | tuple) and numbers and isinstance(numbers[0], str):
        yield len(numbers[0]) - 2
    if "dimension_numbers" in reading.arguments:  # whose strides are of the spatial axes alone
        yield from (len(s) for name in ("strides", "window_strides") if isinstance(
            s := reading.arguments.get(name), list | tuple))  # fmt: skip


def _lasts(idiom: Idiom) -> set[str]:
    return {name.rpartition(".")[2] for name in idiom.functions.values()}
