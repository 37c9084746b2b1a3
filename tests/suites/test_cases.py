"""The strict reader of case files: every fault is named with its file, its case and what to do."""

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.io.folders import cases_folder
from conformance.problem import broken_rule
from conformance.suites import cases
from conformance.suites.cases import FORMAT, PROBES, SUITES, CaseError, find, read_file, read_suite

GOOD: dict[str, Any] = {
    "id": "one-two",
    "problem": "i5 k3 s2",
    "output": [11],
    "why": "A fact.",
    "probes": ["window", "taps"],
}
HEADER: dict[str, Any] = {"format": FORMAT, "cases": 1, "why": "A fact.", "probes": ["window"]}
LINE: dict[str, Any] = {"id": "one-two", "problem": "i5 k3 s2"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cases folder, in use."""
    monkeypatch.setenv("CONFORMANCE_CASES", str(tmp_path))
    (tmp_path / "curated").mkdir()
    return tmp_path


def toml(*tables: dict[str, Any]) -> str:
    return "\n".join(
        "[[case]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in table.items()) for table in tables
    )


def jsonl(*lines: Any) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def put(folder: Path, name: str, text: str | bytes) -> Path:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / name


def refusal(path: Path) -> str:
    with pytest.raises(CaseError) as raised:
        list(read_file(path))
    assert "\n" not in str(raised.value)
    return str(raised.value)


def changed(table: dict[str, Any], **values: Any) -> dict[str, Any]:
    """The table with values replaced, where None removes one."""
    return {name: value for name, value in (table | values).items() if value is not None}


def test_curated_case_is_read(folder: Path) -> None:
    (case,) = read_file(put(folder, "curated/a.toml", toml(GOOD)))
    assert (case.id, str(case.problem), case.descriptor) == ("one-two", "i5 k3 s2", "i5 k3 s2")
    assert (case.why, case.probes, case.source) == ("A fact.", ("window", "taps"), "curated/a.toml")


def test_generated_case_is_read(folder: Path) -> None:
    (case,) = read_file(put(folder, "smoke.jsonl", jsonl(HEADER, LINE)))
    assert (case.id, str(case.problem), case.why, case.source) == ("one-two", "i5 k3 s2", "A fact.", "smoke.jsonl")


def test_dumped_cases_are_read_back(folder: Path) -> None:
    lines = jsonl(HEADER | {"cases": 2}, LINE, {"id": "b", "problem": "i1 k1"})
    original = list(read_file(put(folder, "a.jsonl", lines)))
    text = cases.dump_jsonl(original, why="A fact.", probes=("window",))
    assert [(case.id, case.problem) for case in read_file(put(folder, "b.jsonl", text))] == [
        (case.id, case.problem) for case in original
    ]


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        ({"colour": "red"}, ("unknown key 'colour'", "remove or correct it")),
        ({"problems": "i1 k1"}, ("unknown key 'problems', the nearest is 'problem'", "remove or correct it")),
        ({"problem": None}, ("'problem' is missing", "add it")),
        ({"output": None}, ("'output' is missing", "add it")),
        ({"why": None}, ("'why' is missing", "add it")),
        ({"why": " "}, ("why is empty", "state the fact")),
        ({"why": 3}, ("why is empty", "state the fact")),
        ({"probes": None}, ("'probes' is missing", "add it")),
        ({"probes": []}, ("probes is []", "name at least one of", *PROBES)),
        ({"probes": ["windows"]}, ("probes is ['windows']", "name at least one of", *PROBES)),
        ({"probes": ["window", 3]}, ("probes is ['window', 3]", "and no other")),
        ({"probes": "window"}, ("probes is window", "name at least one of")),
        ({"output": [10]}, ("output is [10], the formula gives [11]", "fix the wrong one")),
        ({"output": 11}, ("output is 11, the formula gives [11]", "fix the wrong one")),
        ({"problem": "i5 k3 s0"}, ("stride 0 on axis 0 must be at least 1",)),
        ({"problem": "i5 k3 s2 p6"}, ("output extent -1 on axis 0 must be at least 1",)),
        ({"problem": "i5 k3 q2"}, ("'q2'", "is not a field", "the fields are")),
        ({"problem": "k3 i5 s2"}, ("'k3 i5 s2'", "its one spelling is 'i5 k3 s2'")),
        ({"problem": "i5 k3 s2 p0"}, ("'i5 k3 s2 p0'", "its one spelling is 'i5 k3 s2'")),
        ({"problem": "i5  k3 s2"}, ("its one spelling is 'i5 k3 s2'",)),
    ],
)
def test_fault_of_a_curated_case_is_named(folder: Path, change: dict[str, Any], texts: tuple[str, ...]) -> None:
    said = refusal(put(folder, "curated/a.toml", toml(changed(GOOD, id="first"), changed(GOOD, **change))))
    for text in ("curated/a.toml#one-two", *texts):
        assert text in said


@pytest.mark.parametrize("bad", ["One", "one_two", "one--two", "-one", "one-", "", "one two", "öne", 3, ["one"]])
def test_id_is_kebab_case(folder: Path, bad: Any) -> None:
    said = refusal(put(folder, "curated/a.toml", toml(GOOD | {"id": bad})))
    assert "curated/a.toml#" in said
    assert "id must be kebab-case: lower-case letters, digits and single hyphens" in said


def test_case_without_an_id_is_numbered(folder: Path) -> None:
    said = refusal(put(folder, "curated/a.toml", toml(changed(GOOD, id="first"), changed(GOOD, id=None))))
    assert said == "curated/a.toml#case 2: 'id' is missing: add it"


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("[[case]\n", ("not TOML", "line 1")),
        ("id = 'one'\n", ("unknown key 'id'", "remove or correct it")),
        ("", ("'case' is missing", "add it")),
        ("case = 3\n", ("case",)),
        ("case = [3]\n", ("must be a table with",)),
        ("[case]\nid = 'one'\n", ("case",)),
        (toml(GOOD | {"problem": 3}), ("#one-two", "problem")),
        (toml(GOOD | {"problem": ["i5 k3"]}), ("#one-two", "problem")),
    ],
    ids=[
        "syntax",
        "no tables",
        "empty",
        "number",
        "list of numbers",
        "single table",
        "numeric problem",
        "listed problem",
    ],
)
def test_fault_of_a_curated_file_is_named(folder: Path, text: str, texts: tuple[str, ...]) -> None:
    said = refusal(put(folder, "curated/a.toml", text))
    for each in ("curated/a.toml", *texts):
        assert each in said


@pytest.mark.parametrize(
    ("lines", "texts"),
    [
        ([changed(HEADER, colour="red"), LINE], ("unknown key 'colour'", "remove or correct it")),
        ([changed(HEADER, why=None), LINE], ("'why' is missing", "add it")),
        ([HEADER | {"format": "other/9"}, LINE], ("format is 'other/9'", FORMAT, "regenerate it")),
        ([HEADER | {"cases": 2}, LINE], ("the header counts 2 cases, 1 follow", "regenerate it")),
        ([HEADER, LINE, LINE], ("the header counts 1 cases, 2 follow", "regenerate it")),
        ([HEADER, changed(LINE, output=[11])], ("smoke.jsonl:2", "unknown key 'output'")),
        ([HEADER, changed(LINE, problem=None)], ("smoke.jsonl:2", "'problem' is missing", "add it")),
        ([HEADER, LINE | {"problem": "i5 k3 s0"}], ("smoke.jsonl#one-two", "stride 0 on axis 0")),
        ([HEADER, LINE | {"problem": "k3 i5"}], ("smoke.jsonl#one-two", "its one spelling is 'i5 k3'")),
        ([HEADER, LINE | {"id": "One"}], ("smoke.jsonl#One", "id must be kebab-case")),
        ([HEADER | {"probes": ["size"]}, LINE], ("smoke.jsonl#one-two", "probes is ['size']", "name at least one of")),
        ([HEADER, [1]], ("smoke.jsonl:2", "is a list, must be a table with id, problem")),
        ([[1], LINE], ("is a list, must be a table with cases, format, probes, why",)),
    ],
)
def test_fault_of_a_generated_file_is_named(folder: Path, lines: list[Any], texts: tuple[str, ...]) -> None:
    said = refusal(put(folder, "smoke.jsonl", jsonl(*lines)))
    for text in ("smoke.jsonl", *texts):
        assert text in said


@pytest.mark.parametrize("text", ["", "not json\n", jsonl(HEADER) + '{"id": "o'])
def test_file_that_is_not_json_lines_is_refused(folder: Path, text: str) -> None:
    said = refusal(put(folder, "smoke.jsonl", text))
    assert said.startswith("smoke.jsonl: not JSON lines: ")
    assert said.endswith(": run `conformance generate`")


@pytest.mark.parametrize("name", ["smoke.jsonl", "curated/a.toml"])
def test_unreadable_file_is_named(folder: Path, name: str) -> None:
    assert "cannot be read" in refusal(folder / name)
    assert name in refusal(folder / name)
    assert "cannot be read" in refusal(put(folder, name, b"\xff\xfe\x80"))


@pytest.mark.parametrize("files", [("curated/a.toml", "curated/a.toml"), ("curated/a.toml", "curated/b.toml")])
def test_id_that_stands_twice_is_refused(folder: Path, files: tuple[str, str]) -> None:
    for name in files:
        put(folder, name, toml(*[GOOD] * files.count(name)))
    with pytest.raises(CaseError) as raised:
        read_suite("curated")
    assert str(raised.value) == (f"{files[1]}#one-two: the id stands in curated/a.toml too: ids are unique, rename one")


@pytest.mark.parametrize(
    ("name", "nearest"), [("cor", ", the nearest is 'core'"), ("smoky", ", the nearest is 'smoke'"), ("zzz", "")]
)
def test_unknown_suite_is_refused_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(CaseError) as raised:
        read_suite(name)
    assert str(raised.value) == f"there is no suite {name!r}{nearest}: the suites are {', '.join(SUITES)}"


def test_suite_without_cases_is_refused(folder: Path) -> None:
    with pytest.raises(CaseError, match=r"suite 'curated' has no cases in .*: set CONFORMANCE_CASES to a folder"):
        read_suite("curated")
    assert list(folder.iterdir()) == [folder / "curated"]


def test_unknown_case_is_refused_with_the_nearest() -> None:
    with pytest.raises(CaseError, match="suite 'smoke' has no case 'smoke-1d-1', the nearest is 'smoke-1d-"):
        find(read_suite("smoke"), ["smoke-1d-01", "smoke-1d-1"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('why = "A fact."\ncases = ["one", "gone"]\n', "chosen/smoke.toml: core has no case 'gone'"),
        ('why = "A fact."\ncases = [1]\n', "chosen/smoke.toml: cases is [1]: give a list of ids of cases of core"),
        ('why = "A fact."\n', "chosen/smoke.toml: 'cases' is missing: add it"),
    ],
)
def test_a_choice_of_cases_that_core_does_not_have_is_refused(folder: Path, text: str, said: str) -> None:
    put(folder, "curated/a.toml", toml(GOOD | {"id": "one"}))
    (folder / "chosen").mkdir()
    put(folder, "chosen/smoke.toml", text)
    with pytest.raises(CaseError) as raised:
        read_suite("smoke")
    assert str(raised.value).startswith(said)


def test_chosen_cases_stand_in_the_order_of_their_file(folder: Path) -> None:
    put(folder, "curated/a.toml", toml(GOOD | {"id": "one"}, GOOD | {"id": "two"}))
    put(folder, "smoke.jsonl", jsonl(HEADER | {"cases": 2}, LINE | {"id": "three"}, LINE | {"id": "four"}))
    (folder / "chosen").mkdir()
    put(folder, "chosen/smoke.toml", 'why = "A fact."\ncases = ["four", "two"]\n')
    assert [case.id for case in read_suite("smoke").cases] == ["four", "two"]


def test_found_cases_stand_in_file_order() -> None:
    suite = read_suite("smoke")
    found = find(suite, ["smoke-1d-03", "smoke-1d-01", "smoke-1d-03"])
    assert [case.id for case in found.cases] == ["smoke-1d-01", "smoke-1d-03"]
    assert found.name == "smoke"


@pytest.mark.slow
def test_ids_are_unique_over_all_files() -> None:
    paths = [path for path in cases_folder().rglob("*") if path.suffix in (".toml", ".jsonl")]
    others = {"expectations", "external", "claims", "chosen", "replay", "spaces", "specials.toml", "modes.toml"}
    paths = [path for path in paths if not others & set(path.parts[-2:])]
    found = [case.id for path in paths for case in read_file(path)]
    assert len(found) == len(set(found)) > 4000
    in_suites = {case.id for name in SUITES for case in read_suite(name).cases}
    assert set(found) == in_suites


@pytest.mark.parametrize("name", [name for name in SUITES if name != "negative"])
def test_every_case_is_a_valid_problem_with_a_reason(name: str) -> None:
    for case in read_suite(name).cases:
        assert broken_rule(case.problem) is None
        assert str(case.problem) == case.descriptor
        assert case.why.strip().endswith(".")


def test_core_has_every_curated_and_generated_case() -> None:
    core = {case.id for case in read_suite("core").cases}
    for name in ("smoke", "curated", "grid", "covering", "sizes", "popular"):
        assert {case.id for case in read_suite(name).cases} <= core


def test_every_probe_is_probed() -> None:
    assert {
        probe for name in ("core", "negative", "rounding") for case in read_suite(name).cases for probe in case.probes
    } == set(PROBES)


def test_digest_is_of_content_and_not_of_order(folder: Path) -> None:
    def digest(*tables: dict[str, Any]) -> str:
        put(folder, "curated/a.toml", toml(*tables))
        return read_suite("curated").digest

    other = GOOD | {"id": "other", "problem": "i5 k3", "output": [7]}
    both = digest(GOOD, other)
    assert digest(other, GOOD) == both
    assert digest(GOOD | {"why": "Another reason."}, other) == both
    assert digest(GOOD) != both
    assert digest(GOOD | {"id": "one-three"}, other) != both
    assert digest(GOOD | {"problem": "i5 k3 s2 bias"}, other) != both
    assert digest(GOOD | {"id": "other"}, other | {"id": "one-two"}) != both


def test_source_outside_the_folder_is_the_name(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("elsewhere") / "x.toml"
    assert cases.source(outside) == "x.toml"
    assert cases.source(folder / "curated" / "x.toml") == "curated/x.toml"
