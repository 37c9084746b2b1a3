"""Tensors from the files that torch.save writes, without torch, and without running what is in them.

Such a file is a zip archive: a pickle that says how tensors are laid out, and the bytes of each storage. The pickle is
read by an unpickler that knows the few names of plain tensors, and constructs nothing else.
"""

import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from conformance.io.array_files import MOST_AXES, members, open_archive, read_member, repeated
from conformance.io.bounded import BoundError

LARGEST_PICKLE = 1 << 24
"""Bytes of what says how tensors are laid out."""
DEEPEST = 32
"""Dicts and lists in each other."""

STORAGES = {
    "DoubleStorage": "f8", "FloatStorage": "f4", "HalfStorage": "f2", "BFloat16Storage": "bfloat16",
    "LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1", "ByteStorage": "u1",
}  # fmt: skip
"""NumPy's names of the types of numbers that torch's storages have."""
STEPS = {
    "_rebuild_qtensor": "save y.int_repr() for the quantised integers, or y.dequantize()",
    "_rebuild_sparse_tensor": "save y.to_dense()",
}
"""What to do for tensors that are not plain ones, by the name that makes them."""
OPCODES = (
    "PROTO", "FRAME", "STOP", "MARK", "GLOBAL", "STACK_GLOBAL", "REDUCE", "NEWOBJ", "BUILD", "BINPERSID", "NONE",
    "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE",
    "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM",
    "SETITEMS", "BINPUT", "LONG_BINPUT", "MEMOIZE", "BINGET", "LONG_BINGET",
)  # fmt: skip
"""What a pickle of plain tensors is written in."""

Stored = tuple[bytes, str, tuple[int, ...]]
"""Bytes in order, the name of their type, and a shape."""


class _Storage(NamedTuple):
    """The bytes of a member of the archive."""

    key: str
    dtype: str


class _Strided(NamedTuple):
    """A tensor: where it begins in its storage, its shape, and its strides, counted in elements."""

    storage: _Storage
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Type(NamedTuple):
    """What stands for a class of storages."""

    dtype: str


def read_torch_file(path: Path) -> Mapping[str, Callable[[], Stored]]:
    """The tensors of a file by name, each read when it is asked for; "" is one that stands alone.

    Names of nested dicts and lists are joined by dots. Raises BoundError for any other file, and OSError.
    """
    try:
        archive = open_archive(path)
    except BoundError:
        raise BoundError(
            "is not a zip archive of torch.save: save it with torch.save of PyTorch 1.6 or later"
        ) from None
    names = members(archive)
    roots = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")]
    root = roots[0] if roots else None
    if len(roots) > 1:
        raise BoundError(f"has both {roots[0]}data.pkl and {roots[1]}data.pkl: save one of them alone with torch.save")
    if root is None or f"{root}constants.pkl" in names:
        what = "is an archive without tensors" if root is None else "is a TorchScript program"
        raise BoundError(f"{what}: save the tensor alone, as in torch.save(y, 'y.pt')")
    if f"{root}byteorder" in names and read_member(archive, archive.getinfo(f"{root}byteorder")) != b"little":
        raise BoundError("was written in another order of bytes: save it on a machine that is little-endian")
    layout = _unpickled(read_member(archive, archive.getinfo(f"{root}data.pkl")))
    tensors = list(_named(layout))
    if twice := repeated(name for name, _ in tensors):
        raise BoundError(f"has two tensors that are called {twice!r}: save each under a name of its own")
    return {name: _reader(archive, root, strided) for name, strided in tensors}


def _unpickled(content: bytes) -> Any:
    if len(content) > LARGEST_PICKLE:
        raise BoundError(
            f"lays out tensors in {len(content)} bytes, at most {LARGEST_PICKLE} are read: save one tensor"
        )
    try:
        for opcode, argument, _ in pickletools.genops(content):
            far = opcode.name == "LONG_BINPUT" and isinstance(argument, int) and argument > len(content)
            if far or opcode.name not in OPCODES:
                raise BoundError(f"has {opcode.name} in it, which plain tensors have not: save the tensor alone, as in "
                                 "torch.save(y, 'y.pt')")  # fmt: skip
        return _Unpickler(io.BytesIO(content)).load()
    except BoundError:
        raise
    except Exception:  # whatever bytes that are no pickle, or one of other things, make of the unpickler
        raise BoundError(
            "is damaged, or holds no plain tensors: save the tensor alone, as in torch.save(y, 'y.pt')"
        ) from None


