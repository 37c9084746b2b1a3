"""JAX's idioms. Data is N*C and the weight * I O unless dimension numbers say otherwise; none of them has a bias.

All end in one convolution of stride 1 over the input stretched by zeros, which applies the kernel backwards: taps are
as stored only where the call reverses the kernel itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, NamedTuple

from conformance import layout
from conformance.idioms._edges import draws
from conformance.idioms._words import Words
from conformance.idioms.base import Claim, Copied, Dialect, Example, Idiom, Refusal, Rule, Use, with_window
from conformance.idioms.catalogue import _flax, _lax
from conformance.idioms.catalogue._lax import CHANNELS_FIRST, CHANNELS_LAST, Numbers
from conformance.idioms.expression import HOLE, Name, write
from conformance.idioms.names.meanings import EFFORT
from conformance.idioms.sizes.legal import legal_alone
from conformance.idioms.sizes.windows import windows
from conformance.layout import LayoutError
from conformance.problem import Ints, Problem, Window

X, W, Z = map(Name, "xwz")


def arguments(problem: Problem) -> dict[str, Any]:
    """The arguments of conv_transpose that mean a problem, on N*C data and weight * O I.

    Raises Refusal for groups and for a bias, neither of which the call knows.
    """
    if problem.groups > 1:
        raise Refusal(f"{problem.groups} groups: conv_transpose knows none, conv_general_dilated does")
    _no_bias(problem)
    return {
        "strides": problem.stride,
        "padding": _lax.padding(problem),
        "rhs_dilation": problem.dilation,
        "transpose_kernel": True,
    }


def _no_bias(problem: Problem) -> None:
    if problem.bias:
        raise Refusal("a bias: the call takes none, it is added to the answer")


def _words(options: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as people write them: dilations of 1 left out, like other defaults."""
    plain = {"dimension_numbers": None, "feature_group_count": 1, "transpose_kernel": False}
    tuples = {name: value for name, value in options.items() if name.endswith("dilation") and isinstance(value, tuple)}
    ones = {name for name, value in tuples.items() if set(value) == {1}}
    return {name: value for name, value in options.items() if name not in ones and (name, value) not in plain.items()}


def _claim_conv_transpose(use: Use) -> Claim:
    """A `padding` of pairs pads the stretched input: window (ke - 1 - lo, ke - 1 - hi), with ke = d*(k - 1) + 1. "SAME"
    gives the size i*s, and cuts t//2 of t = max(ke - s, 0) at the beginning. "VALID" cuts nothing and gives (i - 1)*s +
    max(ke, s). With `use_consistent_padding` pairs are the window itself, if they are tuples; older versions refuse
    this argument. By default the kernel is applied reversed, as in an ordinary convolution, and the weight is * I O.
    With `transpose_kernel` it is applied as stored, and the weight is * O I. Any other string ("same", "SAME_LOWER") is
    the padding of an ordinary convolution and needs stride 1. If ke is even, "same" then differs from "SAME": it cuts
    ceil(t/2) at the beginning. Strides and dilations are sequences, never numbers.
    """
    roles = {"I": "o", "O": "i"} if use["transpose_kernel"] else {"I": "i", "O": "o"}
    data, weight = _lax.layouts(use["dimension_numbers"], CHANNELS_LAST, use.rank, roles)
    claim = _lax.claim(
        use, use["padding"], consistent=bool(use["use_consistent_padding"]), data=data, weight=weight,
        stride=use.per_axis("strides"), dilation=use.per_axis("rhs_dilation", 1), reversed=not use["transpose_kernel"],
        refusals=[_lax.sequences(use, "strides", "rhs_dilation")],
    )  # fmt: skip
    return _lax.swapped(claim) if use["transpose_kernel"] else claim


def _say(problem: Problem) -> str:
    words = arguments(problem)
    return write("jax.lax.conv_transpose", X, W, words.pop("strides"), words.pop("padding"), **_words(words))


def _reach(problem: Problem) -> Iterator[str]:
    words = _words({"rhs_dilation": problem.dilation, "transpose_kernel": True, "use_consistent_padding": True})
    for window in windows(problem) if problem.groups == 1 else ():
        yield write("jax.lax.conv_transpose", X, W, problem.stride, window, **words)


