"""History: what is kept is what changed, and every question gets the run from which on the answer is so."""

import os
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.cli import main
from conformance.io.terminal import plural, verdict_count
from conformance.records.record import RecordError, Run, Verdict
from conformance.records.record_file import read, write
from conformance.regression.history import Store, StoreError
from tests.regression.test_comparison import HEADER, PLANTED, RECORDS, crashed, diverging, refused, run, same

History = Callable[..., tuple[int, str, str]]
AVX2, SSE = {"onednn": "sse41 avx avx2"}, {"onednn": "sse41"}


def night(number: int, made: Run, version: str = "1.9.1") -> Run:
    header = replace(made.header, started=f"2026-11-{number:02}T02:17:00+00:00", environment={"mxnet": version})
    return replace(made, header=header)


def test_only_what_changed_is_kept(tmp_path: Path) -> None:
    with Store(tmp_path / "h") as store:
        planted = sum(each.fails for each in run(diverging).records)
        assert store.add(night(1, run())) == len(RECORDS)
        assert store.add(night(2, run())) == 0
        assert store.add(night(3, run(diverging))) == planted
        assert store.add(night(4, run(diverging))) == 0
        assert store.add(night(5, run())) == planted
        assert len(list(store.runs())) == 5
        assert store.add(night(3, run(diverging))) is None


def test_a_case_knows_since_when_and_what_was_flaky(tmp_path: Path) -> None:
    case = next(each for each in run(diverging).records if each.fails)
    with Store(tmp_path / "h") as store:
        store.add(night(1, run()))
        store.add(night(2, run(diverging), "1.9.2"))
        store.add(night(3, run(), "1.9.2"))
        (line, *_) = [each for each in store.lines(case.case) if each.key == case.key]
    assert [(state.started[:10], state.version, state.verdict, state.flaky) for state in line.states] == [
        ("2026-11-01", "1.9.1", "conforms", False), ("2026-11-02", "1.9.2", "diverges", False),
        ("2026-11-03", "1.9.2", "conforms", True),
    ]  # fmt: skip


def on(machine: dict[str, str], made: Run) -> Run:
    return replace(made, header=replace(made.header, machine=machine))


@pytest.mark.parametrize(
    ("machines", "flaky", "moved"),
    [
        ((AVX2, AVX2), True, False),
        ((AVX2, SSE), False, True),
        (({}, {}), True, False),
        (({}, SSE), False, False),
        ((AVX2, {}), False, False),
        ((AVX2, SSE, AVX2), False, True),
    ],
    ids=["same", "another", "none known", "first not known", "last not known", "back"],
)
def test_a_change_of_one_build_is_flaky_on_one_machine_and_the_machine_s_on_two(
    tmp_path: Path, machines: tuple[dict[str, str], ...], flaky: bool, moved: bool
) -> None:
    case = next(each for each in run(diverging).records if each.fails)
    with Store(tmp_path / "h") as store:
        for number, machine in enumerate(machines, 1):
            store.add(on(machine, night(number, run() if number % 2 else run(diverging))))
        (line, *_) = [each for each in store.lines(case.case) if each.key == case.key]
    assert len(line.states) == len(machines)
    assert (line.states[-1].flaky, line.states[-1].moved) == (flaky, moved)


def test_a_change_of_another_build_is_neither_flaky_nor_the_machine_s(tmp_path: Path) -> None:
    case = next(each for each in run(diverging).records if each.fails)
    with Store(tmp_path / "h") as store:
        store.add(on(AVX2, night(1, run())))
        store.add(on(SSE, night(2, run(diverging), "1.9.2")))
        (line, *_) = [each for each in store.lines(case.case) if each.key == case.key]
    assert (line.states[-1].flaky, line.states[-1].moved) == (False, False)


