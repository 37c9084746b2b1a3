"""conformance cases: list, show and count what is tested, and say which version of it this is."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import click

from conformance.io.atomic import require_our_file, write_atomically
from conformance.io.bounded import read_named_text
from conformance.io.folders import cases_folder
from conformance.io.terminal import columns, echo, plural
from conformance.predicates.predicate import Predicate
from conformance.records.record import ROUNDING
from conformance.suites import cases
from conformance.suites.case import Case, Suite
from conformance.suites.cases import SUITES

SMALL = 64

VERSIONED = ("core", "extreme", ROUNDING)
"""The suites whose cases are vectors: operands, and one expected array."""
HEAD = "# Hashes of all vectors, written by `conformance cases version --write`\n"

suite_option = click.option("--suite", default="core", show_default=True, help="The suite of the cases.")


@click.group()
def command() -> None:
    """Explore the cases."""


@command.command(name="list")
@suite_option
@click.option("--probes", help="Only cases that probe this.")
@click.option("--where", default="", metavar="PREDICATE", help="Only problems of this kind, such as 'rank == 2'.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_(suite: str, probes: str | None, where: str, as_json: bool) -> None:
    """List the cases of a suite: id and descriptor."""
    if probes is not None and probes not in cases.PROBES:
        raise cases.CaseError(f"nothing probes {probes!r}: the probes are {', '.join(cases.PROBES)}")
    holds = Predicate.parse(where or "rank >= 1")
    chosen = [case for case in cases.read_suite(suite).cases
              if (probes is None or probes in case.probes) and holds(case.problem)]  # fmt: skip
    for line in map(_json, chosen) if as_json else columns((case.id, case.descriptor) for case in chosen):
        echo(line)


@command.command()
@click.argument("case_id", metavar="ID")
def show(case_id: str) -> None:
    """Show one case: why it is there, its geometry, and the oracle's arrays if they are small."""
    from conformance.suites.references import compute

    everything = tuple(case for suite in (*VERSIONED, "models") for case in cases.read_suite(suite).cases)
    (case,) = cases.find(Suite("core, extreme, rounding or models", everything), [case_id]).cases
    problem, answer = case.problem, compute(case)
    echo(f"{case.id} ({case.source})\n{case.why}\nprobes: {', '.join(case.probes)}\n\n{case.descriptor}")
    echo(f"x {problem.input_shape}, weight {problem.weight_shape}, output {problem.output_shape}")
    echo(f"window {problem.window} of {problem.full}, {problem.multiplies} multiplications")
    echo(f"no partial sum of {plural(answer.terms, 'term')} exceeds {answer.largest}")
    for name, array in {**answer.arrays._asdict(), "expected": answer.expected}.items():
        if array is not None:
            echo(f"\n{name} {array.shape}" + (f"\n{array}" if array.size <= SMALL else ": too large to print"))


@command.command()
def count() -> None:
    """Count the cases of each suite, by file and rank."""
    echo("\n".join(columns(map(_counts, SUITES))))


def _counts(name: str) -> tuple[str, str, str]:
    """A suite, how many cases it has, and how many of them are of each file and rank."""
    suite = cases.read_suite(name)
    sources = Counter(case.source for case in suite.cases)
    ranks = Counter(f"{case.problem.rank}-D" for case in suite.cases)
    parts = [f"{number:,} {label}" for label, number in [*sources.items(), *sorted(ranks.items())]]
    return name, f"{len(suite.cases):>6,}", ", ".join(parts)


class Version(NamedTuple):
    """A number that grows whenever a vector changes or goes, and the hash of every vector by its case's id."""

    number: int
    vectors: Mapping[str, str]

    def text(self) -> str:
        """What the file of a version holds."""
        lines = [f"{name} {digest}\n" for name, digest in sorted(self.vectors.items())]
        return "".join([HEAD, f"version {self.number}\n", *lines])

    def __str__(self) -> str:
        digest = hashlib.sha256(self.text().encode()).hexdigest()[:16]
        return f"version {self.number} of the cases: {len(self.vectors):,} vectors, digest {digest}"

    def changes_since(self, older: "Version") -> list[tuple[str, str]]:
        """What became of vectors: ("changed", ID), ("gone", ID) or ("new", ID)."""
        here, there = self.vectors.keys(), older.vectors.keys()
        kinds = {"changed": here & there, "gone": there - here, "new": here - there}
        return [
            (kind, name) for kind, names in kinds.items() for name in sorted(names)
            if kind != "changed" or self.vectors[name] != older.vectors[name]
        ]  # fmt: skip


@command.command()
@click.option("--since", type=Path, help="A file cases/vectors.txt of another version: say which vectors changed.")
@click.option("--write", is_flag=True, help="Compute all vectors, and write their hashes; a change raises the version.")
def version(since: Path | None, write: bool) -> int:
    """Say which version of the cases this is, and which vectors differ from another version.

    A vector is a problem with its operands and the expected array. New vectors do not change the version number.
    """
    place = cases_folder() / "vectors.txt"
    if write:
        require_our_file(place, HEAD.strip())
        here = computed_version(read_version(place) if place.exists() else Version(1, {}))
        write_atomically(place, here.text().encode())
    here = read_version(place)
    echo(str(here))
    for kind, name in here.changes_since(read_version(since)) if since else ():
        echo(f"  {kind:8} {name}")
    return 0


def computed_version(older: Version) -> Version:
    """The version of the vectors as they are computed here, after another one."""
    from conformance.suites.reference_cache import digests

    vectors = {name: digest for suite in VERSIONED for name, digest in digests(cases.read_suite(suite)).items()}
    changed = any(kind != "new" for kind, _ in Version(0, vectors).changes_since(older))
    return Version(older.number + changed, vectors)


def read_version(path: Path) -> Version:
    """A version from its file. Raises CaseError for another file."""
    head, _, body = read_named_text(path).partition("\n")
    first, *lines = body.splitlines() or [""]
    number = re.fullmatch(r"version (\d{1,9})", first)
    vectors = dict(line.split(" ", 1) for line in lines if re.fullmatch(r"\S+ [0-9a-f]{12}", line))
    if f"{head}\n" != HEAD or number is None or len(vectors) != len(lines):
        raise cases.CaseError(f"{path}: is no file of hashes of vectors: give cases/vectors.txt of another version")
    return Version(int(number[1]), vectors)


def _json(case: Case) -> str:
    fields = {"id": case.id, "problem": case.descriptor, "why": case.why, "probes": case.probes, "source": case.source}
    return json.dumps(fields)