def _read_general(use: Use) -> Claim:
    """`lhs_dilation` is the stride and the window (ke - 1 - lo, ke - 1 - hi), with ke = d*(k - 1) + 1.

    The kernel is applied reversed. The weight is (g o) i * unless dimension numbers say otherwise; the groups are in O.
    A padding that is a string is that of an ordinary convolution and needs stride 1. Only calls with window_strides of
    1 are transposed convolutions.
    """
    if set(use.per_axis("window_strides")) != {1} or use["batch_group_count"] != 1:
        raise Refusal("window_strides and batch_group_count are 1 in a transposed convolution")
    data, weight = _lax.layouts(use["dimension_numbers"], CHANNELS_FIRST, use.rank, {"I": "i", "O": "(g o)"})
    return _lax.claim(
        use, use["padding"], named=False, data=data, weight=weight, groups=use["feature_group_count"], reversed=True,
        stride=use.per_axis("lhs_dilation", 1), dilation=use.per_axis("rhs_dilation", 1),
        refusals=[_lax.sequences(use, "window_strides", "lhs_dilation", "rhs_dilation")],
    )  # fmt: skip


def _say_general(problem: Problem) -> str:
    _no_bias(problem)
    return write(
        "jax.lax.conv_general_dilated", X, W, (1,) * problem.rank, list(_lax.stretched(problem, problem.window)),
        **_words({"lhs_dilation": problem.stride, "rhs_dilation": problem.dilation}),
        dimension_numbers=_lax.numbers(CHANNELS_LAST, problem.rank),
        **_words({"feature_group_count": problem.groups}),
    )  # fmt: skip


def _read_gradient(use: Use) -> Claim:
    """The gradient of an ordinary convolution: the window begins at its padding `lo` and has the size of its input z.

    O of the convolution is (g i) here, and I is o. The default weight is therefore (g i) o *, with the kernel as
    stored. With t = max((ceil(z/s) - 1)*s + ke - z, 0), "SAME" means lo = t//2, and "SAME_LOWER" means lo = ceil(t/2).
    Strings may be in upper or lower case.
    """
    if set(use.per_axis("lhs_dilation", 1)) != {1} or use["batch_group_count"] != 1:
        raise Refusal("the gradient of a convolution with lhs_dilation or batch_group_count is no transposed one")
    data, weight = _lax.layouts(use["dimension_numbers"], CHANNELS_FIRST, use.rank, {"I": "o", "O": "(g i)"})
    rule = _lax.sequences(use, "window_strides", "lhs_dilation", "rhs_dilation")
    return _gradient(use, data, weight, use.per_axis("rhs_dilation", 1), use["feature_group_count"], rule)


def _read_plain_gradient(use: Use) -> Claim:
    """As the gradient of conv_general_dilated. The documentation names only strings for padding; it may be pairs."""
    rule = _lax.sequences(use, "window_strides")
    return _gradient(use, "n c k", "(g i) o k", (1,) * use.rank, 1, rule)


def _gradient(use: Use, data: str, weight: str, dilation: Ints, groups: int, rule: Rule) -> Claim:
    try:
        z = layout.sizes(use.shapes["z"], data, use.rank, {})
    except LayoutError as error:
        raise Refusal(f"z {error}") from None
    stride = use.per_axis("window_strides")
    if min(*stride, *dilation) < 1:
        raise Refusal("strides and dilations are positive")

    def pads(p: Problem) -> Window:
        return _lax.ordinary(use["padding"], z["k"], p.effective_kernel, stride) or ((0, 0),) * p.rank

    return use.claim(
        "gradient", data=data, weight=weight, stride=stride, dilation=dilation, groups=groups,
        window=lambda p: _reached(p, pads(p), z["k"]),
        refusals=[
            rule,
            ("padding is neither a string nor pairs",
             lambda _: not isinstance(use["padding"], str) and _lax.pairs(use["padding"], use.rank) is None),
            ("z has not the channels or the batch of the convolution",
             lambda p: (z["n"], z["c"]) != (p.batch, p.groups * p.out_channels)),
            legal_alone("x has not the shape of the convolution", "z", z["k"],
                        lambda p: _lax.convolved(use["padding"], p)),
        ],
    )  # fmt: skip


def _reached(problem: Problem, pads: Window, size: Ints) -> Window:
    """The window that begins at the padding of a convolution and has the size of its input."""
    return tuple((lo, full - lo - out) for (lo, _), full, out in zip(pads, problem.full, size, strict=True))


ORDERS: Sequence[Numbers | None] = (
    None, CHANNELS_LAST, CHANNELS_FIRST, ("NC{}", "IO{}", "NC{}"), ("N{}C", "{}OI", "N{}C"), ("CN{}", "I{}O", "CN{}")
)  # fmt: skip
MORE: Mapping[str, dict[str, Any]] = {
    "": {}, "type": {"preferred_element_type": Name("jax.numpy.float32")}, "precision": {"precision": "highest"}
}  # fmt: skip
SHARES = {1: 1, 2: 6, 3: 14}
"""By how much there are fewer examples of each rank."""


