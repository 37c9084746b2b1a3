"""From a text to an idiom with its arguments: which function it names, what they are called, and what is set aside."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from conformance.idioms import _source, expression
from conformance.idioms._dtypes import is_unsaid
from conformance.idioms._source import Found
from conformance.idioms.arithmetic import value_or_name
from conformance.idioms.base import Dialect, Idiom, Spelling
from conformance.idioms.expression import ASSUMED, ExpressionError, Invocation, Name, write
from conformance.idioms.names.catalogue import Catalogue
from conformance.idioms.names.meanings import AFTER, PLACE, SYMBOL, unfit
from conformance.idioms.names.parameters import bind, in_another_order
from conformance.idioms.names.unread import foreign, several, unknown
from conformance.idioms.weights.views import View, is_plain, view_of

Values = Mapping[str, Any]
"""Values of names and formulas, by their text."""


class IdiomError(ValueError):
    """A call that no idiom knows, or that cannot be read; the message says what can."""


TURNS = "transpose_kernel"
FLAGS = frozenset({"bias", "use_bias", "no_bias", TURNS})
"""Arguments that are True or False, of which people write a name."""
CHANNELS_OF_X = "channels_of_x"
"""The name of a number of channels that a layer takes from its first input."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A call that has been read: its idiom, its arguments by name with those that were written, its text in the words
    of the idiom, the names of its tensors by operand, and what was set aside."""

    idiom: Idiom
    function: str
    arguments: Mapping[str, Any]
    written: frozenset[str]
    text: str
    tensors: Mapping[str, str]
    aside: tuple[str, ...] = ()
    casts: tuple[str, ...] = ()
    line: int = 1
    view: View | None = None
    """How the call turns w before it takes it."""

    @property
    def last(self) -> str:
        """The function's own name."""
        return self.function.rpartition(".")[2]


def read(catalogue: Catalogue, text: str, given: Values) -> Reading:
    """The one call that stands in a text. Raises IdiomError where there is none, or more than one."""
    if reading := _formed(catalogue, text, given):
        return reading
    tree = _source.parse(text.strip())
    calls = tuple(_source.find(tree, catalogue.last_names))
    if len(calls) != 1:
        raise IdiomError(several(calls) if calls else unknown(catalogue, text))
    reading = resolve(catalogue, calls[0], given)
    if reading.text == text.strip():
        return reading
    whole = tree.body[0].value if isinstance(tree.body[0], ast.Expr) else None
    if whole in (calls[0].call, calls[0].outer) and ast.unparse(ast.parse(reading.text)) == ast.unparse(tree):
        return replace(reading, text=text.strip())  # it says all of it in these words already
    return reading


def read_all(catalogue: Catalogue, text: str, given: Values) -> Iterator[tuple[int, Reading | str]]:
    """Every call in a source text, with its line: what it is, or why it cannot be read."""
    tree = _source.parse(text)
    entries: list[tuple[int, Reading | str]] = []
    for call in _source.find(tree, catalogue.last_names):
        try:
            entries.append((call.line, resolve(catalogue, call, given)))
        except (IdiomError, ExpressionError) as error:
            entries.append((call.line, str(error)))
    roots = {name.partition(".")[0] for name in catalogue.plain}
    entries += _source.passed_over(tree, catalogue.last_names, roots, catalogue.elsewhere)
    yield from sorted(entries, key=lambda entry: entry[0])


