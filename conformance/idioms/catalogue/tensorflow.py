"""TensorFlow's idioms: tf.nn here, Keras in `_keras`.

Data is N*C, or NC* if asked for; the weight k o (g i), kernel as stored. conv3d_transpose without batch and channels
in its output_shape ends the process where oneDNN is on: such sizes are refused here before they are tried.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from conformance.idioms.base import EFFORT, LABEL, Claim, Dialect, Example, Idiom, Refusal, Spelling, Use, Widths, draws
from conformance.idioms.catalogue import _keras
from conformance.idioms.catalogue._tf import WEIGHT, Padding, claim, distinct, legal, window
from conformance.idioms.expression import Name, write
from conformance.problem import Ints, Problem, Window

X, W = Name("x"), Name("w")
FORMATS = {1: ("NWC", "NCW"), 2: ("NHWC", "NCHW"), 3: ("NDHWC", "NCDHW")}
"""Names of data layouts by rank: channels last, channels first."""


def arguments(problem: Problem) -> dict[str, Any]:
    """The arguments of tf.nn.conv_transpose that mean a problem's window: SAME, else VALID, else pairs.

    Raises Refusal where none of them does. Pairs are of 2-D alone, without groups and dilation, for lo >= 0 and
    hi > -stride.
    """
    padding = _padding(problem)
    pairs = padding if isinstance(padding, str) else [(0, 0), *padding, (0, 0)]
    return {
        "output_shape": (problem.batch, *problem.output, problem.groups * problem.out_channels),
        "strides": problem.stride,
        "padding": pairs,
        "dilations": problem.dilation,
    }


def _padding(problem: Problem) -> Padding:
    if problem.rank == 3 and problem.groups > 1:
        raise Refusal(f"{problem.groups} groups: conv3d_transpose has none")
    for name in ("SAME", "VALID"):
        if legal(problem, name, problem.output) and window(problem, name, problem.output) == problem.window:
            return name
    if problem.rank != 2 or problem.groups > 1 or max(problem.dilation) > 1:
        raise Refusal(f"window {problem.window}: neither SAME nor VALID means it, and explicit padding is of 2-D "
                      "alone, without groups and dilation")  # fmt: skip
    for (lo, hi), s in zip(problem.window, problem.stride, strict=True):
        if lo < 0 or hi <= -s:
            raise Refusal(f"window ({lo}, {hi}): explicit padding takes lo >= 0 and hi > -{s}")
    return tuple((lo, max(hi, 0)) for lo, hi in problem.window)


def _read(use: Use) -> Claim:
    """`output_shape` is the answer's size and the rest is the law of `padding`; groups are its channels / filter's.

    SAME cuts lo = max(full - out, 0) // 2 and takes (i - 1)*s < out <= i*s; VALID cuts lo = 0 and takes
    (i - 1)*s + ke <= out < i*s + ke; pairs, in 2-D alone, cut lo = begin and take
    (i - 1)*s + ke <= out + begin + end < i*s + ke. hi = full - out - lo always, so an end pair says only which sizes
    are legal. Without oneDNN, and for pairs always, dilation, groups and channels first are refused; groups in 3-D
    always. oneDNN divides as C does, so VALID on an input of 1 also takes ke - s < out < ke. A weight in the
    forward convolution's order, out and in exchanged, is refused unless the counts are equal.
    """
    return _sized(use, "output_shape", "filters", "pairs")


def _read_gradient(use: Use) -> Claim:
    """The gradient of an ordinary convolution by its input, which is of `input_sizes`; as tf.nn.conv2d_transpose.

    The filter's last axes are the convolution's in / groups and out, which are out / groups and in from here.
    Strides and dilations are lists of 4. With explicit padding lo = begin, hi = full - lo - out.
    """
    for name in ("strides", "dilations"):
        if not isinstance(use[name], list | tuple) or len(use[name]) != 4:
            raise Refusal(f"{name} is {use[name]!r}: it takes 4 numbers here")
    return _sized(use, "input_sizes", "filter", "gradient")


def _read_atrous(use: Use) -> Claim:
    """Dilation `rate`, stride 1: SAME takes out = i and cuts (ke - 1) // 2 at the beginning, VALID takes full alone.

    Done by moving space to batch, so that it needs no oneDNN. Groups are known with a rate of 1 alone.
    """
    rate, padding = use["rate"], use["padding"]
    if not isinstance(rate, int) or rate < 1:
        raise Refusal(f"rate is {rate!r}: it takes a whole number of at least 1")
    if padding not in ("SAME", "VALID"):
        raise Refusal(f'padding is {padding!r}: it takes "SAME" or "VALID"')
    size, groups, refused = _output(use, "output_shape", first=False)
    if rate == 1:
        return _claimed(use, size, padding, (1, 1), (1, 1), groups, refused, law=padding.lower(), first=False)
    return use.claim(
        padding.lower(), data="n k c", weight=WEIGHT, stride=(1, 1), dilation=(rate, rate), groups=groups,
        window=lambda p: window(p, padding, size),
        refusals=[
            (refused, lambda _: bool(refused)),
            ("groups with a rate above 1", lambda p: p.groups > 1),
            ("no convolution of the answer has the input's extents", lambda p: not legal(p, padding, size)),
        ],
    )  # fmt: skip


def _sized(use: Use, size: str, weight: str, explicit: str) -> Claim:
    formats = FORMATS[use.rank]
    if use["data_format"] not in (None, *formats):
        raise Refusal(f"data_format is {use['data_format']!r}: it takes {' or '.join(formats)}")
    first = use["data_format"] == formats[1]
    stride, stride_refused = _spatial(use, "strides", first=first)
    dilation, dilation_refused = _spatial(use, "dilations", first=first)
    padding, padding_refused = _read_padding(use, first=first)
    extents, groups, size_refused = _output(use, size, first=first)
    refused = stride_refused or dilation_refused or padding_refused or size_refused
    law = padding.lower() if isinstance(padding, str) else explicit
    return _claimed(use, extents, padding, stride, dilation, groups, refused, law=law, first=first)


def _claimed(
    use: Use, size: Ints, padding: Padding, stride: Ints, dilation: Ints, groups: int, refused: str, *, law: str,
    first: bool,
) -> Claim:  # fmt: skip
    return claim(use, lambda _: size, padding, stride, dilation, law=law, first=first, groups=groups,
                 refusals=[(refused, lambda _: bool(refused))])  # fmt: skip


def _spatial(use: Use, name: str, *, first: bool) -> tuple[Ints, str]:
    """The spatial part of 1, rank or rank + 2 numbers, and why the rest of them is refused."""
    value = 1 if use[name] is None else use[name]
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not all(isinstance(each, int) and each > 0 for each in values) or len(values) not in (1, use.rank, use.rank + 2):
        raise Refusal(f"{name} is {value!r}: it takes 1, {use.rank} or {use.rank + 2} numbers of at least 1")
    if len(values) != use.rank + 2 or use.rank + 2 == 1:
        return tuple(values * use.rank if len(values) == 1 else values), ""
    outer, spatial = _parted(values, first=first)
    if use.rank == 1 and set(outer) != {1}:
        raise Refusal(f"{name} {value} of batch or channels: in 1-D some are passed over, nothing is claimed of them")
    return tuple(spatial), "" if set(outer) == {1} else f"{name} {value} of batch or channels"


def _parted(values: Sequence[Any], *, first: bool) -> tuple[Sequence[Any], Sequence[Any]]:
    """What is of batch and channels, and what is of the spatial axes."""
    return ([*values[:2]], values[2:]) if first else ([values[0], values[-1]], values[1:-1])


def _read_padding(use: Use, *, first: bool) -> tuple[Padding, str]:
    padding = use["padding"]
    if padding in ("SAME", "VALID"):
        return str(padding), ""
    if use.rank != 2 or not isinstance(padding, list | tuple):
        raise Refusal(f'padding is {padding!r}: it takes "SAME" or "VALID"{" or 4 pairs" * (use.rank == 2)}')
    pairs = [tuple(pair) for pair in padding if isinstance(pair, list | tuple)]
    if len(padding) != 4 or not all(
        len(pair) == 2 and all(isinstance(end, int) for end in pair) for pair in pairs
    ) or len(pairs) != 4:  # fmt: skip
        raise Refusal(f"padding is {padding!r}: it takes 4 pairs, one an axis of the data")
    outer, spatial = _parted(pairs, first=first)
    if set(outer) != {(0, 0)}:
        return tuple(spatial), "padding of batch or channels"
    return tuple(spatial), "negative padding" if min(min(pair) for pair in spatial) < 0 else ""


def _output(use: Use, name: str, *, first: bool) -> tuple[Ints, int, str]:
    """The extents of the answer and the groups that its channels say, and why its shape is refused.

    In 2-D the extents may stand alone; the channels are then the filter's.
    """
    size, weight = use[name], use.shapes["w"]
    alone = use.rank == 2 and isinstance(size, list | tuple) and len(size) == 2 and "rate" not in use.arguments
    if not isinstance(size, list | tuple) or not (alone or len(size) == use.rank + 2):
        raise Refusal(f"{name} is {size!r}: it takes {use.rank + 2} extents")
    if not all(isinstance(extent, int) and extent > 0 for extent in size):
        raise Refusal(f"{name} is {size!r}: it takes numbers of at least 1")
    if len(weight) != use.rank + 2:
        raise Refusal(
            f"filter {weight} has {len(weight)} axes, '{WEIGHT}' of {use.rank} spatial ones has {use.rank + 2}"
        )
    if min(weight) < 1:
        raise Refusal(f"filter {weight}: nothing is claimed of extents below 1")
    if alone:
        return tuple(size), 1, ""
    (batch, channels), spatial = _parted(size, first=first)
    groups, rest = divmod(channels, weight[-2])
    if rest or weight[-1] % groups:
        return tuple(spatial), 1, f"{channels} channels are no groups of a filter of {weight[-2]} to {weight[-1]}"
    same = batch == use.shapes["x"][0]
    return tuple(spatial), groups, "" if same else f"a batch of {use.shapes['x'][0]} as one of {batch}"


def _say(problem: Problem) -> str:
    return _said(problem, f"tf.nn.conv{problem.rank}d_transpose")


def _say_rank_free(problem: Problem) -> str:
    return _said(problem, "tf.nn.conv_transpose")


def _said(problem: Problem, function: str) -> str:
    if problem.bias:
        raise Refusal(f"{function} has no bias: add it afterwards")
    return write(function, X, W, **_words(arguments(problem)))


def _words(options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as people write them: one number for equal ones, dilation left out where there is none."""
    short = {
        name: value[0] if name in ("strides", "dilations") and len(set(value)) == 1 else value
        for name, value in options.items()
    }
    return {name: value for name, value in short.items() if name != "dilations" or value != 1}


