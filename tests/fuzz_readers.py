"""Everything that is read from elsewhere, fed with what nobody meant: only the documented errors come out.

`python -m tests.fuzz_readers --minutes 10` goes on for a while, over and over with another seed, and prints how many
inputs each reader had and every other exception. `tests/io/test_readers.py` is the same for a few inputs each.
"""

import argparse
import io
import json
import os
import resource
import shlex
import socket
import sys
import tempfile
import time
import tomllib
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from conformance import idioms
from conformance.calls.sizes.proposals import SizesError
from conformance.calls.sizes.stack import read_stack
from conformance.calls.sizes.stack_answers import answer_stack, stack_lines
from conformance.claims import ledger
from conformance.claims.ledger import ClaimError
from conformance.cli.run import findings
from conformance.idioms import IdiomError
from conformance.idioms.base import Refusal
from conformance.idioms.expression import ExpressionError
from conformance.idioms.sizes.layers import layers
from conformance.io.array_files import Archive, parse_array, read_array
from conformance.io.bounded import BoundError
from conformance.io.folders import cases_folder
from conformance.io.tensor_files import READERS as READERS_OF_TENSORS
from conformance.io.tensor_files import read_tensor
from conformance.io.terminal import printable
from conformance.predicates.predicate import Predicate, PredicateError
from conformance.problem import Problem, ProblemError, broken_rule
from conformance.records import record, record_file
from conformance.records.calls import RecordedCallError, parse
from conformance.records.record import RecordError
from conformance.records.reproduction import reproduction
from conformance.regression.comparison import compare
from conformance.regression.history import Store
from conformance.report import changes
from conformance.suites import cases, expectations
from conformance.suites.cases import CaseError
from conformance.suites.expectation_files import ExpectationError

FOLDER = Path(tempfile.mkdtemp(prefix="conformance-fuzz-"))


@dataclass(frozen=True)
class Reader:
    """What is read, what it is fed with, and the errors that it documents."""

    name: str
    inputs: st.SearchStrategy[Any]
    read: Callable[[Any], object]
    documented: tuple[type[Exception], ...]


# what nobody meant

numbers = st.one_of(st.integers(), st.integers(-3, 9), st.sampled_from([2**31, 2**63, 10**18, 10**19 - 1, -(2**63)]))
atoms = st.one_of(st.none(), st.booleans(), numbers, st.floats(), st.text(max_size=20),
                  st.sampled_from(["../../x", "/etc/passwd", "a\0b", "", "i3 k2", "conforms", "1/2"]))  # fmt: skip
