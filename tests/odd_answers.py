"""Odd answers: arrays of other kinds, wrong ones, right ones that lie oddly in memory, and attempts to cheat."""

import ctypes
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from conformance.records.record import Verdict
from tests.oddity import CONFORMS, DIVERGES, ERRORED, Array, Behaviour, Odd, RefusalError


class _Equal(np.ndarray):
    """Equal to everything."""

    def __ne__(self, other: object) -> Any:
        return np.zeros(self.shape, bool)

    def __eq__(self, other: object) -> Any:
        return np.ones(self.shape, bool)


class _Ufunc(np.ndarray):
    """Answers every ufunc by zeros."""

    def __array_ufunc__(self, *_: Any, **__: Any) -> Any:
        return np.zeros(self.shape, bool)


class _Function(np.ndarray):
    """Answers every function of NumPy by True."""

    def __array_function__(self, *_: Any, **__: Any) -> Any:
        return True


class _Duck:
    """Has a shape, a dtype and an array."""

    def __init__(self, y: Array) -> None:
        self.y, self.shape, self.dtype = y, y.shape, y.dtype

    def __array__(self, *_: Any) -> Array:
        return self.y


def _unaligned(y: Array) -> Array:
    memory = np.zeros(y.nbytes + 1, np.uint8)
    shifted: Array = memory[1:].view(y.dtype).reshape(y.shape)
    shifted[...] = y
    return shifted


def _payload(y: Array) -> Array:
    y.reshape(-1).view(np.uint32)[1] = 0x7FC12345
    return y


def _readonly(y: Array) -> Array:
    y.flags.writeable = False
    return y


def _off(y: Array) -> Array:
    y.flat[0] = np.nextafter(y.flat[0], np.float32(np.inf))
    return y


_SHARED = np.zeros(64, np.float32)


def _shared(y: Array) -> Array:
    """A view of a buffer that every later call writes to."""
    _SHARED[...] = 77
    _SHARED[: y.size] = y.ravel()
    return _SHARED[: y.size].reshape(y.shape)


def _cast(dtype: str) -> Behaviour:
    return lambda y: y.astype(dtype)


def _each(verdict: Verdict, says: str, answers: Sequence[tuple[str, str, Behaviour]]) -> list[Odd]:
    """Behaviours that end alike: by name, by what else the record says, and by what the call returns."""
    return [Odd(f"answers {name}", verdict, says + more, call) for name, more, call in answers]


