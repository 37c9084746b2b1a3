"""How much each lane must answer, as its expectations say it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.records.evidence import Floor
from conformance.records.record import Header
from conformance.runner.selection import weekly
from conformance.suites.expectation_files import ExpectationError
from conformance.suites.expectations import lack, read_expectations, read_floors
from tests.suites.test_expectations import GOOD, write  # noqa: F401  # a fixture

HEADER = Header("torch", "eager", "core", ("float32",), ("forward",), "x", 10, "y")


@pytest.mark.parametrize(
    "lane", [lane for lane in adapters.lanes() if not adapters.is_outside(lane.framework)], ids=str
)
def test_every_lane_states_how_much_of_every_suite_it_must_answer(lane: Lane) -> None:
    floors = read_floors(lane.framework)
    assert {suite for variant, suite in floors if variant == lane.variant} == set(weekly(lane.framework))
    assert {variant for variant, _ in floors} == set(adapters.variants(lane.framework))


def test_a_file_may_hold_floors_alone(write: Path) -> None:  # noqa: F811  # pytest gives the fixture that is imported
    write.write_text("[floor.eager]\ncore = {answered = 7, of = 10}\n")
    assert read_floors("torch") == {("eager", "core"): Floor(7, 10)}
    assert read_expectations("torch") == ()
    write.write_text(GOOD)
    assert read_floors("torch") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[floor.eager]\ncore = 7\n", "torch.toml#floor.eager.core is 7: give {answered = 4200, of = 11916}"),
        ("[floor.eager]\ncore = {answered = 7}\n", "give {answered"),
        ("[floor.eager]\ncore = {answered = 7, of = 9, more = 1}\n", "give {answered"),
        ("[floor.eager]\ncore = {answered = true, of = 9}\n", "give {answered"),
        ("[floor.eager]\ncore = {answered = 0, of = 9}\n", "is 0 of 9: give a number from 1 to 9"),
        ("[floor.eager]\ncore = {answered = 10, of = 9}\n", "is 10 of 9: give a number from 1 to 9"),
        ("floor = 7\n", "fix the headings"),
        ("[floor]\ncore = 7\n", "fix the headings"),
        ("[[floor]]\ncore = 7\n", "fix the headings"),
    ],
)
def test_a_floor_that_says_something_else_is_refused(write: Path, text: str, words: str) -> None:  # noqa: F811  # pytest gives the fixture that is imported
    write.write_text(text)
    with pytest.raises(ExpectationError) as error:
        read_floors("torch")
    assert words in str(error.value)


def test_a_run_below_its_floor_lacks_something_in_whole_and_in_part(write: Path) -> None:  # noqa: F811  # pytest gives the fixture that is imported
    write.write_text("[floor.eager]\ncore = {answered = 7, of = 10}\n")
    assert lack(HEADER, {"conforms": 7, "unsupported": 3}) == ""
    assert lack(HEADER, {"conforms": 6, "unsupported": 4}) == "answers 6 of 10 records, its floor is 7"
    assert lack(replace(HEADER, variant="other"), {"conforms": 6, "unsupported": 4}) == ""
    part = replace(HEADER, selection="-k grid")
    assert lack(part, {"unsupported": 3}) == ""
    assert lack(part, {"unsupported": 4}) == "answers 0 of 4 records, its floor is 1, since its suite's is 7 of 10"


@pytest.mark.parametrize("more", [{"dtypes": ("float32", "bfloat16")}, {"directions": ("forward", "weight")}])
def test_a_floor_says_nothing_of_dtypes_and_passes_that_its_suite_is_not_for(write: Path, more: dict[str, Any]) -> None:  # noqa: F811  # pytest gives the fixture that is imported
    write.write_text("[floor.eager]\ncore = {answered = 7, of = 10}\n")
    assert lack(replace(HEADER, **more), {"conforms": 1, "unsupported": 9}) == ""
    assert lack(replace(HEADER, dtypes=("float64",)), {"conforms": 1, "unsupported": 9}) != ""