values = st.recursive(
    atoms, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


def deep(opening: str, closing: str) -> st.SearchStrategy[str]:
    """Nesting of up to 5,000 levels."""
    return st.integers(1, 5000).map(lambda levels: opening * levels + closing * levels)


nested = deep("[", "]") | deep('{"a":', "}") | deep("(", ")") | deep("-", "1") | deep("a.", "b") | deep("f(", ")")


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes with a few stretches cut out, repeated, overwritten or put elsewhere."""
    content = whole
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        part = content[start:end]
        content = content[:start] + draw(st.one_of(
            st.just(b""), st.just(part * 2), st.binary(max_size=20), st.just(part[::-1]),
            st.sampled_from([b"\n", b"\0", b"\xff", b'"', b"{", b"[", b"9" * 5000]), nested.map(str.encode),
        )) + content[end:]  # fmt: skip
    return content


@st.composite
def replaced(draw: st.DrawFn, document: Any) -> Any:
    """A JSON document in which some values are others, and some names are missing or new."""
    if isinstance(document, dict):
        changed = {name: draw(replaced(value)) for name, value in document.items() if draw(st.integers(0, 30))}
        return changed | (
            draw(st.dictionaries(st.text(max_size=5), values, max_size=1)) if draw(st.integers(0, 9)) == 0 else {}
        )
    if isinstance(document, list) and draw(st.integers(0, 9)):
        return [draw(replaced(each)) for each in document]
    return draw(values) if draw(st.integers(0, 9)) == 0 else document


def changed_lines(documents: list[Any]) -> st.SearchStrategy[bytes]:
    """JSON lines, some of them others."""
    return st.tuples(*map(replaced, documents)).map(lambda lines: "\n".join(map(json.dumps, lines)).encode())


# readers


def file(name: str, content: bytes) -> Path:
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


HEADER = record.Header("torch", "eager", "smoke", ("float32",), ("forward",), "digest", 2, "oracle")
RECORDS = tuple(
    record.Record("torch", "eager", case, "float32", "forward", "i3 k2 s2", record.Verdict.DIVERGES, kind="value",
                  message="m", call="f(x)", composed=("crop",), deviation={"count": 1}, certificate={"bits": 24})
    for case in ("a", "b")
)  # fmt: skip
record_file.write(FOLDER / "whole.jsonl", record.Run(HEADER, RECORDS, complete=True))
RECORD_FILE = (FOLDER / "whole.jsonl").read_bytes()
LINES = [json.loads(line) for line in RECORD_FILE.splitlines()]
record_files = damaged(RECORD_FILE) | changed_lines(LINES)


record_lines = damaged(RECORD_FILE.splitlines()[1]).map(lambda line: line.decode(errors="replace")) | replaced(
    LINES[1]
).map(json.dumps)


def read_records(content: bytes) -> None:
    run = record_file.read(file("records.jsonl", content))
    path = run.header.path(FOLDER / "out")
    assert path.resolve().is_relative_to(FOLDER.resolve() / "out"), path
    whole = record_file.merge([run])
    record_file.write(FOLDER / "again.jsonl", whole)
    for each in run.records:
        reproduction(each)
        problem = Problem.parse(each.problem)
        for expectation in expectations.read_expectations("mxnet"):
            expectation.covers(each)
        broken_rule(problem)


TOML = (cases_folder() / "curated" / "windows.toml").read_bytes()[:1500].rpartition(b"[[case]]")[0]
NEGATIVE = (cases_folder() / "negative" / "operands.toml").read_bytes()[:3000].rpartition(b"[[case]]")[0]
CLAIMS = (cases_folder() / "claims" / "000.toml").read_bytes()[:4000].rpartition(b"[[claim]]")[0]
ARRAY_TABLE = tomllib.loads((cases_folder() / "claims" / "arrays.toml").read_text())
EXPECTATIONS = (cases_folder() / "expectations" / "mxnet.toml").read_bytes()
JSON_LINES = [json.loads(line) for line in (cases_folder() / "smoke.jsonl").read_bytes().splitlines()[:4]]
JSON_LINES[0]["cases"] = len(JSON_LINES) - 1
JSONL = "\n".join(map(json.dumps, JSON_LINES)).encode()
case_lines = damaged(JSONL) | changed_lines(JSON_LINES)


def read_negative(content: bytes) -> None:
    list(cases._read_toml("negative/n.toml", content.decode(errors="replace")))


def read_expectations(content: bytes) -> None:
    text = file("expectations.toml", content)
    document = expectations.read_file(text)
    for each in document:
        each.covers(RECORDS[0])


@st.composite
def descriptors(draw: st.DrawFn) -> str:
    word = st.sampled_from([*"iksdgn", "p", "op", "ic", "oc", "bias", "q", ""])
    number = numbers.map(str) | st.sampled_from(["1:2", "-1:-2", "x", "1x", "9" * 19, "0", ""])
    words = [draw(word) + "x".join(draw(st.lists(number, max_size=4))) for _ in range(draw(st.integers(0, 6)))]
    text = " ".join(["i" + draw(number), "k" + draw(number), *words]) if draw(st.booleans()) else " ".join(words)
    return text + draw(st.sampled_from(["", " ", "\n", "x1" * 5000]))


def read_descriptor(text: str) -> None:
    problem = Problem.parse(text)
    assert Problem.parse(str(problem)) == problem
    if broken_rule(problem) is None:
        _ = problem.terms, problem.multiplies, problem.output_shape


WORDS = [
    "rank", "stride", "any(", ")", "min(", "prod(", "(", "and", "not", "*", "//", "%", "+", "-", "<", "==", "0", "7",
    "99999999999999999999", "'text'", "'%999999999d'", "framework", "lo", "pad_end", "terms", "[", ".", "lambda:",
    "x", "**", "if", "else", "__import__('os')", ",", "1e9", "output", "bias", "for",
]  # fmt: skip
predicates = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join) | st.text(max_size=30) | nested


def read_predicate(text: str) -> None:
    Predicate.parse(text)(Problem.parse("i3x4 k2x3 s2 d1x3"), framework="f", variant="v", dtype="float32",
                          direction="forward", claimed="")  # fmt: skip


CALLS = [(framework, *example) for framework in idioms.frameworks() for idiom in idioms.idioms(framework)
         for example, _ in zip(idiom.examples(), range(40), strict=False)]  # fmt: skip
dims = st.lists(numbers.filter(lambda n: n >= 0), max_size=6).map(tuple)


@st.composite
def reshaped(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape with an extent changed, an axis lost, or one more."""
    at = draw(st.integers(0, len(shape)))
    return shape[:at] + draw(dims.map(lambda extents: extents[:1])) + shape[at + draw(st.integers(0, 1)) :]


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, str, Mapping[str, tuple[int, ...]]]:
    framework, text, shapes = draw(st.sampled_from(CALLS))
    whole, broken = st.just(text.encode()), damaged(text.encode())
    content = draw(st.one_of(whole, whole, whole, broken, broken, nested.map(str.encode)))
    if draw(st.booleans()):
        shapes = {name: draw(st.one_of(dims, reshaped(shape))) for name, shape in shapes.items()}
    return framework, content.decode(errors="replace"), shapes


