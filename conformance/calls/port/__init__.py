"""One framework's call as another's: the code that does the same, and what has to be done around the call.

Two claims are composed. The source's says which problem its call means; of the target's calls that say a problem, the
one is taken that says it with the fewest steps of our own around it. Where a step is needed, the problem is reduced to
one that the target can say: the bias is added afterwards, the window cropped, the kernel stretched by zeros, or the
groups are taken one by one.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from conformance import adapters, idioms, layout
from conformance.calls.port import code
from conformance.calls.port.reductions import Reduction
from conformance.calls.port.reductions import reductions as reductions
from conformance.idioms import Reading, expression
from conformance.idioms.base import Claim, ClaimedCall, Idiom, Refusal, Shapes, engine, with_window
from conformance.idioms.expression import ASSUMED
from conformance.idioms.names.meanings import aside_lines
from conformance.idioms.sizes.legal import too_large
from conformance.idioms.weights.shapes import SIZES
from conformance.layout import Ints
from conformance.problem import Problem, Window


class PortError(ValueError):
    """A call that cannot be ported, since a framework refuses it or has no code for it; the message says why, and what
    comes nearest."""


@dataclass(frozen=True, slots=True)
class Port:
    """A source call with the target's code for it. `steps` are what stands around the target's own call."""

    source: ClaimedCall
    target: ClaimedCall
    source_framework: str
    framework: str
    steps: tuple[str, ...]
    imports: tuple[str, ...]
    definitions: tuple[str, ...]
    """The lines of convert_weight(w), on NumPy arrays, and conv_transpose(x, w, b), on the target's tensors."""
    notes: tuple[str, ...]

    @property
    def code(self) -> str:
        """The module that is printed, and run."""
        plain = [text for text in self.imports if "\n" not in text]
        defined = [f"\n\n{text}" for text in self.imports if "\n" in text]
        return "\n".join([*plain, *defined, "", "", *self.definitions]) + "\n"

    @property
    def native(self) -> bool:
        """Whether the target's own arguments say all of it."""
        return not self.steps

    @property
    def point(self) -> ClaimedCall:
        """The code as a point that the target's lane can run: the source's arrays, with data in the target's order."""
        claim = replace(self.source.claim, data=self.target.claim.data)
        return replace(self.source, claim=claim, code=self.code, origin=f"port/{self.origin}")

    @property
    def origin(self) -> str:
        """From where to where, as one word."""
        return f"{self.source_framework}-to-{self.framework}"

    @property
    def output(self) -> Ints:
        """The shape of the target's answer, in its own layout."""
        return shape_of(self.target.claim.data, self.source.claim.problem)


def port(
    text: str, source: str, target: str, shapes: Mapping[str, Any], *, variant: str = "", idiom: str = "",
    given: Mapping[str, Any] | None = None, module: str = "",
) -> Port:  # fmt: skip
    """The target framework's code for a call of the source framework.

    `shapes` are those of the call's tensors, in the source's own order of axes; of a layer's input, by the name x.
    `variant` is the target's, whose limits count; `idiom` the id of the one to use; `given` are values of names in the
    text; `module`, such as keras, the one whose idioms alone are used. Raises PortError where there is none, IdiomError
    for an idiom that the target has not, and what `idioms.read` raises.
    """
    return port_of(
        idioms.reading(source, text, given), source, target, shapes, variant=variant, idiom=idiom, module=module
    )


def port_of(
    reading: Reading, source: str, target: str, shapes: Mapping[str, Any], *, variant: str = "", idiom: str = "",
    module: str = "",
) -> Port:  # fmt: skip
    """The same of a call that has been read, such as one of a source file."""
    point = idioms.point(reading, shapes, adapters.lane(source).variant)
    if point.claim.refused:
        raise PortError(f"{reading.text}: {source} refuses this itself: {point.claim.refused}")
    return translate(point, source, target, variant=variant, idiom=idiom, module=module)


def port_layers(
    calls: Sequence[str | tuple[str, Shapes]], source: str, target: str, input: Ints, *, variant: str = ""
) -> list[Port]:
    """The code for a stack of calls, each of which takes the answer of the one before as its x; see `port`.

    A call of a function, which unlike a layer does not say its weight's shape, comes with it: (text, {"w": shape}).
    """
    ports = []
    for call in calls:
        text, shapes = (call, {}) if isinstance(call, str) else call
        ports.append(port(text, source, target, {"x": input, **shapes}, variant=variant))
        claim = ports[-1].source.claim
        input = shape_of(claim.data, claim.problem)
    return ports


