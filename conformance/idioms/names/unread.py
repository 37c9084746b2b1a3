"""Why a text, or a call in it, is not read, and what to give instead."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from conformance.idioms import _source
from conformance.idioms._source import CONTAINERS, LIKE, Found
from conformance.idioms.expression import HOLE
from conformance.idioms.names.catalogue import Catalogue
from conformance.idioms.names.owners import COUNTERPARTS, OWNERS, of_slim

ORDINARY = re.compile(r"(?i)conv(olution)?_?[123]?d?")
"""Names of ordinary convolutions."""


def several(calls: Sequence[Found]) -> str:
    """That a text has more than one call."""
    names = ", ".join(f"{call.function} (line {call.line})" for call in calls)
    return f"{len(calls)} calls are in it: {names}: give one of them"


def unknown(catalogue: Catalogue, text: str) -> str:
    """Why there is no call of a framework in a text."""
    tree = _source.parse(text.strip())
    calls = {
        name: node for node in ast.walk(tree) if isinstance(node, ast.Call) and (name := _source.dotted(node.func))
    }
    if not calls:
        return catalogue.elsewhere(text.strip()) or (
            f"{text[:100]!r} is no call that {catalogue.framework} has: give one, such as {_example(catalogue, text)}"
        )
    name = next(filter(lambda name: LIKE.search(name), calls), "") or next(
        (name for name in calls if name.rpartition(".")[2] not in CONTAINERS), next(iter(calls))
    )
    resolved, call = _source.resolved(name, tree), calls[name]
    roots = {name.partition(".")[0] for name in catalogue.plain}
    passed_over = _source.passed_over(tree, catalogue.last_names, roots, lambda _: "")
    ways: Sequence[Callable[[], str]] = (
        lambda: of_slim(resolved, call),
        lambda: catalogue.elsewhere(resolved),
        lambda: next((reason for _, reason in passed_over if "is no function" not in reason), ""),
        lambda: _ordinary(catalogue, resolved, call),
        lambda: _applied(name, call),
        lambda: _instead(catalogue, name),
    )
    return next(filter(None, (way() for way in ways)))


def _example(catalogue: Catalogue, text: str) -> str:
    """A whole call: of the function that a text names without calling it, or of the first that the framework has."""
    last = text.strip().rpartition(".")[2]
    named = [(idiom, full) for idiom in catalogue.idioms for full in idiom.functions.values()
             if idiom.form == HOLE and full.rpartition(".")[2] == last]  # fmt: skip
    idiom, function = next(iter(named), (catalogue.idioms[0], catalogue.idioms[0].functions[2]))
    texts = (example.text for example in idiom.examples())
    return next((text for text in texts if text.partition("(")[0] == function), f"{function}(...)")


def _ordinary(catalogue: Catalogue, name: str, call: ast.Call) -> str:
    """What is to be said of an ordinary convolution, a pooling and the like."""
    last, framework = name.rpartition(".")[2], catalogue.framework
    gradient = next((idiom.form.replace(HOLE, f"{name}(z, w, ...)") for idiom in catalogue.idioms
                     if idiom.form != HOLE and any(full.endswith(f".{last}") for full in idiom.functions.values())
                     ), "")  # fmt: skip
    if gradient:
        return f"{name} is an ordinary convolution: give its gradient with respect to its input, such as {gradient}"
    if last not in catalogue.ordinary():
        return f"{name} is an ordinary convolution, and is not read" if ORDINARY.fullmatch(last) else ""
    words = ", ".join([*map(ast.unparse, call.args), *(ast.unparse(word) for word in call.keywords)])
    return (f"{name} is no transposed convolution: `conformance sizes {framework} "
            f'"[{ast.unparse(call.func)}({words})]"` says what it does to sizes')  # fmt: skip


def _applied(name: str, call: ast.Call) -> str:
    """What is to be said of a layer that is applied, and made elsewhere, or of a name that stands for a function."""
    root, _, last = name.rpartition(".")
    sized = next((ast.unparse(word) for word in call.keywords if word.arg == "output_size"), "")
    if sized or (root == "self" and last[:1].islower()):
        behind = f"(x, {sized})" if sized else "how it is applied, as in (x)"
        return f"{name} is a layer that is made elsewhere: give the line that makes it, followed by {behind}"
    if not root and last[:1].islower() and not LIKE.search(last) and len(call.args) > 1:
        return f"{name} stands for a function here: write the function itself"
    return ""


def _instead(catalogue: Catalogue, name: str) -> str:
    """The nearest function that the framework has, or all of them."""
    plain = {full for idiom in catalogue.idioms if idiom.form == HOLE for full in idiom.functions.values()}
    last = {function.rpartition(".")[2]: function for function in sorted(plain)}
    near = get_close_matches(name.rpartition(".")[2], last, 1, 0.5)
    hint = f": the nearest is {last[near[0]]!r}" if near else f": known are {', '.join(sorted(plain))}"
    wraps = "; if it wraps one of them, give that call" if LIKE.search(name) else ""
    return f"{catalogue.framework} has no idiom {name.rpartition('.')[2]!r}{hint}{wraps}"


def foreign(catalogue: Catalogue, name: str, call: ast.Call) -> str:
    """Why a function that has the last name of one of a framework's is not that one."""
    last, root = name.rpartition(".")[2], name.partition(".")[0]
    own = next((full for idiom in catalogue.idioms for full in idiom.functions.values() if full.endswith(f".{last}")),
               catalogue.idioms[0].functions[2])  # fmt: skip
    if root == "<this file>":
        return f"{last} is defined in this text, and is not {own}"
    if removed := of_slim(name, call):
        return removed
    owner = next(_owners(name, {**catalogue.owners(), **OWNERS}), "")
    if owner and owner != catalogue.framework:
        counterpart = COUNTERPARTS.get(owner, f"what is read here is {own}")
        return f"{name}: {root} is no module of {catalogue.framework}, but of {owner}: {counterpart}"
    return f"{name}: {catalogue.framework} has no function of this name: the nearest is {own!r}"


def _owners(name: str, owners: Mapping[str, str]) -> Iterator[str]:
    yield from (owners[part] for part in name.split(".") if part in owners)
