"""What changed between two builds, as text, JSON, Markdown, JUnit XML and an HTML page; the same runs, the same bytes.

A comparison says all of it; here it is only written down. Every format has every group, with its predicate, witness
and what was said before and after.
"""

import xml.etree.ElementTree as ET
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from conformance.io.terminal import plural, printable
from conformance.records.reproduction import reproduction
from conformance.regression.change import MEANING, Change
from conformance.regression.comparison import Comparison, Difference, Group
from conformance.regression.layers import LayerRow, has_own_weights, layers, worse
from conformance.report.rendering import render

SHOWN = 5
"""Cases of a group that Markdown and the page name; JSON and JUnit have all."""

_QUIET = (Change.OLD_ONLY, Change.NEW_ONLY)
_RANKS = ("What is worse", "What is better or different", "What is said in other words", "What one run alone has")
"""Kinds of changes, in the order in which a page tells them."""


MARKS: Mapping[str, tuple[str, ...]] = {
    "html": ('<meta name="generator" content="conformance">', "<title>What changed</title>"),
    "junit": ('<testsuites name="conformance diff"',),
    "markdown": ("<!-- Written by conformance diff -->",),
}
"""What a file of ours has in its first lines, by format."""


def text_lines(comparison: Comparison) -> Iterator[str]:
    """A comparison for people at a terminal."""
    yield f"{comparison.title}: {summary(comparison)}"
    if comparison.machines:
        yield f"  {moved(comparison)}"
    for group in comparison.groups:
        known = f" (expected: {group.expected})" if group.expected else ""
        yield f"  {len(group.differences):,} {group.change}{known}: {group.before} -> {group.after}"
        yield f"    {group.where.sentence}"
        if group.where.is_of_enough:
            yield f"      {coverage(group)}"
        yield f"    {witness(group)}"
        if group.witness.note:
            yield f"      {group.witness.note}"


