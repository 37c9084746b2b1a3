"""One framework's call as another's: the code that does the same, and what has to be done around the call.

Two claims are composed. The source's says which problem its call means; of the target's calls that say a problem, the
one is taken that says it with the fewest steps of our own around it. Where a step is needed, the problem is reduced to
one that the target can say: the bias is added afterwards, the window cropped, the kernel stretched by zeros, or the
groups are taken one by one.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from conformance import adapters, idioms, layout
from conformance.calls.native import lines
from conformance.idioms import expression
from conformance.idioms.base import Claim, ClaimedCall, Dialect, Idiom, Refusal, Shapes, engine, with_window
from conformance.idioms.expression import ASSUMED
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
        return "\n".join([*self.imports, "", "", *self.definitions]) + "\n"

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


@dataclass(frozen=True, slots=True)
class Reduction:
    """A problem that a target may be able to say, and the window that is left to cut from its answer."""

    problem: Problem
    steps: tuple[str, ...]
    rest: Window | None


STEPS = ("bias", "crop", "stretch", "groups", "dense")
"""What can stand around a call, the cheapest first."""


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
    point = idioms.read(source, text, shapes, adapters.lane(source).variant, given=given)
    if point.claim.refused:
        raise PortError(f"{text}: {source} refuses this itself: {point.claim.refused}")
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
    for reduction in reductions(point.claim.problem):
        for choice in known:
            if choice.layer and {"stretch", "groups"} & set(reduction.steps):  # a layer is one call
                continue
            try:
                claimed_call = _call_meaning(choice, target, reduction.problem, variant)
            except Refusal as reason:
                refusals[f"{choice.id}: {reason}"] = None
                continue
            return _port(point, claimed_call, (source, target), reduction, tuple(refusals))
    tried = list(refusals)[::-1][:2]  # the last are of the most reduced problems
    raise PortError(f"{point.text}: not expressible in {module or target} {variant}: {'; '.join(tried)}")


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


def reductions(problem: Problem) -> Iterator[Reduction]:
    """The problem itself, then ever more reduced ones, a late bias counting as no step at all."""
    grouped = problem.groups > 1
    applies = (problem.bias, True, set(problem.dilation) != {1}, grouped, grouped)
    needed = [step for step, applied in zip(STEPS, applies, strict=True) if applied]
    subsets = [set(combination) for count in range(len(needed) + 1) for combination in combinations(needed, count)]
    subsets = [steps for steps in subsets if not steps >= {"groups", "dense"}]
    for steps in sorted(
        subsets,
        key=lambda steps: ("dense" in steps, len(steps - {"bias"}), "bias" in steps, sorted(map(STEPS.index, steps))),
    ):
        for shared in (True, False) if "crop" in steps else (True,):
            if reduction := _reduced(problem, steps, shared):
                yield reduction


def _reduced(problem: Problem, steps: set[str], shared: bool) -> Reduction | None:
    """A problem after some steps; `shared` leaves to the call what the window cuts at both ends alike."""
    rest: Window | None = None
    reduced = problem
    if "crop" in steps:
        both = [max(min(ends), 0) if shared else 0 for ends in problem.window]
        rest = tuple((lo - cut, hi - cut) for (lo, hi), cut in zip(problem.window, both, strict=True))
        if any(end < 0 for ends in rest for end in ends) and problem.bias and "bias" not in steps:
            return None  # a bias belongs on the zeros too
        reduced = with_window(reduced, tuple((cut, cut) for cut in both))
    if "bias" in steps:
        reduced = replace(reduced, bias=False)
    if "groups" in steps and reduced.bias:
        return None  # each group would be given all of it
    if "stretch" in steps:
        reduced = replace(reduced, kernel=reduced.effective_kernel, dilation=(1,) * reduced.rank)
    if "groups" in steps:
        reduced = replace(reduced, groups=1)
    if "dense" in steps:
        g = reduced.groups
        reduced = replace(reduced, groups=1, in_channels=g * reduced.in_channels, out_channels=g * reduced.out_channels)
    return Reduction(reduced, tuple(step for step in STEPS if step in steps), rest)


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
    made, given = source.claim, target.claim
    convert = _convert_weight(source, target, reduction)
    numpy = ["import numpy as np"] if any("np." in line for line in convert) else []
    code = [*convert, "", ""]
    problem = made.problem
    into = _axes(given.data, problem, problem.input, problem.in_channels)
    out = _axes(given.data, problem, problem.output, problem.out_channels)
    code += ["def conv_transpose(x, w, b):", f'    """x {into}, as {given.data!r}, to y {out}.', ""]
    code += [f"    {line}" for line in _operands(frameworks[1], dialect, problem.bias)]
    code += [f"    {line}" for line in _body(target, reduction, dialect, problem)]
    code += ["    return y"]
    notes = []
    if made.data != given.data:
        there = layout.data_conversion("x", made.data, given.data, problem.rank)
        back = layout.data_conversion("y", given.data, made.data, problem.rank)
        said = f"give {there}; the source's answer is {back}"
        notes.append(f"data is '{made.data}' in the source and '{given.data}' here: {said}")
    if made.reversed != given.reversed:
        notes.append("the kernel is applied in the opposite order: convert_weight reverses it")
    if reduction.steps and reduction.steps != ("bias",):
        notes += [f"a single call cannot say it: {reason}" for reason in refusals[:1]]
    needed = (*target.idiom.imports, *engine(target.idiom.engines, target.variant), *dialect.imports, *numpy)
    imports = sorted({*map(_without_own_name, needed)}, key=lambda text: ("\n" in text, text))
    if "groups" in reduction.steps and source.idiom.layer:
        layers = [idiom.id for idiom in idioms.idioms(frameworks[1]) if idiom.layer and idiom.say is not None]
        notes += [f"--idiom {name} makes one layer of it, whose kernel has zeros between the groups" for name in layers]
    return Port(source, target, *frameworks, reduction.steps, tuple(imports), tuple(code), tuple(notes))


