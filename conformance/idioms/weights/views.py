"""A weight that a call turns before it takes it: `w.flip([2, 3])`, `jnp.transpose(w, (1, 0, 2, 3))`, `w[..., ::-1]`.

The claim is then of w itself: its layout in the order that w has, and its taps reversed where the call reverses them.
"""

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conformance import layout
from conformance.idioms.base import Claim, Refusal
from conformance.problem import Ints

Order = list[tuple[int, bool]]
"""For each axis of what the call takes: the axis of w that it is, and whether it is reversed."""
Step = Callable[[Order], Order]

_PLAIN = re.compile(r"[A-Za-z_][\w.]*(\[(?!(None|newaxis)\])[\w\"']+\])*", re.ASCII)
"""A name, or what stands in it by a key or a number; a subscript that adds an axis is none."""
_KEPT = {"contiguous", "detach", "clone", "copy", "stop_gradient"}
_AXES = {"dims", "axis", "axes", "perm"}
_ARRAYS = ("np", "numpy", "jnp")
"""The names of modules whose functions of arrays take a framework's own, where that framework has them as well."""


@dataclass(frozen=True, slots=True)
class View:
    """A tensor that is turned: its name, the text that turns a tensor called w, and the steps, the first made first."""

    name: str
    text: str
    steps: tuple[Step, ...]

    def order(self, rank: int) -> Order:
        """Where each axis of the turned tensor comes from. Raises Refusal for steps that do not fit the axes."""
        order: Order = [(axis, False) for axis in range(rank + 2)]
        for step in self.steps:
            try:
                order = step(order)
            except (IndexError, TypeError, ValueError):
                raise Refusal(f"{self.text}: w has {rank + 2} axes") from None
        return order


def view_of(text: str, arrays: str) -> View | None:
    """The view that an expression is; None where it is a plain name, or no reordering or reversal of one.

    `arrays` is the module of the framework's functions of arrays.
    """
    if _PLAIN.fullmatch(text):
        return None
    steps: list[Step] = []
    try:
        turned = _turned(ast.parse(text, mode="eval").body, arrays, steps)
    except (SyntaxError, ValueError, TypeError, IndexError, RecursionError):
        return None
    return View(turned[0], turned[1], tuple(steps)) if steps else None


def is_plain(text: str) -> bool:
    """Whether a text names a tensor, and does nothing to it."""
    return bool(_PLAIN.fullmatch(text))


def _turned(node: ast.expr, arrays: str, steps: list[Step]) -> tuple[str, str]:
    """The name beneath, and the text with it called w. Raises ValueError for what is no view."""
    text = ast.unparse(node)
    if _PLAIN.fullmatch(text):
        return text, "w"
    if isinstance(node, ast.Subscript):
        name, inner = _turned(node.value, arrays, steps)
        steps.append(_sliced(node.slice))
        return name, f"{inner}[{ast.unparse(node.slice).strip('()')}]"
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        raise ValueError(text)
    function, owner = node.func.attr, ast.unparse(node.func.value)
    words = {str(word.arg): ast.literal_eval(word.value) for word in node.keywords}
    taken = owner in (arrays, *_ARRAYS, *_short(arrays))
    operand, rest = (node.args[0], node.args[1:]) if taken else (node.func.value, node.args)
    name, inner = _turned(operand, arrays, steps)
    values = [ast.literal_eval(arg) for arg in rest]
    if function not in _KEPT:
        steps.append(_step(function, values, words))
    given = ", ".join([*map(repr, values), *(f"{name}={value!r}" for name, value in words.items())])
    if not taken:
        return name, f"{inner}.{function}({given})"
    return name, f"{arrays}.{function}({', '.join(filter(None, [inner, given]))})"


def _short(arrays: str) -> tuple[str, ...]:
    """A module's names in code: that of its root's alias, and its last."""
    root, _, last = arrays.rpartition(".")
    return (f"{root[:2]}.{last}", last) if root else ()