def layer_lines(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """The layers of a model, a line each, what changed first; none where no scan was compared."""
    for row in layers(comparisons):
        own = f"; own weights: {row.own}{f' (rho {row.rho})' if row.rho else ''}" if row.own else ""
        said = f"{f'exact data: {row.exact}' if row.exact else ''}{own}".removeprefix("; ")
        times = f"; {times_of(row)} ms" if row.timed else ""
        yield f"  {row.lane} {row.layer} '{row.problem}' {row.dtype}: {said}{times}"


def times_of(row: LayerRow) -> str:
    """What a layer's call took in both builds, in milliseconds."""
    old, new = (1000 * seconds for seconds in row.seconds)
    return f"{old:.2f} -> {new:.2f}"


def total(comparisons: Sequence[Comparison], fails: Sequence[Change]) -> str:
    """What all comparisons come to, with the next step where something is worse."""
    compared = sum(comparison.compared for comparison in comparisons)
    groups = [group for comparison in comparisons for group in comparison.groups]
    worse = sum(len(group.differences) for group in groups if group.fails(fails))
    changed = sum(len(group.differences) for group in groups if group.change not in _QUIET)
    runs = f"{plural(len(comparisons), 'run')}, {plural(compared, 'case')} compared"
    if not changed:
        return f"{runs}: nothing changed"
    step = ": each group above has the command that shows its smallest case" if worse else ""
    return f"{runs}: {changed:,} changed, {worse:,} of them worse{step}"


def summary(comparison: Comparison) -> str:
    """How many cases were compared, changed, and left out, in a sentence."""
    counts = [
        f"{count:,} {change}" for change in Change if change not in _QUIET and (count := comparison.count(change))
    ]
    summary = f"{plural(comparison.compared, 'case')} compared, {', '.join(counts) or 'nothing changed'}"
    summary += "".join(f"; {count:,} left out, which {why}" for why, count in comparison.left_out.items())
    if comparison.timed:
        summary += f"; {len(comparison.timed):,} timed side by side"
    if (pace := comparison.pace) is not None:
        summary += f"; times moved by {pace.drift:.2f} in the middle, one build varies by {pace.noise:.1f}"
    return f"INCOMPLETE, {comparison.incomplete}; {summary}" if comparison.incomplete else summary


def moved(comparison: Comparison) -> str:
    """The facts in which the two machines differ, in a line; empty where there is none."""
    return f"machine: {'; '.join(comparison.machines)}" if comparison.machines else ""


def coverage(group: Group) -> str:
    """The counts behind a group's predicate; the others are all cases that were right, refused or wrong as it was."""
    where = group.where
    return f"covers {where.covered:,} of {where.of:,}, and {where.wrong:,} of the {where.outside:,} others"


def witness(group: Group) -> str:
    """The command that shows the smallest case of a group."""
    return reproduction(group.witness.record)


def document(comparisons: Sequence[Comparison], fail_on: Collection[Change]) -> dict[str, Any]:
    """All of it as JSON values."""
    return {
        "worse": any(group.fails(fail_on) for comparison in comparisons for group in comparison.groups),
        "comparisons": [
            {
                "title": comparison.title, "suite": comparison.new.header.suite, "compared": comparison.compared,
                "left_out": dict(comparison.left_out), "incomplete": comparison.incomplete,
                "old": _side(comparison.old.header), "new": _side(comparison.new.header),
                "pace": comparison.pace and {"noise": comparison.pace.noise, "drift": comparison.pace.drift},
                "groups": [_group(group, fail_on) for group in comparison.groups],
            }
            for comparison in comparisons
        ],
        **({"layers": [asdict(row) for row in layers(comparisons)]} if layers(comparisons) else {}),
    }  # fmt: skip


def _side(header: Any) -> dict[str, Any]:
    return {"lane": header.lane, "started": header.started, "environment": dict(header.environment),
            "machine": dict(header.machine)}  # fmt: skip


def _group(group: Group, fail_on: Collection[Change]) -> dict[str, Any]:
    where = group.where
    return {
        "change": group.change, "count": len(group.differences),
        "fails": group.fails(fail_on), "expected": group.expected,
        "before": group.before, "after": group.after,
        "where": {"sentence": where.sentence, "predicate": where.predicate, "covered": where.covered, "of": where.of,
                  "wrong": where.wrong, "others": where.outside},
        "witness": {"case": group.witness.record.case, "dtype": group.witness.record.dtype,
                    "problem": group.witness.record.problem, "reproduction": witness(group),
                    "note": group.witness.note},
        "cases": [f"{difference.record.case} {difference.record.dtype}" for difference in group.differences],
    }  # fmt: skip


def markdown(comparisons: Sequence[Comparison], fail_on: Collection[Change]) -> str:
    """All of it for a pull request, or for the summary of a job: what fails first, what did not change in a line."""
    lines = [f"# {_verdict(comparisons, fail_on)}", *MARKS["markdown"], "", *_layers_md(comparisons)]
    told = [comparison for comparison in comparisons if comparison.incomplete or _groups_shown(comparison)]
    for one_comparison in ordered(told, fail_on):
        lines += [f"## {_md(one_comparison.title)}", "", _md(summary(one_comparison)), ""]
        lines += [_md(moved(one_comparison)), ""] if one_comparison.machines else []
        if groups := _groups_shown(one_comparison):
            lines += ["| | cases | change | before | after | where | smallest |", "|---|---:|---|---|---|---|---|"]
            lines += [_row(group, fail_on) for group in groups] + [""]
    quiet = ("; ".join(filter(None, [f"{comparison.title}: {summary(comparison)}", moved(comparison)]))
             for comparison in comparisons if comparison not in told)  # fmt: skip
    lines += [f"- {_md(line)}" for line in quiet]
    return "\n".join(lines) + "\n"


def _layers_md(comparisons: Sequence[Comparison]) -> Iterator[str]:
    rows = layers(comparisons)
    if rows:
        yield from ("## The model, layer by layer", "", "| lane | layer | problem | exact data | own weights | rho |",
                    "|---|---|---|---|---|---|")  # fmt: skip
        for row in rows:
            cells = [row.lane, _md(row.layer), _code(f"{row.problem} {row.dtype}"), row.exact, row.own, row.rho]
            yield f"| {' | '.join(cells)} |"
        yield ""


def _groups_shown(comparison: Comparison) -> list[Group]:
    return [group for group in comparison.groups if group.change not in _QUIET]


def _row(group: Group, fail_on: Collection[Change]) -> str:
    cells = [
        "**fails**" if group.fails(fail_on) else _md(group.expected and f"expected: {group.expected}"),
        f"{len(group.differences):,}", group.change.value,
        _md(group.before), _md(group.after), _where(group),
        _code(f"{group.witness.record.problem} {group.witness.record.dtype}"),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _where(group: Group) -> str:
    where = group.where
    return f"{_code(where.predicate)}, {coverage(group)}" if where.is_of_enough else _md(where.sentence)


def _verdict(comparisons: Sequence[Comparison], fail_on: Collection[Change]) -> str:
    if any(comparison.incomplete for comparison in comparisons):
        return "Incomplete: a run did not come to its own end"
    changes = [group for comparison in comparisons for group in comparison.groups if group.change not in _QUIET]
    if count := sum(len(group.differences) for group in changes if group.fails(fail_on)):
        return f"{count:,} case{'s'[: count > 1]} changed for the worse"
    return "Nothing got worse unexpectedly" if changes else "Nothing changed"


def _md(text: str) -> str:
    """Text that Markdown leaves as it is, on one line."""
    escaped = "".join(f"\\{c}" if c in "\\`*_[]<>|#~" else c for c in " ".join(str(printable(text)).split()))
    return escaped.replace("@", "@\u200b")  # which would call people by name


def _code(text: str) -> str:
    line = " ".join(str(printable(text)).split()).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in line.replace("`", " `").split() if set(run) == {"`"}), default=0))
    return f"{fence}{line}{fence}" if "`" not in line else f"{fence}` {line} `{fence}"


