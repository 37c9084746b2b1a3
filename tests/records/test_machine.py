"""The machine of a run: its facts, conditions on them, and what depends on them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.analysis.exactness import unjudged, unknown
from conformance.predicates.condition import Condition
from conformance.predicates.predicate import PredicateError
from conformance.records import record_file
from conformance.records.machine import FACTS, WORDS, allowed, cpu, differing, line, measure_machine
from conformance.records.record import Header, Record, RecordError, Run, Verdict
from conformance.regression.change import Change
from conformance.regression.comparison import compare
from conformance.suites.expectation_files import ExpectationError
from conformance.suites.expectations import applying, read_expectations

XEON = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 85
model name\t: Intel(R) Xeon(R) Processor
stepping\t: 7
flags\t\t: fpu sse4_1 sse4_2 fma avx f16c avx2 avx512f avx512dq avx512bw avx512vl avx512_vnni"""
ISA = cpu(XEON)["isa"].split()
AVX2, SSE = {"onednn": "sse41 avx avx2"}, {"onednn": "sse41"}
ENTRY = """
[[expectation]]
id = "long"
when = 'any(stride == 16000)'
machine = '"avx2" in onednn'
verdict = "crashed"
reason = "because"
upstream = "none found"
since = 2026-11-22
"""


def run(verdict: Verdict, machine: Mapping[str, str], rho: float = 0, version: str = "2.13.0") -> Run:
    rounding = {"terms": 2, "rho": rho} if rho else None
    one = Record("torch", "eager", "one", "float32", "forward", "i3 k2 s16000", verdict, rounding=rounding)
    header = Header("torch", "eager", "core", ("float32",), ("forward",), "c", 1, "o", machine=machine,
                    environment={"torch": version}, started="2026-11-22T00:00:00+00:00")  # fmt: skip
    return Run(header, (one,), True)


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "expectations").mkdir()
    monkeypatch.setenv("CONFORMANCE_CASES", str(tmp_path))
    file = tmp_path / "expectations" / "torch.toml"
    file.write_text(ENTRY)
    return file


def test_a_processor_of_x86_is_read_and_any_other_is_not_known() -> None:
    assert cpu(XEON)["vendor"] == "GenuineIntel"
    assert cpu(XEON)["model"] == "Intel(R) Xeon(R) Processor (6/85/7)"
    assert "avx512_vnni" in ISA
    assert "avx512_bf16" not in ISA
    assert cpu("processor: 0\nFeatures: fp asimd\nCPU implementer: 0x41") == {}
    assert cpu("") == {}


@pytest.mark.parametrize(
    ("library", "cap", "highest"),
    [
        ("onednn", "", "avx512_core_vnni"),
        ("onednn", "AVX2", "avx2"),
        ("onednn", "SSE41", "sse41"),
        ("onednn", "AVX512_CORE_AMX", "avx512_core_vnni"),
        ("onednn", "DEFAULT", "avx512_core_vnni"),
        ("xla", "AVX", "avx"),
        ("xla", "", "avx512_vnni"),
        ("aten", "", "avx512"),
        ("aten", "default", "default"),
    ],
)
def test_a_library_may_use_what_the_cpu_has_up_to_its_cap(library: str, cap: str, highest: str) -> None:
    assert allowed(library, cap, ISA)[-1] == highest


def test_a_cap_that_is_no_level_leaves_the_fact_unknown() -> None:
    assert allowed("onednn", "AVX9000", ISA) == []


