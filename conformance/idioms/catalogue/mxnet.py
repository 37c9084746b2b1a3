"""MXNet's idioms: Deconvolution in `_nd`, layers in `_gluon`, and here gradients and UpSampling.

Data is NC*; the weight (g i) o k, kernel as stored, in every one of them.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from conformance.idioms._edges import draws
from conformance.idioms._words import W, Words, X, canonical
from conformance.idioms.base import DTYPES, Claim, Copied, Dialect, Example, Idiom, Refusal, Use, Widths
from conformance.idioms.catalogue import _gluon, _nd
from conformance.idioms.catalogue._nd import PLAIN, operator, require_count, without_onednn, written
from conformance.idioms.expression import Name, write
from conformance.idioms.names.meanings import AFTER, EFFORT, LABEL, SYMBOL, VALUES
from conformance.idioms.sizes.legal import legal_alone
from conformance.problem import Ints, Problem

Z = Name("z")


def _read_gradient(use: Use) -> Claim:
    """The gradient of an ordinary convolution of input z: the window begins at its `pad` and is z's size.

    If x has another shape than the answer of the convolution, oneDNN refuses the call. Without oneDNN, 1-D accepts any
    x, except with kernel 1, stride 1 and pad 0. In 2-D and 3-D there is no error, and the answer means nothing.
    """
    if use.has("bias"):
        raise Refusal("a bias has no part in the gradient: leave it out, with no_bias=True")
    if use["layout"] not in (None, PLAIN[use.rank]):
        raise Refusal(f"layout is {use['layout']!r}: here it is {PLAIN[use.rank]!r}")
    stride, dilation, pad, misfits = operator(use, lambda p: p.groups * p.in_channels)
    if min(*stride, *dilation) < 1:
        raise Refusal("stride and dilation are at least 1")
    z = use.shapes["z"]
    if len(z) != use.rank + 2:
        raise Refusal(f"z has {len(z)} axes, x {use.rank + 2}")

    def steps(problem: Problem) -> Ints:
        return tuple((o + 2 * p - ke) // s + 1
                     for o, p, ke, s in zip(z[2:], pad, problem.effective_kernel, stride, strict=True))  # fmt: skip

    def checked(problem: Problem) -> bool:
        return not without_onednn(use) or use.rank > 1 or (*problem.kernel, *stride, *pad) == (1, 1, 0)

    return use.claim(
        "gradient", stride=stride, dilation=dilation, groups=use["num_group"],
        window=lambda p: tuple((lo, full - lo - o) for lo, full, o in zip(pad, p.full, z[2:], strict=True)),
        refusals=[
            ("an empty batch", lambda p: p.batch == 0),
            ("no_bias=False, its default, takes a bias", lambda p: not use["no_bias"]),
            *misfits,
            ("z has other channels or another batch", lambda p: z[:2] != (p.batch, p.groups * p.out_channels)),
            ("the kernel is larger than z", lambda p: min(steps(p)) < 1),
            legal_alone("x is not of the convolution's shape", "z", z[2:], lambda p: [
                range(max(full - 2 * lo, 1), full - 2 * lo + s) if checked(p) else z[2:]
                for full, lo, s in zip(p.full, pad, stride, strict=True)]),
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
    words = {"kernel": pick["k"], **written({name: pick[name] for name in ("stride", "dilate", "pad")}),
             "num_filter": channels + pick["g"] * (wrong == "num_filter"), **written({"num_group": pick["g"]}),
             **({} if wrong == "no_bias" else {"no_bias": True})}  # fmt: skip
    call = write("mxnet.nd.Convolution", Z, W, **words)
    return Example(f"mxnet.autograd.grad({call}, [z], head_grads=[x])[0]", {
        "x": (pick["n"], channels, *extents),
        "w": (channels, pick["oc"], *pick["k"]),
        "z": (pick["n"], pick["g"] * pick["oc"] + (wrong == "z"), *pick["out"]),
    })  # fmt: skip


def _read_upsampling(use: Use) -> Claim:
    """A transposed convolution with a group for each channel. For scale f, the kernel is 2*f - f % 2 and the stride is
    f. ceil((f - 1) / 2) is cut at both ends, so the size is f times that of the input. The weight is (channels, 1,
    kernel, kernel), with any values. num_filter must be the number of channels; its default, 0, ends the process.
    """
    if use["sample_type"] != "bilinear":
        raise Refusal(f"sample_type {use['sample_type']!r} is no transposed convolution: that is 'bilinear'")
    if len(use.shapes["x"]) != 4:
        raise Refusal(f"x has {len(use.shapes['x'])} axes: it takes 4")
    scale, channels = use["scale"], use.shapes["x"][1]
    if not isinstance(scale, int) or scale < 1:
        raise Refusal(f"scale is {scale!r}: it takes a whole number of at least 1")
    require_count("num_filter", use["num_filter"])
    if not use["num_filter"]:
        raise Refusal("num_filter is 0, its default: it ends the process, give the number of channels")
    kernel, pad = 2 * scale - scale % 2, scale // 2
    return use.claim(
        "upsampling", stride=(scale, scale), dilation=(1, 1), pads=pad, groups=channels,
        refusals=[
            ("an empty batch", lambda p: p.batch == 0),
            ("num_filter is not the number of channels", lambda p: use["num_filter"] != channels),
            (f"the weight is not (channels, 1, {kernel}, {kernel})", lambda p: (
                (p.in_channels, p.out_channels, p.kernel) != (1, 1, (kernel, kernel)))),
        ],
    )  # fmt: skip


def _reach_upsampling(problem: Problem) -> Iterator[str]:
    scale = problem.stride[0]
    if problem.rank == 2 and problem.kernel == (2 * scale - scale % 2,) * 2:
        channels = problem.groups * problem.out_channels
        yield write("mxnet.nd.UpSampling", X, W, scale=scale, sample_type="bilinear", num_filter=channels)


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
    roots=("mxnet", "mx"),
    kernels={"": DTYPES},
    arrays="mxnet.nd",
    native=lambda name: f"mxnet.nd.{name}",
)

WORDS = Words(
    _nd.unchecked, canonical, "n c k", {"mx": "mxnet"}, frozenset({"mx.nd.Deconvolution"}),
    gradient=(
        "{operand}.attach_grad()",
        "with mxnet.autograd.record():",
        "    y = {call}",
        "y.backward(g)",
        "y = {operand}.grad",
    ),
)  # fmt: skip

ASIDE = {"workspace": EFFORT, "cudnn_tune": EFFORT, "cudnn_off": EFFORT}

IDIOMS = (
    Idiom(
        id="mx-deconvolution",
        functions=dict.fromkeys((1, 2, 3), "mxnet.nd.Deconvolution"),
        signature="data, weight=None, bias=None, kernel=None, stride=(), dilate=(), pad=(), adj=(), "
                  "target_shape=(), num_filter=None, num_group=1, workspace=512, no_bias=True, cudnn_tune=None, "
                  "cudnn_off=False, layout=None, name=None, attr=None, out=None",
        tensors={"x": "data", "w": "weight", "b": "bias"}, variables=_nd.variables,
        aside={**ASIDE, "name": LABEL, "attr": SYMBOL}, only={"out": (None,)},
        imports=("import mxnet",), read=_nd.read, say=_nd.say, reach=_nd.reach, examples=_nd.examples,
        copied=Copied("function", sequences=True),
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
        imports=("import mxnet",), read=_gluon.read, say=_gluon.say, examples=_gluon.examples, program=_gluon.program,
        copied=Copied("layer"),
    ),
    Idiom(
        id="mx-autograd",
        functions=dict.fromkeys((1, 2, 3), "mxnet.nd.Convolution"),
        signature="data, weight, bias=None, kernel=None, stride=(), dilate=(), pad=(), num_filter=None, "
                  "num_group=1, workspace=1024, no_bias=False, cudnn_tune=None, cudnn_off=False, layout=None",
        tensors={"z": "data", "w": "weight", "x": "x"},
        form="mxnet.autograd.grad(CALL, [z], head_grads=[x])[0]", aside=ASIDE,
        imports=("import mxnet",), read=_read_gradient, examples=_gradient_examples, program=_run_gradient,
    ),
    Idiom(
        id="mx-upsampling",
        functions={2: "mxnet.nd.UpSampling"},
        signature="data, weight, *, scale, sample_type, num_filter=0, multi_input_mode='concat', num_args=2, "
                  "workspace=512, name=None",
        aside={"workspace": EFFORT, "name": LABEL}, only={"multi_input_mode": ("concat",), "num_args": (2,)},
        tensors={"x": "data", "w": "weight"},
        variables=lambda given: ["weight"] * (given.get("sample_type") == "bilinear"),
        imports=("import mxnet",), read=_read_upsampling, reach=_reach_upsampling, examples=_upsampling_examples,
    ),
)  # fmt: skip
