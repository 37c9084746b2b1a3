"""Sweeps through Dask's scheduler: the same records as on one machine, whatever dies on the way.

Needs the extra `sweep`. Hosts are network namespaces, where this user may make them.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from conformance.processes.tree import descendants, end_tree
from conformance.runner.sweeps.cluster.client import Tls, require_private
from conformance.runner.sweeps.ledger import read_blocks
from conformance.runner.sweeps.task import SweepError
from conformance.suites.spaces.files import read_space
from tests.runner.test_lane_run import ADAPTERS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("distributed") is None, reason="the extra `sweep` is not installed"),
]

SPACE = read_space("small")
LANE = "oracle_adapter"
SWEEP = "sweep", "small", "--lane", LANE, "--block", "16", "--keep", "all"
Prefix = Sequence[str]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFORMANCE_ADAPTERS", str(ADAPTERS))


@contextmanager
def running(*command: str, prefix: Prefix = (), log: Path | None = None) -> Iterator["subprocess.Popen[str]"]:
    with ExitStack() as stack:
        output = stack.enter_context(log.open("w")) if log else subprocess.PIPE
        process = stack.enter_context(
            subprocess.Popen(
                [*prefix, sys.executable, "-m", *command],
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
        stack.callback(lambda: end_tree(process.pid))
        yield process


def scheduler(port: int, host: str = "127.0.0.1", *more: str, prefix: Prefix = (), log: Path) -> Any:
    words = ("distributed.cli.dask_scheduler", "--host", host, "--port", str(port), "--no-dashboard", *more)
    return running(*words, prefix=prefix, log=log)


def worker(address: str, *more: str, prefix: Prefix = (), log: Path) -> Any:
    return running("conformance", "sweep", "worker", address, "--lane", f"{LANE}={sys.executable}", "-n", "2", *more,
                   prefix=prefix, log=log)  # fmt: skip


def free_port() -> int:
    with socket.socket() as any_socket:
        any_socket.bind(("127.0.0.1", 0))
        return int(any_socket.getsockname()[1])


def done(folder: Path) -> dict[int, str]:
    return {each.start: each.sha256 for each in read_blocks(folder)[0]} if (folder / "blocks.jsonl").exists() else {}


def wait_for(what: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def offered(log: Path) -> bool:
    return "Registered to" in log.read_text()


def sweep(folder: Path, count: int, *words: str) -> str:
    with running("conformance", *SWEEP, "--count", str(count), "--to", str(folder), *words) as process:
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


@pytest.mark.parametrize(("kind", "verdict"), [("segfault", "crashed"), ("hang", "timed-out")])
def test_a_death_and_a_silence_are_the_same_records_as_on_one_machine(
    kind: str, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULT", f"{kind}@{SPACE[21]}")
    address = f"tcp://127.0.0.1:{(port := free_port())}"
    with scheduler(port, log=tmp_path / "scheduler"), worker(address, log=tmp_path / "worker"):
        wait_for(partial(offered, tmp_path / "worker"))
        output = sweep(tmp_path / "cluster", 64, "--timeout", "2", "--scheduler", address)
    assert f"64 problems: 63 conform, 1 {verdict}" in output
    sweep(tmp_path / "here", 64, "--timeout", "2")
    shard = "shard-00000.jsonl.gz"
    assert done(tmp_path / "cluster") == done(tmp_path / "here")
    if kind == "segfault":  # of a hang the last words tell that it was aborted, and where
        assert (tmp_path / "cluster" / shard).read_bytes() == (tmp_path / "here" / shard).read_bytes()


def test_blocks_that_a_worker_and_a_scheduler_lose_are_done_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULT", "slow@")
    address, count = f"tcp://127.0.0.1:{(port := free_port())}", 640
    log, folder = tmp_path / "worker", tmp_path / "cluster"
    words = (*SWEEP, "--count", str(count), "--to", str(folder), "--scheduler", address)
    with ExitStack() as stack:
        first = stack.enter_context(scheduler(port, log=tmp_path / "scheduler"))
        supervisor = stack.enter_context(worker(address, log=log))
        wait_for(partial(offered, log))
        process = stack.enter_context(running("conformance", *words, log=tmp_path / "sweep"))
        wait_for(lambda: len(done(folder)) > 3)
        killed = next(descendants(supervisor.pid))
        os.kill(killed, signal.SIGSEGV)  # the worker itself
        before = len(done(folder))
        wait_for(lambda: len(done(folder)) > before + 3)
        lanes = [pid for pid in descendants(supervisor.pid) if pid not in (killed, next(descendants(supervisor.pid)))]
        os.kill(lanes[0], signal.SIGKILL)  # a lane process
        end_tree(first.pid)
        assert len(done(folder)) < count // 16, "the scheduler was to end in the middle"
        stack.enter_context(scheduler(port, log=tmp_path / "scheduler2"))
        assert process.wait(240) == 0, (tmp_path / "sweep").read_text()
    sweep(tmp_path / "here", count)
    assert done(folder) == done(tmp_path / "here")


def test_a_lane_that_nobody_offers_and_a_scheduler_that_is_not_there_are_told(tmp_path: Path) -> None:
    port = free_port()
    words = (*SWEEP, "--count", "16", "--to", str(tmp_path / "a"), "--scheduler", f"tcp://127.0.0.1:{port}")
    with scheduler(port, log=tmp_path / "scheduler"):
        wait_for(lambda: "Scheduler at" in (tmp_path / "scheduler").read_text())
        with running("conformance", *words) as process:
            output, _ = process.communicate(timeout=120)
        assert (process.returncode, output.count("\n")) == (2, 1), output
    with running("conformance", *words, "--resume") as process:
        unreached, _ = process.communicate(timeout=120)
    assert (process.returncode, unreached.count("\n")) == (2, 1), unreached
    assert f"no scheduler answers at tcp://127.0.0.1:{port}" in unreached
    assert "offers oracle_adapter-single, they offer nothing: start one by `conformance sweep worker" in output


def test_with_tls_and_without() -> None:
    for address in ("tcp://127.0.0.1:8786", "tcp://localhost:8786", "tcp://[::1]:8786"):
        require_private(address, None, plain=False)
    with pytest.raises(SweepError, match=r"10\.0\.0\.1:8786 is another host.*give --tls-ca"):
        require_private("tcp://10.0.0.1:8786", None, plain=False)
    require_private("tcp://10.0.0.1:8786", None, plain=True)
    require_private("tls://10.0.0.1:8786", Tls("ca", "cert", "key"), plain=False)
    with pytest.raises(SweepError, match="takes TLS: give --tls-ca"):
        require_private("tls://127.0.0.1:8786", None, plain=False)


def openssl(folder: Path, words: str) -> None:
    subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)


def test_a_sweep_goes_through_tls(tmp_path: Path) -> None:
    new = "-newkey rsa:2048 -nodes"
    openssl(tmp_path, f"req -x509 {new} -keyout ca.key -out ca.pem -days 2 -subj /CN=ca")
    openssl(tmp_path, f"req {new} -keyout key.pem -out own.csr -subj /CN=own")
    openssl(tmp_path, "x509 -req -in own.csr -CA ca.pem -CAkey ca.key -out cert.pem -days 2 -CAcreateserial")
    ca, cert, key = (str(tmp_path / name) for name in ("ca.pem", "cert.pem", "key.pem"))
    ours = "--tls-ca", ca, "--tls-cert", cert, "--tls-key", key
    address = f"tls://127.0.0.1:{(port := free_port())}"
    more = "--protocol", "tls", "--tls-ca-file", ca, "--tls-cert", cert, "--tls-key", key
    with (
        scheduler(port, "127.0.0.1", *more, log=tmp_path / "scheduler"),
        worker(address, *ours, log=tmp_path / "worker"),
    ):
        wait_for(partial(offered, tmp_path / "worker"))
        assert "32 conform" in sweep(tmp_path / "a", 32, "--scheduler", address, *ours)


@contextmanager
def hosts(*names: str) -> Iterator[dict[str, str]]:
    """Network namespaces on one bridge, with their addresses; the last number is one's place."""
    bridge = f"cf{os.getpid() % 10000}"

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    made = []
    try:
        ip("link", "add", bridge, "type", "bridge")
        ip("link", "set", bridge, "up")
        for number, name in enumerate(names, 2):
            space, outer = f"{bridge}-{name}", f"{bridge}{name}"
            ip("netns", "add", space)
            made.append(space)
            ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("link", "set", outer, "master", bridge, "up")
            for words in (("addr", "add", f"10.213.7.{number}/24", "dev", "eth0"), ("link", "set", "eth0", "up"),
                          ("link", "set", "lo", "up")):  # fmt: skip
                ip("-n", space, *words)
        yield {name: f"10.213.7.{number}" for number, name in enumerate(names, 2)}
    finally:
        for space in made:
            ip("netns", "del", space)
        ip("link", "del", bridge)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces")
