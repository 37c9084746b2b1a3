"""Predicates over problems, such as `rank <= 2 and any(stride > dilation)`: parsed, never evaluated as Python.

Outside an aggregate only whole-problem fields have a value; inside `any`, `all`, `min`, `max`, `sum` or `prod` a field
with axes stands for its value on one axis, and the aggregate runs over the axes. With `where` it runs over the axes of
which a condition holds, as in NumPy: `prod(input, where=kernel != 2) < prod(kernel, where=kernel != 2)` leaves out
every axis with a kernel of 2. `first` and `last` are whether an axis is the first one, such as depth, or the last one,
along which memory runs. `in` asks for one of a text's words, never for a part of one. A record's dtype, variant,
framework and pass are fields too, the verdict that an idiom claims for it, the fault of a negative case, and the
property that is checked; each is empty where there is none.
"""

import ast
import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from math import prod
from typing import Any

from conformance.problem import Problem

SCALARS = ("rank", "batch", "groups", "in_channels", "out_channels", "bias", "terms", "multiplies")
AXES = ("input", "kernel", "stride", "dilation", "output_padding", "effective_kernel", "full", "output")
ENDS = {"pad_begin": ("pads", 0), "pad_end": ("pads", 1), "lo": ("window", 0), "hi": ("window", 1)}
FIRST, LAST = "first", "last"
RUN = ("framework", "variant", "dtype", "direction", "claimed", "fault", "checked")
_NO_RUN = dict.fromkeys(RUN, "")
AGGREGATES: Mapping[str, Callable[[Iterable[Any]], Any]] = {
    "any": any, "all": all, "min": min, "max": max, "sum": sum, "prod": prod,
}  # fmt: skip
LONGEST = 1000

_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt,
    ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.In: lambda word, words: word in _words(words), ast.NotIn: lambda word, words: word not in _words(words),
}  # fmt: skip
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv,
}  # fmt: skip

Values = Mapping[str, Any]
Meaning = Callable[[Values, int | None], Any]


class PredicateError(ValueError):
    """An expression that is no predicate; the message quotes the part and says what is allowed."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition on a problem and on how it is run."""

    text: str
    _meaning: Meaning

    @classmethod
    def parse(cls, text: str) -> "Predicate":
        """The predicate that `text` spells. Raises PredicateError for anything else, whatever it contains."""
        text = " ".join(text.split())
        return cls(text, _compile(_parse(text), inside=False))

    def __call__(self, problem: Problem, **run: str) -> bool:
        """Whether it holds for a problem that is run with this framework, variant, dtype, direction and claim."""
        try:
            return bool(self._meaning(_Values(problem, {**_NO_RUN, **run}), None))
        except (ArithmeticError, TypeError, ValueError) as error:  # such as rank % 0, or min(...) of text
            raise PredicateError(f"{self.text!r} has no value for '{problem}': {error}") from None


def relation(text: str, names: Collection[str]) -> Callable[[Values], Any]:
    """The same language over numbers of any other names, such as `o == (i - 1)*s + k`; no aggregates.

    Raises PredicateError for anything else.
    """
    _, meaning = compile_relation(" ".join(text.split()), names)
    return lambda values: meaning(values, None)


def compile_relation(text: str, names: Collection[str]) -> tuple[ast.expr, Meaning]:
    """A relation over some names as it is parsed, and its meaning. Raises PredicateError for anything else."""
    tree = _parse(text)
    return tree, _compile(tree, inside=True, field=lambda name, *, inside: _named(name, names))


def _named(name: str, names: Collection[str]) -> Meaning:
    if name not in names:
        raise PredicateError(f"there is no name {name!r} here: the names are {', '.join(sorted(names))}")
    return lambda values, axis: values[name]


