"""What has been proved of each claim: how many points held in which lane and version, kept in `cases/proved.json`.

It is made from record files of the suite `idioms`, so that a call can be explained, with its evidence, anywhere.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
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
    """Points of one claim in one lane: those answered and refused as claimed, known faults, and all others."""

    answered: int = 0
    refused: int = 0
    known: int = 0
    failed: int = 0

    @property
    def points(self) -> int:
        return self.answered + self.refused + self.known + self.failed

    def __str__(self) -> str:
        words = {
            "answered": "answered as claimed",
            "refused": "refused as claimed",
            "known": "known faults",
            "failed": "FAIL",
        }
        counts = asdict(self)
        return ", ".join(f"{counts[name]:,} {word}" for name, word in words.items() if counts[name])


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


def collect(runs: Sequence[Run], known: Callable[[Record], Any]) -> Proofs:
    """The evidence that runs of the suite give; `known` says whether a record was expected not to hold."""
    lanes: dict[str, LaneProofs] = {}
    for run in sorted(runs, key=lambda run: (run.header.lane, run.header.suite)):
        header = run.header
        if header.suite in (IDIOMS, PORTS):
            others = lanes[header.lane].claims if header.lane in lanes else {}
            version = header.version
            lanes[header.lane] = LaneProofs(version, header.started[:10], {**others, **_claims(run.records, known)})
    return Proofs(lanes)


def _claims(records: Sequence[Record], known: Callable[[Record], Any]) -> dict[str, Proof]:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for record in records:
        counts[record.idiom][_kind(record, known)] += 1
    return {claim: Proof(**counts[claim]) for claim in sorted(counts)}


def _kind(record: Record, known: Callable[[Record], Any]) -> str:
    if not record.fails:
        return "refused" if record.claimed == "rejects" else "answered"
    return "known" if known(record) else "failed"


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
