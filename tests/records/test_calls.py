"""A record's call: one parser of its text, and commands that a shell takes as one command whatever the record says."""

import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.analysis.content import faults
from conformance.calls import reproducer
from conformance.records.calls import RecordedCall, RecordedCallError, parse
from conformance.records.record import Record, SubjectKind, Verdict
from conformance.records.reproduction import reproduction

AMBIGUOUS = "tf.nn.conv1d_transpose(x, w, [1, 7, 3], 2, name='a with b with x=1')"
SHAPES = {"x": (1, 3, 2), "w": (3, 3, 2)}
CALL = f"{AMBIGUOUS} with x=1,3,2 w=3,3,2"
RECORD = Record("tensorflow", "eigen", "a-case", "float32", "forward", "i3 k3 s2", Verdict.DIVERGES, call=CALL,
                idiom="tf-nn/valid")  # fmt: skip

texts = st.text(max_size=20) | st.sampled_from([" with ", "f() with x=1", "'a with b'", "$(touch owned)", "`id`"])
shapes = st.dictionaries(st.sampled_from(["x", "w", "b", "z", "self.weight"]), st.lists(st.integers(0, 99)).map(tuple),
                         min_size=1)  # fmt: skip


@given(texts.filter(bool), shapes)
def test_what_is_written_is_read_back(text: str, shapes: dict[str, tuple[int, ...]]) -> None:
    assert parse(str(RecordedCall(text, shapes))) == RecordedCall(text, shapes)


@pytest.mark.parametrize("call", ["", "f(x)", "f(x) with ", "f(x) with x", "f(x) with x=", "f(x) with x=-1",
                                  "f(x) with x=1 ", "f(x) with x=1  w=2", " with x=1", "f(x) with x=1;id"])  # fmt: skip
def test_what_has_no_shapes_is_no_call(call: str) -> None:
    with pytest.raises(RecordedCallError, match="is no call with the shapes of its tensors"):
        parse(call)


def test_a_call_that_says_with_is_read_alike_by_all() -> None:
    assert parse(CALL) == RecordedCall(AMBIGUOUS, SHAPES)
    point, source = faults._written_call(RECORD)
    assert source == "tensorflow"
    assert point is not None
    assert point.text == AMBIGUOUS
    assert "a with b with x=1" in reproducer.write(RECORD).text
    words = shlex.split(reproduction(RECORD))
    assert words[:8] == ["conformance", "call", "tensorflow", AMBIGUOUS, "--shape", "x=1,3,2", "--shape", "w=3,3,2"]


@pytest.mark.parametrize(
    ("idiom", "subject", "source"),
    [
        ("", SubjectKind.PROBLEM, ""),
        ("torch-layer/padding", SubjectKind.CALL, ""),
        ("port/torch-to-jax", SubjectKind.PORT, "torch"),
        ("port/", SubjectKind.PORT, ""),
        ("claim", SubjectKind.CLAIM, ""),
    ],
)
def test_a_record_says_what_was_put_to_the_framework(idiom: str, subject: SubjectKind, source: str) -> None:
    record = replace(RECORD, idiom=idiom)
    assert (record.subject, record.ported_from) == (subject, source)


HOSTILE = [
    "a;touch owned", "$(touch owned)", "`touch owned`", "a'b\"c", "a b", "*", "~", "&& touch owned", "|cat", "\\",
    "-n", "a\\'; touch owned; '", "!!", "#", "{a,b}", "\u202eabc", "\u00e9",
]  # fmt: skip


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program named conformance in PATH, in an empty folder, that writes down what it was called with."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "conformance"
    program.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\" END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


def argv(commands: list[str], folder: Path) -> list[list[str]]:
    """What the program was called with by each command, all of them in one shell."""
    done = subprocess.run(["sh", "-c", "\n".join(commands)], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert list(folder.iterdir()) == []
    return [called.split("\0")[:-1] for called in done.stdout.split("END\0")[:-1]]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"idiom": "", "call": ""}, "case"), ({"idiom": "", "call": ""}, "problem"), ({}, "call"),
        ({"idiom": SubjectKind.CLAIM}, "case"), ({"fault": "stride-0"}, "case"), ({"rounding": {"terms": 1}}, "case"),
        ({"idiom": "port/torch-to-jax"}, "call"), ({"idiom": "port/torch-to-jax", "call": ""}, "case"),
        ({"idiom": ""}, "variant"), ({"idiom": ""}, "dtype"),
    ],
)  # fmt: skip
def test_a_shell_takes_a_printed_command_as_it_is_meant(changes: dict[str, Any], field: str, said: Path) -> None:
    values = [f"{text} with x=1,2" if field == "call" else text for text in HOSTILE]
    commands = [reproduction(replace(RECORD, **{**changes, field: value})) for value in values]
    for text, command, words in zip(HOSTILE, commands, argv(commands, said), strict=True):
        assert words == shlex.split(command)[1:]
        assert text in words
