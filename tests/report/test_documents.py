"""The documents as pages of the site: all of them, with links that lead somewhere."""

import json
import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path

import pytest

from conformance.cli import VERBS
from conformance.cli.report import _commands
from conformance.io.folders import docs_folder
from conformance.report import Site
from conformance.report.content.documents import OWN_PAGES, Document, read
from conformance.report.site import pages


@pytest.fixture(scope="module")
def documents() -> tuple[Document, ...]:
    return read(docs_folder(), {"commands": _commands()})


@pytest.fixture(scope="module")
def site(documents: tuple[Document, ...]) -> Mapping[str, str]:
    return {name: text for name, text in pages(Site((), documents=documents)) if name.endswith(".html")}


def test_every_document_is_a_page_that_the_first_one_names(site: Mapping[str, str]) -> None:
    names = {path.stem for path in docs_folder().glob("*.md")} - OWN_PAGES.keys() | {"commands"}
    assert {name for name in site if name.startswith("docs-")} == {f"docs-{name}.html" for name in names}
    assert all(f'href="docs-{name}.html"' in site["docs.html"] for name in names)


def test_every_link_of_a_document_leads_to_a_place_of_the_site(site: Mapping[str, str]) -> None:
    followed = 0
    for name, text in site.items():
        if not name.startswith("docs"):
            continue
        for address in map(unescape, re.findall(r'<a href="([^"]*)"', text.partition("<main")[2])):
            page, _, anchor = address.partition("#")
            if address.startswith("https://") or page == "../index.html" or not page.endswith(".html"):
                continue
            assert (page or name) in site, (name, address)
            assert not anchor or f'id="{anchor}"' in site[page or name], (name, address)
            followed += 1
    assert followed > 50


def test_the_commands_page_has_the_help_of_every_verb(documents: tuple[Document, ...]) -> None:
    (commands,) = [document for document in documents if document.name == "commands"]
    assert all(re.search(rf"Usage: conformance {verb}\b", commands.html) for verb in VERBS)
    assert "Usage: conformance expect check [OPTIONS]" in commands.html


def test_an_empty_corner_of_a_table_is_no_heading(tmp_path: Path) -> None:
    (tmp_path / "table.md").write_text("# A\n\n| | b |\n|---|---:|\n| c | 1 |\n", encoding="utf-8")
    (document,) = read(tmp_path)
    assert "<td></td>" in document.html
    assert "<th></th>" not in document.html
    assert '<td class="right">1</td>' in document.html


def test_no_document_has_a_style_of_its_own(documents: tuple[Document, ...]) -> None:
    assert not any("style=" in document.html for document in documents)


def test_the_search_has_every_section_of_what_explains(
    site: Mapping[str, str], documents: tuple[Document, ...]
) -> None:
    text = dict(pages(Site((), documents=documents)))["data/documents.js"]
    listed = json.loads(text.removeprefix("conformance.documents(").removesuffix(");\n"))
    found = {address: (title, heading, words) for address, title, heading, words in listed}
    assert len(found) == len(listed) > 100
    assert {address.partition("#")[0] for address in found} == {
        "operator.html", "conventions.html", *(document.page for document in documents)
    }  # fmt: skip
    for address in found:
        page, _, anchor = address.partition("#")
        assert not anchor or f'id="{anchor}"' in site[page]
    title, heading, words = found["docs-numerics.html#three-oracles"]
    assert (title, heading) == ("Numerics", "Three oracles")
    assert "zero insertion followed by an ordinary convolution" in words
    assert not any("<" in each[0] or "&amp;" in each[2] for each in found.values())


def test_what_is_in_a_document_is_text_and_never_markup(tmp_path: Path) -> None:
    (tmp_path / "odd.md").write_text(
        "<!-- a note -->\n# A <b>title</b>\n\n<script>alert(1)</script>\n\n[a](javascript:alert(1)) [b](../x.py)\n\n"
        "```sh\nls <x>\n```\n", encoding="utf-8",
    )  # fmt: skip
    (document,) = read(tmp_path)
    assert "<script" not in document.html
    assert "a note" not in document.html
    assert "href" not in document.html
    assert '<div class="snippet"><pre tabindex="0"><code>ls' in document.html
    assert "&lt;x&gt;" in document.html


def test_there_are_no_documents_where_there_is_no_folder(tmp_path: Path) -> None:
    assert read(tmp_path / "none") == ()
