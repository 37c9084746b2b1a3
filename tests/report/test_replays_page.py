"""The page of replays: from the file that they write, or without one."""

from html import unescape
from pathlib import Path

import pytest

from conformance.report.content.replays import ReplayRow, Replays, ReplaysError, Side, dump, read
from conformance.report.site import Site, pages

ROWS = (
    ReplayRow("kept", "It is <wrong>.", "https://example.org/1", "torch-eager", "conformance call torch 'i3 k2'",
              (Side("torch==1", "diverges", "diverges", ""), Side("torch==2", "conforms", "conforms", ""))),
    ReplayRow("late", "It hangs.", "https://example.org/2", "torch-eager", "conformance call torch 'i4 k2'",
              (Side("torch==2", "crashed", "conforms", "it conforms, expected crashed"),), "torch==2, 2026-11-29"),
)  # fmt: skip


def page(replays: Replays | None) -> str:
    return dict(pages(Site([], replays=replays)))["replays.html"]


def test_the_page_says_what_is_proved_and_what_is_not() -> None:
    html = page(Replays(rows=ROWS))
    assert "1 of 2 are proved" in html
    assert "It is &lt;wrong&gt;." in html
    assert "no: it conforms, expected crashed" in html
    assert "unfixed as of torch==2, 2026-11-29" in html


def test_without_replays_the_page_says_how_to_make_them() -> None:
    assert "conformance replay --all --to reports/replay.json" in unescape(page(None))


def test_the_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "replay.json"
    path.write_bytes(dump(Replays(rows=ROWS)))
    assert dump(read(path)) == path.read_bytes()
    path.write_text('{"format": "conformance-replays/2", "rows": []}')
    with pytest.raises(ReplaysError, match="Invalid enum value"):
        read(path)