@pytest.mark.parametrize(
    ("stood", "flaky"),
    [
        (((AVX2, "1"), (SSE, "1"), (SSE, "1")), True),
        (((AVX2, "1"), (AVX2, "2"), (AVX2, "2")), True),
        (((AVX2, "1"), (SSE, "1"), (AVX2, "2")), False),
    ],
    ids=["machine", "build", "neither"],
)
def test_runs_that_changed_nothing_tell_what_is_flaky_too(
    tmp_path: Path, stood: tuple[tuple[dict[str, str], str], ...], flaky: bool
) -> None:
    case = next(each for each in run(diverging).records if each.fails)
    with Store(tmp_path / "h") as store:
        for number, (machine, version) in enumerate(stood, 1):
            store.add(on(machine, night(number, run() if number < 3 else run(diverging), version)))
        (line, *_) = [each for each in store.lines(case.case) if each.key == case.key]
    assert [(state.started[:10], state.flaky, state.moved) for state in line.states] == [
        ("2026-11-01", False, False), ("2026-11-03", flaky, False)
    ]  # fmt: skip


def test_builds_that_take_turns_are_not_flaky(tmp_path: Path) -> None:
    case = next(each for each in run(diverging).records if each.fails)
    with Store(tmp_path / "h") as store:
        for number in range(1, 5):
            odd = number % 2
            store.add(night(number, run() if odd else run(diverging), "1.9.1" if odd else "1.9.2"))
        (line, *_) = [each for each in store.lines(case.case) if each.key == case.key]
    assert [state.flaky for state in line.states] == [False] * 4


def test_a_case_that_is_gone_is_absent_and_can_come_back(tmp_path: Path) -> None:
    with Store(tmp_path / "h") as store:
        store.add(night(1, run(records=RECORDS[:2])))
        assert store.add(night(2, run(records=RECORDS[:1]))) == 1
        assert store.add(night(3, run(records=RECORDS[:1]))) == 0
        assert store.add(night(4, run(records=RECORDS[:2]))) == 1
        (line,) = [each for each in store.lines() if each.key == RECORDS[1].key]
    assert [state.verdict for state in line.states] == ["conforms", "absent", "conforms"]


@settings(max_examples=15)
@given(st.lists(st.sampled_from([same, diverging, refused, crashed]), min_size=1, max_size=5))
def test_what_is_read_back_is_every_run(makes: list[Callable[..., object]]) -> None:
    few = RECORDS[:6]
    runs = [night(at, run(make, "rank > 0", few)) for at, make in enumerate(makes, 1)]  # type: ignore[arg-type]  # a Make
    with Store(Path(":memory:")) as store:
        for each in runs:
            store.add(each)
        lines = list(store.lines())
    for made in runs:
        for record in made.records:
            (line,) = [each for each in lines if each.key == record.key]
            state = [each for each in line.states if each.started <= made.header.started][-1]
            assert (state.verdict, state.kind, state.problem) == (record.verdict, record.kind, record.problem)


@pytest.mark.parametrize(
    "spoilt",
    [
        replace(run(), complete=False),
        replace(run(), header=replace(HEADER, selection="-k grid", expected=len(RECORDS))),
        replace(run(), header=replace(HEADER, shard=(1, 2), expected=len(RECORDS))),
        replace(run(), header=replace(HEADER, started="", expected=len(RECORDS))),
        run(records=[]),
    ],
)
def test_what_is_not_whole_is_not_kept(tmp_path: Path, spoilt: Run) -> None:
    with Store(tmp_path / "h") as store:
        with pytest.raises(StoreError, match="only whole runs are kept"):
            store.add(spoilt)
        assert list(store.runs()) == []


MAKES = [same, diverging, refused, crashed]