def shape_of(data: str, problem: Problem) -> Ints:
    """The shape of a problem's answer in a data layout."""
    extents = {"n": (problem.batch,), "c": (problem.groups * problem.out_channels,), "k": problem.output}
    return tuple(extent for letter in layout.groups(data) for extent in extents[letter])


def canonical(problem: Problem, framework: str) -> ClaimedCall:
    """A problem on arrays in canonical order, which is no call of the framework's yet but can be ported to one."""
    return ClaimedCall(idioms.idioms(framework)[0], str(problem), {}, Claim(problem, "none"), str(problem), "")


def translate(
    point: ClaimedCall, source: str, target: str, *, variant: str = "", idiom: str = "", module: str = ""
) -> Port:  # fmt: skip
    """The port of a call that has been read."""
    variant = variant or adapters.lane(target).variant
    able = idioms.idioms(target) if idiom else idioms.idioms_of(module or target)
    known = [candidate for candidate in able if candidate.say is not None and idiom in ("", candidate.id)]
    if not known:
        raise idioms.no_idiom(target, idiom, "to port to", [each.id for each in idioms.idioms(target) if each.say])
    known.sort(key=lambda idiom: idiom.layer != point.idiom.layer)
    refusals: dict[str, None] = {}
    last: dict[str, Refusal] = {}
    for reduction in reductions(point.claim.problem):
        for choice in known:
            if choice.layer and {"stretch", "groups"} & set(reduction.steps):  # a layer is one call
                continue
            try:
                claimed_call = _call_meaning(choice, target, reduction.problem, variant)
            except Refusal as reason:
                refusals[f"{choice.id}: {reason}"] = None
                last[choice.id] = reason  # in the end, of the most reduced problem
                continue
            return _port(point, claimed_call, (source, target), reduction, tuple(refusals))
    tried = "; ".join(f"{name}: {reason}" for name, reason in [*last.items()][:2])
    raise PortError(f"{point.text}: no code of {module or target} says it on {target}-{variant}: {tried}")


def _call_meaning(idiom: Idiom, framework: str, problem: Problem, variant: str) -> ClaimedCall:
    """The call of an idiom that means a problem, read back. Raises Refusal where there is none."""
    assert idiom.say is not None
    text = idiom.say(problem)
    claimed_call = idioms.read(framework, text, idioms.shapes_for(idiom, problem), variant)
    if claimed_call.claim.refused:
        raise Refusal(claimed_call.claim.refused)
    if with_window(claimed_call.claim.problem, claimed_call.claim.problem.window) != with_window(
        problem, problem.window
    ):
        raise Refusal("no bias among its arguments" if problem.bias else f"'{problem}' is read as another problem")
    return claimed_call


def _port(
    source: ClaimedCall,
    target: ClaimedCall,
    frameworks: tuple[str, str],
    reduction: Reduction,
    refusals: tuple[str, ...],
) -> Port:
    dialect = idioms.dialect(frameworks[1], variant=target.variant)
    if dialect.batch:
        target = _with_batch(target, dialect.batch)
    weight = code.convert_weight(source, target, reduction)
    called = code.conv_transpose(source.claim.problem, target, reduction, dialect, frameworks[1])
    numpy = ["import numpy as np"] if any("np." in line for line in weight) else []
    needed = (*target.idiom.imports, *engine(target.idiom.engines, target.variant), *dialect.imports, *numpy)
    pieces = {piece for text in needed for piece in _pieces(text)}
    imports = sorted(pieces, key=lambda text: ("\n" in text, text))
    notes = (
        *_notes(source, target, reduction, refusals),
        *_as_one_layer(source, frameworks, target.variant, reduction),
    )
    return Port(source, target, *frameworks, reduction.steps, tuple(imports), (*weight, "", "", *called), notes)


def _notes(
    source: ClaimedCall, target: ClaimedCall, reduction: Reduction, refusals: tuple[str, ...]
) -> Iterator[str]:  # fmt: skip
    """How the operands differ between the two calls, and why there are steps around the target's."""
    made, given = source.claim, target.claim
    if made.data != given.data:
        there = layout.data_conversion("x", made.data, given.data, made.problem.rank)
        back = layout.data_conversion("y", given.data, made.data, made.problem.rank)
        orders = f"'{made.data}' in the source and '{given.data}' here"
        yield f"data is {orders}: give {there}; the source's answer is {back}"
    if made.reversed != given.reversed:
        yield "the kernel is applied in the opposite order: convert_weight reverses it"
    if reduction.steps and reduction.steps != ("bias",):
        yield from (f"a single call cannot say it: {reason}" for reason in refusals[:1])