def resolve(catalogue: Catalogue, call: Found, given: Values) -> Reading:
    """A found call as an idiom's. Raises IdiomError for a function that the framework has not, and ExpressionError
    for arguments that do not fit."""
    named = {part.id for part in ast.walk(call.call) if isinstance(part, ast.Name)} if call.defaults else ()
    assumed = {name: value for name, value in call.defaults.items() if name in named and name not in given}
    if assumed:
        reading = resolve(catalogue, replace(call, defaults={}), {**assumed, **given})
        said = [f"{ASSUMED}{name} is {value}, its default in {call.within}" for name, value in assumed.items()]
        return replace(reading, aside=(*reading.aside, *said))
    name = call.function.removeprefix("self.")
    entries = catalogue.plain.get(name)
    if entries is None:
        raise IdiomError(foreign(catalogue, call.function, call.call))
    invocation = _invocation(call.call, given, name)
    problem: ExpressionError | None = None
    for idiom, spelling in entries:
        try:
            return _bound(idiom, spelling, invocation, call, given, catalogue.dialect)
        except ExpressionError as error:
            old = ExpressionError(f"{name}: {spelling.otherwise}") if spelling and spelling.otherwise else None
            problem = problem or old or error
    assert problem is not None
    raise problem


def _invocation(call: ast.Call, given: Values, name: str) -> Invocation:
    for star in (*call.args, *call.keywords):
        if isinstance(star, ast.Starred) or (isinstance(star, ast.keyword) and star.arg is None):
            raise ExpressionError(f"{name}: {ast.unparse(star.value)!r} at line {star.lineno}, character "
                                  f"{star.col_offset + 1} unpacks arguments: write each of them out")  # fmt: skip
    words = [word.arg for word in call.keywords]
    if twice := next((word for at, word in enumerate(words) if word in words[:at]), None):
        raise ExpressionError(f"{name} gives {twice} twice: write it once")
    named = {str(word.arg): value_or_name(word.value, given) for word in call.keywords}
    return Invocation(name, tuple(value_or_name(arg, given) for arg in call.args), named)


def _bound(
    idiom: Idiom, spelling: Spelling | None, invocation: Invocation, call: Found, given: Values, dialect: Dialect
) -> Reading:  # fmt: skip
    aside: list[str] = []
    outer = Invocation("", (Name("x"),), {})
    if call.outer is not None and idiom.layer and not (spelling and spelling.applied):
        outer = _invocation(call.outer, given, invocation.function)
    elif call.outer is not None:
        raise IdiomError(f"{invocation.function} makes no layer, its result is not called: write one call")
    function = invocation.function
    if not spelling and (encoded := [encoding for encoding in _values(invocation) if isinstance(encoding, bytes)]):
        raise ExpressionError(f"{function}: {encoded[0]!r} is bytes: write a string")
    if spelling:
        invocation, outer = _modern(idiom, spelling, invocation, outer)
        aside.append(f"read as {invocation.function}")
    invocation = _with_variables(idiom, invocation)
    arguments, written = bind(idiom.signature_of(invocation.last), invocation)
    arguments |= _listed(idiom, function, arguments)
    invocation, flags = _assumed(idiom, invocation, arguments)
    aside += [f"{ASSUMED}{name}={arguments[name]} is {value}; --let {arguments[name]}={not value} says otherwise"
              for name, value in flags.items()]  # fmt: skip
    arguments |= flags
    aside += in_another_order(idiom, invocation)
    _require_tensors(idiom, function, arguments)
    invocation, view = _viewed(idiom, invocation, arguments, dialect)
    parts = [_call(idiom, invocation, arguments, aside)]
    tensors = {operand: _text(arguments[name]) for operand, name in idiom.tensors.items() if name in arguments}
    if idiom.layer:
        of_outer, _ = bind(idiom.outer, outer)
        _require_tensors(idiom, function, of_outer)
        arguments |= of_outer
        tensors |= {operand: _text(of_outer[name]) for operand, name in idiom.tensors.items() if name in of_outer}
        if call.outer is not None or (spelling and spelling.applied):
            parts.append(write("", *_renamed(idiom, idiom.outer, outer.positional),
                               **_renamed_words(idiom, outer.named)))  # fmt: skip
    aside += [f"around the call: {' '.join(call.around)}"] if call.around else []
    aside += [f"{operand} is {text}" for operand, text in sorted(tensors.items())
              if operand in "xwbz" and text and not is_plain(text) and not (view and operand == "w")]  # fmt: skip
    if view:
        tensors["w"] = view.name
    text = "".join(parts)
    names = {operand: name for operand, name in tensors.items() if name}
    return Reading(idiom, function, arguments, written, text, names, tuple(aside), call.casts, call.line, view)


