"""What a lane process and its parent say to each other: lines of JSON, each with the bytes of its arrays behind it.

    -> {"do": "start", "protocol": 1, "framework": "mine", "variant": "only"}
                                 <- {"environment": {...}}                      and, for layouts other than PyTorch's,
                                                                                "data": "n k c", "weight": "k o i"
    -> {"do": "run", "jobs": [{"job": "8f03...", "problem": "i5 k3", "attributes": {...}, "arrays": [{...}], ...}]}
                                 <- {"job": "8f03...", "arrays": [{"dtype": "<f4", "shape": [1, 1, 5]}]}
                                 <- {"job": "77c1...", "verdict": "rejects", "message": "ValueError: no"}
    -> {"do": "block", "space": "{...}", "seed": 0, "dtype": "float32", "start": 0, "stop": 256}
                                 <- a record a problem, each a line
    -> {"do": "time", "suite": "models", "case": "model-dcgan-last", "dtype": "float32", "calls": 3}
                                 <- {"seconds": [0.0021, 0.0020, 0.0021]}
    -> {"do": "stop"}            <- {"bye": true}

Programs are asked for jobs alone; blocks and times are for a framework's own lane, which compares where it computes. A
lane process ends each of its turns with {"ready": true}. An array is described in `arrays` and follows in C order, or
stands in its description as base64. Nothing is ever unpickled, and what comes from a lane process is checked as
anything that is read from elsewhere. `docs/protocol.md` says the same to authors of programs.
"""

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Struct, ValidationError
from numpy.typing import NDArray

from conformance import layout
from conformance.adapters.base import Call
from conformance.io.jsonschema import schema_text
from conformance.problem import Problem
from conformance.processes.attempt import Answered, Ended, plain
from conformance.records.record import Count, Number, Verdict

LONGEST_LINE = 1 << 20
LARGEST_ARRAY = 1 << 28
"""Bytes of one array of an answer, and of what its window may make of it."""
NUMBERS = "iufc"
ENDS = (Verdict.UNSUPPORTED, Verdict.REJECTS, Verdict.ERRORED, Verdict.INCONCLUSIVE)
"""The verdicts that a lane process may give; the others are its parent's."""

Array = NDArray[Any]
T = TypeVar("T")

_ENCODER = msgspec.json.Encoder()