def lives(store: Store) -> list[tuple[object, object]]:
    return [
        (line.key, [(s.started, s.verdict, s.kind, s.message, s.flaky) for s in line.states]) for line in store.lines()
    ]


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(1, 6)), st.lists(st.sampled_from(MAKES), min_size=5, max_size=5), st.data())
def test_runs_in_any_order_and_dropped_ones_leave_what_the_others_give_in_order(
    order: list[int], makes: list[Callable[..., object]], data: st.DataObject
) -> None:
    few = [RECORDS[:6], RECORDS[:4], RECORDS[2:6]]
    runs = [night(at, run(make, "rank > 0", few[at % 3])) for at, make in enumerate(makes, 1)]  # type: ignore[arg-type]  # a Make
    gone = data.draw(st.sets(st.sampled_from(order), max_size=3))
    with Store(Path(":memory:")) as store, Store(Path(":memory:")) as straight:
        for at in order:
            store.add(runs[at - 1])
        for at in gone:
            header = runs[at - 1].header
            store.drop(header.lane, header.suite, header.started)
        for each in runs:
            if int(each.header.started[8:10]) not in gone:
                straight.add(each)
        assert lives(store) == lives(straight)
        assert list(store.runs()) == list(straight.runs())


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be one", None])
def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "h"
    if content is None:
        with sqlite3.connect(path) as db:
            db.execute("create table other (x)")
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="h: "):
        Store(path)
    assert path.read_bytes() == before


def test_a_damaged_page_is_told_by_whatever_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "h"
    with Store(path) as store:
        store.add(night(1, run()))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    uses: tuple[Callable[[Store], object], ...] = (
        lambda store: list(store.lines()), lambda store: list(store.runs()), lambda store: store.add(night(2, run())),
        lambda store: store.drop("a", "b", "c"), lambda store: list(store.until([]).lines()),
    )  # fmt: skip
    for use in uses:
        with Store(path) as store, pytest.raises(StoreError, match=r"is damaged, or no history .*: move it away"):
            use(store)


def test_a_store_that_another_process_writes_is_waited_for_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conformance.regression.history.PATIENCE", 0.1)
    with Store(tmp_path / "h") as first, Store(tmp_path / "h") as second:
        first._db.execute("begin exclusive")
        with pytest.raises(StoreError, match="h: another process is writing it: wait"):
            second.add(night(1, run()))