def test_the_facts_follow_the_environment_and_the_strongest_variable_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.records.machine._cpu", lambda: cpu(XEON))
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    monkeypatch.setenv("DNNL_MAX_CPU_ISA", "AVX2")
    monkeypatch.setenv("XLA_FLAGS", "--a=b --xla_cpu_max_isa=AVX2")
    monkeypatch.setenv("CONFORMANCE_THREADS", "2")
    found = measure_machine({"onednn": ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"], "xla": ["XLA_FLAGS"]})
    assert (found["onednn"], found["xla"], found["threads"]) == ("sse41", "sse4_2 avx avx2", "2")
    assert "ONEDNN_MAX_CPU_ISA=SSE41" in found["caps"]
    assert measure_machine({"onednn": []})["onednn"] == "off"
    assert "oneDNN: sse41" in line(found)
    assert line({}) == "not known"


@pytest.mark.parametrize("lane", adapters.lanes(), ids=str)
def test_every_lane_names_facts_that_are_explained(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.records.machine._cpu", lambda: cpu(XEON))
    found = adapters.machine(lane)
    assert found.keys() <= FACTS.keys()
    assert all(set(found[name].split()) <= set(WORDS[name]) for name in WORDS if name in found)
    assert "isa" in found
    libraries = {"torch": {"aten", "onednn"}, "tensorflow": {"onednn", "xla"}, "mxnet": {"onednn"}, "jax": {"xla"}}
    assert libraries.get(lane.framework, set()) <= found.keys()


def test_a_condition_is_of_whole_words() -> None:
    condition = Condition.parse('"avx" in onednn and not vendor == "GenuineIntel"')
    assert condition({"onednn": "sse41 avx", "vendor": "AuthenticAMD"}) is True
    assert condition({"onednn": "sse41 avx2", "vendor": "AuthenticAMD"}) is False
    assert Condition.parse("cores >= 4")({"cores": "16"}) is True


def test_a_condition_on_a_fact_that_is_not_known_neither_holds_nor_fails() -> None:
    condition = Condition.parse('"avx" in onednn or vendor == "GenuineIntel"')
    assert condition({"vendor": "GenuineIntel"}) is None
    assert condition.why_not({"vendor": "GenuineIntel"}) == "onednn is not known"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"avx512core" in onednn', "'avx512core' is never in onednn"),
        ('maker == "Intel"', "no name 'maker'"),
        ("1 == 1", "asks for no fact"),
        ("cores.real > 1", "is not allowed here"),
    ],
)
def test_a_condition_that_can_never_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(PredicateError, match=message):
        Condition.parse(text)


def test_an_entry_with_a_faulty_condition_is_refused_by_name(entries: Path) -> None:
    entries.write_text(ENTRY.replace('"avx2" in', '"avx3" in'))
    with pytest.raises(ExpectationError, match=r"torch.toml#long: 'avx3' is never in onednn"):
        read_expectations("torch")


@pytest.mark.usefixtures("entries")
def test_an_entry_neither_excuses_nor_demands_where_its_condition_does_not_hold() -> None:
    told = read_expectations("torch")
    day = told[0].since
    assert applying(told, "", day, AVX2) == told
    assert applying(told, "", day, SSE) == applying(told, "", day, {}) == ()
    assert unknown([run(Verdict.CRASHED, AVX2)], told) == []
    assert len(unknown([run(Verdict.CRASHED, SSE)], told)) == len(unknown([run(Verdict.CRASHED, {})], told)) == 1


@pytest.mark.usefixtures("entries")
def test_what_cannot_be_judged_here_is_named_with_the_reason() -> None:
    told = read_expectations("torch")
    assert unjudged(told, [run(Verdict.CONFORMS, SSE)]) == {"long": '"avx2" in onednn, but onednn is sse41'}
    assert unjudged(told, [run(Verdict.CONFORMS, {})]) == {"long": '"avx2" in onednn, but onednn is not known'}
    assert unjudged(told, [run(Verdict.CONFORMS, SSE), run(Verdict.CRASHED, AVX2)]) == {}


@pytest.mark.slow
def test_a_record_file_without_a_machine_is_read_and_one_with_it_comes_back(tmp_path: Path) -> None:
    path, made = tmp_path / "torch-eager-core.jsonl", run(Verdict.CONFORMS, AVX2)
    record_file.write(path, made)
    assert record_file.read(path) == made
    path.write_text(path.read_text().replace(', "machine": {"onednn": "sse41 avx avx2"}', ""))
    assert record_file.read(path).header.machine == {}
    path.write_text(path.read_text().replace('"oracle": "o"', '"oracle": "o", "machine": 3'))
    with pytest.raises(RecordError, match=r":1: Expected `object`, got 3 at \$\.machine"):
        record_file.read(path)


def test_merged_shards_of_two_machines_have_the_facts_that_both_share() -> None:
    one, two = (run(Verdict.CONFORMS, {**machine, "vendor": "GenuineIntel"}) for machine in (AVX2, SSE))
    shards = [replace(each, header=replace(each.header, shard=(at, 2))) for at, each in enumerate((one, two), 1)]
    assert record_file.merge(shards).header.machine == {"vendor": "GenuineIntel"}


def test_rounding_on_another_machine_is_told_and_fails_nothing() -> None:
    found = compare([run(Verdict.CONFORMS, AVX2, 1)], [run(Verdict.CONFORMS, SSE, 9)])
    assert [(group.change, group.expected) for group in found.groups] == [("drift", "another machine")]
    assert not any(group.fails([Change.DRIFT]) for group in found.groups)
    assert "one build on two machines" in found.title
    assert found.machines == ["onednn sse41 avx avx2 -> sse41"]


@pytest.mark.parametrize(
    ("machine", "version"), [(AVX2, "2.13.0"), ({}, "2.13.0"), (SSE, "2.14.0")], ids=["same", "unknown", "other build"]
)
def test_rounding_fails_on_the_same_machine_an_unknown_one_and_in_another_build(
    machine: Mapping[str, str], version: str
) -> None:
    found = compare([run(Verdict.CONFORMS, AVX2, 1)], [run(Verdict.CONFORMS, machine, 9, version)])
    assert [group.fails([Change.DRIFT]) for group in found.groups] == [True]


def test_a_crash_on_another_machine_fails() -> None:
    found = compare([run(Verdict.CONFORMS, SSE)], [run(Verdict.CRASHED, AVX2)])
    assert [group.fails([Change.CRASH]) for group in found.groups] == [True]
    assert differing({}, AVX2) == []
