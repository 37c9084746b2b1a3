"""A scan as a suite: its layers on exact data, and with the model's own weights within the bound of rounding."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from conformance import oracle
from conformance.numerics import learnt
from conformance.numerics.operands import DataError
from conformance.numerics.rounding import BITS, _rounded
from conformance.problem import Problem
from conformance.records.record import Header, Record, Run, Verdict
from conformance.records.record_file import read
from conformance.regression.comparison import compare
from conformance.regression.layers import layers
from conformance.regression.side_by_side import Times
from conformance.report.changes import html, layer_lines, markdown
from conformance.run import Job, evaluate
from conformance.runner.selection import SelectionError, with_weights
from conformance.scan import scanning
from conformance.suites.case import Case, Rounded
from conformance.suites.cases import CaseError, read_suite
from conformance.suites.references import compute
from tests.scan.test_onnx import BIAS, UP1, UP2, decoder, node, save
from tests.test_run import LANE, Fake

RNG = np.random.default_rng(0)
ADAPTERS = Path(__file__).parents[1] / "adapters"


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    scanned = scanning.scan(str(decoder(tmp_path / "m.onnx")))
    path = tmp_path / "m.jsonl"
    path.write_bytes(scanned.scan.content)
    path.with_suffix(".safetensors").write_bytes(scanning.stored(scanned.weights))
    return path


def test_each_layer_is_a_case_on_exact_data(scan: Path) -> None:
    suite = read_suite(str(scan))
    assert (suite.name, suite.dtypes, suite.file) == ("scan-m", ("float32",), str(scan))
    assert [case.id for case in suite.cases] == ["layer-up1-convtranspose", "layer-h3", "layer-up3"]
    assert suite.cases[1].why == (
        'h3 of m.onnx: onnx.helper.make_node("ConvTranspose", ["x", "w"], ["y"], auto_pad="SAME_UPPER", strides=[2, 2])'
    )
    assert compute(suite.cases[1]).largest <= 1 << BITS


def test_own_weights_are_whole_numbers_times_a_power_of_two(scan: Path) -> None:
    suite = read_suite(f"{scan}:weights")
    assert [case.id for case in suite.cases][1] == "layer-h3-weights"
    reference = compute(suite.cases[1])
    weight = reference.arrays.weight
    scale = UP2.astype(np.float64) / weight
    assert np.unique(scale).size == 1
    assert np.log2(scale.flat[0]) % 1 == 0
    x, weight, _ = reference.arrays
    exact = oracle.expected(suite.cases[1].problem, x.astype(object), weight.astype(object), None)
    assert np.array_equal(exact.astype(np.int64), reference.expected)


def problem_of(weight: np.ndarray[Any, Any], **words: Any) -> Problem:
    return Problem.of((5, 6), weight.shape[2:], 2, in_channels=weight.shape[0], out_channels=weight.shape[1], **words)


@pytest.mark.parametrize("scale", [1.0, 2.0**-120, 2.0**80])
def test_weights_of_any_size_fit_and_are_held_by_their_dtype(scale: float) -> None:
    weight = (RNG.standard_normal((3, 2, 2, 3)) * np.exp(4 * RNG.standard_normal((3, 2, 2, 3))) * scale).astype("f4")
    bias = (RNG.standard_normal(2) * scale).astype("f4")
    problem = problem_of(weight, bias=True)
    arrays = learnt.draw("a", problem, weight, bias)
    assert arrays.bias is not None
    magnitudes = oracle.expected(problem, *(abs(array).astype(object) for array in (*arrays[:2], arrays.bias)))
    assert magnitudes.max() < 1 << 62
    for array in (arrays.weight, arrays.bias):
        assert np.array_equal(array.astype("f4").astype(object), array.astype(object))
    largest = np.abs(weight).argmax()
    assert arrays.weight.flat[largest] / weight.flat[largest] == pytest.approx(
        arrays.bias.flat[0] / bias.flat[0], rel=1e-6
    )


def test_weights_that_are_all_zero_are_taken_and_others_that_are_not_finite_refused() -> None:
    weight = np.zeros((1, 1, 2, 2), "f4")
    assert not learnt.draw("a", problem_of(weight), weight, None).weight.any()
    weight[0, 0, 0, 0] = np.inf
    with pytest.raises(DataError, match="not finite"):
        learnt.draw("a", problem_of(weight), weight, None)


def judged(case: Case, adapter: Fake) -> Record:
    (result,) = evaluate(LANE, adapter, [Job(case, "float32", compute(case))])
    return result.record


def test_another_order_of_summation_conforms_and_fewer_bits_do_not(scan: Path) -> None:
    case = read_suite(f"{scan}:weights").cases[1]
    assert isinstance(case.subject, Rounded)
    record = judged(case, Fake(lambda y: y.astype("f4")))
    assert (record.verdict, record.rounding is not None and record.rounding["learnt"]) == (Verdict.CONFORMS, 1)
    reference = compute(case)
    narrow = reference.arrays._replace(weight=_rounded(reference.arrays.weight, 8))
    worse = oracle.expected(case.problem, *narrow).astype("f4")
    record = judged(case, Fake(lambda y: worse))
    assert record.verdict is Verdict.DIVERGES
    assert "as if weight had been rounded to the 8 bits of bfloat16" in record.message


def test_weights_that_were_not_kept_or_are_others_are_named(scan: Path) -> None:
    case = read_suite(f"{scan}:weights").cases[0]
    assert isinstance(case.subject, Rounded)
    assert case.subject.learnt
    other = replace(case, subject=Rounded(replace(case.subject.learnt, digest="0")))
    with pytest.raises(ValueError, match="is another weight than was scanned: scan the model again with --weights"):
        compute(other)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is no scan"), ('{"format": "conformance-record/1"}\n', "is no scan"),
        ('{"format": "conformance-scan/1", "model": "m", "kind": "k", "digest": "d", "rows": 2}\n', "counts 2 rows"),
        ('{"format": "conformance-scan/1", "model": "m", "kind": "k", "digest": "d", "rows": 0}\n', "has no problem"),
        ('{"format": "conformance-scan/1", "rows": "x"}\n', ":1: "),
        ('{"format": "conformance-scan/1", "model": "m", "kind": "k", "digest": "d", "rows": 1}\n'
         '{"id": "a", "layer": "a", "place": "", "call": "", "problem": "i0 k1"}\n', "must be at least 1"),
    ],
)  # fmt: skip
def test_what_is_no_scan_is_said_in_a_line(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(content)
    with pytest.raises(CaseError, match=message) as raised:
        read_suite(str(path))
    assert "\n" not in str(raised.value)


def test_a_scan_that_there_is_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="No such file or directory: give a scan"):
        read_suite(str(tmp_path / "none.jsonl"))


def test_weights_are_asked_of_scans_alone() -> None:
    assert with_weights(["core", "s.jsonl"], own=True) == ("core", "s.jsonl", "s.jsonl:weights")
    with pytest.raises(SelectionError, match="--weights are of a model that was scanned"):
        with_weights(["core"], own=True)


def test_a_scan_is_run_on_a_lane_with_own_weights(scan: Path, tmp_path: Path) -> None:
    words = ["--variant", "single", "--suite", str(scan), "--weights", "-n", "0", "--records", str(tmp_path / "r")]
    ended = subprocess.run(
        [sys.executable, "-m", "conformance", "run", "oracle_adapter", *words], capture_output=True, text=True,
        env={**os.environ, "CONFORMANCE_ADAPTERS": str(ADAPTERS)}, check=False,
    )  # fmt: skip
    assert "oracle_adapter-single scan-m: 3 conform" in ended.stdout, ended.stderr
    assert "oracle_adapter-single scan-m-weights: 3 conform" in ended.stdout
    run = read(tmp_path / "r" / "oracle_adapter-single-scan-m-weights.jsonl")
    assert [record.case for record in run.records] == [
        "layer-h3-weights", "layer-up1-convtranspose-weights", "layer-up3-weights",
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "message"), [
    ("h3", "h3: "), ("/up1/ConvTranspose.bias", "/up1/ConvTranspose: its bias is of shape (1,): "),
])  # fmt: skip
def test_weights_that_are_not_those_scanned_end_a_run_in_a_line(
    scan: Path, tmp_path: Path, name: str, message: str
) -> None:  # fmt: skip
    kept = scan.with_suffix(".safetensors")
    held = load_file(kept)
    held[name] = held[name][:1]
    save_file(held, kept)
    ended = subprocess.run(
        [sys.executable, "-m", "conformance", "run", "oracle_adapter", "--suite", str(scan), "--weights", "-n", "1",
         "--records", str(tmp_path / "r")], capture_output=True, text=True,
        env={**os.environ, "CONFORMANCE_ADAPTERS": str(ADAPTERS)}, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    said = [line for line in (ended.stdout + ended.stderr).splitlines() if line]
    assert len(said) == 1, said
    assert said[0].startswith(f"conformance: {kept}: {message}")
    assert said[0].endswith(": scan the model again with --weights")


def test_a_layer_that_is_named_like_the_bias_of_another_keeps_its_weight(tmp_path: Path) -> None:
    nodes = [node("x", "w", "b", to="h", name="up"), node("h", "v", to="y", name="up.bias")]
    model = save(tmp_path / "m.onnx", nodes, {"w": UP1, "b": BIAS, "v": UP2})
    scanned = scanning.scan(str(model))
    assert [row.layer for row in scanned.scan.rows] == ["up", "up.bias.2"]
    assert {name: read().shape for name, read in scanned.weights.items()} == {
        "up": UP1.shape, "up.bias": BIAS.shape, "up.bias.2": UP2.shape,
    }  # fmt: skip
    nodes = [node("x", "w", to="h", name="up.bias"), node("h", "v", "b", to="y", name="up")]
    model = save(tmp_path / "m.onnx", nodes, {"w": UP1, "b": BIAS[:4], "v": UP2})
    assert [row.layer for row in scanning.scan(str(model)).scan.rows] == ["up.bias", "up.2"]


def records(suite: str, *rows: tuple[str, str, Verdict, str]) -> Run:
    header = Header("torch", "eager", suite, ("float32",), ("forward",), "c" * 16, len(rows), "o" * 16)
    made = tuple(
        Record("torch", "eager", case, "float32", "forward", "i5 k3", verdict, kind=kind, actual=actual, expected="e",
               rounding={"rho": 1.5, "terms": 3} if suite.endswith("weights") else None)
        for case, actual, verdict, kind in rows
    )  # fmt: skip
    return Run(header, made, True)


def test_layers_are_told_apart_by_what_became_of_their_bits() -> None:
    right, wrong = Verdict.CONFORMS, Verdict.DIVERGES
    exact = [records("scan-m", *[(f"layer-{name}", "e", right, "") for name in "abc"]) for _ in range(2)]
    exact[1] = records("scan-m", ("layer-a", "e", right, ""), ("layer-b", "x", wrong, "value"),
                       ("layer-c", "e", right, ""))  # fmt: skip
    own = [
        records("scan-m-weights", *[(f"layer-{name}-weights", "1", right, "") for name in "abcd"]),
        records("scan-m-weights", ("layer-a-weights", "1", right, ""), ("layer-b-weights", "1", right, ""),
                ("layer-c-weights", "2", right, ""), ("layer-d-weights", "3", wrong, "value")),
    ]  # fmt: skip
    comparisons = [compare([old], [new]) for old, new in (exact, own)]
    assert [(row.layer, row.exact, row.own) for row in layers(comparisons)] == [
        ("layer-b", "broken", "same bits"), ("layer-d", "", "worse than any rounding"),
        ("layer-c", "the same", "rounds otherwise within the bound"), ("layer-a", "the same", "same bits"),
    ]  # fmt: skip
    assert next(layer_lines(comparisons)).startswith("  torch-eager layer-b 'i5 k3' float32: exact data: broken; own")
    page = html(comparisons, ())
    assert "The model, layer by layer" in page
    assert page.index("layer-b<br>") < page.index("layer-d<br>") < page.index("layer-c<br>") < page.index("layer-a<br>")
    assert "| torch-eager | layer-b |" in markdown(comparisons, ())
    timed = {record.key: Times(0.001, 0.003) for record in exact[1].records[:1]}
    page = html([compare([exact[0]], [exact[1]], timed=timed), comparisons[1]], ())
    assert "Milliseconds, side by side" in page
    assert page.count("1.00 -&gt; 3.00") == 1
    assert "0.00 -&gt; 0.00" not in page
