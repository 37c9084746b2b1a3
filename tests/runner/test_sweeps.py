"""Sweeps, in processes of their own that are killed, silent and starved: nothing that is done is lost or done again."""

import gc
import gzip
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.problem import BIAS, FORWARD, INPUT, PASSES
from conformance.processes import wire
from conformance.processes.tree import descendants
from conformance.records.record import RecordError, Verdict
from conformance.records.record_file import parse
from conformance.runner.sweeps.lane import lines
from conformance.runner.sweeps.ledger import Done, read_blocks
from conformance.runner.sweeps.process import BlockProcess, forked, spawned
from conformance.runner.sweeps.run import digest_of, identity_of
from conformance.runner.sweeps.store import Store
from conformance.runner.sweeps.task import Sweep, SweepError, Swept, Task
from conformance.suites.borders import asked_of, case_of
from conformance.suites.references import oracle_digest
from conformance.suites.spaces.files import read_space
from tests.adapters import forget_adapters
from tests.adapters.test_backward import Whole
from tests.runner.test_lane_run import ADAPTERS
from tests.test_run import LANE

SPACE = read_space("small")
SWEEP = Sweep(SPACE.text, 0, "oracle_adapter", "single", "float32")
COUNT = 96
WORDS = "--lane", "oracle_adapter", "--count", str(COUNT), "--block", "16", "-n", "2"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The adapter over the oracle is a framework, here and in every process that is started."""
    monkeypatch.setenv("CONFORMANCE_ADAPTERS", str(ADAPTERS))
    monkeypatch.setattr(adapters, "__path__", [*adapters.__path__, str(ADAPTERS)])
    forget_adapters()
    yield
    forget_adapters()


def problem(number: int) -> str:
    return str(SPACE[number])


def started(*words: str, fault: str = "", **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "conformance", "sweep", *words]
    return subprocess.Popen(command, env=os.environ | {"FAULT": fault}, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True, **options)  # fmt: skip


def sweep(*words: str, **options: Any) -> tuple[int, str]:
    process = started(*words, **options)
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def trusted(start: int, stop: int, seconds: float = 60.0, of: Sweep = SWEEP) -> Swept:
    """A block, evaluated where it is compared, as the frameworks of this package are."""
    process = BlockProcess(of, spawned(sys.executable), seconds)
    try:
        return process.swept(Task(of, start, stop))
    finally:
        process.stop()


def blocks(folder: Path) -> dict[int, str]:
    return {done.start: done.sha256 for done in read_blocks(folder)[0]}


def test_a_lane_that_is_compared_at_home_gives_what_one_from_outside_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = f"wrong@{problem(3)}"
    monkeypatch.setenv("FAULT", fault)
    assert sweep("small", *WORDS, "--to", str(tmp_path / "a"), fault=fault)[0] == 0
    home = trusted(0, 16)
    assert blocks(tmp_path / "a")[0] == home.digest
    assert home.verdicts == {"conforms": 15, "diverges": 1}
    assert parse(home.kept.decode()).problem == problem(3)


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "verdict", "message"), [
    ("segfault", "crashed", "killed by SIGSEGV in answer"),
    ("exit", "crashed", "exited with status 7"),
    ("kill", "crashed", "killed by SIGKILL"),
    ("hang", "timed-out", "no answer after 1 s asleep in answer"),
    ("refuse", "rejects", "ArithmeticError: not today"),
    ("wrong", "diverges", ""),
    ("print", "conforms", ""),
])  # fmt: skip
def test_the_problem_that_a_lane_process_dies_of_is_named(
    fault: str, verdict: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One in the middle of a block, whose lines are sent 16 at a time."""
    monkeypatch.setenv("FAULT", f"{fault}@{problem(21)}")
    of = replace_keep(SWEEP, "all")
    block = trusted(0, 40, seconds=1.0, of=of)
    records = [parse(line.decode()) for line in block.kept.splitlines()]
    assert [record.problem for record in records] == [problem(number) for number in range(40)]
    others = Counter(record.verdict for number, record in enumerate(records) if number != 21)
    assert others == {"conforms": 39}
    assert (records[21].verdict, message in records[21].message) == (verdict, True)
    again = trusted(0, 40, seconds=1.0, of=of)
    assert again.digest == block.digest


def replace_keep(of: Sweep, keep: Any) -> Sweep:
    return msgspec.structs.replace(of, keep=keep)


