"""`conformance diagnose` of arrays: what is said of them, and the one line that a mistake gets."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance import oracle
from conformance.numerics import operands
from conformance.problem import Problem
from tests.cli.test_cli import Ended

Diagnose = Callable[..., Ended]
CALL = "nn.ConvTranspose2d(2, 3, 3, stride=2, bias=False)"


@pytest.fixture
def diagnose(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Diagnose:  # fmt: skip
    """Runs the verb in a folder of its own, with arrays as files there: `x=array` is x.npy and `--x x.npy`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **arrays: Any) -> Ended:
        options: list[str] = []
        for name, array in arrays.items():
            np.save(f"{name}.npy", array)
            options += [f"--{name}", f"{name}.npy"]
        return Ended(["diagnose", *arguments, *options], monkeypatch, capfd)

    return run


ARRAYS: Mapping[str, Any] = {name: np.ones(3) for name in ("x", "weight", "actual")}

FITTING = {"x": np.ones((1, 1, 3), int), "weight": np.ones((1, 1, 3), int), "actual": np.ones((1, 1, 5), np.int8)}


@pytest.mark.parametrize(
    ("arguments", "arrays", "message"),
    [
        (["torch"], ARRAYS, "'torch' is a framework, and the call is missing: give it as the second argument, such as"),
        (["keras"], {}, 'such as "keras.layers.Conv'),
        (
            ["nn.ConvTranspose1d(1, 1, 3)"],
            ARRAYS,
            "is a call, and its framework is missing: give that first, one of jax",
        ),
        (["records.json"], {}, "'records.json' is neither a record file, which ends in .jsonl, nor a descriptor"),
        (["records.jsonl"], {}, "records.jsonl: cannot be read: No such file or directory"),
        (["records.jsonl"], ARRAYS, "'records.jsonl' is a record file, which takes no --actual: leave it out"),
        (["i3 k3", "--variant", "eager"], ARRAYS, "'i3 k3' is a descriptor, which takes no --variant: leave it out"),
        (["i3 k3", "--let", "a=1"], ARRAYS, "'i3 k3' is a descriptor, which takes no --let: leave it out"),
        (["i3 k3"], {}, "'i3 k3' takes --actual, --x and --weight, and --actual, --x, --weight are missing: give each"),
        (["torch", CALL], {"x": np.ones(3)}, "and --actual, --weight are missing: give each as a file, such as y.npy"),
        (["i3 k3", "--zero-point", "3"], FITTING, "--zero-point is 3, and there is no --scale: give it, such as"),
        (["i3 k3", "--scale", "0"], FITTING, "--scale is 0.0, and sums are divided by it: give a positive number"),
        (["i3 k3", "--scale", "2", "--zero-point", "200"], FITTING, "--zero-point is 200, which int8 does not hold"),
        (["i3 k3 s0"], ARRAYS, "'i3 k3 s0': stride 0 on axis 0 must be at least 1: give another descriptor"),
    ],
)
def test_a_mistake_gets_one_line_with_the_next_step(
    arguments: list[str], arrays: Mapping[str, Any], message: str, diagnose: Diagnose
) -> None:
    ended = diagnose(*arguments, **arrays)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err
    assert ended.err.count("\n") == 1


def test_requantised_integers_are_judged_by_their_scale(diagnose: Diagnose) -> None:
    arrays = {"x": np.array([[[9, -3, 5]]]), "weight": np.array([[[7, 2, -8]]])}
    actual = np.array([[[17, 0, -10, 9, -9]]], np.int8)  # 63 -3 -43 34 -40 by 4, and 1
    ended = diagnose("i3 k3", "--scale", "4", "--zero-point", "1", **arrays, actual=actual)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith(
        "equals the oracle requantised by scale 4 and zero point 1, ties to even (worst at (0, 0, "
    )
    ended = diagnose("i3 k3", "--scale", "4", **arrays, actual=actual)
    assert ended.status == 0
    assert ended.out.startswith("equals the oracle with zero point 1 for 0 requantised by scale 4 and zero point 1, ")
    actual[0, 0, 2] = 40
    ended = diagnose("i3 k3", "--scale", "4", **arrays, actual=actual)
    assert ended.status == 1
    assert "5 of 5 values differ, first at (0, 0, 0): 17, expected 16" in ended.out


