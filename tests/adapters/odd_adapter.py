"""A framework that does to its process whatever can be done: $ODD_PLAN says what, for each problem."""

import ctypes
import faulthandler
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from conformance import oracle
from conformance.adapters.base import Call
from conformance.layout import Array
from conformance.problem import Problem

VARIANTS = {"only": {}}  # type: ignore[var-annotated]  # read as a literal, as every adapter's
REFUSALS = (ArithmeticError,)
BLOCK = 1

PLAN = json.loads(os.environ["ODD_PLAN"])
PROTOCOL = 513
"""The descriptor of the protocol's output in a lane process: who wants to do harm can find it."""


def describe() -> Mapping[str, str]:
    return {"odd_adapter": "1.0"}


def tensor(array: Array) -> Array:
    return array


def array(result: Array) -> Array:
    return result


def run(calls: Sequence[Call]) -> Sequence[Array]:
    return [call() for call in calls]


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    behaviour = PLAN.get(str(problem), PLAN.get("every problem", ""))
    if behaviour.startswith("translate: "):
        BEHAVIOURS[behaviour]()
    return Call(answer, (problem, x, weight, bias, behaviour))


def answer(problem: Problem, x: Array, weight: Array, bias: Array | None, behaviour: str) -> Array:
    y = oracle.expected(problem, x, weight, bias).astype(x.dtype)
    changed = BEHAVIOURS[behaviour]() if behaviour and not behaviour.startswith("translate: ") else None
    if behaviour.startswith("wrong, "):
        y = y + 1
    if behaviour == "writes to its operands":
        x[...] = 0
        weight[...] = 0
    return y if changed is None else changed


def _spin() -> None:
    while True:
        pass


def _hold_the_lock() -> None:
    ctypes.PyDLL(None).sleep(3600)


def _ignore(*signals: int) -> None:
    for number in signals:
        signal.signal(number, signal.SIG_IGN)


def _hang_deaf() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
    time.sleep(3600)


def _cancel_and_hang() -> None:
    faulthandler.cancel_dump_traceback_later()
    signal.alarm(0)
    time.sleep(3600)


def _ignore_and_hang() -> None:
    faulthandler.disable()
    _ignore(signal.SIGABRT, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)
    time.sleep(3600)


def _raise(error: BaseException) -> None:
    raise error


def _recurse() -> None:
    _recurse()


def _native_recursion() -> None:
    nested: tuple[Any, ...] = ()
    for _ in range(10**6):
        nested = (nested,)
    hash(nested)  # which counts no recursion, and takes linear time


def _hang_as_orphan() -> None:
    with Path(os.environ["ODD_ORPHANS"]).open("a") as file:
        file.write(Path("/proc/self/stat").read_text())
    time.sleep(3600)


def _fork_child_hangs() -> None:
    if os.fork() == 0:
        _hang_as_orphan()


def _fork_daemon_and_die() -> None:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            _hang_as_orphan()
        os._exit(0)
    time.sleep(0.3)
    os._exit(5)


def _child_and_hang() -> None:
    _fork_child_hangs()
    time.sleep(3600)


def _fork() -> None:
    os.fork()


def _limit_time() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
    _spin()


def _close_all() -> None:
    os.closerange(0, 256)


def _close_everything() -> None:
    os.closerange(0, 1024)


def _say(line: bytes) -> Callable[[], None]:
    def say() -> None:
        os.write(PROTOCOL, line)

    return say


def _flood(count: int) -> None:
    for _ in range(count):
        os.write(PROTOCOL, b"x" * 65536)


def _forge(*, hangs: bool = True, **said: Any) -> Callable[[], None]:
    """An answer of its own instead of that of the harness, to a job whose name is found in the frames."""

    def forge() -> None:
        frame = sys._getframe()
        while "jobs" not in frame.f_locals:
            assert frame.f_back is not None
            frame = frame.f_back
        name = frame.f_locals["jobs"][0][0].job
        message = {"job": name, "seconds": 0.0, "text": "f()", "layout": "n c k", "window": None, "prepared": [],
                   "bias": False, "widened": "", "retried": False, **said}  # fmt: skip
        os.write(PROTOCOL, json.dumps(message).encode() + b"\n")
        time.sleep(3600 * hangs)

    return forge


def _patch_comparisons() -> None:
    yes = lambda *a, **k: True  # noqa: E731  # one value for many names
    for name in ("array_equal", "allclose", "not_equal", "equal", "isnan", "any", "all"):
        setattr(np, name, yes)
    setattr(np.testing, "assert_array_equal", yes)  # noqa: B010  # what is assigned has another type
    for module in list(sys.modules.values()):
        if "measure_deviation" in vars(module):
            vars(module)["measure_deviation"] = lambda *a: None
        if "_compared" in vars(module):
            vars(module)["_compared"] = lambda *a: ("holds", "")


