"""Calls that prove a claim: arguments that are drawn, and neighbours of which one is refused and one is not."""

import ast
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from math import prod
from typing import Any

from conformance.idioms.base import ClaimedCall, Example, Idiom, Refusal


def edges(idiom: Idiom, read: Callable[[Example], ClaimedCall], count: int, step: int = 1) -> Iterator[Example]:
    """Up to `count` neighbours of an idiom's examples that cross a border: one number more or less, of an argument or
    an extent, and the call that was claimed to be answered is claimed to be refused, or the other way round."""
    return islice(_crossing(idiom, read, step), count)


def _crossing(idiom: Idiom, read: Callable[[Example], ClaimedCall], step: int) -> Iterator[Example]:
    seen: set[tuple[object, ...]] = set()
    for example in islice(idiom.examples(), 0, None, step):
        here = _side(read, example)
        for neighbour in neighbours(example) if here is not None else ():
            identity = (neighbour.text, *neighbour.shapes.items())
            if identity not in seen and _side(read, neighbour) not in (None, here):
                seen.add(identity)
                yield neighbour


def _side(read: Callable[[Example], ClaimedCall], example: Example) -> bool | None:
    """Whether a call is claimed to be refused; None where nothing is claimed."""
    try:
        return bool(read(example).claim.refused)
    except (Refusal, ValueError):
        return None


def neighbours(example: Example) -> Iterator[Example]:
    """The calls that differ from an example in one whole number, by one."""
    tree = ast.parse(example.text, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) is int:
            was = node.value
            for value in (was - 1, was + 1):
                node.value = value
                yield Example(ast.unparse(tree), example.shapes)
            node.value = was
    for name, shape in example.shapes.items():
        for at, extent in enumerate(shape):
            for value in range(max(extent - 1, 1), extent + 2):
                yield Example(example.text, {**example.shapes, name: (*shape[:at], value, *shape[at + 1 :])})


def draws(key: str, count: int, rank: int, axes: Mapping[str, Sequence[Any]], rest: Mapping[str, Sequence[Any]]) -> (
    Iterator[dict[str, Any]]
):  # fmt: skip
    """Up to `count` different picks, the same ones for a key: a tuple of `rank` for each of `axes`, one for each other.

    In 1-D all combinations are taken if there are no more than `count`.
    """
    choose = random.Random(key).random
    total = prod(map(len, axes.values())) ** rank * prod(map(len, rest.values()))
    seen: set[tuple[Any, ...]] = set()
    for _ in range(20 * count):
        if len(seen) >= min(count, total):
            return
        picked = {
            name: tuple(values[int(choose() * len(values))] for _ in range(rank)) for name, values in axes.items()
        }
        picked |= {name: values[int(choose() * len(values))] for name, values in rest.items()}
        identity = tuple(picked.values())
        if identity not in seen:
            seen.add(identity)
            yield picked
