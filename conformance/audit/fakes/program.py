"""A fake as a program: `python -m conformance.audit.fakes.program` speaks the protocol, and answers with $FAKE."""

import json
import os
import sys
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from conformance import oracle
from conformance.audit.fakes.answers import ANSWERS
from conformance.layout import Array
from conformance.problem import Problem


def main() -> None:
    """Answer until told to stop."""
    while line := sys.stdin.buffer.readline():
        message = json.loads(line)
        match message["do"]:
            case "start":
                _say({"environment": {"fake": "1.0"}})
                _say({"ready": True})
            case "run":
                jobs = [(job, _operands(job)) for job in message["jobs"]]
                for job, operands in jobs[os.environ["FAKE"] == "fewer" :]:
                    _answer(job, *operands)
                _say({"ready": True})
            case "stop":
                _say({"bye": True})
                return


def _operands(job: Mapping[str, Any]) -> list[Array]:
    sizes = [
        (array["dtype"], array["shape"], int(array["dtype"][2:]) * prod(array["shape"])) for array in job["arrays"]
    ]
    return [np.frombuffer(sys.stdin.buffer.read(size), dtype).reshape(shape) for dtype, shape, size in sizes]


def _answer(job: Mapping[str, Any], x: Array, weight: Array, bias: Array | None = None) -> None:
    if os.environ["FAKE"] == "nothing":
        _say({"job": job["job"], "verdict": "unsupported", "message": "not implemented yet", "arrays": []})
        return
    right = oracle.expected(Problem.parse(job["problem"]), x, weight, bias).astype(x.dtype)
    y = np.ascontiguousarray(ANSWERS[os.environ["FAKE"]](x, right))
    _say({"job": job["job"], "arrays": [{"dtype": y.dtype.str, "shape": y.shape}]}, y.tobytes())


def _say(message: Mapping[str, Any], content: bytes = b"") -> None:
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n" + content)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
