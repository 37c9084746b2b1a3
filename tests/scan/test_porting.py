"""A model's layers in another framework's words, with their weights as that takes them."""

import sys
from pathlib import Path

import numpy as np
import pytest

from conformance.adapters.base import Lane
from conformance.layout import parted
from conformance.scan import porting, scanning
from conformance.suites.scans.file import read
from tests.cli.test_cli import Command
from tests.scan.test_onnx import UP1, UP2, UP3, decoder, node, save


@pytest.fixture
def conformance(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capfd)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    scanned = scanning.scan(str(decoder(tmp_path / "m.onnx")))
    path = tmp_path / "m.jsonl"
    path.write_bytes(scanned.scan.content)
    path.with_suffix(".safetensors").write_bytes(scanning.stored(scanned.weights))
    return path


def test_each_layer_is_said_with_its_weight_turned(conformance: Command, scan: Path, tmp_path: Path) -> None:
    ended = conformance("port", "--model", scan, "--to", "keras", "--out", tmp_path / "w.npz")
    assert ended.status == 0, ended.err
    assert ended.out.count("def conv_transpose(x, w") == 3
    with np.load(tmp_path / "w.npz") as weights:
        assert np.array_equal(weights["/up1/ConvTranspose"], UP1.transpose(2, 3, 1, 0))
        assert np.array_equal(weights["h3"], UP2.transpose(2, 3, 1, 0))
        assert sorted(weights) == ["/up1/ConvTranspose", "/up1/ConvTranspose.bias", "h3", "up3"]


def test_a_weight_is_converted_by_the_code_that_is_printed(scan: Path) -> None:
    *_, last = porting.ported(read(scan).rows, porting.Into(Lane("torch", "eager"), "torch"))
    assert last.port is not None
    assert np.array_equal(porting.converted(last.port, UP3), UP3)
    assert parted(UP3, "(g i) o k", {"g": 2})[0].shape == (2, 2, 2, 2, 2)


def test_every_layer_is_said_in_the_idiom_that_is_chosen(conformance: Command, scan: Path) -> None:
    free = conformance("port", "--model", scan, "--to", "keras")
    assert "keras.ops.conv_transpose(" in free.out
    chosen = conformance("port", "--model", scan, "--to", "keras", "--idiom", "keras-layer")
    assert chosen.status == 0
    assert "keras.ops.conv_transpose(" not in chosen.out
    assert chosen.out.count("layer = keras.layers.Conv") == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--idiom", "nosuch"), "no idiom 'nosuch' to port to: those are"),
        (("--from", "torch"), "--from is of a single call, and --model is a scan"),
        (("--shape", "x=1,2,3"), "--shape is of a single call, and --model is a scan"),
        (("--let", "n=2"), "--let is of a single call, and --model is a scan"),
        (("--json",), "--json is of a single call, and --model is a scan"),
        (("nn.ConvTranspose2d(1, 1, 1)",), "'nn.ConvTranspose2d(1, 1, 1)' is of a single call, and --model is a scan"),
        (("--python", f"tensorflow={sys.executable}"), "nothing is run without --verify"),
    ],
)
def test_what_a_scan_says_itself_is_not_given_beside_it(
    conformance: Command, scan: Path, words: tuple[str, ...], said: str
) -> None:
    ended = conformance("port", *words, "--model", scan, "--to", "keras")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert said in ended.err


def test_a_layer_without_extents_says_why(conformance: Command, tmp_path: Path) -> None:
    scanned = scanning.scan(str(decoder(tmp_path / "m.onnx", ["n", 3, "h", "w"])))
    (tmp_path / "m.jsonl").write_bytes(scanned.scan.content)
    ended = conformance("port", "--model", tmp_path / "m.jsonl", "--to", "torch")
    assert ended.status == 1
    assert "# /up1/ConvTranspose: the extents of x are not known: give the sizes of the inputs by --input" in ended.out


def test_what_is_missing_is_named(conformance: Command, scan: Path, tmp_path: Path) -> None:
    assert "give an expression and --from, or a scan by --model" in conformance("port", "--to", "torch").err
    given = conformance("port", "nn.ConvTranspose2d(6, 4, 3)", "--to", "keras", "--shape", "x=2,6,5,7")
    assert (given.status, given.err.count("\n")) == (2, 1)
    assert "--from is missing: name the framework that nn.ConvTranspose2d(6, 4, 3) is of" in given.err
    scan.with_suffix(".safetensors").unlink()
    ended = conformance("port", "--model", scan, "--to", "torch", "--out", tmp_path / "w.npz")
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert "has no weights: scan the model with" in ended.err


def test_a_layers_name_stays_in_its_comment(conformance: Command, scan: Path) -> None:
    scan.write_text(scan.read_text().replace('"layer": "up3"', '"layer": "up3\\nimport os"'))
    ended = conformance("port", "--model", scan, "--to", "torch")
    assert "# up3\\nimport os: " in ended.out
    assert "import os" not in ended.out.splitlines()


def test_a_layer_that_the_target_does_not_say_is_named_with_the_nearest_that_does(
    conformance: Command, tmp_path: Path
) -> None:
    weight = np.arange(6, dtype=np.float32).reshape(2, 1, 3)
    path = save(tmp_path / "line.onnx", [node("x", "w", to="y", strides=[2], pads=[1, 0])], {"w": weight},
                [1, 2, 5])  # fmt: skip
    (tmp_path / "m.jsonl").write_bytes(scanning.scan(str(path)).scan.content)
    ended = conformance("port", "--model", tmp_path / "m.jsonl", "--to", "tfl")
    assert ended.status == 1
    assert "no code of tfl says it" in ended.out
    assert "the nearest that says it is tf.nn.conv1d_transpose(" in ended.out
    assert "on tensorflow-onednn" in ended.out
    solid = np.ones((1, 1, 2, 2, 2), np.float32)
    path = save(tmp_path / "solid.onnx", [node("x", "w", to="y", strides=[2, 2, 2])], {"w": solid}, [1, 1, 2, 2, 2])
    (tmp_path / "s.jsonl").write_bytes(scanning.scan(str(path)).scan.content)
    ended = conformance("port", "--model", tmp_path / "s.jsonl", "--to", "mxnet", "--variant", "native")
    assert ended.status == 1
    assert "on mxnet-onednn" in ended.out