ANSWERS = [
    *_each(
        ERRORED,
        "converting: ContractError: the adapter gave ",
        [
            ("a masked array, wrong under its mask", "a MaskedArray", lambda y: np.ma.array(y + 1, mask=True)),
            ("a masked array without a mask", "a MaskedArray", np.ma.array),
            ("a subclass of ndarray that is equal to everything", "a _Equal", lambda y: (y + 1).view(_Equal)),
            ("a subclass of ndarray with its own ufuncs", "a _Ufunc", lambda y: (y + 1).view(_Ufunc)),
            ("a subclass of ndarray with its own functions", "a _Function", lambda y: (y + 1).view(_Function)),
            ("np.matrix", "a matrix", lambda y: y[0].view(np.matrix)),
            ("a recarray", "a recarray", lambda y: y.view(np.recarray)),
            ("a memmap", "a memmap", lambda y: y.view(np.memmap)),
            ("a chararray", "a chararray", lambda y: np.char.array(["a"])),
            ("an object with __array__", "a _Duck", _Duck),
            ("a list", "a list", lambda y: y.tolist()),
            ("a number", "a float", lambda y: 1.0),
            ("a scalar of NumPy", "a float32", lambda y: y.flat[0]),
            ("None", "a NoneType", lambda y: None),
            ("a text", "a str", lambda y: "right"),
            ("bytes", "a bytes", lambda y: y.tobytes()),
            ("a memoryview", "a memoryview", lambda y: y.data),
            ("a dict", "a dict", lambda y: {"y": y}),
            ("a generator", "a generator", lambda y: (each for each in y)),
            ("NotImplemented", "a NotImplementedType", lambda y: NotImplemented),
            ("an exception, unraised", "a RefusalError", lambda y: RefusalError()),
            ("a tuple of the array", "a tuple", lambda y: (y,)),
            ("a type", "a type", lambda y: np.ndarray),
            ("objects", "an array of dtype object", lambda y: y.astype(object)),
            ("dates", "an array of dtype datetime64[s]", lambda y: y.astype("M8[s]")),
            ("durations", "an array of dtype timedelta64[s]", lambda y: y.astype("m8[s]")),
            ("a structured array", "an array of dtype [('a'", lambda y: np.zeros(y.shape, [("a", "f4")])),
            ("texts", "an array of dtype <U32", lambda y: y.astype(str)),
            ("an array of bytes", "an array of dtype |S32", lambda y: y.astype("S32")),
            ("raw memory", "an array of dtype |V4", lambda y: y.view("V4")),
            ("booleans, which are no numbers", "an array of dtype bool", lambda y: y > 0),
            ("in the other byte order", "an array of dtype >f4", lambda y: y.astype(">f4")),
        ],
    ),
    *_each(
        ERRORED,
        "share memory",
        [
            ("one value with strides of zero", "", lambda y: np.broadcast_to(y.flat[0], y.shape)),
            ("a petabyte by strides of zero", "", lambda y: as_strided(y, (2**48,), (0,))),
            ("a petabyte of overlapping rows", "", lambda y: as_strided(y, (2**40, 2**8), (0, 0))),
            ("overlapping windows of itself", "", lambda y: as_strided(y.ravel(), (1, 2, 6), (4, 4, 4))),
        ],
    ),
    *(
        Odd(f"answers in {dtype}", DIVERGES, f"dtype is {dtype}, expected float32", _cast(dtype))
        for dtype in ("float16", "float64", "int8", "int32", "int64", "uint8", "uint64", "complex64", "complex128")
    ),
    *_each(
        DIVERGES,
        "",
        [
            ("a single number, of rank 0", "shape is ()", lambda y: np.array(y.flat[0])),
            ("one axis too few", "shape is (2, 6)", lambda y: y[0]),
            ("one axis too many", "shape is (1, 1, 2, 6)", lambda y: y[None]),
            ("nothing", "shape is (0,)", lambda y: np.zeros(0, y.dtype)),
            ("channels last", "shape is (1, 6, 2)", lambda y: y.swapaxes(1, 2)),
            ("one element less", "shape is (1, 2, 5)", lambda y: y[..., 1:]),
            ("zeros", "12 of 12 values differ", np.zeros_like),
            ("one unit in the last place off", "1 of 12 values differ", _off),
            ("NaN everywhere", "12 of 12 values differ, first at (0, 0, 0): nan", lambda y: np.full_like(y, np.nan)),
            ("infinity everywhere", "first at (0, 0, 0): inf", lambda y: np.full_like(y, np.inf)),
            ("a NaN with a payload", "1 of 12 values differ, first at (0, 0, 1): nan", _payload),
            ("reversed", "12 of 12 values differ", lambda y: y[..., ::-1]),
            ("uninitialized memory of 77", "12 of 12 values differ", lambda y: np.full_like(y, 77)),
        ],
    ),
    *_each(
        CONFORMS,
        "",
        [
            ("rightly in read-only memory", "", _readonly),
            ("rightly in Fortran's order", "", np.asfortranarray),
            ("rightly in unaligned memory", "", _unaligned),
            ("rightly in every second element", "", lambda y: np.repeat(y, 2, -1)[..., ::2]),
            ("rightly backwards in memory", "", lambda y: y[..., ::-1].copy()[..., ::-1]),
            ("rightly in a buffer that later calls write to", "", _shared),
        ],
    ),
]


def _expected() -> Array:
    """The expected array, found through the frames of whoever called."""
    frame: Any = sys._getframe()
    while "jobs" not in frame.f_locals:
        frame = frame.f_back
    found: Array = frame.f_locals["jobs"][0].reference.expected
    return found


def _overwrite(y: Array) -> Array:
    _expected()[...] = 0
    return np.zeros_like(y)


def _make_writable(y: Array) -> Array:
    _expected().flags.writeable = True
    return y


def _poke(y: Array) -> Array:
    expected = _expected()
    ctypes.memset(expected.ctypes.data, 0, expected.nbytes)
    return np.zeros_like(y)


def _patching(name: str) -> Behaviour:
    """Answers wrongly, and replaces a function of NumPy that may be used to compare."""

    def call(y: Array) -> Array:
        setattr(np, name, lambda *_, **__: np.zeros(y.shape, bool))
        return y + 1

    return call


CHEATS = [
    Odd(
        "writes to the expected array, found through the frames",
        ERRORED,
        "ValueError: assignment destination is read-only",
        _overwrite,
    ),
    Odd("makes the expected array writable", ERRORED, "ValueError: cannot set WRITEABLE flag", _make_writable),
    Odd("writes to the expected array's memory", ERRORED, "the call modified the expected array", _poke),
    *(
        Odd(f"answers wrongly and replaces numpy.{name}", DIVERGES, "12 of 12 values differ", _patching(name))
        for name in (
            "not_equal",
            "isnan",
            "isfinite",
            "add",
            "array_equal",
            "any",
            "all",
            "count_nonzero",
            "argwhere",
            "abs",
            "errstate",
            "where",
            "zeros",
            "array",
        )
    ),
]
