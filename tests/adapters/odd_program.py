"""A program that answers for a lane and, where $ODD_PROGRAM says so, does what no program may do."""

import base64
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

ODD = os.environ.get("ODD_PROGRAM", "")
STARTED: dict[str, dict[str, Any]] = {
    "channels last": {"data": "n k c", "weight": "k o i"},
    "base64": {"encoding": "base64"},
    "unknown encoding": {"encoding": "hex"},
    "data of no batch": {"data": "k c"},
    "weight of unknown letters": {"weight": "q i o k"},
    "unknown field at the start": {"layuot": "n c k"},
    "no environment": {"environment": None},
}
REPLIES: dict[str, dict[str, Any]] = {
    "an unknown field": {"verdct": "rejects"},
    "a verdict of the harness": {"verdict": "conforms", "arrays": []},
    "no array": {"arrays": []},
    "refuses": {"verdict": "rejects", "message": "no", "arrays": []},
    "unsupported": {"verdict": "unsupported", "message": "no words for it", "arrays": []},
    "another job": {"job": "0"},
    "base64 of another length": {"arrays": [{"dtype": "<f4", "shape": [1, 1, 2], "base64": "AAAA"}]},
    "base64 that is none": {"arrays": [{"dtype": "<f4", "shape": [1, 1, 2], "base64": "%%%%"}]},
    "a dtype that is none": {"arrays": [{"dtype": "number", "shape": [1], "base64": ""}]},
}


STRUCK = "i1 k1 bias"
"""The problem on which a program does one of these, and is right on all others."""


def raises() -> None:
    raise KeyError("mine")


def blocks() -> None:
    time.sleep(60)


def forks() -> None:
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)


def prints() -> None:
    print("noise", flush=True)


def changes_its_surroundings() -> None:
    import numpy as np

    os.chdir("/")
    os.environ["CONFORMANCE_CASES"] = "/nowhere"
    np.seterr(all="raise")
    sys.stderr.write("noise\n" * 1000)


STRIKES: dict[str, Callable[[], None]] = {
    "raises": raises,
    "exits": lambda: os._exit(7),
    "exits with 0": lambda: os._exit(0),
    "blocks": blocks,
    "forks": forks,
    "prints": prints,
    "changes its surroundings": changes_its_surroundings,
}
STRUCK_REPLIES: dict[str, list[Any]] = {
    "a list": [[1.0]],
    "another rank": [{"dtype": "<f4", "shape": [1]}],
    "objects": [{"dtype": "|O", "shape": [1, 1, 1]}],
    "two arrays": [{"dtype": "<f4", "shape": [1, 1, 1]}] * 2,
}


def say(message: dict[str, Any], *contents: bytes) -> None:
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n" + b"".join(contents))
    sys.stdout.buffer.flush()


def answer(job: dict[str, Any], contents: list[bytes]) -> None:
    """Answer `i1 k1` and the like: one element, one tap, so that y = x * w + bias."""
    import numpy as np

    x, weight, *bias = (
        np.frombuffer(content, array["dtype"]) for content, array in zip(contents, job["arrays"], strict=True)
    )
    y = x * weight + (bias[0] if bias else 0)
    described = {"dtype": job["arrays"][0]["dtype"], "shape": job["arrays"][0]["shape"]}
    inline = "base64" in job["arrays"][0]
    if inline:
        described["base64"] = base64.b64encode(y.tobytes()).decode()
    reply = {"job": job["job"], "arrays": [described], **REPLIES.get(ODD, {})}
    if job["problem"] == STRUCK:
        STRIKES.get(ODD, lambda: None)()
        reply["arrays"] = STRUCK_REPLIES.get(ODD, reply["arrays"])
    say(reply, *([] if inline or ODD in REPLIES else [y.tobytes()]))


def main() -> None:
    if ODD == "speaks first":
        print("welcome", flush=True)
    if ODD == "dies at its start":
        sys.exit(3)
    while line := sys.stdin.buffer.readline():
        message = json.loads(line)
        if message["do"] == "start":
            say({"environment": {"odd": "1"}, **STARTED.get(ODD, {})})
        if message["do"] == "stop":
            say({"bye": True} if ODD != "no goodbye" else {"ready": True})
            return
        for job in message.get("jobs", []):
            contents = [
                base64.b64decode(array["base64"]) if "base64" in array
                else sys.stdin.buffer.read(int(array["dtype"][2:]) * size(array["shape"]))
                for array in job["arrays"]
            ]  # fmt: skip
            if ODD == "dies of a job":
                os.abort()
            if ODD == "silent":
                time.sleep(60)
            answer(job, contents)
        say({"ready": True})


def size(shape: list[int]) -> int:
    return shape[0] * size(shape[1:]) if shape else 1


if __name__ == "__main__":
    main()
