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
        "An implementation can do other things than give a right answer. The tables have these behaviours, and the",
        "record of each. A case that conforms is run before and after each of them.",
        "`python -m tests.odd_behaviours` prints this page.",
        "",
        "An exception is a refusal only if it is raised while the call is made. `conformance/processes/state.py` says",
        "which state of the process is restored after a call, and which is not.",
        "",
        "If a call sends SIGINT to its own process, the run is interrupted, as by Ctrl-C.",
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
