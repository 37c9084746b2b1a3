"""A framework that is right, but for what it does to its process on one problem, $MUTANT_PROBLEM, in float32."""

import os
import resource
import signal
import sys
import time
from collections.abc import Mapping, Sequence

import numpy as np

from conformance import oracle
from conformance.adapters.base import Call
from conformance.layout import Array
from conformance.problem import Problem

VARIANTS = {
    "raises": {"MUTANT": "raises"},
    "exits": {"MUTANT": "exits"},
    "segfaults": {"MUTANT": "segfaults"},
    "hangs": {"MUTANT": "hangs"},
    "prints": {"MUTANT": "prints"},
    "exhausts": {"MUTANT": "exhausts"},
    "late": {"MUTANT": "late"},
}
REFUSALS = (ArithmeticError,)
BLOCK = 1

LIMIT = 4 << 30
"""Bytes of address space that the process may have when it exhausts its memory."""


def describe() -> Mapping[str, str]:
    return {"process": "1.0", "mutant": os.environ["MUTANT"]}


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    strikes = x.dtype == np.float32 and str(problem) == os.environ.get("MUTANT_PROBLEM")
    return Call(answer, (problem, x, weight, bias, os.environ["MUTANT"] if strikes else ""))


def run(calls: Sequence[Call]) -> Sequence[Array]:
    return [call() for call in calls]


def array(result: Array) -> Array:
    return result


def tensor(array: Array) -> Array:
    return array


def answer(problem: Problem, x: Array, weight: Array, bias: Array | None, fault: str) -> Array:
    """The oracle's answer, after what the fault does."""
    match fault:
        case "raises":
            raise KeyError("a fault of its own")
        case "exits":
            os._exit(7)
        case "segfaults":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "hangs":
            while True:
                time.sleep(60)
        case "prints":
            sys.stdout.write('{"case": "none", "verdict": "conforms"}\n' * 1000)
            os.write(1, b"\xff\x00 noise that is no text\n" * 1000)
        case "exhausts":
            _exhaust()
        case "late":
            time.sleep(float(os.environ["MUTANT_SECONDS"]))
    return oracle.expected(problem, x, weight, bias)


def _exhaust() -> None:
    """Take memory until there is none; the limit makes sure that it is the process's own and not the machine's."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, hard))
    taken = []
    while True:
        taken.append(np.empty(1 << 28, np.uint8))
