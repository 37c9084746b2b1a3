"""The grid of calls that proves what `_tf_nn` claims: every form of arguments, legal sizes and those beside them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from conformance.idioms._edges import draws
from conformance.idioms._words import W, X
from conformance.idioms.base import Example
from conformance.idioms.catalogue._tf import Padding, legal_sizes
from conformance.idioms.catalogue._tf_nn import FORMATS
from conformance.idioms.expression import write
from conformance.problem import Ints, Problem


def examples() -> Iterator[Example]:
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


def rank_free_examples() -> Iterator[Example]:
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
    return tuple(extents.stop - 1 for extents in legal_sizes(problem, padding))


def gradient_examples() -> Iterator[Example]:
    for pick in _picks("tf-backprop-input", {2: 500}):
        words = {"strides": _form(pick["s"], "full", first=pick["first"]), "padding": _written(pick)}
        words |= {"data_format": "NCHW"} if pick["first"] else {}
        words |= {"dilations": _form(pick["d"], "full", first=pick["first"])} if max(pick["d"]) > 1 else {}
        size = list(pick["size"]) if pick["form"] == "alone" and pick["g"] == 1 else _shape(pick, "size", "out")
        yield Example(write("tf.compat.v1.nn.conv2d_backprop_input", size, W, X, **words), _shapes(pick))


def atrous_examples() -> Iterator[Example]:
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
