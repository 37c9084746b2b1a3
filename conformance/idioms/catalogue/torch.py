"""PyTorch's idioms. Data is NC*, or C* unbatched; the weight (g i) o k, kernel as stored, in every one of them."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from conformance.idioms._edges import draws
from conformance.idioms._words import Words, canonical
from conformance.idioms.base import (
    DTYPES,
    HALVES,
    Claim,
    Copied,
    Dialect,
    Example,
    Idiom,
    Refusal,
    Use,
    Widths,
    with_window,
)  # fmt: skip
from conformance.idioms.catalogue import _torch
from conformance.idioms.catalogue._torch import axes
from conformance.idioms.expression import Name, write
from conformance.idioms.names.meanings import NO_PART, PLACE
from conformance.idioms.sizes.legal import given_back, legal_alone
from conformance.idioms.sizes.windows import windows
from conformance.problem import Ints, Problem

X, W, B, Z = map(Name, "xwbz")
NEGATIVE = "negative padding is not supported"
LIMIT = "output_padding must be smaller than either stride or dilation"
ALL_CUT = "the window cuts more than there is"


def arguments(problem: Problem) -> dict[str, Any]:
    """The arguments of conv_transpose that mean a problem's window: padding lo, output_padding lo - hi.

    Raises Refusal outside of lo >= 0 and 0 <= lo - hi < max(stride, dilation).
    """
    output_padding = tuple(lo - hi for lo, hi in problem.window)
    for (lo, hi), op, s, d in zip(problem.window, output_padding, problem.stride, problem.dilation, strict=True):
        if lo < 0:
            raise Refusal(f"window ({lo}, {hi}) would need padding={lo}, which must not be negative")
        if not 0 <= op < max(s, d):
            rule = "must not be negative" if op < 0 else f"must be less than stride {s} or dilation {d}"
            raise Refusal(f"window ({lo}, {hi}) would need padding={lo} and output_padding={op}, which {rule}")
    return {
        "stride": problem.stride,
        "padding": tuple(lo for lo, _ in problem.window),
        "output_padding": output_padding,
        "groups": problem.groups,
        "dilation": problem.dilation,
    }


def _words(options: dict[str, Any]) -> dict[str, Any]:
    """Arguments as people write them: one number for equal ones, defaults left out."""
    plain = {"stride": 1, "padding": 0, "output_padding": 0, "groups": 1, "dilation": 1}
    short = {
        name: value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
        for name, value in options.items()
    }
    return {name: value for name, value in short.items() if value != plain.get(name)}


def _batched(use: Use) -> str:
    return "c k" if len(use.shapes["x"]) == use.rank + 1 else "n c k"


def _claim_padding(use: Use) -> Claim:
    """`padding` cuts both ends of the stamp, and `output_padding` gives rows back at the end: window (p, p - op)."""
    return _padded(use, use.has("bias"))


def _padded(use: Use, bias: bool, layer: tuple[int, int, Ints] | None = None, listed: bool = False) -> Claim:
    """The claim of a padding and an output_padding; `listed` where a number alone is refused."""
    if isinstance(use["padding"], str):
        raise Refusal(_torch.no_name(use, layer[2] if layer else None))
    padding, output_padding = axes(use, "padding"), axes(use, "output_padding")
    return use.claim(
        "padding", data=_batched(use), stride=axes(use, "stride"), dilation=axes(use, "dilation"),
        pads=padding, output_padding=output_padding, groups=use["groups"], bias=bias, layer=layer,
        refusals=[
            *([_torch.unlisted(use)] if listed else []),
            ("stride and dilation must be at least 1", lambda p: min(*p.stride, *p.dilation) < 1),
            (NEGATIVE, lambda _: min(*padding, *output_padding, 0) < 0),
            legal_alone(LIMIT, "output_padding", output_padding, lambda p: [
                range(max(s, d)) for s, d in zip(p.stride, p.dilation, strict=True)], lambda p: given_back(p, padding)),
            legal_alone(ALL_CUT, "padding", padding, lambda p: [
                range((full + op + 1) // 2) for full, op in zip(p.full, output_padding, strict=True)]),
        ],
    )  # fmt: skip


def _say(problem: Problem) -> str:
    function = f"torch.nn.functional.conv_transpose{problem.rank}d"
    return write(function, X, W, *([B] if problem.bias else []), **_words(arguments(problem)))


def _examples() -> Iterator[Example]:
    for rank, count in ((1, 2000), (2, 400), (3, 120)):
        for pick in _picks("torch-functional", count, rank):
            shape = (*([pick["n"]] if pick["n"] else []), pick["g"] * pick["ic"], *pick["i"])
            options = _words({name: pick[name] for name in ("stride", "padding", "output_padding", "groups", "dilation")
                              if name in pick} | {"groups": pick["g"]})  # fmt: skip
            text = write(f"torch.nn.functional.conv_transpose{rank}d", X, W, *([B] if pick["bias"] else []), **options)
            yield Example(text, {"x": shape, "w": (pick["g"] * pick["ic"] + pick["wrong"], pick["oc"], *pick["k"])})


def _picks(key: str, count: int, rank: int) -> Iterator[dict[str, Any]]:
    """Arguments of every kind, one in ten or so refused; an empty output is left out, being refused by chance."""
    axes = {"i": range(1, 7), "k": range(1, 6), "stride": (1, 2, 3, 4), "padding": (0, 0, 1, 2, 3),
            "output_padding": (0, 0, 0, 1, 2), "dilation": (1, 1, 2, 3)}  # fmt: skip
    rest = {"g": (1, 1, 2, 3), "ic": (1, 2, 3), "oc": (1, 2, 3), "n": (0, 1, 2), "bias": (False, True),
            "wrong": (0,) * 19 + (1,)}  # fmt: skip
    if rank > 1:
        axes |= {"i": range(1, 5), "k": range(1, 4), "padding": (0, 0, 0, 1, 2), "output_padding": (0, 0, 0, 0, 1)}
    for pick in draws(f"{key}-{rank}", count, rank, axes, rest):
        names = ("i", "k", "stride", "padding", "output_padding", "dilation")
        problem = Problem.of(*(pick[name] for name in names))
        if 0 not in problem.output:
            yield pick


def _read_layer(use: Use) -> Claim:
    """Without output_size the layer is as the function. With it the window begins at `padding` and ends where the size
    is reached. `output_size` may have a number for each spatial axis, or a number for each axis of x; those of batch
    and channels are then ignored. Each extent is from (i - 1)*s + ke - 2p to stride - 1 more.
    """
    if use["in_channels"] is None:
        raise Refusal("in_channels is None: it takes a whole number")
    layer = use["in_channels"], use["out_channels"], use.per_axis("kernel_size")
    if use["output_size"] is None:
        return _padded(use, bool(use["bias"]), layer)
    given, padding = use["output_size"], use.per_axis("padding")
    if not isinstance(given, list | tuple):
        raise Refusal(f"output_size is {given!r}: it takes a list")
    size, whole = _torch.require_extents("output_size", given[-use.rank :], use.rank), len(use.shapes["x"])
    return use.claim(
        "output-size", data=_batched(use), stride=use.per_axis("stride"), dilation=use.per_axis("dilation"),
        window=lambda p: tuple((pad, full - pad - out) for pad, full, out in zip(padding, p.full, size, strict=True)),
        groups=use["groups"], bias=bool(use["bias"]), layer=layer,
        refusals=[
            (f"output_size has {len(given)} numbers: x has {whole} axes, so it takes {use.rank} or {whole}",
             lambda _: len(given) not in (use.rank, whole)),
            legal_alone("output_size is out of reach", "output_size", size, lambda p: [
                range(max(full - 2 * pad, 1), full - 2 * pad + s)
                for full, pad, s in zip(p.full, padding, p.stride, strict=True)]),
        ],
    )  # fmt: skip


def _say_layer(problem: Problem) -> str:
    words = _words(arguments(problem)) | ({} if problem.bias else {"bias": False})
    kernel = problem.kernel[0] if len(set(problem.kernel)) == 1 else problem.kernel
    channels = problem.groups * problem.in_channels, problem.groups * problem.out_channels
    return write(f"torch.nn.ConvTranspose{problem.rank}d", *channels, kernel, **words)


def _reach_layer(problem: Problem) -> Iterator[str]:
    """With output_size, the layer's padding being what the window cuts at the beginning."""
    for window in windows(problem):
        plain = with_window(problem, tuple((lo, lo) for lo, _ in window))
        with suppress(Refusal):
            yield f"{_say_layer(plain)}(x, output_size={list(problem.output)})"


