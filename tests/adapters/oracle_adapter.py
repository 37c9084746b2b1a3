"""A framework that is always right, and wrong on purpose where $FAULT says so: `KIND@SUBSTRING-OF-DESCRIPTOR`.

Not a mutant of the cases' audit: it stands for what a framework can do to the harness.
"""

import faulthandler
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from conformance import oracle
from conformance.adapters.base import Call, Unsupported
from conformance.layout import Array
from conformance.numerics import gradients
from conformance.numerics.operands import Arrays
from conformance.problem import INPUT, Problem

VARIANTS = {"single": {"ORACLE_VARIANT": "single"}, "other": {"ORACLE_VARIANT": "other"}}
REFUSALS = (ArithmeticError,)
BLOCK = 1


def describe() -> Mapping[str, str]:
    return {"oracle_adapter": "1.0", "variant": os.environ["ORACLE_VARIANT"]}


def translate(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
    kind, _, where = os.environ.get("FAULT", "").partition("@")
    fault = kind if kind and where in str(problem) and x.dtype == "float32" else ""
    if fault == "unsupported":
        raise Unsupported("no call says this")
    return Call(answer, (problem, x, weight, bias, fault))


def convolve(problem: Problem, canvas: Array, weight: Array) -> Call:
    return Call(convolution, (problem, canvas, weight))


def run(calls: Sequence[Call]) -> Sequence[Array]:
    return [call() for call in calls]


def array(result: Array) -> Array:
    return result


def tensor(array: Array) -> Array:
    return array


def convolution(problem: Problem, canvas: Array, weight: Array) -> Array:
    """x by the ordinary convolution, which the transposed one is the transpose of, from the patches of a canvas."""
    whole = Problem.of(
        problem.input, problem.kernel, problem.stride, 0, 0, problem.dilation, groups=problem.groups,
        in_channels=problem.in_channels, out_channels=problem.out_channels, batch=problem.batch,
    )  # fmt: skip
    nothing = np.zeros(whole.input_shape, weight.dtype)
    return gradients.by_canvas(whole, INPUT, Arrays(nothing, weight, None), canvas)


def answer(problem: Problem, x: Array, weight: Array, bias: Array | None, fault: str) -> Array:
    """The oracle's answer, after what the fault does."""
    match fault:
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            os._exit(7)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            if mark := os.environ.get("HANGS"):
                Path(mark).touch()
            time.sleep(600)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "deaf":
            faulthandler.cancel_dump_traceback_later()
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGTERM, signal.SIGINT})
            time.sleep(600)
        case "refuse":
            raise ArithmeticError("not today\nand a second line")
        case "raise":
            raise KeyError("a bug")
        case "print":
            sys.stdout.write("noise\n" * 1000)
        case "slow":
            time.sleep(0.004)
        case "busy":
            ended = time.process_time() + 0.004
            while time.process_time() < ended:
                pass
    y = oracle.expected(problem, x, weight, bias).astype(x.dtype)
    return y + (fault in ("wrong", "slow"))