def test_a_fork_answers_as_a_process_of_its_own_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULT", f"segfault@{problem(5)}")
    process = BlockProcess(SWEEP, forked(SWEEP), 60.0)
    try:
        block = process.swept(Task(SWEEP, 0, 20))
    finally:
        process.stop()
        gc.unfreeze()
    assert block.verdicts == {"conforms": 19, "crashed": 1}
    assert block.digest == trusted(0, 20).digest


def test_every_problem_of_a_block_can_be_a_death(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULT", "segfault@")
    assert trusted(0, 3).verdicts == {"crashed": 3}


def test_a_lane_that_does_not_start_is_told() -> None:
    process = BlockProcess(SWEEP, spawned("/bin/false"), 60.0)
    with pytest.raises(SweepError, match="its lane process does not start: exited with status 1"):
        process.swept(Task(SWEEP, 0, 3))


@pytest.mark.slow
def test_parts_and_the_whole_have_the_same_records(tmp_path: Path) -> None:
    whole, joined = tmp_path / "whole", tmp_path / "joined"
    assert sweep("small", *WORDS, "--to", str(whole), "--keep", "all")[0] == 0
    for part in ("1/2", "2/2"):
        folder = tmp_path / part.replace("/", "of")
        assert sweep("small", *WORDS, "--to", str(folder), "--keep", "all", "--part", part)[0] == 0
    words = [word for part in ("1of2", "2of2") for word in ("--join", str(tmp_path / part))]
    status, output = sweep("small", *WORDS, "--to", str(joined), "--keep", "all", *words)
    assert (status, "96 conform" in output) == (0, True), output
    assert (joined / "shard-00000.jsonl.gz").read_bytes() == (whole / "shard-00000.jsonl.gz").read_bytes()
    assert digest_of(iter(read_blocks(joined)[0])) == digest_of(iter(read_blocks(whole)[0]))
    records = [
        parse(line) for line in gzip.decompress((joined / "shard-00000.jsonl.gz").read_bytes()).decode().splitlines()
    ]
    assert [record.case for record in records] == [case_of(SPACE[number]).id for number in range(COUNT)]


def test_a_sweep_goes_on_to_more_problems(tmp_path: Path) -> None:
    words = "small", "--lane", "oracle_adapter", "--to", str(tmp_path), "--block", "16"
    assert sweep(*words, "--count", "20")[0] == 0
    before = blocks(tmp_path)
    status, output = sweep(*words, "--count", "50", "--resume")
    assert (status, "50 problems: 50 conform" in output) == (0, True), output
    assert blocks(tmp_path).items() >= before.items()
    assert sorted(blocks(tmp_path)) == [0, 16, 20, 32, 48]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.slow
def test_whatever_is_killed_a_sweep_ends_as_if_nothing_were(tmp_path: Path, seed: int) -> None:
    fault, draw = f"slow@{problem(5)[:3]}", random.Random(seed)
    words = ("small", *WORDS, "--keep", "all", "--to")
    began = time.monotonic()
    assert sweep(*words, str(tmp_path / "calm"), fault=fault)[0] == 0
    took = time.monotonic() - began  # on this machine, so that the first kill comes before the end
    killed: Counter[str] = Counter()
    status = None
    for attempt in range(60):
        with started(*words, str(tmp_path / "killed"), "--resume", fault=fault) as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(took * (draw.uniform(0.4, 1.5) if attempt else 0.5))
            if process.poll() is None:
                killed[kill_one_of(process, draw)] += 1
            output, _ = process.communicate(timeout=60)
            status = process.returncode
        if status == 0:
            break
    assert status == 0, output
    assert killed
    assert blocks(tmp_path / "killed") == blocks(tmp_path / "calm")
    shard = "shard-00000.jsonl.gz"
    assert (tmp_path / "killed" / shard).read_bytes() == (tmp_path / "calm" / shard).read_bytes()


def kill_one_of(process: Any, draw: random.Random) -> str:
    """Kill a process or one that came of it; with the first its children end, too."""
    children = [*descendants(process.pid)]
    chosen = draw.choice([process.pid, *children])
    with suppress(ProcessLookupError):
        os.kill(chosen, signal.SIGKILL)
    if chosen != process.pid:
        return "child"
    require_gone(children)
    return "parent"


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())  # nothing of one that nobody has waited for yet
    return False


def require_gone(pids: Sequence[int]) -> None:
    deadline = time.monotonic() + 20
    while left := [
        pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()
    ]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


# the store


def swept(start: int, text: bytes = b"", digest: str = "d") -> Swept:
    counts = {"conforms": 16 - text.count(b"\n")} | ({"diverges": text.count(b"\n")} if text else {})
    return Swept(start, start + 16, counts, digest, text, 0, {"oracle_adapter": "1.0"}, {}, oracle_digest())


