"""conformance sizes: what it prints can be pasted, and a mistake gets one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance import idioms
from conformance.cli import commands

READ_BY = "  read by: "
ALSO = "  also: "
ASKED = ("--input", "20", "--output", "40", "--kernel", "3", "--stride", "2")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(commands, arguments, standalone_mode=False)


@pytest.mark.parametrize("framework", idioms.frameworks())
def test_a_call_that_is_printed_is_read_with_the_shapes_beside_it(framework: str) -> None:
    lines = invoke("sizes", framework, *ASKED).output.splitlines()
    calls = [at for at, line in enumerate(lines) if not line.startswith(" ")]
    assert calls
    for at in calls:
        window, (read_by, *_) = lines[at + 1], [line for line in lines[at:] if line.startswith(READ_BY)]
        shapes = read_by.removeprefix(READ_BY).split()
        read = invoke("call", framework, lines[at], *shapes, "--claim")
        assert window in read.output.splitlines()
        assert window.endswith("which leaves (40,)")


@pytest.mark.parametrize("framework", idioms.frameworks())
def test_calls_with_the_same_window_stand_below_the_first(framework: str) -> None:
    lines = invoke("sizes", framework, *ASKED).output.splitlines()
    listed = json.loads(invoke("sizes", framework, *ASKED, "--json").output)["calls"]
    calls = [line.removeprefix(ALSO).partition("  --shape")[0] for line in lines
             if line.startswith(ALSO) or not line.startswith(" ")]  # fmt: skip
    assert sorted(calls) == sorted(call["call"] for call in listed)
    first = [call["window"] for call in listed if call["call"] in lines]
    assert len(first) == len({str(window) for window in first})
    window = ""
    for line in lines:
        window = line if line.startswith("  window") else window
        if line.startswith(ALSO):
            text, with_shape, shapes = line.removeprefix(ALSO).partition("  --shape")
            read_by = f"--shape{shapes}" if with_shape else next(
                each for each in lines[: lines.index(line)][::-1] if each.startswith(READ_BY)
            ).removeprefix(READ_BY)  # fmt: skip
            assert window in invoke("call", framework, text, *read_by.split(), "--claim").output.splitlines()


def test_sizes_are_data_for_other_programs() -> None:
    said = json.loads(invoke("sizes", "torch", *ASKED, "--json").output)
    assert set(said) == {"framework", "input", "output", "kernel", "stride", "fits", "calls", "nearest", "without"}
    assert (said["input"], said["output"], said["fits"], said["nearest"]) == ([20], [40], True, [])
    call = said["calls"][0]
    assert call["call"] == "torch.nn.ConvTranspose1d(1, 1, 3, stride=2, padding=1, output_padding=1)"
    assert (call["window"], call["output"], call["shapes"]) == ([[1, 0]], [40], {"x": [1, 1, 20]})
    assert call["overlap"] == [1, 2]
    meaning = json.loads(invoke("call", "torch", call["call"], "--shape", "x=1,1,20", "--json").output)
    assert set(call) - set(meaning) == {"shapes"}


@pytest.mark.parametrize("module", ["keras", "flax", "tf"])
def test_a_module_has_its_own_calls_alone(module: str) -> None:
    calls = [line for line in invoke("sizes", module, *ASKED).output.splitlines() if not line.startswith(" ")]
    assert calls
    assert all(call.startswith(f"{module}.") for call in calls)


def test_what_does_not_fit_ends_with_1_and_the_nearest() -> None:
    done = invoke("sizes", "torch", "--input", "4", "--output", "10", "--kernel", "2", "--stride", "2", "--json")
    said = json.loads(done.output)
    assert done.return_value == 1
    assert (said["fits"], said["calls"], [call["output"] for call in said["nearest"]]) == (False, [], [[9]])


def test_channels_are_those_of_the_call_that_is_printed() -> None:
    done = invoke("sizes", "torch", *ASKED, "--in-channels", "8", "--out-channels", "4", "--groups", "2")
    assert done.output.startswith("torch.nn.ConvTranspose1d(8, 4, 3, stride=2, padding=1, output_padding=1, groups=2)")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("paddle", *ASKED),
            "no call of paddle can be read or written, it runs problems alone; there are calls of the frameworks jax, "
            "mxnet, onnx, tensorflow, torch, or of the modules flax, keras, litert, mx, pytorch, tf, tfl, tflite and "
            "those within them, such as keras.layers: ask one of these, as in `conformance sizes torch --input 20 "
            "--output 40`, and run the problem that its call means on paddle, as in "
            '`conformance call paddle "i20 k4 s2 p1"`',
        ),
        (("torch", *ASKED, "--input", "0"), "--input is '0': give whole numbers from 1 to 2147483647, as in 20"),
        (("torch", *ASKED, "--input", "1" * 40), "give whole numbers from 1 to 2147483647"),
        (("torch", *ASKED, "--output", "20x"), "--output is '20x'"),
        (("torch", *ASKED, "--kernel", "2x2"), "--kernel has 2 axes, --input has 1"),
        *(
            ((name, *ASKED, "--padding", "reflect"), f"--padding is 'reflect', and calls of {words}")
            for name, words in (
                ("torch", "torch have none by name: give numbers, as in 1 or 1x2"),
                ("keras", "keras have 'valid' and 'same': give one of these"),
                ("jax", "jax have 'SAME' and 'SAME_LOWER' and 'VALID': give one of these or numbers, as in 1 or 1x2"),
                ("onnx", "onnx have none by name: leave it out"),
            )
        ),
        (("torch", *ASKED, "--padding", "-1"), "--padding is '-1': give whole numbers from 0"),
        (
            ("torch", *ASKED, "--in-channels", "3", "--groups", "2"),
            "--in-channels 3 cannot be split into 2 groups: give a multiple of 2",
        ),
        (("torch", *ASKED, "--variant", "lazy"), "torch has no variant 'lazy'"),
        (("torch", *ASKED, "--idiom", "torch-autograd"), "no idiom 'torch-autograd' that says sizes: those are"),
    ],
)
def test_a_mistake_gets_one_line_and_status_2(arguments: tuple[str, ...], message: str) -> None:
    command = [sys.executable, "-m", "conformance", "sizes", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert (len(done.stderr.splitlines()), done.stdout) == (1, "")


PASSED = ("--then", "nn.MaxPool2d(2)", "--then", "nn.ConvTranspose2d(8, 8, 2, 2)")


def test_a_stack_is_given_layer_by_layer_or_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("down = nn.MaxPool2d(2)\nup = nn.ConvTranspose2d(8, 8, 2, 2)\n")
    for stack in (PASSED, (str(tmp_path / "model.py"),)):
        fails, passes = (invoke("sizes", "torch", *stack, "--input", size) for size in ("7", "8"))
        assert (fails.return_value, passes.return_value) == (1, 0)
        assert "gives 6 where 7 is needed: give output_padding=1 there" in fails.output
        assert "sizes that pass: multiples of 2; the nearest to 7: 6 and 8" in fails.output
        assert "input 8 passes" in passes.output


def test_a_stack_is_data_for_other_programs() -> None:
    said = json.loads(invoke("sizes", "torch", *PASSED, "--input", "7x8", "--json").output)
    assert set(said) == {
        "framework", "axes", "in_order", "input", "passes", "joined", "end", "layers", "sizes", "chain", "nearest",
        "nearest_chain", "unknown", "crops",
        "assumed",
    }  # fmt: skip
    assert [layer["output"] for layer in said["layers"]] == [[3, 4], [6, 8]]
    assert said["layers"][1]["give"] == {"output_padding": [1, 0]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--input", "8"), "--input and --output are the two sizes: give both, or a stack of layers"),
        ((*PASSED, "--output", "8"), "--output is not of a stack: give --input alone"),
        ((*PASSED, "--input", "8x8x8"), "layers of 2 and 3 spatial axes stand in one stack"),
        (("nn.Sequential(block)",), "what 'block' does to sizes is not known"),
        (("nowhere.py",), "nowhere.py"),
    ],
)
def test_a_stack_that_is_none_gets_one_line_and_status_2(arguments: tuple[str, ...], message: str) -> None:
    command = [sys.executable, "-m", "conformance", "sizes", "torch", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert (len(done.stderr.splitlines()), done.stdout) == (1, "")


def test_a_chain_that_gives_no_size_again_is_told_as_a_chain_too() -> None:
    layers = ("nn.Conv1d(1, 8, 3, stride=2)", "nn.MaxPool1d(2)", "nn.ConvTranspose1d(8, 4, 4, stride=2)",
              "nn.ConvTranspose1d(4, 1, 4, stride=2)")  # fmt: skip
    words = [word for layer in layers for word in ("--then", layer)]
    done = invoke("sizes", "torch", "--input", "100", *words)
    assert "without skip connections, input 100 gives 102\n" in done.output
    assert done.output.endswith(
        "none up to 512\nsizes that come out as they went in, without skip connections: none up to 512\n"
    )
