"""The documents under docs/ as pages: Markdown in, HTML out, with links between them that hold in the site."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from conformance.io.bounded import read_named_text

if TYPE_CHECKING:
    from markdown_it.token import Token

READERS = {
    "To use it": ("running", "porting", "commands"),
    "To test your own": ("testing-your-own", "adding-an-adapter", "vectors", "protocol"),
    "To trust it": ("numerics", "audit", "specials", "modes", "odd-behaviours", "findings"),
}
"""The documents by what they are for; any other one stands under the last heading."""
OWN_PAGES = {"conventions": "conventions.html", "errata": "literature.html"}
"""Documents that the site has as pages made from the same facts."""
HEADING = re.compile(r'<h[1-4](?: id="(?P<anchor>[^"]+)")?[^>]*>(?P<words>.*?)</h[1-4]>', re.DOTALL)
UNREAD = re.compile(r"<(script|style|svg|form)\b.*?</\1>|<[^>]*>", re.DOTALL)
"""Parts of a page that are no text."""
ALIGNED = re.compile(r' style="text-align:(right|center|left)"')
LINK = re.compile(r"(?:docs/)?(?P<name>[\w-]+)\.md(?P<anchor>#.*)?|(?P<here>#.*)")
CODE = re.compile(r'<pre><code class="language-(?:sh|python|toml|yaml)">(.*?)</code></pre>', re.DOTALL)
"""Code to be taken away; any other block is what a command prints."""
COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its name, its title, its sections as (anchor, heading), and its text."""

    name: str
    title: str
    sections: tuple[tuple[str, str], ...]
    html: Markup

    @property
    def page(self) -> str:
        """The name of its page."""
        return f"docs-{self.name}.html"


def read(folder: Path, more: Mapping[str, str] | None = None) -> tuple[Document, ...]:
    """The documents of a folder, and `more` texts by name. None, where there is no such folder."""
    texts = {path.stem: read_named_text(path) for path in sorted(folder.glob("*.md")) if path.stem not in OWN_PAGES}
    texts |= more or {}
    return tuple(_document(name, text, texts.keys()) for name, text in texts.items())


def by_reader(documents: Sequence[Document]) -> Iterator[tuple[str, list[Document]]]:
    """The documents under headings, by what they are for."""
    by_name = {document.name: document for document in documents}
    for heading, names in READERS.items():
        if chosen := [by_name.pop(name) for name in names if name in by_name]:
            yield heading, chosen
    if by_name:
        yield "More", list(by_name.values())


def sections(page: str, html: str) -> Iterator[tuple[str, str, str, str]]:
    """What a search finds on a page: the address, the page's title, the heading and the text of each section."""
    main = html.partition("<main")[2].partition("</main>")[0]
    headings = list(HEADING.finditer(main))
    ends = [heading.start() for heading in headings[1:]] + [len(main)]
    for heading, end in zip(headings, ends, strict=True):
        anchor = f"#{heading['anchor']}" if heading["anchor"] else ""
        yield page + anchor, _text(headings[0]["words"]), _text(heading["words"]), _text(main[heading.end() : end])


def _text(html: str) -> str:
    return " ".join(unescape(UNREAD.sub(" ", html)).split())


def _document(name: str, text: str, names: Iterable[str]) -> Document:
    from markdown_it import MarkdownIt  # which a run, that reads no document, need not wait for

    markdown = MarkdownIt("commonmark", {"html": False, "highlight": _highlighted}).enable("table")
    tokens = markdown.parse(COMMENT.sub("", text))
    headings = list(_headings(tokens))
    for opened, anchor, _ in headings:
        opened.attrSet("id", anchor)
    for link in _links(tokens):
        _place(link, set(names))
    html = markdown.renderer.render(tokens, markdown.options, {})
    title = next((words for opened, _, words in headings if opened.tag == "h1"), name)
    sections = tuple((anchor, words) for opened, anchor, words in headings if opened.tag == "h2")
    return Document(name, title, sections, Markup(_scrolled(html, title)))


def _headings(tokens: Sequence["Token"]) -> Iterator[tuple["Token", str, str]]:
    """Each heading with an anchor, which is the one that code hosts give it, and its words."""
    seen: dict[str, int] = {}
    for opened, inline in pairwise(tokens):
        if opened.type == "heading_open":
            words = "".join(child.content for child in inline.children or ())
            anchor = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            seen[anchor] = seen.get(anchor, -1) + 1
            yield opened, f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor, words


def _links(tokens: Sequence["Token"]) -> Iterator["Token"]:
    for token in tokens:
        yield from (child for child in token.children or () if child.type == "link_open")


def _place(link: "Token", names: set[str]) -> None:
    """Let a link lead to a page of the site; one to a file that the site does not have leads nowhere."""
    address = str(link.attrGet("href") or "")
    found = LINK.fullmatch(address)
    if found and found["name"] in OWN_PAGES:
        link.attrSet("href", OWN_PAGES[found["name"]] + (found["anchor"] or ""))
    elif found and found["name"] in names:
        link.attrSet("href", f"docs-{found['name']}.html{found['anchor'] or ''}")
    elif not (found and found["here"]) and not address.startswith("https://"):
        link.attrs.pop("href", None)


def _highlighted(code: str, language: str, _attributes: str) -> str:
    """Code with its words in classes, where its language is known."""
    try:
        lexer = get_lexer_by_name(language or "text")
    except ClassNotFound:
        return str(escape(code))
    return str(highlight(code, lexer, HtmlFormatter(nowrap=True)))


def _scrolled(html: str, title: str) -> str:
    """HTML whose tables and blocks of code can be scrolled, by keys too, and whose code can be copied."""
    html = CODE.sub(r'<div class="snippet"><pre tabindex="0"><code>\1</code></pre></div>', html)
    html = html.replace("<pre><code", '<pre tabindex="0"><code')
    html = html.replace("<th></th>", "<td></td>")  # a corner is no heading of anything
    html = ALIGNED.sub(r' class="\1"', html)  # since a page obeys no style that stands in it
    parts = html.replace("</table>", "</table></div>").split("<table>")
    regions = [
        f'<div class="scroll few" role="region" aria-label="{escape(f"table {number} of {title}")}" tabindex="0">'
        for number in range(1, len(parts))
    ]
    return parts[0] + "".join(
        f'{region}<table class="text">{part}' for region, part in zip(regions, parts[1:], strict=True)
    )
