"""tf.nn: what the arguments of its transposed convolutions mean, and the call that means a problem."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.idioms._words import W, X, require
from conformance.idioms.base import FLOAT32, HALVES, Claim, Refusal, Use, is_whole
from conformance.idioms.catalogue._tf import WEIGHT, Padding, claim, legal, refused_size, window
from conformance.idioms.expression import write
from conformance.idioms.sizes.legal import listed
from conformance.layout import axes_of, counted
from conformance.problem import Ints, Problem

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
        raise Refusal(f"window {problem.window}: neither SAME nor VALID gives it, and explicit padding exists in "
                      "2-D only, without groups and dilation")  # fmt: skip
    for (lo, hi), s in zip(problem.window, problem.stride, strict=True):
        if lo < 0 or hi <= -s:
            raise Refusal(f"window ({lo}, {hi}): explicit padding takes lo >= 0 and hi > -{s}")
    return tuple((lo, max(hi, 0)) for lo, hi in problem.window)


def read(use: Use) -> Claim:
    """`output_shape` is the size of the answer, and `padding` is the law of the window. The number of groups is the
    channels of `output_shape` divided by those of the filter. SAME cuts lo = max(full - out, 0) // 2 and accepts (i -
    1)*s < out <= i*s. VALID cuts lo = 0 and accepts (i - 1)*s + ke <= out < i*s + ke. Pairs exist only in 2-D; they cut
    lo = begin and accept (i - 1)*s + ke <= out + begin + end < i*s + ke. Always hi = full - out - lo, so the end of a
    pair only decides which sizes are legal. Without oneDNN, and always with pairs, dilation, groups and channels first
    are refused. Groups in 3-D are always refused. oneDNN divides as C does, so VALID on an input of 1 also accepts ke -
    s < out < ke. A weight in the order of the forward convolution, with out and in exchanged, is refused unless the two
    numbers are equal.
    """
    return _sized(use, "output_shape", "filters", "pairs")


def read_rank_free(use: Use) -> Claim:
    if isinstance(size := use["output_shape"], list | tuple) and len(size) != use.rank + 2:
        raise Refusal(f"output_shape is {size!r}: it takes {use.rank + 2} extents here")
    return read(use)


read_rank_free.__doc__ = read.__doc__


def read_gradient(use: Use) -> Claim:
    """The gradient of an ordinary convolution by its input, which has the shape `input_sizes`. It is otherwise as
    tf.nn.conv2d_transpose. The last axes of the filter are in / groups and out of the convolution. For the transposed
    convolution these are out / groups and in. Strides and dilations are lists of 4. With explicit padding lo = begin,
    hi = full - lo - out.
    """
    for name in ("strides", "dilations"):
        if not isinstance(use[name], list | tuple) or len(use[name]) != 4:
            raise Refusal(f"{name} is {use[name]!r}: it takes 4 numbers here")
    return _sized(use, "input_sizes", "filter", "gradient")


def read_atrous(use: Use) -> Claim:
    """The dilation is `rate`, and the stride is 1. SAME accepts only out = i and cuts (ke - 1) // 2 at the beginning.
    VALID accepts only the full size. The function moves space to batch, so it needs no oneDNN. It has groups only with
    a rate of 1.
    """
    rate, padding = use["rate"], use["padding"]
    if not isinstance(rate, int) or rate < 1:
        raise Refusal(f"rate is {rate!r}: it takes a whole number of at least 1")
    if padding not in ("SAME", "VALID"):
        raise Refusal(f'padding is {padding!r}: it takes "SAME" or "VALID"')
    size, groups, refused = _output(use, "output_shape", first=False)
    if rate == 1:
        given = "output_shape", size
        return _claimed(use, given, padding, (1, 1), (1, 1), groups, refused, law=padding.lower(), first=False)
    return use.claim(
        padding.lower(), data="n k c", weight=WEIGHT, stride=(1, 1), dilation=(rate, rate), groups=groups,
        window=lambda p: window(p, padding, size),
        refusals=[
            (refused, lambda _: bool(refused)),
            ("groups with a rate above 1", lambda p: p.groups > 1),
            refused_size(("output_shape", size), lambda _: size, padding),
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
    return _claimed(use, (size, extents), padding, stride, dilation, groups, refused, law=law, first=first)


def _claimed(
    use: Use, given: tuple[str, Ints], padding: Padding, stride: Ints, dilation: Ints, groups: int, refused: str, *,
    law: str, first: bool,
) -> Claim:  # fmt: skip
    return claim(use, lambda _: given[1], padding, stride, dilation, law=law, first=first, given=given, groups=groups,
                 refusals=[(refused, lambda _: bool(refused))])  # fmt: skip


def _spatial(use: Use, name: str, *, first: bool) -> tuple[Ints, str]:
    """The spatial part of 1, rank or rank + 2 numbers, and why the rest of them is refused."""
    value = 1 if use[name] is None else use[name]
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not all(is_whole(stride) and stride > 0 for stride in values) or len(values) not in (
        1,
        use.rank,
        use.rank + 2,
    ):
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
    refused, of_x = "", use.shapes["x"][0]
    if not alone and size[0] == -1:
        refused, size = _whole_batch(use, name), (of_x, *size[1:])
    if not all(is_whole(extent) and extent > 0 for extent in size):
        raise Refusal(f"{name} is {use[name]!r}: nothing is claimed of extents below 1, of which TensorFlow takes 0: "
                      f"give numbers of at least 1{', or -1 for the batch' * (not alone)}")  # fmt: skip
    if len(weight) != use.rank + 2:
        raise Refusal(f"filter {weight} has {counted(len(weight))}, {axes_of(WEIGHT, use.rank)}")
    if min(weight) < 1:
        raise Refusal(f"filter {weight}: nothing is claimed of extents below 1")
    if alone:
        return tuple(size), 1, ""
    (batch, channels), spatial = _parted(size, first=first)
    groups, rest = divmod(channels, weight[-2])
    if rest or weight[-1] % groups:
        taken = listed([weight[-2] * count for count in range(1, weight[-1] + 1) if weight[-1] % count == 0])
        return tuple(spatial), 1, (f"{channels} channels do not divide into groups of a filter of {weight[-2]} to "
                                   f"{weight[-1]}: {name} takes {taken} channels here")  # fmt: skip
    other = f"x has a batch of {of_x}: {name} takes {of_x} there, not {batch}"
    return tuple(spatial), groups, refused or ("" if batch == of_x else other)


def _whole_batch(use: Use, name: str) -> str:
    """Why a batch of -1, which stands for that of x, is refused: oneDNN takes it, and Eigen does not.

    Raises Refusal where it may end the process, and where it depends on the CPU which of them takes the call.
    """
    if use.arguments.get("rate", 1) != 1:
        raise Refusal(
            f"{name} is {use[name]!r}: a batch of -1 can end the process where rate is above 1: give that of x"
        )
    if use.dtype in HALVES and use.variant != "eigen":
        raise Refusal(f"in {use.dtype} it depends on the CPU whether a batch of -1 is taken: give that of x")
    eigen = use.variant == "eigen" or use.dtype != FLOAT32 or not isinstance(use["padding"], str)
    return f"a batch of -1 without oneDNN: {name} takes {use.shapes['x'][0]} there" if eigen else ""


def _by_name(problem: Problem) -> Iterator[dict[str, Any]]:
    """The arguments of both named paddings for a problem's output extents, whatever the window."""
    shape = (problem.batch, *problem.output, problem.groups * problem.out_channels)
    for padding in ("SAME", "VALID"):
        yield {"output_shape": shape, "strides": problem.stride, "padding": padding, "dilations": problem.dilation}


