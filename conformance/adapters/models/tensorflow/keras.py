"""Keras files: the layers of a model, traced by TensorFlow on inputs of some sizes, which have no numbers."""

import re
import textwrap
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow

from conformance.adapters.models.base import Extents, NativeLayer, RefusedError, UnfitError
from conformance.layout import Array
from conformance.problem import Ints

LAYERS = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
WORDS = ("filters", "kernel_size", "strides", "padding", "output_padding", "data_format", "dilation_rate", "use_bias")
"""The arguments that change the answer."""
DEFAULTS: Mapping[str, Any] = {
    "strides": 1, "padding": "valid", "output_padding": None, "dilation_rate": 1, "use_bias": True,
    "data_format": "channels_last",
}  # fmt: skip


@dataclass
class KerasModel:
    """A model of Keras."""

    model: Any
    kind: str = "Keras"

    @property
    def inputs(self) -> Mapping[str, Extents]:
        """The extents of each input that the model states."""
        given = self.model.inputs or []
        return {tensor.name: list(tensor.shape) for tensor in given}

    def layers(self, sizes: Mapping[str, Ints]) -> list[NativeLayer]:
        """The layers in the order in which they are applied. Raises UnfitError where one does not take what it gets.

        The model is traced, since what layers say of their sizes is not checked where several come together.
        """
        given = {tensor.name: (tensor.shape, tensor.dtype) for tensor in self.model.inputs or []} or {
            name: (shape, "float32") for name, shape in sizes.items()
        }
        specifications = [tensorflow.TensorSpec(sizes.get(name, shape), kind) for name, (shape, kind) in given.items()]
        with _watching() as seen:
            try:
                tensorflow.function(self._applied, autograph=False).get_concrete_function(*specifications)
            except Exception as error:  # whatever a layer raises of what it does not take
                raise UnfitError(f"{type(error).__name__}: {_reason(error)[:200]}") from None
        numbers = {id(layer): number for number, layer in enumerate({id(each): each for each, _ in seen}.values(), 1)}
        applied: Counter[int] = Counter()
        made: list[NativeLayer] = []
        for layer, shape in seen:
            applied[id(layer)] += 1
            place = f"layer {numbers[id(layer)]} of {len(numbers)}, {type(layer).__name__}"
            again = f", applied for the time {applied[id(layer)]}" if applied[id(layer)] > 1 else ""
            made.append(_layer(layer, shape, place + again))
        return made

    def _applied(self, *tensors: Any) -> Any:
        """The model's answer; its inputs are given in the structure that it has, such as by their names."""
        structure = getattr(self.model, "_inputs_struct", None)  # which Keras has no public name for
        packed = list(tensors) if structure is None else keras.tree.pack_sequence_as(structure, [*tensors])
        return self.model(tensors[0] if len(tensors) == 1 and structure is None else packed, training=False)


def _reason(error: Exception) -> str:
    """The line of an error that says what did not fit, which stands below where Keras was."""
    lines = [line.strip() for line in _plain(error).splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("Exception encountered")), "nothing is said")


def _plain(error: Exception) -> str:
    """What an error says, without the codes by which Keras makes it bold."""
    return re.sub(r"\x1b\[[0-9;]*m", "", str(error))


@contextmanager
def _watching() -> Iterator[list[tuple[Any, tuple[int | None, ...]]]]:
    """Every transposed convolution that is applied, with the shape of what it is applied to."""
    seen: list[tuple[Any, tuple[int | None, ...]]] = []
    before = {layer: layer.call for layer in LAYERS}

    def watched(method: Any) -> Any:
        def applied(self: Any, given: Any, *rest: Any, **words: Any) -> Any:
            seen.append((self, tuple(given.shape)))
            return method(self, given, *rest, **words)

        return applied

    for layer, method in before.items():
        layer.call = watched(method)
    try:
        yield seen
    finally:
        for layer, method in before.items():
            layer.call = method


def _layer(layer: Any, shape: tuple[int | None, ...], place: str) -> NativeLayer:
    known = None not in shape
    return NativeLayer(
        layer.path, place, _text(layer),
        {"x": tuple(extent or 0 for extent in shape)} if known else {}, layer.compute_dtype,
        "stored" if layer.compute_dtype == layer.variable_dtype else f"stored in {layer.variable_dtype}",
        _numbers(layer.kernel), None if layer.bias is None else _numbers(layer.bias),
        "" if known else "its extents do not follow from the sizes of the inputs: give all of them by --input",
    )  # fmt: skip


def _numbers(variable: Any) -> Array:
    """The numbers of a variable; in float32 those of bfloat16, which NumPy has not."""
    array: Array = np.asarray(variable)
    return array.astype(np.float32) if variable.dtype == "bfloat16" else array


def _text(layer: Any) -> str:
    """A layer as it is written, without what cannot change the answer."""
    config = layer.get_config()
    words = [f"{name}={value!r}" for name in WORDS if (value := _short(config.get(name))) != DEFAULTS.get(name)
             and name not in ("filters", "kernel_size")]  # fmt: skip
    sizes = [repr(_short(config[name])) for name in ("filters", "kernel_size")]
    return f"keras.layers.{type(layer).__name__}({', '.join([*sizes, *words])})"


def _short(value: Any) -> Any:
    """One number where all axes have the same."""
    if isinstance(value, list | tuple):
        return value[0] if len(set(value)) == 1 else tuple(value)
    return value


def _unread(said: str) -> str:
    """Why Keras does not read a model: the class that it has not, or what it says first, cut between words."""
    if missing := re.search(r"Could not locate class '(\w+)'", said):
        return f"it has no class {missing[1]}"
    return textwrap.shorten(said.partition("config={")[0], 300, placeholder=" ...")


def open_keras(path: Path) -> KerasModel:
    """The model in a .keras file, without anything that would run code. Raises RefusedError, and OSError."""
    if not zipfile.is_zipfile(path):
        raise RefusedError("is no .keras file, or is truncated: save the model again")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever Keras raises of what it does not know, or will not run
        said = _unread(_plain(error))
        raise RefusedError(
            f"is not read by Keras in its safe mode: {said}: save it with layers of Keras alone"
        ) from None
    return KerasModel(model)