def read_call(given: tuple[str, str, Mapping[str, tuple[int, ...]]]) -> None:
    framework, text, shapes = given
    idioms.read(framework, text, shapes)


LAYERS = {framework: [text for layer in layers(framework) for text in layer.examples()]
                     + [text for each, text, _ in CALLS if each == framework]
          for framework in idioms.frameworks()}  # fmt: skip


@st.composite
def stacks(draw: st.DrawFn) -> tuple[str, str, int]:
    framework = draw(st.sampled_from(sorted(LAYERS)))
    elements = draw(st.lists(st.sampled_from(LAYERS[framework]), min_size=1, max_size=4))
    text = draw(st.sampled_from(["[{}]", "nn.Sequential({})", "x = wrap({})", "{}"])).format(", ".join(elements))
    content = draw(st.one_of(st.just(text.encode()), damaged(text.encode()), nested.map(str.encode)))
    return framework, content.decode(errors="replace"), draw(st.integers(1, 99))


def read_layers(given: tuple[str, str, int]) -> None:
    framework, text, extent = given
    stack = read_stack(framework, [text])
    list(stack_lines(answer_stack(stack, (extent,) * stack.rank)))


def saved(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def claiming(shape: Any, descr: str = "<f4") -> bytes:
    """A .npy file whose header claims anything, with four bytes of content."""
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0\0\0\0"


ARRAYS = [saved(np.arange(6.0).reshape(2, 3)), saved(np.asfortranarray(np.ones((2, 3), np.int8))), saved(np.float32(1))]
shapes = st.lists(numbers, max_size=40).map(tuple) | values
descrs = st.sampled_from(["<f4", "|O", "<f8", "|V1000000000", "<U99999999", "(9,9)f4", "f4,f4", "", "x"]) | st.text(
    max_size=6
)
array_files = st.one_of(
    st.sampled_from(ARRAYS).flatmap(damaged), st.builds(claiming, shapes, descrs).filter(len), st.binary(max_size=60)
)


def zipped(members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in dict(members).items():
            archive.writestr(name, content)
    return buffer.getvalue()


names = st.sampled_from(["a.npy", "../../a.npy", "/a.npy", "a", "a/b/c/actual.npy"])
archives = st.lists(st.tuples(names, array_files), max_size=3).map(zipped).flatmap(damaged)


def read_archive(content: bytes) -> None:
    before = {path for path in FOLDER.parent.iterdir() if path.suffix == ".npy"}
    with Archive(file("a.npz", content)) as arrays:
        for name in arrays:
            with suppress(BoundError, KeyError):
                assert arrays[name].dtype.kind in "iuf"
    assert {path for path in FOLDER.parent.iterdir() if path.suffix == ".npy"} == before


TORCH = [path.read_bytes() for path in sorted(Path(__file__).with_name("io").joinpath("torch_files").glob("*.pt"))]
SAFETENSORS = save({"a": np.ones((2, 3), np.float32), "b": np.arange(4, dtype=np.int8)})


@st.composite
def torch_files(draw: st.DrawFn) -> bytes:
    """What torch.save wrote, damaged in whole or in what says how tensors are laid out."""
    whole = draw(st.sampled_from(TORCH))
    if draw(st.booleans()) or not zipfile.is_zipfile(io.BytesIO(whole)):
        return draw(damaged(whole))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    return zipped([(name, draw(damaged(content)) if name.endswith(".pkl") else content) for name, content in members])


def read_tensors(suffix: str, content: bytes) -> None:
    path = file(f"a{suffix}", content)
    for name in READERS_OF_TENSORS[suffix](path).names:
        with suppress(BoundError):
            assert read_tensor(f"{path}:{name}" if name else str(path)).array.dtype.kind in "iuf"


HOSTILE = [
    "\x1b[31m",
    "\x07",
    "\r",
    "\b",
    "\x7f",
    "\x9b",
    "\u202e",
    "\ud800",
    "\0",
    "\n",
    "$(id)",
    "';id;'",
    "<b>",
    "]]>",
    "|",
]
texts = st.lists(st.sampled_from([*HOSTILE, "a", " with ", "x=1", "3"]), max_size=5).map("".join)


@st.composite
def hostile_records(draw: st.DrawFn) -> bytes:
    """A record file whose texts are made to be obeyed by a terminal, a shell, a browser or a parser of XML."""
    fields = draw(st.lists(st.sampled_from(["case", "message", "call", "kind", "idiom", "fault", "claimed", "problem"]),
                           max_size=4))  # fmt: skip
    line = LINES[1] | {name: draw(texts) for name in fields} | {"trace": [draw(texts)], "composed": [draw(texts)]}
    header = LINES[0] | {"environment": {draw(texts): draw(texts)}}
    return "\n".join(map(json.dumps, [header, line, *LINES[2:]])).encode()


def read_hostile(content: bytes) -> None:
    """Whatever is told of it is fit for a terminal, and its commands are one command each."""
    run = record_file.read(file("hostile.jsonl", content))
    comparison = compare((run,), (run,))
    said = [*changes.text_lines(comparison), *findings(run, ())]
    assert str(printable("\n".join(said))).replace("\n", "").isprintable()
    ElementTree.fromstring(changes.junit([comparison], ()))
    assert changes.markdown([comparison], ()).replace("\n", "").isprintable()
    json.dumps(changes.document([comparison], ())).encode()
    for each in run.records:
        assert shlex.split(reproduction(each))[0] == "conformance"
    with Store(Path(":memory:")) as store:
        store.add(record.Run(replace(run.header, started="2026-01-01T00:00:00+00:00"), run.records, run.complete))
        list(store.lines())


kinds = st.sampled_from(["pipe", "socket", "folder", "device", "link", "file"])


def read_irregular(kind: str) -> None:
    """What is no regular file, by every reader of files, and one that is."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as name, socket.socket(socket.AF_UNIX) as server:
        path = Path(name, "torch-eager-smoke.jsonl")
        if kind == "file":
            read_array(file(f"{path.parent.name}/a.npy", ARRAYS[0]))
            return
        if kind == "folder":
            path.mkdir()
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            server.bind(str(path))
        else:
            path.symlink_to("/dev/zero" if kind == "device" else "nowhere")
        for read in (record_file.read, expectations.read_file, lambda p: list(cases.read_file(p))):
            with suppress(RecordError, ExpectationError, CaseError):
                read(path)
                raise AssertionError(f"{kind} was read")
        read_array(path)


def write_on_a_full_disk(largest: int) -> None:
    """A record file, written where no file may have more than some bytes: it is whole, or the old one is there."""
    target = FOLDER / "full" / "a.jsonl"
    record_file.write(target, record.Run(replace(HEADER, expected=0), (), complete=True))
    old, limits = target.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, limits[1]))
    try:
        record_file.write(target, record.Run(HEADER, RECORDS, complete=True))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert [each.name for each in target.parent.iterdir()] == ["a.jsonl"]
        assert target.read_bytes() == (old if largest < len(RECORD_FILE) else RECORD_FILE)


READERS = (
    Reader("hostile records", hostile_records(), read_hostile, (RecordError,)),
    Reader("irregular files", kinds, read_irregular, (OSError,)),
    Reader("full disks", st.integers(0, 2 * len(RECORD_FILE)), write_on_a_full_disk, (OSError,)),
    Reader(
        "recorded calls",
        texts | texts.map("f({}) with x=1,2".format),
        lambda t: str(parse(t)),
        (RecordedCallError,),
    ),
    Reader("record files", record_files, read_records, (RecordError, ProblemError)),
    Reader("record lines", record_lines, record_file.parse, (RecordError,)),
    Reader("case files, TOML", damaged(TOML), lambda c: list(cases.read_file(file("c.toml", c))), (CaseError,)),
    Reader("negative cases", damaged(NEGATIVE), read_negative, (CaseError,)),
    Reader("claims", damaged(CLAIMS), lambda c: list(ledger.read_file(file("l.toml", c), ARRAY_TABLE)), (ClaimError,)),
    Reader("case files, JSONL", case_lines, lambda c: list(cases.read_file(file("c.jsonl", c))), (CaseError,)),
    Reader("expectations", damaged(EXPECTATIONS), read_expectations, (ExpectationError, PredicateError)),
    Reader("descriptors", descriptors(), read_descriptor, (ProblemError,)),
    Reader("predicates", predicates, read_predicate, (PredicateError,)),
    Reader("calls", calls(), read_call, (ExpressionError, IdiomError, Refusal, ProblemError)),
    Reader("stacks", stacks(), read_layers, (SizesError, ExpressionError, IdiomError, ProblemError)),
    Reader(".npy files", array_files, parse_array, (BoundError,)),
    Reader(".npz files", archives, read_archive, (BoundError,)),
    Reader(".pt files", torch_files(), partial(read_tensors, ".pt"), (BoundError,)),
    Reader(".safetensors files", damaged(SAFETENSORS), partial(read_tensors, ".safetensors"), (BoundError,)),
)


def feed(reader: Reader, examples: int, number: int | None = None) -> Counter[str]:
    """Feed a reader; how many inputs ended in what. Raises whatever is not documented, with the smallest such input."""
    endings: Counter[str] = Counter()

    @given(reader.inputs)
    def one(content: Any) -> None:
        try:
            reader.read(content)
            endings["read"] += 1
        except reader.documented as error:
            endings[type(error).__name__] += 1

    phases = [Phase.generate, Phase.shrink]
    profile = settings(max_examples=examples, deadline=None, database=None, phases=phases, derandomize=number is None,
                       suppress_health_check=list(HealthCheck))  # fmt: skip
    profile(one if number is None else seed(number)(one))()
    return endings


def main() -> int:
    """Feed every reader in turn until the time is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    end = time.monotonic() + 60 * parser.parse_args().minutes
    endings: dict[str, Counter[str]] = {reader.name: Counter() for reader in READERS}
    failures: dict[str, str] = {}
    number = 0
    while time.monotonic() < end:
        number += 1
        for reader in READERS:
            try:
                endings[reader.name] += feed(reader, 200, number)
            except Exception as error:
                frames = "".join(traceback.format_tb(error.__traceback__)[-4:])
                failures.setdefault(f"{reader.name}: {type(error).__name__}", f"{str(error)[:300]}\n{frames}")
    for name, counts in endings.items():
        ended = ", ".join(f"{count:,} {what}" for what, count in counts.most_common())
        print(f"{name:20} {counts.total():9,} inputs: {ended}")
    total = sum(counts.total() for counts in endings.values())
    print(f"{total:,} inputs, {number} seeds, {len(failures)} kinds of other exceptions")
    for name, text in failures.items():
        print(f"\n{name}: {text}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
