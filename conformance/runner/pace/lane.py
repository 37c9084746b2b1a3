"""The lane process of a timing: `python -m conformance.runner.pace.lane PARENT`, in the framework's own environment.

It makes the calls of a case again and again, and says the CPU time of each: of all threads of this process, so that
what else the machine does is not in it.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from conformance import adapters
from conformance.adapters.base import Adapter, Convolving, repeated
from conformance.numerics.operands import whole_numbers
from conformance.problem import Problem
from conformance.processes import wire
from conformance.processes.lane_process import serve
from conformance.suites.case import Case
from conformance.suites.cases import read_suite

MAGNITUDE, DRAWN = 7, 4099
"""Of operands, and how many numbers of each are drawn, which are repeated; a call takes as long with others."""


class _Calls:
    """The calls of the case that was asked last, whose operands are kept."""

    def __init__(self) -> None:
        self._known: tuple[str, str, str] = ("", "", "")
        self._call: Callable[[], object] = lambda: None

    def line(self, adapter: Convolving, asked: wire.Timed) -> bytes:
        """The seconds of CPU of each call, as a line."""
        if self._known != (key := (asked.suite, asked.case, asked.dtype)):
            problem = _cases(asked.suite)[asked.case].problem
            self._known, self._call = key, _prepared(adapter, problem, asked.dtype)
        seconds = []
        for _ in range(asked.calls):
            started = time.process_time()
            self._call()
            seconds.append(time.process_time() - started)
        return json.dumps({"seconds": seconds}).encode() + b"\n"


@lru_cache(maxsize=1)
def _cases(suite: str) -> dict[str, Case]:
    return {case.id: case for case in read_suite(suite).cases}


def _prepared(adapter: Adapter, problem: Problem, dtype: str) -> Callable[[], object]:
    """The native call of a problem, on operands that are drawn."""

    def drawn(name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        return np.resize(whole_numbers(f"{problem} {name}", (DRAWN,), MAGNITUDE).astype(dtype), shape)

    bias = drawn("bias", problem.bias_shape) if problem.bias else None
    call = adapter.translate(problem, drawn("x", problem.input_shape), drawn("weight", problem.weight_shape), bias)
    return repeated(adapter, call)


def main(parent: int) -> None:
    """Answer with the adapter that the parent names."""
    serve(parent, lambda lane: cast(Convolving, adapters.load(lane)), clock=_Calls().line)


if __name__ == "__main__":
    main(int(sys.argv[1]))