def _step(function: str, values: Sequence[Any], words: dict[str, Any]) -> Step:
    if set(words) - _AXES:
        raise ValueError(function)
    values = [*values, *words.values()]
    axes = values[0] if len(values) == 1 and isinstance(values[0], tuple | list) else values
    if not all(isinstance(axis, int) for axis in axes):
        raise ValueError(function)
    if function in ("flip", "reverse"):
        return lambda order: _flipped(order, axes or range(len(order)))
    if function in ("transpose", "swapaxes") and len(axes) == 2:
        return lambda order: _swapped(order, *axes)
    if function in ("transpose", "permute"):
        return lambda order: _permuted(order, axes or range(len(order) - 1, -1, -1))
    raise ValueError(function)


def _flipped(order: Order, axes: Sequence[int]) -> Order:
    chosen = [range(len(order))[axis] for axis in axes]
    return [(axis, turned != (at in chosen)) for at, (axis, turned) in enumerate(order)]


def _swapped(order: Order, one: int, other: int) -> Order:
    order = list(order)
    order[one], order[other] = order[other], order[one]
    return order


def _permuted(order: Order, axes: Sequence[int]) -> Order:
    chosen = [range(len(order))[axis] for axis in axes]
    if sorted(chosen) != list(range(len(order))):
        raise ValueError(axes)
    return [order[axis] for axis in chosen]


def _sliced(node: ast.expr) -> Step:
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    ways = ["..." if ast.unparse(part) == "..." else _way(part) for part in parts]
    if ways.count("...") > 1:
        raise ValueError(ways)

    def step(order: Order) -> Order:
        missing = len(order) - (len(ways) - ways.count("..."))
        if missing < 0:
            raise IndexError(ways)
        at = ways.index("...") if "..." in ways else len(ways)
        full = [*ways[:at], *[":"] * missing, *ways[at + 1 :]]
        return _flipped(order, [axis for axis, way in enumerate(full) if way == "::-1"])

    return step


def _way(part: ast.expr) -> str:
    if isinstance(part, ast.Slice) and part.lower is None and part.upper is None:
        step = 1 if part.step is None else ast.literal_eval(part.step)
        if step in (1, -1):
            return ":" if step == 1 else "::-1"
    raise ValueError(ast.unparse(part))


def turned_shape(view: View, shape: Ints) -> Ints:
    """The shape that the call sees of w."""
    return tuple(shape[axis] for axis, _ in view.order(len(shape) - 2))


def whole_shape(view: View, seen: Ints) -> Ints:
    """The shape of w, of which the call sees this one."""
    order = view.order(len(seen) - 2)
    return tuple(extent for _, extent in sorted(zip([axis for axis, _ in order], seen, strict=True)))


def claim_of_whole(view: View, claim: Claim, shape: Ints) -> Claim:
    """The claim of w, of which the call takes a view. Raises Refusal where no layout with reversed taps says it."""
    rank = claim.problem.rank
    seen = [part for part in layout.groups(claim.weight) for _ in range(rank if part == "k" else 1)]
    order = view.order(rank)
    kernel = [axis for (axis, _), part in zip(order, seen, strict=True) if part == "k"]
    if kernel != list(range(kernel[0], kernel[0] + rank)):
        raise Refusal(f"{view.text}: the axes of the kernel are reordered or separated, which no layout expresses")
    turned = {axis for axis, reversed_ in order if reversed_ and shape[axis] > 1}
    if not turned <= set(kernel):
        raise Refusal(f"{view.text}: the channels are reversed, which no layout expresses")
    if turned and turned != {axis for axis in kernel if shape[axis] > 1}:
        raise Refusal(
            f"{view.text}: the kernel is reversed on some of its axes, and a claim is about all or none of them"
        )
    parts = dict(zip((axis for axis, _ in order), seen, strict=True))
    whole = [parts[axis] for axis in sorted(parts) if parts[axis] != "k" or axis == kernel[0]]
    written = (f"({' '.join(part)})" if len(part) > 1 else part for part in whole)
    return replace(claim, weight=" ".join(written), reversed=claim.reversed != bool(turned))