def _examples() -> Iterator[Example]:
    for pick in _picks("tf-nn", {1: 1600, 2: 560, 3: 150}):
        yield _example(f"tf.nn.conv{pick['rank']}d_transpose", pick)
    for i, k, s, padding in product((1, 2), (1, 2, 3, 4), (1, 2, 3), ("SAME", "VALID")):
        for out in range(1, (i - 1) * s + k + s + 1):
            text = write("tf.nn.conv1d_transpose", X, W, (1, out, 1), strides=s, padding=padding)
            yield Example(text, {"x": (1, i, 1), "w": (k, 1, 1)})
    for size, strides, more in (
        ((2, 8, 8, 3), 2, {}), ((1, 8, 8, 4), 2, {}), ((1, 8, 8, 3), [2, 2, 2, 1], {}),
        ((1, 8, 8, 3), 2, {"dilations": [1, 1, 1, 2]}),
        ((1, 7, 8, 3), 2, {"padding": [(0, 0), (1, 1), (1, -1), (0, 0)]}),
        ((1, 7, 7, 3), 2, {"padding": [(0, 0), (1, 1), (1, 1), (0, 1)]}),
    ):  # fmt: skip
        yield Example(write("tf.nn.conv2d_transpose", X, W, size, strides, **more),
                      {"x": (1, 4, 4, 2), "w": (3, 3, 3, 2)})  # fmt: skip


