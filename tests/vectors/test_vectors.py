"""Test vectors: few and small, the same bytes every time, valid by the schema, and read by a stranger."""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from conformance import oracle
from conformance.audit.mutants import EVERY
from conformance.cli import commands
from conformance.numerics.operands import Arrays
from conformance.problem import Problem
from conformance.suites import cases
from conformance.suites.case import Case
from conformance.suites.references import compute
from conformance.vectors import writing
from conformance.vectors.chosen import chosen, chosen_of, elements
from conformance.vectors.data import FEW, PERIOD, data, published
from conformance.vectors.faults import known, told_by
from conformance.vectors.making import IN_JSON, Made, make
from conformance.vectors.schema import FORMAT, Vector, text
from conformance.vectors.telling import told

DOCS = Path(__file__).parents[2] / "docs"
PUBLISHED = DOCS / "vectors.schema.json"
MOST, LARGEST = 1000, 5_000_000
"""How many vectors there are at most, and bytes of all of them."""


def reader() -> Mapping[str, Any]:
    """What stands as Python in docs/vectors.md, which knows nothing of this project."""
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "vectors.md").read_text(encoding="utf-8"), re.DOTALL)
    assert "conformance" not in code
    names: dict[str, Any] = {}
    exec(code, names)
    return names


def written(files: Mapping[str, bytes], folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def one(descriptor: str, case_id: str = "one") -> Made:
    problem = Problem.parse(descriptor)
    case = Case(case_id, problem, descriptor, "It is one.", ("window",), "here")
    return make(case, compute(case))


def shown() -> list[list[str]]:
    """The commands that stand in docs/vectors.md, as words."""
    lines = re.findall(r"```sh\n(.*?)\n```", (DOCS / "vectors.md").read_text(encoding="utf-8"), re.DOTALL)
    return [shlex.split(line) for line in lines]


@pytest.mark.slow
def test_vectors_of_core_are_few_small_valid_and_read_by_a_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (program, *arguments), (_, verb, option, *_) = shown()
    assert (program, verb, option) == ("conformance", "vectors", "--diff")
    assert CliRunner().invoke(commands, arguments, standalone_mode=False).return_value == 0
    folder = tmp_path / "vectors"
    index = json.loads((folder / "index.json").read_text())
    vectors = [json.loads((folder / entry["file"]).read_text()) for entry in index["vectors"]]
    assert len(chosen().cases) < len(vectors) <= MOST
    size = sum(file.stat().st_size for file in folder.rglob("*.*"))
    assert size <= LARGEST
    assert f"There are {len(vectors)} vectors of {size / 1e6:.1f} MB" in (DOCS / "vectors.md").read_text()
    validator = Draft202012Validator(json.loads(PUBLISHED.read_text()))
    assert all(validator.is_valid(value) for value in [index, *vectors])
    assert [*reader()["failing"]("vectors")] == []
    assert {name for vector in vectors for name in vector["tells"]["faults"]} == set(index["faults"])
    arrays = [vector[name] for vector in vectors for name in ("x", "weight", "bias", "expected") if vector[name]]
    raw = {array["file"] for array in arrays if "file" in array}
    assert {file.relative_to(folder).as_posix() for file in (folder / "numbers").iterdir()} == raw


def test_their_page_counts_the_cases_and_the_mutants_that_the_audit_holds_them_against() -> None:
    page = " ".join((DOCS / "vectors.md").read_text().split())
    told = sum(not mutant.equivalent for mutant in EVERY)
    assert f"{len(chosen().cases)} cases of `core`, and {len([*published()])} vectors that others published" in page
    assert (
        f"For each of the {told} wrong implementations of the [audit](audit.md), two of the {len(chosen().cases)} "
        "cases, which differ in shape, detect it."
    ) in page
    assert f"The limit is {MOST:,} vectors and {LARGEST // 10**6} MB." in page


def test_a_vector_that_is_wrong_is_named_by_the_reader(tmp_path: Path) -> None:
    right = one("i3 k2 s2", "right")
    wrong = one("i3x2 k2x1 s2 p-1:1x0 op0x1 g2 oc2 bias", "wrong")
    folder = written(dict(writing.files("smoke", [right, wrong])), tmp_path)
    assert [*reader()["failing"](folder)] == []
    vector = json.loads((folder / "vectors/wrong.json").read_text())
    vector["expected"]["values"][-1] += 1
    (folder / "vectors/wrong.json").write_text(json.dumps(vector))
    assert [*reader()["failing"](folder)] == ["wrong"]


def test_the_published_schema_is_what_the_types_give() -> None:
    assert PUBLISHED.read_text() == text(), f"python -m conformance.vectors.schema > {PUBLISHED}"
    Draft202012Validator.check_schema(json.loads(text()))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "conformance-vector/2"}, {"x": None}, {"colour": "red"}, {"full": [0]}, {"bias": {"shape": [1]}},
        {"tells": {"misreadings": []}}, {"why": ""},
    ],
)  # fmt: skip
def test_a_broken_vector_is_refused_by_the_schema_and_by_the_types(change: Mapping[str, Any]) -> None:
    vector = msgspec.to_builtins(one("i3 k2").vector)
    validator = Draft202012Validator(json.loads(text()))
    assert validator.is_valid(json.loads(json.dumps(vector)))
    broken = json.loads(json.dumps(vector | change))
    assert not validator.is_valid(broken)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(broken, Vector)


