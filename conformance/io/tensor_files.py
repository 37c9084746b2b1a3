"""Tensors from the files that people have: .npy, .npz, .pt and .safetensors; nothing in them is run.

A file that holds several is given with the name of one, as in "model.safetensors:up.weight". What NumPy has no type
for, bfloat16, is widened to float32.
"""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from conformance.io.array_files import NUMBERS, Archive, parse_any_array
from conformance.io.bounded import LARGEST_ARRAY, BoundError, read_bytes
from conformance.io.torch_files import read_torch_file

LISTED = 8
"""Names of tensors that a message lists."""
BFLOAT16 = "bfloat16"
SAFETENSORS = {
    "F64": "f8", "F32": "f4", "F16": "f2", "BF16": BFLOAT16, "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1",
    "U64": "u8", "U32": "u4", "U16": "u2", "U8": "u1",
}  # fmt: skip
"""NumPy's names of the types of numbers that safetensors has."""


class Tensor(NamedTuple):
    """An array of numbers; `held` names their format where its dtype does not."""

    array: NDArray[Any]
    held: str = ""


class Contents(NamedTuple):
    """The names of what a file holds, and the way to one of them; a file of one tensor calls it ""."""

    names: Sequence[str]
    tensor: Callable[[str], Tensor]


def read_tensor(text: str) -> Tensor:
    """The tensor that a path names, or a path and the name of one of the file's, as in "y.npz:actual".

    Raises BoundError with the path for what cannot be read, and OSError.
    """
    if not text:
        raise BoundError("'' names no file: give one, such as y.npy")
    path, name = _parted(text)
    reader = READERS.get(path.suffix.lower())
    if path.is_dir():
        raise BoundError(f"{path}: is a folder: give a file in it, {', '.join(READERS)}")
    if reader is None:
        raise BoundError(f"{path}: is none of the files that are read, {', '.join(READERS)}: save the array with "
                         "numpy.save, or name the file so")  # fmt: skip
    try:
        contents = reader(path)
        chosen = _chosen(contents.names, name)
    except BoundError as error:
        raise BoundError(f"{path}: {error}") from None
    try:
        return contents.tensor(chosen)
    except BoundError as error:
        raise BoundError(f"{path}{chosen and f':{chosen}'}: {error}") from None


def _parted(text: str) -> tuple[Path, str]:
    """The path and the name; a path may have a colon of its own."""
    ends = [at for at, letter in enumerate(text) if letter == ":"]
    at = next((end for end in ends if not Path(text).exists() and Path(text[:end]).suffix.lower() in READERS), None)
    return (Path(text), "") if at is None else (Path(text[:at]), text[at + 1 :])


def _chosen(names: Sequence[str], name: str) -> str:
    """The name that is asked for, or the only one. Raises BoundError where there is none such."""
    if name in names:
        return name
    if not name and len(names) == 1:
        return names[0]
    listed = ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")
    if not names:
        raise BoundError("holds no tensor: save one in it, or give another file")
    if names == [""]:
        raise BoundError(f"holds one tensor without a name, and {name!r} is asked for: give the path alone")
    near = get_close_matches(name, names, 1)
    asked = f"holds no {name!r}, the nearest is {near[0]!r}" if near else f"holds {len(names)} tensors, {listed}"
    if name and not near:
        asked = f"holds no {name!r}, but {listed}"
    raise BoundError(f"{asked}: name one behind the path, as in file:{near[0] if near else names[0]}")


def widened(array: NDArray[Any]) -> Tensor:
    """Numbers of bfloat16, as two bytes each, in float32."""
    wide = array.view("<u2").astype("<u4") << 16
    return Tensor(wide.view("<f4"), BFLOAT16)


def _npy(path: Path) -> Contents:
    content = read_bytes(path, LARGEST_ARRAY)
    return Contents([""], lambda _: _parsed(content))


def _npz(path: Path) -> Contents:
    archive = Archive(path)
    return Contents(list(archive), lambda name: _parsed(archive.content(name)))


def _parsed(content: bytes) -> Tensor:
    """The tensor of a .npy file's bytes. NumPy saves bfloat16, which it does not know, as two bytes without a type."""
    array = parse_any_array(content)
    if array.dtype.str[1:] == "V2":
        return widened(np.ascontiguousarray(array))
    if array.dtype.kind not in NUMBERS:
        raise BoundError(f"is an array of {array.dtype}, not of real numbers: save one array of these with numpy.save")
    return Tensor(array)


def _safetensors(path: Path) -> Contents:
    try:
        from safetensors import SafetensorError, deserialize
    except ImportError:
        raise BoundError("needs the package safetensors to be read: pip install safetensors") from None
    parsed: Callable[[bytes], Any] = deserialize
    try:
        stored: Mapping[str, Any] = dict(parsed(read_bytes(path, LARGEST_ARRAY)))
    except SafetensorError as error:
        raise BoundError(f"is not a file of safetensors ({error}): save it again with save_file") from None
    return Contents(sorted(stored), lambda name: _of_safetensors(stored[name]))


def _of_safetensors(stored: Mapping[str, Any]) -> Tensor:
    dtype = SAFETENSORS.get(stored["dtype"])
    if dtype is None:
        raise BoundError(f"holds a tensor of {stored['dtype']}: save it in one of {', '.join(SAFETENSORS)}")
    return typed(bytes(stored["data"]), dtype, stored["shape"])


def typed(content: bytes, dtype: str, shape: Sequence[int]) -> Tensor:
    """Bytes as a tensor of a type and shape."""
    if dtype == BFLOAT16:
        return widened(np.frombuffer(content, "<u2").reshape(shape))
    return Tensor(np.frombuffer(content, f"<{dtype}").reshape(shape))


def _torch(path: Path) -> Contents:
    stored = read_torch_file(path)
    return Contents(list(stored), lambda name: typed(*stored[name]()))


READERS: Mapping[str, Callable[[Path], Contents]] = {
    ".npy": _npy, ".npz": _npz, ".pt": _torch, ".pth": _torch, ".safetensors": _safetensors,
}  # fmt: skip
"""What reads a file, by how its name ends."""
