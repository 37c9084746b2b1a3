"""The published JSON Schema of record files: it is what the types give, and refuses what the reader refuses."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from conformance.records.record import Header, RecordError, Run
from conformance.records.record_file import read, write
from conformance.records.schema import text
from tests.test_run import Fake, job, off_by_one, raising, result

PUBLISHED = Path(__file__).parents[2] / "docs" / "record.schema.json"


@pytest.fixture
def lines(tmp_path: Path) -> list[Any]:
    """Of the record file of a run that conforms, diverges and ends in an exception."""
    adapters = {"right": Fake(), "wrong": Fake(off_by_one), "ends": Fake(raising(ValueError("no")))}
    records = tuple(result(adapter, job(case_id=name)).record for name, adapter in sorted(adapters.items()))
    header = Header("fake", "eager", "smoke", ("float32",), ("forward",), "c" * 16, len(records), "o" * 16)
    write(tmp_path / "run.jsonl", Run(header, tuple(sorted(records, key=lambda record: record.key)), True))
    return [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]


def refused_by_schema(lines: list[Any]) -> bool:
    validator = Draft202012Validator(json.loads(PUBLISHED.read_text()))
    return not all(validator.is_valid(line) for line in lines)


def test_published_schema_is_what_the_types_give() -> None:
    assert PUBLISHED.read_text() == text(), f"python -m conformance.records.schema > {PUBLISHED}"
    Draft202012Validator.check_schema(json.loads(text()))


def test_record_file_of_a_run_is_valid(lines: list[Any]) -> None:
    assert {line["verdict"] for line in lines[1:-1]} == {"conforms", "diverges", "errored"}
    assert not refused_by_schema(lines)


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (0, {"expected": -1}),
        (0, {"shard": [0, 1]}),
        (0, {"colour": "red"}),
        (1, {"verdict": "passes"}),
        (1, {"case": ""}),
        (1, {"dtype": "../x"}),
        (1, {"seconds": "soon"}),
        (1, {"colour": "red"}),
        (-1, {"complete": 1}),
    ],
)
def test_broken_line_is_refused_by_the_schema_and_by_the_reader(
    lines: list[Any], number: int, change: Mapping[str, Any], tmp_path: Path
) -> None:
    lines[number] |= change
    assert refused_by_schema(lines)
    (tmp_path / "broken.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(RecordError, match=r"broken\.jsonl"):
        read(tmp_path / "broken.jsonl")