def _as_one_layer(
    source: ClaimedCall, frameworks: tuple[str, str], variant: str, reduction: Reduction
) -> Iterator[str]:  # fmt: skip
    """The idioms that make one layer of groups that are taken one by one."""
    if "groups" in reduction.steps and source.idiom.layer:
        for idiom in idioms.idioms(frameworks[1]):
            if idiom.layer and idiom.say is not None:
                with suppress(PortError):
                    translate(source, *frameworks, variant=variant, idiom=idiom.id)
                    yield f"--idiom {idiom.id} makes one layer of it, whose kernel has zeros between the groups"


def _pieces(text: str) -> Iterator[str]:
    """What a call needs around it: each import, and definitions, without one that is named as the printed function."""
    first, *rest = text.rstrip().split("\n\n\n")
    imports = first.splitlines() if first.startswith(("import ", "from ")) else []
    parts = rest if imports else [first, *rest]
    yield from imports
    if defined := [part for part in parts if not part.startswith("def conv_transpose(")]:
        yield "\n\n\n".join(defined)


def _with_batch(point: ClaimedCall, batch: str) -> ClaimedCall:
    """A call whose answer has another batch, where one of its arguments is the shape of the answer."""
    names = [*expression.signature(point.idiom.signature).parameters]
    tree = ast.parse(point.text, mode="eval")
    shapes = [word.value for word in ast.walk(tree) if isinstance(word, ast.keyword) and word.arg in SIZES]
    if isinstance(tree.body, ast.Call):
        shapes += [node for name, node in zip(names, tree.body.args, strict=False) if name in SIZES]
    for shape in shapes:
        if isinstance(shape, ast.Tuple | ast.List) and len(shape.elts) == point.claim.problem.rank + 2:
            shape.elts[0] = ast.parse(batch, mode="eval").body
            text = ast.unparse(tree)
            return replace(point, text=text, inner=text)
    return point


def other_batch(port: Port) -> Port | None:
    """The same code for a batch one larger, which it claims to be for as well; None where there is no batch."""
    source, claim = port.source, port.source.claim
    at = code.axes(claim.data, claim.problem, claim.problem.input, 1).strip("()").split(", ").index("N") if (
        "n" in claim.data) else None  # fmt: skip
    if at is None:
        return None
    batch = claim.problem.batch + 1
    text = _with_batch(source, str(batch)).text
    shapes = {name: shape if name == "w" else (*shape[:at], batch, *shape[at + 1 :])
              for name, shape in source.shapes.items()}  # fmt: skip
    try:
        point = idioms.read(port.source_framework, text, shapes, adapters.lane(port.source_framework).variant)
    except (Refusal, ValueError):
        return None
    return None if point.claim.refused else replace(port, source=point)


def _cropped(own: Window, wanted: Window) -> str:
    """What is done to the answer of a call so that its window is the wanted one."""
    rest = [[end - of_call for end, of_call in zip(*ends, strict=True)] for ends in zip(wanted, own, strict=True)]
    added = [tuple(max(-end, 0) for end in ends) for ends in rest]
    cut = [tuple(max(end, 0) for end in ends) for ends in rest]
    words = ("zeros are added", added), ("rows are cut", cut)
    steps = [f"{what}, {' x '.join(map(str, numbers))}" for what, numbers in words if any(map(any, numbers))]
    after = ", and then ".join(steps)
    return (
        f"the call's own window is {' x '.join(map(str, own))}: after it {after}, at the beginning and end of each axis"
    )


def explain(port: Port) -> list[str]:
    """What the port rests on, a line each."""
    made, given = port.source.claim, port.target.claim
    window = " x ".join(map(str, made.problem.window))
    text = [
        f"{port.source.text} means '{made.problem}': window {window} of {made.problem.full}",
        f"in {port.framework}: {port.target.text}",
    ]
    words = {
        "bias": "the bias is added afterwards",
        "crop": _cropped(given.problem.window, made.problem.window),
        "stretch": "the kernel is stretched by zeros, which is what dilation means",
        "groups": "the groups are taken one by one",
        "dense": f"the groups are one kernel, {made.problem.groups} times as large, with zeros between them, which "
        "training does not keep",
    }
    aside = [line for text in port.source.aside
             for line in ([text] if text.startswith(ASSUMED) else aside_lines([text]))]  # fmt: skip
    unknown = [f"not known: {reason}" for reason in filter(None, [too_large(made)])]
    return [*text, *aside, *(words[step] for step in reversed(port.steps)), *port.notes, *unknown]
