"""The report: record files in, a static site out. It sees records and plain values only, so no framework is needed."""

from pathlib import Path

from conformance.io.atomic import replace_folder, require_our_file, require_our_folder
from conformance.io.bounded import read_named_bytes
from conformance.io.terminal import progress
from conformance.report.feeds import SUMMARY
from conformance.report.integrity import Finding, Integrity
from conformance.report.outcome import Outcome, Reason
from conformance.report.site import FRONT, Site, front, pages

__all__ = [
    "FOLDER", "Finding", "Integrity", "Outcome", "Reason", "Site", "front_page", "require_ours", "write_report",
]  # fmt: skip

MARKS = ('<meta name="generator" content="conformance">', "&middot; conformance</title>")
"""What our pages have in their heads; the second one is of earlier versions."""

FOLDER = "site"
"""The folder, beside the front page, of all other pages."""


def front_page(to: Path) -> Path:
    """Where the front page goes: the file that is named, if it ends in .html, else `index.html` in a folder."""
    return to if to.suffix in (".html", ".htm") and not to.is_dir() else to / FRONT


def require_ours(page: Path) -> None:
    """Raise OverwriteError where the front page, or the folder beside it, would replace what is no report of ours."""
    require_our_file(page, *MARKS)
    require_our_folder(page.parent / FOLDER, _is_ours)


def _is_ours(folder: Path) -> bool:
    """Whether an earlier version wrote a folder, which kept no list of its files."""
    summary = folder / "summary.json"
    return summary.is_file() and SUMMARY.encode() in read_named_bytes(summary)[:200]


def write_report(site: Site, page: Path) -> Outcome:
    """Write the front page and the folder beside it, and return whether the runs are green or red, and why.

    The same runs give the same bytes, in whatever order. Everything is rendered before anything is replaced, and what
    is not ours is never replaced: it raises OverwriteError.
    """
    first = front(site, FOLDER).encode()
    require_ours(page)
    replace_folder(
        page.parent / FOLDER,
        ((name, text.encode()) for name, text in progress(pages(site), "pages", "pages")),
        {page: first},
    )
    return site.outcome
