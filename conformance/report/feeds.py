"""The report for programs and for other pages: an Atom feed, JSON, Markdown and badges."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

from conformance.io.terminal import plural, printable, verdict_counts
from conformance.records.record import Run, Verdict
from conformance.records.reproduction import reproduction
from conformance.report.content.faults import ChangeLine, Fault
from conformance.report.drawings.svg import badge
from conformance.report.integrity import Integrity
from conformance.report.outcome import EVIDENCE, NEW, NOUNS, Outcome, Reason
from conformance.report.tables.machines import hosts

ATOM = "http://www.w3.org/2005/Atom"
SUMMARY = "conformance-summary/1"
NEVER = "1970-01-01T00:00:00+00:00"


def feed(runs: Sequence[Run], faults: Mapping[str, Fault], changes: Sequence[ChangeLine], outcome: Outcome) -> str:
    """What is new, as an Atom feed; an entry keeps its id as long as its fault, change or finding is the same."""
    started = max((run.header.started for run in runs), default="") or NEVER
    root = ElementTree.Element("feed", xmlns=ATOM)
    _add(root, "id", "tag:conformance,2026:report")
    _add(root, "title", "conformance: transposed convolution")
    if stands := hosts(runs):
        _add(root, "subtitle", f"Machine: {' | '.join(map(str, stands))}")
    _add(root, "updated", started)
    _add(_add(root, "author"), "name", "conformance")
    _link(root, "../index.html")
    for reason in outcome.reasons:
        if reason.kind != NEW:  # which are faults, with entries of their own
            title = f"{reason.kind.capitalize()}: {reason.subject}"
            _entry(
                root,
                f"{title}: {reason.facts}",
                title,
                reason.page or "../index.html",
                started,
                f"{reason.facts}: {reason.command}",
            )
    for change in changes:
        title = f"{change.lane}: {change.change}, {change.count:,}: {change.title}"
        _entry(root, title, title, change.link or "../index.html", started, title)
    for name, fault in faults.items():
        since = f"{fault.known.since}T00:00:00+00:00" if fault.known else fault.past.since if fault.past else started
        state = "new" if fault.new else "known"
        title = f"{fault.framework}, {state}: {fault.verdict}: {fault.title}"
        where = "".join(f", on {region.lane} {region.sentence}" for region in fault.where)
        _entry(root, name, title, f"{name}.html", since, f"{plural(len(fault.records), 'record')}{where}")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _entry(root: ElementTree.Element, id: str, title: str, link: str, updated: str, text: str) -> None:
    entry = _add(root, "entry")
    _add(entry, "id", f"tag:conformance,2026:{id}")
    _add(entry, "title", title)
    _add(entry, "updated", updated)
    _link(entry, link)
    _add(entry, "summary", text)


def _link(parent: ElementTree.Element, link: str) -> None:
    _add(parent, "link").set("href", link)


def _add(parent: ElementTree.Element, name: str, text: str = "") -> ElementTree.Element:
    element = ElementTree.SubElement(parent, name)
    element.text = str(printable(text)) or None
    return element


def as_json(
    runs: Sequence[Run],
    faults: Mapping[str, Fault],
    changes: Sequence[ChangeLine],
    integrity: Integrity,
    outcome: Outcome,
) -> str:
    """The report's facts as one JSON document."""
    content: dict[str, Any] = {
        "format": SUMMARY,
        "green": outcome.green,
        "outcome": outcome.sentence,
        "counts": outcome.counts,
        "reasons": [{"kind": reason.kind, "subject": reason.subject, "facts": reason.facts, "command": reason.command,
                     "framework": reason.framework, "lane": reason.lane, "page": reason.page}
                    for reason in outcome.reasons],
        "complete": integrity.holds,
        "findings": [str(finding) for finding in integrity.findings],
        "runs": [
            {"lane": run.header.lane, "suite": run.header.suite, "shard": run.header.shard,
             "version": run.header.version, "started": run.header.started,
             "machine": dict(run.header.machine), "expected": run.header.expected,
             "verdicts": dict(run.verdicts)} for run in runs
        ],
        "changes": [{"lane": change.lane, "change": change.change, "title": change.title, "count": change.count,
                     "worse": change.worse} for change in changes],
        "faults": [
            {"page": f"{name}.html", "framework": fault.framework, "lanes": fault.lanes, "verdict": fault.verdict,
             "title": fault.title, "new": fault.new, "records": len(fault.records),
             "where": [asdict(where) for where in fault.where],
             "since": fault.past and fault.past.since,
             "known": fault.known.id if fault.known else None,
             "upstream": fault.known.upstream if fault.known else None,
             "witness": reproduction(fault.witness)} for name, fault in faults.items()
        ],
    }  # fmt: skip
    return json.dumps(content, indent=1) + "\n"