def test_the_same_bytes_come_every_time() -> None:
    suite = chosen_of("curated").cases[:12]
    first, second = (dict(writing.files("curated", [make(case, data()[case]) for case in suite])) for _ in range(2))
    assert first == second


def test_few_numbers_are_in_json_and_many_raw() -> None:
    short, long = one(f"i{IN_JSON} k1"), one(f"i{IN_JSON + 1} k1")
    assert short.vector.x.values is not None
    assert not short.numbers
    assert (long.vector.x.values, long.vector.x.file) == (None, f"numbers/one.x.{long.vector.x.dtype}")
    assert long.vector.x.dtype
    raw = np.frombuffer(long.numbers[str(long.vector.x.file)], np.dtype(long.vector.x.dtype).newbyteorder("<"))
    np.testing.assert_array_equal(raw.reshape(long.vector.x.shape), long.reference.arrays.x)


def test_a_large_vector_has_narrow_numbers_that_are_exact() -> None:
    large = [case for case in chosen().cases if elements(case) > FEW]
    assert len(large) > 5
    for case in large[::3]:
        reference = data()[case]
        assert max(np.abs(reference.arrays.x).max(), np.abs(reference.arrays.weight).max()) <= np.iinfo(np.int8).max
        assert reference.largest <= 2**24
        np.testing.assert_array_equal(reference.expected, oracle.expected(case.problem, *reference.arrays))


def test_numbers_that_come_again_are_written_once(tmp_path: Path) -> None:
    case = next(case for case in chosen().cases if elements(case) > FEW)
    made = make(case, data()[case])
    repeated = [array for array in (made.vector.x, made.vector.weight) if array.repeated]
    assert repeated
    assert all(len(made.numbers[str(array.file)]) == PERIOD for array in repeated)
    read = reader()["read"]
    for name, content in made.numbers.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    for array, expected in zip((made.vector.x, made.vector.weight), made.reference.arrays, strict=False):
        np.testing.assert_array_equal(read(tmp_path, msgspec.to_builtins(array)), expected)


def misread(text: str, expected: Any, problem: Problem, x: Any, weight: Any, bias: Any) -> Any:
    """A misreading by plain NumPy and the oracle, apart from the diagnosis' own words for it."""
    match text:
        case "taps reversed on axis 0":
            return oracle.expected(problem, x, np.flip(weight, 2), bias)
        case "bias ignored":
            return oracle.expected(problem, x, weight, None)
        case "the first in channel lost":
            return oracle.expected(problem, np.concatenate([0 * x[:, :1], x[:, 1:]], 1), weight, bias)
        case "window moved by (+1, -1)":
            ((begin, end),) = problem.pads
            return oracle.expected(Problem.of(problem.input, problem.kernel, problem.stride, [(begin + 1, end - 1)],
                                   problem.output_padding, problem.dilation, in_channels=problem.in_channels,
                                   out_channels=problem.out_channels, bias=problem.bias), x, weight, bias)  # fmt: skip
    raise AssertionError(text)


@pytest.mark.parametrize(
    "text", ["taps reversed on axis 0", "bias ignored", "the first in channel lost", "window moved by (+1, -1)"]
)
def test_a_misreading_is_told_where_it_gives_another_array(text: str) -> None:
    descriptors = ("i3 k2 s2 p1 ic2 oc3 bias", "i1 k3 p1 ic2 bias", "i2 k2 s3 ic2 bias", "i1 k2 p1:0 ic2 bias")
    for descriptor in descriptors:
        made = one(descriptor)
        arrays, expected = made.reference.arrays, made.reference.expected
        wrong = misread(text, expected, Problem.parse(descriptor), *arrays)
        assert (text in made.vector.tells.misreadings) is not np.array_equal(wrong, expected)


def test_what_is_the_same_for_the_data_is_not_told() -> None:
    problem = Problem.parse("i3 k2 s2 d2 bias")
    x, weight, bias = np.ones((1, 1, 3), int), np.ones((1, 1, 2), int), np.zeros(1, int)
    arrays = Arrays(x, weight, bias)
    statements = told(problem, arrays, oracle.expected(problem, *arrays))
    assert "taps reversed on axis 0" not in statements
    assert "bias ignored" not in statements
    assert "dilation ignored" in statements


