"""A function of the user: whatever it does ends in one record, the run goes on, and nothing of the user's changes."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conformance
from conformance import CheckError, NonconformityError, cases, check, oracle
from conformance.records import record_file
from conformance.suites.references import compute
from conformance.testing.function import taken
from conformance.testing.report import Report
from tests.testing.test_public import Foreign

SMOKE = cases("smoke")


def right(x: Any, weight: Any, bias: Any = None, **options: Any) -> Any:
    return oracle.conv_transpose(x, weight, bias, **options).astype(x.dtype)


def test_a_right_function_conforms_on_every_case(tmp_path: Path) -> None:
    report = check(right, suite="smoke")
    assert report.verdicts == {"conforms": 120}
    assert report.conforms
    report.raise_for_failures()
    assert str(report) == "right, suite smoke: 120 records: 120 conform\nnothing fails"
    file = report.write(tmp_path)
    assert file == tmp_path / "right-function-smoke.jsonl"
    assert record_file.read(file) == report.run
    assert report.run.header.environment["function"] == "right"


@pytest.mark.slow
def test_all_of_many_divergences_are_diagnosed_and_the_smallest_is_told_with_its_numbers() -> None:
    def begins_late(x: Any, weight: Any, bias: Any = None, *, padding: Any, output_padding: Any, **options: Any) -> Any:
        """The rows of output_padding are put at the beginning."""
        stamp = right(x, weight, padding=0, output_padding=0, **options)
        wide = np.pad(stamp, ((0, 0), (0, 0), *((more, 0) for more in output_padding)))
        cut = wide[(slice(None), slice(None), *(slice(p, n - p) for p, n in zip(padding, wide.shape[2:], strict=True)))]
        return cut if bias is None else cut + bias.reshape(-1, *[1] * (x.ndim - 2))

    report = check(begins_late, suite="grid", dtypes=["float32"])
    (fault,) = (each for each in report.faults if each.what == "equals the oracle with window moved")
    assert fault.count == report.verdicts["diverges"] > 200
    assert "output_padding" in fault.where.sentence or "lo > hi" in fault.where.sentence
    assert "equals the oracle with window moved by (-1, +1)" in str(report)


def test_a_wrong_function_is_diagnosed_with_a_predicate_and_its_smallest_case(tmp_path: Path) -> None:
    def reversed_taps(x: Any, weight: Any, bias: Any = None, **options: Any) -> Any:
        return right(x, np.flip(weight, -1), bias, **options)

    report = check(reversed_taps, suite="smoke", dtypes=["float32"])
    text = str(report)
    assert "1. 37 diverge: equals the oracle with taps reversed" in text
    assert re.search("(exactly|about) where |too few to say where", text)
    assert "   smallest: case " in text
    assert f"conformance.check(reversed_taps, cases=['{report.faults[0].witness.case}'], " in text
    with pytest.raises(NonconformityError) as error:
        report.raise_for_failures()
    assert str(error.value) == text
    with np.load(report.write(tmp_path).with_suffix(".npz")) as arrays:
        assert any(name.endswith("/actual") for name in arrays)


def test_problems_that_are_too_few_for_a_predicate_are_listed() -> None:
    chosen = [case.problem for case in SMOKE if case.problem.multiplies > 50][:4]
    shapes = {(problem.input_shape, problem.weight_shape) for problem in chosen}

    def sometimes_doubles(x: Any, weight: Any, bias: Any = None, **options: Any) -> Any:
        return right(x, weight, bias, **options) * (2 if (x.shape, weight.shape) in shapes else 1)

    report = check(sometimes_doubles, suite="smoke")
    (fault,) = report.faults
    assert sorted(fault.problems) == sorted(map(str, chosen))
    listed = f"   the problems: {', '.join(map(repr, fault.problems))}"
    assert f"   in all 8 seen; too few to say where\n{listed}\n   smallest: case " in str(report)
    assert fault.problems[0] == fault.witness.problem


def test_arguments_that_a_function_lacks_make_cases_unsupported() -> None:
    def small(x: Any, weight: Any, *, stride: Any = 1) -> Any:
        return right(x, weight, stride=stride)

    report = check(small, suite="curated")
    assert set(report.verdicts) == {"conforms", "unsupported"}
    messages = {record.message for record in report.run.records if record.verdict == "unsupported"}
    assert {"the function takes no dilation", "the function takes no padding"} < messages
    assert all(message.startswith("the function takes no ") for message in messages)
    assert report.conforms
    assert str(report).endswith("nothing fails, the rest is unsupported")


def test_a_bias_is_not_given_to_a_function_of_two_arrays() -> None:
    def unbiased(
        x: Any, weight: Any, *, stride: Any, padding: Any, output_padding: Any, groups: Any, dilation: Any
    ) -> Any:
        options = {"padding": padding, "output_padding": output_padding, "groups": groups, "dilation": dilation}
        return right(x, weight, None, stride=stride, **options)

    report = check(unbiased, suite="smoke", dtypes=["float32"])
    assert set(report.verdicts) == {"conforms", "unsupported"}
    biased = {case.id for case in SMOKE if case.problem.bias}
    lacking = {record.case for record in report.run.records if record.message == "the function takes no bias"}
    assert lacking
    assert lacking == {record.case for record in report.run.records if record.verdict == "unsupported"} < biased


def test_other_layouts_are_the_functions_own() -> None:
    def channels_last(x: Any, weight: Any, bias: Any = None, **options: Any) -> Any:
        rank = x.ndim - 2
        moved = np.moveaxis(x, -1, 1)
        y = right(moved, np.transpose(weight, [rank + 1, rank, *range(rank)]), bias, **options)
        return np.moveaxis(y, 1, -1)

    report = check(channels_last, data="n k c", weight="k o i", suite="smoke")
    assert set(report.verdicts) == {"conforms", "unsupported"}
    assert {record.message for record in report.run.records if record.message} == {
        "the layout of the weight, 'k o i', has no groups"
    }


def test_a_tensor_of_the_users_library_goes_in_and_out() -> None:
    def foreign(x: Any, weight: Any, bias: Any, **options: Any) -> Any:
        assert isinstance(x, Foreign)
        return Foreign(right(x.array, weight.array, bias and bias.array, **options))

    assert check(foreign, suite="smoke", tensor=Foreign, dtypes=["float32"]).conforms


def exits(x: Any) -> None:
    os._exit(7)


def raises(x: Any) -> None:
    raise KeyError("mine")


def refuses(x: Any) -> None:
    raise NotImplementedError("no such stride")


def sleeps(x: Any) -> None:
    time.sleep(600)


def leaves_a_child(x: Any) -> None:
    if os.fork() == 0:
        time.sleep(600)


def comes_back_twice(x: Any) -> None:
    os.fork()


def changes_its_surroundings(x: Any) -> None:
    os.chdir("/")
    os.environ["CONFORMANCE_CASES"] = "/nowhere"
    np.seterr(all="raise")
    print("noise\n" * 1000)
    os.write(1, b"noise")
    np.array_equal = lambda *arrays: True


def stops_python(x: Any) -> None:
    sys.exit(3)


def closes_its_streams(x: Any) -> None:
    sys.stdout.close()
    for descriptor in (0, 1, 2):
        os.close(descriptor)


def prints_much(x: Any) -> None:
    for _ in range(64):
        os.write(1, b"noise" * (1 << 17))


def leaves_a_thread(x: Any) -> None:
    threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()


def sets_handlers(x: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, lambda number, frame: os._exit(9))
    signal.setitimer(signal.ITIMER_REAL, 30)


def recurses(x: Any) -> None:
    recurses(x)


BEHAVIOURS: dict[str, tuple[Callable[[Any], Any], str, str]] = {
    "raises": (raises, "errored", "KeyError: 'mine'"),
    "refuses": (refuses, "rejects", "NotImplementedError: no such stride"),
    "exits": (exits, "crashed", "exited with status 7"),
    "sys.exit": (stops_python, "errored", "SystemExit: 3"),
    "kills itself": (lambda x: os.kill(os.getpid(), signal.SIGSEGV), "crashed", "killed by SIGSEGV"),
    "hangs": (sleeps, "timed-out", "no answer after 5 s asleep"),
    "leaves a child": (leaves_a_child, "conforms", ""),
    "forks": (comes_back_twice, "conforms", ""),
    "changes everything": (changes_its_surroundings, "conforms", ""),
    "a list": (lambda x: [1.0], "errored", "the function returned a list: return an array"),
    "None": (lambda x: "none", "errored", "the function returned a str: return an array"),
    "masked": (lambda x: np.ma.masked_array(x), "errored", "returned a masked array: return a plain one"),
    "objects": (lambda x: x.astype(object), "errored", "an array of dtype object"),
    "wrong rank": (lambda x: x.ravel(), "errored", "finishing: ValueError: an answer of 1 axes"),
    "its input": (lambda x: x, "diverges", ""),
    "closes its streams": (closes_its_streams, "conforms", ""),
    "prints much": (prints_much, "conforms", ""),
    "sets handlers": (sets_handlers, "conforms", ""),
    "recurses": (recurses, "errored", "RecursionError: maximum recursion depth exceeded"),
    "leaves a thread": (leaves_a_thread, "conforms", ""),
    "writes to its operand": (lambda x: x.fill(0), "conforms", ""),  # which is a copy, after the answer was computed
}


@pytest.mark.slow
def test_whatever_a_function_does_is_one_record_and_changes_nothing_here(tmp_path: Path) -> None:
    chosen = [case for case in SMOKE if case.problem.rank == 1] + [case for case in SMOKE if case.problem.rank == 2]
    inputs = (compute(case.case).arrays.x.astype("float32").tobytes() for case in chosen)
    plan = dict(zip(inputs, BEHAVIOURS, strict=False))
    assert len(plan) == len(BEHAVIOURS)

    def hostile(x: Any, weight: Any, bias: Any = None, **options: Any) -> Any:
        y = right(x, weight, bias, **options)
        made = BEHAVIOURS[plan[x.tobytes()]][0](x) if x.tobytes() in plan else None
        return y if made is None else made

    before = Path.cwd(), dict(os.environ), np.geterr(), np.array_equal
    report = check(hostile, suite="smoke", dtypes=["float32"], seconds=5)
    assert (Path.cwd(), dict(os.environ), np.geterr(), np.array_equal) == before
    records = {record.case: record for record in report.run.records}
    assert len(records) == len(SMOKE)
    for case, (name, (_, verdict, words)) in zip(chosen, BEHAVIOURS.items(), strict=False):
        record = records[case.id]
        assert words in record.message, (name, record)
        assert record.verdict == verdict, (name, record)
    rest = {case.id for case in SMOKE} - {case.id for case in chosen[: len(BEHAVIOURS)]}
    assert {records[name].verdict for name in rest} == {"conforms"}


@pytest.mark.slow
def test_answers_that_are_looked_up_by_the_operands_of_cases_are_no_answers() -> None:
    known = {
        reference.arrays.x.astype(dtype).tobytes(): reference.expected.astype(dtype)
        for reference in (compute(case.case) for case in SMOKE) for dtype in ("float32", "float64")
    }  # fmt: skip

    def looked_up(x: Any, weight: Any, bias: Any = None, **options: Any) -> Any:
        return known.get(x.tobytes(), np.zeros(1))

    report = check(looked_up, suite="smoke")
    assert not report.conforms
    assert "right on the operands of the case, and diverges in shape on others of the same shapes" in str(report)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"suite": "smok"}, "the nearest is 'smoke'"),
        ({"suite": "negative"}, "written for certain frameworks"),
        ({"data": "n c"}, "the data layout 'n c'"),
        ({"weight": "i j k"}, "the weight layout 'i j k'"),
        ({"dtypes": ["int8"]}, "no function is checked in 'int8'"),
        ({"where": "rank == 9"}, "none of the 6,462 cases of 'core' is where 'rank == 9'"),
        ({"where": "rank = 2"}, "not an expression"),
        ({"seconds": 0}, "seconds is 0: give a number above 0"),
        ({"cases": ["none-such"], "suite": "smoke"}, "has no case 'none-such'"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_by_name(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check(right, **options)


def test_what_cannot_be_called_is_no_function() -> None:
    with pytest.raises(CheckError, match=r"name is '../f': give at most 100 letters"):
        check(right, name="../f")
    with pytest.raises(CheckError, match="function is 5"):
        check(5)  # type: ignore[arg-type]  # on purpose


def test_the_line_that_asks_again_has_the_arguments_that_were_given() -> None:
    def last(x: Any, weight: Any, bias: Any = None, **options: Any) -> Any:
        return -right(x.transpose(0, 2, 1), weight, bias, **options).transpose(0, 2, 1)

    report = check(last, data="n k c", suite="smoke", where="rank == 1 and groups == 1", seconds=9.0, name="mine")
    line = next(
        line.strip() for line in str(report).splitlines() if line.strip().startswith("conformance.check(last, ")
    )
    more = line.removesuffix(")").partition(", dtypes=")[2].partition("], ")[2]
    assert more == "data='n k c', name='mine', seconds=9.0"
    again: Report = eval(line, {"conformance": conformance, "last": last})
    assert [record.verdict for record in again.run.records] == ["diverges"]


@pytest.mark.parametrize(
    ("function", "options", "bias"),
    [
        (lambda x, w, b, *, stride: 0, {"stride"}, "third"),
        (lambda x, w, stride, padding: 0, {"stride", "padding"}, ""),
        (lambda x, w, stride=1, bias=None: 0, {"stride"}, "third"),
        (lambda x, w, *, bias=None: 0, set(), "bias"),
        (lambda *arrays: 0, set(), "third"),
        (lambda x, w, **options: 0, {"stride", "padding", "output_padding", "groups", "dilation"}, "bias"),
    ],
)
def test_what_a_function_takes_is_read_from_its_signature(function: Any, options: set[str], bias: str) -> None:
    assert taken(function) == (frozenset(options), bias)


@pytest.mark.slow
def test_record_files_of_a_function_make_a_report(tmp_path: Path) -> None:
    def zeros(x: Any, weight: Any, bias: Any = None, **options: Any) -> Any:
        return np.zeros_like(right(x, weight, bias, **options))

    report = check(zeros, suite="smoke", cases=[case.id for case in SMOKE[:3]])
    whole = check(right, suite="smoke")
    report.write(tmp_path / "records")
    whole.write(tmp_path / "records")
    done = subprocess.run(
        [sys.executable, "-m", "conformance", "report", "--records", str(tmp_path / "records"), "--to", str(tmp_path),
         "--lane", "right-function"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all as expected" in (tmp_path / "site" / "badges" / "right-function.svg").read_text()
    assert json.loads((tmp_path / "site" / "summary.json").read_text())["green"]