@pytest.mark.parametrize("kind", ["folder", "pipe", "below a file"])
def test_what_cannot_be_opened_is_told(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "h"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_text("a file")
        path /= "h"
    with pytest.raises((StoreError, OSError), match="h"):
        Store(path)


@pytest.mark.parametrize("started", ["yesterday", "2099-01-01T00:00:00+00:00", "2026-13-01T00:00:00+00:00",
                                     "2026-11-01", "2026-11-01T00:00:00",
                                     "2026-11-01T00:00:00+02:00", "2026-11-01T00:00:00Z"])  # fmt: skip
def test_a_record_file_of_no_date_is_refused_where_it_is_read(tmp_path: Path, started: str) -> None:
    made = night(1, run(records=RECORDS[:2]))
    write(tmp_path / "a.jsonl", replace(made, header=replace(made.header, started=started)))
    with pytest.raises(RecordError, match=r"a\.jsonl:1: .*started.*: (run|set the clock)"):
        read(tmp_path / "a.jsonl")


def test_a_message_with_a_lone_surrogate_is_kept(tmp_path: Path) -> None:
    with Store(tmp_path / "h") as store:
        store.add(night(1, run(records=[replace(RECORDS[0], message="lone \ud800", verdict=Verdict.ERRORED)])))
        (line,) = store.lines()
    assert line.states[0].message.startswith("lone \\ud800")


class TestCommand:
    @pytest.fixture
    def history(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> History:
        def ended(*arguments: object) -> tuple[int, str, str]:
            options = ["--store", str(tmp_path / "h.sqlite3")]
            monkeypatch.setattr(sys, "argv", ["conformance", "history", *map(str, arguments), *options])
            with pytest.raises(SystemExit) as exit_:
                main()
            assert isinstance(exit_.value.code, int)
            return exit_.value.code, *capsys.readouterr()

        return ended

    def test_a_case_and_a_cluster_each_get_an_answer(self, history: History, tmp_path: Path) -> None:
        for number, made in ((1, run()), (2, run(diverging)), (3, run(diverging))):
            write(tmp_path / str(number) / "mxnet-native-core.jsonl", night(number, made))
            assert history("--add", tmp_path / str(number))[0] == 0
        bad = [each for each in run(diverging).records if each.verdict is Verdict.DIVERGES]
        status, out, _ = history(bad[0].case)
        assert status == 0
        assert "  since 2026-11-02T02:17:00+00:00, 1.9.1: diverges value" in out
        _, out, _ = history(PLANTED)
        assert out == (
            f"mxnet-native core: {plural(len(bad), 'record')} of {plural(len({one.case for one in bad}), 'case')}\n"
            f"  since 2026-11-01T02:17:00+00:00, 1.9.1: {verdict_count(len(bad), 'conforms')}\n"
            f"  since 2026-11-02T02:17:00+00:00, 1.9.1: {verdict_count(len(bad), 'diverges')} ({len(bad)} flaky)\n"
        )

    def test_another_machine_is_told_from_what_is_flaky(self, history: History, tmp_path: Path) -> None:
        for number, machine, made in ((1, AVX2, run()), (2, SSE, run(diverging)), (3, SSE, run())):
            write(tmp_path / str(number) / "mxnet-native-core.jsonl", on(machine, night(number, made)))
            assert history("--add", tmp_path / str(number))[0] == 0
        bad = [each for each in run(diverging).records if each.verdict is Verdict.DIVERGES]
        _, first, second, third = history(bad[0].case)[1].splitlines()[:4]
        assert not first.endswith(")")
        assert second.endswith(" (another machine)")
        assert third.endswith(" (flaky)")
        nights = history(PLANTED)[1].splitlines()[2:]
        assert "(" not in nights[0], "the change of machine is not counted as flaky"
        assert nights[1].endswith(f"({len(bad)} flaky)")

    def test_runs_are_listed_and_dropped(self, history: History, tmp_path: Path) -> None:
        for number in (3, 1, 2):
            write(tmp_path / str(number) / "mxnet-native-core.jsonl", night(number, run(records=RECORDS[:2])))
            assert history("--add", tmp_path / str(number))[0] == 0
        assert history("--runs")[1].splitlines() == [
            f"mxnet-native, core, 2026-11-0{number}T02:17:00+00:00: 1.9.1" for number in (1, 2, 3)
        ]
        assert history("--drop", "2026-11-02", "--drop", "2026-11-03T02:17:00+00:00", "--runs")[1].splitlines() == [
            "mxnet-native, core, 2026-11-02T02:17:00+00:00: dropped",
            "mxnet-native, core, 2026-11-03T02:17:00+00:00: dropped",
            "mxnet-native, core, 2026-11-01T02:17:00+00:00: 1.9.1",
        ]
        status, _, err = history("--drop", "2026-11-02")
        assert status == 2
        assert "no run of '2026-11-02' is kept: `conformance history --runs`" in err

    @pytest.mark.parametrize(
        ("arguments", "line"),
        [
            ([], "nothing is asked"),
            (["a-case"], "there is no history yet"),
            (["rank = 3", "--add", "RECORDS"], "not an expression"),
            (["no-such-case", "--add", "RECORDS"], "nothing is kept of 'no-such-case'"),
        ],
    )
    def test_a_mistake_is_one_line(self, history: History, tmp_path: Path, arguments: list[str], line: str) -> None:
        write(tmp_path / "records" / "mxnet-native-core.jsonl", night(1, run(records=RECORDS[:4])))
        status, _, err = history(*(str(tmp_path / "records") if each == "RECORDS" else each for each in arguments))
        assert status == 2
        assert line in err
        assert err.count("\n") == 1


def test_a_history_ends_with_the_runs_that_it_is_asked_about(tmp_path: Path) -> None:
    case = next(each for each in run(diverging).records if each.fails)
    with Store(tmp_path / "h") as store:
        store.add(night(1, run()))
        store.add(night(9, run()))
        with store.until([night(5, run(diverging))]) as then:
            (line, *_) = [each for each in then.lines(case.case) if each.key == case.key]
        with store.until([night(5, replace(run(diverging), complete=False))]) as then:
            assert [each[2][:10] for each in then.runs()] == ["2026-11-01"]
        assert [each[2][:10] for each in store.runs()] == ["2026-11-01", "2026-11-09"]
    assert [(state.started[:10], state.verdict) for state in line.states] == [
        ("2026-11-01", "conforms"), ("2026-11-05", "diverges"),
    ]  # fmt: skip
