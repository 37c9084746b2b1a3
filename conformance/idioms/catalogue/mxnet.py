"""MXNet's idioms. Data is NC*; the weight (g i) o k, kernel as stored, in every one of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from conformance.idioms.base import (
    AFTER,
    EFFORT,
    FLOAT32,
    LABEL,
    VALUES,
    Claim,
    Dialect,
    Example,
    Idiom,
    Refusal,
    Use,
    Widths,
    draws,
    sized,
)  # fmt: skip
from conformance.idioms.expression import Name, write
from conformance.problem import Ints, Problem

X, W, B, Z = map(Name, "xwbz")
Refusals = list[tuple[str, Callable[[Problem], bool]]]

PLAIN = {1: "NCW", 2: "NCHW", 3: "NCDHW"}
LAST = {2: "NHWC", 3: "NDHWC"}
FLAT = "no dilation in 3-D"
UNKNOWN = 2**32 - 1
"""How many in channels a layer without in_channels has for the check of its groups: -1, unsigned."""

RANGE = {
    "padding": "adj is from 0 to stride - 1",
    "output-size": "oneDNN takes target_shape with the pad for it: 0 <= 2*pad - (full - target) < stride",
    "centred-late": "an odd excess over target_shape takes a stride of 2 or more",
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


def _onednn(use: Use) -> bool:
    """Whether oneDNN takes the call, which knows float32 alone."""
    return use.variant == "onednn" and use.dtype == FLOAT32


def _native(use: Use) -> bool:
    return use.variant == "native" or use.dtype != FLOAT32


def _words(options: dict[str, Any]) -> dict[str, Any]:
    """Arguments as people write them, defaults left out."""
    plain = {"stride": 1, "strides": 1, "dilate": 1, "dilation": 1, "pad": 0, "padding": 0, "adj": 0,
             "output_padding": 0, "num_group": 1, "groups": 1, "in_channels": 0, "use_bias": True}  # fmt: skip
    return {name: value for name, value in options.items()
            if (set(value) if isinstance(value, tuple) else {value}) != {plain.get(name)}}  # fmt: skip


def _axes(use: Use, name: str, default: int) -> Ints:
    """An argument of one number an axis; a bare number is one axis."""
    value = use[name]
    if isinstance(value, int) and use.rank > 1:
        raise Refusal(f"{name} is {value!r}: it takes {use.rank} numbers here")
    return use.per_axis(name, default)


def _operator(use: Use, filters: Callable[[Problem], int]) -> tuple[Ints, Ints, Ints, Refusals]:
    """Stride, dilation and pad of an operator, and why kernel, num_filter and num_group may not fit its weight."""
    if use["kernel"] is None or use["num_filter"] is None:
        raise Refusal("kernel and num_filter are required")
    kernel, count = _axes(use, "kernel", 0), use["num_filter"]
    reason = f"the weight is not of kernel {kernel} and {count} filters"
    misfits: Refusals = [(reason, lambda p: (p.kernel, filters(p)) != (kernel, count))]
    return _axes(use, "stride", 1), _axes(use, "dilate", 1), _axes(use, "pad", 0), misfits


def _limits(use: Use, range_of_adj: str) -> Refusals:
    """What the operator refuses, whichever way it was called."""
    return [
        ("the window cuts more than there is", lambda p: min(p.output) < 0),
        ("stride and dilation are at least 1", lambda p: min(*p.stride, *p.dilation) < 1),
        (FLAT, lambda p: p.rank == 3 and max(p.dilation) > 1),
        ("without oneDNN there is no 3-D", lambda p: p.rank == 3 and _native(use)),
        ("pad is not negative", lambda p: min(lo for lo, _ in p.window) < 0),
        (range_of_adj, lambda p: _out_of_range(use, p)),
    ]  # fmt: skip


def _out_of_range(use: Use, problem: Problem) -> bool:
    """Whether adj is, on an axis. A negative one passes for an input of one element, by division towards zero, and
    without oneDNN only if it leaves of the stamp the extent of the kernel without its dilation.
    """
    for (lo, hi), s, i, k, ke in zip(
        problem.window, problem.stride, problem.input, problem.kernel, problem.effective_kernel, strict=True
    ):
        adj = lo - hi
        lone = i == 1 and -s < adj < 0 and (_onednn(use) or ke + adj >= k)
        if not (0 <= adj < s or lone):
            return True
    return False


def _layout(use: Use) -> tuple[str, str, Refusals]:
    """The axes of data and weight that an argument `layout` says; only NC* is for CPUs."""
    layout = use["layout"] or PLAIN[use.rank]
    if layout == LAST.get(use.rank):
        return "n k c", "(g i) k o", [(f"{layout} is for GPUs", lambda p: True)]
    if layout != PLAIN[use.rank]:
        raise Refusal(f"layout is {layout!r}: here it is {PLAIN[use.rank]!r}")
    return "n c k", "(g i) o k", []


def _read(use: Use) -> Claim:
    """`pad` cuts both ends of the stamp, `adj` gives back at the end: window (pad, pad - adj), 0 <= adj < stride.

    `target_shape` puts both aside: of what is too much, total = full - target, the odd one is cut at the beginning,
    lo = ceil(total / 2); an odd total is refused with stride 1. The default path, oneDNN, does otherwise: it keeps
    `pad` at the beginning and cuts the rest at the end, lo = pad, hi = total - pad, and refuses what that does not
    leave 0 <= lo - hi < stride for, or -stride < lo - hi for an input of one element ("could not create a descriptor").
    So both agree for pad = ceil(total / 2) alone.

    `kernel` and `num_filter` are required, arguments have one number an axis, and a bias takes no_bias=False. Only
    NC* data, no dilation in 3-D, and without oneDNN no 3-D at all. A negative adj is refused, but for an input of one
    element, -stride < adj, and without oneDNN ke + adj >= k.
    """
    data, weight, refusals = _layout(use)
    stride, dilation, pad, misfits = _operator(use, lambda p: p.groups * p.out_channels)
    adj = _axes(use, "adj", 0)
    target = (0,) if use["target_shape"] is None else _axes(use, "target_shape", 0)
    bias = use.has("bias")
    unlike = "a bias takes no_bias=False" if bias else "no_bias=False takes a bias"
    refusals += [*misfits, (unlike, lambda p: bias == bool(use["no_bias"]))]
    law = "padding" if not any(target) else "output-size" if _onednn(use) else "centred-late"

    def window(problem: Problem) -> Any:
        if law == "padding":
            return tuple((p, p - a) for p, a in zip(pad, adj, strict=True))
        if law == "output-size":
            return tuple((p, full - o - p) for p, full, o in zip(pad, problem.full, target, strict=True))
        return sized(problem, lambda full, out: -((out - full) // 2), target)

    if law != "padding":
        refusals.append(("target_shape is larger than the stamp", lambda p: any(lo + hi < 0 for lo, hi in p.window)))
    return use.claim(
        law, data=data, weight=weight, stride=stride, dilation=dilation, window=window, groups=use["num_group"],
        bias=bias, refusals=[*refusals, *_limits(use, RANGE[law])],
    )  # fmt: skip


def _say(problem: Problem) -> str:
    bias = {"no_bias": False} if problem.bias else {}
    return write("mxnet.nd.Deconvolution", X, W, *([B] if problem.bias else []), **_words(arguments(problem)), **bias)


def _examples() -> Iterator[Example]:
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
    words = {"kernel": kernel, **_words(options | {"num_group": pick["g"]}),
             "num_filter": pick["g"] * pick["oc"] + (wrong == "num_filter")}  # fmt: skip
    if bias != (wrong == "no_bias"):
        words["no_bias"] = False
    shapes = {"x": (pick["n"], channels, *pick["i"]),
              "w": (channels + pick["g"] * (wrong == "channels"), pick["oc"], *pick["k"])}  # fmt: skip
    return Example(write("mxnet.nd.Deconvolution", X, W, *([B] if bias else []), **words), shapes)


_CHANNELS = {"g": (1, 1, 2, 3), "ic": (1, 2, 3), "oc": (1, 2, 3), "n": (1, 2), "bias": (False, True),
             "wrong": ("",) * 60 + ("channels", "kernel", "num_filter", "no_bias")}  # fmt: skip


def _picks(key: str, count: int, rank: int, rest: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
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
        for pick in _picks("mx-deconvolution", count, rank, _CHANNELS):
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
        rest = _CHANNELS | {"more": (None, 0, 0, 1)}
        for pick in draws(f"mx-target-{rank}", count, rank, axes, rest):
            full = Problem.of(pick["i"], pick["k"], pick["stride"], 0, 0, pick["dilate"]).full
            target = tuple(f - cut for f, cut in zip(full, pick["cut"], strict=True))
            late = None if pick["more"] is None else tuple((cut + 1) // 2 + pick["more"] for cut in pick["cut"])
            if min(target) > 0:
                made = _example(pick, stride=pick["stride"], dilate=pick["dilate"], target_shape=target)
                yield made._replace(text=made.text[:-1] + (f", pad={late})" if late else ")"))


def _read_layer(use: Use) -> Claim:
    """`padding` cuts both ends of the stamp, `output_padding` gives back at the end: window (p, p - op), op < stride.

    A layer without in_channels takes them from its input, but then has no groups, unless their number divides
    2**32 - 1, for which the unknown is taken. Only NC* data, no dilation in 3-D, and without oneDNN no 3-D at all; a
    negative output_padding as in Deconvolution. An activation is no part of a transposed convolution.
    """
    if use.dtype != FLOAT32:
        raise Refusal(f"the layer is of float32, and takes {use.dtype} without a bias alone: nothing is claimed of it")
    data, weight, refusals = _layout(use)
    groups = use["groups"]
    return use.claim(
        "padding", data=data, weight=weight, stride=use.per_axis("strides"), dilation=use.per_axis("dilation"),
        pads=use.per_axis("padding"), output_padding=use.per_axis("output_padding"), groups=groups,
        bias=bool(use["use_bias"]),
        layer=(use["in_channels"] or None, use["channels"], use.per_axis("kernel_size")),
        refusals=[
            *refusals,
            ("groups need in_channels", lambda p: not use["in_channels"] and UNKNOWN % groups > 0),
            *_limits(use, "output_padding is from 0 to stride - 1"),
        ],
    )  # fmt: skip


def _say_layer(problem: Problem) -> str:
    said = arguments(problem)
    return _layer(problem.rank, said["num_filter"], problem.kernel, {
        "strides": said["stride"], "padding": said["pad"], "output_padding": said["adj"], "dilation": said["dilate"],
        "groups": problem.groups, "in_channels": problem.groups * problem.in_channels, "use_bias": problem.bias,
    })  # fmt: skip


def _layer(rank: int, channels: int, kernel: Ints, options: dict[str, Any]) -> str:
    short = {name: value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
             for name, value in (options | {"": kernel}).items()}  # fmt: skip
    return write(f"mxnet.gluon.nn.Conv{rank}DTranspose", channels, short.pop(""), **_words(short))


def _run_layer(call: str, outer: str, bias: bool) -> Sequence[str]:
    return [f"layer = {call}", "layer.initialize()", "layer.weight.set_data(w)",
            *(["layer.bias.set_data(b)"] if bias else []), f"y = layer({outer})"]  # fmt: skip


def _layer_examples() -> Iterator[Example]:
    rest = _CHANNELS | {"wrong": (0,) * 40 + (1,), "deferred": (False, False, True), "g": (1, 1, 1, 2, 3)}
    for rank, count in ((1, 900), (2, 220), (3, 70)):
        for pick in _picks("mx-gluon", count, rank, rest):
            channels = pick["g"] * pick["ic"]
            text = _layer(rank, pick["g"] * pick["oc"], pick["k"], {
                "strides": pick["stride"], "padding": pick["pad"], "output_padding": pick["adj"],
                "dilation": pick["dilate"], "groups": pick["g"], "use_bias": pick["bias"],
                "in_channels": 0 if pick["deferred"] else channels,
            })  # fmt: skip
            wrong = 0 if pick["deferred"] else pick["wrong"]
            if not (pick["deferred"] and pick["wrong"]):
                yield Example(text, {"x": (pick["n"], channels + wrong, *pick["i"])})
    yield Example("mxnet.gluon.nn.Conv2DTranspose(3, (2, 3), layout='NCHW')", {"x": (1, 2, 3, 4)})
    yield Example("mxnet.gluon.nn.Conv2DTranspose(3, 2, in_channels=2, layout='NHWC')", {"x": (1, 3, 4, 2)})
    yield Example("mxnet.gluon.nn.Conv3DTranspose(3, 2, in_channels=2, layout='NDHWC')", {"x": (1, 3, 4, 2, 2)})


def _read_gradient(use: Use) -> Claim:
    """The gradient of an ordinary convolution of input z: the window begins at its `pad` and is z's size.

    An x that is not of the convolution's own shape is refused with oneDNN. Without it 1-D takes any x but for kernel
    1, stride 1 and pad 0; in 2-D and 3-D such an x goes unnoticed and the answer means nothing.
    """
    if use.has("bias"):
        raise Refusal("a bias has no part in the gradient: leave it out, with no_bias=True")
    if use["layout"] not in (None, PLAIN[use.rank]):
        raise Refusal(f"layout is {use['layout']!r}: here it is {PLAIN[use.rank]!r}")
    stride, dilation, pad, misfits = _operator(use, lambda p: p.groups * p.in_channels)
    if min(*stride, *dilation) < 1:
        raise Refusal("stride and dilation are at least 1")
    z = use.shapes["z"]
    if len(z) != use.rank + 2:
        raise Refusal(f"z has {len(z)} axes, x {use.rank + 2}")

    def steps(problem: Problem) -> Ints:
        return tuple((o + 2 * p - ke) // s + 1
                     for o, p, ke, s in zip(z[2:], pad, problem.effective_kernel, stride, strict=True))  # fmt: skip

    def checked(problem: Problem) -> bool:
        return not _native(use) or use.rank > 1 or (*problem.kernel, *stride, *pad) == (1, 1, 0)

    return use.claim(
        "gradient", stride=stride, dilation=dilation, groups=use["num_group"],
        window=lambda p: tuple((lo, full - lo - o) for lo, full, o in zip(pad, p.full, z[2:], strict=True)),
        refusals=[
            ("no_bias=False, its default, takes a bias", lambda p: not use["no_bias"]),
            *misfits,
            ("z has other channels or another batch", lambda p: z[:2] != (p.batch, p.groups * p.out_channels)),
            ("the kernel is larger than z", lambda p: min(steps(p)) < 1),
            ("x is not of the convolution's shape", lambda p: steps(p) != p.input and checked(p)),
        ],
    )  # fmt: skip


def _run_gradient(call: str, outer: str, bias: bool) -> Sequence[str]:
    return ["z.attach_grad()", "with mxnet.autograd.record():", f"    y = {call}"]


def _gradient_examples() -> Iterator[Example]:
    for rank, count in ((1, 800), (2, 160), (3, 60)):
        axes = {"out": range(1, 13), "k": range(1, 5), "stride": (1, 2, 3), "pad": (0, 1, 2), "dilate": (1, 1, 2)}
        if rank > 1:
            axes |= {"out": range(1, 7), "k": range(1, 4)}
        rest = {"g": (1, 1, 2), "ic": (1, 2, 3), "oc": (1, 2), "n": (1, 2),
                "more": (0,) * 16 + (1, 2) if rank == 1 else (0,),  # what goes unnoticed is left out
                "wrong": ("",) * 60 + ("z", "num_filter", "no_bias")}  # fmt: skip
        for pick in draws(f"mx-autograd-{rank}", count, rank, axes, rest):
            extents = [
                (o + 2 * p - d * (k - 1) - 1) // s + 1
                for o, k, s, p, d in zip(*(pick[name] for name in axes), strict=True)
            ]
            if min(extents) > 0:
                yield _gradient_example(pick, (extents[0] + pick["more"], *extents[1:]))


def _gradient_example(pick: dict[str, Any], extents: Ints) -> Example:
    wrong, channels = pick["wrong"], pick["g"] * pick["ic"]
    words = {"kernel": pick["k"], **_words({name: pick[name] for name in ("stride", "dilate", "pad")}),
             "num_filter": channels + pick["g"] * (wrong == "num_filter"), **_words({"num_group": pick["g"]}),
             **({} if wrong == "no_bias" else {"no_bias": True})}  # fmt: skip
    call = write("mxnet.nd.Convolution", Z, W, **words)
    return Example(f"mxnet.autograd.grad({call}, [z], head_grads=[x])[0]", {
        "x": (pick["n"], channels, *extents),
        "w": (channels, pick["oc"], *pick["k"]),
        "z": (pick["n"], pick["g"] * pick["oc"] + (wrong == "z"), *pick["out"]),
    })  # fmt: skip


def _read_upsampling(use: Use) -> Claim:
    """A transposed convolution with a group for each channel: for scale f, kernel 2*f - f % 2, stride f, and
    ceil((f - 1) / 2) cut at both ends, which leaves f times the input.

    The weight is (channels, 1, kernel, kernel) and may hold anything; num_filter must be the number of channels, and
    its default, 0, ends the process.
    """
    if use["sample_type"] != "bilinear":
        raise Refusal(f"sample_type {use['sample_type']!r} is no transposed convolution: that is 'bilinear'")
    if len(use.shapes["x"]) != 4:
        raise Refusal(f"x has {len(use.shapes['x'])} axes: it takes 4")
    scale, channels = use["scale"], use.shapes["x"][1]
    if not isinstance(scale, int) or scale < 1:
        raise Refusal(f"scale is {scale!r}: it takes a whole number of at least 1")
    if not use["num_filter"]:
        raise Refusal("num_filter is 0, its default: it ends the process, give the number of channels")
    kernel, pad = 2 * scale - scale % 2, scale // 2
    return use.claim(
        "upsampling", stride=(scale, scale), dilation=(1, 1), pads=pad, groups=channels,
        refusals=[
            ("num_filter is not the number of channels", lambda p: use["num_filter"] != channels),
            (f"the weight is not (channels, 1, {kernel}, {kernel})", lambda p: (
                (p.in_channels, p.out_channels, p.kernel) != (1, 1, (kernel, kernel)))),
        ],
    )  # fmt: skip


def _upsampling_examples() -> Iterator[Example]:
    axes, rest = {"i": range(1, 6)}, {"f": range(1, 7), "c": (1, 2, 3), "n": (1, 2), "wrong": ("",) * 30 + (
        "kernel", "num_filter", "out")}  # fmt: skip
    for pick in draws("mx-upsampling", 250, 2, axes, rest):
        wrong, scale, channels = pick["wrong"], pick["f"], pick["c"]
        kernel = 2 * scale - scale % 2
        words = {"scale": scale, "sample_type": "bilinear", "num_filter": channels + (wrong == "num_filter")}
        yield Example(write("mxnet.nd.UpSampling", X, W, **words), {
            "x": (pick["n"], channels, *pick["i"]),
            "w": (channels, 1 + (wrong == "out"), kernel + (wrong == "kernel"), kernel),
        })  # fmt: skip


def _pad(name: str, widths: Widths) -> str:
    """`pad` takes arrays of four and five axes: one of three gets a unit axis for the while."""
    amounts = [end for ends in widths for end in ends]
    if len(widths) > 3:
        return write("mxnet.nd.pad", Name(name), mode="constant", pad_width=tuple(amounts))
    amounts = [*amounts[:4], 0, 0, *amounts[4:]]
    wide = write("mxnet.nd.pad", Name(f"{name}.expand_dims(2)"), mode="constant", pad_width=tuple(amounts))
    return f"{wide}.squeeze(axis=2)"


DIALECT = Dialect(
    imports=("import mxnet",),
    tensor="mxnet.nd.array({0}, dtype={0}.dtype)",
    array="{}.asnumpy()",
    pad=_pad,
    concat=lambda parts, axis: f"mxnet.nd.concat(*{parts}, dim={axis})",
    modules={
        "mxnet": ("mx",),
        "mxnet.nd": ("mx.nd", "mxnet.ndarray", "mx.ndarray", "mxnet.sym", "mx.sym", "mxnet.symbol", "mx.symbol", "F"),
        "mxnet.gluon": ("mx.gluon",),
    },
)

ASIDE = {"workspace": EFFORT, "cudnn_tune": EFFORT, "cudnn_off": EFFORT}

IDIOMS = (
    Idiom(
        id="mx-deconvolution",
        functions=dict.fromkeys((1, 2, 3), "mxnet.nd.Deconvolution"),
        signature="data, weight=None, bias=None, kernel=None, stride=None, dilate=None, pad=None, adj=None, "
                  "target_shape=None, num_filter=None, num_group=1, workspace=512, no_bias=True, cudnn_tune=None, "
                  "cudnn_off=False, layout=None, name=None, out=None",
        tensors={"x": "data", "w": "weight", "b": "bias"}, aside={**ASIDE, "name": LABEL}, only={"out": (None,)},
        imports=("import mxnet",), read=_read, say=_say, examples=_examples,
    ),
    Idiom(
        id="mx-gluon",
        functions={rank: f"mxnet.gluon.nn.Conv{rank}DTranspose" for rank in (1, 2, 3)},
        signature="channels, kernel_size, strides=1, padding=0, output_padding=0, dilation=1, groups=1, layout=None, "
                  "activation=None, use_bias=True, weight_initializer=None, bias_initializer='zeros', in_channels=0, "
                  "prefix=None, params=None",
        outer="x",
        aside={"activation": AFTER, "weight_initializer": VALUES, "bias_initializer": VALUES, "prefix": LABEL,
               "params": VALUES},
        tensors={"x": "x"},
        imports=("import mxnet",), read=_read_layer, say=_say_layer, examples=_layer_examples, program=_run_layer,
    ),
    Idiom(
        id="mx-autograd",
        functions=dict.fromkeys((1, 2, 3), "mxnet.nd.Convolution"),
        signature="data, weight, bias=None, kernel=None, stride=None, dilate=None, pad=None, num_filter=None, "
                  "num_group=1, workspace=1024, no_bias=False, cudnn_tune=None, cudnn_off=False, layout=None",
        tensors={"z": "data", "w": "weight", "x": "x"},
        form="mxnet.autograd.grad(CALL, [z], head_grads=[x])[0]", aside=ASIDE,
        imports=("import mxnet",), read=_read_gradient, examples=_gradient_examples, program=_run_gradient,
    ),
    Idiom(
        id="mx-upsampling",
        functions={2: "mxnet.nd.UpSampling"},
        signature="data, weight, *, scale, sample_type, num_filter=0, multi_input_mode='concat', num_args=2, "
                  "workspace=512",
        aside={"workspace": EFFORT}, only={"multi_input_mode": ("concat",), "num_args": (2,)},
        tensors={"x": "data", "w": "weight"},
        imports=("import mxnet",), read=_read_upsampling, examples=_upsampling_examples,
    ),
)  # fmt: skip
