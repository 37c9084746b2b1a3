"""What is written about transposed convolution, and what has become of it: as a page and as a list of errata."""

from dataclasses import dataclass

from markupsafe import Markup

from conformance.report.content.handbook import plain
from conformance.report.drawings.figures import Figure, Strip, strips


@dataclass(frozen=True, slots=True)
class Checked:
    """A claim as it was last checked in one lane; `earned` is whether its verdict was."""

    lane: str
    version: str
    date: str
    earned: bool
    message: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A claim in words, with its verdict and what measured it."""

    id: str
    section: str
    claim: str
    domain: str
    condition: str
    correction: str
    verdict: str
    measured: tuple[str, ...]
    checked: tuple[Checked, ...]

    @property
    def wrong(self) -> bool:
        """Whether an author would want to know of it."""
        return self.verdict in ("refuted", "true-only-when")


@dataclass(frozen=True, slots=True)
class Document:
    """A document's claims, counted by verdict."""

    name: str
    counts: tuple[tuple[str, int], ...]
    entries: tuple[Entry, ...]

    @property
    def anchor(self) -> str:
        return "document-" + "".join(c if c.isalnum() else "-" for c in self.name)


@dataclass(frozen=True, slots=True)
class Witness:
    """One axis of a layer: extents, and the windows (lo, hi) that are cut and that were published."""

    input: int
    kernel: int
    stride: int
    full: int
    output: int
    cut: tuple[int, int]
    published: tuple[int, int]

    @property
    def drawing(self) -> Markup:
        """The full stamp as a row of cells, with both windows beneath it."""
        rows = (Strip("full stamp", 0, self.full, "cell"), Strip("SAME, as run", self.cut[0], self.output, "cell same"),
                Strip("as published", self.published[0], self.output, "cell published"))  # fmt: skip
        title = (f"Of {self.full} rows, TensorFlow cuts {self.cut[0]} at the beginning and {self.cut[1]} at the end, "
                 f"the published padding {self.published[0]} and {self.published[1]}.")  # fmt: skip
        return strips(rows, title)


@dataclass(frozen=True, slots=True)
class Literature:
    """All of it; `lanes` are those that claims were checked in, with version and day."""

    documents: tuple[Document, ...] = ()
    lanes: tuple[tuple[str, str, str], ...] = ()
    witness: Witness | None = None
    figures: tuple[Figure, ...] = ()


def errata(literature: Literature) -> str:
    """docs/errata.md: what the documents have wrong, or without its condition."""
    return plain("errata.md.j2", page=literature)
