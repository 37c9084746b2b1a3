"""conformance sizes: what it prints can be pasted, and a mistake gets one line."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from conformance import idioms
from conformance.cli import commands

ASKED = ("--input", "20", "--output", "40", "--kernel", "3", "--stride", "2")


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(commands, arguments, standalone_mode=False)


@pytest.mark.parametrize("framework", idioms.frameworks())
def test_a_call_that_is_printed_is_read_with_the_shapes_beside_it(framework: str) -> None:
    lines = invoke("sizes", framework, *ASKED).output.splitlines()
    calls = [at for at, line in enumerate(lines) if not line.startswith(" ")]
    assert calls
    for at in calls:
        window, shapes = lines[at + 1], lines[at + 2].removeprefix("  read by: ").split()
        read = invoke("call", framework, lines[at], *shapes, "--claim")
        assert window in read.output.splitlines()
        assert window.endswith("which leaves (40,)")


def test_no_framework_and_no_numpy_is_imported() -> None:
    code = (
        "import sys; from conformance.cli import main\n"
        f"sys.argv = ['conformance', 'sizes', 'jax', *{ASKED}]\n"
        "try: main()\n"
        "except SystemExit as ended: print(ended.code, *sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    status, *imported = done.stdout.splitlines()[-1].split()
    assert status == "0"
    assert not {"numpy", "torch", "tensorflow", "jax", "mxnet", "pytest", "jinja2", "msgspec"} & set(imported)


def test_sizes_are_data_for_other_programs() -> None:
    said = json.loads(invoke("sizes", "torch", *ASKED, "--json").output)
    assert set(said) == {"framework", "input", "output", "kernel", "stride", "fits", "calls", "nearest"}
    assert (said["input"], said["output"], said["fits"], said["nearest"]) == ([20], [40], True, [])
    call = said["calls"][0]
    assert call["call"] == "torch.nn.ConvTranspose1d(1, 1, 3, stride=2, padding=1, output_padding=1)"
    assert (call["window"], call["output"], call["shapes"]) == ([[1, 0]], [40], {"x": [1, 1, 20]})
    assert call["overlap"] == [1, 2]
    meaning = json.loads(invoke("call", "torch", call["call"], "--shape", "x=1,1,20", "--json").output)
    assert set(call) - set(meaning) == {"shapes"}


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
        (("keras", *ASKED), "it is among the idioms of 'tensorflow'"),
        (("torch", *ASKED, "--input", "0"), "--input is '0': give whole numbers from 1 to 2147483648, as in 20"),
        (("torch", *ASKED, "--input", "1" * 40), "give whole numbers from 1 to 2147483648"),
        (("torch", *ASKED, "--output", "20x"), "--output is '20x'"),
        (("torch", *ASKED, "--kernel", "2x2"), "--kernel has 2 axes, --input has 1"),
        (("torch", *ASKED, "--padding", "-1"), "--padding is '-1': give whole numbers from 0"),
        (("torch", *ASKED, "--in-channels", "3", "--groups", "2"), "--in-channels 3 are no 2 groups"),
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
