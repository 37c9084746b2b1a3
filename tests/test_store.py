"""History: what is kept is what changed, and every question gets the run from which on the answer is so."""

import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_guard import HEADER, PLANTED, RECORDS, crashed, diverging, refused, run, same

from conformance.cli import main
from conformance.record import Run, Verdict, write
from conformance.store import Store, StoreError

History = Callable[..., tuple[int, str, str]]


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


def test_a_run_older_than_the_last_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path / "h") as store:
        store.add(night(2, run()))
        with pytest.raises(StoreError, match="older than the last one"):
            store.add(night(1, run()))


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
            f"mxnet-native core: {len(bad):,} cases\n"
            f"  since 2026-11-01T02:17:00+00:00, 1.9.1: {len(bad)} conforms\n"
            f"  since 2026-11-02T02:17:00+00:00, 1.9.1: {len(bad)} diverges ({len(bad)} flaky)\n"
        )

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