def store(folder: Path, *, resume: bool = True, **other: Any) -> Store:
    return Store(folder, replace_identity(**other), resume=resume)


def replace_identity(**other: Any) -> Any:
    return msgspec.structs.replace(identity_of(SWEEP, SPACE), **other)


def test_what_a_killed_process_left_half_is_cut_off(tmp_path: Path) -> None:
    first = store(tmp_path)
    first.add(swept(0, b"one\n"))
    first.add(swept(16, b"two\n"))
    first.close(whole=False)
    for name, more in (("blocks.jsonl", b'{"start":32,"st'), ("shard-00000.part", b"\x1f\x8b half")):
        with (tmp_path / name).open("ab") as file:
            file.write(more)
    again = store(tmp_path)
    assert [done.start for done in again.blocks] == [0, 16]
    again.add(swept(32, b"three\n"))
    again.close()
    assert gzip.decompress((tmp_path / "shard-00000.jsonl.gz").read_bytes()) == b"one\ntwo\nthree\n"
    assert [json.loads(line)["start"] for line in (tmp_path / "blocks.jsonl").read_text().splitlines()] == [0, 16, 32]


def test_a_ledger_that_is_damaged_is_told(tmp_path: Path) -> None:
    store(tmp_path).close()
    (tmp_path / "blocks.jsonl").write_bytes(b"nonsense\n")
    with pytest.raises(SweepError, match=r"blocks\.jsonl:1: is no block .*: the disk may be damaged"):
        store(tmp_path)


def test_a_block_that_comes_again_is_equal_or_flaky(tmp_path: Path) -> None:
    once = store(tmp_path)
    once.add(swept(0))
    once.add(swept(0))
    assert not once.flaky
    once.add(swept(0, digest="another"))
    assert [tuple(each) for each in once.flaky] == [(0, 16)]
    once.close()
    again = store(tmp_path)
    assert [tuple(each) for each in again.flaky] == [(0, 16)]
    again.close()
    assert [done.sha256 for done in read_blocks(tmp_path)[1]] == ["another"]


def test_a_store_is_of_one_sweep_and_for_one_process(tmp_path: Path) -> None:
    first = store(tmp_path)
    with pytest.raises(RecordError, match=rf"another run \(pid {os.getpid()}\) is writing it.*another --to"):
        store(tmp_path)
    first.close()
    with pytest.raises(SweepError, match="go on with --resume"):
        store(tmp_path, resume=False)
    with pytest.raises(SweepError, match=r"whose space is .*, and not other"):
        store(tmp_path, digest="other")
    with pytest.raises(SweepError, match="whose seed is 0, and not 1"):
        store(tmp_path, sweep=msgspec.structs.replace(SWEEP, seed=1))
    with pytest.raises(SweepError, match="whose oracle is"):
        store(tmp_path, oracle="other")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").touch()
    with pytest.raises(SweepError, match=r"holds mine\.txt, and no sweep"):
        store(tmp_path / "folder")


def test_a_block_of_another_build_is_refused(tmp_path: Path) -> None:
    first = store(tmp_path)
    first.add(swept(0))
    with pytest.raises(SweepError, match="from another version of this package, whose oracle is other"):
        first.add(msgspec.structs.replace(swept(16), oracle="other"))
    other = msgspec.structs.replace(swept(16), environment={"oracle_adapter": "2.0"})
    with pytest.raises(SweepError, match=r"another build \(oracle_adapter was 1.0, is 2.0\)"):
        first.add(other)
    first.close()


def test_other_blocks_over_what_is_done_are_refused(tmp_path: Path) -> None:
    first = store(tmp_path)
    first.add(swept(0))
    with pytest.raises(SweepError, match="give the same --block as before"):
        first.add(swept(8))
    first.close()


def test_a_shard_is_written_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.runner.sweeps.store.SHARD", 32)
    monkeypatch.setattr("conformance.runner.sweeps.ledger.SHARD", 32)
    first = store(tmp_path)
    first.add(swept(16, b"b\n"))
    assert (tmp_path / "shard-00000.part").exists()
    first.add(swept(0, b"a\n"))
    assert gzip.decompress((tmp_path / "shard-00000.jsonl.gz").read_bytes()) == b"a\nb\n"
    assert not (tmp_path / "shard-00000.part").exists()
    first.close()


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (2600, 2600))
    words = ("small", *WORDS, "--keep", "all", "--to", str(tmp_path))
    status, output = sweep(*words, preexec_fn=limit)
    assert (status, output.count("\n")) == (2, 1), output
    assert "allow larger files" in output
    status, output = sweep(*words, "--resume")
    assert (status, "96 conform" in output) == (0, True), output


