"""Bytes that nobody meant, made of those of whole model files: text, archives, and protocol buffers of TensorFlow."""

import json
import random
import re
import struct
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

CANARY = "canary-of-a-mutant"
"""A file that a mutant which runs code leaves."""
HUGE = (2**31 - 1, 2**31, 2**40, 2**62, 2**63, 10**18, 10**30, -1, -(2**31), 0)
RUN = f"open({CANARY!r}, 'w')"
"""Code that is to be run by nobody."""
PICKLE = b"cbuiltins\nopen\n(V" + CANARY.encode() + b"\nVw\ntR."
NAMES = ("Lambda", "TFSMLayer", "eval", "os", "builtins", "system", "get_file", "PyFunc", "ReadFile", "MyOperator",
         "Custom", "../../x", "/dev/zero", "a" * 70000, "\0", "\x1b[31m", "")  # fmt: skip
EVAL = {"module": "builtins", "class_name": "eval", "config": {"name": RUN}, "registered_name": None}
VALUES: tuple[Any, ...] = (None, [], {}, "deep", 1e308, True, [2**40] * 6, "(1000000, 1000000)", EVAL,
          {"class_name": "__lambda__", "config": {"value": "4wAAAAA="}})  # fmt: skip

Mutate = Callable[[bytes, random.Random], bytes]


# bytes of any format


def cut(whole: bytes, rng: random.Random) -> bytes:
    return whole[: rng.randrange(len(whole) + 1)]


def flipped(whole: bytes, rng: random.Random) -> bytes:
    made = bytearray(whole)
    for _ in range(rng.choice((1, 8, 64))):
        if made:
            made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
    return bytes(made)


def overwritten(whole: bytes, rng: random.Random) -> bytes:
    """A stretch of other bytes, such as a size that is as large as it can be."""
    at = rng.randrange(len(whole) + 1)
    part = rng.choice((b"\xff" * 4, b"\xff" * 9, b"\0" * 40, struct.pack("<q", rng.choice((2**62, 2**40, 2**31))),
                       b"\xff\xff\xff\xff\x07", rng.randbytes(30), b"(" * 3000, PICKLE))  # fmt: skip
    return whole[:at] + part + whole[at + len(part) * rng.randrange(2) :]


def numbered(whole: bytes, rng: random.Random) -> bytes:
    """A number in the text of a file as another one."""
    found = list(re.finditer(rb"\d+", whole))
    if not found:
        return flipped(whole, rng)
    at = rng.choice(found)
    return whole[: at.start()] + str(rng.choice(HUGE)).encode() + whole[at.end() :]


def foreign(whole: bytes, rng: random.Random) -> bytes:
    return rng.choice((b"", b"\0", b"\x89PNG\r\n\x1a\n" + whole[:99], b"\x7fELF" + whole[:99], whole[::-1], whole * 2,
                       b"\x80\x02" + PICKLE, b"{}", b"[]", b"null", b"[" * 100000, b'{"a":' * 100000,
                       zipped({"a": b"", "../../a": b"x"})))  # fmt: skip


ANY: tuple[Mutate, ...] = (cut, cut, flipped, flipped, overwritten, overwritten, numbered, foreign)


# JSON


def worded(whole: bytes, rng: random.Random) -> bytes:
    """A JSON document in which a few values are others, or nested very deeply."""
    try:
        document = json.loads(whole)
    except ValueError:
        return flipped(whole, rng)
    for _ in range(rng.choice((1, 1, 2, 5))):
        document = _other(document, rng)
    return json.dumps(document).replace('"deep"', "[" * 4000 + "]" * 4000).encode()


def _other(document: Any, rng: random.Random) -> Any:
    if not isinstance(document, dict | list) or not document or rng.random() < 0.05:
        return rng.choice((rng.choice(HUGE), rng.choice(NAMES), *VALUES))
    made: Any = dict(document) if isinstance(document, dict) else list(document)
    name = rng.choice([*made]) if isinstance(made, dict) else rng.randrange(len(made))
    if rng.random() < 0.06:
        made.pop(name)
    elif isinstance(made, list) and rng.random() < 0.05:
        made *= rng.choice((2, 1000))
    else:
        made[name] = _other(made[name], rng)
    return made


