"""What a lane process and its parent say to each other: lines of JSON, each with the bytes of its arrays behind it.

    -> {"do": "start", "protocol": 1, "framework": "mine", "variant": "only"}   <- {"environment": {...}}
    -> {"do": "run", "jobs": [{"job": "8f03...", "problem": "i5 k3", "call": "transposed", "arrays": [{...}]}]}
                                 <- {"job": "8f03...", "seconds": 0.001, "text": "f([1, 1, 5])", "arrays": [{...}], ...}
                                 <- {"job": "77c1...", "verdict": "rejects", "message": "ValueError: no", ...}
    -> {"do": "stop"}            <- {"bye": true}

A lane process ends each of its turns with {"ready": true}. An array is described in `arrays` and follows in C order.
Nothing is ever unpickled, and what comes from a lane process is checked as anything that is read from elsewhere.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Struct, ValidationError
from numpy.typing import NDArray

from conformance.adapters.base import Call
from conformance.io.bounded import read_json
from conformance.layout import groups
from conformance.processes.attempt import Answered, Ended, plain
from conformance.records.record import Count, Number, Verdict

PROTOCOL = 1
LONGEST_LINE = 1 << 20
LARGEST_ARRAY = 1 << 28
"""Bytes of one array of an answer, and of what its window may make of it."""
NUMBERS = "iufc"
ENDS = (Verdict.UNSUPPORTED, Verdict.REJECTS, Verdict.ERRORED, Verdict.INCONCLUSIVE)
"""The verdicts that a lane process may give; the others are its parent's."""

Array = NDArray[Any]
T = TypeVar("T")


class Described(Struct, forbid_unknown_fields=True, frozen=True):
    """An array whose bytes follow."""

    dtype: str
    shape: Annotated[tuple[Count, ...], Meta(max_length=32)]


class Reply(Struct, frozen=True):
    """A message as `answer_of` makes it: of a call that was made where there is a `layout`."""

    text: str
    seconds: Number
    prepared: tuple[str, ...] = ()
    layout: str | None = None
    window: tuple[tuple[int, int], ...] | None = None
    bias: bool = False
    verdict: Verdict | None = None
    message: str = ""
    widened: str | None = None
    retried: bool | None = None


class ViolationError(ValueError):
    """A message that is not of the protocol; says what it is instead."""


def encode(message: Mapping[str, Any], arrays: Sequence[Array] = ()) -> bytes:
    """A message as bytes."""
    described = [{"dtype": array.dtype.str, "shape": array.shape} for array in arrays]
    line = json.dumps({**message, "arrays": described} if arrays else message)
    return b"".join([line.encode(), b"\n", *(array.tobytes() for array in arrays)])


def decode(line: bytes) -> Mapping[str, Any]:
    """A message from its line. Raises ViolationError."""
    try:
        message = read_json(line.decode())
    except ValueError as error:
        raise ViolationError(f"a line that is not of the protocol: {plain(repr(line[:60]))} {error}") from None
    if not isinstance(message, dict):
        raise ViolationError(f"a line that is no message: {plain(repr(line[:60]))}")
    return message


def sizes(message: Mapping[str, Any]) -> list[tuple[np.dtype[Any], tuple[int, ...], int]]:
    """The dtype, shape and number of bytes of each array behind a message. Raises ViolationError."""
    described = message.get("arrays", [])
    if not isinstance(described, list) or len(described) > 3:
        raise ViolationError("arrays that are no list of at most three")
    return [_size(_checked("an array that is described by", description, Described)) for description in described]


def _checked(what: str, value: Any, of: type[T]) -> T:
    """A value as one of its type. Raises ViolationError, which quotes it."""
    try:
        return msgspec.convert(value, of)
    except ValidationError as error:
        raise ViolationError(f"{what} {plain(repr(value))[:60]}: {error}") from None


def _size(described: Described) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    try:
        dtype = np.dtype(described.dtype)
    except (TypeError, ValueError, SyntaxError):
        raise ViolationError(f"an array of dtype {plain(repr(described.dtype))[:60]}, which there is not") from None
    if dtype.kind not in NUMBERS:
        raise ViolationError(f"an array of dtype {dtype}, which is not of numbers")
    size = math.prod(described.shape) * dtype.itemsize
    if size > LARGEST_ARRAY:
        raise ViolationError(f"an array of {size} bytes, of which {LARGEST_ARRAY} are taken")
    return dtype, described.shape, size


def answer_of(call: Call | None, answer: Answered | Ended, text: str) -> tuple[dict[str, Any], list[Array]]:
    """An answer as a message and its arrays, for `answered`."""
    reply: dict[str, Any] = {"text": text, "seconds": answer.seconds}
    if call is not None:
        reply |= {
            "prepared": call.prepared,
            "layout": call.layout,
            "window": call.window,
            "bias": call.bias is not None,
        }
    if isinstance(answer, Ended):
        return reply | {"verdict": answer.verdict, "message": answer.message}, []
    bias = [] if call is None or call.bias is None else [np.asarray(call.bias)]
    return reply | {"widened": answer.widened, "retried": answer.retried}, [answer.array, *bias]


def answered(message: Mapping[str, Any], arrays: Sequence[Array], rank: int) -> tuple[Call | None, Answered | Ended]:
    """The call and the answer of a message. Raises ViolationError for what `answer_of` cannot have said."""
    reply = _checked("an answer that says", message, Reply)
    if not 0 <= reply.seconds < math.inf:
        raise ViolationError(f"an answer after {reply.seconds} seconds")
    call = None if reply.layout is None else _call(reply, reply.layout, arrays, rank)
    if reply.verdict is not None:
        if reply.verdict not in ENDS or arrays:
            raise ViolationError(f"the verdict {str(reply.verdict)!r}, which no lane process gives")
        return call, Ended(reply.verdict, plain(reply.message), reply.seconds)
    if call is None or len(arrays) != 1 + (call.bias is not None) or reply.widened is None or reply.retried is None:
        raise ViolationError(f"an answer of {len(arrays)} arrays that does not say what they are")
    return call, Answered(arrays[0], reply.seconds, plain(reply.widened), reply.retried)


def _call(reply: Reply, layout: str, arrays: Sequence[Array], rank: int) -> Call:
    """A call that was made elsewhere, with what remains to be done."""
    if reply.window is not None:
        _require_window(reply.window, arrays, layout, rank)
    return Call(
        _made_elsewhere, (), window=reply.window, bias=arrays[1] if reply.bias and len(arrays) > 1 else None,
        prepared=tuple(map(plain, reply.prepared)), layout=layout, text=plain(reply.text),
    )  # fmt: skip


def _require_window(window: tuple[tuple[int, int], ...], arrays: Sequence[Array], layout: str, rank: int) -> None:
    """Raises ViolationError for a window that is none, or that makes of an array more than may be answered."""
    if len(window) != rank:
        raise ViolationError(f"the window {plain(repr(window))[:60]}, which has no two ends for each of {rank} axes")
    if not arrays:
        return
    parts = groups(layout)
    first = parts.index("k") if "k" in parts else 0
    extents = (*arrays[0].shape[first : first + rank], *[1] * rank)
    grown = math.prod(
        1 + sum(max(-end, 0) for end in ends) / max(extent, 1) for ends, extent in zip(window, extents, strict=False)
    )
    if max(arrays[0].nbytes, 1) * grown > LARGEST_ARRAY:
        raise ViolationError(f"the window {plain(repr(window))[:60]}, which makes too much of {arrays[0].shape}")


def _made_elsewhere() -> None:
    raise AssertionError("a call that was made elsewhere is not made again")
