"""A model that a framework has loaded in its lane's environment: its calls read, and given a claim."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance import adapters, idioms
from conformance.adapters import models
from conformance.adapters.base import Lane
from conformance.adapters.models.base import NativeLayer, NativeModel, RefusedError, UnfitError
from conformance.idioms import IdiomError
from conformance.idioms.base import FLOAT32, Claim, Refusal
from conformance.idioms.expression import ExpressionError
from conformance.problem import Ints
from conformance.processes.memory import MEMORY, bound_memory
from conformance.scan.layer import Extent, Layer, ScanError, SizeError, Weight, in_dtype

ROOM = 8
"""How many times the bytes of a model's files may be taken of memory as they are read, besides `MEMORY`."""


WANTING = ("output-size",)
"""Laws by which a call that is refused has no window: there is none that leaves what it asks for."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A loaded model, and the lane that its calls are of."""

    native: NativeModel
    lane: Lane
    name: str

    @property
    def kind(self) -> str:
        """What the file is."""
        return self.native.kind

    @property
    def inputs(self) -> Mapping[str, Sequence[Extent]]:
        """The extents that the file states of each input."""
        return self.native.inputs

    def layers(self, sizes: Mapping[str, Ints]) -> list[Layer]:
        """The layers on inputs of these sizes. Raises SizeError where it takes no such."""
        try:
            return [self._layer(layer) for layer in self.native.layers(sizes)]
        except RefusedError as error:
            raise ScanError(f"{self.name}: {error}") from None
        except UnfitError as error:
            raise SizeError(str(error)) from None

    def _layer(self, layer: NativeLayer) -> Layer:
        claim, unknown = (None, layer.unknown) if layer.unknown else self._claim(layer)
        return Layer(layer.name, layer.place, layer.call, claim, layer.dtype, _weight(layer),
                     layer.provenance, unknown, layer.identity)  # fmt: skip

    def _claim(self, layer: NativeLayer) -> tuple[Claim | None, str]:
        try:
            reading = idioms.reading(self.lane.framework, layer.call)
            shapes = {name: shape for name, shape in layer.shapes.items() if name in reading.tensors}
            dtype = FLOAT32 if reading.idiom.dtypes else layer.dtype  # a layer that says its dtype is not asked for it
            claim = idioms.point(reading, shapes, self.lane.variant, dtype).claim
            return (None, claim.refused) if claim.refused and claim.law in WANTING else (claim, "")
        except (Refusal, IdiomError, ExpressionError) as reason:
            return None, str(reason)


def _weight(layer: NativeLayer) -> Weight | None:
    """The weight and bias in the dtype that the layer computes in, which may be another than the file has."""
    weight, bias = (None if each is None else in_dtype(each, layer.dtype) for each in (layer.weight, layer.bias))
    return None if weight is None else Weight(lambda: weight, None if bias is None else lambda: bias)


def open_model(framework: str, name: str) -> Loaded:
    """The model of a file, or of a factory; what this process takes to read a file is bounded from then on.

    Raises ScanError, and OSError.
    """
    lane, path = adapters.lane(framework), Path(name)
    adapters.load(lane)  # whose own memory is not of the model
    if path.exists():
        bound_memory(MEMORY + ROOM * _size(path))
    try:
        return Loaded(models.open_model(lane, name), lane, name)
    except RefusedError as error:
        raise ScanError(f"{name}: {error}") from None


def _size(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    return sum(each.stat().st_size for each in (path.rglob("*") if path.is_dir() else (path,)) if each.is_file())