def _rank_free_examples() -> Iterator[Example]:
    for pick in _picks("tf-nn-rank-free", {1: 400, 2: 200, 3: 60}):
        if pick["form"] != "alone":
            yield _example("tf.nn.conv_transpose", pick)


def _example(function: str, pick: Mapping[str, Any]) -> Example:
    """A call, with strides and sizes in one of the forms that are accepted."""
    rank, form, first = pick["rank"], pick["form"], pick["first"]
    words = {"strides": _form(pick["s"], form, first=first), "padding": _written(pick)}
    words |= {"dilations": _form(pick["d"], form, first=first)} if max(pick["d"]) > 1 else {}
    words |= {"data_format": FORMATS[rank][first]} if first or form == "full" else {}
    size = list(pick["size"]) if rank == 2 and form == "alone" and pick["g"] == 1 else _shape(pick, "size", "out")
    return Example(write(function, X, W, size, **words), _shapes(pick))


def _written(pick: Mapping[str, Any]) -> Any:
    padding = pick["padding"]
    if isinstance(padding, str):
        return padding
    return [(0, 0), (0, 0), *padding] if pick["first"] else [(0, 0), *padding, (0, 0)]


def _form(values: Ints, form: str, *, first: bool) -> Any:
    if form == "full":
        return [1, 1, *values] if first else [1, *values, 1]
    if len(set(values)) > 1 or form == "each":
        return values
    return values[0] if form == "one" else [values[0]]


