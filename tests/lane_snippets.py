"""Scripts of the site, run as they are pasted, in each lane's own environment: what they print is what they claim."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from conformance import adapters, idioms, oracle
from conformance.adapters import AdapterError
from conformance.adapters.base import Lane
from conformance.analysis.content.snippets import of_call, of_gradient, of_negative, of_problem, of_record
from conformance.calls import suites
from conformance.idioms.base import ClaimedCall
from conformance.numerics import gradients, operands, upstream
from conformance.problem import Problem
from conformance.records.record import NEGATIVE, Record, Verdict
from conformance.records.record_file import read
from conformance.suites import cases

DTYPE = "float32"
RIGHT = ("i3 k2", "i5 k3 s2 p1:2 op1 bias n2", "i4x3 k3x2 s2 p1x0 oc2 ic2", "i3x2 k2 s2x1 p0:1x-1")
WRONG = {"mxnet-native": {"i2 k2 s2 d2": "2 of 5 values differ"}}
"""What a lane is known to get wrong, and what the script says of it."""
NEGATIVES = {
    "torch-eager": {
        "bias-other-dtype-1d": "answered, though bias is of another dtype than the rest",
        "stride-14000-1d": "",
        "x-reversed-axes-2d": "0 of ", "x-every-second-2d": "0 of ", "x-one-value-2d": "0 of ",
    },
    "jax-jit": {
        "input-0-1d": "answered, though input is 0 on axis 0",
        "weight-nan-dilated-1d": "",
        "weight-axis-less-1d": "AssertionError",
        "stride-0-1d": "TypeError",
    },
    "mxnet-native": {
        "padding-2e32-1d": "answered, though the output extents are",
        "op-2e32-1d": "shape (1, 3, 7), expected (1, 3, 4294967303)",
        "stride-2e40-1d": "",
    },
    "mxnet-onednn": {"weight-scalar-1d": ""},
    "tensorflow-onednn": {"input-0-1d": "answered, though input is 0 on axis 0"},
    "tensorflow-eigen": {"input-0-1d": "answered, though input is 0 on axis 0"},
}  # fmt: skip
"""What the scripts of negative cases say at their end; nothing where it depends on the machine."""

REFUSED = {
    "tensorflow-eigen": ("i2x1 k1 d2", "conv2d_transpose_v2([1, 2, 1, 1], [1, 1, 1, 1], output_shape=(1, 2, 1, 1), "
                         "strides=(1, 1), padding='VALID', dilations=(2, 2))", "InvalidArgumentError"),
    "mxnet-native": ("i1x1x1 k1", "Deconvolution([1, 1, 1, 1, 1], [1, 1, 1, 1, 1], kernel=(1, 1, 1), num_filter=1, "
                     "no_bias=True)", "MXNetError: Only 1D or 2D Deconvolution is natively supported"),
}  # fmt: skip
"""Calls that lanes refuse, as records have them, of problems that other calls of theirs can say."""


def installed() -> list[Lane]:
    """The lanes of the framework whose environment this is; there must be one.

    Keras, which comes with TensorFlow, has idioms among those of its backends, and an environment of its own.
    """
    found = []
    for lane in adapters.lanes():
        if lane.framework not in idioms.frameworks():
            continue
        try:
            adapters.require_installed(lane.framework)
        except AdapterError:
            continue
        found.append(lane)
    assert found, "no framework is installed here: run this in a lane's environment, as tox does"
    return found


def ending(path: Path, code: str) -> str:
    """The last line that a script prints, or the exception that it ends with, or the signal that it dies by."""
    (path / "pasted.py").write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, path / "pasted.py"], capture_output=True, text=True, timeout=300)
    if done.returncode < 0:
        return f"killed by {signal.Signals(-done.returncode).name}"
    if done.returncode:
        return str(re.findall(r"^(?:\w+\.)*(\w*Error\b.*)", done.stderr, re.MULTILINE)[-1])
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("lane", "problem", "said"),
    [(lane, problem, "0 of ") for lane in installed() for problem in RIGHT]
    + [(lane, *each) for lane in installed() for each in WRONG.get(str(lane), {}).items()],
    ids=str,
)
def test_a_script_prints_how_many_values_differ(tmp_path: Path, lane: Lane, problem: str, said: str) -> None:
    drawn = Problem.parse(problem)
    arrays = operands.draw(problem.replace(" ", "-"), drawn)
    snippet = of_problem(lane, drawn, arrays, oracle.expected(drawn, *arrays), DTYPE)
    assert ending(tmp_path, snippet.code).startswith(said)


@cache
def recorded(lane: Lane) -> Mapping[str, Record]:
    """What this machine makes of the lane's negative cases above, each in a process of its own, by case."""
    asked = [word for case in NEGATIVES[str(lane)] for word in ("--case", case)]
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        options = ["--variant", lane.variant, "--suite", NEGATIVE, "--dtype", DTYPE, "-n", "0", "--records", folder]
        command = [sys.executable, "-m", "conformance", "run", lane.framework, *options, *asked]
        subprocess.run(command, capture_output=True, timeout=600, check=False)  # its verdicts are known, or are not
        (path,) = Path(folder).rglob("*.jsonl")
        return {each.case: each for each in read(path).records}


def as_recorded(record: Record) -> str:
    """What a script says, or dies by, if it ends as the record has it."""
    if record.verdict is Verdict.CRASHED:
        return str(re.findall(r"killed by SIG[A-Z]+", record.message)[0])
    if record.verdict is Verdict.ACCEPTS_INVALID:
        return "answered, though "
    if record.verdict in (Verdict.REJECTS, Verdict.ERRORED):
        return record.message.partition(":")[0]
    if record.kind == "shape":
        return "shape "
    return f"{record.deviation['count'] if record.deviation else 0} of "


