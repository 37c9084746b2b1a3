"""What the report is handed about coverage: the combinations of parameters that have an answer, and why others not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ANSWERED = "answered"
REASONS: Mapping[str, str] = {
    "refused": "cases have it; none got an answer, and the framework refused at least one",
    "unsupported": "cases have it, and the framework has no call for any of them",
    "failed": "cases have it, and all of them ended without an answer",
    "left out": "no case has it, because equal channel counts would hide a swap of channels",
    "missing": "no case has it, but a case could",
    "invalid": "no valid problem has it",
}
"""Why a combination has no answer; the first that holds. Nothing valid has an invalid one."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many combinations of a strength were answered and were not, for one rank; `worst` names what is absent.

    `worst` maps a reason to the pairs or triples of parameters, axes left out, with the most combinations of it;
    `named` to each combination with its values, where they are few.
    """

    rank: int
    strength: int
    counts: Mapping[str, int]
    worst: Mapping[str, Sequence[tuple[str, int]]]
    named: Mapping[str, Sequence[str]]
