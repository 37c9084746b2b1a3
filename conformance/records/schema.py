"""What a value that was read from JSON can be."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

Types = Mapping[str, Callable[[Any], bool]]


def is_text(value: Any) -> bool:
    """Text."""
    return isinstance(value, str)


def is_label(value: Any) -> bool:
    """Text on one line, of which a terminal shows every character."""
    return is_text(value) and value != "" and value.isprintable()


def is_name(value: Any) -> bool:
    """Text that can be part of a file's name, and never of another folder's."""
    return is_text(value) and re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,99})", value) is not None


def is_instant(value: Any) -> bool:
    """A time in UTC to the second, such as 2026-11-01T02:17:00+00:00; or nothing, where none was recorded."""
    if value == "":
        return True
    if not is_text(value) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", value, re.ASCII):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_count(value: Any) -> bool:
    """A whole number from 0 on."""
    return type(value) is int and value >= 0


def is_number(value: Any) -> bool:
    """A number."""
    return type(value) in (int, float)


def is_number_by_name(value: Any) -> bool:
    """Numbers by name."""
    return isinstance(value, dict) and all(map(is_number, value.values()))


def is_texts(value: Any) -> bool:
    """A list of texts."""
    return isinstance(value, list) and all(map(is_text, value))


def is_shard(value: Any) -> bool:
    """[I, N] with 1 <= I <= N."""
    return isinstance(value, list) and len(value) == 2 and all(map(is_count, value)) and 1 <= value[0] <= value[1]


def is_text_by_name(value: Any) -> bool:
    """Texts by name."""
    return isinstance(value, dict) and all(map(is_text, value.values()))


def is_whole_by_name(value: Any) -> bool:
    """Whole numbers by name."""
    return isinstance(value, dict) and all(type(each) is int for each in value.values())


def is_count_by_name(value: Any) -> bool:
    """Whole numbers from 0 on, by name."""
    return isinstance(value, dict) and all(map(is_count, value.values()))


def is_table(value: Any) -> bool:
    """Anything by name."""
    return isinstance(value, dict)


def is_flag(value: Any) -> bool:
    """True or false."""
    return isinstance(value, bool)
