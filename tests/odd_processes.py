"""Odd changes: of the process, by a call, and of the adapter's other functions."""

import builtins
import faulthandler
import gc
import locale
import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.adapters.base import Call, Unsupported
from tests.oddity import (
    CONFORMS,
    DIVERGES,
    ERRORED,
    REJECTS,
    UNSUPPORTED,
    Array,
    Behaviour,
    Odd,
    RefusalError,
    after,
    raising,
)


def _recursion() -> None:
    frame, depth = sys._getframe(), 0
    while frame.f_back:
        frame, depth = frame.f_back, depth + 1
    sys.setrecursionlimit(depth + 12)


def _lowered(_: Array) -> Any:
    _recursion()
    raise RefusalError("no stack")


def _closed(number: int) -> Behaviour:
    return after(lambda: os.close(number))


def _chdir() -> None:
    os.chdir("/")


def _replace(name: str) -> Callable[[], None]:
    return lambda: setattr(builtins, name, lambda *_, **__: 7)


STATE = [
    Odd(f"answers rightly and {name}", CONFORMS, "", after(change))
    for name, change in [
        ("lowers the recursion limit", _recursion),
        ("raises the recursion limit", lambda: sys.setrecursionlimit(10**6)),
        ("changes the folder", _chdir),
        ("adds an environment variable", lambda: os.environ.update(ODD="1")),
        ("removes every environment variable", os.environ.clear),
        ("replaces PATH", lambda: os.environ.update(PATH="/odd")),
        ("changes the locale", lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8")),
        ("lets NumPy raise at every floating-point error", lambda: np.seterr(all="raise")),
        ("turns warnings to errors", lambda: warnings.simplefilter("error")),
        ("replaces the list of warning filters", lambda: setattr(warnings, "filters", [])),
        ("replaces sys.stdout", lambda: setattr(sys, "stdout", None)),
        ("replaces sys.stderr", lambda: setattr(sys, "stderr", None)),
        ("replaces sys.stdin", lambda: setattr(sys, "stdin", None)),
        ("ignores SIGINT", lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)),
        ("ignores SIGTERM", lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN)),
        ("handles SIGALRM", lambda: signal.signal(signal.SIGALRM, signal.SIG_IGN)),
        ("turns the garbage collector off", gc.disable),
        ("turns faulthandler off", faulthandler.disable),
        ("traces every line", lambda: sys.settrace(lambda *_: None)),
        ("profiles every call", lambda: sys.setprofile(lambda *_: None)),
        *(
            (f"replaces {name}()", _replace(name))
            for name in ("len", "isinstance", "zip", "str", "sorted", "print", "open")
        ),
        ("seeds NumPy's random numbers", lambda: np.random.seed(0)),
    ]
] + [
    Odd("refuses and lowers the recursion limit", REJECTS, "RefusalError: no stack", _lowered),
    Odd("answers rightly and closes standard input", CONFORMS, "", _closed(0)),
    Odd("answers rightly and closes standard output", CONFORMS, "", _closed(1)),
    Odd("answers rightly and closes standard error", CONFORMS, "", _closed(2)),
]


def _wrong_call(**parts: Any) -> Callable[..., Any]:
    return lambda *_: Call(**{"function": np.add, "operands": (1, 2), **parts})


class _Unspeakable:
    def __repr__(self) -> str:
        raise KeyError("in __repr__")


def _refuse(*_: Any, **__: Any) -> Any:
    raise RefusalError("here")


