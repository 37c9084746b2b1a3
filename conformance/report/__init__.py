"""The report: record files in, a static site out. It sees records and plain values only, so no framework is needed."""

from pathlib import Path

from conformance.atomic import replace_folder, write_atomically
from conformance.report.integrity import Finding, Integrity
from conformance.report.site import Site, front, pages
from conformance.report.words import printable

__all__ = ["FOLDER", "Finding", "Integrity", "Site", "printable", "write_report"]

FOLDER = "site"
"""The folder, beside the front page, of all other pages."""


def write_report(site: Site, path: Path) -> Integrity:
    """Write the front page and the folder beside it, and return whether the records can be trusted.

    The same runs give the same bytes, in whatever order. Everything is rendered before anything is replaced.
    """
    first = front(site, FOLDER).encode()
    replace_folder(path.parent / FOLDER, ((name, text.encode()) for name, text in pages(site)))
    write_atomically(path, first)
    return site.integrity