def _search_frames() -> None:
    """Looks for an expected array in every frame and object there is, to answer with it; none is here to be found."""
    import gc

    frame: Any = sys._getframe()
    while frame is not None:
        assert not {"expected", "answer"} & {type(each).__name__ for each in frame.f_locals.values()}
        frame = frame.f_back
    assert not [each for each in gc.get_objects() if type(each).__name__ in ("Answers", "Answer", "Job", "Case")]


BEHAVIOURS: Mapping[str, Callable[[], Any]] = {
    "exits": lambda: os._exit(7),
    "exits with 0": lambda: os._exit(0),
    "aborts": os.abort,
    "kills itself": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "terminates itself": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "segfaults": lambda: ctypes.string_at(0),
    "bus error": lambda: os.kill(os.getpid(), signal.SIGBUS),
    "illegal instruction": lambda: os.kill(os.getpid(), signal.SIGILL),
    "floating-point signal": lambda: os.kill(os.getpid(), signal.SIGFPE),
    "stops itself": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "sleeps": lambda: time.sleep(3600),
    "spins": _spin,
    "hangs with the interpreter's lock": _hold_the_lock,
    "cancels timers and hangs": _cancel_and_hang,
    "blocks every signal and hangs": _hang_deaf,
    "ignores signals and hangs": _ignore_and_hang,
    "translate: hangs": lambda: time.sleep(3600),
    "translate: exits": lambda: os._exit(3),
    "KeyboardInterrupt": lambda: _raise(KeyboardInterrupt()),
    "SystemExit": lambda: _raise(SystemExit(0)),
    "GeneratorExit": lambda: _raise(GeneratorExit()),
    "BaseException": lambda: _raise(BaseException("base")),
    "refuses": lambda: _raise(ArithmeticError("no")),
    "interrupts its process": lambda: os.kill(os.getpid(), signal.SIGINT),
    "hangs up its process": lambda: os.kill(os.getpid(), signal.SIGHUP),
    "recurses in Python": _recurse,
    "recurses in C": _native_recursion,
    "exhausts memory in Python": lambda: bytearray(2**40),
    "exhausts memory": lambda: [np.zeros(2**27) for _ in range(100)],
    "leaves a child": _fork_child_hangs,
    "leaves a daemon and dies": _fork_daemon_and_die,
    "leaves a child and hangs": _child_and_hang,
    "comes back twice": _fork,
    "closes descriptors": _close_all,
    "closes every descriptor": _close_everything,
    "lowers the recursion limit": lambda: sys.setrecursionlimit(60),
    "lowers the limit of descriptors": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)),
    "limits its CPU time": _limit_time,
    "prints to stdout": lambda: sys.stdout.write("{}\n" * 1000) and None,
    "prints to descriptor 1": lambda: [os.write(1, b"x" * 65536) for _ in range(50)] and None,
    "says what is no JSON": _say(b"hello\n"),
    "says what is no message": _say(b"[1, 2]\n"),
    "says half a line": lambda: (_say(b'{"job": ')(), os._exit(0)),
    "answers for another case": _say(b'{"job": "0000000000000000", "seconds": 0.0}\n'),
    "floods the protocol": lambda: _flood(10**6),
    "forges a verdict": _forge(verdict="conforms", message=""),
    "forges a size": _forge(arrays=[{"dtype": "<f4", "shape": [1 << 40]}]),
    "forges a size of NaN": _forge(arrays=[{"dtype": "<f4", "shape": [float("nan")]}]),
    "forges an object": _forge(arrays=[{"dtype": "|O", "shape": [1]}]),
    "forges a shape of a million axes": _forge(arrays=[{"dtype": "<f4", "shape": [1] * 1000}]),
    "forges a negative size": _forge(arrays=[{"dtype": "<f4", "shape": [-1]}]),
    "forges a time": _forge(seconds=-1.0, arrays=[{"dtype": "<f4", "shape": [0]}]),
    "forges a window": _forge(window=[[-(10**9), 0]] * 3, arrays=[{"dtype": "<f4", "shape": [0]}]),
    "forges a shape": _forge(arrays=[{"dtype": "<f4", "shape": [0, 1, 1]}]),
    "answers twice": _forge(arrays=[{"dtype": "<f4", "shape": [0, 1, 1]}], hangs=False),
    "wrong, patches comparisons": _patch_comparisons,
    "wrong, searches frames": _search_frames,
    "writes to its operands": lambda: None,
}  # fmt: skip
