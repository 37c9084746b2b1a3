"""Two scans of a model: what a conversion did to its layers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conformance.scan import scanning
from conformance.scan.comparing import compare
from tests.cli.test_cli import Command
from tests.scan.test_onnx import BIAS, RNG, UP1, UP2, UP3, decoder, node, save


@pytest.fixture
def conformance(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capfd)


def scanned(path: Path, name: str, *, weights: bool = True) -> Path:
    made = scanning.scan(str(path))
    target = path.parent / f"{name}.jsonl"
    target.write_bytes(made.scan.content)
    if weights:
        target.with_suffix(".safetensors").write_bytes(scanning.stored(made.weights))
    return target


def converted(folder: Path, up2: object = UP2, **words: object) -> Path:
    nodes = [
        node("x", "up1.weight", to="h1", name="/up1/ConvTranspose", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("h1", "up2.weight", to="h3", **{"strides": [2, 2], "auto_pad": "SAME_UPPER", **words}),
        node("h3", "up3.weight", to="y", name="up3", strides=[2, 2], group=2, output_padding=[1, 0]),
    ]
    return save(folder / "n.onnx", nodes, {"up1.weight": UP1, "up2.weight": np.asarray(up2), "up3.weight": UP3})


def test_a_model_that_was_saved_twice_is_the_same(conformance: Command, tmp_path: Path) -> None:
    old, new = (scanned(decoder(tmp_path / f"{name}.onnx"), name) for name in ("old", "new"))
    assert not any(each.differences for each in compare(old, new))
    ended = conformance("diff", old, new)
    assert (ended.status, ended.out.splitlines()[-1]) == (0, "3 layers compared: nothing changed")


def test_a_bias_that_is_added_behind_is_no_other_meaning(tmp_path: Path) -> None:
    old, new = scanned(decoder(tmp_path / "m.onnx"), "old"), scanned(converted(tmp_path), "new")
    compared = compare(old, new)
    assert [each.differences for each in compared] == [(), (), ()]
    assert [bool(each.bias) for each in compared] == [True, False, False]
    assert compared[0].line == ("/up1/ConvTranspose: the same; biases are not compared: only the old layer has one, as "
                                "a converter may move it behind")  # fmt: skip


def test_other_biases_are_told_where_they_were_kept(tmp_path: Path) -> None:
    nodes = [node("x", "w", "b", to="y", name="u\np")]
    paths = []
    for name, bias in (("old", BIAS), ("new", BIAS + np.float32(2))):
        paths.append(scanned(save(tmp_path / f"{name}.onnx", nodes, {"w": UP1, "b": bias}), name))
    assert [each.line for each in compare(*paths)] == ["u\\np: another bias in 8 of 8 numbers, at most by 2"]
    paths[1].with_suffix(".safetensors").unlink()
    assert [each.line for each in compare(*paths)] == [
        "u\\np: the same; biases are not compared: scan both with --weights"
    ]


def test_layers_of_equal_names_are_a_pair_before_the_others(tmp_path: Path) -> None:
    square = RNG.standard_normal((3, 3, 3, 3)).astype("f4")
    paths = []
    for names in ("abc", "acd", "xc"):
        nodes = [node("xyz"[at], "w", to="xyzu"[at + 1], name=name, pads=[1] * 4) for at, name in enumerate(names)]
        model = save(tmp_path / f"{names}.onnx", nodes, {"w": square}, output="xyzu"[len(names)])
        paths.append(scanned(model, names))
    assert [(each.old, each.new) for each in compare(*paths[:2])] == [("a", "a"), ("b", "d"), ("c", "c")]
    assert [(each.old, each.new) for each in compare(paths[0], paths[2])] == [("a", "x"), ("b", ""), ("c", "c")]
    assert [(each.old, each.new) for each in compare(paths[2], paths[0])] == [("x", "a"), ("c", "c"), ("", "b")]


def test_another_meaning_and_other_weights_are_told(conformance: Command, tmp_path: Path) -> None:
    other = UP2.copy()
    other[0, 0, 0, 0] *= 1.5
    old = scanned(decoder(tmp_path / "m.onnx"), "old")
    new = scanned(converted(tmp_path, other, auto_pad="SAME_LOWER"), "new")
    _, second, _ = compare(old, new)
    assert second.differences[0] == "'i16x16 k3 s2 p0:1 ic8 oc4' was meant, now 'i16x16 k3 s2 p1:0 ic8 oc4'"
    assert second.differences[1].startswith(f"another weight in 1 of {UP2.size} numbers, at most by ")
    ended = conformance("diff", old, new)
    assert (ended.status, ended.out.splitlines()[0].partition(":")[0]) == (1, "h3")
    assert "1 changed" in ended.out
    assert conformance("diff", old, new, "--json").out.startswith("[\n")
    new.with_suffix(".safetensors").unlink()
    assert "scan both with --weights" in compare(old, new)[1].line


def test_a_layer_that_is_gone_is_told(tmp_path: Path) -> None:
    old = scanned(decoder(tmp_path / "m.onnx"), "old")
    new = scanned(save(tmp_path / "o.onnx", [node("x", "w", to="y", strides=[2, 2], pads=[1] * 4)], {"w": UP1}), "new")
    first, *rest = compare(old, new)
    assert first == replace(first, old="/up1/ConvTranspose", new="y", differences=())
    assert [each.line for each in rest] == [
        "h3 -> nothing: is in one of them alone", "up3 -> nothing: is in one of them alone",
    ]  # fmt: skip


def test_a_second_file_that_is_no_scan_is_named(conformance: Command, tmp_path: Path) -> None:
    old, other = scanned(decoder(tmp_path / "m.onnx"), "old"), tmp_path / "other.jsonl"
    ended = conformance("diff", old, other)
    assert (ended.status, "other.jsonl: there is no such file: give two scans" in ended.err) == (2, True)
    other.write_text("nothing\n")
    ended = conformance("diff", old, other)
    assert (ended.status, "other.jsonl: is no scan, and the other file is one" in ended.err) == (2, True)