def _with_variables(idiom: Idiom, invocation: Invocation) -> Invocation:
    """The invocation with the variables that a symbol makes by itself, all its tensors first; a call on arrays has
    to write them."""
    names = list(expression.signature(idiom.signature).parameters)
    given = {**dict(zip(names, invocation.positional, strict=False)), **invocation.named}
    missing = [name for name in idiom.variables(given) if name not in given]
    letters = {name: operand for operand, name in idiom.tensors.items()}
    if {"nd", "ndarray"} & {*invocation.function.split(".")}:
        if missing and letters[missing[0]] == "w":
            raise ExpressionError(f"{invocation.function}: {missing[0]} is missing: a symbol makes it by itself, and a "
                                  f"call on arrays does not: write {missing[0]}=w")  # fmt: skip
        return invocation
    if not missing or names[0] not in given:
        return invocation
    given |= {name: Name(letters[name]) for name in missing}
    first = max(len(invocation.positional), 1 + max(map(names.index, missing)))
    positional = tuple(given.pop(name, None) for name in names[:first])
    return replace(invocation, positional=positional, named=given)


def _require_tensors(
    idiom: Idiom, function: str, arguments: Mapping[str, Any], required: str = ""
) -> None:  # fmt: skip
    """Raises ExpressionError where a literal, or what `--let` gave, stands for a tensor, or None for a required one."""
    for operand, name in idiom.tensors.items():
        tensor = arguments.get(name)
        taken = Name if operand in required and name in arguments else Name | None
        if operand in "xwbz" and not isinstance(tensor, taken):
            raise ExpressionError(f"{function}: {name} is {tensor!r}, and takes a tensor: write its name, such as "
                                  f"{operand}")  # fmt: skip


