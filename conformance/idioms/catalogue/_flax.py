"""Flax's layers over jax.lax.conv_transpose, in its old interface (linen) and its new one (nnx).

Data is N*C; the kernel * I O and applied reversed, or * O I and as stored with `transpose_kernel`. Their lane needs
Flax installed beside JAX; where it is missing these calls end as errors.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from conformance.idioms._edges import draws
from conformance.idioms.base import Claim, Copied, Example, Idiom, Refusal, Use, with_window
from conformance.idioms.catalogue import _lax
from conformance.idioms.expression import Name, write
from conformance.idioms.names.meanings import BESIDE, EFFORT, LABEL, VALUES
from conformance.idioms.sizes.windows import windows
from conformance.problem import Ints, Problem

X = Name("x")
CIRCULAR = "padding 'CIRCULAR' wraps the answer around, which no window expresses"


def _read_linen(use: Use) -> Claim:
    """As jax.lax.conv_transpose: padding pairs pad the stretched input, window (ke - 1 - lo, ke - 1 - hi).

    A number is the padding of all ends, or of both ends of an axis. "SAME" gives i*s, and "VALID" gives (i - 1)*s +
    max(ke, s). "same" and other strings are the padding of an ordinary convolution, and need stride 1. The input has
    one batch axis. kernel_size is a sequence, except in 1-D: with a number, all spatial axes except the last one are
    batch axes.
    """
    return _claim_layer(use, (None, use["features"], _kernel(use)), lists=True)


def _read_nnx(use: Use) -> Claim:
    """As flax.linen.ConvTranspose, with in_features as an argument. Pairs of `padding` are tuples, never lists."""
    return _claim_layer(use, (use["in_features"], use["out_features"], _kernel(use)), lists=False)


def _kernel(use: Use) -> Ints:
    size = use["kernel_size"]
    kernel = (size,) if isinstance(size, int) else tuple(size)
    if len(kernel) != use.rank:
        raise Refusal(f"kernel_size {size!r} is of {len(kernel)} axes: x has {use.rank}, between batch and channels")
    return kernel


def _claim_layer(use: Use, layer: tuple[int | None, int, Ints], lists: bool) -> Claim:
    if use["padding"] == "CIRCULAR":
        raise Refusal(CIRCULAR)
    if use["mask"] is not None:
        raise Refusal("a mask: it changes the kernel")
    return _lax.claim(
        use, _canonical(use["padding"], use.rank, lists), stride=use.per_axis("strides", 1),
        dilation=use.per_axis("kernel_dilation", 1),
        data="n k c", weight="k o i" if use["transpose_kernel"] else "k i o", reversed=not use["transpose_kernel"],
        layer=layer, bias=bool(use["use_bias"]),
    )  # fmt: skip


def _canonical(padding: Any, rank: int, lists: bool) -> Any:
    """Padding as pairs, where a number stands for all ends or for those of an axis."""
    if isinstance(padding, int):
        return ((padding, padding),) * rank
    if not isinstance(padding, list | tuple):
        return padding
    if not lists and any(isinstance(ends, list) for ends in padding):
        return None
    return tuple((ends, ends) if isinstance(ends, int) else ends for ends in padding)


def _words(problem: Problem, bias: bool) -> dict[str, Any]:
    """Arguments as people write them, padding aside."""
    dilated = set(problem.dilation) != {1}
    return {"strides": problem.stride, **({"kernel_dilation": problem.dilation} if dilated else {}),
            **({} if bias else {"use_bias": False})}  # fmt: skip


def _no_groups(problem: Problem) -> None:
    if problem.groups > 1:
        raise Refusal(f"{problem.groups} groups: ConvTranspose knows none")


def _say_linen(problem: Problem) -> str:
    _no_groups(problem)
    return write(
        "flax.linen.ConvTranspose", problem.out_channels, problem.kernel,
        **_words(problem, problem.bias), padding=_lax.padding(problem), transpose_kernel=True,
    )  # fmt: skip


def _by_number(problem: Problem) -> Iterator[Problem]:
    """A problem with the usual windows, so far as a number is padding enough for them."""
    for window in windows(problem):
        moved = with_window(problem, window)
        if len({end for ends in _lax.stretched(moved, window) for end in ends}) == 1:
            yield moved


def _reach_linen(problem: Problem) -> Iterator[str]:
    for moved in _by_number(problem) if problem.groups == 1 else ():
        ((number, _), *_) = _lax.stretched(moved, moved.window)
        yield write("flax.linen.ConvTranspose", problem.out_channels, problem.kernel, **_words(problem, problem.bias),
                    padding=number, transpose_kernel=True)  # fmt: skip


def _reach_nnx(problem: Problem) -> Iterator[str]:
    for moved in _by_number(problem) if problem.groups == 1 else ():
        ((number, _), *_) = _lax.stretched(moved, moved.window)
        yield write("flax.nnx.ConvTranspose", problem.in_channels, problem.out_channels, problem.kernel,
                    **_words(problem, problem.bias), padding=number, transpose_kernel=True,
                    rngs=Name("rngs"))  # fmt: skip


def _say_nnx(problem: Problem) -> str:
    _no_groups(problem)
    return write(
        "flax.nnx.ConvTranspose", problem.in_channels, problem.out_channels, problem.kernel,
        **_words(problem, problem.bias), padding=_lax.padding(problem), transpose_kernel=True, rngs=Name("rngs"),
    )  # fmt: skip


def _run_linen(call: str, outer: str, bias: bool) -> Sequence[str]:
    params = '{"params": {"kernel": w, "bias": b}}' if bias else '{"params": {"kernel": w}}'
    return [f"layer = {call}", f"y = layer.apply({params}, {outer})"]


def _run_nnx(call: str, outer: str, bias: bool) -> Sequence[str]:
    return ["rngs = flax.nnx.Rngs(0)", f"layer = {call}", "layer.kernel = flax.nnx.Param(w)",
            *(["layer.bias = flax.nnx.Param(b)"] if bias else []), f"y = layer({outer})"]  # fmt: skip


PADDINGS: dict[str, int] = {"SAME": 90, "VALID": 70, "same": 20, "SAME_LOWER": 20, "pairs": 150, "lists": 30,
                            "number": 60, "numbers": 60, "one more": 10}  # fmt: skip
SHARES = {1: 1, 2: 5, 3: 12}
"""By how much there are fewer examples of each rank."""


def _written(kind: str, pads: Any) -> Any:
    """Padding of a kind, as it is written."""
    numbers = tuple(lo for lo, _ in pads)
    kinds = {"pairs": pads, "lists": [list(ends) for ends in pads], "number": numbers[0], "numbers": numbers,
             "one more": (*numbers, 1)}  # fmt: skip
    return kinds.get(kind, kind)


def _examples(nnx: bool) -> Iterator[Example]:
    """Padding of every kind; in nnx an input in fifteen has a channel too many, which linen does not declare."""
    for kind, count in PADDINGS.items():
        for rank, share in SHARES.items():
            axes: dict[str, Sequence[Any]] = {"i": range(1, 6), "k": range(1, 5), "s": (1, 1, 2, 3), "d": (1, 1, 2)}
            rest: dict[str, Sequence[Any]] = {
                "ic": (1, 2, 3), "oc": (1, 2, 3), "n": (1, 2), "bias": (False, True), "transpose": (False, True),
                "short": (False, True), "wrong": (*[0] * 14, 1) if nnx else (0,),
            }  # fmt: skip
            if kind in ("pairs", "lists"):
                axes["pads"] = [(lo, hi) for lo in range(5) for hi in range(-1, 4)]
            elif kind in ("numbers", "one more"):
                axes["pads"] = [(pad, pad) for pad in range(5)]
            else:
                rest["pad"] = range(5) if kind == "number" else (0,)
            for pick in draws(f"flax-{nnx}-{kind}-{rank}", count // share // (1 + 3 * nnx), rank, axes, rest):
                pads = pick.get("pads") or ((pick["pad"], pick["pad"]),) * rank
                yield from _example(nnx, pick, pads, _written(kind, pads))


def _example(nnx: bool, pick: dict[str, Any], pads: Any, padding: Any) -> Iterator[Example]:
    problem = Problem.of(pick["i"], pick["k"], pick["s"], 0, 0, pick["d"])
    problem = with_window(problem, _lax.stretched(problem, pads))
    if not isinstance(padding, str) and (min(problem.output) < 1 or not _lax.sound(problem)):
        return
    words = _words(problem, pick["bias"]) | {"padding": padding, "transpose_kernel": pick["transpose"]}
    kernel: int | Ints = problem.kernel
    if pick["short"]:
        words["strides"] = problem.stride[0] if len(set(problem.stride)) == 1 else problem.stride
        kernel = problem.kernel[0] if problem.rank == 1 else kernel
    if nnx:
        text = write("flax.nnx.ConvTranspose", pick["ic"], pick["oc"], kernel, **words, rngs=Name("rngs"))
    else:
        text = write("flax.linen.ConvTranspose", pick["oc"], kernel, **words)
    yield Example(text, {"x": (pick["n"], *problem.input, pick["ic"] + pick["wrong"])})


ASIDE = {"precision": EFFORT, "kernel_init": VALUES, "bias_init": VALUES}
TYPES = frozenset({"dtype", "param_dtype", "preferred_element_type"})

IDIOMS = (
    Idiom(
        id="flax-linen",
        functions=dict.fromkeys((1, 2, 3), "flax.linen.ConvTranspose"),
        signature="features, kernel_size, strides=None, padding='SAME', kernel_dilation=None, use_bias=True, "
                  "mask=None, dtype=None, param_dtype=None, precision=None, kernel_init=None, bias_init=None, "
                  "transpose_kernel=False, promote_dtype=None, preferred_element_type=None, parent=None, "
                  "name=None",
        outer="inputs", aside={**ASIDE, "name": LABEL, "parent": LABEL}, dtypes=TYPES, only={"promote_dtype": (None,)},
        unsized=frozenset({"transpose_kernel"}),
        tensors={"x": "inputs"}, data="n k c", weight="k o i",
        imports=("import flax.linen",),
        read=_read_linen, say=_say_linen, reach=_reach_linen, examples=partial(_examples, False), program=_run_linen,
        copied=Copied("layer", sequences=True),
    ),
    Idiom(
        id="flax-nnx",
        functions=dict.fromkeys((1, 2, 3), "flax.nnx.ConvTranspose"),
        signature="in_features, out_features, kernel_size, strides=None, *, padding='SAME', kernel_dilation=None, "
                  "use_bias=True, mask=None, dtype=None, param_dtype=None, precision=None, kernel_init=None, "
                  "bias_init=None, transpose_kernel=False, promote_dtype=None, preferred_element_type=None, rngs, "
                  "kernel_metadata=None, bias_metadata=None",
        outer="inputs", dtypes=TYPES, only={"promote_dtype": (None,)}, unsized=frozenset({"transpose_kernel"}),
        aside={**ASIDE, "kernel_metadata": BESIDE, "bias_metadata": BESIDE, "rngs": VALUES},
        tensors={"x": "inputs", "rngs": "rngs"}, data="n k c", weight="k o i",
        imports=("import flax.nnx",),
        read=_read_nnx, say=_say_nnx, reach=_reach_nnx, examples=partial(_examples, True), program=_run_nnx,
    ),
)  # fmt: skip
