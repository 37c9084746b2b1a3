"""The report's words: what verdicts and kinds mean, their symbols, and messages that say the same but for numbers."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest

from conformance.records.record import Record, Verdict

LONGEST = 360
"""Characters of a message or call in a list; a case's own page has the rest."""

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
    "nonfinite": "Shape and dtype are right, some values are not, and some are NaN or infinite.",
}
SYMBOLS: Mapping[Verdict, str] = {
    Verdict.CONFORMS: "=", Verdict.DIVERGES: "\u2260", Verdict.REJECTS: "R", Verdict.UNSUPPORTED: "U",
    Verdict.ACCEPTS_INVALID: "A", Verdict.ERRORED: "E", Verdict.CRASHED: "\u2717", Verdict.TIMED_OUT: "T",
    Verdict.INCONCLUSIVE: "?",
}  # fmt: skip
"""What stands for a verdict where there is room for one sign, so that colour is never all that tells."""

_NUMBER = r"[-+]?(?:0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[-+]?\d+)?|(?<![a-z])(?:nan|inf)\b)"
_NUMBERS = re.compile(rf"{_NUMBER}(?:(?:, ?|x){_NUMBER})*(?:,(?=\)))?", re.IGNORECASE)
"""A number, or a list of them as in a shape."""


def skeleton(message: str) -> tuple[str, ...]:
    """What is left of a message without its numbers."""
    return tuple(_NUMBERS.split(line(message)))


def label_of(records: Sequence[Record]) -> str:
    """What messages that differ in numbers alone have in common: a number that varies becomes an ellipsis."""
    messages = [line(record.message) for record in records]
    if len({skeleton(message) for message in messages}) > 1:
        return messages[0]
    columns = zip(*map(_NUMBERS.findall, messages), strict=True)
    numbers = (values[0] if len(set(values)) == 1 else "\u2026" for values in columns)
    texts = _NUMBERS.split(messages[0])
    return "".join(chain.from_iterable(zip_longest(texts, numbers, fillvalue="")))


def line(text: str) -> str:
    """Text on one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}\u2026"


def plural(count: int, noun: str) -> str:
    """A count with its noun, as in "1 lane" and "2 lanes"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def slug(text: str, longest: int = 48) -> str:
    """Text as a part of a file name: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:longest].strip("-")
