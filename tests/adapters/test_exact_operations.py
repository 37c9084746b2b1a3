"""What is compared to the bit goes through operations that IEEE 754 rounds correctly, or that need not round at all.

The table is reviewed: an operation that is used in an operator, a check or a claim's own text and is not in it fails
here. Before it is added, the reason must hold on every CPU: tanh, exp, log, sqrt of inexact data, reciprocals and
their like are approximated, each instruction set in its own way.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import conformance
from conformance.claims.ledger import read_claims

EXACT = {
    "sums of products: of operands that are whole numbers times one power of two, and few enough for every order": """
        F.conv2d F.conv_transpose2d F.linear lax.conv_general_dilated jax.lax.conv_transpose tf.nn.conv2d
        tf.nn.atrous_conv2d mx.nd.Convolution mx.nd.FullyConnected nd.Deconvolution keras.layers.Dense
        tf.nn.conv2d_transpose tf.nn.atrous_conv2d_transpose tf.compat.v1.nn.conv2d_backprop_input
        tf.raw_ops.Conv2DBackpropInput keras.layers.Conv2DTranspose gluon.nn.Conv2DTranspose nn.ConvTranspose2d
        nn.Conv2d oracle.conv_transpose oracle.expected np.sum .sum np.outer
    """,
    "gradients of such sums, which are such sums": """
        .backward jax.vjp tf.GradientTape .watch .gradient mx.autograd.record .attach_grad torch.enable_grad
        .requires_grad_
    """,
    "interpolations by two: factors of few bits, multiples of 2**-16": """
        F.interpolate jax.image.resize tf.image.resize mx.nd.UpSampling mx.nd.contrib.BilinearResize2D nd.UpSampling
    """,
    "a product with a power of two, or none": "F.leaky_relu jax.nn.leaky_relu tf.nn.leaky_relu mx.nd.LeakyReLU",
    "moves, compares, counts or selects values": """
        np.array np.arange np.asarray np.ascontiguousarray np.concatenate np.empty np.eye np.ones np.ones_like np.pad
        np.split np.stack np.tile np.where np.zeros np.ravel np.unique np.sign np.abs np.all np.array_equal np.isfinite
        np.count_nonzero np.prod jnp.asarray jax.jit torch.from_numpy torch.ones torch.zeros tf.constant tf.ones
        tf.range tf.cast tf.reshape tf.size tf.transpose tf.reduce_all nd.arange nd.array nd.ones np.random.default_rng
        .all .asnumpy .astype .copy .integers .choice .random .max .min .numel .numpy .ravel .reshape .set_weights
        .swapaxes .tolist .transpose .wait_to_read
    """,
    "types, and what is asked for its name, its signature or its shape alone": """
        np.float32 np.ndarray np.random.Generator torch.Tensor torch.nn tf.Tensor tf.Variable tf.float32 tf.int32
        tf.errors.AbortedError jax.Array mx.nd mx.nd.NDArray mx.gluon gluon.nn keras.layers keras.Input keras.Sequential
        L.BatchNormalization L.Conv2DTranspose L.Dense L.LeakyReLU L.Reshape tf.random.normal nn.LazyConvTranspose2d
        nn.Upsample nn_ops.convert_padding tf.Graph tf.Session tf.compat.v1.Session .as_default .run
        torch.autograd.Variable .build .compute_output_shape .count_params .initialize .parameters .signature .isbuiltin
        nd.Deconvolution.__doc__
    """,
    "no array's": ".import_module .when",
}
"""Operations by the reason why their answers have the same bits on every machine."""

QUOTIENTS = {
    "1 / 64": "a power of two",
    "largest / unit": "by a power of two",
    "abs(step) / (unit := (unit * SLOPE))": "by a power of two",
    "largest / (unit := (unit * SCALE))": "by a power of two",
    "2.0 ** (-2)": "a power of two",
    "2.0 ** (-7)": "a power of two",
    "2 ** SIGNIFICAND['float32']": "a whole number",
    "named['i'] ** 2": "of whole numbers",
    "(i_ * k_) ** 2": "of whole numbers",
    "(again * k_) ** 2": "of whole numbers",
    "named['o'] ** 2": "of whole numbers",
    "np.arange(36).reshape(1, 1, 6, 6) ** 2": "of whole numbers",
    "np.arange(1.0, named[name] + 1) ** power": "of small whole numbers by 2 or 3, which multiplies",
    "6 / (5 * 5 * (2 + 3))": "in Python, beside an inequality",
    "(6 / (5 * 5 * (2 + 3))) ** 0.5": "in Python, beside an inequality",
}
"""Every division and power, whose results would round, and why these do not."""

TRAINED = "networks_torch"
"""Trains real networks, and asks for no bit of them: for shapes, inequalities and half of a double's digits."""

