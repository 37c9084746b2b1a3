"""What the arguments of jax.lax mean: its dimension numbers, its padding, and the window that it makes of a stamp.

Shared by the idioms of JAX and of Flax, whose layers hand their arguments down.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from conformance.idioms import _words
from conformance.idioms._windows import sized
from conformance.idioms._words import W, X, require
from conformance.idioms.base import Claim, Refusal, Rule, Use
from conformance.idioms.expression import Name, write
from conformance.layout import Array
from conformance.problem import Ints, Problem, Window

Numbers = tuple[str, str, str]

SPATIAL = "HWD"
CHANNELS_LAST = "N{}C", "{}IO", "N{}C"
CHANNELS_FIRST = "NC{}", "OI{}", "NC{}"
STRINGS = "SAME", "VALID", "SAME_LOWER"


def numbers(pattern: Numbers, rank: int) -> Numbers:
    """Dimension numbers from a pattern such as ("N{}C", "{}IO", "N{}C")."""
    lhs, rhs, out = (spec.format(SPATIAL[:rank]) for spec in pattern)
    return lhs, rhs, out


def layouts(given: Any, default: Numbers, rank: int, roles: Mapping[str, str]) -> tuple[str, str]:
    """The layouts of data and weight that dimension numbers say; `roles` are those of the weight's I and O.

    Raises Refusal where they say none, where spatial axes differ in order, and where the answer differs from the input.
    """
    specs = numbers(default, rank) if given is None else given
    if not isinstance(specs, list | tuple) or len(specs) != 3 or not all(isinstance(spec, str) for spec in specs):
        raise Refusal(f"dimension_numbers is {given!r}: they are three strings, such as {numbers(default, rank)}")
    data, weight, answer = (
        _layout(spec, letters, rank)
        for spec, letters in zip(specs, ({"N": "n", "C": "c"}, roles, {"N": "n", "C": "c"}), strict=True)
    )
    if len({spatial for _, spatial in (data, weight, answer)}) > 1 or data != answer:
        raise Refusal(f"dimension_numbers is {given!r}: the axes of input, weight and answer differ in order")
    return data[0], weight[0]


def swapped(claim: Claim) -> Claim:
    """A claim with transpose_kernel, which says why a weight does not fit that is in the order of its letters."""
    if not claim.refused.startswith("the weight has "):
        return claim
    said = f"{claim.refused}: with transpose_kernel=True the axes I and O of the kernel have changed places"
    return replace(claim, refused=said)


def _layout(spec: str, letters: Mapping[str, str], rank: int) -> tuple[str, str]:
    """The layout that a spec says, with its spatial letters."""
    spatial = "".join(letter for letter in spec if letter not in letters)
    distinct = len(set(spec)) == len(spec) == rank + 2 and len(spatial) == rank
    if not distinct or spatial not in spec:
        raise Refusal(f"{spec!r} does not name {', '.join(letters)} and {rank} spatial axes side by side")
    return " ".join({**letters, spatial[0]: "k"}[letter] for letter in spec if letter not in spatial[1:]), spatial


def same(problem: Problem) -> Window:
    """TensorFlow's law, for an output of in*stride."""
    sizes = [i * s for i, s in zip(problem.input, problem.stride, strict=True)]
    return sized(problem, lambda full, out: max(full - out, 0) // 2, sizes)


def valid(problem: Problem) -> Window:
    """Nothing is cut, and zeros are appended where the kernel is shorter than the stride."""
    return tuple((0, min(ke - s, 0)) for ke, s in zip(problem.effective_kernel, problem.stride, strict=True))


def stretched(problem: Problem, pads: Window) -> Window:
    """(ke - 1 - lo, ke - 1 - hi): the window of padding for the stretched input; its own inverse."""
    return tuple((ke - 1 - lo, ke - 1 - hi) for ke, (lo, hi) in zip(problem.effective_kernel, pads, strict=True))


LAWS: Mapping[str, Callable[[Problem], Window]] = {"SAME": same, "VALID": valid}


def sound(p: Problem) -> bool:
    """Whether XLA is not known to be at fault: elsewhere it aborts the process, or answers what lies in memory.

    Both are in cases/expectations/jax.toml; examples are there to prove claims.
    """
    axes = list(zip(p.kernel, p.stride, p.dilation, p.window, strict=True))
    aborts = p.rank > 1 and any(axis == (2, 2, 1, (1, 1)) for axis in axes)
    outside = p.rank < 3 and {*p.stride, *p.dilation} == {1} and any(
        lo > k - 1 > hi and lo + hi >= 2 * (k - 1) for k, _, _, (lo, hi) in axes
    )  # fmt: skip
    return not aborts and not outside


def padding(problem: Problem) -> str | list[tuple[int, int]]:
    """The padding of conv_transpose that means a problem's window: a name where one does."""
    named = (name for name, window in LAWS.items() if window(problem) == problem.window)
    return next(named, None) or list(stretched(problem, problem.window))


def pairs(given: Any, rank: int) -> Window | None:
    """Padding as (begin, end) pairs of whole numbers, one an axis; None for anything else. Raises Refusal for True and
    False, which JAX takes for numbers."""
    if isinstance(given, list | tuple) and any(
        isinstance(end, bool) for ends in given if isinstance(ends, list | tuple) for end in ends
    ):
        raise Refusal(f"padding is {given!r}: it takes pairs of whole numbers")
    whole = isinstance(given, list | tuple) and len(given) == rank and all(
        isinstance(ends, list | tuple) and len(ends) == 2 and all(isinstance(end, int) for end in ends)
        for ends in given
    )  # fmt: skip
    return tuple((lo, hi) for lo, hi in given) if whole else None


def ordinary(given: Any, sizes: Ints, kernel: Ints, stride: Ints) -> Window | None:
    """The padding that an ordinary convolution over `sizes` is given, as pairs; None where it is neither pairs nor
    a string. Raises Refusal for a string that it does not know."""
    if not isinstance(given, str):
        return pairs(given, len(kernel))
    name = given.upper()
    if name not in STRINGS:
        raise Refusal(f"padding is {given!r}: the strings are {', '.join(STRINGS)}")
    totals = [0 if name == "VALID" else max((-(-size // s) - 1) * s + ke - size, 0)
              for size, ke, s in zip(sizes, kernel, stride, strict=True)]  # fmt: skip
    late = int(name == "SAME_LOWER")
    return tuple(((total + late) // 2, total - (total + late) // 2) for total in totals)


def convolved(given: Any, problem: Problem) -> list[range]:
    """The sizes of which an ordinary convolution with the given padding has the extents of a problem's input."""
    if isinstance(given, str) and given.upper() != "VALID":
        return [range((i - 1) * s + 1, i * s + 1) for i, s in zip(problem.input, problem.stride, strict=True)]
    pads = pairs(given, problem.rank) or ((0, 0),) * problem.rank
    return [range(max(full - lo - hi, 1), full - lo - hi + s)
            for full, (lo, hi), s in zip(problem.full, pads, problem.stride, strict=True)]  # fmt: skip


def sequences(use: Use, *names: str) -> Rule:
    """The refusal of a single number for every axis."""
    single = next((name for name in names if isinstance(use[name], int)), "")
    return f"{single} takes a sequence, one number an axis", lambda _: bool(single)


def claim(
    use: Use, given: Any, *, named: bool = True, consistent: bool = False, refusals: Sequence[Rule] = (),
    stride: Ints, dilation: Ints, **rest: Any,
) -> Claim:  # fmt: skip
    """The claim of `given` padding around an input that is stretched by `stride`.

    `named` says whether "SAME" and "VALID" mean laws of their own, `consistent` whether pairs are the window outright.
    """
    if isinstance(given, Name):
        raise Refusal(f'padding is {given}: it takes "SAME", "VALID", or a pair for each axis')
    if consistent and isinstance(given, list | tuple):
        given = given[: use.rank]  # pairs beyond the axes are passed over in silence
    law, zeros = "stretched", ((0, 0),) * use.rank
    unread = not isinstance(given, str) and pairs(given, use.rank) is None
    if named and isinstance(given, str) and given in LAWS:
        law, window = given.lower(), LAWS[given]
    elif consistent:
        law, window = "pairs", lambda _: pairs(given, use.rank) or zeros
        unread = unread or isinstance(given, str) or not all(isinstance(ends, tuple) for ends in given)
    else:

        def window(p: Problem) -> Window:
            return stretched(p, ordinary(given, p.input, p.effective_kernel, (1,) * p.rank) or zeros)

    return use.claim(
        law, stride=stride, dilation=dilation, window=window,
        refusals=[
            *refusals,
            ("strides and dilations are positive", lambda _: min(*stride, *dilation) < 1),
            (f"padding {given!r} is not a (begin, end) tuple for each axis", lambda _: unread),
            ("padding by a string needs stride 1",
             lambda _: law == "stretched" and isinstance(given, str) and max(stride) > 1),
            ("negative padding is more than there is to cut", lambda p: any(
                out < 1 - ke for out, ke in zip(p.output, p.effective_kernel, strict=True))),
        ],
        **rest,
    )  # fmt: skip


def unchecked(problem: Problem) -> str:
    """jax.lax: padding of the stride-1 convolution, (ke - 1 - lo, ke - 1 - hi)."""
    require(problem, not problem.bias, "convolutions of lax have no bias")
    ends = zip(problem.effective_kernel, problem.window, strict=True)
    padding = [(ke - 1 - lo, ke - 1 - hi) for ke, (lo, hi) in ends]
    if problem.groups == 1:
        return write(
            "jax.lax.conv_transpose", X, W, strides=problem.stride, padding=padding, rhs_dilation=problem.dilation,
            transpose_kernel=True,
        )  # fmt: skip
    axes = "HWDEFG"[: problem.rank]
    return write(
        "jax.lax.conv_general_dilated", X, W, window_strides=(1,) * problem.rank, padding=padding,
        lhs_dilation=problem.stride, rhs_dilation=problem.dilation, feature_group_count=problem.groups,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
    )  # fmt: skip


def channels_last(problem: Problem, x: Array, weight: Array) -> Sequence[Array]:
    """Channels last; a weight in groups as (*kernel, in, groups*out) and reversed, if the groups fit."""
    x, kernel = _words.channels_last(problem, x, weight)
    if problem.groups > 1 and weight.shape == problem.weight_shape:
        g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
        grouped = weight.reshape(g, ic, oc, *problem.kernel).transpose(*range(3, problem.rank + 3), 1, 0, 2)
        kernel = grouped[(slice(None, None, -1),) * problem.rank].reshape(*problem.kernel, ic, g * oc)
    return x, kernel
