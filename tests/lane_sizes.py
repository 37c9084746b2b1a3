"""Sizes in each lane's own environment: what layers of every kind do to extents, and the calls that sizes name."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from conformance import adapters, idioms
from conformance.calls.sizes.proposals import Wanted
from conformance.calls.sizes.spellings import Target, spellings
from conformance.idioms import Reading, Refusal, _reading
from conformance.idioms.ordinary.base import CHANNELS, SizedLayer
from conformance.idioms.sizes.layers import catalogue, law_of, layers, rank_of
from conformance.problem import Ints
from tests.lane_snippets import installed

FRAMEWORKS = sorted({lane.framework for lane in installed()})
pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks themselves, which are not what is tested
LAYERS = [(framework, layer) for framework in FRAMEWORKS for layer in layers(framework)]
EXTENTS = range(1, 9)


@pytest.fixture(autouse=True, scope="module")
def _started() -> None:
    for framework in FRAMEWORKS:
        adapters.load(adapters.lane(framework))  # in its first variant, with the environment that this takes


def answer(framework: str, reading: Reading, shape: Ints) -> Ints | None:
    """The extents of a layer's answer on zeros; None where it is refused, or where nothing is left."""
    idiom, dialect = reading.idiom, idioms.dialect(framework)
    call, outer = _reading.parts(idiom, reading.text)
    scope: dict[str, Any] = {"array": np.zeros(shape, np.float32)}
    exec("\n".join([*dialect.imports, *idiom.imports, f"x = {dialect.tensor.format('array')}"]), scope)
    try:
        exec("\n".join(idiom.program(call, outer, False)), scope)
        extents = tuple(scope["y"].shape)
    except Exception:
        return None
    spatial = extents[1:-1] if idiom.data.endswith("c") else extents[2:]
    return tuple(map(int, spatial)) if min(spatial, default=0) > 0 else None


def claimed(framework: str, reading: Reading, extents: Ints) -> Ints | None:
    """The extents that the law says, in the same way."""
    try:
        law = law_of(framework, reading, len(extents))
        assert law is not None
        return tuple(law.of(axis, extent) for axis, extent in enumerate(extents))
    except Refusal:
        return None


def shape_of(reading: Reading, extents: Ints) -> Ints:
    return (1, *extents, CHANNELS) if reading.idiom.data.endswith("c") else (1, CHANNELS, *extents)


def cases(framework: str, layer: SizedLayer) -> Iterator[tuple[Reading, Ints]]:
    for at, text in enumerate(layer.examples()):
        reading = _reading.read(catalogue(framework), text, {})
        for extent in EXTENTS if at % 3 == 0 else (1, 4, 7):
            yield reading, tuple(extent + axis for axis in range(rank_of(reading) or 1))


@pytest.mark.parametrize(("framework", "layer"), LAYERS, ids=[layer.idiom.id for _, layer in LAYERS])
def test_a_layer_changes_sizes_as_its_law_says(framework: str, layer: SizedLayer) -> None:
    wrong = []
    for reading, extents in cases(framework, layer):
        law = claimed(framework, reading, extents)
        if law is None and layer.fatal:
            continue
        measured = answer(framework, reading, shape_of(reading, extents))
        if measured != law:
            wrong.append((reading.text, extents, measured, law))
    assert wrong == []


WANTED = [Wanted((4,), (9,), (3,), (2,)), Wanted((5,), (11,), (4,), (2,)), Wanted((4, 3), (8, 6), (4, 4), (2, 2)),
          Wanted((5, 4), (5, 4), (3, 3), (1, 1), (2, 2)), Wanted((3,), (12,), (7,), (4,))]  # fmt: skip


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_call_that_sizes_name_has_the_size(framework: str) -> None:
    variant = adapters.lane(framework).variant
    called = 0
    for wanted in WANTED:
        assert wanted.kernel is not None
        assert wanted.stride is not None
        for call in spellings(Target(framework, variant), wanted.problem(wanted.kernel, wanted.stride)):
            dialect, idiom = idioms.dialect(framework), call.idiom
            scope: dict[str, Any] = {}
            exec("\n".join([*dialect.imports, *idiom.imports]), scope)
            for name, shape in call.shapes.items():
                scope["array"] = np.zeros(shape, np.float32)
                exec(f"{name} = {dialect.tensor.format('array')}", scope)
            exec(_layer_program(call.text, idiom.id) if idiom.layer else f"y = {call.text}", scope)
            extents = tuple(scope["y"].shape)
            spatial = extents[1:-1] if idiom.data.endswith("c") else extents[2:]
            assert tuple(map(int, spatial)) == wanted.output, call.text
            called += 1
    assert called >= 10


def _layer_program(text: str, idiom: str) -> str:
    """A layer called on x with weights of its own."""
    call, _, outer = text.partition(")(")
    made, given = (f"{call})", outer[:-1]) if outer else (text, "x")
    if idiom == "flax-linen":
        return f"import jax\nlayer = {made}\ny, _ = layer.init_with_output(jax.random.key(0), {given})"
    first = {"flax-nnx": "rngs = flax.nnx.Rngs(0)\n"}.get(idiom, "")
    started = {"mx-gluon": "\nlayer.initialize()"}.get(idiom, "")
    return f"{first}layer = {made}{started}\ny = layer({given})"
