"""The generated case files: exhaustive where they say so, committed as generated, and reaching every region."""

from collections.abc import Callable, Mapping, Sequence
from math import gcd
from pathlib import Path
from shutil import copy

import pytest

from conformance.io.folders import cases_folder
from conformance.problem import Problem, broken_rule
from conformance.suites import generate
from conformance.suites.cases import read_suite

NAMES = ("rounding.jsonl", "smoke.jsonl", "covering.jsonl", "sizes.jsonl", "grid.jsonl", "negative/pairs.jsonl")


@pytest.fixture(scope="module")
def files() -> Mapping[str, str]:
    return generate.files()


@pytest.fixture
def committed(tmp_path: Path, files: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the committed files, compared with files that are generated once."""
    monkeypatch.setattr(generate, "files", lambda: files)
    (tmp_path / "negative").mkdir()
    for name in NAMES:
        copy(cases_folder() / name, tmp_path / name)
    return tmp_path


@pytest.mark.slow
def test_committed_files_are_what_is_generated(committed: Path) -> None:
    assert generate.differences(committed, generate.files()) == []


@pytest.mark.parametrize("name", NAMES)
def test_missing_file_differs(committed: Path, name: str) -> None:
    (committed / name).unlink()
    assert generate.differences(committed, generate.files()) == [name]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "change",
    [lambda b: b + b"\n", lambda b: b[:-1], lambda b: b.replace(b"k3", b"k4", 1), lambda b: b.replace(b"\n", b"\r\n")],
    ids=["longer", "shorter", "edited", "line ends"],
)
def test_changed_file_differs(committed: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    (committed / name).write_bytes(change((committed / name).read_bytes()))
    assert generate.differences(committed, generate.files()) == [name]


def test_smoke_is_small() -> None:
    assert 20 <= len(read_suite("smoke").cases) <= 60


def test_grid_has_every_valid_point_exactly_once() -> None:
    points = {
        (i, k, s, d, p, op)
        for i in (1, 2, 3, 5)
        for k in (1, 2, 3, 4, 5)
        for s in (1, 2, 3, 4)
        for d in (1, 2, 3)
        for p in range(d * (k - 1) + 3)  # to one past the effective kernel
        for op in range(max(s, d))
        if (i - 1) * s + d * (k - 1) + 1 - 2 * p + op >= 1
    }
    found = [case.problem for case in read_suite("grid").cases]
    assert all(problem.rank == 1 and problem.pads[0][0] == problem.pads[0][1] for problem in found)
    levels = [
        (problem.input[0], problem.kernel[0], problem.stride[0], problem.dilation[0], problem.pads[0][0],
         problem.output_padding[0])
        for problem in found
    ]  # fmt: skip
    assert len(levels) == len(set(levels))
    assert set(levels) == points
    assert len(points) > 3000


def test_grid_ids_say_the_point() -> None:
    for name, problem in generate.grid():
        (i,), (k,), (s,), (d,), ((p, _),), (op,) = (
            problem.input, problem.kernel, problem.stride, problem.dilation, problem.pads, problem.output_padding
        )  # fmt: skip
        assert name == f"grid-i{i}-k{k}-s{s}-d{d}-p{p}-op{op}"
        assert broken_rule(problem) is None


def anywhere(holds: Callable[[int, int, int, int, int, int, int], bool]) -> Callable[[Problem], bool]:
    """Whether some axis (i, k, s, d, begin, end, op) has a property."""
    return lambda p: any(
        holds(i, k, s, d, begin, end, op)
        for i, k, s, d, (begin, end), op in zip(
            p.input, p.kernel, p.stride, p.dilation, p.pads, p.output_padding, strict=True
        )
    )


def anisotropic(values: Callable[[Problem], Sequence[object]]) -> Callable[[Problem], bool]:
    return lambda p: len(set(values(p))) > 1


@pytest.mark.parametrize(
    ("region", "floor"),
    [
        pytest.param(anywhere(lambda i, k, s, d, b, e, op: s > k), 500, id="stride past kernel"),
        pytest.param(anywhere(lambda i, k, s, d, b, e, op: k > i), 500, id="kernel past input"),
        pytest.param(
            anywhere(lambda i, k, s, d, b, e, op: max(b, e) >= d * (k - 1) + 1), 300, id="padding past kernel"
        ),
        pytest.param(anywhere(lambda i, k, s, d, b, e, op: d > 1 and op > 0), 500, id="dilation and output_padding"),
        pytest.param(anywhere(lambda i, k, s, d, b, e, op: op >= s), 200, id="output_padding past stride"),
        pytest.param(anywhere(lambda i, k, s, d, b, e, op: op > b), 200, id="output_padding past padding"),
        pytest.param(anywhere(lambda i, k, s, d, b, e, op: d > 1 and k == 1), 100, id="dilation of one tap"),
        pytest.param(anywhere(lambda i, k, s, d, b, e, op: gcd(s, d) > 1), 300, id="common factor"),
        pytest.param(anywhere(lambda i, k, s, d, b, e, op: b > e), 100, id="more cut at the beginning"),
        pytest.param(anywhere(lambda i, k, s, d, b, e, op: b < e), 100, id="more cut at the end"),
        pytest.param(anywhere(lambda i, k, s, d, b, e, op: i == 1), 300, id="one element"),
        pytest.param(lambda p: p.groups > 1 and p.in_channels == p.out_channels == 1, 20, id="depthwise"),
        pytest.param(lambda p: p.groups > 1 and p.in_channels == 1 < p.out_channels, 50, id="depthwise multiplier"),
        pytest.param(lambda p: p.groups > 1 and p.in_channels > 1 < p.out_channels, 50, id="groups of channels"),
        pytest.param(lambda p: p.in_channels > p.out_channels, 100, id="more channels in"),
        pytest.param(lambda p: p.in_channels < p.out_channels, 100, id="more channels out"),
        pytest.param(lambda p: p.in_channels == p.out_channels > 1, 90, id="square weights"),
        pytest.param(lambda p: p.in_channels % 8 == 0 == p.out_channels % 8, 90, id="whole blocks of 8"),
        pytest.param(lambda p: p.in_channels % 16 > 0 == p.out_channels % 16, 15, id="a tail beside whole blocks"),
        pytest.param(lambda p: p.batch > 1, 200, id="batch"),
        pytest.param(lambda p: p.bias, 200, id="bias"),
        pytest.param(lambda p: p.rank == 2, 150, id="images"),
        pytest.param(lambda p: p.rank == 3, 150, id="volumes"),
        pytest.param(anisotropic(lambda p: p.input), 200, id="input differs per axis"),
        pytest.param(anisotropic(lambda p: p.kernel), 200, id="kernel differs per axis"),
        pytest.param(anisotropic(lambda p: p.stride), 200, id="stride differs per axis"),
        pytest.param(anisotropic(lambda p: p.dilation), 100, id="dilation differs per axis"),
        pytest.param(anisotropic(lambda p: p.pads), 200, id="pads differ per axis"),
        pytest.param(anisotropic(lambda p: p.output_padding), 200, id="output_padding differs per axis"),
    ],
)
def test_core_reaches(region: Callable[[Problem], bool], floor: int) -> None:
    assert sum(region(case.problem) for case in read_suite("core").cases) >= floor


def test_core_reaches_negative_pads() -> None:
    assert any(min(min(ends) for ends in case.problem.pads) < 0 for case in read_suite("core").cases)