@pytest.mark.parametrize(
    ("lane", "case", "said"),
    [(lane, *each) for lane in installed() for each in NEGATIVES.get(str(lane), {}).items()],
    ids=str,
)
def test_a_negative_case_s_script_ends_as_its_record_says(tmp_path: Path, lane: Lane, case: str, said: str) -> None:
    (found,) = (each for each in cases.read_suite(NEGATIVE).cases if each.id == case)
    last = ending(tmp_path, of_negative(lane, found, DTYPE).code)
    assert last.startswith(as_recorded(recorded(lane)[case]))
    assert last.startswith(said)


GRADED = ("i3 k2 s2 bias", "i5 k3 s2 p1:2 op1 bias n2", "i4x3 k3x2 s2 p1x0 ic2 oc2 g2", "i3x2 k2 s2x1 p0:1x-1")


CALLED = """
import json, sys
from conformance import adapters
from conformance.adapters.base import differentiated
from conformance.numerics import gradients, upstream
from conformance.problem import Problem
adapter = adapters.load(adapters.lane(*sys.argv[1:3]))
for text in sys.argv[3:]:
    problem = Problem.parse(text)
    arrays, above = upstream.draw(text, problem)
    for direction in gradients.passes_of(problem):
        call = adapter.translate(problem, *arrays.astype("float32"))
        made = differentiated(adapter, problem, call, direction, above.astype("float32"))
        print(json.dumps([text, direction, str(made), made.composed]))
"""
"""Prints the calls that a lane makes of gradients, as its records have them."""


@cache
def called(lane: Lane) -> Mapping[tuple[str, str], tuple[str, list[str]]]:
    """The text of a lane's call, and what assisted it, by problem and pass."""
    command = [sys.executable, "-c", CALLED, lane.framework, lane.variant, *GRADED]
    environment = os.environ | adapters.settings(lane)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    lines = (json.loads(line) for line in done.stdout.splitlines())
    return {(problem, direction): (call, composed) for problem, direction, call, composed in lines}


@pytest.mark.parametrize("problem", GRADED)
@pytest.mark.parametrize(
    "lane", [lane for lane in installed() if adapters.differentiates(lane.framework)], ids=str
)  # fmt: skip
def test_a_gradient_s_script_gives_what_is_expected(tmp_path: Path, lane: Lane, problem: str) -> None:
    drawn = Problem.parse(problem)
    for direction in gradients.passes_of(drawn):
        call, composed = called(lane)[problem, direction]
        record = Record(lane.framework, lane.variant, problem, DTYPE, direction, problem, Verdict.DIVERGES, call=call,
                        composed=tuple(composed))  # fmt: skip
        expected = gradients.expected(drawn, direction, *upstream.draw(problem, drawn))
        refused = lane == Lane("tensorflow", "eigen") and drawn.groups > 1  # as the forward call is, too
        said = "InvalidArgumentError: " if refused else "0 of "
        assert ending(tmp_path, of_gradient(lane, record, expected).code).startswith(said), direction


@pytest.mark.parametrize("lane", installed(), ids=str)
def test_a_call_that_is_to_be_refused_ends_in_an_exception(tmp_path: Path, lane: Lane) -> None:
    every = suites.suite(lane.framework, lane.variant).cases
    case = min((each for each in every if each.refused), key=lambda each: (not each.id.startswith("keras"), each.id))
    assert isinstance(case.subject, ClaimedCall)
    arrays = operands.draw(case.id, case.drawn)
    made = of_call(lane, case.subject, lane.framework, arrays, None, DTYPE)
    assert re.match(r"\w*Error\b", ending(tmp_path, made.code))


@pytest.mark.parametrize(
    ("lane", "problem", "call", "said"),
    [
        (lane, *REFUSED[str(lane)]) for lane in installed() if str(lane) in REFUSED
    ],
    ids=str,
)  # fmt: skip
def test_a_refused_call_s_script_is_that_call_and_not_a_way_around_it(
    tmp_path: Path, lane: Lane, problem: str, call: str, said: str
) -> None:
    record = Record(lane.framework, lane.variant, "a", "float32", "forward", problem, Verdict.REJECTS, call=call)
    expected = oracle.expected(Problem.parse(problem), *operands.draw("a", Problem.parse(problem)))
    assert ending(tmp_path, of_record(lane, record, expected).code).startswith(said)


CALLS = {
    "torch": ("torch.nn.ConvTranspose2d(4, 2, 5, stride=2, padding=1)", {"x": "1,4,7,7"}),
    "tensorflow": ("keras.layers.Conv2DTranspose(2, 5, strides=2, padding='same')", {"x": "1,7,7,4"}),
    "jax": ("jax.lax.conv_transpose(x, w, (2, 2), 'SAME')", {"x": "1,7,7,4", "w": "5,5,4,2"}),
    "mxnet": ("mx.nd.Deconvolution(x, w, b, kernel=(5,), num_filter=2, no_bias=False)",
              {"x": "1,4,7", "w": "4,2,5", "b": "2"}),
}  # fmt: skip
"""Calls that are in no suite."""


@pytest.mark.parametrize("direction", ["forward", "weight"])
@pytest.mark.parametrize("lane", installed(), ids=str)
def test_a_call_that_is_in_no_suite_is_made_and_judged(lane: Lane, direction: str) -> None:
    text, shapes = CALLS[lane.framework]
    words = [word for name, shape in shapes.items() for word in ("--shape", f"{name}={shape}")]
    command = [sys.executable, "-m", "conformance", "call", lane.framework, text, *words, "--variant", lane.variant]
    command += ["--pass", direction]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert f"\nconforms: {lane} float32" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0