def test_a_known_fault_is_told_inside_of_its_region_alone() -> None:
    names = [fault.expectation.id for fault in told_by(Problem.parse("i5 k3 s2 d2"))]
    assert [name for name in names if name.startswith("mxnet")]
    assert not told_by(Problem.parse("i5 k3"))
    assert {fault.framework for fault in known()} >= {"jax", "mxnet", "torch"}


def test_published_vectors_are_right() -> None:
    vectors = list(published())
    assert len(vectors) >= 10
    for case, reference in vectors:
        np.testing.assert_array_equal(oracle.expected(case.problem, *reference.arrays), reference.expected)
        assert case.source


def test_the_index_says_which_cases_and_which_oracle() -> None:
    index = json.loads(dict(writing.files("smoke", [one("i3 k2")]))["index.json"])
    assert index["cases"] == cases.read_suite("smoke").digest
    assert {"oracle", "version", "why"} <= index.keys()
    assert json.loads(dict(writing.files("smoke", [one("i3 k2")]))["vectors/one.json"])["format"] == FORMAT


class TestCommand:
    @pytest.fixture
    def run(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
        """The command on three vectors."""
        monkeypatch.setattr(
            writing, "made", lambda _: iter([one("i3 k2", "a"), one("i2x2 k2", "b"), one("i1 k1", "c")])
        )
        return lambda *arguments: CliRunner().invoke(commands, ["vectors", *map(str, arguments)])

    def test_it_writes_a_folder_and_replaces_its_own_alone(self, run: Callable[..., Any], tmp_path: Path) -> None:
        assert run("--out", tmp_path / "v").exit_code == 0
        assert (tmp_path / "v/index.json").exists()
        assert run("--out", tmp_path / "v").exit_code == 0
        (tmp_path / "v/mine.txt").write_text("mine")
        result = run("--out", tmp_path / "v")
        assert result.exit_code
        assert "holds mine.txt" in str(result.exception)
        assert (tmp_path / "v/mine.txt").read_text() == "mine"

    def test_it_says_how_many_cases_have_no_vector(self, run: Callable[..., Any], tmp_path: Path) -> None:
        result = run("--suite", "smoke", "--out", tmp_path / "v")
        lacking = {case.id for case in cases.read_suite("smoke").cases} - {case.id for case in chosen().cases}
        assert len(lacking) == 7
        assert result.output.splitlines()[-1] == (
            "no vector of 7 cases of smoke: the vectors of core detect the same wrong implementations without them"
        )
        without = len(cases.read_suite("core").cases) - len(chosen().cases)
        assert f"no vector of {without:,} cases of core: " in run("--out", tmp_path / "v").output

    def test_onnx_models_lie_beside_the_vectors(self, run: Callable[..., Any], tmp_path: Path) -> None:
        pytest.importorskip("onnx", reason="it makes the models, and `tox run -e tests` installs it")
        assert run("--out", tmp_path / "v", "--onnx").exit_code == 0
        assert {path.name for path in (tmp_path / "v/onnx").iterdir()} == {
            f"test_convtranspose_{name}" for name in "abc"
        }

    def test_without_onnx_nothing_is_written(
        self, run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
        result = run("--out", tmp_path / "v", "--onnx")
        assert (result.exit_code, (tmp_path / "v").exists()) == (2, False)
        assert "--onnx needs the package onnx" in result.output

    def test_it_says_what_changed(
        self, run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run("--out", tmp_path / "old")
        monkeypatch.setattr(
            writing, "made", lambda _: iter([one("i3 k2", "a"), one("i2x2 k3", "b"), one("i1 k1", "d")])
        )
        run("--out", tmp_path / "new")
        result = CliRunner().invoke(commands, ["vectors", "--diff", str(tmp_path / "old"), str(tmp_path / "new")],
                                    standalone_mode=False)  # fmt: skip
        assert result.output.splitlines() == ["added: d", "removed: c", "changed: b", "1 added, 1 removed, 1 changed"]
        assert result.return_value == 1

    @pytest.mark.parametrize("arguments", [(), ("--out", "v", "--diff", "a", "b"), ("--suite", "negative")])
    def test_it_refuses_what_says_nothing(self, run: Callable[..., Any], arguments: tuple[str, ...]) -> None:
        assert run(*arguments).exit_code == 2

    def test_a_folder_that_is_none_of_vectors_is_named(self, run: Callable[..., Any], tmp_path: Path) -> None:
        (tmp_path / "index.json").write_text("{}")
        result = run("--diff", tmp_path, tmp_path)
        assert "index.json: is no index of vectors" in str(result.exception)