def junit(comparisons: Sequence[Comparison], fail_on: Collection[Change]) -> bytes:
    """All of it as JUnit XML: a test suite a lane and suite, a test case a case that changed."""
    root = ET.Element("testsuites", name="conformance diff")
    for comparison in comparisons:
        suite = ET.SubElement(root, "testsuite", name=_xml(comparison.title))
        failures = errors = 0
        if comparison.incomplete:
            errors += 1
            case = ET.SubElement(suite, "testcase", classname=_xml(comparison.title), name="complete")
            ET.SubElement(case, "error", message=_xml(comparison.incomplete))
        whole = ET.SubElement(suite, "testcase", classname=_xml(comparison.title), name="compared")
        ET.SubElement(whole, "system-out").text = _xml(summary(comparison))
        for group in comparison.groups:
            fails = group.fails(fail_on)
            failures += fails * len(group.differences)
            for difference in group.differences:
                _testcase(suite, comparison, group, difference, fails)
        suite.attrib |= {"tests": str(len(suite)), "failures": str(failures), "errors": str(errors)}
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content


def _testcase(suite: ET.Element, comparison: Comparison, group: Group, difference: Difference, fails: bool) -> None:
    record = difference.record
    case = ET.SubElement(
        suite, "testcase", classname=_xml(comparison.title), name=_xml(f"{group.change} {record.case} {record.dtype}")
    )
    text = f"{group.before} -> {group.after}\n{group.where.sentence}\n{reproduction(record)}"
    if fails:
        ET.SubElement(case, "failure", type=group.change.value, message=MEANING[group.change]).text = _xml(text)
    else:
        ET.SubElement(case, "system-out").text = _xml(text)


def _xml(text: str) -> str:
    return str(printable(text))


def html(comparisons: Sequence[Comparison], fail_on: Collection[Change], site: str = "") -> str:
    """All of it as one page: beside a report with the navigation and the cases of its `site`, or else alone.

    Alone it has its one script within it, which copies commands; no other one runs.
    """
    if site:
        return render(
            "site_changes.html.j2", folder=f"{site}/", home=f"{site}/../index.html", **_shown(comparisons, fail_on)
        )
    script = files("conformance.report").joinpath("assets", "site.js").read_text(encoding="utf-8")
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return render("changes.html.j2", folder="", script=Markup(script), digest=digest, **_shown(comparisons, fail_on))


def page(comparisons: Sequence[Comparison], fail_on: Collection[Change]) -> str:
    """All of it as a page of the report's site, with links to its cases."""
    return render("site_changes.html.j2", folder="", home="../index.html", **_shown(comparisons, fail_on))


def _rank(group: Group, fail_on: Collection[Change]) -> int:
    """Which of the kinds of changes a group is of."""
    if group.fails(fail_on):
        return 0
    return 2 + (group.change in _QUIET) if group.change in (*_QUIET, Change.CHANGED_MESSAGE) else 1


def _first_rank(comparison: Comparison, fail_on: Collection[Change]) -> tuple[int, bool]:
    rank = min((_rank(group, fail_on) for group in comparison.groups), default=len(_RANKS))
    return rank, has_own_weights(comparison.new.header.suite)


def ordered(comparisons: Sequence[Comparison], fail_on: Collection[Change]) -> list[Comparison]:
    """What fails first, and last where only words changed; exact data before own weights, which it explains."""
    return sorted(comparisons, key=lambda one: _first_rank(one, fail_on))


def _shown(comparisons: Sequence[Comparison], fail_on: Collection[Change]) -> Mapping[str, Any]:
    """What both pages are made of."""
    places = sorted(enumerate(comparisons), key=lambda each: _first_rank(each[1], fail_on))
    return {
        "layers": layers(comparisons), "worse": worse, "times_of": times_of,
        "verdict": _verdict(comparisons, fail_on), "comparisons": places, "fail_on": fail_on, "meaning": MEANING,
        "rank": _rank, "ranks": _RANKS, "shown": SHOWN, "summary": summary, "coverage": coverage, "witness": witness,
        "moved": moved,
    }  # fmt: skip
