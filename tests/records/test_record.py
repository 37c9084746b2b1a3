"""Record files: what is written is read back, and nothing else is believed."""

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.records.record import Header, Record, RecordError, Run, Verdict
from conformance.records.record_file import merge, parse, read, read_folder, write
from conformance.records.reproduction import reproduction

RECORDS = tuple(
    sorted(
        (
            Record("torch", "eager", "one-pixel", "float32", "forward", "i1 k3", Verdict.CONFORMS, seconds=0.25),
            Record(
                "torch", "eager", "one-pixel", "float64", "forward", "i1 k3", Verdict.DIVERGES, kind="value",
                message="1 of 3 values differ", call="f([1, 1, 1])", composed=("crop", "bias"),
                deviation={"count": 1, "size": 3, "index": [0, 0, 2], "largest": "4"},
                certificate={"largest": 9, "bits": 53, "terms": 1}, expected="ab" * 8, actual="cd" * 8,
            ),
            Record("torch", "eager", "grid-i1", "float32", "forward", "i1 k1", Verdict.REJECTS, message="no"),
            Record("torch", "eager", "grid-i1", "float64", "forward", "i1 k1", Verdict.CRASHED, message="é → ∞"),
        ),
        key=lambda record: record.key,
    )
)  # fmt: skip
HEADER = Header(
    "torch", "eager", "smoke", ("float32", "float64"), ("forward",), "c" * 16, len(RECORDS), "o" * 16,
    environment={"torch": "2.0"}, started="2025-01-02T03:04:05+00:00",
)  # fmt: skip
RUN = Run(HEADER, RECORDS, True)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Of a good file, each with its line end."""
    path = tmp_path_factory.mktemp("good") / "run.jsonl"
    write(path, RUN)
    return path.read_text(encoding="utf-8").splitlines(keepends=True)


def refusal(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RecordError) as raised:
        read(path)
    return str(raised.value)


def shard(number: int, of: int, records: tuple[Record, ...], **header: Any) -> Run:
    return Run(replace(HEADER, shard=(number, of), expected=len(records), **header), records, True)


def listed(record: Record) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(record.to_json())
    return values


texts = st.text(max_size=8)
records = st.builds(
    Record, texts, texts, st.text(st.sampled_from("aé 1;$'-"), min_size=1), st.sampled_from(["float32", "bfloat16"]),
    st.just("forward"), st.sampled_from(["i3 k2", "i5x7 k3 s2 bias"]), st.sampled_from(Verdict), kind=texts,
    message=texts, call=texts,
    composed=st.lists(texts, max_size=2).map(tuple),
    deviation=st.none() | st.dictionaries(texts, st.integers() | texts | st.lists(st.integers()), min_size=1),
    certificate=st.none() | st.dictionaries(texts, st.integers(), min_size=1),
    expected=texts, actual=texts, seconds=st.floats(0, 1e6),
)  # fmt: skip


def test_run_is_read_back(tmp_path: Path) -> None:
    write(tmp_path / "run.jsonl", RUN)
    assert read(tmp_path / "run.jsonl") == RUN


@given(record=records.filter(lambda record: all((*record.key, record.framework, record.variant, record.problem))))
def test_record_is_its_line(record: Record) -> None:
    assert "\n" not in record.to_json()
    assert parse(record.to_json()) == record


@pytest.mark.parametrize("character", ["\n", "\r", "\x85", "\u2028", "\u2029", "\x1c", "\x00", '"', "\\", "é", "😀"])
def test_message_of_any_character_is_read_back(tmp_path: Path, character: str) -> None:
    run = Run(HEADER, (replace(RECORDS[0], message=f"a{character}b"), *RECORDS[1:]), True)
    write(tmp_path / "run.jsonl", run)
    assert read(tmp_path / "run.jsonl") == run


def test_what_records_have_in_common_is_in_memory_once(tmp_path: Path) -> None:
    for suite in ("smoke", "core"):
        records = tuple(replace(record, claimed=str(record.verdict.value)) for record in RECORDS)
        header = replace(HEADER, suite=suite)
        write(header.path(tmp_path), Run(header, records, True))
    first, second = read_folder(tmp_path)
    assert [record.key for record in first.records] == [record.key for record in second.records]
    for one, other in zip(first.records, second.records, strict=True):
        assert one == other
        assert one.case is other.case
        assert one.certificate is other.certificate
        assert isinstance(one.verdict, Verdict)
        assert not isinstance(one.claimed, Verdict)


def test_empty_fields_are_left_out() -> None:
    bare = Record("torch", "eager", "one", "float32", "forward", "i1 k1", Verdict.CONFORMS)
    assert listed(bare).keys() == {"framework", "variant", "case", "dtype", "pass", "problem", "verdict"}


def test_bytes_do_not_depend_on_the_order_of_records(tmp_path: Path) -> None:
    write(tmp_path / "sorted.jsonl", RUN)
    for seed in range(5):
        shuffled = random.Random(seed).sample(RECORDS, len(RECORDS))
        write(tmp_path / "shuffled.jsonl", replace(RUN, records=tuple(shuffled)))
        assert (tmp_path / "shuffled.jsonl").read_bytes() == (tmp_path / "sorted.jsonl").read_bytes()


def test_lines_stand_in_key_order(lines: list[str]) -> None:
    keys = [(line["case"], line["dtype"], line["pass"]) for line in map(json.loads, lines[1:-1])]
    assert keys == sorted(keys)
    assert len(keys) == len(RECORDS)


def test_footer_counts_verdicts_in_their_order(lines: list[str]) -> None:
    footer = json.loads(lines[-1])
    assert footer["verdicts"] == {"conforms": 1, "diverges": 1, "rejects": 1, "crashed": 1}
    assert list(footer["verdicts"]) == ["conforms", "diverges", "rejects", "crashed"]
    assert (footer["complete"], footer["records"]) == (True, 4)


@pytest.mark.parametrize("kept", range(len(RECORDS) + 2))
def test_file_cut_after_any_line_is_refused(tmp_path: Path, lines: list[str], kept: int) -> None:
    said = refusal(tmp_path / "cut.jsonl", "".join(lines[:kept]))
    assert "cut.jsonl" in said
    assert "header of format 'conformance-record/1'" in said or "is no footer" in said


@pytest.mark.slow
def test_file_cut_after_any_byte_is_refused(tmp_path: Path, lines: list[str]) -> None:
    content = "".join(lines).encode()
    for size in range(0, len(content) - 1, 7):
        assert "cut.jsonl" in refusal(tmp_path / "cut.jsonl", content[:size])


@pytest.mark.parametrize("dropped", range(1, len(RECORDS) + 1))
def test_file_without_one_of_its_records_is_refused(tmp_path: Path, lines: list[str], dropped: int) -> None:
    said = refusal(tmp_path / "gap.jsonl", "".join([*lines[:dropped], *lines[dropped + 1 :]]))
    assert "gap.jsonl: the footer counts 4 records, 3 stand there" in said
    assert "run the lane again" in said


def edited(lines: list[str], number: int, **values: Any) -> str:
    """The file with values of one line replaced; None removes one."""
    line = json.loads(lines[number]) | values
    line = {name: value for name, value in line.items() if value is not None}
    number %= len(lines)
    return "".join([*lines[:number], json.dumps(line) + "\n", *lines[number + 1 :]])


@pytest.mark.parametrize(
    ("number", "values", "texts"),
    [
        (
            0,
            {"format": "conformance-record/0"},
            ("no header of format 'conformance-record/1'", "that this version wrote"),
        ),
        (0, {"format": None}, ("no header of format", "that this version wrote")),
        (
            0,
            {"colour": "red"},
            ("damaged.jsonl:1", "Object contains unknown field `colour` at $", "run the lane again"),
        ),
        (0, {"oracle": None}, ("damaged.jsonl:1", "Object missing required field `oracle` at $", "run the lane again")),
        (0, {"expected": 5}, ("a complete run has 5 records, here are 4", "run it again")),
        (
            1,
            {"colour": "red"},
            ("damaged.jsonl:2", "Object contains unknown field `colour` at $", "run the lane again"),
        ),
        (
            2,
            {"verdict": "passes"},
            ("damaged.jsonl:3", "Expected one of conforms", "inconclusive", 'got "passes" at $.verdict'),
        ),
        (2, {"verdict": None}, ("damaged.jsonl:3", "missing required field `verdict`", "run the lane again")),
        (3, {"pass": None}, ("damaged.jsonl:4", "missing required field `pass`", "run the lane again")),
        (1, {"verdict": "crashed"}, ("the footer counts 4", "run the lane again")),
        (-1, {"records": 5}, ("the footer counts 5 records, 4 stand there", "run the lane again")),
        (-1, {"records": None}, ("missing required field `records`", "run the lane again")),
        (-1, {"verdicts": {"conforms": 4}}, ("the footer counts", "'rejects': 1", "run the lane again")),
    ],
)
def test_damaged_line_is_refused(
    tmp_path: Path, lines: list[str], number: int, values: Mapping[str, Any], texts: tuple[str, ...]
) -> None:
    said = refusal(tmp_path / "damaged.jsonl", edited(lines, number, **values))
    for text in ("damaged.jsonl", *texts):
        assert text in said


@pytest.mark.parametrize(
    ("number", "values"),
    [
        (0, {"shard": 1}),
        (0, {"shard": [1]}),
        (0, {"dtypes": 3}),
        (0, {"expected": "4"}),
        (0, {"environment": "x"}),
        (0, {"started": 5}),
        (0, {"framework": ["torch"]}),
        (1, {"case": ["one"]}),
        (1, {"case": {}}),
        (1, {"case": 7}),
        (1, {"composed": 5}),
        (1, {"verdict": ["conforms"]}),
        (1, {"seconds": "soon"}),
        (1, {"message": 5}),
        (1, {"deviation": "large"}),
        (-1, {"complete": "yes"}),
    ],
)
def test_value_of_another_type_is_refused(
    tmp_path: Path, lines: list[str], number: int, values: Mapping[str, Any]
) -> None:
    assert "typed.jsonl" in refusal(tmp_path / "typed.jsonl", edited(lines, number, **values))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"composed": ["crop", 5]}, "Expected `str`, got 5 at $.composed[1]"),
        ({"seconds": True}, "Expected `int | float`, got true at $.seconds"),
        ({"verdict": "x"}, "Expected one of conforms,"),
        ({"dtype": "../x"}, "Expected `str` matching regex"),
        ({"case": "a\nb"}, "case is 'a\\nb', which a terminal cannot show"),
    ],
)
def test_refusal_names_the_line_the_field_and_the_value(
    tmp_path: Path, lines: list[str], values: Mapping[str, Any], told: str
) -> None:
    assert f"named.jsonl:2: {told}" in refusal(tmp_path / "named.jsonl", edited(lines, 1, **values))


@pytest.mark.parametrize(("name", "value"), [("message", "\ud800"), ("rounding", {"rho": float("inf"), "terms": 3})])
def test_what_python_writes_and_strict_json_has_not_is_read_back(name: str, value: Any) -> None:
    record = replace(RECORDS[0], **{name: value})
    assert parse(record.to_json()) == record
    assert parse(record.to_json()).to_json() == record.to_json()


def test_whole_seconds_are_written_as_they_were_read() -> None:
    line = replace(RECORDS[0], seconds=3).to_json()
    assert '"seconds":3' in line
    assert parse(line).to_json() == line


def test_record_twice_is_refused(tmp_path: Path, lines: list[str]) -> None:
    again = Run(replace(HEADER, expected=5), (*RECORDS, RECORDS[0]), True)
    with pytest.raises(RecordError, match=r"run.jsonl: grid-i1 float32 forward is recorded twice: run the lane again"):
        write(tmp_path / "run.jsonl", again)
    assert not (tmp_path / "run.jsonl").exists()
    footer = json.loads(lines[-1])
    footer |= {"records": 5, "verdicts": footer["verdicts"] | {"rejects": 2}}
    header = edited(lines, 0, expected=5).splitlines(keepends=True)[0]
    said = refusal(tmp_path / "twice.jsonl", "".join([header, lines[1], *lines[1:-1], json.dumps(footer)]))
    assert "twice.jsonl: grid-i1 float32 forward is recorded twice" in said


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\x00\xff\xfe\x80" * 40,
        b"PK\x03\x04",
        b'{"a": 1}\n{"b": 2}\n',
        b"[1, 2]\n[3]\n",
        b"null\nnull\n",
        b"1\n2\n3\n",
        b"verdict,case\nconforms,one\n",
        b"[" * 50_000,
    ],
    ids=["empty", "blank", "binary", "zip", "json", "lists", "nulls", "numbers", "csv", "deep"],
)
def test_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "foreign.jsonl" in refusal(tmp_path / "foreign.jsonl", content)


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"none\.jsonl: cannot be read: No such file"):
        read(tmp_path / "none.jsonl")


def test_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read: is a folder, not a regular file"):
        read(tmp_path)


@given(data=st.data())
def test_any_change_of_bytes_is_a_refusal_or_a_run(
    data: st.DataObject, lines: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray("".join(lines).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(content) - 1))
        content[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path = tmp_path_factory.getbasetemp() / "mutated.jsonl"
    path.write_bytes(content)
    try:
        run = read(path)
    except RecordError:
        return
    assert sum(run.verdicts.values()) == len(run.records)
    assert not run.complete or len(run.records) == run.header.expected


def test_incomplete_run_stays_incomplete(tmp_path: Path) -> None:
    run = Run(replace(HEADER, expected=9), RECORDS, False)
    write(tmp_path / "run.jsonl", run)
    assert read(tmp_path / "run.jsonl") == run


def test_folder_is_read_by_name(tmp_path: Path) -> None:
    write(tmp_path / "b.jsonl", RUN)
    write(tmp_path / "a.jsonl", Run(replace(HEADER, expected=0), (), True))
    assert [len(run.records) for run in read_folder(tmp_path)] == [0, 4]


def test_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"has no record files: run a lane first, as in `conformance run torch`"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({}, "torch-eager-smoke.jsonl"),
        ({"shard": (2, 3)}, "torch-eager-smoke.2of3.jsonl"),
        ({"selection": "-k one"}, "partial/torch-eager-smoke.jsonl"),
    ],
)
def test_file_is_named_for_what_was_run(tmp_path: Path, header: Mapping[str, Any], expected: str) -> None:
    assert replace(HEADER, **header).path(tmp_path) == tmp_path / expected


@given(seed=st.integers(0, 10**6), count=st.integers(1, 6))
def test_merging_loses_nothing_in_any_order(seed: int, count: int) -> None:
    shards = [shard(n, count, RECORDS[n - 1 :: count]) for n in range(1, count + 1)]
    random.Random(seed).shuffle(shards)
    assert merge(shards) == RUN


def test_merged_run_is_as_old_as_its_first_shard() -> None:
    ages = ("2025-01-03", "2025-01-01", "2025-01-02")
    shards = [shard(n, 3, RECORDS[n - 1 :: 3], started=age) for n, age in enumerate(ages, 1)]
    assert merge(shards).header.started == "2025-01-01"


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_run_with_a_missing_shard_is_incomplete(missing: int) -> None:
    shards = [shard(n, 3, RECORDS[n - 1 :: 3]) for n in (1, 2, 3) if n != missing]
    whole = merge(shards)
    assert not whole.complete
    assert len(whole.records) == sum(len(run.records) for run in shards)


def test_run_with_an_unfinished_shard_is_incomplete() -> None:
    unfinished = replace(shard(2, 2, RECORDS[1::2]), complete=False)
    assert not merge([shard(1, 2, RECORDS[::2]), unfinished]).complete


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("framework", "jax"),
        ("variant", "compile"),
        ("suite", "core"),
        ("dtypes", ("float32",)),
        ("cases", "d" * 16),
        ("oracle", "p" * 16),
        ("selection", "-k one"),
        ("environment", {"torch": "2.1"}),
    ],
)
def test_shards_of_different_runs_are_refused(name: str, value: Any) -> None:
    with pytest.raises(RecordError, match=f"shards differ in {name}: .* merge shards of one run only"):
        merge([shard(1, 2, RECORDS[::2]), shard(2, 2, RECORDS[1::2], **{name: value})])


def test_shards_of_different_partitions_are_refused() -> None:
    with pytest.raises(RecordError):
        merge([shard(1, 2, RECORDS[::2]), shard(2, 3, RECORDS[1::3])])


def test_same_shard_twice_is_the_shard_once() -> None:
    slower = tuple(replace(record, seconds=9.0) for record in RECORDS[::2])
    assert len(merge([shard(1, 2, RECORDS[::2]), shard(1, 2, slower), shard(2, 2, RECORDS[1::2])]).records) == 4


@pytest.mark.parametrize("change", [{"verdict": Verdict.ERRORED}, {"actual": "0" * 16}, {"message": "other"}])
def test_conflicting_records_are_refused(change: Mapping[str, Any]) -> None:
    conflicting = (replace(RECORDS[0], **change), *RECORDS[1:])
    with pytest.raises(RecordError, match=r"grid-i1 float32 forward: one shard says rejects, another .*run it again"):
        merge([shard(1, 1, RECORDS), shard(1, 1, conflicting)])


@pytest.mark.parametrize("verdict", Verdict)
def test_only_conforming_refusing_and_unsupported_do_not_fail(verdict: Verdict) -> None:
    assert verdict.fails is (verdict.value not in ("conforms", "unsupported"))


def test_reproduction_names_lane_problem_and_case() -> None:
    said = reproduction(RECORDS[0])
    assert said == "conformance call torch 'i1 k1' --variant eager --dtype float32 --case grid-i1"


def test_a_refusal_of_a_negative_case_is_no_failure() -> None:
    refused = replace(RECORDS[0], verdict=Verdict.REJECTS, claimed="", idiom="")
    assert refused.fails
    assert not replace(refused, fault="stride-0").fails