def _without_own_name(text: str) -> str:
    """Definitions that a call needs around it, without one that has the name of the printed function."""
    return "\n\n\n".join(part for part in text.split("\n\n\n") if not part.startswith("def conv_transpose(")).rstrip()


def _operands(framework: str, dialect: Dialect, bias: bool) -> Iterator[str]:
    """What the operands of the printed function are, the rest of its docstring."""
    yield f"x, w{', b' * bias} and y are arrays of {framework}: a NumPy array a becomes one by"
    yield f"{dialect.tensor.format('a')}. w comes from convert_weight{'' if bias else '; b is None'}."
    yield '"""'


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
    at = _axes(claim.data, claim.problem, claim.problem.input, 1).strip("()").split(", ").index("N") if (
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


def _axes(data: str, problem: Problem, spatial: Ints, channels: int) -> str:
    extents = {"n": ("N",), "c": (str(problem.groups * channels),), "k": tuple(map(str, spatial))}
    return f"({', '.join(extent for letter in layout.groups(data) for extent in extents[letter])})"


def _convert_weight(source: ClaimedCall, target: ClaimedCall, reduction: Reduction) -> list[str]:
    made, given, problem = source.claim, target.claim, source.claim.problem
    dense = "dense" in reduction.steps
    wanted = given.weight if dense or problem.groups == 1 or "g" in given.weight else given.weight.replace("i", "(g i)")
    written = wanted if "g" in wanted else wanted.replace("i", "(g i)").replace("o", "(g o)")
    code = [f'    """From {made.weight!r} to {written if dense else wanted!r}, as NumPy arrays."""']
    reverse = made.reversed != given.reversed
    if dense:
        code += _dense(made, problem)
        extents = {"g": 1, "i": problem.groups * problem.in_channels, "o": problem.groups * problem.out_channels}
        text = layout.conversion("w", "i o k", wanted, {**extents, "k": problem.kernel}, reverse=reverse)
    else:
        text = layout.conversion("w", made.weight, wanted, _extents(problem), reverse=reverse)
    if "stretch" in reduction.steps:
        code += [*([f"    w = {text}"] if text != "w" else []), *_stretched(layout.groups(wanted), problem)]
    else:
        code.append(f"    return {text}" if text == "w" else f"    return {text}.copy()")
    return ["def convert_weight(w):", *code]


def _extents(problem: Problem) -> dict[str, Any]:
    return {"g": problem.groups, "i": problem.in_channels, "o": problem.out_channels, "k": problem.kernel}


def _dense(made: Claim, problem: Problem) -> Iterator[str]:
    """The weight of one group, (channels in, channels out, kernel), with zeros from a group to the others."""
    g, i, o = problem.groups, problem.in_channels, problem.out_channels
    kernel = ", ".join(map(str, problem.kernel))
    yield f"    groups = {layout.conversion('w', made.weight, 'g i o k', _extents(problem), reverse=False)}"
    yield f"    w = np.zeros(({g}, {i}, {g}, {o}, {kernel}), groups.dtype)"
    yield f"    w[range({g}), :, range({g})] = groups"
    yield f"    w = w.reshape({g * i}, {g * o}, {kernel})"


def _stretched(parts: Sequence[str], problem: Problem) -> Iterator[str]:
    """The weight with zeros between its taps, which a dilation of 1 then takes apart."""
    at = parts.index("k")
    steps = ", ".join([":"] * at + [f"::{d}" for d in problem.dilation])
    first, last = f"w.shape[:{at}]", f"w.shape[{at + problem.rank}:]"
    kernel = ", ".join(map(str, problem.effective_kernel))
    yield f"    stretched = np.zeros((*{first}, {kernel}, *{last}), w.dtype)"
    yield f"    stretched[{steps}] = w"
    yield "    return stretched"


def _body(target: ClaimedCall, reduction: Reduction, dialect: Dialect, problem: Problem) -> Iterator[str]:
    claim = target.claim
    parts = layout.groups(claim.data)
    if "groups" in reduction.steps:
        of_w = layout.groups(claim.weight if "g" in claim.weight else claim.weight.replace("i", "(g i)"))
        x = _slices(parts, "c", problem.in_channels)
        w = _slices(of_w, next(part for part in of_w if "g" in part), _group_extent(of_w, problem))
        call = lines(target)[-1].removeprefix("y = ")
        yield f"parts = [(x[{x}], w[{w}]) for g in range({problem.groups})]"
        yield f"y = {dialect.concat(f'[{call} for x, w in parts]', parts.index('c') if parts[-1] != 'c' else -1)}"
    else:
        yield from lines(target)
    if reduction.rest is not None:
        yield from _cut(reduction.rest, parts, dialect, problem)
    if "bias" in reduction.steps:
        yield f"y = y + b[{', '.join([':', *['None'] * problem.rank])}]" if parts[-1] == "k" else "y = y + b"


def _slices(parts: Sequence[str], which: str, extent: int) -> str:
    at = list(parts).index(which)
    if at == len(parts) - 1:
        return f"..., {extent} * g:{extent} * (g + 1)"
    return ", ".join([*[":"] * at, f"{extent} * g:{extent} * (g + 1)"])


def _group_extent(parts: Sequence[str], problem: Problem) -> int:
    return problem.in_channels if any("g" in part and "i" in part for part in parts) else problem.out_channels


def _cut(rest: Window, parts: Sequence[str], dialect: Dialect, problem: Problem) -> Iterator[str]:
    """Zeros where the window reaches beyond, then the crop."""
    first = list(parts).index("k")
    if any(end < 0 for ends in rest for end in ends):
        widths = [(0, 0)] * first + [(max(-lo, 0), max(-hi, 0)) for lo, hi in rest]
        yield f"y = {dialect.pad('y', [*widths, *[(0, 0)] * (len(parts) - 1 - first)])}"
    ends = [f"{lo if lo > 0 else ''}:{-hi if hi > 0 else ''}" for lo, hi in rest]
    if set(ends) != {":"}:
        yield f"y = y[{', '.join([*[':'] * first, *ends])}]"


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
        "crop": f"the call's window {' x '.join(map(str, given.problem.window))} is cut further afterwards",
        "stretch": "the kernel is stretched by zeros, which is what dilation means",
        "groups": "the groups are taken one by one",
        "dense": f"the groups are one kernel, {made.problem.groups} times as large, with zeros between them, which "
        "training does not keep",
    }
    aside = [text if text.startswith(ASSUMED) else f"set aside: {text}" for text in port.source.aside]
    unknown = [f"not known: {reason}" for reason in filter(None, [too_large(made)])]
    return [*text, *aside, *(words[step] for step in port.steps), *port.notes, *unknown]
