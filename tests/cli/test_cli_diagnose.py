"""`conformance diagnose` of arrays: what is said of them, and the one line that a mistake gets."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
    assert ended.status == 1
    assert "5 of 5 values differ, first at (0, 0, 0): 17, expected 16" in ended.out