ROUGH = (
    "tanh", "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "cbrt", "reciprocal", "sigmoid",
    "softmax", "softplus", "gelu", "silu", "erf", "sin", "cos", "mean", "var", "std", "norm", "normalize", "batch_norm",
)  # fmt: skip
"""What no text may name, even in a string such as activation='tanh', but where only a shape is asked."""
SHAPE_ONLY = {"D1-88": "tanh"}

ROOTS = {"np", "oracle", "torch", "F", "nn", "tf", "keras", "L", "jax", "jnp", "lax", "mx", "gluon", "nd", "nn_ops"}
"""Names of modules; what belongs to them is named whole, any other method by its own name."""
ROUNDING = ast.Div | ast.Pow
FOLDER = Path(conformance.__file__).parent
OURS = {
    node.name
    for path in FOLDER.rglob("*.py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.FunctionDef)
}
"""Functions of the project, which are looked through where they are, or see no array of a framework."""
PYTHON = {name for kind in (str, list, dict, set, int) for name in dir(kind)}
"""Methods of Python's own types, which no array of a framework has for its arithmetic."""


def sources() -> Iterator[tuple[str, str]]:
    """What is looked through: every operator and check by its file, and the Python in claims by their ids."""
    for path in sorted([*FOLDER.glob("adapters/operators/*.py"), *FOLDER.glob("claims/checks/*.py")]):
        if path.stem != TRAINED:
            yield path.name, path.read_text(encoding="utf-8")
    for claim in read_claims():
        for test in claim.tests:
            yield from ((claim.id, text) for text in texts(test.parameters))


def texts(value: Any, *, code: bool = False) -> Iterator[str]:
    """The Python among the parameters of a check."""
    if isinstance(value, str):
        yield from [value] * code
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from texts(each, code=code or name in ("text", "setup", "call", "calls", "one", "other"))
    elif isinstance(value, Iterable):
        for each in value:
            yield from texts(each, code=code)


def operations(text: str) -> Iterator[str]:
    """The names of what a text uses of modules, the methods that it calls, and its divisions and powers."""
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    inner = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            name = ast.unparse(node)
            if name.partition(".")[0] in ROOTS and name.replace(".", "").replace("_", "").isalnum():
                yield name
            elif id(node) in called and (node.attr not in OURS | PYTHON or f".{node.attr}" in REVIEWED):
                yield f".{node.attr}"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ROUNDING):
            yield ast.unparse(node)


REVIEWED = {operation for names in EXACT.values() for operation in names.split()} | QUOTIENTS.keys()
USED = [(where, operation) for where, text in sources() for operation in operations(text)]


def test_every_operation_that_is_compared_to_the_bit_has_been_reviewed() -> None:
    assert {each for each in USED if each[1] not in REVIEWED} == set()


def test_nothing_is_reviewed_that_is_not_used() -> None:
    assert REVIEWED - {operation for _, operation in USED} == set()


def test_no_operation_has_two_reasons() -> None:
    every = [operation for names in EXACT.values() for operation in names.split()]
    assert len(every) == len(set(every))


def test_no_text_names_an_operation_that_every_machine_rounds_in_its_own_way() -> None:
    found = {(where, word) for where, text in sources() for word in ROUGH if word in words(text)}
    assert found == set(SHAPE_ONLY.items())


def words(text: str) -> set[str]:
    """The identifiers of a text, and what stands in its strings; not its docstrings' prose."""
    nodes = list(ast.walk(ast.parse(text)))
    prose = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    said = {str(node.value) for node in nodes if isinstance(node, ast.Constant) and id(node) not in prose}
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return said | names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


@pytest.mark.parametrize(
    "text",
    [
        "torch.tanh(x)",
        "x.tanh()",
        "tf.nn.batch_normalization(x, m, v, None, None, e)",
        "jnp.sqrt(v)",
        "x / s",
        "x ** -1",
    ],
)
def test_an_operation_that_rounds_is_seen(text: str) -> None:
    assert set(operations(text)) - REVIEWED


def test_a_rough_function_is_seen_in_a_string() -> None:
    assert "tanh" in words("L.Dense(1, activation='tanh')")
