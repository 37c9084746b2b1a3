"""The JSON Schemas that are published: what the types of a file's or a protocol's lines allow."""

import inspect
import json
from collections.abc import Sequence

import msgspec

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema_text(lines: Sequence[type], title: str, description: str) -> str:
    """The JSON Schema of a line that is one of the types ``lines``.

    Args:
        lines: msgspec types. Their docstrings become descriptions.
        title: what the line belongs to, with its version.
        description: which line is of which type.

    """
    any_of, definitions = msgspec.json.schema_components(list(lines), ref_template="#/$defs/{name}")
    for definition in definitions.values():
        if "description" in definition:  # msgspec takes a docstring's indentation away since 0.23 only
            definition["description"] = inspect.cleandoc(definition["description"])
    published = {
        "$schema": DRAFT, "title": title, "description": description,
        "anyOf": list(any_of), "$defs": definitions,
    }  # fmt: skip
    return json.dumps(published, indent=2) + "\n"
