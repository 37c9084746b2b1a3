"""A meaning as lines, and as data."""

from collections.abc import Iterator, Sequence
from typing import Any

from conformance import idioms
from conformance.calls.meaning import Meaning, Number
from conformance.calls.sizes import overlap
from conformance.idioms.expression import ASSUMED
from conformance.idioms.names.meanings import aside_lines
from conformance.problem import Problem

SHOWN, ENDS = 8, 3
"""Taps of a kernel that are written, and those at each end of a longer one."""

INTERPOLATION = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""What a kernel that is linear on each axis does, by rank."""


def lines(meaning: Meaning) -> Iterator[str]:
    """What a call means, a line each."""
    if meaning.refused:
        yield f"refused: {meaning.refused}"
        if "n" not in meaning.data:
            yield f"  axes: data '{meaning.data}': it is read without a batch, since x has an axis less"
    else:
        yield f"means '{meaning.problem}' ({meaning.name})" if meaning.problem else f"means a window ({meaning.name})"
        yield window_line(meaning.window, meaning.full, meaning.output)
        yield from _beyond(meaning.window)
        yield f"  taps: {f'reversed{_as_stored(meaning)}' if meaning.reversed else 'as stored'}"
        yield f"  axes: data '{meaning.data}', weight '{meaning.weight}'"
        if meaning.stamps is not None:
            yield from stamp_lines(meaning.stamps)
    if meaning.unknown:
        yield f"  not known: {'; '.join(meaning.unknown)}"
    yield from (
        f"  {line}" for line in aside_lines([text for text in meaning.set_aside if not text.startswith(ASSUMED)])
    )
    if assumed := [text.removeprefix(ASSUMED) for text in meaning.set_aside if text.startswith(ASSUMED)]:
        yield f"  {ASSUMED}{'; '.join(assumed)}"


def _as_stored(meaning: Meaning) -> str:
    """How reversed taps are applied as stored, where an argument says it."""
    signatures = (idiom.signature for idiom in idioms.idioms(meaning.framework) if idiom.id == meaning.idiom)
    if not any("transpose_kernel" in signature for signature in signatures):
        return ""
    return " (transpose_kernel=True applies them as stored, and swaps the weight's in and out channels)"


def _beyond(window: Sequence[tuple[Number, Number]]) -> Iterator[str]:
    """Rows of the answer that the window adds to the stamp, as an output_padding can."""
    ends = [
        (where, end, axis)
        for axis, pair in enumerate(window)
        for where, end in zip(("first", "last"), pair, strict=True)
    ]
    beyond = [f"the {where} {-end} on axis {axis}" for where, end, axis in ends if isinstance(end, int) and end < 0]
    if beyond:
        rows = " and ".join(beyond)
        yield f"  window: {rows} lie beyond the stamp: no tap reaches them, they hold zeros, or the bias alone"


def window_line(window: Sequence[tuple[Number, Number]], full: Sequence[Number], output: Sequence[Number]) -> str:
    """What a window cuts, and what it leaves."""
    ends = " x ".join(f"({lo}, {hi})" for lo, hi in window)
    return f"  window: {ends} cut from {extents(full)}, which leaves {extents(output)}"


def stamp_lines(problem: Problem) -> Iterator[str]:
    """How the stamps of a problem overlap."""
    yield f"  overlap: {overlap.say(problem)}"
    if taps := overlap.bilinear(problem):
        kernel = [str(tap) for tap in taps]
        few = kernel if len(kernel) <= SHOWN else [*kernel[:ENDS], "...", *kernel[-ENDS:]]
        kernel_text = f"the kernel {' '.join(few)}{' on each axis' * (problem.rank > 1)}"
        dense = problem.in_channels > 1
        weight = f"a weight that is {kernel_text} between equal channels and 0 elsewhere" if dense else kernel_text
        way = INTERPOLATION[problem.rank]
        yield f"  {way}: {weight} upsamples by {problem.stride[0]} as {way} interpolation does"


def extents(numbers: Sequence[Number]) -> str:
    """The extents of the axes, as Python writes a tuple; formulas stand as they are."""
    return f"({', '.join(map(str, numbers))}{',' * (len(numbers) == 1)})"


def as_json(meaning: Meaning) -> dict[str, Any]:
    """A meaning as data, by the keys that docs/porting.md documents."""
    return {
        "framework": meaning.framework,
        "idiom": meaning.idiom,
        "law": meaning.law,
        "line": meaning.line,
        "call": meaning.call,
        "problem": meaning.problem or None,
        "window": [list(ends) for ends in meaning.window],
        "full": list(meaning.full),
        "output": list(meaning.output),
        "layout": {"data": meaning.data, "weight": meaning.weight},
        "overlap": list(overlap.overlap(meaning.stamps)) if meaning.stamps else None,
        "bilinear": [float(tap) for tap in overlap.bilinear(meaning.stamps)] or None if meaning.stamps else None,
        "taps": "reversed" if meaning.reversed else "as stored",
        "set_aside": list(meaning.set_aside),
        "unknown": list(meaning.unknown),
        "refused": meaning.refused or None,
    }
