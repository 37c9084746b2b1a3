"""The site: everything that the report knows, as pages. Records and plain values in, names and texts out."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources import files

from conformance.records.record import Key, Record, Run, Verdict
from conformance.report import feeds, overview
from conformance.report.content.audit import Audit
from conformance.report.content.coverage import ANSWERED, REASONS, Coverage
from conformance.report.content.documents import Document, by_reader, sections
from conformance.report.content.faults import ChangeLine, Domain, Fault, Known
from conformance.report.content.handbook import Handbook
from conformance.report.content.history import SHOWN, Kept, day
from conformance.report.content.literature import Literature
from conformance.report.content.modes import Modes
from conformance.report.content.replays import Replays
from conformance.report.integrity import Integrity, absent, measure_integrity
from conformance.report.outcome import Outcome, Reason, outcome_of
from conformance.report.rendering import fragment, render
from conformance.report.search_data import Placed, data_files, documents_file
from conformance.report.tables import agreement, counts, matrix
from conformance.report.tables.machines import hosts, machines
from conformance.report.tables.rounding import rounded
from conformance.report.words import GLOSSARY, KINDS, SYMBOLS, slug

FRONT = "index.html"
"""The only page that stands above the others' folder."""
SLOWEST = 10
MOST_ELEMENTS = 200
"""Elements of an array that a text to file upstream writes out."""
WORST = (
    Verdict.DIVERGES, Verdict.ACCEPTS_INVALID, Verdict.CRASHED, Verdict.TIMED_OUT, Verdict.ERRORED,
    Verdict.INCONCLUSIVE, Verdict.REJECTS, Verdict.UNSUPPORTED, Verdict.CONFORMS,
)  # fmt: skip
"""Verdicts in the order in which faults are told."""
Pages = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Site:
    """What a report is made of; `known` says which expectation knew of a record, `changes` what is not as it was.

    Where there was nothing to compare with, `changes` is None, and what is new is new against expectations.
    """

    runs: Sequence[Run]
    expected_lanes: Sequence[str] = ()
    environments: Collection[str] = ()
    """The frameworks that tox has an environment of."""
    known: Callable[[Record], Known | None] = lambda _record: None
    expectations: Sequence[Known] = ()
    found: Sequence[Fault] = ()
    domains: Sequence[Domain] = ()
    handbook: Handbook = field(default_factory=Handbook)
    proofs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What was proved of each idiom, a line a claim and lane."""
    literature: Literature = field(default_factory=Literature)
    changes: Sequence[ChangeLine] | None = None
    more: Mapping[str, str] = field(default_factory=dict)
    """Pages that were made elsewhere, by name."""
    kept: Kept = field(default_factory=Kept)
    coverage: Mapping[str, Sequence[Coverage]] = field(default_factory=dict)
    reasons: Sequence[Reason] = ()
    """Why the runs are red, other than by what their records and faults say."""
    audit: Audit | None = None
    """What the cases see of wrong implementations, where that was tried."""
    replays: Replays | None = None
    """Published faults, where they were replayed."""
    modes: Modes | None = None
    """What modes of execution did beside eager execution, where that was tried."""
    documents: Sequence[Document] = ()
    is_for: Callable[[str, str], bool] = lambda _framework, _suite: True
    """Whether a framework is asked a suite."""
    night: Sequence[str] = ()
    """Every lane that a night runs; those that are neither here nor expected are named as not run."""

    @cached_property
    def integrity(self) -> Integrity:
        """Whether the records can be trusted as they stand."""
        return measure_integrity(overview.ordered(self.runs), self.expected_lanes, self.environments, self.is_for)

    @property
    def not_run(self) -> str:
        """The lanes of a night that are neither here nor expected; those that are here in part, with what is absent."""
        recorded = {run.header.lane for run in self.runs}
        others = [lane for lane in {*self.night, *recorded} if lane not in self.expected_lanes]
        return ", ".join(
            f"{lane} ({', '.join(missing)})" if lane in recorded else lane
            for lane, missing, _ in absent(self.runs, sorted(others), self.is_for)
        )

    @cached_property
    def faults(self) -> Mapping[str, Fault]:
        """Every fault under its page's name, which stays the same as long as the fault does.

        The new ones come first, then wrong answers, then crashes and errors, then refusals; the largest of each first.
        """
        ranked = sorted(
            self.found,
            key=lambda fault: (not fault.new, WORST.index(fault.verdict), -len(fault.records), fault.framework),
        )
        return {fault.name: fault for fault in ranked}

    @cached_property
    def outcome(self) -> Outcome:
        """Whether the runs are green or red, and why."""
        return outcome_of(self.runs, self.integrity, self.faults.items(), map(self._placed, self.reasons))

    @cached_property
    def places(self) -> Mapping[tuple[str, Key], str]:
        """The page of the fault that a record is of."""
        return {
            (record.lane, record.key): f"{name}.html" for name, fault in self.faults.items() for record in fault.records
        }

    def _placed(self, reason: Reason) -> Reason:
        """A reason with the page that tells most about it."""
        if reason.page or reason.record is None:
            return reason
        place = self.places.get((reason.record.lane, reason.record.key))
        return replace(reason, page=place or f"case.html#{fragment(reason.record.case)}")

    def reason(self, record: Record) -> str:
        """Why a record was expected, in words; empty where it was not."""
        known = self.known(record)
        return str(known) if known else ""


def front(site: Site, folder: str) -> str:
    """The front page, which stands beside the folder of all others."""
    runs = overview.ordered(site.runs)
    lanes = list(overview.lane_groups(runs, site.reason))
    return render(
        "index.html.j2", folder=f"{folder}/", home=FRONT, site=site, summary=overview.summary(runs, lanes),
        answer=matrix.answer(runs), matrix=matrix.matrix(runs), glossary=GLOSSARY, symbols=SYMBOLS,
        started=_started(runs), day=day, machines=hosts(runs),
    )  # fmt: skip


def pages(site: Site) -> Pages:
    """All pages but the front page, and the files they need, by their names inside the folder."""
    runs = overview.ordered(site.runs)
    groups = {lane.lane: lane for lane in overview.lane_groups(runs, site.reason)}
    common = {"folder": "", "home": f"../{FRONT}", "site": site, "symbols": SYMBOLS, "glossary": GLOSSARY}
    yield "divergences.html", render("divergences.html.j2", **common)
    for name, fault in site.faults.items():
        yield (
            f"{name}.html",
            render("fault.html.j2", name=name, fault=fault, kinds=KINDS, shown=SHOWN, day=day, **common),
        )
        yield f"upstream/{name}.md", _upstream(fault, runs)
    names, pairs = agreement.agreement(runs)
    yield "agreement.html", render("agreement.html.j2", lanes=names, pairs=pairs, kin=agreement.kin(runs), **common)
    for name in ("maps", "search", "case"):
        yield f"{name}.html", render(f"{name}.html.j2", lanes=list(groups), **common)
    explained = {
        "operator.html": render("operator.html.j2", **common),
        "conventions.html": render("conventions.html.j2", book=site.handbook, **common),
        **{document.page: render("document.html.j2", document=document, **common) for document in site.documents},
    }
    yield from explained.items()
    yield "data/documents.js", documents_file(part for page in explained.items() for part in sections(*page))
    yield "docs.html", render("docs.html.j2", readers=list(by_reader(site.documents)), **common)
    yield from site.more.items()
    yield "literature.html", render("literature.html.j2", **common)
    yield "coverage.html", render("coverage.html.j2", answered=ANSWERED, reasons=REASONS, **common)
    yield "audit.html", render("audit.html.j2", **common)
    yield "replays.html", render("replays.html.j2", **common)
    yield "modes.html", render("modes.html.j2", **common)
    rows = [counts.run_row(run) for run in runs]
    yield "frameworks.html", render(
        "frameworks.html.j2", rows=rows, by_pass=counts.by_pass(runs), verdicts=counts.verdicts(runs),
        assistance=counts.assistance(runs), **common,
    )  # fmt: skip
    for name in frameworks(site):
        own = [run for run in runs if run.header.framework == name]
        yield f"framework-{slug(name)}.html", render(
            "framework.html.j2", name=name, rows=[row for row in rows if row.framework == name], slowest=_slowest(own),
            groups=[lane for lane in groups.values() if lane.framework == name], rounded=list(rounded(own)),
            machines=machines(own), matrix=matrix.matrix(own), **common,
        )  # fmt: skip
    yield from _files(site, runs, overview.summary(runs, list(groups.values())))


def _upstream(fault: Fault, runs: Sequence[Run]) -> str:
    """A fault as a text to file with the framework's own project."""
    witness = fault.witness
    header = next(run.header for run in runs if run.header.lane == witness.lane)
    own = [answer for answer in fault.answers if answer.record.lane == witness.lane]
    scripts = [snippet.code for snippet in fault.snippets if snippet.framework == fault.framework and snippet.code]
    return render(
        "upstream.md.j2", fault=fault, environment=header.environment, cpu=header.machine.get("model", ""),
        script=scripts[0] if scripts else "", actual=own[0].actual if own else None, most=MOST_ELEMENTS,
        others=[answer for answer in fault.answers
                if answer.record.framework != fault.framework and answer.record.verdict is not Verdict.UNSUPPORTED],
    )  # fmt: skip


