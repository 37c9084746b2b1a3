"""Networks: the models that the texts name, layer by layer, and what training makes of them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from conformance import idioms, oracle
from conformance.adapters.operators.base import Convolution
from conformance.calls.port import port_layers, shape_of
from conformance.claims.checks.arrays import turned
from conformance.claims.checks.base import Bench, Question, Trial, check, square
from conformance.idioms.base import ClaimedCall
from conformance.layout import Array
from conformance.numerics.deviation import fingerprint
from conformance.numerics.operands import SIGNIFICAND
from conformance.problem import Ints

LATENT, SEED, CHANNELS = 100, (7, 7), 256
GENERATOR = [
    f"keras.layers.Conv2DTranspose({filters}, 5, strides={stride}, padding='same', use_bias=False)"
    for filters, stride in ((128, 1), (64, 2), (1, 2))
]
"""The transposed convolutions of the generator, as its authors write them."""

SLOPE, SCALE = 2.0**-2, 2.0**-7
"""The activation's slope and the normalization's factor. As powers of two they keep the generator exact in float32."""

DENSITY = 1 / 64


def generator_points(bench: Bench, batch: int) -> list[ClaimedCall]:
    """The generator's transposed convolutions in a lane's own framework: Keras's layers, or what they are ported to."""
    input: Ints = (batch, *SEED, CHANNELS)
    if bench.framework != "tensorflow":
        ports = port_layers(GENERATOR, "tensorflow", bench.framework, input, variant=bench.lane.variant)
        return [port.point for port in ports]
    points = []
    for text in GENERATOR:
        points.append(idioms.read("tensorflow", text, {"x": input}, bench.lane.variant))
        input = shape_of(points[-1].claim.data, points[-1].claim.problem)
    return points


def _sparse(draw: np.random.Generator, shape: Sequence[int]) -> Array:
    """-1, 0 and 1, zero but for a few, times the factor of a normalization as it is folded into weights for inference.

    A layer of its own would go through a reciprocal square root, which CPUs round differently.
    """
    signs = draw.choice(np.array([-1, 1], np.float32), shape)
    kept: Array = signs * (draw.random(shape) < DENSITY)
    return (kept * SCALE).astype(np.float32)


@check("step", "n", "h", "w", "c", "same", "exact", "finite", "weights", "digest")
def generator(bench: Bench, *, batch: int = 3) -> Iterator[Trial]:
    """The generator, step by step: (n, h, w, c) of what comes out; same: whether every bit is as NumPy and the oracle
    have it; exact: whether no order of summation could change one; weights: how many the step learns.
    """  # fmt: skip
    draw = np.random.default_rng(7)
    z, dense = draw.integers(-1, 2, (batch, LATENT)).astype(np.float32), _sparse(draw, (LATENT, 49 * CHANNELS))
    flat = bench.operators.dense(z, dense), z @ dense, abs(z) @ abs(dense)
    x, step, largest = (image.reshape(batch, *SEED, CHANNELS).transpose(0, 3, 1, 2) for image in flat)
    unit = SCALE
    yield _layer("dense", x, step, dense.size, largest / unit)
    for number, point in enumerate(generator_points(bench, batch), 1):
        x, step = bench.operators.leaky_relu(x, SLOPE), np.where(step > 0, step, SLOPE * step)
        yield _layer(f"activated {number}", x, step, 0, abs(step) / (unit := unit * SLOPE))
        problem = point.claim.problem
        weight = _sparse(draw, problem.weight_shape)
        largest = oracle.expected(problem, abs(step), abs(weight), None)
        x, step = bench.answered(point, x, weight), oracle.expected(problem, step, weight, None)
        yield _layer(f"transposed {number}", x, step, weight.size, largest / (unit := unit * SCALE))


def _layer(step: str, x: Array, expected: Array, weights: int, largest: Array) -> dict[str, Any]:
    """A trial; `largest` is what no partial sum exceeds, in units of the last place that any of them has."""
    n, c, h, w = x.shape
    return {"step": step, "n": n, "h": h, "w": w, "c": c, "same": np.array_equal(x, expected),
            "exact": bool(largest.max() <= 2 ** SIGNIFICAND["float32"]), "finite": bool(np.isfinite(x).all()),
            "weights": weights, "digest": fingerprint(x)}  # fmt: skip


@check("layer", "c", "equal", "kept", "i")
def dense_twin(bench: Bench, *, channels: int = 8, growth: int = 4, layers: int = 5, i: int = 9) -> Iterator[Trial]:
    """A dense block of transposed convolutions beside one of ordinary ones with turned weights: equal, layer by layer.

    Each layer takes the concatenated answers of those before it, the first the input. kept: whether the size is.
    """
    draw = np.random.default_rng(3)
    seen: list[Array] = []
    x = draw.integers(-2, 3, (2, channels, i, i)).astype(np.float32)
    for layer in range(layers):
        problem = square(i, 3, 1, 1, in_channels=x.shape[1], out_channels=growth, batch=2)
        weight = draw.integers(-1, 2, problem.weight_shape).astype(np.float32)
        (answer,) = bench.transposed([Question(problem, x, weight)])
        (twin,) = bench.convolved([Convolution(x, turned(problem, weight), (1, 1), (1, 1))])
        yield {"layer": layer, "c": x.shape[1], "i": i, "equal": np.array_equal(answer, twin),
               "kept": answer.shape[2:] == x.shape[2:]}  # fmt: skip
        seen.append(np.sign(answer))  # any activation does; this one keeps the numbers small
        x = np.concatenate(seen, 1)


@check("holds")
def torch_network(bench: Bench, *, fact: str, arguments: dict[str, Any] | None = None) -> Iterator[Trial]:
    """holds: whether a fact of `conformance.adapters.operators.networks_torch` is so."""
    from conformance.adapters.operators import networks_torch

    for holds in networks_torch.FACTS[fact](**(arguments or {})):
        yield {"holds": bool(holds), **(arguments or {})}