# the command


def test_a_report_says_what_is_new_where_and_why(tmp_path: Path) -> None:
    words = ("small", "--lane", "oracle_adapter", "--count", "300", "--to", str(tmp_path))
    assert sweep(*words, fault="wrong@n2")[0] == 0
    status, output = sweep("report", str(tmp_path), fault="wrong@n2")
    assert status == 1
    count = sum(" n2" in problem(number) for number in range(300))
    assert f"new: {count} diverge: other values" in output
    assert "exactly where batch != 1" in output or "exactly where batch > 1" in output, output
    assert "conformance call oracle_adapter" in output


def test_a_report_without_faults_is_green(tmp_path: Path) -> None:
    assert sweep("small", *WORDS, "--to", str(tmp_path))[0] == 0
    status, output = sweep("report", str(tmp_path))
    assert (status, "96 conform" in output) == (0, True), output


@pytest.mark.parametrize(("words", "message"), [
    (["nosuch", "--lane", "oracle_adapter", "--to", "F"], "there is no space 'nosuch'"),
    (["small", "--lane", "nosuch", "--to", "F"], "there is no framework 'nosuch'"),
    (["small", "--lane", "oracle_adapter", "--to", "F", "--from", "9" * 20, "--count", "1"], "are not all in"),
    (["small", "--lane", "oracle_adapter", "--to", "F", "--count", "9", "--block", "100"], "give a power of 2"),
    (["small", "--lane", "oracle_adapter", "--to", "F", "--count", "9", "--part", "3/2"], "is not I/N"),
    (["small", "--lane", "oracle_adapter", "--to", "F", "--count", "9", "--timeout", "0"], "is no limit of time"),
    (["small", "--lane", "oracle_adapter", "--to", "F", "--count", "9", "--join", "G"], "G: holds no sweep"),
    (["small", "--lane", "torch", "--to", "F", "--count", "9", "--python", "torch"], "give NAME=PATH"),
    (["small", "--lane", "oracle_adapter", "--to", "F", "--pass", "input"], "oracle_adapter has no gradients here"),
    (["report", "F"], "F: holds no sweep"),
])  # fmt: skip
def test_a_mistake_is_a_line(words: list[str], message: str, tmp_path: Path) -> None:
    status, output = sweep(*words, cwd=tmp_path)
    assert (status, output.count("\n")) == (2, 1), output
    assert message in output


def test_the_lines_of_a_block_do_not_depend_on_how_it_is_cut() -> None:
    lane = Lane("oracle_adapter", "single")
    adapter: Any = adapters.load(lane)

    def cut(*ends: int) -> list[bytes]:
        return [
            line
            for start, stop in pairwise(ends)
            for line in lines(lane, adapter, wire.Block(SPACE.text, 0, "float32", start, stop))
        ]

    assert cut(0, 20) == cut(0, 7, 20)


@pytest.mark.parametrize("direction", PASSES)
def test_the_lines_of_a_block_are_of_its_pass(direction: str) -> None:
    block = wire.Block(SPACE.text, 0, "float64", 0, 24, direction=direction)
    records = [parse(line.decode()) for line in lines(LANE, Whole(), block)]
    assert {record.direction for record in records} == {direction}
    assert [record.problem for record in records] == [
        str(asked_of(SPACE[number], "float64", direction).case.problem) for number in range(24)
    ]
    answered = [record.verdict for record in records if record.verdict is not Verdict.UNSUPPORTED]
    assert len(answered) > 4
    assert {*answered} == ({Verdict.CONFORMS} if direction != FORWARD else {Verdict.ERRORED})


def test_what_is_asked_of_the_gradient_by_a_bias_has_one() -> None:
    assert all(asked_of(SPACE[number], "float32", BIAS).case.problem.bias for number in range(24))
    assert {asked_of(SPACE[number], "float32", INPUT).case.problem.bias for number in range(24)} == {True, False}


def test_a_store_is_of_one_pass(tmp_path: Path) -> None:
    of_input = msgspec.structs.replace(SWEEP, direction=INPUT)
    Store(tmp_path, identity_of(SWEEP, SPACE), resume=False).close()
    with pytest.raises(SweepError, match="is of another sweep, whose pass is forward, and not input"):
        Store(tmp_path, identity_of(of_input, SPACE), resume=True)


def test_a_done_block_counts_what_is_kept() -> None:
    done = Done(0, 10, {"conforms": 7, "diverges": 3}, "d")
    assert (done.kept("all"), done.kept("notable")) == (10, 3)