def frameworks(site: Site) -> list[str]:
    """The frameworks that there are runs of."""
    return sorted({run.header.framework for run in site.runs})


def _files(site: Site, runs: Sequence[Run], summary: str) -> Pages:
    def known(record: Record) -> str:
        known = site.known(record)
        return known.id if known else ""

    placed = Placed(lambda record: site.places.get((record.lane, record.key), ""), known)
    for name, text in data_files(runs, placed, site.kept):
        yield f"data/{name}", text
    changes = site.changes or ()
    yield "changes.atom", feeds.feed(runs, site.faults, changes, site.outcome)
    yield "summary.json", feeds.as_json(runs, site.faults, changes, site.integrity, site.outcome)
    yield "summary.md", feeds.markdown(summary, runs, site.faults, site.outcome)
    for name, text in feeds.badges(runs, site.faults, site.outcome).items():
        yield f"badges/{slug(name)}.svg", text
    yield "style.css", render("style.css.j2")
    for script in sorted(
        files("conformance.report").joinpath("assets").iterdir(), key=lambda traversable: traversable.name
    ):
        if script.name.endswith(".js"):
            yield script.name, script.read_text(encoding="utf-8")


def _started(runs: Sequence[Run]) -> str:
    return max((run.header.started for run in runs), default="") or "not recorded"


def _slowest(runs: Sequence[Run]) -> list[Record]:
    records = (record for run in runs for record in run.records if record.seconds)
    return sorted(records, key=lambda record: (-record.seconds, record.key))[:SLOWEST]
