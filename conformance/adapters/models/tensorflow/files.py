"""TensorFlow: Keras files, SavedModels and frozen graphs, of which none is run.

A Keras model is asked for its layers' sizes without numbers. A graph is imported with its inputs fixed, and TensorFlow
infers the shapes. What would run code of the file's author is refused: layers and operators of an author's own, and
operators that call Python or touch files.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow

from conformance.adapters.models.base import RefusedError
from conformance.adapters.models.tensorflow.functions import inlined
from conformance.adapters.models.tensorflow.graph import GraphModel, SavedModel
from conformance.adapters.models.tensorflow.keras import KerasModel, open_keras
from conformance.io.bounded import LARGEST_TEXT, BoundError, read_bytes

LARGEST_GRAPH = 1 << 31
UNSAFE = ("PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles", "LoadLibrary")
SIGNATURE = "serving_default"
SCALAR = tensorflow.TensorShape([]).as_proto()
"""The shape of an input without axes."""


def open_model(path: Path) -> GraphModel | SavedModel | KerasModel:
    """The model in a file or a folder. Raises RefusedError, and OSError."""
    if path.suffix == ".keras":
        return open_keras(path)
    return _saved(path) if path.is_dir() else _frozen(path)


def _frozen(path: Path) -> GraphModel:
    graph = tensorflow.compat.v1.GraphDef()
    _parse(graph, _read(path, LARGEST_GRAPH), "a frozen graph")
    if not graph.node:
        raise RefusedError("is no frozen graph, as it has no nodes: give a whole .pb file, or a SavedModel's folder")
    _require_safe(graph)
    given = [node for node in graph.node if node.op == "Placeholder"]
    inputs = {node.name: _extents(node) for node in given if node.attr["shape"].shape != SCALAR}
    return GraphModel(inlined(graph), "TensorFlow graph", inputs)


def _extents(node: Any) -> list[int | None]:
    shape = node.attr["shape"].shape
    return [] if shape.unknown_rank else [dim.size if dim.size > 0 else None for dim in shape.dim]


def _saved(path: Path) -> SavedModel:
    """A SavedModel's signatures with their variables as constants; nothing of it is called."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    _parse(saved, _read(path / "saved_model.pb", LARGEST_TEXT), "a SavedModel")
    for meta in saved.meta_graphs:
        _require_safe(meta.graph_def)
    try:
        loaded = tensorflow.saved_model.load(str(path))
        names = sorted(loaded.signatures, key=lambda name: (name != SIGNATURE, name))
        models = [(name, _signature(loaded.signatures[name])) for name in names]
    except Exception as error:  # whatever TensorFlow makes of a folder that is not whole
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        raise RefusedError(f"is no whole SavedModel: {reason}: save it again") from None
    if not models:
        raise RefusedError("has no signature to be called by: save it with one")
    return SavedModel({name: model for at, (name, model) in enumerate(models)
                       if all(model != before for _, before in models[:at])})  # fmt: skip


def _signature(signature: Any) -> GraphModel:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(signature, lower_control_flow=False)
    _, given = signature.structured_input_signature
    names = {tensor.name.partition(":")[0]: tensor for tensor in frozen.inputs}
    stated = {name: spec.shape.as_list() if spec.shape.rank is not None else [] for name, spec in given.items()
              if spec.shape.rank != 0}  # fmt: skip
    own = {name: name if name in names else next(iter(names), name) for name in stated}
    return GraphModel(inlined(frozen.graph.as_graph_def()), "TensorFlow SavedModel", stated, own)


def _read(path: Path, largest: int) -> bytes:
    try:
        return read_bytes(path, largest)
    except BoundError as error:
        raise RefusedError(str(error)) from None


def _parse(message: Any, content: bytes, what: str) -> None:
    from google.protobuf.message import DecodeError

    try:
        message.ParseFromString(content)
    except DecodeError:
        raise RefusedError(f"is not {what}, or is truncated: give a whole model file") from None


def _operators(graph: Any) -> Iterator[str]:
    for function in (graph, *graph.library.function):
        yield from (node.op for node in (function.node if function is graph else function.node_def))


def _require_safe(graph: Any) -> None:
    """Raises RefusedError where an operator would run code, touch files, or is of an author's own."""
    from tensorflow.python.framework import op_def_registry

    functions = {function.signature.name for function in graph.library.function}
    for name in sorted(set(_operators(graph)) - functions):
        if name in UNSAFE:
            raise RefusedError(f"has the operator {name}, which runs code or touches files: export it without that")
        if op_def_registry.get(name) is None:
            raise RefusedError(f"has the operator {name} of an author's own, whose code would be needed: export it "
                               "without that")  # fmt: skip
