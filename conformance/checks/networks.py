"""Networks: the models that the texts name, layer by layer, and what training makes of them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from conformance import idioms, oracle
from conformance.adapters.base import Array
from conformance.checks.arrays import turned
from conformance.checks.base import Bench, Question, Trial, check, square
from conformance.compare import fingerprint
from conformance.idioms.base import Point
from conformance.operators.base import Convolution
from conformance.port import port_layers, shape_of

LATENT, SEED, CHANNELS = 100, (7, 7), 256
GENERATOR = [
    f"keras.layers.Conv2DTranspose({filters}, 5, strides={stride}, padding='same', use_bias=False)"
    for filters, stride in ((128, 1), (64, 2), (1, 2))
]
"""The transposed convolutions of the generator, as its authors write them."""

SLOPE = 0.25
EPSILON = 0.001
SCALE = 2.0**-7
"""Slope and scale are powers of two, so that the whole generator is exact in float64 and can be compared bit by bit."""


def generator_points(bench: Bench, batch: int) -> list[Point]:
    """The generator's transposed convolutions in a lane's own framework: Keras's layers, or what they are ported to."""
    input = (batch, *SEED, CHANNELS)
    if bench.framework != "tensorflow":
        ports = port_layers(GENERATOR, "tensorflow", bench.framework, input, variant=bench.lane.variant)
        return [each.point for each in ports]
    points = []
    for text in GENERATOR:
        points.append(idioms.read("tensorflow", text, {"x": input}, bench.lane.variant))
        input = shape_of(points[-1].claim.data, points[-1].claim.problem)
    return points


def _integers(generator: np.random.Generator, shape: Sequence[int], largest: int) -> Array:
    return generator.integers(-largest, largest + 1, shape).astype(np.float64)


@check("step", "n", "h", "w", "c", "same", "finite", "weights", "digest")
def generator(bench: Bench, *, batch: int = 3) -> Iterator[Trial]:
    """The generator, step by step: (n, h, w, c) of what comes out; same: whether every bit is as NumPy and the oracle
    have it; weights: how many the step learns.
    """  # fmt: skip
    draw = np.random.default_rng(7)
    z, dense = _integers(draw, (batch, LATENT), 3), _integers(draw, (LATENT, 7 * 7 * CHANNELS), 2)
    flat = bench.operators.dense(z, dense)
    x, step = _normal(bench, flat), _normal_by_hand(z @ dense)
    x, step = (each.reshape(batch, *SEED, CHANNELS).transpose(0, 3, 1, 2) for each in (x, step))
    yield _layer("dense", x, step, dense.size)
    for number, point in enumerate(generator_points(bench, batch), 1):
        problem = point.claim.problem
        weight = _integers(draw, problem.weight_shape, 1)
        x, step = bench.answered(point, x, weight), oracle.expected(problem, step, weight, None)
        yield _layer(f"transposed {number}", x, step, weight.size)
        if number < len(GENERATOR):
            x, step = _normal(bench, x), _normal_by_hand(step)
            yield _layer(f"activated {number}", x, step, 0)
    y = bench.operators.tanh(x * 2.0**-30)
    yield _layer("tanh", y, y, 0) | {"same": np.allclose(y, np.tanh(step * 2.0**-30), rtol=1e-12, atol=0)}


def _layer(step: str, x: Array, expected: Array, weights: int) -> dict[str, Any]:
    n, c, h, w = x.shape
    return {"step": step, "n": n, "h": h, "w": w, "c": c, "same": np.array_equal(x, expected),
            "finite": bool(np.isfinite(x).all()), "weights": weights, "digest": fingerprint(x)}  # fmt: skip


def _normal(bench: Bench, x: Array) -> Array:
    """Batch normalization that divides by a power of two, then the activation."""
    channels = x.shape[1]
    mean, variance = np.zeros(channels), np.full(channels, SCALE**-2 - EPSILON)
    return bench.operators.leaky_relu(bench.operators.normalize(x, mean, variance, EPSILON), SLOPE)


def _normal_by_hand(x: Array) -> Array:
    return np.where(x > 0, x, SLOPE * x) * SCALE


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
    """holds: whether a fact of `conformance.operators.networks_torch` is so."""
    from conformance.operators import networks_torch

    for holds in networks_torch.FACTS[fact](**(arguments or {})):
        yield {"holds": bool(holds), **(arguments or {})}