def _listed(idiom: Idiom, function: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The tensors that a call lists by their names, as arguments of their own; "" stands for one that is not given."""
    tensors: dict[str, Any] = {}
    for parameter, letters in idiom.lists.items():
        names = arguments[parameter]
        if not isinstance(names, list | tuple) or not 1 <= len(names) <= len(letters) or not all(
            isinstance(name, str | Name) for name in names):  # fmt: skip
            example = ", ".join(f'"{letter}"' for letter in letters)
            raise ExpressionError(f"{function}: {parameter} is {names!r}: write the names out, as in [{example}]")
        tensors |= {letter: name if isinstance(name, Name) else Name(name)
                    for letter, name in zip(letters, names, strict=False) if name}  # fmt: skip
    return tensors


def _assumed(
    idiom: Idiom, invocation: Invocation, arguments: Mapping[str, Any]
) -> tuple[Invocation, dict[str, bool]]:  # fmt: skip
    """The invocation with a value for each name that stands for a flag of the bias, as `bias=use_bias`, and these.

    Raises ExpressionError for a name in place of a flag that changes more than the bias.
    """
    names = {name: value for name, value in arguments.items()
             if name in FLAGS and name not in idiom.tensors.values() and isinstance(value, Name)}  # fmt: skip
    if TURNS in names:
        raise ExpressionError(f"{invocation.function}: {TURNS} is {names[TURNS]}: give its value, as in --let "
                              f"{names[TURNS]}=True")  # fmt: skip
    has_bias = isinstance(arguments.get(idiom.tensors.get("b", "")), Name)
    values = {name: not has_bias if name == "no_bias" else True for name in names}
    by_text = {names[name].text: value for name, value in values.items()}
    positional = tuple(by_text.get(value.text, value) if isinstance(value, Name) else value
                       for value in invocation.positional)  # fmt: skip
    named = {name: values.get(name, value) for name, value in invocation.named.items()}
    return replace(invocation, positional=positional, named=named), values


def _viewed(
    idiom: Idiom, invocation: Invocation, arguments: Mapping[str, Any], dialect: Dialect
) -> tuple[Invocation, View | None]:  # fmt: skip
    """The invocation with w as a view, where the argument for it is one."""
    weight = arguments.get(idiom.tensors.get("w", ""))
    if not isinstance(weight, Name) or idiom.layer or (view := view_of(weight.text, dialect.arrays)) is None:
        return invocation, None
    turned = Name(weight.text, weight.at, view.text)
    positional = tuple(turned if value is weight else value for value in invocation.positional)
    named = {name: turned if value is weight else value for name, value in invocation.named.items()}
    return replace(invocation, positional=positional, named=named), view


def _values(invocation: Invocation) -> Iterator[Any]:
    yield from invocation.positional
    yield from invocation.named.values()


def _text(value: Any) -> str:
    """A tensor's name; empty where there is none, as for an optional one."""
    return value.text if isinstance(value, Name) else ""


def _modern(
    idiom: Idiom, spelling: Spelling, invocation: Invocation, outer: Invocation
) -> tuple[Invocation, Invocation]:
    """The idiom's own call for another function's."""
    arguments, written = bind(spelling.signature, invocation)
    ranks = [rank for rank, name in spelling.functions.items() if name.endswith(invocation.last)]
    renamed = {spelling.names.get(name, name): spelling.values(name, arguments[name])
               for name in expression.signature(spelling.signature).parameters
               if name in written and name != spelling.applied}  # fmt: skip
    if dropped := sorted(name for name in written if spelling.names.get(name, name) is None and arguments[name]):
        raise ExpressionError(f"{invocation.function}: {dropped[0]} is not read")
    named = {str(name): value for name, value in renamed.items() if name is not None}
    named = {spelling.of_x: Name(CHANNELS_OF_X), **named} if spelling.of_x else named
    positional = [named.pop(name) for name in _leading(idiom) if name in named]
    if spelling.applied:
        outer = Invocation("", (arguments[spelling.applied],), {})
    return Invocation(idiom.functions[ranks[0]], tuple(positional), named), outer


def _leading(idiom: Idiom) -> list[str]:
    """The parameters that people write without their names: the tensors that stand first in a function."""
    tensors = (idiom.tensors.get("x"), idiom.tensors.get("w"))
    parameters = expression.signature(idiom.signature).parameters
    return [] if idiom.layer else [*takewhile(lambda name: name in tensors, parameters)]


def _call(idiom: Idiom, invocation: Invocation, arguments: Mapping[str, Any], aside: list[str]) -> str:
    """The call in the idiom's words: full name, tensors by their letters, and without what is set aside."""
    ranks = [rank for rank, full in idiom.functions.items() if full.endswith(invocation.last)]
    signature = idiom.signature_of(invocation.last)
    parameters = expression.signature(signature).parameters
    positional: list[Any] = []
    for name, value in zip(parameters, _renamed(idiom, signature, invocation.positional), strict=False):
        dropped = _set_aside(idiom, name, value, aside)
        positional.append(parameters[name].default if dropped else value)
    named = {name: value for name, value in _renamed_words(idiom, invocation.named).items()
             if not _set_aside(idiom, name, value, aside)}  # fmt: skip
    return write(idiom.functions[ranks[0]], *positional, **named)


def _set_aside(idiom: Idiom, name: str, value: Any, aside: list[str]) -> bool:
    """Whether an argument is left out of the text; that it cannot change the answer is said in any case."""
    if name in idiom.dtypes and is_unsaid(value):
        aside.append(f"{name}={value}: taken to be the dtype of x")
        return True
    reason = idiom.aside.get(name)
    if reason is None or value == expression.signature(idiom.signature).parameters[name].default:
        return False
    if words := unfit(name, value, reason):
        raise ExpressionError(f"{name} is {value!r}: it takes {words}")
    aside.append(f"{name}={value!r}: {reason}")
    return name not in idiom.tensors.values() and (reason in (AFTER, PLACE, SYMBOL) or _opaque(value))


def _opaque(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_opaque, value))
    return isinstance(value, Name)


