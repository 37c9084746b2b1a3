"""The HTML report: record files in, one self-contained page out. It sees records only, so no framework is needed."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from conformance.atomic import write_atomically
from conformance.record import Run
from conformance.report.integrity import Finding, Integrity
from conformance.report.page import Known, Page, build_page, not_known

__all__ = ["Finding", "Integrity", "printable", "write_report"]


def write_report(
    runs: Sequence[Run], path: Path, *, expected_lanes: Sequence[str] = (), known: Known = not_known
) -> Integrity:
    """Write the page about some runs, and return whether they can be trusted; the same runs give the same bytes.

    `expected_lanes` are names like "torch-eager"; one that left no record is a finding. `known` says of a record
    why it was expected, or "".
    """
    page = build_page(runs, expected_lanes, known)
    write_atomically(path, _render(page).encode())
    return page.integrity


def _render(page: Page) -> str:
    environment = Environment(
        loader=PackageLoader("conformance.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = "{:,}".format
    return environment.get_template("index.html.j2").render(page=page)


def printable(value: object) -> object:
    """Text without what a browser would drop or obey, such as NUL, lone surrogates and marks that reorder a line."""
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
