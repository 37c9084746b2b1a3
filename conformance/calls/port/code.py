"""The code of a port as text: convert_weight(w), and conv_transpose(x, w, b) with the steps around its call."""

from collections.abc import Iterator, Sequence
from typing import Any

from conformance import layout
from conformance.calls.native import lines
from conformance.calls.port.reductions import Reduction
from conformance.idioms.base import Claim, ClaimedCall, Dialect
from conformance.layout import Ints
from conformance.problem import Problem, Window


def conv_transpose(
    problem: Problem, target: ClaimedCall, reduction: Reduction, dialect: Dialect, framework: str
) -> Iterator[str]:  # fmt: skip
    """The lines of the function that makes the target's call, and all steps around it, for the source's problem."""
    data = target.claim.data
    into = axes(data, problem, problem.input, problem.in_channels)
    out = axes(data, problem, problem.output, problem.out_channels)
    yield "def conv_transpose(x, w, b):"
    yield f'    """x {into}, as {data!r}, to y {out}.'
    yield ""
    yield from (f"    {line}" for line in _operands(framework, dialect, problem.bias))
    yield from (f"    {line}" for line in _body(target, reduction, dialect, problem))
    yield "    return y"


def _operands(framework: str, dialect: Dialect, bias: bool) -> Iterator[str]:
    """What the operands of the printed function are, the rest of its docstring."""
    made = dialect.tensor.format("a")
    kind = "NumPy arrays." if made == "a" else f"arrays of {framework}; {made} makes one of a NumPy array a."
    yield f"x, w{', b' * bias} and y are {kind}"
    yield f"w comes from convert_weight{'' if bias else '; b is None'}."
    yield '"""'


def axes(data: str, problem: Problem, spatial: Ints, channels: int) -> str:
    """The shape of an array in a data layout, its batch as a name."""
    extents = {"n": ("N",), "c": (str(problem.groups * channels),), "k": tuple(map(str, spatial))}
    return f"({', '.join(extent for letter in layout.groups(data) for extent in extents[letter])})"


def convert_weight(source: ClaimedCall, target: ClaimedCall, reduction: Reduction) -> list[str]:
    """The lines of the function that turns the source's weight, a NumPy array, into the target's."""
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
    first = [f"*w.shape[:{at}]"] if at else []
    last = [f"*w.shape[{at + problem.rank}:]"] if at < len(parts) - 1 else []
    shape = ", ".join([*first, *map(str, problem.effective_kernel), *last])
    yield f"    stretched = np.zeros(({shape}), w.dtype)"
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
