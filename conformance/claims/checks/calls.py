"""Calls: what a framework's functions are named, which arguments they take, and what they make of them."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

from conformance.claims.checks.base import Bench, CheckError, Trial, check

Rows = Sequence[Mapping[str, Any]]


@check("exists", "named", "lane")
def names(bench: Bench, *, names: Mapping[str, Sequence[str]], called: str = "") -> Iterator[Trial]:
    """exists: whether a framework has something of a dotted name; named: whether that name holds `called`."""
    for name in names.get(bench.framework, ()):
        yield {"exists": _exists(bench, name), "named": called in name, "lane": bench.framework}


def _exists(bench: Bench, name: str) -> bool:
    try:
        _resolve(bench, name)
    except AttributeError:
        return False
    return True


def _resolve(bench: Bench, name: str) -> Any:
    root, *parts = name.split(".")
    if root not in bench.operators.NAMESPACE:
        known = ", ".join(bench.operators.NAMESPACE)
        raise CheckError(f"{name}: expressions on {bench.framework} begin with one of {known}")
    return reduce(getattr, parts, bench.operators.NAMESPACE[root])


@check("same", "holds_names", "true", "defaults")
def signature(
    bench: Bench, *, function: str, stated: Sequence[str], actual: Sequence[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> Iterator[Trial]:  # fmt: skip
    """same: whether a function's parameters are those stated, in their order; holds_names: whether all those are among
    them; true: whether they are those in `actual`; defaults: whether the defaults are as given.
    """  # fmt: skip
    parameters = dict(inspect.signature(_resolve(bench, function)).parameters)
    parameters.pop("self", None)
    names = list(parameters)
    wanted = defaults or {}
    right = all(_plain(parameters[name].default) == value for name, value in wanted.items() if name in parameters)
    yield {"same": names == list(stated), "holds_names": set(stated) <= set(names), "true": names == list(actual),
           "defaults": right and wanted.keys() <= parameters.keys()}  # fmt: skip


def _plain(default: Any) -> Any:
    """A default as TOML can say it: "" for None, lists for tuples."""
    if default is None:
        return ""
    return list(default) if isinstance(default, tuple) else default


@check("shared", "geometric")
def renamed(
    bench: Bench, *, function: str, renames: Mapping[str, str], other: Sequence[str], nine: Sequence[str]
) -> Iterator[Trial]:
    """shared: whether a parameter has its counterpart in another framework's list, under a new name if it has one;
    geometric: whether it is among some that are named.
    """  # fmt: skip
    names = set(inspect.signature(_resolve(bench, function)).parameters) - {"self", "kwargs"}
    mapped = {renames.get(name, name) for name in names}
    for name in sorted(mapped | set(other)):
        yield {"shared": name in mapped and name in other, "geometric": name in nine}


@check("same", "answered", "raised", "onednn")
def expressions(bench: Bench, *, rows: Rows, setup: str = "") -> Iterator[Trial]:
    """same: whether an expression gives the value in `gives`, or raises an error of the kind in `raises`; answered:
    whether it gave any. What else stands in a row is a number of its trial.
    """  # fmt: skip
    onednn = bench.lane.variant == "onednn"
    for row in rows:
        namespace = dict(bench.operators.NAMESPACE)
        exec(setup, namespace)  # text of our own, as in Idiom.program
        given = {name: value for name, value in row.items() if name not in ("text", "gives", "raises")}
        try:
            value = bench.operators.plain(eval(row["text"], namespace))  # as above
        except Exception as error:
            kinds = {kind.__name__ for kind in type(error).__mro__}
            same = row.get("raises", "none") in kinds
            if not isinstance(error, (*bench.adapter.REFUSALS, AttributeError, LookupError)) and not same:
                raise
            yield {**given, "same": same, "answered": False, "raised": type(error).__name__, "onednn": onednn}
            continue
        same = "raises" not in row and _comparable(value) == _comparable(row.get("gives", True))
        yield {**given, "same": same, "answered": True, "raised": "", "onednn": onednn}


def _comparable(value: Any) -> Any:
    """A value with its sequences as lists, whatever kind they are."""
    if isinstance(value, Mapping):
        return {name: _comparable(entry) for name, entry in value.items()}
    convert: Callable[[Any], Any] = list
    is_sequence = isinstance(value, Sequence) and not isinstance(value, str)
    return [_comparable(entry) for entry in convert(value)] if is_sequence else value
