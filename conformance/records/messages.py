"""What records say, made comparable: a message without its numbers, and what several have in common."""

import re
from collections.abc import Sequence
from itertools import chain, zip_longest

from conformance.records.record import Record, Verdict

LONGEST = 360
"""Characters of a message that are shown."""

ELLIPSIS = "\u2026"
"""What stands for a number that varies, and for what was cut."""

_NUMBER = r"[-+]?(?:0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[-+]?\d+)?|(?<![a-z])(?:nan|inf)\b)"
_NUMBERS = re.compile(rf"{_NUMBER}(?:(?:, ?|x){_NUMBER})*(?:,(?=\)))?", re.IGNORECASE)
"""A number, or a list of them as in a shape."""

_BEYOND = "beyond the rule: "


def line(text: str) -> str:
    """Text on one line of bounded length."""
    words = _on_one_line(text)
    return words if len(words) <= LONGEST else f"{words[:LONGEST]}{ELLIPSIS}"


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def skeleton(message: str) -> tuple[str, ...]:
    """What is left of a message without its numbers: equal for messages of one kind."""
    return tuple(_NUMBERS.split(_on_one_line(message)))


def without_numbers(message: str) -> str:
    """A message with an ellipsis for each number, or list of numbers."""
    return line(ELLIPSIS.join(skeleton(message)))


def label_of(records: Sequence[Record]) -> str:
    """What messages that differ in numbers alone have in common: a number that varies becomes an ellipsis."""
    messages = [_on_one_line(record.message) for record in records]
    if len({skeleton(message) for message in messages}) > 1:
        return line(messages[0])
    columns = zip(*map(_NUMBERS.findall, messages), strict=True)
    numbers = (values[0] if len(set(values)) == 1 else ELLIPSIS for values in columns)
    texts = _NUMBERS.split(messages[0])
    return line("".join(chain.from_iterable(zip_longest(texts, numbers, fillvalue=""))))


def with_kind(kind: str, message: str) -> str:
    """A message behind the kind of its deviation, which is said once: "shape is (1, 1, 6)" says its own."""
    return message if message.startswith(f"{kind} ") else f"{kind} {message}".strip()


def beyond(rule: str | None) -> str:
    """What the message of a record says of a problem that breaks a rule, and has an answer by the definition."""
    return f"{_BEYOND}{rule}" if rule else ""


def is_beyond_a_rule(record: Record) -> bool:
    """Whether a right answer was given to a problem that breaks a rule."""
    return record.verdict is Verdict.CONFORMS and record.message.startswith(_BEYOND)
