"""The verbs that read calls: what they print, and the one line that a mistake gets."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.calls import verify
from conformance.cli import commands
from conformance.io.exit_status import INCOMPLETE

LAYER = "nn.ConvTranspose2d(8, 4, 3, stride=2)"
SHAPE = ("--shape", "x=1,8,5,7")
NAMED, FUNCTION = "nn.ConvTranspose2d(ngf, 4, 3)", "F.conv_transpose2d(x, w, stride=2)"
PORT = ("port", LAYER, "--from", "torch", "--to", "tensorflow", *SHAPE)


def conformance(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "conformance", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_call_is_explained_without_its_framework() -> None:
    done = conformance("call", "torch", LAYER, *SHAPE, "--claim")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "means 'i5x7 k3 s2 ic8 oc4 bias' (torch-layer/padding)",
        "  window: (0, 0) x (0, 0) cut from (11, 15), which leaves (11, 15)",
        "  taps: as stored",
        "  axes: data 'n c k', weight '(g i) o k'",
        "  overlap: 1 to 4 taps of the kernel in an inner element; a checkerboard can show, since "
        "kernel 3 is not a multiple of stride 2",
    ]


@pytest.mark.slow
def test_a_port_that_is_not_run_says_what_was_proved() -> None:
    done = conformance(*PORT)
    assert done.returncode == 0
    assert "tf.nn.conv2d_transpose(x, w, " in done.stdout or "Conv2DTranspose(" in done.stdout
    assert "torch-layer/padding on torch-eager" in done.stdout


def test_a_port_without_environments_is_not_proved_and_says_which_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verify, "tox_folders", lambda: ())
    done = CliRunner().invoke(commands, [*PORT, "--verify"], standalone_mode=False)
    assert done.return_value == INCOMPLETE
    assert "# tensorflow: not run, since no environment here has it: `tox run -e tensorflow --notest`" in done.output
    assert "verified" not in done.output


def test_a_side_that_dies_is_told_in_a_line() -> None:
    done = conformance(*PORT, "--verify", "--python", "torch=/bin/false", "--python", "tensorflow=/bin/false")
    assert done.returncode == 2
    assert done.stderr == "conformance: torch-eager: gave no answer: exit status 1 of /bin/false: it said nothing\n"
    assert "def conv_transpose(x, w, b):" in done.stdout


@pytest.mark.slow
def test_a_port_is_data_for_other_programs() -> None:
    said = json.loads(conformance(*PORT, "--json").stdout)
    assert (said["problem"], said["steps"], said["output"]) == ("i5x7 k3 s2 ic8 oc4 bias", [], [1, 11, 15, 4])
    compile(said["code"], "port", "exec")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("call", "pytroch", LAYER), "there is no framework 'pytroch', the nearest is 'pytorch'"),
        (("call", "torch", "nn.ConvTransposed2d(8, 4, 3)"), "the nearest is 'torch.nn.ConvTranspose2d'"),
        (("call", "torch", LAYER), "the shape of x is missing: give it, as in --shape x=1,8,5,7"),
        (("call", "torch", LAYER, "--shape", "x=1,8"), "2 axes"),
        (("call", "torch", LAYER, "--shape", "x=1,8,-5,7"), "'x=1,8,-5,7' is not a shape"),
        (("call", "torch", LAYER, "--shape", "1,8,5,7"), "'1,8,5,7' is not a shape"),
        (("call", "torch", "nn.ConvTranspose2d(8, 4", *SHAPE), "not a Python expression"),
        (("call", "torch", "nn.ConvTranspose2d(8, 4, 3, strides=2)", *SHAPE), "unexpected keyword argument 'strides'"),
        (("call", "torch", "nn.ConvTranspose2d(8, 4, 3, stride=(2, 2, 2))", *SHAPE), "it takes 2 numbers"),
        (
            ("call", "torch", "nn.ConvTranspose2d(8, 4, open('x'))", *SHAPE),
            "the value of open('x') (at character 26)",
        ),
        (
            ("call", "torch", LAYER, *SHAPE, "--case", "nosuch"),
            "suite 'core or extreme or models or idioms or ports' has no case",
        ),
        (("call", "torch", LAYER, *SHAPE, "--variant", "lazy"), "torch has no variant 'lazy'"),
        (
            ("port", LAYER, "--from", "torch", "--to", "paddle", *SHAPE),
            "such as keras.layers: give one of these, as in --to torch; ",
        ),
        (
            ("port", LAYER, "--from", "paddle", "--to", "torch", *SHAPE),
            "give a call of one of these, as in --from torch",
        ),
        (
            ("call", "paddle", LAYER, *SHAPE),
            'such as keras.layers: give a problem, as in `conformance call paddle "i5x7 k3',
        ),
        (
            ("port", LAYER, "--from", "torch", "--to", "nnx", *SHAPE),
            "the module's whole name is 'flax.nnx': give one of the frameworks jax,",
        ),
        (("port", LAYER, "--from", "torch", "--to", "flax.nx", *SHAPE), "the nearest is 'flax.nnx'"),
        (
            ("call", "keras", "Conv1DTranspose(4, 3, padding=same)", "--claim"),
            'same stands there without quotes: write "same"',
        ),
        (("call", "keras", "Conv1DTranspose(4, 3, padding=how)", "--claim"), "give it by --let 'how=\"valid\"'"),
        ((*PORT, "--idiom", "tf-layer"), "no idiom 'tf-layer' to port to: those are"),
        ((*PORT, "--verify", "--python", "torch=/nowhere"), "give a framework and its interpreter"),
        ((*PORT, "--python", f"torch={sys.executable}"), "nothing is run without --verify"),
        ((*PORT, "--verify", "--python", f"mxnet={sys.executable}"), "neither side is mxnet: those are tensorflow, "),
        ((*PORT, "--verify", *("--python", f"tf={sys.executable}") * 2), "--python tensorflow is given twice"),
        ((*PORT, *SHAPE), "--shape x is given twice"),
        (("call", "torch", NAMED, "--claim", "--let", "ngf=3", "--let", "ngf=5"), "--let ngf is given twice"),
        (("call", "torch", NAMED, "--claim", "--let", "g=3"), "--let g: nothing of this name stands in the text"),
        (("call", "torch", NAMED, "--claim", "--let", "ngf=10**40"), "'ngf=10**40' gives no value"),
        (("call", "torch", FUNCTION, "--claim", "--let", "x=3"), "input is 3, and takes a tensor"),
        (("call", "torch", LAYER, *SHAPE, "--claim", "--case", "nosuch"), "leave out --claim and --json"),
        (("call", "torch", LAYER, *SHAPE, "--json", "--case", "nosuch"), "leave out --claim and --json"),
        (("call", "torch", f"{LAYER}; {LAYER}", "--case", "nosuch"), "none is made here: leave it out, or give one"),
        (
            ("port", f"{LAYER[:-1]}, padding_mode='reflect')", "--from", "torch", "--to", "jax", *SHAPE),
            "padding_mode is 'reflect'",
        ),
    ],
)
def test_a_mistake_gets_one_line_and_status_2(arguments: tuple[str, ...], message: str) -> None:
    done = conformance(*arguments)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_the_call_on_a_line_of_a_file_is_ported_and_a_whole_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(f"from torch import nn\n\nup = {LAYER}\n", encoding="utf-8")
    done = conformance("port", f"{path}:3", "--from", "torch", "--to", "flax.nnx", *SHAPE)
    assert done.returncode == 0, done.stderr
    assert "# in jax: flax.nnx.ConvTranspose(8, 4, " in done.stdout
    whole = conformance("port", str(path), "--from", "torch", "--to", "flax.nnx", *SHAPE)
    assert (whole.returncode, whole.stdout) == (2, "")
    assert f"give one call by its line ({path}:3), or port a whole model: `conformance scan" in whole.stderr


def test_a_refused_stride_of_0_is_data_too() -> None:
    done = conformance("call", "torch", "nn.ConvTranspose2d(8, 4, 3, stride=0)", *SHAPE, "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["refused"], said["overlap"]) == (1, "stride and dilation must be at least 1", None)


@pytest.mark.parametrize("kind", ["pipe", "folder", "bytes that are no text"])
def test_a_source_file_that_is_none_is_one_line(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    make = {"pipe": os.mkfifo, "folder": os.mkdir, "bytes that are no text": lambda each: each.write_bytes(b"\xff")}
    make[kind](path)
    done = conformance("call", "torch", str(path))
    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, "")
    assert str(path) in done.stderr


REFUSED = "nn.ConvTranspose2d(8, 4, 3, output_padding=1)"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("call", "torch", LAYER, *SHAPE), 0),
        (("call", "torch", LAYER), 0),
        (("call", "torch", REFUSED, *SHAPE), 1),
        (("call", "torch", "nn.ConvTranspose2d(7, 4, 3)", *SHAPE), 1),
        (("call", "torch", f"{LAYER[:-1]}, padding_mode='circular')", *SHAPE), 2),
        (("port", LAYER, "--from", "torch", "--to", "keras", *SHAPE), 0),
        (("port", REFUSED, "--from", "torch", "--to", "jax", *SHAPE), 1),
        (("sizes", "keras", "--input", "20", "--output", "40", "--kernel", "3", "--stride", "2"), 0),
        (("sizes", "torch", "--input", "4", "--output", "10", "--kernel", "2", "--stride", "2"), 1),
    ],
)
def test_the_exit_status_tells_an_answer_from_a_refusal_and_from_a_mistake(
    arguments: tuple[str, ...], status: int
) -> None:
    done = conformance(*arguments, "--json")
    assert done.returncode == status
    data = json.loads(done.stdout)
    assert bool(data.get("refused") or not data.get("fits", True)) == (status != 0)
    claimed = conformance(*arguments, *(["--claim"] if arguments[0] == "call" else []))
    assert claimed.returncode == status


LONG = "n" * 20_000


@pytest.mark.parametrize(
    "arguments",
    [
        ("call", "torch", LAYER, "--claim", "--let", LONG),
        ("call", "torch", LAYER, "--claim", "--let", f"{LONG}=3"),
        ("call", "torch", f"nn.ConvTranspose2d(3, {LONG}, 3)", "--claim"),
        ("call", "torch", f"x = nn.ConvTranspose2d(3, {LONG}, 3); nn.ConvTranspose2d(3, 4, *{LONG})"),
        ("port", f"nn.ConvTranspose2d(8, 4, 3)(x, output_size={LONG})", "--from", "torch", "--to", "jax", *SHAPE),
        ("sizes", "torch", "--input", LONG, "--output", "3"),
        ("sizes", "torch", "--input", "3", "--output", "3", "--padding", LONG),
        ("sizes", "torch", f"nn.ConvTranspose2d(3, {LONG}, 3)", "--input", "5"),
    ],
)
def test_what_is_long_is_not_repeated_in_whole(arguments: tuple[str, ...]) -> None:
    done = conformance(*arguments)
    assert all(len(line) < 2_000 for line in (*done.stdout.splitlines(), *done.stderr.splitlines()))
    assert done.stdout or done.stderr


def test_a_default_of_the_function_around_a_call_is_taken_and_said(tmp_path: Path) -> None:
    model = tmp_path / "model.py"
    model.write_text(
        "class Up(nn.Module):\n"
        "    def __init__(self, nz=100, ngf=64, k=4, *, s=2, odd=3):\n"
        "        odd = odd + 1\n"
        "        self.up = nn.ConvTranspose2d(nz, ngf * 8, k, s, 1, bias=False)\n"
        "        self.odd = nn.ConvTranspose2d(nz, 8, odd)\n"
    )
    first, _, second = conformance("call", "torch", str(model)).stdout.partition(f"{model}:5")
    assert "torch.nn.ConvTranspose2d(100, 512, 4, 2, 1, bias=False)" in first
    said = "nz is 100, its default in __init__; ngf is 64, its default in __init__; k is 4, its default in __init__"
    assert f"  assumed: {said}; s is 2, its default in __init__\n" in first
    assert "torch.nn.ConvTranspose2d(100, 8, odd)" in second
    given = conformance("call", "torch", str(model), "--let", "ngf=8", "--let", "k=2").stdout
    assert "torch.nn.ConvTranspose2d(100, 64, 2, 2, 1, bias=False)" in given
    assert "ngf is" not in given
    made = conformance("port", model.read_text(), "--from", "torch", "--to", "jax", "--shape", "x=1,100,5,5")
    assert "2 calls are in it" in made.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--pass", "weight", "--claim"], "leave out --claim and --json"),
        (["--lane", "torch-eager", "--json"], "leave out --claim and --json"),
        (["--pass", "bias"], "has no bias, so that there is no gradient of one"),
        (["--lane", "torch-eager", "--pass", "bias"], "has no bias, so that there is no gradient of one"),
        (["--lane", "torch-eager", "--case", "one-pixel"], "--case beside --lane"),
    ],
)
def test_a_gradient_that_a_call_cannot_be_asked_for_is_one_line(words: list[str], says: str) -> None:
    done = conformance("call", "torch", "nn.ConvTranspose1d(2, 3, 3, bias=False)", "--shape", "x=1,2,5", *words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert says in done.stderr
