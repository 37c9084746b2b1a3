"""The report's words: what verdicts and kinds mean, and their symbols."""

import re
from collections.abc import Mapping

from conformance.records.record import Verdict

GLOSSARY: Mapping[Verdict, str] = {
    Verdict.CONFORMS: "Shape, dtype and every value equal the expected answer.",
    Verdict.DIVERGES: "An answer came, and it is not the expected one.",
    Verdict.REJECTS: "The framework refused the call with a clean, catchable error: no fault, and no pass.",
    Verdict.UNSUPPORTED: "The framework has no call that says this problem; the reason is given.",
    Verdict.ACCEPTS_INVALID: "An invalid problem, or a call that is claimed to be refused, got an answer.",
    Verdict.ERRORED: "An error that is no clean refusal, in the framework or in its adapter.",
    Verdict.CRASHED: "The process died, by the signal that is given.",
    Verdict.TIMED_OUT: "No answer came in time, and the process was ended.",
    Verdict.INCONCLUSIVE: "The answer cannot be judged, because the data is not exact in this dtype.",
}
KINDS: Mapping[str, str] = {
    "shape": "The answer has another shape.",
    "dtype": "The shape is right, the answer has another dtype.",
    "value": "Shape and dtype are right, some values are not, and all are finite.",
    "precision": "All is as it should be but for rounding: values err as those of another class of accumulation do.",
    "nonfinite": "Shape and dtype are right, some values are not, and some are NaN or infinite.",
}
SYMBOLS: Mapping[Verdict, str] = {
    Verdict.CONFORMS: "=", Verdict.DIVERGES: "\u2260", Verdict.REJECTS: "R", Verdict.UNSUPPORTED: "U",
    Verdict.ACCEPTS_INVALID: "A", Verdict.ERRORED: "E", Verdict.CRASHED: "\u2717", Verdict.TIMED_OUT: "T",
    Verdict.INCONCLUSIVE: "?",
}  # fmt: skip
"""What stands for a verdict where there is room for one sign, so that colour is never all that tells."""


def slug(text: str, longest: int = 48) -> str:
    """Text as a part of a file name: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:longest].strip("-")