def _run_layer(call: str, outer: str, bias: bool) -> Sequence[str]:
    return [f"layer = {call}", "layer.weight.data = w", *(["layer.bias.data = b"] if bias else []),
            f"y = layer({outer})"]  # fmt: skip


def _layer_examples() -> Iterator[Example]:
    for rank, count in ((1, 1200), (2, 250), (3, 80)):
        for pick in _picks("torch-layer", count, rank):
            channels = pick["g"] * pick["ic"], pick["g"] * pick["oc"]
            words = {name: pick[name] for name in ("stride", "padding", "dilation")} | {"groups": pick["g"]}
            shape = (*([pick["n"]] if pick["n"] else []), channels[0] + pick["wrong"], *pick["i"])
            if pick["bias"]:
                text = write(f"torch.nn.ConvTranspose{rank}d", *channels, pick["k"],
                             **_words(words | {"output_padding": pick["output_padding"]}))  # fmt: skip
            else:
                problem = Problem.of(pick["i"], pick["k"], pick["stride"], pick["padding"], 0, pick["dilation"])
                size = [out + more for out, more in zip(problem.output, pick["output_padding"], strict=True)]
                if 0 in size:
                    continue
                layer = write(f"torch.nn.ConvTranspose{rank}d", *channels, pick["k"], **_words(words), bias=False)
                text = f"{layer}(x, output_size={size})"
            yield Example(text, {"x": shape})