def _parse(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise PredicateError(f"{text[:40]!r}...: a predicate has at most {LONGEST} characters, this has {len(text)}")
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise PredicateError(f"{text!r}: not an expression, such as 'any(stride > kernel) and groups == 1'") from None


class _Values(dict[str, Any]):
    """Fields by name, each computed when it is asked for: some take long on problems that nobody would run."""

    def __init__(self, problem: Problem, run: Values) -> None:
        super().__init__(run)
        self._problem = problem

    def __missing__(self, name: str) -> Any:
        if name not in ENDS:
            return self.setdefault(name, getattr(self._problem, name))
        field, end = ENDS[name]
        return self.setdefault(name, [ends[end] for ends in getattr(self._problem, field)])


def _compile(node: ast.expr, *, inside: bool, field: Callable[..., Meaning] | None = None) -> Meaning:
    """A node as a function of the values and of the axis that an aggregate is at; `field` gives a name its meaning."""

    def compiled(node: ast.expr, *, inside: bool = inside) -> Meaning:
        return _compile(node, inside=inside, field=field)

    match node:
        case ast.Constant(value=bool() | int() | str() as value):
            return lambda values, axis: value
        case ast.Name(id=name):
            return (field or _field)(name, inside=inside)
        case ast.BoolOp(op=op, values=operands):
            parts = [compiled(operand) for operand in operands]
            every = all if isinstance(op, ast.And) else any
            return lambda values, axis: every(part(values, axis) for part in parts)
        case ast.UnaryOp(op=ast.Not() | ast.USub() as op, operand=operand):
            part = compiled(operand)
            apply = operator.not_ if isinstance(op, ast.Not) else operator.neg
            return lambda values, axis: apply(part(values, axis))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _binary(_ARITHMETIC[type(op)], compiled(left), compiled(right))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
            return _binary(_COMPARE[type(op)], compiled(left), compiled(right))
        case ast.Call(func=ast.Name(id=name), args=[body], keywords=keywords) if name in AGGREGATES and not inside:
            where = compiled(_condition(name, keywords), inside=True)
            return _aggregate(AGGREGATES[name], compiled(body, inside=True), where)
    raise PredicateError(
        f"{ast.unparse(node)!r} is not allowed here: use fields, whole numbers, strings, + - * // %, one comparison or "
        f"`in` at a time, and/or/not, and {', '.join(AGGREGATES)} around fields of an axis, with where=CONDITION"
    )


def _condition(name: str, keywords: list[ast.keyword]) -> ast.expr:
    """Of which axes an aggregate is: all of them, or those that its `where` says."""
    match keywords:
        case []:
            return ast.Constant(True)
        case [ast.keyword(arg="where", value=condition)]:
            return condition
    raise PredicateError(f"{name}(...) takes an expression and where=CONDITION, and nothing else: fix it")


def _aggregate(apply: Callable[[Iterable[Any]], Any], body: Meaning, where: Meaning) -> Meaning:
    return lambda values, axis: apply(body(values, at) for at in range(values["rank"]) if where(values, at))


def _words(value: Any) -> list[str]:
    """A text's words: what is asked for must be one of them, and not a part of one."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} has no words")
    return value.split()


def _number(value: Any) -> Any:
    """A value to reckon with: text times a number would be text of any length."""
    if isinstance(value, str):
        raise TypeError(f"{value[:40]!r} is no number")
    return value


def _binary(apply: Callable[[Any, Any], Any], a: Meaning, b: Meaning) -> Meaning:
    if apply in _ARITHMETIC.values():
        return lambda values, axis: apply(_number(a(values, axis)), _number(b(values, axis)))
    return lambda values, axis: apply(a(values, axis), b(values, axis))


def _field(name: str, *, inside: bool) -> Meaning:
    if name in (*SCALARS, *RUN):
        return lambda values, axis: values[name]
    if name not in (*AXES, *ENDS, FIRST, LAST):
        known = (*SCALARS, *RUN, *AXES, *ENDS, FIRST, LAST)
        near = get_close_matches(name, known, 1)
        raise PredicateError(f"there is no field {name!r}{f', the nearest is {near[0]!r}' if near else ''}: "
                             f"the fields are {', '.join(known)}")  # fmt: skip
    if not inside:
        raise PredicateError(f"{name!r} has one value an axis: put it inside any(...), all(...), min(...) or the like")
    if name == FIRST:
        return lambda values, axis: axis == 0
    if name == LAST:
        return lambda values, axis: axis == values["rank"] - 1
    return lambda values, axis: values[name][axis]