def markdown(summary: str, runs: Sequence[Run], faults: Mapping[str, Fault], outcome: Outcome) -> str:
    """The report in a page of Markdown, as a build's summary shows it."""
    lines = ["# Do the frameworks agree on transposed convolution?", "", f"**{_plain(outcome.sentence)}.**", ""]
    lines += [f"- **{_plain(reason.subject)}**: {_plain(reason.facts)}: <code>{_plain(reason.command)}</code>"
              for reason in outcome.reasons]  # fmt: skip
    lines += ["", _plain(summary), ""]
    lines += [f"- Machine: {_plain(str(stand))}" for stand in hosts(runs)]
    lines += ["", "| | framework | verdict | records | what | where |", "|---|---|---|---|---|---|"]
    for fault in faults.values():
        known = [f"expected where `{_code(fault.known.when)}` ({_plain(fault.known.id)})"] if fault.known else []
        where = ", ".join(known or [f"`{_code(text)}`" for text in fault.predicates])
        state = "**new**" if fault.new else "known"
        cells = (state, fault.framework, fault.verdict, f"{len(fault.records):,}", fault.title)
        lines.append(f"| {' | '.join(map(_plain, cells))} | {where} |")
    lines += ["", "| lane | suite | verdicts |", "|---|---|---|"]
    for run in runs:
        counts = verdict_counts(run.verdicts)
        lines.append(f"| {_plain(run.header.lane)} | {_plain(run.header.suite)} | {counts} |")
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line of a table."""
    shown = " ".join(str(printable(text)).split())
    for sign in "\\|<>[]":
        shown = shown.replace(sign, f"&#{ord(sign)};")
    return shown


def _code(text: str) -> str:
    """Text between backticks in a table's cell."""
    return " ".join(str(printable(text)).split()).replace("`", "'").replace("|", "\\|")


def badges(runs: Sequence[Run], faults: Mapping[str, Fault], outcome: Outcome) -> dict[str, str]:
    """A badge for each lane and one for all, by name: green, or why not. Faults count by their records."""
    known, new = (
        Counter(record.lane for fault in faults.values() if fault.new is which for record in fault.records)
        for which in (False, True)
    )
    unsaid: Counter[str] = Counter()
    for run in runs:
        unsaid[run.header.lane] += run.verdicts.get(Verdict.UNSUPPORTED, 0)
    made = {"all": _badge("conformance", outcome.reasons, new.total(), known.total(), unsaid.total())}
    for lane in sorted({run.header.lane for run in runs}):
        concerning = [reason for reason in outcome.reasons if reason.concerns(lane)]
        made[lane] = _badge(str(printable(lane)), concerning, new[lane], known[lane], unsaid[lane])
    return made


def _badge(label: str, reasons: Sequence[Reason], new: int, known: int, unsaid: int) -> str:
    kinds = Counter(reason.kind for reason in reasons if reason.kind != NEW) | Counter({NEW: new})
    if kinds[EVIDENCE]:
        return badge(label, "incomplete", False)
    if counted := [f"{kinds[kind]:,} {kind}" for kind in NOUNS if kinds[kind]]:
        return badge(label, ", ".join(counted), False)
    text = f"nothing new, {known:,} known" if known else "all as expected"
    return badge(label, f"{text}, {unsaid:,} unsupported" if unsaid else text, True)