TRANSLATIONS = [
    *(
        Odd(
            f"is translated to {name}",
            ERRORED,
            f"translating: ContractError: the adapter gave {says}",
            replaces={"translate": function},
        )
        for name, says, function in [
            ("None", "a NoneType", lambda *_: None),
            ("an array", "a ndarray", lambda *_: np.zeros(3)),
            ("a function", "a function", lambda *_: lambda: 3),
            ("a class", "a type", lambda *_: Call),
            ("a call of no function", "a Call of int, tuple, dict", _wrong_call(function=7)),
            ("a call whose operands are none", "a Call of ufunc, NoneType, dict", _wrong_call(operands=None)),
            ("a call whose options are none", "a Call of ufunc, tuple, NoneType", _wrong_call(options=None)),
        ]
    ),
    Odd(
        "raises a refusal while it is translated",
        ERRORED,
        "translating: RefusalError: here",
        replaces={"translate": _refuse},
    ),
    Odd(
        "exits while it is translated",
        ERRORED,
        "translating: SystemExit: ",
        replaces={"translate": lambda *_: sys.exit()},
    ),
    Odd(
        "has no call, for a reason with an escape sequence",
        UNSUPPORTED,
        r"\x1b[31m",
        replaces={"translate": lambda *_: raising(Unsupported("\x1b[31m"))(np.zeros(1))},
    ),
    Odd(
        "is translated to a call that nobody can print, and refuses",
        REJECTS,
        "RefusalError: here",
        replaces={"translate": _wrong_call(function=_refuse, options={"odd": _Unspeakable()})},
    ),
    Odd(
        "is translated to a window that is none",
        ERRORED,
        "finishing: TypeError",
        replaces={"translate": _wrong_call(function=np.zeros, operands=((1, 2, 6),), window=7)},
    ),
    Odd(
        "is translated to a layout that is none",
        ERRORED,
        "finishing: ",
        replaces={"translate": lambda *_: Call(np.zeros, ((1, 2, 6),), layout="upside down")},
    ),
    Odd(
        "is translated to another kind of bias",
        ERRORED,
        "finishing: AttributeError",
        replaces={"translate": _wrong_call(function=np.zeros, operands=((1, 2, 6),), bias="none")},
    ),
]

RUNS = [
    *(
        Odd(
            f"runs calls and gives {name}",
            ERRORED,
            f"calling: ContractError: the adapter gave {says}",
            replaces={"run": function},
        )
        for name, says, function in [
            ("None", "a NoneType", lambda calls: None),
            ("a generator", "a generator", lambda calls: (call() for call in calls)),
            ("a dict", "a dict", lambda calls: {0: calls[0]()}),
            ("an array of all answers", "a ndarray", lambda calls: np.array([calls[0]()])),
            ("nothing", "0 results for 1 calls", lambda calls: []),
            ("twice as many", "2 results for 1 calls", lambda calls: [calls[0]()] * 2),
            ("a set", "a set", lambda calls: {1}),
            ("a text", "a str", lambda calls: "y"),
        ]
    ),
    Odd(
        "converts its result to nothing",
        ERRORED,
        "converting: ContractError: the adapter gave a NoneType",
        replaces={"array": lambda result: None},
    ),
    Odd(
        "raises a refusal while the result is converted",
        ERRORED,
        "converting: RefusalError: here",
        replaces={"array": _refuse},
    ),
    Odd(
        "exits while the result is converted",
        ERRORED,
        "converting: SystemExit: ",
        replaces={"array": lambda _: sys.exit()},
    ),
    Odd(
        "runs out of memory while the result is converted",
        ERRORED,
        "converting: MemoryError: ",
        replaces={"array": raising(MemoryError)},
    ),
    Odd("raises a refusal outside of every call", REJECTS, "RefusalError: here", replaces={"run": _refuse}),
]


OPERANDS = [
    Odd(
        "answers rightly and writes to the input",
        ERRORED,
        "the call modified its operand x",
        replaces={"run": lambda calls: [calls[0](), calls[0].operands[0].fill(3)][:1]},
    ),
    Odd(
        "answers rightly and writes to the weight",
        ERRORED,
        "the call modified its operand weight",
        replaces={"run": lambda calls: [calls[0](), calls[0].operands[1].fill(3)][:1]},
    ),
    Odd(
        "answers with the input itself",
        DIVERGES,
        "shape is (1, 1, 3)",
        replaces={"run": lambda calls: [calls[0].operands[0]]},
    ),
]
