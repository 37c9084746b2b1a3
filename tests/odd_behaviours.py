"""The table of odd behaviours. Prints docs/odd-behaviours.md."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.odd_answers import ANSWERS, CHEATS
from tests.odd_exceptions import EXCEPTIONS, MEMORY, TEXTS
from tests.odd_processes import OPERANDS, RUNS, STATE, TRANSLATIONS
from tests.oddity import Odd

GROUPS: Mapping[str, Sequence[Odd]] = {
    "Exceptions": EXCEPTIONS,
    "Texts of exceptions": TEXTS,
    "Memory": MEMORY,
    "Answers": ANSWERS,
    "Cheats": CHEATS,
    "State of the process": STATE,
    "Translations": TRANSLATIONS,
    "Results": RUNS,
    "Operands": OPERANDS,
}

PAGE = Path(__file__).parent.parent / "docs" / "odd-behaviours.md"


def document() -> str:
    """The page of all behaviours, as Markdown."""
    lines = [
        "# Odd behaviours",
        "",
        "What an implementation can do beside giving an answer, and the one record that each ends in. Before and after",
        "each of them a case is run that conforms. `python -m tests.odd_behaviours` prints this page.",
        "",
        "An exception is a refusal only where it is raised while the call is made. What of the process's state is put",
        "back, and what is left alone, is said in `conformance/processes/state.py`.",
        "",
        "A SIGINT that a call sends to its own process cannot be told from Ctrl-C: it interrupts the run.",
    ]
    for title, group in GROUPS.items():
        lines += ["", f"## {title}", "", "| it | verdict | and the record says |", "|---|---|---|"]
        lines += [f"| {odd.what} | `{odd.verdict}` | {_cell(odd.says)} |" for odd in group]
    return "\n".join(lines) + "\n"


def _cell(says: str) -> str:
    text = says.strip().replace("|", "\\|")
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    sys.stdout.write(document())
