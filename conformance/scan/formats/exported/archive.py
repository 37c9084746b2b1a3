"""The archive of a file of torch.export: its graph as JSON, and its parameters and constants as they are stored.

PyTorch's own loader is not used: it evaluates text of the file and may unpickle parts of it.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from conformance.adapters.models._computed import MOST, TIMES
from conformance.io.bounded import LARGEST_ARRAY, LARGEST_TEXT, open_regular, read_json
from conformance.scan.layer import Array, ScanError

MODEL, WEIGHTS, CONSTANTS = "models/model.json", "data/weights/", "data/constants/"
CONFIGS: Mapping[str, str] = {WEIGHTS: "model_weights_config.json", CONSTANTS: "model_constants_config.json"}
"""What says where each parameter lies, and each buffer or constant that is not of the state."""
TYPES = {6: ("float16", "<f2"), 7: ("float32", "<f4"), 8: ("float64", "<f8"), 13: ("bfloat16", "<u2")}
"""The dtypes of a transposed convolution by their numbers in these files, and how NumPy reads their bytes."""
OTHERS = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 9: "complex32", 10: "complex64", 11: "complex128",
          12: "bool"}  # fmt: skip
"""Further dtypes, of which weights are not read."""
WHOLE = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8"}
"""Those of whole numbers, which weights may be computed of."""
AGAIN = "export it again by PyTorch 2.8 or newer"
UNPACKED = 1 << 24
"""Bytes that a part may have which PyTorch has not written: it compresses nothing."""


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that has been opened: the folder that everything is in, and the entries of the tensors."""

    path: Path
    root: str
    entries: Mapping[str, Mapping[str, Any]]

    def document(self) -> Any:
        """The model as JSON. Raises BoundError and UnicodeDecodeError for what is no JSON."""
        return read_json(_member(self.path, self.root + MODEL, LARGEST_TEXT).decode("utf-8"))

    def reads(self, name: str, whole: bool = False) -> bool:
        """Whether a parameter is of a dtype that is read, or is not there, which `array` says; `whole` numbers, too."""
        entry = self.entries.get(name)
        dtype = None if entry is None else (entry.get("tensor_meta") or {}).get("dtype")
        return dtype not in OTHERS or (whole and dtype in WHOLE)

    def array(self, name: str) -> Array:
        """A parameter. Raises ScanError where it is missing, or is not as long as it says."""
        entry = self.entries.get(name)
        if entry is None or entry.get("use_pickle"):
            lack = "is in no file" if entry is None else "is pickled, and would be run as it is loaded"
            raise ScanError(f"{self.path}: the parameter {name!r} {lack}: export the model again")
        try:
            meta, place = entry["tensor_meta"], f"{self.root}{entry['folder']}{entry['path_name']}"
            shape, strides = ([int(size["as_int"]) for size in meta[part]] for part in ("sizes", "strides"))
            dtype = TYPES.get(meta["dtype"], ("", ""))[1] or WHOLE.get(meta["dtype"], "")
            start = int(meta["storage_offset"]["as_int"])
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise ScanError(f"{self.path}: what stands there of the parameter {name!r} cannot be read "
                            f"({type(error).__name__}: {error}): export the model again") from None  # fmt: skip
        if not dtype:
            raise ScanError(f"{self.path}: the parameter {name!r} is of another type: export it in float32")
        content = _member(self.path, place, LARGEST_ARRAY)
        flat = np.frombuffer(content, dtype, len(content) // np.dtype(dtype).itemsize)[start:]
        last = sum((extent - 1) * stride for extent, stride in zip(shape, strides, strict=True))
        if min([start, *shape, *strides]) < 0 or (0 not in shape and last >= flat.size):
            raise ScanError(f"{self.path}: the parameter {name!r} is of shape {tuple(shape)} and has {flat.size} "
                            "numbers: export the model again")  # fmt: skip
        if prod(shape) > TIMES * max(MOST, flat.size):
            raise ScanError(f"{self.path}: the parameter {name!r} is of shape {tuple(shape)}, and repeats {flat.size} "
                            "numbers too often: export the model again")  # fmt: skip
        if dtype == "<u2":
            flat = (flat.astype("<u4") << 16).view("<f4")
        steps = [stride * flat.itemsize for stride in strides]
        return np.ascontiguousarray(np.lib.stride_tricks.as_strided(flat, shape, steps, writeable=False))


def open_archive(path: Path) -> Archive:
    """The archive in a file. Raises ScanError where it is none, BoundError and UnicodeDecodeError for no JSON."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError) as error:
        raise ScanError(f"{path}: is no archive ({error}), so that it is truncated, or no file of torch.export: give "
                        "a whole model file") from None  # fmt: skip
    root = next((name.removesuffix(MODEL) for name in names if name.endswith(MODEL)), None)
    if root is None:
        raise ScanError(f"{path}: has no {MODEL}, so that it is truncated, of an older torch.export, or no model: give "
                        f"a whole file, or {AGAIN}")  # fmt: skip
    entries: dict[str, Mapping[str, Any]] = {}
    for folder, config in CONFIGS.items():
        if folder == WEIGHTS or root + folder + config in names:
            read = read_json(_member(path, root + folder + config, LARGEST_TEXT).decode("utf-8"))["config"]
            entries |= {name: {**entry, "folder": folder} for name, entry in read.items() if "path_name" in entry}
    return Archive(path, root, entries)


def _member(path: Path, name: str, largest: int) -> bytes:
    """The bytes of a member of the archive. Raises ScanError where it is missing, damaged or too large."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            member = archive.getinfo(name)
            if member.file_size > largest:
                raise ScanError(f"{path}: {name} has more than {largest} bytes: give a smaller model")
            if member.file_size > max(UNPACKED, path.stat().st_size):
                raise ScanError(f"{path}: {name} has {member.file_size} bytes, more than the file, which PyTorch does "
                                "not compress: export the model again")  # fmt: skip
            return archive.read(name)
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, OSError, NotImplementedError) as error:
        if isinstance(error, ScanError):
            raise
        raise ScanError(f"{path}: {name} cannot be read: {error}: export the model again") from None
