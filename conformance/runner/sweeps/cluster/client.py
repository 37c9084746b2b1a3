"""The engine of several machines: Dask's scheduler hands blocks to workers, each the parent of lane processes.

Blocks and what comes of them are sent as JSON text. The client and the workers need `distributed` and no framework, the
environments of lanes neither. Only some blocks a worker are with the scheduler at a time; those that it loses, with a
worker or by its own end, are put back.
"""

import ipaddress
import socket
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import msgspec

from conformance.runner.sweeps.task import Sweep, SweepError, Swept, Task

AHEAD = 2
"""Blocks for each lane process that are with the scheduler."""
CONNECT = 15
PATIENCE = 600.0
"""Seconds in which no block need come, while a scheduler or its workers start again."""
LOST = 20
"""How often one block may be lost in a row."""
EXTRA = "pip install 'conformance[sweep]'"


class Tls(msgspec.Struct, frozen=True):
    """The files of TLS: the authority's certificate, and an own certificate with its key."""

    ca: str
    cert: str
    key: str


def require_private(address: str, tls: Tls | None, *, plain: bool) -> None:
    """Raises SweepError for an address that takes TLS, or is off this host, where there is none.

    Whoever reaches a scheduler can run code on it.
    """
    if tls is None and address.startswith("tls:"):
        raise SweepError(f"{address} takes TLS: give --tls-ca, --tls-cert and --tls-key")
    if tls is None and not plain and not _is_loopback(urlsplit(address).hostname or ""):
        raise SweepError(f"{address} is another host, and whoever reaches a scheduler can run code there: give "
                         "--tls-ca, --tls-cert and --tls-key, or --plain on a network that is private")  # fmt: skip


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def security(tls: Tls | None) -> Any:
    """What Dask takes as its security."""
    from distributed.security import Security

    if tls is None:
        return Security()
    return Security(
        require_encryption=True, tls_ca_file=tls.ca, tls_client_cert=tls.cert, tls_client_key=tls.key,
        tls_worker_cert=tls.cert, tls_worker_key=tls.key,
    )  # fmt: skip


class Cluster:
    """Does blocks of one sweep through a scheduler. A problem may take so many seconds."""

    def __init__(self, address: str, sweep: Sweep, seconds: float, tls: Tls | None) -> None:
        self._address, self._sweep, self._seconds, self._tls = address, sweep, seconds, tls

    def __call__(self, tasks: Iterator[Task]) -> Iterator[Swept]:
        """What comes of blocks. Raises SweepError where nobody offers the lane, or no block comes for too long."""
        with self._client() as client:
            slots = self._require_offered(client)
            yield from self._swept(client, tasks, AHEAD * slots)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        try:
            from distributed import Client
            from distributed.versions import VersionMismatchWarning
        except ImportError:
            raise SweepError(f"--scheduler needs Dask, which is not installed here: `{EXTRA}`") from None
        _require_reached(self._address)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)  # what is sent is text
            try:
                client = Client(self._address, security=security(self._tls), timeout=CONNECT, set_as_default=False)
            except (OSError, TimeoutError, TypeError, ValueError) as error:
                raise _unreached(self._address, error) from None
            try:
                yield client
            finally:
                client.close(timeout=5)

    def _require_offered(self, client: Any) -> int:
        """How many lane processes of the lane the workers offer. Raises SweepError where it is none."""
        offers = _offers(client)
        lane = str(self._sweep.lane)
        if not offers.get(lane):
            others = ", ".join(sorted(offers)) or "nothing"
            raise SweepError(f"no worker at {self._address} offers {lane}, they offer {others}: start one by "
                             f"`conformance sweep worker {self._address} --lane {lane}=PYTHON`")  # fmt: skip
        return offers[lane]

    def _swept(self, client: Any, tasks: Iterator[Task], window: int) -> Iterator[Swept]:
        waiting: dict[Any, Task] = {}
        lost: dict[int, int] = {}
        heard = time.monotonic()
        self._submit(client, islice(tasks, window), waiting)
        while waiting:
            done = [future for future in waiting if future.done()]
            for future in done:
                task, swept = waiting.pop(future), self._result(future)
                if swept is None:
                    lost[task.start] = lost.get(task.start, 0) + 1
                    if lost[task.start] > LOST:
                        raise SweepError(f"problems {task.start} to {task.stop - 1} were lost {LOST} times with their "
                                         "worker: look at its log, and go on with --resume")  # fmt: skip
                    time.sleep(0.2)
                    self._submit(client, [task], waiting)
                    continue
                heard = time.monotonic()
                self._submit(client, islice(tasks, 1), waiting)
                yield swept
            if not done:
                time.sleep(0.02)
            if time.monotonic() - heard > PATIENCE:
                raise SweepError(f"no block came from {self._address} for {PATIENCE:g} s: look at its workers, and "
                                 "go on with --resume")  # fmt: skip

    def _submit(self, client: Any, tasks: Any, waiting: dict[Any, Task]) -> None:
        for task in tasks:
            text = msgspec.json.encode(task).decode()
            future = client.submit(
                swept_text, text, self._seconds, resources={str(self._sweep.lane): 1}, pure=False,
                key=f"{self._sweep.lane}-{task.start}-{time.monotonic_ns()}",
            )  # fmt: skip
            waiting[future] = task

    def _result(self, future: Any) -> Swept | None:
        """What came of a block; None where it was lost. Raises SweepError where its worker cannot do it."""
        if future.status in ("cancelled", "lost"):
            return None
        if future.status == "error":
            error = future.exception()
            if type(error).__name__ in ("KilledWorker", "CancelledError", "FutureCancelledError", "CommClosedError"):
                return None
            raise SweepError(f"a worker of {self._sweep.lane}: {_first_line(error)}") from None
        text = future.result()
        future.release()
        return msgspec.json.decode(text, type=Swept)


def swept_text(task: str, seconds: float) -> str:
    """What comes of a block, as JSON: what a worker runs."""
    from conformance.runner.sweeps.cluster.worker import POOL  # of the process that is a worker

    return msgspec.json.encode(POOL.swept(msgspec.json.decode(task, type=Task), seconds)).decode()


def _require_reached(address: str) -> None:
    """Raises SweepError where nobody listens; a client of Dask takes a minute to give up."""
    place = urlsplit(address)
    try:
        socket.create_connection((place.hostname or "", place.port or 0), timeout=CONNECT).close()
    except (OSError, ValueError) as error:
        raise _unreached(address, error) from None


def _unreached(address: str, error: BaseException) -> SweepError:
    return SweepError(f"no scheduler answers at {address} ({_first_line(error)}): start one there, as in `dask "
                      "scheduler`, or correct the address, or how it is reached")  # fmt: skip


def _offers(client: Any) -> Mapping[str, int]:
    """How many lane processes of each lane the workers offer."""
    offers: dict[str, int] = {}
    for worker in client.scheduler_info(n_workers=-1)["workers"].values():
        for lane, count in worker["resources"].items():
            offers[lane] = offers.get(lane, 0) + int(count)
    return offers


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