def _renamed(idiom: Idiom, signature: str, positional: Sequence[Any]) -> list[Any]:
    names = list(expression.signature(signature).parameters)
    return [_letter(idiom, name, value) for name, value in zip(names, positional, strict=False)]


def _renamed_words(idiom: Idiom, named: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _letter(idiom, name, value) for name, value in named.items()}


def _letter(idiom: Idiom, name: str, value: Any) -> Any:
    """A tensor's letter for its name, and a list of them for one of names."""
    if name in idiom.lists and isinstance(value, list | tuple):
        return [letter for letter, given in zip(idiom.lists[name], value, strict=False) if given]
    letter = next((operand for operand, parameter in idiom.tensors.items() if parameter == name), None)
    return Name(value.view or letter) if letter and isinstance(value, Name) else value


def _formed(catalogue: Catalogue, text: str, given: Values) -> Reading | None:
    """The call in a form such as a gradient's; None where the text is of none."""
    if not any(form in text for form in _source.FORMS):
        return None
    stripped = text.strip()
    for idiom, form, names in catalogue.formed:
        invocation = expression.parse(stripped, form)
        if invocation is None or invocation.function not in names:
            continue
        arguments, written = bind(idiom.signature, invocation)
        _require_tensors(idiom, invocation.function, arguments, "xwz")
        aside: list[str] = []
        for name in written:
            if _set_aside(idiom, name, arguments[name], aside):
                raise IdiomError(
                    f"{invocation.function}: {name} is {arguments[name]}: {idiom.aside[name]}, leave it out"
                )
        tensors = {operand: _text(arguments.get(name, Name(operand))) for operand, name in idiom.tensors.items()}
        renamed = _of_form(invocation.function, tensors, expression.variables(stripped, form))
        ranks = [full for full in idiom.functions.values() if full.endswith(invocation.last)]
        text = expression.rename(stripped, {invocation.function: ranks[0], **renamed})
        return Reading(idiom, invocation.function, arguments, written, text, tensors, tuple(aside))
    return None


def _of_form(function: str, tensors: dict[str, str], variables: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The operands by their names, those outside of the call included. Raises IdiomError for another gradient."""
    given, of, *again = variables["x"][0], *variables["z"]
    if of != tensors["z"]:
        raise IdiomError(f"{function}: the gradient is with respect to {of}, and the input is {tensors['z']}: only the "
                         "gradient with respect to the input is a transposed convolution")  # fmt: skip
    if given in {tensors["z"], tensors["w"], *again} or tensors["w"] in again:
        raise IdiomError(f"{function}: one name stands for two tensors, of {given}, {tensors['z']} and {tensors['w']}: "
                         "give each tensor a name of its own")  # fmt: skip
    tensors["x"] = given
    return {**{name: operand for operand, name in tensors.items() if name}, **dict.fromkeys(again, "z")}


def parts(idiom: Idiom, text: str) -> tuple[str, str]:
    """A layer's construction and the arguments of its call, as text; all of the text for a function."""
    if not idiom.layer or ")(" not in text:
        return text, "x" if idiom.layer else ""
    tree = ast.parse(text, mode="eval").body
    assert isinstance(tree, ast.Call)
    if not isinstance(tree.func, ast.Call):
        return text, "x"
    words = [*map(ast.unparse, tree.args), *(f"{word.arg}={ast.unparse(word.value)}" for word in tree.keywords)]
    return ast.unparse(tree.func), ", ".join(words)
