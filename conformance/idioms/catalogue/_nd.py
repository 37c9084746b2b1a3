"""mx.nd.Deconvolution: what its arguments mean, what it refuses, and the grid of calls that proves both."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from conformance.idioms._edges import draws
from conformance.idioms._windows import sized
from conformance.idioms._words import B, W, X
from conformance.idioms.base import FLOAT32, Claim, Example, Refusal, Rule, Use, is_whole
from conformance.idioms.expression import Name, write
from conformance.idioms.sizes.legal import given_back, legal_alone
from conformance.idioms.sizes.windows import windows
from conformance.problem import Ints, Problem

PLAIN = {1: "NCW", 2: "NCHW", 3: "NCDHW"}
LAST = {2: "NHWC", 3: "NDHWC"}
FLAT = "no dilation in 3-D"

RANGE = {
    "output-size": "oneDNN takes target_shape with the pad for it: 0 <= 2*pad - (full - target) < stride",
    "centred-late": "an odd excess over target_shape needs a stride of 2 or more",
}


def arguments(problem: Problem) -> dict[str, Any]:
    """The arguments of Deconvolution that mean a problem's window: pad lo, adj lo - hi.

    Raises Refusal outside of lo >= 0 and 0 <= lo - hi < stride, and for dilation in 3-D.
    """
    adj = tuple(lo - hi for lo, hi in problem.window)
    for (lo, hi), a, s in zip(problem.window, adj, problem.stride, strict=True):
        if lo < 0 or not 0 <= a < s:
            raise Refusal(f"window ({lo}, {hi}): pad {lo} and adj {a} must not be negative, and adj less than "
                          f"stride {s}")  # fmt: skip
    if problem.rank == 3 and max(problem.dilation) > 1:
        raise Refusal(FLAT)
    return {
        "kernel": problem.kernel,
        "stride": problem.stride,
        "dilate": problem.dilation,
        "pad": tuple(lo for lo, _ in problem.window),
        "adj": adj,
        "num_filter": problem.groups * problem.out_channels,
        "num_group": problem.groups,
    }


def with_onednn(use: Use) -> bool:
    """Whether oneDNN takes the call, which knows float32 alone."""
    return use.variant != "native" and use.dtype == FLOAT32


def without_onednn(use: Use) -> bool:
    return not with_onednn(use)


def written(options: dict[str, Any]) -> dict[str, Any]:
    """Arguments as people write them, defaults left out."""
    plain = {"stride": 1, "strides": 1, "dilate": 1, "dilation": 1, "pad": 0, "padding": 0, "adj": 0,
             "output_padding": 0, "num_group": 1, "groups": 1, "in_channels": 0, "use_bias": True}  # fmt: skip
    return {name: value for name, value in options.items()
            if (set(value) if isinstance(value, tuple) else {value}) != {plain.get(name)}}  # fmt: skip


def _axes(use: Use, name: str, default: int) -> Ints:
    """An argument of one number an axis; a bare number is one axis."""
    if isinstance(use[name], int) and use.rank > 1:
        raise Refusal(f"{name} is {use[name]!r}: it takes {use.rank} numbers here")
    return unless_empty(use, name, default)


def unless_empty(use: Use, name: str, default: int) -> Ints:
    """An argument of one number an axis, of which an empty sequence is the default; None is refused."""
    return (default,) * use.rank if use[name] in ((), []) else use.per_axis(name)


def require_count(name: str, value: Any) -> None:
    """Raises Refusal for what is no whole number; some strings are taken, and nothing is claimed of them."""
    if not is_whole(value):
        raise Refusal(f"{name} is {value!r}: it takes a whole number")


def operator(use: Use, filters: Callable[[Problem], int]) -> tuple[Ints, Ints, Ints, list[Rule]]:
    """Stride, dilation and pad of an operator, and why kernel, num_filter and num_group may not fit its weight."""
    if use["kernel"] in (None, (), []) or use["num_filter"] is None:
        raise Refusal("kernel and num_filter are required")
    require_count("num_filter", use["num_filter"])
    if not isinstance(use["no_bias"], Name) and use["no_bias"] not in (True, False):
        raise Refusal(f"no_bias is {use['no_bias']!r}: it takes True or False")
    kernel, count = _axes(use, "kernel", 0), use["num_filter"]
    reason = f"the weight is not of kernel {kernel} and {count} filters"
    misfits: list[Rule] = [(reason, lambda p: (p.kernel, filters(p)) != (kernel, count))]
    return _axes(use, "stride", 1), _axes(use, "dilate", 1), _axes(use, "pad", 0), misfits


def _limits(use: Use) -> list[Rule]:
    """What the operator refuses, whichever way it was called."""
    return [
        ("the window cuts more than there is", lambda p: min(p.output) < 0),
        ("stride and dilation are at least 1", lambda p: min(*p.stride, *p.dilation) < 1),
        (FLAT, lambda p: p.rank == 3 and max(p.dilation) > 1),
        ("without oneDNN there is no 3-D", lambda p: p.rank == 3 and without_onednn(use)),
        ("an empty batch", lambda p: p.batch == 0),
        ("pad is not negative", lambda p: min(lo for lo, _ in p.window) < 0),
    ]  # fmt: skip


def padded(use: Use, pads: tuple[str, Ints], adjs: tuple[str, Ints]) -> list[Rule]:
    """What is refused of a padding and of what it gives back at the end, each by its name."""
    (pad_name, pad), (adj_name, adj) = pads, adjs

    def least_pads(problem: Problem) -> list[range]:
        return [range(min(p, 0), (full + a + 1) // 2) for full, p, a in zip(problem.full, pad, adj, strict=True)]

    cut, reason = "the window cuts more than there is", f"{adj_name} is from 0 to stride - 1"
    back = legal_alone(reason, adj_name, adj, lambda p: _legal_adj(use, p), lambda p: given_back(p, pad))
    return [legal_alone(cut, pad_name, pad, least_pads), *_limits(use), back]


def _targeted(use: Use, law: str, pad: Ints, target: Ints) -> list[Rule]:
    """What is refused of a target_shape: what is larger than the stamp, or needs an adj that there is not."""

    def sizes(problem: Problem) -> list[Collection[int]]:
        taken = zip(problem.full, pad, _legal_adj(use, problem), strict=True)
        if law == "output-size":
            return [[full - 2 * p + adj for adj in adjs if 0 < full - 2 * p + adj <= full] for full, p, adjs in taken]
        return [range(1, full + 1) if 1 in adjs else range(full % 2 or 2, full + 1, 2) for full, _, adjs in taken]

    larger = "target_shape is larger than the stamp"
    return [legal_alone(larger, "target_shape", target, lambda p: [range(1, full + 1) for full in p.full], sizes),
            *_limits(use), legal_alone(RANGE[law], "target_shape", target, sizes)]  # fmt: skip


def _legal_adj(use: Use, problem: Problem) -> list[list[int]]:
    """The values of adj that are taken on each axis. A negative one passes for an input of one element, by division
    towards zero, and without oneDNN only if it leaves of the stamp the extent of the kernel without its dilation.
    """
    axes = zip(problem.stride, problem.input, problem.kernel, problem.effective_kernel, strict=True)
    return [[adj for adj in range(1 - s, s) if adj >= 0 or (i == 1 and (with_onednn(use) or ke + adj >= k))]
            for s, i, k, ke in axes]  # fmt: skip


def variables(given: Mapping[str, Any]) -> list[str]:
    """The tensors that a symbol has beside its data: a bias only where no_bias, which is True by default, is not."""
    return ["weight", *["bias"] * (not given.get("no_bias", True))]


def data_layout(use: Use) -> tuple[str, str, list[Rule]]:
    """The axes of data and weight that an argument `layout` says; only NC* is for CPUs."""
    layout = use["layout"] or PLAIN[use.rank]
    if layout == LAST.get(use.rank):
        return "n k c", "(g i) k o", [(f"{layout} is for GPUs", lambda p: True)]
    if layout != PLAIN[use.rank]:
        raise Refusal(f"layout is {layout!r}: here it is {PLAIN[use.rank]!r}")
    return "n c k", "(g i) o k", []


def read(use: Use) -> Claim:
    """`pad` cuts both ends of the stamp, `adj` gives back at the end: window (pad, pad - adj), 0 <= adj < stride.

    With `target_shape` both are ignored. Then total = full - target is cut, with the larger half at the beginning: lo =
    ceil(total / 2). An odd total is refused with stride 1. The default path, oneDNN, cuts in another way: `pad` at the
    beginning and the rest at the end, lo = pad, hi = total - pad. It refuses the call unless 0 <= lo - hi < stride, or
    -stride < lo - hi for an input of one element ("could not create a descriptor"). Therefore both paths agree only for
    pad = ceil(total / 2). `kernel` and `num_filter` are required, arguments have one number for each axis, and a bias
    needs no_bias=False. Data is NC*. There is no dilation in 3-D, and without oneDNN there is no 3-D. A negative adj is
    refused, unless the input has one element, -stride < adj, and without oneDNN also ke + adj >= k.
    """
    data, weight, refusals = data_layout(use)
    stride, dilation, pad, misfits = operator(use, lambda p: p.groups * p.out_channels)
    adj = _axes(use, "adj", 0)
    target = (0,) if _is_zero(use["target_shape"]) else _axes(use, "target_shape", 0)
    bias = use.has("bias")
    unlike = "a bias takes no_bias=False" if bias else "no_bias=False takes a bias"
    refusals += [*misfits, (unlike, lambda p: bias == bool(use["no_bias"]))]
    law = "padding" if not any(target) else "output-size" if with_onednn(use) else "centred-late"

    def window(problem: Problem) -> Any:
        if law == "padding":
            return tuple((p, p - a) for p, a in zip(pad, adj, strict=True))
        if law == "output-size":
            return tuple((p, full - o - p) for p, full, o in zip(pad, problem.full, target, strict=True))
        return sized(problem, lambda full, out: -((out - full) // 2), target)

    sizes = padded(use, ("pad", pad), ("adj", adj)) if law == "padding" else _targeted(use, law, pad, target)
    return use.claim(
        law, data=data, weight=weight, stride=stride, dilation=dilation, window=window, groups=use["num_group"],
        bias=bias, refusals=[*refusals, *sizes],
    )  # fmt: skip


def _is_zero(target: Any) -> bool:
    """Whether a target_shape is of zeros alone, which say none, however many there are."""
    return all(
        is_whole(extent) and extent == 0 for extent in (target if isinstance(target, list | tuple) else [target])
    )


def say(problem: Problem) -> str:
    bias = {"no_bias": False} if problem.bias else {}
    return write("mxnet.nd.Deconvolution", X, W, *([B] if problem.bias else []), **written(arguments(problem)), **bias)


def reach(problem: Problem) -> Iterator[str]:
    """By target_shape: alone, which is cut from the middle without oneDNN, or beside the pad that oneDNN takes."""
    words = {
        "kernel": problem.kernel, "stride": problem.stride, "dilate": problem.dilation,
        "num_filter": problem.groups * problem.out_channels, "num_group": problem.groups,
    }  # fmt: skip
    for pad in ((0,) * problem.rank, *(tuple(lo for lo, _ in window) for window in windows(problem))):
        yield write("mxnet.nd.Deconvolution", X, W, **written(words | {"pad": pad}), target_shape=problem.output)


def examples() -> Iterator[Example]:
    yield from _padded_examples()
    yield from _lone_examples()
    yield from _target_examples()
    one, two = {"x": (1, 2, 4), "w": (2, 3, 3)}, {"x": (1, 2, 3, 4), "w": (2, 3, 2, 3)}
    for text, shapes in (
        ("x, w, None, (3,), (2,), num_filter=3", one),
        ("x, w, kernel=3, stride=2, num_filter=3", one),
        ("x, w, b, (3,), (2,), (1,), (1,), (1,), None, 3, 1, 512, False", one),
        ("x, w, kernel=(2, 3), num_filter=3, layout='NCHW', no_bias=True", two),
        ("x, w, kernel=(2, 3), target_shape=(0, 0), pad=(1, 1), num_filter=3", two),
        ("x, w, kernel=(2, 3), num_filter=3, layout='NHWC'", {"x": (1, 3, 4, 2), "w": (2, 2, 3, 3)}),
        ("x, w, kernel=(2, 3, 2), num_filter=3, layout='NDHWC'", {"x": (1, 3, 4, 2, 2), "w": (2, 2, 3, 2, 3)}),
    ):
        yield Example(f"mxnet.nd.Deconvolution({text})", shapes)


def _example(pick: dict[str, Any], **options: Any) -> Example:
    """A pick with its options as a call, and one that does not fit where the pick is `wrong`."""
    wrong, bias, channels = pick["wrong"], pick["bias"], pick["g"] * pick["ic"]
    kernel = (pick["k"][0] + (wrong == "kernel"), *pick["k"][1:])
    words = {"kernel": kernel, **written(options | {"num_group": pick["g"]}),
             "num_filter": pick["g"] * pick["oc"] + (wrong == "num_filter")}  # fmt: skip
    if bias != (wrong == "no_bias"):
        words["no_bias"] = False
    shapes = {"x": (pick["n"], channels, *pick["i"]),
              "w": (channels + pick["g"] * (wrong == "channels"), pick["oc"], *pick["k"])}  # fmt: skip
    return Example(write("mxnet.nd.Deconvolution", X, W, *([B] if bias else []), **words), shapes)


CHANNELS = {"g": (1, 1, 2, 3), "ic": (1, 2, 3), "oc": (1, 2, 3), "n": (1, 2), "bias": (False, True),
             "wrong": ("",) * 60 + ("channels", "kernel", "num_filter", "no_bias")}  # fmt: skip


def picks(key: str, count: int, rank: int, rest: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Arguments of every kind, some refused; an empty output is left out, on which the framework may divide by zero."""
    axes = {"i": range(1, 7), "k": range(1, 6), "stride": (1, 2, 3, 4), "pad": (0, 0, 1, 2, 3),
            "adj": (0,) * 8 + (1, 1, 1, 2, 2, -1), "dilate": (1, 1, 1, 2, 3)}  # fmt: skip
    if rank > 1:
        axes |= {"i": range(1, 5), "k": range(1, 4), "pad": (0, 0, 0, 1, 2), "adj": (0,) * 12 + (1, 1, 1, -1)}
    if rank > 2:
        axes |= {"dilate": (1,) * 24 + (2,)}
    for pick in draws(f"{key}-{rank}", count, rank, axes, rest):
        problem = Problem.of(*(pick[name] for name in ("i", "k", "stride", "pad", "adj", "dilate")))
        if min(problem.output) > 0:
            yield pick


