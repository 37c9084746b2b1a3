"""Keras' idioms on its TensorFlow backend. There are no groups; the kernel is (*K, out, in), applied as stored."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.idioms._edges import draws
from conformance.idioms.base import FLOAT32, Claim, Copied, Example, Idiom, Refusal, Rule, Spelling, Use
from conformance.idioms.catalogue._tf import WEIGHT, claim, distinct, legal_sizes, window
from conformance.idioms.expression import Name, write
from conformance.idioms.names.meanings import AFTER, LABEL, TRAINING, VALUES
from conformance.idioms.sizes.legal import legal_alone
from conformance.problem import Ints, Problem

X, W = Name("x"), Name("w")
ENDS = (("valid", False), ("same", False), ("valid", True), ("same", True))
"""Ways to say a window, the usual first: padding, and whether output_padding is given."""


def sizes(problem: Problem, padding: str, output_padding: Ints | None) -> Ints:
    """The extents of the answer; an output_padding of None is not one of 0."""
    extents = list(zip(problem.input, problem.stride, problem.effective_kernel, strict=True))
    if output_padding is None:
        return tuple((i - 1) * s + (s if padding == "same" else max(ke, s)) for i, s, ke in extents)
    return tuple(
        (i - 1) * s + (ke % 2 if padding == "same" else ke) + op
        for (i, s, ke), op in zip(extents, output_padding, strict=True)
    )


def arguments(problem: Problem) -> dict[str, Any]:
    """The padding and output_padding of a layer that mean a problem's window, the simplest there are.

    Raises Refusal for groups, for a stride with a dilation, and for a window that is none of Keras'.
    """
    if problem.groups > 1:
        raise Refusal(f"{problem.groups} groups: Keras has none")
    if max(problem.stride) > 1 and max(problem.dilation) > 1:
        raise Refusal("a stride above 1 together with a dilation above 1: a layer takes one of them")
    for padding, given in ENDS:
        output_padding = _given(problem, padding) if given else None
        if given and output_padding is None:
            continue
        if problem.window == window(problem, padding.upper(), sizes(problem, padding, output_padding)):
            return {"padding": padding} | ({} if output_padding is None else {"output_padding": output_padding})
    raise Refusal(f"window {problem.window}: neither padding 'valid' nor 'same' gives it")


def _given(problem: Problem, padding: str) -> Ints | None:
    """The output_padding by which the size is reached; None where it is not from 0 to stride - 1, or is refused."""
    least = sizes(problem, padding, (0,) * problem.rank)
    paddings = tuple(out - base for out, base in zip(problem.output, least, strict=True))
    for op, s, ke in zip(paddings, problem.stride, problem.effective_kernel, strict=True):
        if not 0 <= op < s or (padding == "same" and not 1 <= ke % 2 + op <= s):
            return None
    return paddings


def _read_layer(use: Use) -> Claim:
    """The kernel is (*K, filters, in), and the in channels are those of the input. Without `output_padding`, same is
    TensorFlow's SAME with out = i*s, and valid is its VALID with out = (i - 1)*s + max(ke, s). With `output_padding`,
    out = (i - 1)*s + ke + op for valid, and out = (i - 1)*s + ke % 2 + op for same. SAME's law still gives the
    beginning: lo = max(ke - ke % 2 - op, 0) // 2. The layer refuses an `output_padding` of a stride or more, and a
    stride above 1 together with a dilation above 1. With same it refuses a size that is not from (i - 1)*s + 1 to i*s,
    for example with an even kernel and an output_padding of 0. Without oneDNN it refuses dilation and channels_first.
    """
    stride, dilation = use.per_axis("strides"), use.per_axis("dilation_rate")
    output_padding = None if use["output_padding"] is None else use.per_axis("output_padding")
    if use.dtype != FLOAT32 and use["dtype"] is None:
        raise Refusal(f"dtype is None: the layer answers in float32 whatever x is of, give dtype='{use.dtype}'")
    if not isinstance(use["filters"], int):
        raise Refusal(f"filters is {use['filters']!r}: it takes a whole number")
    return _claim(
        use, stride, dilation, output_padding, bias=bool(use["use_bias"]),
        layer=(None, use["filters"], use.per_axis("kernel_size")),
        refusals=[
            *([] if output_padding is None else _refused_paddings(use, output_padding)),
            ("a stride above 1 together with a dilation above 1", lambda _: max(stride) > 1 and max(dilation) > 1),
        ],
    )  # fmt: skip


def _refused_paddings(use: Use, output_padding: Ints) -> list[Rule]:
    """The refusals of an output_padding of a stride or more, and of one that gives a size TensorFlow does not take."""

    def legal(problem: Problem) -> list[list[int]]:
        padding = str(use["padding"]).lower()
        least = sizes(problem, padding, (0,) * problem.rank)
        axes = zip(problem.stride, least, legal_sizes(problem, padding.upper()), strict=True)
        return [[op for op in range(s) if base + op in extents] for s, base, extents in axes]

    def below(problem: Problem) -> list[range]:
        return [range(s) for s in problem.stride]

    return [
        legal_alone("output_padding must be less than the stride", "output_padding", output_padding, below, legal),
        legal_alone("TensorFlow does not take the size that this output_padding gives", "output_padding",
                    output_padding, legal),
    ]  # fmt: skip


def _read_ops(use: Use) -> Claim:
    """As the layer, without its checks and its bias. It accepts an output_padding if TensorFlow accepts the resulting
    size: an ordinary convolution of the answer must have the extents of the input. With same this holds for 1 <= ke % 2
    + op <= s, and with valid for 0 <= op < s. A stride and a dilation above 1 may be used together.
    """
    output_padding = None if use["output_padding"] is None else use.per_axis("output_padding")
    return _claim(use, use.per_axis("strides"), use.per_axis("dilation_rate"), output_padding)


def _claim(use: Use, stride: Ints, dilation: Ints, output_padding: Ints | None, **rest: Any) -> Claim:
    padding, formats = use["padding"], {None: False, "channels_last": False, "channels_first": True}
    data_format = use["data_format"].lower() if isinstance(use["data_format"], str) else use["data_format"]
    if not isinstance(padding, str) or padding.lower() not in ("same", "valid"):
        raise Refusal(f'padding is {padding!r}: it takes "valid" or "same"')
    if isinstance(data_format, Name) or data_format not in formats:
        raise Refusal(f'data_format is {use["data_format"]!r}: it takes "channels_last" or "channels_first"')
    if min(*stride, *dilation, 1) < 1:
        raise Refusal("strides and dilation_rate are at least 1")
    padding = padding.lower()
    return claim(
        use, lambda p: sizes(p, padding, output_padding), padding.upper(), stride, dilation,
        law="same-output-padding" if padding == "same" and output_padding is not None else padding,
        first=formats[data_format],
        given=None if output_padding is None else ("output_padding", output_padding), **rest,
    )  # fmt: skip


def _say_layer(problem: Problem) -> str:
    return _layer_text(problem, arguments(problem))


def _layer_text(problem: Problem, ends: Mapping[str, Any]) -> str:
    kernel = problem.kernel[0] if len(set(problem.kernel)) == 1 else problem.kernel
    words = _words({**ends, "strides": problem.stride, "dilation_rate": problem.dilation, "use_bias": problem.bias})
    return write(f"keras.layers.Conv{problem.rank}DTranspose", problem.out_channels, kernel, **words)


def _say_ops(problem: Problem) -> str:
    if problem.bias:
        raise Refusal("keras.ops.conv_transpose has no bias: add it afterwards")
    return _ops_text(problem, arguments(problem))


def _ops_text(problem: Problem, ends: Mapping[str, Any]) -> str:
    words = {**ends, "strides": problem.stride, "dilation_rate": problem.dilation}
    return write("keras.ops.conv_transpose", X, W, **_words(words))


def _reaching_ends(problem: Problem) -> Iterator[dict[str, Any]]:
    """The padding, and the output_padding where one is given, that may leave a problem's output extents."""
    for padding, given in ENDS:
        least = sizes(problem, padding, (0,) * problem.rank)
        back = tuple(out - base for out, base in zip(problem.output, least, strict=True))
        yield {"padding": padding, **({"output_padding": back} if given else {})}