def test_three_hosts_and_a_cut_link_give_the_same_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULT", "slow@")
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP", "12s")
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL", "10s")
    count, folder = 640, tmp_path / "cluster"
    with ExitStack() as stack:
        try:
            places = stack.enter_context(hosts("a", "b", "c"))
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"network namespaces cannot be made here: {error}")
        bridge = f"cf{os.getpid() % 10000}"
        inside = {name: ("ip", "netns", "exec", f"{bridge}-{name}") for name in places}
        address = f"tcp://{places['a']}:8786"
        stack.enter_context(scheduler(8786, places["a"], prefix=inside["a"], log=tmp_path / "scheduler"))
        for name in ("b", "c"):
            stack.enter_context(worker(address, "--plain", prefix=inside[name], log=tmp_path / name))
            wait_for(partial(offered, tmp_path / name))
        words = (*SWEEP, "--count", str(count), "--to", str(folder), "--scheduler", address, "--plain")
        process = stack.enter_context(running("conformance", *words, prefix=inside["a"], log=tmp_path / "sweep"))
        wait_for(lambda: len(done(folder)) > 3)
        subprocess.run(["ip", "link", "set", f"{bridge}c", "down"], check=True)
        assert process.wait(240) == 0, (tmp_path / "sweep").read_text()
    sweep(tmp_path / "here", count)
    assert done(folder) == done(tmp_path / "here")
