"""Which files are read, and what is said of the others."""

import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest

from conformance.scan import scanning, sizes
from conformance.scan.formats.known import BY_SUFFIX, SAVED_MODEL, format_of
from conformance.scan.layer import Extent, ScanError, SizeError


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.py", "it is source code: give it to `conformance call FRAMEWORK FILE`"),
        ("model.h5", "can hold code that is run as it is loaded: save the model as .keras"),
        ("model.pkl", "a pickle is run as it is loaded"),
        ("model.safetensors", "it holds weights and no graph"),
        ("model.txt", "give one of .onnx"),
    ],
)
def test_another_file_is_told_what_to_give_instead(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ScanError, match=message):
        scanning.scan(str(tmp_path / name))


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_weights_and_pickles_are_refused_before_pytorch_is_asked_for(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "python_for", lambda framework, chosen: None)
    for name, members, message in (
        ("state", ("state/data.pkl",), "holds weights, or a pickle .* and no graph: give package.module:factory"),
        ("old", (), "is a pickle, which would be run as it is loaded"),
        ("script", ("script/code/__torch__.py",), "is read by torch, and no environment here has that"),
    ):
        path = tmp_path / f"{name}{suffix}"
        path.write_bytes(pickle.dumps({"a": 1}))
        if members:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(members[0], "x = 1")
        with pytest.raises(ScanError, match=message):
            scanning.scan(str(path))


@pytest.mark.parametrize("suffix", BY_SUFFIX)
def test_what_has_no_end_is_opened_by_nobody(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"m{suffix}").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="is a device, not a regular file"):
        format_of(str(tmp_path / f"m{suffix}"))


def test_what_has_no_end_in_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    (tmp_path / "variables").mkdir()
    assert format_of(str(tmp_path)) is SAVED_MODEL
    os.mkfifo(tmp_path / "variables" / "variables.index")
    with pytest.raises(OSError, match="is a pipe, not a regular file"):
        format_of(str(tmp_path))


def test_a_file_that_there_is_not_and_a_folder_of_nothing_are_named(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="there is no such file"):
        scanning.scan(str(tmp_path / "none.onnx"))
    with pytest.raises(ScanError, match=r"is a folder without saved_model\.pb"):
        scanning.scan(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "give a name and its extents"), ("x=1,,2", "give a name and its extents"),
        ("x=5..2", "is not within"), ("x=0", "is not within"), ("x=99999999999999999999", "is not within"),
    ],
)  # fmt: skip
def test_sizes_that_are_none_are_refused(text: str, message: str) -> None:
    with pytest.raises(ScanError, match=message):
        sizes.parse([text])
    with pytest.raises(ScanError, match="x is given twice"):
        sizes.parse(["x=1", "x=2"])


def test_sizes_that_do_not_fit_the_file_are_refused() -> None:
    declared: dict[str, list[Extent]] = {"x": [None, 3, "h"], "z": [1, 2]}
    for asked, message in (
        ({"y": ((1, 1),)}, "has no such input: its inputs are x, z"),
        ({"x": ((1, 1),)}, "1 extents are given, and m has 3 there: give as many, as in --input x=1,3,64"),
        ({"x": ((1, 1), (4, 4), (5, 5))}, "axis 1 is 4, and m fixes it to 3"),
    ):
        with pytest.raises(ScanError, match=message):
            sizes.of_inputs("m", declared, asked)


@pytest.mark.parametrize(
    ("takes", "words"),
    [
        (lambda i: True, "every extent"), (lambda i: i >= 9, "every extent from 9 on"),
        (lambda i: i % 8 == 0, "multiples of 8"), (lambda i: i % 8 == 3, "multiples of 8 and 3 more"),
        (lambda i: i % 4 in (0, 3), "0 or 3 more than a multiple of 4"), (lambda i: i < 30, "5, 6, 7, "),
        (lambda i: i in (5, 7, 12), "5, 7, 12 of those tried"),
        (lambda i: i % 32 in (5, 6), "5, 6, 37, 198 of those tried"),
    ],
)  # fmt: skip
def test_which_extents_a_model_takes_is_said(takes: object, words: str) -> None:
    assert callable(takes)

    def at(shapes: sizes.Sizes) -> int:
        extent = shapes["x"][1]
        if not takes(extent):
            raise SizeError("so not")
        return extent

    found, said = sizes.tried({"x": ((1, 1), (5, 201))}, at)
    assert said[0].startswith(f"axis 1 of x in 5..201: {words}")
    largest = max(extent for extent in range(5, 202) if takes(extent))
    assert found[-1] == largest


def test_a_symbol_is_listed_without_mxnet_with_its_inner_graphs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "python_for", lambda framework, chosen: None)
    node = {"op": "Deconvolution", "name": "in", "attrs": {"kernel": "(3, 3)"}, "inputs": [[0, 0, 0], [0, 0, 0]]}
    data, loop = {"op": "null", "name": "data", "inputs": []}, {"op": "_foreach", "name": "loop", "inputs": []}
    up = {"op": "UpSampling", "name": "up", "attrs": {"sample_type": "bilinear"}, "inputs": [[0, 0, 0]]}
    nodes = [data, node | {"name": "out"}, up, loop | {"subgraphs": [{"nodes": [data, node]}]}]
    (tmp_path / "m-symbol.json").write_text(json.dumps({"nodes": nodes}), encoding="utf-8")
    told = [(row.layer, row.unknown[:40]) for row in scanning.scan(str(tmp_path / "m-symbol.json")).scan.rows]
    assert told == [
        ("out", "its extents and its weight are read by m"), ("up", "MXNet computes it as a transposed convol"),
        ("loop/1/in", "it stands in the inner graph loop/1/, wh"),
    ]  # fmt: skip
    nodes[3]["subgraphs"][0]["nodes"] = [node | {"op": "Custom"}]  # type: ignore[index]  # it is JSON
    (tmp_path / "m-symbol.json").write_text(json.dumps({"nodes": nodes}), encoding="utf-8")
    with pytest.raises(ScanError, match="has an operator Custom, whose code would be run"):
        scanning.scan(str(tmp_path / "m-symbol.json"))


def test_an_empty_name_is_no_folder() -> None:
    with pytest.raises(ScanError, match="an empty name is given: give a model's file"):
        format_of("")