def _reach_layer(problem: Problem) -> Iterator[str]:
    yield from (_layer_text(problem, ends) for ends in _reaching_ends(problem))


def _reach_ops(problem: Problem) -> Iterator[str]:
    yield from (_ops_text(problem, ends) for ends in _reaching_ends(problem))


def _words(options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as people write them: one number for equal ones, defaults left out."""
    plain = {"strides": 1, "padding": "valid", "output_padding": None, "dilation_rate": 1, "data_format": None,
             "use_bias": True}  # fmt: skip
    short = {
        name: value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
        for name, value in options.items()
    }
    return {name: value for name, value in short.items() if value != plain[name]}


def _run_layer(call: str, outer: str, bias: bool) -> Sequence[str]:
    return [f"layer = {call}", "layer.build(x.shape)", f"layer.set_weights([w{', b' * bias}])", f"y = layer({outer})"]


def _picks(key: str, ranks: Mapping[int, int], wild: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Arguments of every kind, so many a rank; `wild` output_paddings are drawn where not one of a legal size is."""
    axes = {"i": range(1, 7), "k": range(1, 6), "s": (1, 2, 3, 4), "op": (0, 0, 1, 2, 3), "d": (2, 3, 1)}
    rest = {
        "padding": ("valid", "same"), "given": (False, True), "dilated": (0, 0, 0, 0, 0, 1, 1, 2), "ic": (1, 2, 3),
        "oc": (1, 2, 3), "n": (1, 2), "bias": (True, False), "first": (False, False, False, True),
        "wild": (0,) * 11 + (1,),
    }  # fmt: skip
    small = {"i": range(1, 5), "k": range(1, 4), "s": (1, 2, 3)}
    for rank, count in ranks.items():
        for pick in draws(f"{key}-{rank}", count, rank, axes | (small if rank > 1 else {}), rest):
            pick["rank"], pick["d"] = rank, pick["d"] if pick["dilated"] else (1,) * rank
            pick["s"] = (1,) * rank if pick["dilated"] == 1 else pick["s"]
            problem = Problem.of(pick["i"], pick["k"], pick["s"], 0, 0, pick["d"])
            if not pick["wild"]:
                odd = [1 - ke % 2 if pick["padding"] == "same" else 0 for ke in problem.effective_kernel]
                pick["op"] = tuple(max(op % s, least) for op, s, least in zip(pick["op"], pick["s"], odd, strict=True))
            else:
                pick["op"] = tuple(op + more for op, more in zip(pick["op"], wild, strict=False))
            pick["op"] = pick["op"] if pick["given"] else None
            if min(sizes(problem, pick["padding"], pick["op"])) > 0:
                yield pick


def _options(pick: Mapping[str, Any]) -> dict[str, Any]:
    names = {"strides": "s", "padding": "padding", "output_padding": "op", "dilation_rate": "d"}
    words = {name: pick[short] for name, short in names.items()}
    return _words(words | {"data_format": "channels_first" if pick["first"] else None})


def _shape(pick: Mapping[str, Any]) -> Ints:
    return (pick["n"], pick["ic"], *pick["i"]) if pick["first"] else (pick["n"], *pick["i"], pick["ic"])


def _layer_examples() -> Iterator[Example]:
    for pick in _picks("keras-layer", {1: 900, 2: 220, 3: 80}, (0, 1, 0)):
        words = _options(pick) | ({} if pick["bias"] else {"use_bias": False})
        text = write(f"keras.layers.Conv{pick['rank']}DTranspose", pick["oc"], pick["k"], **words)
        yield Example(text, {"x": _shape(pick)})


def _ops_examples() -> Iterator[Example]:
    for pick in _picks("keras-ops", {1: 500, 2: 120, 3: 60}, (-1, 0, 1)):
        weight = (*pick["k"], pick["oc"], pick["ic"] + (pick["wild"] and pick["bias"]))
        yield Example(write("keras.ops.conv_transpose", X, W, **_options(pick)), {"x": _shape(pick), "w": weight})


ORDERS = ("output_padding", "data_format"), ("data_format", "output_padding")
"""The fifth and sixth parameters of a layer, and in 3-D."""


def _signature(fifth: str, sixth: str) -> str:
    """The parameters of a layer, as in Keras 3."""
    return (f"filters, kernel_size, strides=1, padding='valid', {fifth}=None, {sixth}=None, dilation_rate=1, "
            "activation=None, use_bias=True, kernel_initializer='glorot_uniform', bias_initializer='zeros', "
            "kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, "
            "bias_constraint=None, *, name=None, trainable=True, dtype=None, autocast=True, input_shape=None, "
            "batch_shape=None")  # fmt: skip


ASIDE = {
    "activation": AFTER, "kernel_initializer": VALUES, "bias_initializer": VALUES, "kernel_regularizer": TRAINING,
    "bias_regularizer": TRAINING, "activity_regularizer": TRAINING, "kernel_constraint": TRAINING,
    "bias_constraint": TRAINING, "trainable": TRAINING, "name": LABEL, "input_shape": "the shape of x says it",
    "batch_shape": "the shape of x says it",
}  # fmt: skip
KERAS2 = ("filters, kernel_size, strides=1, padding='valid', output_padding=None, data_format=None, dilation_rate=1, "
          "*, activation=None, use_bias=True, kernel_initializer='glorot_uniform', bias_initializer='zeros', "
          "kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, "
          "bias_constraint=None, name=None, trainable=True, dtype=None, input_shape=None")  # fmt: skip
"""Of the older name of the layers, which Keras 2 had last; the order of what stands behind these differs."""
KERAS1 = ("these are no arguments of Keras 2, and those of Keras 1 are not read: give what it called, "
          "tf.nn.conv2d_transpose(x, w, output_shape, strides=subsample, padding=border_mode in capitals)")  # fmt: skip
OLDER = (
    Spelling(
        functions={rank: f"tf.compat.v1.layers.conv{rank}d_transpose" for rank in (2, 3)},
        signature="inputs, filters, kernel_size, strides=1, padding='valid', data_format='channels_last', "
                  "activation=None, use_bias=True, kernel_initializer=None, bias_initializer=None, "
                  "kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, "
                  "bias_constraint=None, trainable=True, name=None, reuse=None",
        names={"reuse": None}, applied="inputs",
    ),
    *(
        Spelling(
            functions={rank: f"keras.layers.Convolution{rank}DTranspose"}, signature=_signature(*ORDERS[rank == 3])
        )
        for rank in (1, 2, 3)
    ),
    *(Spelling(functions={rank: f"keras.layers.Deconvolution{rank}D"}, signature=KERAS2, otherwise=KERAS1)
      for rank in (2, 3)),
)  # fmt: skip

IDIOMS = (
    Idiom(
        id="keras-layer",
        functions={rank: f"keras.layers.Conv{rank}DTranspose" for rank in (1, 2, 3)},
        signature=_signature(*ORDERS[0]), orders={3: _signature(*ORDERS[1])},
        settled=4,
        outer="inputs", aside=ASIDE, dtypes=frozenset({"dtype"}), only={"autocast": (True,)}, spellings=OLDER,
        tensors={"x": "inputs"},
        data="n k c", weight=WEIGHT, imports=("import keras",), program=_run_layer,
        read=_read_layer, say=_say_layer, reach=_reach_layer, examples=lambda: distinct(_layer_examples()),
        copied=Copied("layer"),
    ),
    Idiom(
        id="keras-ops",
        functions=dict.fromkeys((1, 2, 3), "keras.ops.conv_transpose"),
        signature="inputs, kernel, strides=1, padding='valid', output_padding=None, data_format=None, dilation_rate=1",
        tensors={"x": "inputs", "w": "kernel"},
        data="n k c", weight=WEIGHT, imports=("import keras",),
        read=_read_ops, say=_say_ops, reach=_reach_ops, examples=lambda: distinct(_ops_examples()),
    ),
)  # fmt: skip