class _Unpickler(pickle.Unpickler):
    """Pickle's own, which can be restricted only so: it finds no class and no function but those named here."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in STORAGES:
            return _Type(STORAGES[name])
        if f"{module}.{name}" not in KNOWN:
            step = STEPS.get(name, "save the tensor alone, or a state_dict, as in torch.save(y.detach(), 'y.pt')")
            raise BoundError(f"names {module}.{name}, and nothing but plain tensors is read: {step}")
        return KNOWN[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, stored, key, *_ = pid
        if kind != "storage" or not isinstance(stored, _Type) or not isinstance(key, str):
            raise BoundError("refers to something that is no storage of numbers: save the tensor alone, as in "
                             "torch.save(y, 'y.pt')")  # fmt: skip
        return _Storage(key, stored.dtype)


def _strided(storage: Any, start: Any, shape: Any, strides: Any, *_: Any) -> _Strided:
    whole = [start, *shape, *strides]
    if not isinstance(storage, _Storage) or not all(type(number) is int and number >= 0 for number in whole):
        raise BoundError("holds a tensor that is not laid out in a storage: save y.contiguous()")
    if len(shape) != len(strides) or len(shape) > MOST_AXES:
        raise BoundError(f"holds a tensor of {len(shape)} axes with {len(strides)} strides, and as many of both are "
                         f"read, at most {MOST_AXES}: save it again with torch.save")  # fmt: skip
    return _Strided(storage, start, tuple(shape), tuple(strides))


def _parameter(data: Any, *_: Any) -> Any:
    return data


KNOWN: Mapping[str, Any] = {
    "torch._utils._rebuild_tensor_v2": _strided,
    "torch._utils._rebuild_parameter": _parameter,
    "torch.Size": tuple,
    "collections.OrderedDict": OrderedDict,
}
"""What stands for the names that pickles of plain tensors use."""


def _named(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, _Strided]]:
    """The tensors in a value, with their names."""
    if isinstance(value, _Strided):
        yield name, value
    elif isinstance(value, dict | list | tuple) and not isinstance(value, _Storage | _Type) and depth < DEEPEST:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _named(inner, f"{name}.{key}" if name else str(key), depth + 1)


def _reader(archive: zipfile.ZipFile, root: str, strided: _Strided) -> Callable[[], Stored]:
    return lambda: _stored(archive, root, strided)


def _stored(archive: zipfile.ZipFile, root: str, strided: _Strided) -> Stored:
    """A tensor's bytes in order. Raises BoundError where it reaches beyond its storage."""
    storage, start, shape, strides = strided
    try:
        member = archive.getinfo(f"{root}data/{storage.key}")
    except KeyError:
        raise BoundError(f"lacks the storage {storage.key[:40]}: save the tensor again with torch.save") from None
    unit = np.dtype(f"<{'u2' if storage.dtype == 'bfloat16' else storage.dtype}")
    content = read_member(archive, member)
    count, held = math.prod(shape), len(content) // unit.itemsize
    last = start + sum((extent - 1) * stride for extent, stride in zip(shape, strides, strict=True))
    if count > held:
        raise BoundError(f"holds a tensor of {count} numbers in a storage of {held}: save y.contiguous()")
    if count and last >= held:
        raise BoundError(f"holds a tensor whose last number is number {last + 1} of a storage of {held}: save it again "
                         "with torch.save")  # fmt: skip
    if not count:
        return b"", storage.dtype, shape
    flat = np.frombuffer(content, unit)[start:]
    array = np.lib.stride_tricks.as_strided(flat, shape, [stride * unit.itemsize for stride in strides])
    return array.tobytes(), storage.dtype, shape