# archives


def zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def packed(whole: bytes, rng: random.Random) -> bytes:
    """An archive with a member that is damaged, is missing, has another name, or is a bomb."""
    with zipfile.ZipFile(BytesIO(whole)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    weighed = [name for name in members if name.endswith((".json", ".py", ".pkl", ".h5")) for _ in range(4)]
    name = rng.choice([*weighed, *members])
    what = rng.random()
    if what < 0.06:
        members.pop(name)
    elif what < 0.1:
        members[rng.choice(("../../x", "/x", CANARY, name + "/x"))] = members.pop(name)
    elif what < 0.14:
        members[name] = rng.choice((b"\0", b"[", b" ")) * (1 << 29)
    elif name.endswith(".json"):
        members[name] = rng.choice((worded, worded, worded, *ANY))(members[name], rng)
    elif name.endswith(".py"):
        members[name] = rng.choice((coded, coded, *ANY))(members[name], rng)
    else:
        members[name] = rng.choice(ANY)(members[name], rng)
    return zipped(members)


CODE = (
    f"torch.save(x, {CANARY!r})", "ops.author.op(x)", "while True:\n    pass", "torch.zeros([1000000, 1000000])",
    "import os", "print(x)", "raise Exception('no')", "x = torch.conv_transpose2d(x, x)", "return " + "(" * 5000,
    "eval('1')", "torch.from_file('/etc/passwd')", "x = torch.zeros([1, 2147483648, 2147483648, 2])",
    "__import__('os')",
)  # fmt: skip


def coded(whole: bytes, rng: random.Random) -> bytes:
    """The code of TorchScript with a line more."""
    lines = whole.decode(errors="replace").splitlines()
    at = rng.randrange(len(lines) + 1)
    lines.insert(at, " " * rng.choice((0, 2, 4)) + rng.choice(CODE))
    return "\n".join(lines).encode()


# protocol buffers


def graphed(whole: bytes, rng: random.Random) -> bytes:
    """A graph of TensorFlow, or a SavedModel, with other operators, sizes and connections."""
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    saved, graph = saved_model_pb2.SavedModel(), tf.compat.v1.GraphDef()
    try:
        saved.ParseFromString(whole)
        within = saved.meta_graphs[0].graph_def if saved.meta_graphs else graph
        if within is graph:
            graph.ParseFromString(whole)
    except DecodeError:
        return flipped(whole, rng)
    nodes = [*within.node, *(node for function in within.library.function for node in function.node_def)]
    if nodes:
        _graph_other(within, rng.choice(nodes), rng)
    made: bytes = (graph if within is graph else saved).SerializeToString()
    return made


def _graph_other(graph: Any, node: Any, rng: random.Random) -> None:
    dims = [
        dim for value in node.attr.values() for shape in (value.shape, value.tensor.tensor_shape) for dim in shape.dim
    ]
    match rng.randrange(7):
        case 0:
            node.op = rng.choice((*NAMES[:-4], "Conv2DBackpropInput", "While", "StatefulPartitionedCall"))
        case 1 if dims:
            rng.choice(dims).size = rng.choice([each for each in HUGE if -(2**63) <= each < 2**63])
        case 2 if node.input:
            node.input[0] = rng.choice((node.name, "nowhere", "^" + node.name, node.input[-1] + ":7"))
        case 3 if node.attr:
            node.attr[rng.choice(sorted(node.attr))].i = rng.choice((2**62, -1, 0))
        case 4 if graph.library.function:
            function = rng.choice([*graph.library.function])
            function.node_def.add(name="again", op=function.signature.name)
        case 5:
            for number in range(rng.choice((10, 20000))):
                graph.node.add(
                    name=f"more{number}", op="Identity", input=[f"more{number - 1}" if number else node.name]
                )
        case _:
            node.attr["strides"].list.i[:] = [1, rng.choice((0, -1, 2**31, 2**62)), 2, 1]
