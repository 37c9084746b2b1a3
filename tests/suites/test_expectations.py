"""Known divergences: what they cover, and the strictness of their files."""

from dataclasses import replace
from pathlib import Path

import pytest

from conformance import adapters
from conformance.audit.properties.stated import PROPERTIES
from conformance.io.folders import cases_folder
from conformance.problem import PASSES
from conformance.records.record import Record, Verdict
from conformance.suites import cases
from conformance.suites.expectation_files import ExpectationError
from conformance.suites.expectations import known, read_expectations, read_file, read_floors

GOOD = """
[[expectation]]
id = "dilated"
when = 'any(dilation > 1) and dtype == "float64"'
verdict = "diverges"
reason = "because"
upstream = "none found"
since = 2026-11-22
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "expectations").mkdir()
    monkeypatch.setenv("CONFORMANCE_CASES", str(tmp_path))
    return tmp_path / "expectations" / "torch.toml"


def record(problem: str, dtype: str = "float64", verdict: Verdict = Verdict.DIVERGES) -> Record:
    return Record("torch", "eager", "one", dtype, "forward", problem, verdict)


def test_covers_its_verdict_in_its_region_only(write: Path) -> None:
    write.write_text(GOOD)
    expectations = read_expectations("torch")
    assert known(record("i3 k3 d2"), expectations) is expectations[0]
    assert known(record("i3 k3"), expectations) is None
    assert known(record("i3 k3 d2", dtype="float32"), expectations) is None
    assert known(record("i3 k3 d2", verdict=Verdict.CRASHED), expectations) is None


def test_a_framework_without_a_file_has_no_known_divergence(write: Path) -> None:
    assert not write.exists()
    assert read_expectations("torch") == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('reason = "because"\n', "", "keys differ by .*reason"),
        ('"because"', '"  "', "says something"),
        ('"because"', "3", "reason is 3"),
        ('"because"', '"because"\nmessage = ""', "message is ''"),
        ("2026-11-22", '"soon"', "since"),
        ('"diverges"', '"fails"', "no verdict 'fails'"),
        ("any(dilation", "any(dilatation", "the nearest is 'dilation'"),
        ("since", "colour = 1\nsince", "colour"),
        ("[[expectation]]", "[[expectation", "cannot be read"),
        ("[[expectation]]", "[[expectations]]", r"\[\[expectation\]\]"),
        ("[[expectation]]", "[expectation]", r"\[\[expectation\]\]"),
    ],
)
def test_a_faulty_file_is_refused_by_name(write: Path, old: str, new: str, message: str) -> None:
    write.write_text(GOOD.replace(old, new))
    with pytest.raises(ExpectationError, match=message) as error:
        read_expectations("torch")
    assert "torch.toml" in str(error.value)


def test_every_file_is_of_a_framework_and_can_be_read() -> None:
    files = {path.stem for path in (cases_folder() / "expectations").glob("*.toml")}
    assert files <= set(adapters.frameworks())
    assert all(read_expectations(framework) or read_floors(framework) for framework in files)


def test_every_file_beside_the_programs_is_of_one_and_can_be_read() -> None:
    programs = cases_folder().parent / "programs"
    files = [*(programs / "expectations").glob("*.toml")]
    assert {path.stem for path in files} <= {path.stem for path in programs.glob("*.toml")}
    assert [entry.id for path in files for entry in read_file(path)]


def test_every_reason_stands_alone_since_it_is_shown_without_its_neighbours() -> None:
    files = (cases_folder() / "expectations").glob("*.toml")
    reasons = [(entry.id, entry.reason) for path in files for entry in read_expectations(path.stem)]
    assert [name for name, reason in reasons if "as above" in reason.lower() or reason.startswith("The same")] == []


@pytest.mark.slow
def test_every_expectation_has_a_case_in_its_region() -> None:
    suite = [case for name in ("negative", "extreme", "core") for case in cases.read_suite(name).cases]
    for lane in adapters.lanes():
        for expectation in read_expectations(lane.framework):
            assert any(
                expectation.when(
                    case.problem,
                    framework=each.framework,
                    variant=each.variant,
                    dtype=dtype,
                    direction=direction,
                    claimed=claimed,
                    fault=case.evidence.get("fault", ""),
                    checked=checked,
                )
                for case in suite
                for checked in (PROPERTIES if expectation.of_property else ("",))
                for dtype in adapters.dtypes(lane.framework)
                for claimed in ("", "conforms", "rejects")
                for direction in PASSES
                for each in adapters.lanes()
                if each.framework == lane.framework
            ), expectation.id


def test_an_expectation_of_a_property_is_about_no_record_of_a_run(write: Path) -> None:
    write.write_text(GOOD.replace("when = '", 'when = \'checked == "traced" and '))
    (expectation,) = read_expectations("torch")
    assert expectation.of_property
    assert known(record("i3 k3 d2"), [expectation]) is None
    assert known(record("i3 k3 d2"), [expectation], "traced") is expectation
    assert known(record("i3 k3 d2"), [expectation], "linear") is None


def test_a_region_has_no_record_of_a_problem_whose_operands_cannot_be_exact(write: Path) -> None:
    """260 terms are more than 8 bits count to, so that no framework was asked, and none can show the verdict."""
    write.write_text(GOOD)
    (expectation,) = read_expectations("torch")
    asked = replace(
        record("i3 k3 d2"), verdict=Verdict.INCONCLUSIVE, certificate={"bits": 8, "largest": 260, "terms": 9}
    )
    assert expectation.reaches(asked)
    assert not expectation.reaches(replace(asked, certificate={"bits": 8, "largest": 260, "terms": 260}))


def test_a_message_narrows_an_expectation_to_records_that_have_it(write: Path) -> None:
    write.write_text(GOOD + 'message = "Aborted"\n')
    expectations = read_expectations("torch")
    assert known(replace(record("i3 k3 d2"), message="AbortedError: x"), expectations)
    assert known(replace(record("i3 k3 d2"), message="InvalidArgumentError: x"), expectations) is None
