"""The page of the audit: from the file that the audit writes, or without one."""

import json
import re
from html import unescape
from pathlib import Path

import pytest

from conformance.report import Site
from conformance.report.content.audit import Audit, AuditError, Killer, MutantRow, StruckRow, dump, read
from conformance.report.site import pages

EVERYWHERE = {"smoke": True, "core": True, "rounding": False}
AUDIT = Audit(
    places=["smoke", "core", "rounding"],
    cases={"smoke": 60, "core": 5958},
    mutants=[
        MutantRow("window: <late>", "window", "", EVERYWHERE, [Killer("case-1", "i2 k2")], {"smoke": 3, "core": 70}),
        MutantRow("blocks: lost", "blocks", "", {**EVERYWHERE, "smoke": False}, [], {"smoke": 0, "core": 0}),
        MutantRow("numerics: flushed", "numerics", "None ever occurs.", {"smoke": False, "core": False}, []),
    ],
    struck=[StruckRow("hangs", "timed-out", "after 3 s", "")],
)  # fmt: skip


def page(audit: Audit | None) -> str:
    return unescape(dict(pages(Site([], audit=audit)))["audit.html"])


def test_the_page_says_what_each_family_is_seen_by_and_names_the_unseen() -> None:
    html = page(AUDIT)
    assert re.search(
        r'blocks</th><td class="number">1</td>\s*<td class="number zero">0 %</td>\s*<td class="number">100 %'
        r'</td>\s*<td class="number zero">0 %</td>\s*<td class="number zero">0 %',
        html,
    )
    assert "smoke: 1 of 2" in html
    assert "<li>blocks: lost</li>" in html
    assert "core: every mutant is seen." in html
    assert "None ever occurs." in html
    assert "after 3 s" in html


def test_the_page_has_each_mutant_with_the_cases_that_kill_it_first_and_how_many_do() -> None:
    html = page(AUDIT)
    assert '<a href="case.html#case-1">case-1</a><br><code>i2 k2</code>' in html
    assert '<td class="number">70</td>' in html


def test_the_text_of_a_mutant_is_escaped() -> None:
    assert "&lt;late&gt;" in dict(pages(Site([], audit=AUDIT)))["audit.html"]


def test_without_an_audit_the_site_is_built_and_says_how_to_make_one() -> None:
    assert "conformance audit --to reports/audit.json" in page(None)


def test_what_is_written_is_read_again_the_same(tmp_path: Path) -> None:
    (tmp_path / "audit.json").write_bytes(dump(AUDIT))
    again = read(tmp_path / "audit.json")
    assert dump(again) == dump(AUDIT)
    assert page(again) == page(AUDIT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda document: document.pop("mutants"), "missing required field `mutants`"),
        (lambda document: document.update(format="conformance-audit/2"), "Invalid enum value"),
        (lambda document: document.update(more=1), "unknown field `more`"),
        (lambda document: document["mutants"][0]["seen"].pop("rounding"), "was not tried on rounding"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_audit_is_refused_with_what_to_do(tmp_path: Path, change: object, message: str) -> None:
    document = json.loads(dump(AUDIT))
    assert callable(change)
    change(document)
    path = tmp_path / "audit.json"
    path.write_text(json.dumps(document))
    with pytest.raises(AuditError, match=message) as error:
        read(path)
    assert str(error.value).endswith(f"write it again with `conformance audit --to {path}`")


@pytest.mark.parametrize("content", [b"", b"[", b"\xff\xfe", b"{} trailing"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "audit.json"
    path.write_bytes(content)
    with pytest.raises(AuditError, match="no audit"):
        read(path)