def test_a_file_has_a_scale_for_each_out_channel(diagnose: Diagnose, tmp_path: Path) -> None:
    np.save(tmp_path / "scales.npy", np.array([4.0, 8.0]))
    arrays = {"x": np.array([[[9, -3, 5]]]), "weight": np.array([[[7, 2, -8], [1, 90, 3]]])}
    sums = oracle.expected(Problem.parse("i3 k3 oc2"), arrays["x"], arrays["weight"], None)
    actual = np.rint(sums / np.array([[4], [8]])).astype(np.int8)
    ended = diagnose("i3 k3 oc2", "--scale", "scales.npy", **arrays, actual=actual)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("equals the oracle requantised by a scale for each channel, the worst one by scale ")
    np.save(tmp_path / "three.npy", np.array([4.0, 8.0, 2.0]))
    ended = diagnose("i3 k3 oc2", "--scale", "three.npy", **arrays, actual=actual)
    assert "--scale has 3 numbers, and the answer 2 channels: give one for each" in ended.err
    ended = diagnose("i3 k3 oc2", "--scale", "many", **arrays, actual=actual)
    assert "give one number, such as 38.5, or a file with a number for each out channel" in ended.err


def test_values_that_are_no_numbers_are_counted(diagnose: Diagnose) -> None:
    arrays = problem_of_call(actual=lambda y: np.where(y > 2, np.nan, y))
    out = diagnose("torch", CALL, **arrays).out
    count = np.count_nonzero(np.isnan(arrays["actual"]))
    assert f"{count} of 1485 values differ by more than rounding can, {count} of them NaN or infinite, first at " in out
    assert "largest deviation" not in out


def problem_of_call(**changed: Any) -> dict[str, Any]:
    """Arrays of CALL, some of them changed."""
    random = np.random.default_rng(0)
    x, weight = random.normal(size=(5, 2, 4, 5)).astype("f4"), random.normal(size=(2, 3, 3, 3)).astype("f4")
    problem = Problem.parse("i4x5 k3 s2 ic2 oc3 n5")
    arrays = {"x": x, "weight": weight, "actual": oracle.expected(problem, x, weight, None).astype("f4")}
    return arrays | {name: change(arrays[name]) for name, change in changed.items()}


