"""What the forms of `conformance audit` share that hold what a lane does to what is stated of it."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.io.atomic import require_our_file, write_atomically
from conformance.io.exit_status import DIVERGED, INCOMPLETE, OK
from conformance.io.terminal import echo, plural
from conformance.problem import Problem
from conformance.runner.selection import parse_shard
from conformance.suites import cases


class Asked(NamedTuple):
    """What a form asks a lane, and the file that the outcome goes to. A problem has the key its data is drawn from."""

    lane: Lane
    suite: str
    problems: Sequence[tuple[str, Problem]]
    path: Path


def asked(framework: str, variant: str, suite: str, shard: str, folder: Path) -> Asked:
    """What a lane is asked. Raises the errors of an unknown name, and of a file there that is not ours."""
    lane, (first, step) = adapters.lane(framework, variant), parse_shard(shard)
    path = folder / f"{lane}-{suite}.json"
    require_our_file(path, '{\n "lane": "')
    return Asked(
        lane, suite, [(case.id, case.problem) for case in cases.read_suite(suite).cases[first - 1 :: step]], path
    )


def tell(of: Asked, table: Iterable[str], found: Sequence[Any], departures: Sequence[str], *, empty: bool) -> int:
    """Print and write what was measured, and what is not as stated; the exit status. It is `empty` without answers."""
    echo(f"\n{of.lane}, {plural(len(of.problems), 'problem')} of {of.suite}: {of.path}")
    echo("\n".join([*table, *departures]))
    measured = [one._asdict() for one in found]
    document = {"lane": str(of.lane), "suite": of.suite, "departures": departures, "measured": measured}
    write_atomically(of.path, json.dumps(document, indent=1).encode() + b"\n")
    return INCOMPLETE if empty else DIVERGED if departures else OK