class Form(NamedTuple):
    """A way to write padding: how many examples there are of it, the arguments, and whether they depend on a window."""

    points: int
    options: Callable[[Problem], dict[str, Any]]
    windowed: bool = False


def _pairs(p: Problem) -> dict[str, Any]:
    return {"padding": list(_lax.stretched(p, p.window))}


TRANSPOSED = (
    Form(350, lambda p: {"padding": "SAME"}),
    Form(250, lambda p: {"padding": "VALID"}),
    Form(450, _pairs, windowed=True),
    Form(50, lambda p: {"padding": [list(ends) for ends in _lax.stretched(p, p.window)]}, windowed=True),
    Form(300, lambda p: {"padding": p.window, "use_consistent_padding": True}, windowed=True),
    Form(20, lambda p: {"padding": "SAME", "use_consistent_padding": True}),
    Form(15, lambda p: {"padding": [(0, 0)] * (p.rank + 1), "use_consistent_padding": True}),
    Form(50, lambda p: {"padding": "same"}),
    Form(50, lambda p: {"padding": "SAME_LOWER"}),
    Form(30, lambda p: {"padding": "valid"}),
    Form(15, lambda p: {"padding": "same", "use_consistent_padding": True}),
    Form(15, lambda p: {"padding": [[0, 0]] * p.rank, "use_consistent_padding": True}),
    Form(15, lambda p: {"padding": 1, "use_consistent_padding": True}),
    Form(15, lambda p: {"padding": 1}),
    Form(15, lambda p: {"padding": (1,) * p.rank}),
    Form(15, lambda p: {"padding": [(1, 1)] * (p.rank + 1)}),
    Form(15, lambda p: {"padding": "SAME", "strides": 2}),
    Form(15, lambda p: {"padding": "VALID", "rhs_dilation": 2}),
    Form(15, lambda p: {"padding": "SAME", "strides": (*p.stride[1:], 0)}),
    Form(15, lambda p: {"padding": "VALID", "rhs_dilation": (*p.dilation[1:], 0)}),
)
GENERAL = (
    Form(550, _pairs, windowed=True),
    Form(60, lambda p: {"padding": "SAME"}),
    Form(30, lambda p: {"padding": "SAME_LOWER"}),
    Form(20, lambda p: {"padding": "valid"}),
    Form(15, lambda p: {"padding": [(1, 1)] * p.rank, "strides": 2}),
    Form(15, lambda p: {"padding": 1}),
)


def _examples() -> Iterator[Example]:
    for pick, problem, options in _grid("jax-conv-transpose", TRANSPOSED, (1,)):
        words = {"strides": problem.stride, "rhs_dilation": problem.dilation, **options}
        channels = pick["ic"] + pick["wrong"], pick["oc"]
        text = write("jax.lax.conv_transpose", X, W, words.pop("strides"), words.pop("padding"), **_words(
            {**words, "dimension_numbers": _order(pick, problem), "transpose_kernel": pick["transpose"]}
        ), **MORE[pick["more"]])  # fmt: skip
        yield Example(text, _shapes(pick, problem, CHANNELS_LAST, *channels[:: -1 if pick["transpose"] else 1]))


def _general_examples() -> Iterator[Example]:
    for pick, problem, options in _grid("jax-conv-general", GENERAL, (1, 1, 2, 3)):
        words = {"strides": problem.stride, "rhs_dilation": problem.dilation, **options}
        text = write("jax.lax.conv_general_dilated", X, W, (1,) * problem.rank, words.pop("padding"), **_words({
            "lhs_dilation": words.pop("strides"), **words,
            "dimension_numbers": _order(pick, problem), "feature_group_count": problem.groups,
        }), **MORE[pick["more"]])  # fmt: skip
        channels = pick["ic"] + pick["wrong"], pick["g"] * pick["oc"]
        yield Example(text, _shapes(pick, problem, CHANNELS_FIRST, *channels))


