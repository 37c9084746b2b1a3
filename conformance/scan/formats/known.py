"""The formats of model files that are read: by how their names end, which module opens each, and what that needs."""

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance.adapters.models._script import require_script
from conformance.adapters.models.base import RefusedError
from conformance.io.bounded import open_regular
from conformance.scan.layer import ScanError


@dataclass(frozen=True, slots=True)
class Format:
    """A format of model files: the module that opens one, and the packages that it needs."""

    name: str
    module: str = ""
    packages: tuple[str, ...] = ()
    framework: str = ""
    """The framework in whose lane's environment it is read; empty for none. Where there is no such environment, the
    module reads what it can."""


SCRIPT = "TorchScript"
BY_SUFFIX: Mapping[str, Format] = {
    ".onnx": Format("ONNX", "onnx", ("onnx",)),
    "-symbol.json": Format("MXNet symbol", "symbol", framework="mxnet"),
    ".tflite": Format("TFLite", "lite.model", ("flatbuffers", "tflite")),
    ".pt2": Format("torch.export", "exported.model"),
    ".pt": Format(SCRIPT, framework="torch"),
    ".pth": Format(SCRIPT, framework="torch"),
    ".keras": Format("Keras", framework="tensorflow"),
    ".pb": Format("TensorFlow graph", framework="tensorflow"),
}
"""Formats by how the file's name ends."""
SAVED_MODEL = Format("TensorFlow SavedModel", framework="tensorflow")
FACTORY = Format("PyTorch module", framework="torch")
INSTEAD: Mapping[str, str] = {
    ".py": "it is source code: give it to `conformance call FRAMEWORK FILE`, which lists its calls, or give the model "
           "as package.module:factory",
    ".h5": "this format of Keras can hold code that is run as it is loaded: save the model as .keras",
    ".hdf5": "this format of Keras can hold code that is run as it is loaded: save the model as .keras",
    ".pkl": "a pickle is run as it is loaded: export the model, as by torch.export.save",
    ".safetensors": "it holds weights and no graph: give the model itself",
    ".params": "it holds weights and no graph: give the file NAME-symbol.json beside it",
}  # fmt: skip
"""What to give in place of other files, by how their names end."""
_FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def format_of(name: str) -> Format:
    """The format of a model, all of whose files are regular ones.

    Raises ScanError where it is none that is read, or needs a package that is not here, and OSError.
    """
    path = Path(name)
    if not name:
        raise ScanError("an empty name is given: give a model's file, or package.module:factory")
    if not path.exists():
        if _FACTORY.fullmatch(name):
            return FACTORY
        raise ScanError(f"{name}: there is no such file: give a model, or package.module:factory")
    if path.is_dir() and not (path / "saved_model.pb").exists():
        raise ScanError(f"{name}: is a folder without saved_model.pb: give a SavedModel, or a model's file")
    _require_regular(path)
    if path.is_dir():
        return SAVED_MODEL
    found = next((each for suffix, each in BY_SUFFIX.items() if name.lower().endswith(suffix)), None)
    if found is None:
        instead = INSTEAD.get(path.suffix.lower(), f"give one of {', '.join(BY_SUFFIX)}, or a SavedModel's folder")
        raise ScanError(f"{name}: is none of the models that are read: {instead}")
    if found.name == SCRIPT:
        _require_script(path)
    for package in found.packages:
        if importlib.util.find_spec(package) is None:
            raise ScanError(f"{name}: the package {package} is needed to read a {found.name} file: "
                            "pip install 'conformance[scan]'")  # fmt: skip
    return found


def _require_script(path: Path) -> None:
    """Raises ScanError for weights or a pickle, before PyTorch is asked for."""
    try:
        require_script(path)
    except RefusedError as reason:
        raise ScanError(f"{path}: {reason}") from None


def _require_regular(path: Path) -> None:
    """Raises OSError for a device, a pipe or the like, of which a framework would read without an end."""
    for each in path.rglob("*") if path.is_dir() else (path,):
        if not each.is_dir():
            open_regular(each).close()