class Described(Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """An array: its NumPy dtype, such as "<f4", its shape, and its elements in C order.

    They are in `base64` where it is given; otherwise they follow the line as bytes.
    """

    dtype: str
    shape: Annotated[tuple[Count, ...], Meta(max_length=32)]
    base64: str | None = None


Pairs = tuple[tuple[int, int], ...]


class Attributes(Struct, frozen=True):
    """A problem in numbers: the descriptor says the same. A tuple has a value for each spatial axis."""

    input: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pads: Pairs
    output_padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    in_channels: int
    out_channels: int
    batch: int
    bias: bool
    full: tuple[int, ...]
    window: Pairs
    output: tuple[int, ...]


class Start(Struct, tag_field="do", tag="start", frozen=True):
    """The first message: which lane is to be answered for."""

    framework: str
    variant: str
    protocol: Literal[1] = 1


class Asked(Struct, frozen=True):
    """A job: a problem with its operands, x, weight and, where there is one, bias.

    `call` is "transposed" for a program.
    """

    job: str
    problem: str
    call: str
    attributes: Attributes
    arrays: tuple[Described, ...]


class Run(Struct, tag_field="do", tag="run", frozen=True):
    """Jobs, to be answered one by one in their order. The bytes of all their arrays follow in the same order."""

    jobs: tuple[Asked, ...]


class Block(Struct, tag_field="do", tag="block", frozen=True):
    """Problems of a space, by their numbers: to be answered by a record each, in one line, in their order.

    `space` is its levels as JSON, which the seed puts into an order. If `alone`, each line is sent before the next
    problem is begun, so that a death is that of the first problem without a line.
    """

    space: str
    seed: int
    dtype: str
    start: int
    stop: int
    alone: bool = False
    direction: str = msgspec.field(default="forward", name="pass")


class Timed(Struct, tag_field="do", tag="time", frozen=True):
    """A case of a suite, to be called so often: to be answered by what each call took, in one line."""

    suite: str
    case: str
    dtype: str
    calls: int


class Stop(Struct, tag_field="do", tag="stop", frozen=True):
    """The last message."""


class Started(Struct, forbid_unknown_fields=True, frozen=True):
    """What a lane process says of itself: its versions, and the layouts of data and weight, and of its answers.

    Letters are n batch, c channels, g groups, i and o channels of a group in and out, k all spatial axes.
    """

    environment: dict[str, str]
    data: str = "n c k"
    weight: str = "(g i) o k"
    encoding: Literal["bytes", "base64"] = "bytes"


class Reply(Struct, forbid_unknown_fields=True, frozen=True):
    """The answer to a job: its array, or a verdict with a message.

    `text` is the native call as a line, and `seconds` what it took. `window` is cut from the array, and the bias is
    added where `bias` says so. `prepared` names what was done to the input beforehand.
    """

    job: str
    text: str = ""
    seconds: Number = 0.0
    prepared: tuple[str, ...] = ()
    layout: str | None = None
    window: Pairs | None = None
    bias: bool = False
    verdict: Verdict | None = None
    message: str = ""
    widened: str = ""
    retried: bool = False
    arrays: tuple[Described, ...] = ()


class Ready(Struct, forbid_unknown_fields=True, frozen=True):
    """The end of each turn of a lane process, but the last."""

    ready: bool


class Bye(Struct, forbid_unknown_fields=True, frozen=True):
    """The answer to the last message."""

    bye: bool


class ViolationError(ValueError):
    """A message that is not of the protocol; says what it is instead."""


def encode(message: Mapping[str, Any] | Struct, arrays: Sequence[Array] = ()) -> bytes:
    """A message as bytes, with those of arrays; a mapping also describes them."""
    return b"".join(parts(message, arrays))


def parts(message: Mapping[str, Any] | Struct, arrays: Sequence[Array] = ()) -> list[bytes | memoryview]:
    """What the bytes of a message consist of: its line, and arrays as they lie in memory."""
    if arrays and not isinstance(message, Struct):
        message = {**message, "arrays": [describe(array) for array in arrays]}
    return [_ENCODER.encode(message) + b"\n", *(np.ascontiguousarray(array).data for array in arrays)]


def describe(array: Array, encoding: str = "bytes") -> Described:
    """An array as a message describes it."""
    inline = base64.b64encode(array.tobytes()).decode() if encoding == "base64" else None
    return Described(array.dtype.str, array.shape, inline)


def attributes(problem: Problem) -> Attributes:
    """A problem in numbers."""
    values = {name: getattr(problem, name) for name in _FIELDS}
    full, window = problem.full, problem.window
    output = tuple(extent - lo - hi for extent, (lo, hi) in zip(full, window, strict=True))
    return Attributes(**values, full=full, window=window, output=output)


def problem_of(given: Attributes) -> Problem:
    """The problem that attributes are of."""
    return Problem(**{name: getattr(given, name) for name in _FIELDS})


_FIELDS = tuple(field.name for field in fields(Problem))


def decode(line: bytes) -> Mapping[str, Any]:
    """A message from its line. Raises ViolationError."""
    try:
        message = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        facts = f"{plain(repr(line[:60]))} {error}: print all else to standard error"
        raise ViolationError(f"a line that is not of the protocol: {facts}") from None
    if not isinstance(message, dict):
        raise ViolationError(f"a line that is no message: {plain(repr(line[:60]))}")
    return message


Question = Start | Run | Block | Timed | Stop


def question(line: bytes) -> Question:
    """What a lane process is asked, from its line."""
    asked: Question = _QUESTIONS.decode(line)
    return asked


_QUESTIONS = msgspec.json.Decoder(Question)


class Buffer(NamedTuple):
    """How an array of a message lies in bytes; `content` are these where they stand in the message itself."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    size: int
    content: bytes | None


def buffers(message: Mapping[str, Any]) -> list[Buffer]:
    """How each array of a message lies in bytes. Raises ViolationError."""
    return [_buffer(description) for description in _descriptions(message)]


def _buffer(described: Described) -> Buffer:
    dtype = _dtype(described.dtype)
    size = math.prod(described.shape) * dtype.itemsize
    if size > LARGEST_ARRAY:
        raise ViolationError(f"an array of {size} bytes, of which {LARGEST_ARRAY} are taken")
    content = None if described.base64 is None else _decoded(described.base64, size)
    return Buffer(dtype, described.shape, size, content)


@lru_cache(maxsize=64)
def _dtype(name: str) -> np.dtype[Any]:
    try:
        dtype = np.dtype(name)
    except (TypeError, ValueError, SyntaxError):
        raise ViolationError(f"an array of dtype {plain(repr(name))[:60]}, which there is not") from None
    if dtype.kind not in NUMBERS:
        raise ViolationError(f"an array of dtype {dtype}, which is not of numbers")
    return dtype


def _decoded(text: str, size: int) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ViolationError(f"an array whose base64 cannot be read: {error}") from None
    if len(content) != size:
        raise ViolationError(f"an array of {size} bytes as {len(content)} bytes of base64")
    return content


def _descriptions(message: Mapping[str, Any]) -> list[Described]:
    described = message.get("arrays", [])
    if not isinstance(described, list) or len(described) > 3:
        raise ViolationError("arrays that are no list of at most three")
    return [_checked("an array that is described by", description, Described) for description in described]


def _checked(what: str, value: Any, of: type[T]) -> T:
    """A value as one of its type. Raises ViolationError, which quotes it."""
    try:
        return msgspec.convert(value, of)
    except ValidationError as error:
        raise ViolationError(f"{what} {plain(repr(value))[:60]}: {error}") from None


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


def started(message: Mapping[str, Any]) -> Started:
    """What a lane process says of itself at its start. Raises ViolationError."""
    said = _checked("a start that says", message, Started)
    require_layouts(said.data, said.weight)
    return said


def require_layouts(data: str, weight: str) -> None:
    """Raises ViolationError for layouts that have other axes than such arrays have."""
    for name, text, letters, example in (
        ("data", data, layout.DATA, "n c k"),
        ("weight", weight, layout.WEIGHT, "(g i) o k"),
    ):
        if not layout.is_of(text, letters):
            raise ViolationError(f"the {name} layout {plain(repr(text))[:60]}: give one such as {example!r}")


def answered(
    message: Mapping[str, Any], arrays: Sequence[Array], rank: int, default: str | None = None
) -> tuple[Call | None, Answered | Ended]:
    """The call and the answer of a message. Raises ViolationError for what no lane process may say.

    `default` is the layout of an answer that names none; a program says it once, at its start.
    """
    reply = _checked("an answer that says", message, Reply)
    if not 0 <= reply.seconds < math.inf:
        raise ViolationError(f"an answer after {reply.seconds} seconds")
    axes = reply.layout or (None if reply.verdict is Verdict.UNSUPPORTED else default)
    call = None if axes is None else _call(reply, axes, arrays, rank)
    if reply.verdict is not None:
        if reply.verdict not in ENDS or arrays:
            raise ViolationError(f"the verdict {str(reply.verdict)!r}, which no lane process gives")
        return call, Ended(reply.verdict, plain(reply.message), reply.seconds)
    if call is None or len(arrays) not in (1, 1 + reply.bias):
        raise ViolationError(f"an answer of {len(arrays)} arrays that does not say what they are")
    return call, Answered(arrays[0], reply.seconds, plain(reply.widened), reply.retried)


def _call(reply: Reply, axes: str, arrays: Sequence[Array], rank: int) -> Call:
    """A call that was made elsewhere, with what remains to be done."""
    if reply.window is not None:
        _require_window(reply.window, arrays, axes, rank)
    return Call(
        _made_elsewhere, (), window=reply.window, bias=arrays[1] if reply.bias and len(arrays) > 1 else None,
        prepared=tuple(map(plain, reply.prepared)), layout=axes, text=plain(reply.text) or "in another process",
    )  # fmt: skip


def _require_window(window: Pairs, arrays: Sequence[Array], axes: str, rank: int) -> None:
    """Raises ViolationError for a window that is none, or that makes of an array more than may be answered."""
    if len(window) != rank:
        raise ViolationError(f"the window {plain(repr(window))[:60]}, which has no two ends for each of {rank} axes")
    if not arrays:
        return
    parts = layout.groups(axes)
    first = parts.index("k") if "k" in parts else 0
    extents = (*arrays[0].shape[first : first + rank], *[1] * rank)
    grown = math.prod(
        1 + sum(max(-end, 0) for end in ends) / max(extent, 1) for ends, extent in zip(window, extents, strict=False)
    )
    if max(arrays[0].nbytes, 1) * grown > LARGEST_ARRAY:
        raise ViolationError(f"the window {plain(repr(window))[:60]}, which makes too much of {arrays[0].shape}")


def _made_elsewhere() -> None:
    raise AssertionError("a call that was made elsewhere is not made again")


def text() -> str:
    """What docs/protocol.schema.json holds: the JSON Schema of a line that is sent to a lane process, or answered."""
    sent, said = (Start, Run, Stop), (Started, Reply, Ready, Bye)
    return schema_text(
        [*sent, *said],
        "A line of the protocol between the harness and a lane process, version 1",
        f"The harness sends {', '.join(of.__name__ for of in sent)}; a lane process says the others.",
    )