def _grid(key: str, forms: Sequence[Form], groups: Sequence[int]) -> (
    Iterator[tuple[dict[str, Any], Problem, dict[str, Any]]]
):  # fmt: skip
    """Picks with their problem and the arguments of a form. Empty answers are left out, and known faults.

    One weight in thirty has one channel too many.
    """
    for (at, form), (rank, share) in product(enumerate(forms), SHARES.items()):
        axes: dict[str, Sequence[int]] = {"i": range(1, 7), "k": range(1, 6), "s": (1, 1, 2, 3, 4), "d": (1, 1, 2, 3)}
        ends: Sequence[int] = range(-2, 5)
        if rank > 1:
            axes, ends = axes | {"i": range(1, 5), "k": range(1, 4), "s": (1, 2, 3)}, (-1, 0, 0, 1, 2)
        if form.windowed:
            axes |= {"lo": ends, "hi": ends}
        rest = {"g": groups, "ic": (1, 2, 3), "oc": (1, 2, 3), "n": (1, 2), "order": ORDERS, "transpose": (False, True),
                "more": (*[""] * 8, *MORE), "wrong": (*[0] * 29, 1)}  # fmt: skip
        for pick in draws(f"{key}-{at}-{rank}", form.points // share, rank, axes, rest):
            window = tuple(zip(pick["lo"], pick["hi"], strict=True)) if form.windowed else 0
            problem = Problem.of(pick["i"], pick["k"], pick["s"], window, 0, pick["d"], groups=pick["g"])
            cut = any(out < 1 - ke for out, ke in zip(problem.output, problem.effective_kernel, strict=True))
            if cut or (min(problem.output) > 0 and _lax.sound(problem)):
                yield pick, problem, form.options(problem)


def _order(pick: Mapping[str, Any], problem: Problem) -> Numbers | None:
    return pick["order"] and _lax.numbers(pick["order"], problem.rank)


def _shapes(pick: Mapping[str, Any], problem: Problem, default: Numbers, i: int, o: int) -> dict[str, Ints]:
    """The shapes of x and w in the order of dimension numbers; `i` and `o` are the extents of the weight's I and O."""
    lhs, rhs, _ = _lax.numbers(pick["order"] or default, problem.rank)
    return {
        "x": _shape(lhs, {"N": pick["n"], "C": pick["g"] * pick["ic"]}, problem.input),
        "w": _shape(rhs, {"I": i, "O": o}, problem.kernel),
    }


def _shape(spec: str, extents: Mapping[str, int], spatial: Ints) -> Ints:
    rest = iter(spatial)
    return tuple(extents[letter] if letter in extents else next(rest) for letter in spec)


FORMS = {"linear-transpose": "jax.linear_transpose(lambda z: CALL, z)(x)[0]",
         "vjp": "jax.vjp(lambda z: CALL, z)[1](x)[0]"}  # fmt: skip
PADDINGS: Mapping[str, int] = {"SAME": 60, "VALID": 40, "same_lower": 30, "pairs": 130}


def _gradient_examples(form: str, plain: bool) -> Iterator[Example]:
    """Gradients of conv_general_dilated, or of plain conv; one x in thirty has an extent too many."""
    for (padding, count), (rank, share) in product(PADDINGS.items(), SHARES.items()):
        axes: dict[str, Sequence[Any]] = {"z": range(1, 13), "k": range(1, 5), "s": (1, 2, 3)}
        axes["d"] = (1,) if plain else (1, 1, 2)
        if padding == "pairs":
            axes["pads"] = [(lo, hi) for lo in (-1, 0, 1, 2) for hi in (-1, 0, 1, 2)]
        rest = {"g": (1,) if plain else (1, 1, 2), "ic": (1, 2, 3), "oc": (1, 2, 3), "n": (1, 2),
                "order": (None,) if plain else ORDERS, "wrong": (*[0] * 29, 1)}  # fmt: skip
        for pick in draws(f"{form}-{plain}-{padding}-{rank}", count // share // (1 + plain), rank, axes, rest):
            given = list(pick["pads"]) if padding == "pairs" else padding
            kernel = tuple(d * (k - 1) + 1 for k, d in zip(pick["k"], pick["d"], strict=True))
            pads = _lax.ordinary(given, pick["z"], kernel, pick["s"])
            assert pads
            extents = [(z + lo + hi - ke) // s + 1 if z + lo + hi >= ke else 0
                       for z, (lo, hi), ke, s in zip(pick["z"], pads, kernel, pick["s"], strict=True)]  # fmt: skip
            problem = Problem.of(extents, pick["k"], pick["s"], pads, 0, pick["d"], groups=pick["g"])
            problem = with_window(problem, _reached(problem, pads, pick["z"]))
            if min(extents) > 0 and _lax.sound(problem):
                yield _gradient_example(FORMS[form], plain, given, pick, problem)


def _gradient_example(form: str, plain: bool, padding: Any, pick: dict[str, Any], problem: Problem) -> Example:
    function = "jax.lax.conv" if plain else "jax.lax.conv_general_dilated"
    call = write(function, Z, W, problem.stride, padding, **_words({
        "rhs_dilation": problem.dilation, "dimension_numbers": _order(pick, problem),
        "feature_group_count": problem.groups,
    }))  # fmt: skip
    lhs, _, _ = _lax.numbers(pick["order"] or CHANNELS_FIRST, problem.rank)
    extents = replace(problem, input=tuple(extent + pick["wrong"] for extent in problem.input))
    z = _shape(lhs, {"N": pick["n"], "C": pick["g"] * pick["oc"]}, pick["z"])
    shapes = _shapes(pick, extents, CHANNELS_FIRST, pick["oc"], pick["g"] * pick["ic"])
    return Example(form.replace(HOLE, call), {**shapes, "z": z})


def _gradient_idioms() -> Iterator[Idiom]:
    """Both ways to the gradient, of both functions."""
    for name, form in FORMS.items():
        for plain in (False, True):
            function = "jax.lax.conv" if plain else "jax.lax.conv_general_dilated"
            yield Idiom(
                id=f"jax-{name}-conv" if plain else f"jax-{name}",
                functions=dict.fromkeys((1, 2, 3), function),
                signature=PLAIN_SIGNATURE if plain else GENERAL_SIGNATURE,
                tensors={"z": "lhs", "w": "rhs", "x": "x"},
                form=form, imports=("import jax",), aside=ASIDE, dtypes=TYPES,
                only={} if plain else SHARDING, read=_read_plain_gradient if plain else _read_gradient,
                examples=partial(_gradient_examples, name, plain),
            )  # fmt: skip


ASIDE = {"precision": EFFORT}
TYPES = frozenset({"preferred_element_type"})
SHARDING = {"out_sharding": (None,)}
PLAIN_SIGNATURE = "lhs, rhs, window_strides, padding, precision=None, preferred_element_type=None"
GENERAL_SIGNATURE = (
    "lhs, rhs, window_strides, padding, lhs_dilation=None, rhs_dilation=None, dimension_numbers=None, "
    "feature_group_count=1, batch_group_count=1, precision=None, preferred_element_type=None, out_sharding=None"
)

DIALECT = Dialect(
    imports=("import jax",),
    tensor="jax.numpy.asarray({})",
    array="jax.device_get({})",
    pad=lambda name, widths: write("jax.numpy.pad", Name(name), list(widths)),
    concat=lambda parts, axis: f"jax.numpy.concatenate({parts}, {axis})",
    modules={"flax.linen": ("nn",), "flax.nnx": ("nn", "flax.experimental.nnx")},
    roots=("jax", "flax"),
    arrays="jax.numpy",
    native=lambda name: f"jax.lax.{name}",
    prelude=("jax.config.update('jax_enable_x64', True)",),
    precision={dtype: {"JAX_ENABLE_X64": "1"} for dtype in ("float64", "int64")},
    bfloat16=("{}.astype(jax.numpy.bfloat16)", "{}.astype(jax.numpy.float32)"),
)

WORDS = Words(
    _lax.unchecked, _lax.channels_last, "n k c", {"jax": "jax"},
    functions=frozenset({"jax.lax.conv_transpose", "jax.lax.conv_general_dilated"}),
    gradient=("y, = jax.vjp(lambda {operand}: {call}, {operand})[1](g)",),
)  # fmt: skip

IDIOMS = (
    Idiom(
        id="jax-conv-transpose",
        functions=dict.fromkeys((1, 2, 3), "jax.lax.conv_transpose"),
        signature="lhs, rhs, strides, padding, rhs_dilation=None, dimension_numbers=None, transpose_kernel=False, "
                  "precision=None, preferred_element_type=None, use_consistent_padding=False",
        tensors={"x": "lhs", "w": "rhs"}, data="n k c", weight="k o i",
        imports=("import jax",), aside=ASIDE, dtypes=TYPES, read=_claim_conv_transpose, say=_say, reach=_reach,
        examples=_examples,
        copied=Copied("function", sequences=True, pairs="spatial"),
    ),
    Idiom(
        id="jax-conv-general-dilated",
        functions=dict.fromkeys((1, 2, 3), "jax.lax.conv_general_dilated"),
        signature=GENERAL_SIGNATURE,
        tensors={"x": "lhs", "w": "rhs"}, data="n k c", weight="k i (g o)",
        aside=ASIDE, dtypes=TYPES, only=SHARDING,
        imports=("import jax",), read=_read_general, say=_say_general, examples=_general_examples,
    ),
    *_gradient_idioms(),
    *_flax.IDIOMS,
)  # fmt: skip