def _shape(pick: Mapping[str, Any], extents: str, channels: str) -> Ints:
    axes = pick[extents], (pick[channels],)
    return (pick["n"], *(axes[1] + axes[0] if pick["first"] else axes[0] + axes[1]))


def _shapes(pick: Mapping[str, Any]) -> dict[str, Ints]:
    """Of data and weight; a weight that is `exchanged` is in the forward convolution's order of channels."""
    last = (pick["oc"], pick["in"])
    return {"x": _shape(pick, "i", "in"), "w": (*pick["k"], *(reversed(last) if pick["exchanged"] else last))}


def _picks(key: str, ranks: Mapping[int, int]) -> Iterator[dict[str, Any]]:
    """Arguments of every kind, with every legal size and, one in ten or so, the sizes next to them.

    Dilation, groups and channels first are drawn in few of them, being refused without oneDNN.
    """
    axes: dict[str, Sequence[Any]] = {
        "i": range(1, 7), "k": range(1, 6), "s": (1, 2, 3, 4), "d": (1, 2, 3), "more": range(12), "begin": (0, 1, 2),
        "end": (0, 1, 2),
    }  # fmt: skip
    rest: dict[str, Sequence[Any]] = {
        "padding": ("SAME", "VALID", "pairs"), "kind": ("", "", "", "", "", "d", "d g", "g", "first", "d g first"),
        "g": (2, 3), "ic": (1, 2, 3), "oc": (1, 2, 3), "n": (1, 2), "form": ("one", "list", "each", "full", "alone"),
        "off": (0,) * 20 + (1, -1), "exchanged": (False,) * 29 + (True,),
    }  # fmt: skip
    for rank, count in ranks.items():
        small = {"i": range(1, 5), "k": range(1, 4), "s": (1, 2, 3)} if rank > 1 else {}
        named = {"padding": ("SAME", "VALID")} if rank != 2 else {}
        for pick in draws(f"{key}-{rank}", count, rank, axes | small, rest | named):
            pick["rank"], pick["first"] = rank, "first" in pick["kind"]
            pick["d"] = pick["d"] if "d" in pick["kind"] else (1,) * rank
            pick["g"] = pick["g"] if "g" in pick["kind"] else 1
            pick["in"], pick["out"] = pick["g"] * pick["ic"], pick["g"] * pick["oc"]
            if pick["padding"] == "pairs":
                pick["padding"] = tuple(zip(pick["begin"], pick["end"], strict=True))
            problem = Problem.of(pick["i"], pick["k"], pick["s"], 0, 0, pick["d"])
            pick["size"] = tuple(
                largest - (more % s, -1, s)[pick["off"]]
                for largest, more, s in zip(_largest(problem, pick["padding"]), pick["more"], pick["s"], strict=True)
            )
            if min(pick["size"]) > 0:
                yield pick


def _largest(problem: Problem, padding: Padding) -> Ints:
    """The largest legal size; there are as many as the stride, down from it."""
    if padding == "SAME":
        return tuple(i * s for i, s in zip(problem.input, problem.stride, strict=True))
    pairs: Window = ((0, 0),) * problem.rank if isinstance(padding, str) else padding
    return tuple(
        full + s - 1 - begin - end for full, s, (begin, end) in zip(problem.full, problem.stride, pairs, strict=True)
    )


def _gradient_examples() -> Iterator[Example]:
    for pick in _picks("tf-backprop-input", {2: 500}):
        words = {"strides": _form(pick["s"], "full", first=pick["first"]), "padding": _written(pick)}
        words |= {"data_format": "NCHW"} if pick["first"] else {}
        words |= {"dilations": _form(pick["d"], "full", first=pick["first"])} if max(pick["d"]) > 1 else {}
        size = list(pick["size"]) if pick["form"] == "alone" and pick["g"] == 1 else _shape(pick, "size", "out")
        yield Example(write("tf.compat.v1.nn.conv2d_backprop_input", size, W, X, **words), _shapes(pick))


def _atrous_examples() -> Iterator[Example]:
    for pick in _picks("tf-atrous", {2: 600}):
        if isinstance(pick["padding"], str):
            rate = pick["d"][0] if max(pick["d"]) > 1 else 1 + pick["more"][0] % 3
            pick |= {"first": False, "d": (rate, rate), "s": (1, 1)}
            problem = Problem.of(pick["i"], pick["k"], 1, 0, 0, rate)
            size = _largest(problem, pick["padding"])
            pick["size"] = tuple(out + pick["off"] for out in size)
            if min(pick["size"]) > 0:
                yield Example(
                    write("tf.nn.atrous_conv2d_transpose", X, W, _shape(pick, "size", "out"), rate, pick["padding"]),
                    _shapes(pick),
                )