def reach(problem: Problem) -> Iterator[str]:
    for words in _by_name(problem):
        yield write(f"tf.nn.conv{problem.rank}d_transpose", X, W, **_written(words))


def reach_rank_free(problem: Problem) -> Iterator[str]:
    for words in _by_name(problem):
        yield write("tf.nn.conv_transpose", X, W, **_written(words))


def reach_gradient(problem: Problem) -> Iterator[str]:
    for words in _by_name(problem) if problem.rank == 2 else ():
        dilations = [1, *words["dilations"], 1]
        yield write("tf.compat.v1.nn.conv2d_backprop_input", words["output_shape"], W, X,
                    strides=[1, *words["strides"], 1], padding=words["padding"],
                    **({"dilations": dilations} if max(dilations) > 1 else {}))  # fmt: skip


def reach_atrous(problem: Problem) -> Iterator[str]:
    if problem.rank == 2 and set(problem.stride) == {1} and len(set(problem.dilation)) == 1:
        for words in _by_name(problem):
            yield write("tf.nn.atrous_conv2d_transpose", X, W, words["output_shape"], problem.dilation[0],
                        words["padding"])  # fmt: skip


def say(problem: Problem) -> str:
    return _call_text(problem, f"tf.nn.conv{problem.rank}d_transpose")


def say_rank_free(problem: Problem) -> str:
    return _call_text(problem, "tf.nn.conv_transpose")


def _call_text(problem: Problem, function: str) -> str:
    if problem.bias:
        raise Refusal(f"{function} has no bias: add it afterwards")
    return write(function, X, W, **_written(arguments(problem)))


def _written(options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as people write them: one number for equal ones, dilation left out where there is none."""
    short = {
        name: value[0] if name in ("strides", "dilations") and len(set(value)) == 1 else value
        for name, value in options.items()
    }
    return {name: value for name, value in short.items() if name != "dilations" or value != 1}


def unchecked(problem: Problem) -> str:
    """A problem as a call, valid or not: the output's shape, and "VALID", or in 2-D pairs, for the window."""
    require(problem, problem.rank in (1, 2, 3), "conv_transpose has one to three spatial axes")
    valid = all(lo == 0 and hi <= 0 for lo, hi in problem.window)
    require(problem, valid or problem.rank == 2, "only conv2d_transpose takes padding as pairs")
    require(problem, not problem.bias, "conv_transpose has no bias")
    pairs = [(0, 0), *((lo, max(hi, 0)) for lo, hi in problem.window), (0, 0)]
    return write(
        f"tf.nn.conv{problem.rank}d_transpose", X, W,
        output_shape=(problem.batch, *problem.output, problem.groups * problem.out_channels), strides=problem.stride,
        padding="VALID" if valid else pairs, dilations=problem.dilation,
    )  # fmt: skip
