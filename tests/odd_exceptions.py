"""Odd exceptions: of every kind, with every text, and for lack of memory."""

import asyncio
import sys
from typing import Any

import pytest

from conformance.adapters.base import Unsupported
from tests.oddity import (
    ERRORED,
    INCONCLUSIVE,
    REJECTS,
    Odd,
    RefusalError,
    raising,
)


class _Loud(Exception):
    """An exception whose text is what its first argument makes of it."""

    def __str__(self) -> Any:
        return self.args[0]()


def _fails() -> str:
    raise KeyError("in __str__")


class _Text(str):
    def splitlines(self, keepends: bool = False) -> Any:
        raise KeyError("in splitlines")


class _Meta(type):
    __name__ = property(lambda cls: 7)


class _Nameless(Exception, metaclass=_Meta):
    pass


class _Liar(Exception):
    """Claims to be a refusal."""

    @property  # type: ignore[misc]  # which is the oddity
    def __class__(self) -> Any:
        return RefusalError


EXCEPTIONS = [
    Odd(f"raises {name}", ERRORED, says, raising(error))
    for name, says, error in [
        ("SystemExit", "SystemExit: ", SystemExit),
        ("SystemExit(0)", "SystemExit: 0", SystemExit(0)),
        ("KeyboardInterrupt, without a signal", "KeyboardInterrupt: ", KeyboardInterrupt),
        ("GeneratorExit", "GeneratorExit: ", GeneratorExit),
        ("StopIteration", "StopIteration: ", StopIteration),
        ("StopAsyncIteration", "StopAsyncIteration: ", StopAsyncIteration),
        ("asyncio.CancelledError", "CancelledError: ", asyncio.CancelledError),
        ("BaseException", "BaseException: ", BaseException),
        (
            "a BaseExceptionGroup",
            "BaseExceptionGroup: two (2 sub-exceptions)",
            BaseExceptionGroup("two", [SystemExit(), KeyError()]),
        ),
        (
            "an ExceptionGroup of refusals",
            "ExceptionGroup: all (1 sub-exception)",
            ExceptionGroup("all", [RefusalError()]),
        ),
        ("pytest.skip", "Skipped: no", pytest.skip.Exception("no")),
        ("pytest.fail", "Failed: no", pytest.fail.Exception("no")),
        ("pytest.xfail", "XFailed: no", pytest.xfail.Exception("no")),
        ("pytest.exit", "Exit: no", pytest.exit.Exception("no")),
        ("RecursionError", "RecursionError: ", RecursionError),
        ("AssertionError", "AssertionError: ", AssertionError),
        ("NotImplementedError", "NotImplementedError: ", NotImplementedError),
        ("OSError", "OSError: ", OSError),
        ("EOFError", "EOFError: ", EOFError),
        ("BrokenPipeError", "BrokenPipeError: ", BrokenPipeError),
        ("ImportError", "ImportError: ", ImportError),
        ("a UserWarning", "UserWarning: ", UserWarning),
        ("Unsupported, which is for the translation", "Unsupported: late", Unsupported("late")),
        ("FloatingPointError", "FloatingPointError: ", FloatingPointError),
        ("TimeoutError", "TimeoutError: ", TimeoutError),
        ("a class that claims to be a refusal", "_Liar: ", _Liar),
    ]
]

TEXTS = [
    Odd(
        "refuses by an exception whose text raises",
        ERRORED,
        "its text cannot be read, KeyError",
        raising(_Loud(_fails)),
    ),
    Odd(
        "raises an exception whose text is a number",
        ERRORED,
        "its text cannot be read, TypeError",
        raising(_Loud(lambda: 7)),
    ),
    Odd("raises an exception whose text is None", ERRORED, "its text cannot be read", raising(_Loud(lambda: None))),
    Odd(
        "raises an exception whose text exits",
        ERRORED,
        "its text cannot be read, SystemExit",
        raising(_Loud(sys.exit)),
    ),
    Odd("raises an exception whose text is a str of its own", ERRORED, "_Loud: x", raising(_Loud(lambda: _Text("x")))),
    Odd("raises an exception whose class has no name", ERRORED, "_Nameless: ", raising(_Nameless)),
    Odd(
        "raises an exception whose class is named by an escape sequence",
        ERRORED,
        r"\x1b[31m: ",
        raising(type("\x1b[31m", (Exception,), {})),
    ),
    Odd("refuses in 10 million characters", REJECTS, "RefusalError: xxx", raising(RefusalError("x" * 10**7))),
    Odd("refuses in a million lines", REJECTS, "RefusalError: line", raising(RefusalError("line\n" * 10**6))),
    Odd("refuses with a lone surrogate", REJECTS, r"\ud800", raising(RefusalError("\ud800"))),
    Odd("refuses with an escape sequence", REJECTS, r"\x1b[2Jgone", raising(RefusalError("\x1b[2Jgone"))),
    Odd("refuses with a bell and a backspace", REJECTS, r"\x07\x08", raising(RefusalError("\a\b"))),
    Odd("refuses with a NUL", REJECTS, r"a\x00b", raising(RefusalError("a\0b"))),
    Odd("refuses with a change of writing direction", REJECTS, r"\u202e", raising(RefusalError("\u202e"))),
    Odd("refuses without a text", REJECTS, "RefusalError: ", raising(RefusalError)),
    Odd("refuses with bytes", REJECTS, r"b'\xff'", raising(RefusalError(b"\xff"))),
    Odd(
        "refuses with a traceback",
        REJECTS,
        "RefusalError: ValueError: last",
        raising(RefusalError("Traceback (most recent call last):\n  File\nValueError: last")),
    ),
]

MEMORY = [
    Odd(f"says that memory ran out, by {name}", INCONCLUSIVE, "memory ran out", raising(error))
    for name, error in [
        ("MemoryError", MemoryError),
        ("a refusal", RefusalError("DefaultCPUAllocator: can't allocate memory")),
        ("a refusal's second line", RefusalError("failed\nRESOURCE_EXHAUSTED: Out of memory")),
        ("std::bad_alloc", RuntimeError("std::bad_alloc")),
    ]
]