def _pad(name: str, widths: Widths) -> str:
    return write("tf.pad", Name(name), [list(ends) for ends in widths])


DIALECT = Dialect(
    imports=("import tensorflow as tf",),
    tensor="tf.constant({})",
    array="{}.numpy()",
    pad=_pad,
    concat=lambda parts, axis: f"tf.concat({parts}, {axis})",
    batch="tf.shape(x)[0]",
    modules={
        "tf": ("tensorflow",),
        "tf.nn": ("tensorflow.nn", "tf.compat.v1.nn", "tensorflow.compat.v1.nn", "tf.compat.v2.nn"),
        "tf.compat.v1.nn": ("tf.nn", "tensorflow.nn", "tensorflow.compat.v1.nn"),
        "tf.compat.v1.layers": ("tf.layers", "tensorflow.layers", "tensorflow.compat.v1.layers"),
        "keras.layers": (
            "tf.keras.layers",
            "tensorflow.keras.layers",
            "tensorflow.python.keras.layers",
            "L",
            "KL",
            "kl",
            "tfl",
            "tfkl",
            "keras.layers.convolutional",
            "tf.compat.v1.keras.layers",
            "tensorflow.compat.v1.keras.layers",
            "tf_keras.layers",
        ),
        "keras.backend": ("K", "tf.keras.backend", "tensorflow.keras.backend", "backend"),
        "keras.ops": ("ops",),
    },
)


def _nn(id: str, functions: Mapping[int, str], **rest: Any) -> Idiom:
    return Idiom(
        id=id, functions=functions,
        signature="input, filters, output_shape, strides, padding='SAME', data_format=None, dilations=None, name=None",
        tensors={"x": "input", "w": "filters"},
        data="n k c", weight=WEIGHT, imports=("import tensorflow as tf",), read=_read, aside={"name": LABEL}, **rest,
    )  # fmt: skip


def _upper(name: str, value: Any) -> Any:
    """Padding in capitals, as tf.nn has it; a bytes literal as the string that it holds."""
    value = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    return value.upper() if name == "padding" and isinstance(value, str) else value


def _plain(name: str, value: Any) -> Any:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value


OLDER = (
    Spelling(
        functions={rank: f"tf.nn.conv{rank}d_transpose" for rank in (1, 2, 3)},
        signature="value=None, filter=None, output_shape=None, strides=None, padding='SAME', data_format=None, "
                  "name=None, input=None, filters=None, dilations=None",
        names={"value": "input", "filter": "filters"}, values=_plain,
    ),
    Spelling(
        functions={2: "keras.backend.conv2d_transpose", 3: "keras.backend.conv3d_transpose"},
        signature="x, kernel, output_shape, strides=1, padding='valid', data_format=None, dilation_rate=None",
        names={"x": "input", "kernel": "filters", "dilation_rate": "dilations"}, values=_upper,
    ),
)  # fmt: skip
"""TensorFlow 1's names of the arguments, and Keras' older function."""


IDIOMS = (
    _nn("tf-nn", {rank: f"tf.nn.conv{rank}d_transpose" for rank in (1, 2, 3)},
        say=_say, examples=lambda: distinct(_examples()), spellings=OLDER),
    *_keras.IDIOMS,
    _nn("tf-nn-rank-free", dict.fromkeys((1, 2, 3), "tf.nn.conv_transpose"),
        say=_say_rank_free, examples=lambda: distinct(_rank_free_examples())),
    Idiom(
        id="tf-backprop-input",
        functions={2: "tf.compat.v1.nn.conv2d_backprop_input"},
        signature="input_sizes, filter=None, out_backprop=None, strides=None, padding=None, use_cudnn_on_gpu=True, "
                  "data_format='NHWC', dilations=[1, 1, 1, 1], name=None, filters=None",
        tensors={"x": "out_backprop", "w": "filter"},
        data="n k c", weight=WEIGHT, imports=("import tensorflow as tf",),
        aside={"use_cudnn_on_gpu": EFFORT, "name": LABEL}, only={"filters": (None,)},
        read=_read_gradient, examples=lambda: distinct(_gradient_examples()),
    ),
    Idiom(
        id="tf-atrous",
        functions={2: "tf.nn.atrous_conv2d_transpose"},
        signature="value, filters, output_shape, rate, padding, name=None",
        tensors={"x": "value", "w": "filters"},
        data="n k c", weight=WEIGHT, imports=("import tensorflow as tf",),
        aside={"name": LABEL}, read=_read_atrous, examples=lambda: distinct(_atrous_examples()),
    ),
)  # fmt: skip