def _read_gradient(use: Use) -> Claim:
    """The gradient of an ordinary convolution of input z: the window begins at its padding and is z's size."""
    return _gradient(use, "z", use.shapes["z"])


def _read_input_gradient(use: Use) -> Claim:
    """As the gradient by autograd. `input_size` is the size of the answer, and `padding` is that of the convolution."""
    size = _torch.require_extents("input_size", use["input_size"], use.rank + 2)
    if isinstance(use["padding"], str):
        raise Refusal(f"padding is {use['padding']!r}: it takes whole numbers here, and no string as the convolution "
                      "does")  # fmt: skip
    if size[0] != use.shapes["x"][0]:
        raise Refusal(f"input_size has a batch of {size[0]}, grad_output one of {use.shapes['x'][0]}: some are taken, "
                      "and nothing is claimed of them")  # fmt: skip
    _torch.require_dilation(use)
    if use.shapes["x"][1:2] != use.shapes["w"][:1]:
        raise Refusal(f"the weight is of {use.shapes['w'][:1]} channels, the input of {use.shapes['x'][1:2]}: some are "
                      "taken, in groups and in float64, and nothing is claimed of them")  # fmt: skip
    return _gradient(use, "input_size", size)


def _gradient(use: Use, name: str, size: Ints) -> Claim:
    stride, dilation = axes(use, "stride"), axes(use, "dilation")
    padding, out = use["padding"], size[-use.rank :]
    if min(stride) < 1:
        raise Refusal(f"stride is {use['stride']!r}: it takes numbers of at least 1")
    if len(size) != len(use.shapes["x"]):
        raise Refusal(f"z {size} has {len(size)} axes: it takes {len(use.shapes['x'])}")
    if isinstance(padding, str) and padding not in ("same", "valid"):
        raise Refusal(f"padding is {padding!r}: the strings are 'same' and 'valid'")
    same = padding == "same"
    pads = (0,) * use.rank if isinstance(padding, str) else axes(use, "padding")

    def begin(problem: Problem) -> Sequence[int]:
        return [(ke - 1) // 2 for ke in problem.effective_kernel] if same else pads

    def ends(problem: Problem) -> Sequence[int]:
        return [ke - 1 - (ke - 1) // 2 for ke in problem.effective_kernel] if same else pads

    return use.claim(
        "gradient", data=_batched(use), stride=stride, dilation=dilation, groups=use["groups"],
        window=lambda p: tuple((lo, full - lo - o) for lo, full, o in zip(begin(p), p.full, out, strict=True)),
        refusals=[
            ("padding 'same' needs stride 1", lambda p: same and max(stride) > 1),
            ("dilation is at least 1", lambda _: min(dilation) < 1),
            (NEGATIVE, lambda _: min(pads) < 0),
            _torch.other_than(name, size, use.rank),
            legal_alone("the shape of z is not the convolution's", name, out, lambda p: [
                range(max(full - lo - hi, 1), full - lo - hi + s)
                for full, lo, hi, s in zip(p.full, begin(p), ends(p), stride, strict=True)]),
        ],
    )  # fmt: skip


def _gradient_examples() -> Iterator[Example]:
    return _gradients(
        "torch-autograd",
        lambda rank, size, words: (
            f"torch.autograd.grad({write(f'torch.nn.functional.conv{rank}d', Z, W, **words)}, z, x)[0]"
        ),
    )


def _input_gradient_examples() -> Iterator[Example]:
    return _gradients(
        "torch-conv-input", lambda rank, size, words: write(f"torch.nn.grad.conv{rank}d_input", size, W, X, **words)
    )


def _gradients(key: str, text: Any) -> Iterator[Example]:
    for rank, count in ((1, 1000), (2, 200), (3, 60)):
        axes = {"out": range(1, 13), "k": range(1, 5), "stride": (1, 2, 3), "padding": (0, 1, 2), "dilation": (1, 1, 2)}
        rest = {"g": (1, 1, 2), "ic": (1, 2, 3), "oc": (1, 2), "n": (1, 2)}
        for pick in draws(f"{key}-{rank}", count, rank, axes, rest):
            extents = [
                (o + 2 * p - d * (k - 1) - 1) // s + 1
                for o, k, s, p, d in zip(*(pick[name] for name in axes), strict=True)
            ]
            if min(extents) > 0:
                words = _words({name: pick[name] for name in ("stride", "padding", "dilation")} | {"groups": pick["g"]})
                size = (pick["n"], pick["g"] * pick["oc"], *pick["out"])
                channels = pick["g"] * pick["ic"]
                yield Example(text(rank, size, words), {
                      "x": (pick["n"], channels, *extents), "w": (channels, pick["oc"], *pick["k"]),
                    **({"z": size} if "autograd" in key else {}),
                })  # fmt: skip
    for k in (1, 2, 3, 4, 5) if "autograd" in key else ():
        for d in (1, 2):
            yield Example(text(1, (1, 2, 9), {"padding": "same", "dilation": d}),
                          {"x": (1, 3, 9), "w": (3, 2, k), "z": (1, 2, 9)})  # fmt: skip


def _run_gradient(call: str, outer: str, bias: bool) -> Sequence[str]:
    return ["z.requires_grad_()", "with torch.enable_grad():", f"    y = {call}"]


def _reach_input_gradient(problem: Problem) -> Iterator[str]:
    size = (problem.batch, problem.groups * problem.out_channels, *problem.output)
    for window in windows(problem):
        words = {"stride": problem.stride, "padding": tuple(lo for lo, _ in window), "groups": problem.groups,
                 "dilation": problem.dilation}  # fmt: skip
        yield write(f"torch.nn.grad.conv{problem.rank}d_input", size, W, X, **_words(words))


def _read_aten(use: Use) -> Claim:
    """The operator that all of them call. Its arguments are those of the function; groups are last, and `transposed` is
    True."""
    if isinstance(use["transposed"], Name) or use["transposed"] != 1:
        raise Refusal("transposed is not True: it is an ordinary convolution: give its gradient with respect to its "
                      "input, such as torch.autograd.grad(F.conv2d(z, w, ...), z, x)[0]")  # fmt: skip
    _torch.require_dilation(use)
    return _padded(use, use.has("bias"), listed=True)


def _reach_aten(problem: Problem) -> Iterator[str]:
    for window in windows(problem):
        with suppress(Refusal):
            words = arguments(with_window(problem, window))
            lists = [list(words[name]) for name in ("stride", "padding", "dilation")]
            yield write("torch.ops.aten.convolution", X, W, None, *lists, True, list(words["output_padding"]),
                        problem.groups)  # fmt: skip


def _aten_examples() -> Iterator[Example]:
    for rank, count in ((1, 200), (2, 60), (3, 20)):
        for pick in _picks("torch-aten", count, rank):
            lists = [list(pick[name]) for name in ("stride", "padding", "dilation")]
            text = write("torch.ops.aten.convolution", X, W, B if pick["bias"] else None, *lists, True,
                         list(pick["output_padding"]), pick["g"])  # fmt: skip
            yield Example(text, {"x": (max(pick["n"], 1), pick["g"] * pick["ic"], *pick["i"]),
                                 "w": (pick["g"] * pick["ic"], pick["oc"], *pick["k"])})  # fmt: skip


def _pad(name: str, widths: Widths) -> str:
    amounts = [end for ends in reversed(widths) for end in ends]
    while amounts[-2:] == [0, 0]:
        amounts = amounts[:-2]
    return write("torch.nn.functional.pad", Name(name), amounts)


DIALECT = Dialect(
    imports=("import torch",),
    tensor="torch.from_numpy({})",
    array="{}.detach().numpy()",
    pad=_pad,
    concat=lambda parts, axis: f"torch.cat({parts}, {axis})",
    modules={"torch.nn.functional": ("F", "nn.F"), "torch.ops.aten": ("aten",)},
    roots=("torch", "pytorch"),
    arrays="torch",
    native=lambda name: f"torch.nn.functional.{name}",
    kernels={"": (*HALVES, *DTYPES, "int64")},
    bfloat16=("{}.bfloat16()", "{}.float()"),
)


WORDS = Words(
    _torch.unchecked, canonical, "n c k", {"torch": "torch"}, views=True,
    functions=frozenset({
        *(f"torch.nn.functional.conv_transpose{rank}d" for rank in (1, 2, 3)),
        "torch.ops.aten.slow_conv_transpose3d", "torch.ops.aten.convolution",
    }),
    gradient=("{operand}.requires_grad_()", "y = {call}", "y, = torch.autograd.grad(y, {operand}, g)"),
)  # fmt: skip

IDIOMS = (
    Idiom(
        id="torch-functional",
        functions={rank: f"torch.nn.functional.conv_transpose{rank}d" for rank in (1, 2, 3)},
        signature=_torch.FUNCTION, spellings=_torch.SPELLINGS,
        tensors={"x": "input", "w": "weight", "b": "bias"},
        imports=("import torch",), read=_claim_padding, say=_say, examples=_examples, copied=Copied("function"),
    ),
    Idiom(
        id="torch-layer",
        functions={rank: f"torch.nn.ConvTranspose{rank}d" for rank in (1, 2, 3)},
        signature=f"in_channels, {_torch.LAYER}", spellings=(_torch.LAZY,),
        outer="input, output_size=None",
        tensors={"x": "input"},
        aside={"device": PLACE}, only={"padding_mode": ("zeros",)}, dtypes=frozenset({"dtype"}),
        imports=("import torch",), read=_read_layer, say=_say_layer, reach=_reach_layer, examples=_layer_examples,
        program=_run_layer,
        copied=Copied("layer"),
    ),
    Idiom(
        id="torch-autograd",
        functions={rank: f"torch.nn.functional.conv{rank}d" for rank in (1, 2, 3)},
        signature="input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1",
        tensors={"z": "input", "w": "weight", "x": "x"},
        form="torch.autograd.grad(CALL, z, x)[0]", aside={"bias": NO_PART},
        imports=("import torch",), read=_read_gradient, examples=_gradient_examples, program=_run_gradient,
    ),
    Idiom(
        id="torch-conv-input",
        functions={rank: f"torch.nn.grad.conv{rank}d_input" for rank in (1, 2, 3)},
        signature="input_size, weight, grad_output, stride=1, padding=0, dilation=1, groups=1",
        tensors={"x": "grad_output", "w": "weight"},
        imports=("import torch",), read=_read_input_gradient, reach=_reach_input_gradient,
        examples=_input_gradient_examples,
    ),
    Idiom(
        id="torch-aten",
        functions=dict.fromkeys((1, 2, 3), "torch.ops.aten.convolution"),
        signature=_torch.ATEN, spellings=(_torch.CONVOLUTION,),
        tensors={"x": "input", "w": "weight", "b": "bias"},
        imports=("import torch",), read=_read_aten, reach=_reach_aten, examples=_aten_examples,
    ),
)  # fmt: skip