def _padded_examples() -> Iterator[Example]:
    for rank, count in ((1, 1600), (2, 320), (3, 90)):
        for pick in picks("mx-deconvolution", count, rank, CHANNELS):
            yield _example(pick, **{name: pick[name] for name in ("stride", "dilate", "pad", "adj")})


def _lone_examples() -> Iterator[Example]:
    """A negative adj for an input of one element."""
    axes = {"i": (1,), "k": (1, 2, 3, 4), "stride": (1, 2, 3, 4), "dilate": (1, 2, 3), "adj": (-4, -3, -2, -1)}
    for rank, count in ((1, 192), (2, 60)):
        rest = {"g": (1,), "ic": (2,), "oc": (3,), "n": (1,), "bias": (False,), "wrong": ("",), "pad": ((0,) * rank,)}
        for pick in draws(f"mx-lone-{rank}", count, rank, axes, rest):
            if min(d * (k - 1) + 1 + a for k, d, a in zip(pick["k"], pick["dilate"], pick["adj"], strict=True)) > 0:
                yield _example(pick, **{name: pick[name] for name in ("stride", "dilate", "adj")})


def _target_examples() -> Iterator[Example]:
    for rank, count in ((1, 800), (2, 160), (3, 40)):
        axes = {"i": (1, 1, 2, 3, 4), "k": range(1, 5), "stride": (1, 2, 3, 3, 4), "dilate": (1, 1, 2),
                "cut": (-1, *range(7))} if rank == 1 else {
                "i": (1, 2, 3), "k": range(2, 4), "stride": (2, 3), "dilate": (1,), "cut": range(4)}  # fmt: skip
        rest = CHANNELS | {"more": (None, 0, 0, 1)}
        for pick in draws(f"mx-target-{rank}", count, rank, axes, rest):
            full = Problem.of(pick["i"], pick["k"], pick["stride"], 0, 0, pick["dilate"]).full
            target = tuple(f - cut for f, cut in zip(full, pick["cut"], strict=True))
            late = None if pick["more"] is None else tuple((cut + 1) // 2 + pick["more"] for cut in pick["cut"])
            if min(target) > 0:
                made = _example(pick, stride=pick["stride"], dilate=pick["dilate"], target_shape=target)
                yield made._replace(text=made.text[:-1] + (f", pad={late})" if late else ")"))


def unchecked(problem: Problem) -> str:
    """A problem as a call, valid or not: the window (pad, pad - adj)."""
    return write(
        "mx.nd.Deconvolution", X, W, *[B] * problem.bias, kernel=problem.kernel, stride=problem.stride,
        dilate=problem.dilation, pad=tuple(lo for lo, _ in problem.window),
        adj=tuple(lo - hi for lo, hi in problem.window), num_filter=problem.groups * problem.out_channels,
        num_group=problem.groups, no_bias=not problem.bias,
    )  # fmt: skip
