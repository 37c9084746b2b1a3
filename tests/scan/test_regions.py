"""What is known of a model's layers in each lane, without any framework."""

import json
from pathlib import Path

import pytest

from conformance import adapters
from conformance.scan import regions
from conformance.scan.layer import ScanError
from conformance.suites.scans.file import Row
from tests.cli.test_cli import Command
from tests.scan.test_onnx import UP1, decoder, node, save


@pytest.fixture
def conformance(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capfd)


def row(problem: str) -> Row:
    return Row(id="a", layer="a", place="", call="", problem=problem)


def test_a_refusal_comes_with_its_reason_its_link_and_what_helps() -> None:
    ((fault,),) = regions.known(row("i8x8 k3 s2 g2"), regions.lanes(["tensorflow-eigen"])).values()
    assert (fault.happens, fault.id) == ("refuses this", "tensorflow-eigen-groups")
    assert fault.upstream.startswith("https://")
    assert any("run it as onednn" in way for way in fault.helps)


def test_nothing_is_known_against_a_plain_layer_in_any_lane() -> None:
    known = regions.known(row("i8x8 k3 s2 p1 op1 ic3 oc8"), regions.lanes(["all"]))
    assert [*known] == list(adapters.lanes())
    assert not any(known.values())


def test_nothing_is_known_of_a_row_without_a_problem_or_of_whole_numbers() -> None:
    assert regions.known(row(""), regions.lanes(["all"])) == {}
    whole = Row(id="a", layer="a", place="", call="", problem="i8 k3", dtype="int8")
    assert regions.known(whole, regions.lanes(["all"])) == {}


def test_a_framework_stands_for_its_lanes_and_an_unknown_one_is_told() -> None:
    assert [str(lane) for lane in regions.lanes(["tensorflow", "tensorflow-onednn"])] == [
        "tensorflow-onednn", "tensorflow-eigen",
    ]  # fmt: skip
    with pytest.raises(ScanError, match="--lane nowhere: there is no such lane: give all, or one of "):
        regions.lanes(["nowhere"])


def test_the_command_exits_with_1_where_a_lane_is_known_not_to_answer(conformance: Command, tmp_path: Path) -> None:
    model = decoder(tmp_path / "m.onnx")
    assert conformance("scan", model, "--lane", "torch").status == 0
    ended = conformance("scan", model, "--lane", "tensorflow-eigen", "--json")
    assert ended.status == 1
    *_, last = map(json.loads, ended.out.splitlines())
    assert last["lanes"]["tensorflow-eigen"][0]["id"] == "tensorflow-eigen-groups"
    shown = conformance("scan", model, "--lane", "all")
    assert "known in float32 on tensorflow-eigen: tensorflow refuses this" in shown.out
    clear = [line for line in shown.out.splitlines() if "no fault or refusal is known in" in line]
    assert clear
    assert all("torch-eager" in line for line in clear)
    assert "compute in float64" not in shown.out


def test_what_happens_to_some_problems_of_a_region_alone_may_happen(conformance: Command, tmp_path: Path) -> None:
    """This layer has a padding that Keras expresses otherwise, so that TensorFlow answers it."""
    keras = regions.lanes(["keras-tensorflow"])
    ((fault,),) = regions.known(row("i8x16 k4 s2 p1 ic3 oc4"), keras).values()
    assert (fault.happens, fault.certain) == ("may fail by an exception that is no clean refusal", False)
    nodes = [node("x", "up", to="y", strides=[2, 2], pads=[1, 1, 1, 1])]
    ended = conformance("scan", save(tmp_path / "m.onnx", nodes, {"up": UP1}, (1, 3, 8, 16)), "--lane", keras[0])
    assert "known in float32 on keras-tensorflow: keras may fail by an exception" in ended.out
    assert ended.status == 0


def test_lanes_are_asked_in_the_dtypes_of_their_framework() -> None:
    every = regions.lanes(["all"])
    assert regions.computing(every, "float32") == every
    assert {lane.framework for lane in regions.computing(every, "bfloat16")} == {
        "jax", "mlx", "tensorflow", "torch",
    }  # fmt: skip


def test_a_scan_that_fails_writes_nothing(conformance: Command, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"nothing")
    ended = conformance("scan", tmp_path / "m.onnx", "--to", tmp_path / "s.jsonl", "--weights")
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    decoder(tmp_path / "m.onnx")
    (tmp_path / "s.jsonl").write_text("mine\n")
    assert conformance("scan", tmp_path / "m.onnx", "--to", tmp_path / "s.jsonl").status == 2
    assert (tmp_path / "s.jsonl").read_text() == "mine\n"
    for words in (["--weights"], ["--to", tmp_path / "s.txt"]):
        assert conformance("scan", tmp_path / "m.onnx", *words).status == 2
    ended = conformance("scan", tmp_path / "m.onnx", "--to", tmp_path / "t.jsonl", "--weights")
    assert (ended.status, sorted(path.name for path in tmp_path.iterdir())) == (
        0, ["m.onnx", "s.jsonl", "t.jsonl", "t.safetensors"],
    )  # fmt: skip


def test_a_scan_without_problems_does_not_say_to_run_them(conformance: Command, tmp_path: Path) -> None:
    model, target = decoder(tmp_path / "m.onnx", (1, 3, "h", "w")), tmp_path / "s.jsonl"
    assert (
        f"{target}: 0 cases: a row without a problem has its reason above"
        in conformance("scan", model, "--to", target).out
    )
    assert (
        f"{target}: 3 cases: conformance run LANE --suite {target}"
        in conformance("scan", model, "--input", "x=1,3,8,8", "--to", target).out
    )
