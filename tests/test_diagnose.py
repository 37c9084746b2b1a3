"""Diagnosis: planted misreadings are named, smallest first, and nothing is explained that is not exactly so."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray
from strategies import problems

from conformance import cases, cli, data, oracle
from conformance.data import Arrays
from conformance.diagnose import DiagnosisError, diagnose, difference
from conformance.problem import Problem

Planted = Callable[[Problem, Arrays], NDArray[np.int64]]
RICH = "i5x4 k3x2 s2x1 p1:2x1 d1x2 g2 ic3 oc2 n2 bias"
SQUARE = "i4 k3 s2 p1 g2 ic2 oc2"


def planted(descriptor: str, plant: Planted) -> tuple[str, ...]:
    problem = Problem.parse(descriptor)
    arrays = data.draw("planted", problem)
    return tuple(map(str, diagnose(problem, arrays, plant(problem, arrays))))


def read_as(problem: Problem, arrays: Arrays, **fields: object) -> NDArray[np.int64]:
    return oracle.expected(replace(problem, **fields), *arrays)  # type: ignore[arg-type]  # fields by name


def swapped(weight: NDArray[np.int64]) -> NDArray[np.int64]:
    """In and out channels swapped inside each of two groups of two."""
    return weight.reshape(2, 2, 2, -1).swapaxes(1, 2).reshape(weight.shape)


@pytest.mark.parametrize(
    ("descriptor", "plant", "text"),
    [
        (RICH, lambda p, a: oracle.expected(p, *a), "equals the oracle"),
        ("i7x7 k5 s2 p1:2 ic2", lambda p, a: read_as(p, a, pads=((2, 1),) * 2),
         "window (2, 1) x (2, 1) for (1, 2) x (1, 2)"),
        (RICH, lambda p, a: oracle.expected(p, a.x, np.flip(a.weight, (2, 3)), a.bias),
         "taps reversed on axes 0 and 1"),
        (RICH, lambda p, a: oracle.expected(p, a.x, np.flip(a.weight, 3), a.bias), "taps reversed on axis 1"),
        (RICH, lambda p, a: oracle.expected(p, a.x, a.weight, None), "bias ignored"),
        (RICH, lambda p, a: oracle.expected(p, a.x, a.weight, 2 * a.bias), "bias added twice"),
        (RICH, lambda p, a: oracle.expected(p, a.x[::-1], a.weight, a.bias), "batch in reverse order"),
        (RICH, lambda p, a: oracle.expected(p, a.x, a.weight[[3, 4, 5, 0, 1, 2]], a.bias),
         "groups in reverse order"),
        (SQUARE, lambda p, a: oracle.expected(p, a.x, swapped(a.weight), None),
         "in and out channels of the weight swapped"),
        ("i5 k3 s2 d2 oc2", lambda p, a: read_as(p, a, dilation=(1,)), "dilation ignored"),
        ("i5 k3 s3 d2 oc2", lambda p, a: read_as(p, a, stride=(2,), dilation=(3,)), "stride and dilation swapped"),
        ("i5 k3 s2 oc2", lambda p, a: oracle.expected(p, a.x, a.weight * [1, 1, 0], None),
         "the last tap lost on axis 0"),
        ("i3 k3 s2 p1 op1 oc2", lambda p, a: read_as(p, a, output_padding=(0,)), "window (1, 1) for (1, 0)"),
    ],
)  # fmt: skip
def test_names_a_planted_misreading(descriptor: str, plant: Planted, text: str) -> None:
    assert any(found.endswith(text) for found in planted(descriptor, plant)), planted(descriptor, plant)


def test_names_three_at_once() -> None:
    (found,) = planted(
        RICH, lambda p, a: oracle.expected(replace(p, pads=((2, 1), (1, 1))), a.x, np.flip(a.weight, (2, 3)), None)
    )
    assert found == (
        "equals the oracle with taps reversed on axes 0 and 1 and bias ignored and "
        "window (2, 1) x (1, 1) for (1, 2) x (1, 1)"
    )


def test_names_another_extent_as_another_window() -> None:
    (found,) = planted("i4 k3 s2 p1 ic2", lambda p, a: read_as(p, a, pads=((0, 0),)))
    assert found == "equals the oracle with window (0, 0) for (1, 1)"


def test_gives_every_explanation_that_the_data_allows() -> None:
    found = planted("i1 k3 s2 ic2", lambda p, a: read_as(p, a))
    assert found == ("equals the oracle",)
    one_tap = planted("i3 k2 s4 oc2 p1", lambda p, a: oracle.expected(p, a.x, a.weight * [0, 1], None))
    assert "equals the oracle with the first tap lost on axis 0" in one_tap


@pytest.mark.parametrize(
    "fault", [lambda y: y + 1, lambda y: y * 2, lambda y: y[:, ::-1], lambda y: np.zeros_like(y[:1])]
)
def test_leaves_unexplained_what_is_no_misreading(fault: Callable[[NDArray[np.int64]], NDArray[np.int64]]) -> None:
    problem = Problem.parse("i5 k3 s2 p1 ic2 oc3 n2")
    arrays = data.draw("planted", problem)
    assert not [
        each
        for each in diagnose(problem, arrays, fault(oracle.expected(problem, *arrays)))
        if "out channels" not in str(each)
    ]


@given(problems(ranks=(1, 2)))
def test_the_right_answer_needs_no_statement(problem: Problem) -> None:
    try:
        arrays = data.draw("planted", problem)
    except data.DataError:
        return
    (first, *_) = diagnose(problem, arrays, oracle.expected(problem, *arrays))
    assert first.statements == ()


def test_every_diagnosis_really_gives_the_array() -> None:
    problem = Problem.parse("i4x3 k2x3 s2 p1x0 ic2 oc3")
    arrays = data.draw("planted", problem)
    actual = read_as(problem, arrays, pads=((0, 1), (1, 0)))
    for each in diagnose(problem, arrays, actual):
        assert np.array_equal(actual, read_as(problem, arrays, pads=each.window))


def test_operands_of_another_problem_are_refused() -> None:
    arrays = data.draw("planted", Problem.parse("i5 k3 ic2"))
    with pytest.raises(DiagnosisError, match=r"x is \(1, 2, 5\), 'i5 k3' takes \(1, 1, 5\)"):
        diagnose(Problem.parse("i5 k3"), arrays, np.zeros((1, 1, 7)))


def test_an_unexplained_array_comes_with_where_it_differs() -> None:
    problem = Problem.parse("i5 k3 ic2")
    arrays = data.draw("planted", problem)
    actual = oracle.expected(problem, *arrays)
    actual[0, 0, 3] += 1
    assert "1 of 7 values differ, first at (0, 0, 3)" in difference(problem, arrays, actual)


class TestCommand:
    @pytest.fixture
    def files(self, tmp_path: Path) -> dict[str, str]:
        problem = Problem.parse("i5 k3 s2 p1 ic2")
        arrays = data.draw("planted", problem)
        shifted = read_as(problem, arrays, pads=((0, 2),)).astype(np.float32)
        for name, array in {"x": arrays.x, "weight": arrays.weight, "actual": shifted}.items():
            np.save(tmp_path / f"{name}.npy", array)
        return {f"--{name}": str(tmp_path / f"{name}.npy") for name in ("x", "weight", "actual")}

    def run(
        self, *arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["conformance", "diagnose", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        output = capsys.readouterr()
        return int(ended.value.code or 0), output.out + output.err

    def test_explains_arrays_that_a_user_gives(
        self, files: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        options = [word for pair in files.items() for word in pair]
        status, output = self.run("i5 k3 s2 p1 ic2", *options, capsys=capsys, monkeypatch=monkeypatch)
        assert (status, output) == (0, "equals the oracle with window (0, 2) for (1, 1)\n")

    @pytest.mark.parametrize(
        ("subject", "change", "message"),
        [
            ("i5 k3 s2 p1", {}, "x is (1, 2, 5)"),
            ("i5 k3 s2 p1 ic2 bias", {}, "needs --actual, --x, --weight and --bias"),
            ("i5 k3 s2 p9 ic2", {}, "output extent"),
            ("i5 k3 s2 p1 ic2", {"--x": "absent.npy"}, "absent.npy: not an array file"),
            ("absent.jsonl", {}, "absent.jsonl: cannot be read"),
        ],
    )
    def test_a_mistake_is_one_line(
        self,
        files: dict[str, str],
        subject: str,
        change: dict[str, str],
        message: str,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        options = [word for pair in (files | change).items() for word in pair]
        status, output = self.run(subject, *options, capsys=capsys, monkeypatch=monkeypatch)
        assert status == 2
        assert message in output
        assert output.count("\n") == 1


def test_every_smoke_case_can_be_told_from_a_reversed_kernel() -> None:
    blind = []
    for case in cases.read_suite("smoke").cases:
        arrays = data.draw(case.id, case.problem)
        if max(case.problem.kernel) > 1:
            actual = oracle.expected(
                case.problem, arrays.x, np.flip(arrays.weight, tuple(range(2, arrays.weight.ndim))), arrays.bias
            )
            if not any("taps" in str(each) for each in diagnose(case.problem, arrays, actual)):
                blind.append(case.id)
    assert len(blind) < 6, blind  # windows that keep too little of the stamp to see it
