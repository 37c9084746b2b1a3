"""What has been proved of each claim: how many points held in which lane and version, kept in `cases/proved.json`.

It is made from record files of the suite `idioms`, so that a call can be explained, with its evidence, anywhere.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from conformance.io.atomic import write_atomically
from conformance.io.bounded import read_json, read_text
from conformance.io.folders import cases_folder
from conformance.records.record import IDIOMS, PORTS, Record, Run


class EvidenceError(ValueError):
    """A file of evidence that cannot be read; the message says how it is written."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Points of one claim in one lane: those answered and refused as claimed, those of each known fault by its id, and
    all others."""

    answered: int = 0
    refused: int = 0
    known: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0

    @property
    def points(self) -> int:
        return self.answered + self.refused + sum(self.known.values()) + self.failed

    def __str__(self) -> str:
        words = [(self.answered, "answered as claimed"), (self.refused, "refused as claimed")]
        words += [(count, f"of the known fault {fault}") for fault, count in self.known.items()]
        return ", ".join(f"{count:,} {word}" for count, word in [*words, (self.failed, "FAIL")] if count)


@dataclass(frozen=True, slots=True)
class LaneProofs:
    """A lane's proofs by claim, with its version and the day of the run."""

    version: str
    date: str
    claims: Mapping[str, Proof]


@dataclass(frozen=True, slots=True)
class Proofs:
    """Every lane's proofs."""

    lanes: Mapping[str, LaneProofs]

    def of(self, claim: str) -> Iterator[str]:
        """What is proved of a claim, such as "torch-layer/padding", a line a lane."""
        for name, lane in self.lanes.items():
            if claim in lane.claims:
                yield f"{claim} on {name} {lane.version}, {lane.date}: {lane.claims[claim]}"


def path() -> Path:
    """Where the evidence is kept."""
    return cases_folder() / "proved.json"


def read() -> Proofs:
    """The evidence on file; none where there is no file. Raises EvidenceError for one that this has not written."""
    if not path().exists():
        return Proofs({})
    try:
        lanes = read_json(read_text(path()))
        return Proofs({name: LaneProofs(lane["version"], lane["date"], _proofs(lane)) for name, lane in lanes.items()})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise EvidenceError(
            f"{path()}: is not as `conformance generate conventions --records` writes it: {error}"
        ) from None


def _proofs(lane: Mapping[str, Any]) -> dict[str, Proof]:
    return {claim: Proof(**counts) for claim, counts in lane["claims"].items()}


def collect(runs: Sequence[Run], known: Callable[[Record], str]) -> Proofs:
    """The evidence that runs of the suite give; `known` is the id of the fault that a record shows, or empty."""
    lanes: dict[str, LaneProofs] = {}
    for run in sorted(runs, key=lambda run: (run.header.lane, run.header.suite)):
        header = run.header
        if header.suite in (IDIOMS, PORTS):
            others = lanes[header.lane].claims if header.lane in lanes else {}
            version = header.version
            lanes[header.lane] = LaneProofs(version, header.started[:10], {**others, **_claims(run.records, known)})
    return Proofs(lanes)


def _claims(records: Sequence[Record], known: Callable[[Record], str]) -> dict[str, Proof]:
    alike: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        alike[record.idiom].append(record)
    return {claim: _proof(alike[claim], known) for claim in sorted(alike)}


def _proof(records: Sequence[Record], known: Callable[[Record], str]) -> Proof:
    held = Counter(record.claimed == "rejects" for record in records if not record.fails)
    faults = Counter(known(record) for record in records if record.fails)
    failed = faults.pop("", 0)
    return Proof(held[False], held[True], dict(sorted(faults.items())), failed)


def merged(evidence: Proofs) -> Proofs:
    """Evidence beside that of other lanes on file."""
    return Proofs({**read().lanes, **evidence.lanes})


def write(evidence: Proofs) -> None:
    """Put evidence on file, in place of what is there."""
    content = {name: {**asdict(lane), "claims": {claim: _counts(proof) for claim, proof in lane.claims.items()}}
               for name, lane in sorted(evidence.lanes.items())}  # fmt: skip
    write_atomically(path(), json.dumps(content, indent=1).encode() + b"\n")


def _counts(proof: Proof) -> dict[str, int]:
    return {name: count for name, count in asdict(proof).items() if count}