@pytest.mark.parametrize(
    ("changed", "status", "text"),
    [
        ({}, 0, "equals the oracle within rounding"),
        ({"x": np.asfortranarray, "actual": lambda y: y.astype(">f4")}, 0, "equals the oracle within rounding"),
        ({"actual": lambda y: y.astype(np.longdouble)}, 0, "equals the oracle within rounding"),
        ({"actual": lambda y: y.astype("f2")}, 0, "within the rounding of float16, consistent with sums in float32"),
        ({"actual": lambda y: np.pad(y, [(0, 0), (0, 0), (0, 1), (0, 1)])}, 0, "row 11 on axis 1 beyond the stamp, "),
        ({"actual": lambda y: y[:, :, 2:-3, 1:-4]}, 0, "with window (2, 3) x (1, 4) for (0, 0) x (0, 0)"),
        ({"actual": lambda y: y[:, :, 2:-3]}, 0, "its shape is (5, 3, 4, 11), and the call gives (5, 3, 9, 11)"),
        ({"actual": lambda y: y.transpose(0, 2, 3, 1)}, 0, "with its axes as NHWC where NCHW is expected (np."),
        ({"actual": lambda y: y.transpose(0, 2, 3, 1).reshape(y.shape)}, 0, "with its memory as NHWC where NCHW is "),
        ({"actual": np.zeros_like}, 0, "holds nothing but zeros"),
        ({"weight": lambda w: w[:, :, ::-1, ::-1]}, 0, "with taps reversed on axes 0 and 1 within rounding"),
        ({"actual": lambda y: y * 1e-44}, 1, " of 1485 values differ by more than rounding can"),
        ({"actual": lambda y: np.where(y > 2, np.nan, y)}, 1, "nan, expected "),
        ({"actual": lambda y: np.where(y > 2, np.inf, y)}, 1, "inf, expected "),
        ({"actual": lambda y: y[:1]}, 1, "unexplained: shape is (1, 3, 9, 11), expected (5, 3, 9, 11)"),
        ({"actual": lambda y: y[:0]}, 1, "unexplained: shape is (0, 3, 9, 11), expected (5, 3, 9, 11)"),
        ({"actual": lambda y: np.rint(y * 9).astype("i1")}, 1, "requantised are judged with --scale and --zero-point"),
        ({"actual": np.ravel}, 2, "actual is (1485,), and the answer has as many axes as x, (5, 2, 4, 5)"),
        ({"actual": lambda y: y[0, 0, 0, 0]}, 2, "actual is (), and the answer has as many axes as x"),
        ({"x": lambda x: x.transpose(0, 2, 3, 1)}, 2, "x is NHWC where NCHW is taken, give np.transpose(x, (0, 3"),
        ({"weight": lambda w: w.transpose(2, 3, 0, 1)}, 2, "weight is HWIO where IOHW is taken, give np.transpose("),
        ({"x": lambda x: x[:, :1]}, 2, "refused: the layer has 2 in channels, the input 1: give the arrays of"),
        ({"x": lambda x: np.where(x > 2, np.nan, x)}, 2, "no sum with it can be judged: give finite numbers"),
        ({"actual": lambda y: y > 0}, 2, "actual.npy: is an array of bool, not of real numbers: save one"),
        ({"actual": lambda y: y.astype(complex)}, 2, "is an array of complex128, not of real numbers: save one"),
        (
            {"weight": lambda w: np.zeros((3, 2, 4, 5))}, 2,
            "weight: axis 0 of (3, 2, 4, 5) is 3, and the layout '(g i) o k' has 2 there: give the arrays of this "
            "call, or the call that gave the arrays; --actual actual.npy is (5, 3, 9, 11), --x x.npy is (5, 2, 4, 5), "
            "--weight weight.npy is (3, 2, 4, 5)\n",
        ),
        ({"bias": lambda _: np.zeros(3)}, 2, "the call has no bias, and --bias is given: give the arrays"),
    ],
)  # fmt: skip
def test_what_a_stranger_gives_is_told_in_one_way(
    changed: dict[str, Any], status: int, text: str, diagnose: Diagnose
) -> None:
    bias = {"bias": changed["bias"](None)} if "bias" in changed else {}
    arrays = problem_of_call(**{name: change for name, change in changed.items() if name != "bias"})
    ended = diagnose("torch", CALL, **arrays, **bias)
    assert ended.status == status
    assert text in (ended.err if status == 2 else ended.out)
    assert ended.err.count("\n") == (status == 2)


def test_rows_beyond_the_stamp_are_not_told_of_an_array_that_has_no_such_rows(diagnose: Diagnose) -> None:
    problem = Problem.parse("i4 k3 s3 op2 d2 ic2")
    arrays = operands.draw("k", problem, "float32")
    actual = oracle.conv_transpose(arrays.x, arrays.weight, stride=3, output_padding=2)
    ended = diagnose(str(problem), x=arrays.x, weight=arrays.weight, actual=actual)
    assert ended.out.splitlines()[:2] == [
        "its shape is (1, 1, 14), and the problem gives (1, 1, 16)",
        "equals the oracle with dilation ignored",
    ]
    assert "beyond the stamp" not in ended.out


def test_a_bias_of_another_shape_says_which_it_takes(diagnose: Diagnose) -> None:
    ended = diagnose("torch", CALL.replace(", bias=False", ""), **problem_of_call(), bias=np.zeros((1, 3, 1, 1)))
    assert ended.status == 2
    assert "bias is (1, 3, 1, 1), 'i4x5 k3 s2 ic2 oc3 n5 bias' takes (3,): give an array of this shape" in ended.err
