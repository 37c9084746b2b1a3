"""The site in a real browser, opened as files: run by `tox run -e browser`, which brings Playwright and axe-core.

CONFORMANCE_CHROMIUM is the browser, /usr/bin/chromium unless it is set; CONFORMANCE_AXE the script of axe-core;
CONFORMANCE_PICTURES a folder for a picture of every page at both widths, if there is to be one.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from conformance import idioms
from conformance.analysis.content import coverage, handbook
from conformance.analysis.content.faults import find_faults
from conformance.analysis.content.site import domains
from conformance.analysis.proofs import Proofs
from conformance.calls.meaning import understand
from conformance.io.folders import docs_folder
from conformance.predicates.predicate import Predicate
from conformance.problem import Problem
from conformance.records.record import Header, Record, Run, Verdict
from conformance.regression.change import WORSE
from conformance.regression.comparison import Comparison, compare
from conformance.regression.side_by_side import Times
from conformance.report import Site, changes, write_report
from conformance.report.content.documents import read
from conformance.report.content.history import Kept, Night, Past, State
from conformance.report.content.modes import Asked, Modes, Otherwise
from conformance.report.content.replays import Replays
from tests.report.test_audit_page import AUDIT
from tests.report.test_replays_page import ROWS
from tests.report.test_site import runs_of

CHROMIUM = os.environ.get("CONFORMANCE_CHROMIUM", "/usr/bin/chromium")
AXE = Path(os.environ["CONFORMANCE_AXE"])
PICTURES = os.environ.get("CONFORMANCE_PICTURES", "")
HOSTILE = "<script>document.title='obeyed'</script><img src=x onerror=\"document.title='obeyed'\"> \"'& </script>"
MANY = 100_000
FIRST_PAINT_MS = 1000
FILTER_MS = 200
WAITED_MS = 120_000
SHOW = "() => document.querySelectorAll('.group').forEach((each) => { each.style.contentVisibility = 'visible'; })"
"""Lets the browser draw all groups, of which it draws those in sight alone."""
ANSWERED = "() => document.getElementById('status').textContent.includes(' of ')"
SETTLED = "() => document.getElementById('status').textContent.includes('record')"


MODES = Modes(
    [
        Asked("torch-eager", "smoke", "compiled", "float32", 60, 58),
        Asked("torch-eager", "smoke", "vmap", "float64", 60, 60),
    ],
    [
        Otherwise("torch-eager", "compiled", "float32", "answers wrong where eager execution answers right", 2,
                  "i5x7 k3 s2 p1 op1 bias", "", "", "conformance audit modes torch --mode compiled --dtype float32"),
        Otherwise("torch-eager", "exported", "float32", "is refused", 1, "i5 k3", HOSTILE,
                  "It has no such call: https://example.org/a-page-with-a-long-address/that/names/every/part/of/it",
                  "conformance audit modes torch --mode exported --dtype float32"),
    ],
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site where a lane shifts windows, another crashed once, and messages are hostile and long."""
    runs, arrays = runs_of(["torch-eager", "jax-jit"], wrong="torch-eager")
    odd = [
        Record("jax", "jit", f"odd-{n}", "float32", "forward", "i3 k2", Verdict.ERRORED, message=message)
        for n, message in enumerate((HOSTILE, "long " * 2000, "x" * 5000))
    ]
    crashed = Record("jax", "jit", "odd-crash", "float32", "forward", "i5 k3 s2", Verdict.CRASHED, message="SIGSEGV")
    records = sorted((*runs[1].records, *odd, crashed), key=lambda each: each.key)
    runs[1] = replace(runs[1], records=tuple(records), header=replace(runs[1].header, expected=len(records)))
    place = tmp_path_factory.mktemp("site")
    nights = tuple(Night("torch-eager, smoke", f"2026-11-{day:02}T02:17:00+00:00", "1.2.3", f"{day} diverges")
                   for day in range(1, 20))  # fmt: skip
    past = Past(nights[3].started, nights[0].started, nights[-1].started, nights)
    found = tuple(replace(each, past=past) for each in find_faults(runs, arrays, lambda _: None))
    states = (State(nights[0].started, "1.2.3", "conforms", "", False),
              State(nights[3].started, "1.2.3", "errored", HOSTILE, True))  # fmt: skip
    kept = Kept({("jax-jit", "smoke"): (nights[0].started, 9)}, {("jax-jit", odd[0].key): states})
    compared = [compare((right := runs_of(["torch-eager"])[0][0],), (run,)) for run in runs[:1]]
    assert compared[0].groups
    write_report(Site(
        runs, found=found, handbook=handbook.build(Proofs({})), domains=tuple(domains(runs, ())),
        coverage=coverage.of_lanes(runs), kept=kept, documents=read(docs_folder()), audit=AUDIT, modes=MODES,
        replays=Replays(rows=ROWS), more={"changes.html": changes.page(compared, WORSE)},
    ), place / "index.html")  # fmt: skip
    (place / "alone").mkdir()
    for name, comparisons in {"diff": compared, "model": of_a_model(right, runs[0])}.items():
        (place / "alone" / f"{name}.html").write_text(changes.html(comparisons, WORSE), encoding="utf-8")
        (place / f"{name}.html").write_text(changes.html(comparisons, WORSE, "site"), encoding="utf-8")
    return place


def of_a_model(old: Run, new: Run) -> list[Comparison]:
    """Two runs as those of a model's layers, on exact data with times side by side, and on own weights."""
    exact, own = (tuple(_of_suite(run, suite) for run in (old, new)) for suite in ("scan-net", "scan-net-weights"))
    times = {record.key: Times(0.0012, 0.0031, 2.58) for record in exact[1].records[:9]}
    return [replace(compare(exact[:1], exact[1:]), timed=times), compare(own[:1], own[1:])]


def _of_suite(run: Run, suite: str) -> Run:
    """A run of another suite, whose cases are named as layers are."""
    end = "-weights" * suite.endswith("-weights")
    records = [replace(each, case=f"scan-net/decoder.blocks.{at}.up{end}") for at, each in enumerate(run.records)]
    return replace(run, records=tuple(records), header=replace(run.header, suite=suite))


@pytest.fixture(scope="module")
def runs(folder: Path) -> list[Run]:
    return runs_of(["torch-eager", "jax-jit"], wrong="torch-eager")[0]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


Opening = Callable[..., Page]


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opening]:
    """Opens a page of a site, and fails where the browser has something to complain of."""
    complaints: list[str] = []
    contexts = []

    def opening(address: str, width: int = 1280, scheme: Any = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAITED_MS)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield opening
    for context in contexts:
        context.close()
    assert complaints == []


def address(folder: Path, name: str, query: str = "") -> str:
    return (folder / name).as_uri() + (f"#{quote(query, safe='')}" if query else "")


def names(folder: Path) -> list[tuple[str, str]]:
    """Every page, those that a script fills with something to fill them."""
    queries = {"search.html": "value", "case.html": "odd-0", "maps.html": "lane:torch-eager"}
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))
    return [(name, queries.get(Path(name).name, "")) for name in found]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")])
def test_every_page_is_accessible_and_as_wide_as_the_window(
    folder: Path, opened: Opening, width: int, scheme: str
) -> None:
    assert len(names(folder)) > 10
    for name, query in names(folder):
        page = opened(address(folder, name, query), width, scheme)
        if query:
            page.wait_for_function(SETTLED)
        page.evaluate(SHOW)  # of what is out of sight, too
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        if PICTURES:
            picture = name.removesuffix(".html").replace("/", "-")
            page.screenshot(path=Path(PICTURES, f"{picture}-{width}-{scheme}.png"), full_page=True)
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("axe.run({preload: false})")["violations"]
        said = [
            f"{each['id']}: {each['nodes'][0]['html'][:200]} {each['nodes'][0]['failureSummary']}" for each in found
        ]
        assert "\n".join(said) == "", name
        page.context.close()


def test_from_the_front_page_a_reproducer_is_two_clicks_away_and_is_copied_whole(folder: Path, opened: Opening) -> None:
    page = opened(address(folder, "index.html"))
    page.click(".card.new h3 a")
    snippet = page.locator("details[open] .snippet").first
    snippet.locator("button.copy").click()
    snippet.locator("button.copy", has_text="Copied").wait_for()
    page.evaluate(
        "() => { const area = document.createElement('textarea'); area.id = 'pasted'; document.body.append(area); }"
    )
    page.focus("#pasted")
    page.keyboard.press("Control+V")
    pasted = page.input_value("#pasted")
    assert pasted.strip() == snippet.locator("code").inner_text().strip()
    compile(pasted, "pasted", "exec")


def test_a_command_of_a_page_of_changes_is_copied_and_a_case_leads_to_its_page(folder: Path, opened: Opening) -> None:
    for name in ("alone/diff.html", "diff.html"):
        page = opened(address(folder, name))
        page.locator("details[open] .snippet button.copy").first.click()
        page.locator("button.copy", has_text="Copied").wait_for()
    page.locator("ol.records a").first.click()
    page.wait_for_function(SETTLED)
    assert page.locator("nav a", has_text="Overview").get_attribute("href") == "../index.html"


def test_the_first_tab_leads_to_the_content_and_the_next_to_the_pages(folder: Path, opened: Opening) -> None:
    page = opened(address(folder, "index.html"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Overview"


def test_dark_is_dark_and_light_is_light(folder: Path, opened: Opening) -> None:
    for scheme, dark in (("light", False), ("dark", True)):
        page = opened(address(folder, "index.html"), 1280, scheme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (max(map(int, colour[4:-1].split(","))) < 80) is dark


def test_a_printed_page_has_the_folded_parts_and_no_navigation(folder: Path, opened: Opening) -> None:
    fault = next(name for name, _ in names(folder) if "fault-" in name and "window" in name)
    page = opened(address(folder, fault))
    page.emulate_media(media="print")
    assert not page.is_visible("nav")
    assert page.pdf()


QUERIES = {
    "": "rank > 0",
    "stride>kernel": "any(stride > kernel)",
    "!stride>kernel": "not any(stride > kernel)",
    "stride>1&dilation>1": "any(stride > 1 and dilation > 1)",
    "stride>1 dilation>1": "any(stride > 1) and any(dilation > 1)",
    "groups>1 rank=2": "groups > 1 and rank == 2",
    "lo>=kernel": "any(lo >= kernel)",
    "hi<0": "any(hi < 0)",
    "output%2=1": "any(output % 2 == 1)",
    "full-output>=3": "any(full - output >= 3)",
    "effective_kernel>input": "any(effective_kernel > input)",
    "k-1<s*2": "any(kernel - 1 < stride * 2)",
    "bias=1 ic*g!=2": "bias and in_channels * groups != 2",
    "pad_begin!=pad_end": "any(pad_begin != pad_end)",
    "input//2=1": "any(input // 2 == 1)",
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_means_what_the_predicate_does(folder: Path, runs: list[Run], opened: Opening, query: str) -> None:
    predicate = Predicate.parse(QUERIES[query])
    expected = sum(predicate(Problem.parse(each.problem)) for each in runs[0].records)
    page = opened(address(folder, "site/search.html", f"{query} lane:torch-eager".strip()))
    page.wait_for_function(ANSWERED)
    assert page.inner_text("#status").startswith(f"{expected} of ")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("verdict:crashed", "1 of"),
        ("verdict:crashed,errored", "4 of"),
        ("framework:jax -verdict:conforms", "4 of"),
        ("lane:jax-* verdict:err*", "3 of"),
        ("case-that-is-not", "0 of"),
        ("odd-", "4 of"),
        ("SIGSEGV", "1 of"),
        ("fault:none verdict:errored", "0 of"),
        ('"document.title"', "1 of"),
        ("ODD-", "4 of"),
        ("case:odd-crash", "1 of"),
        ("case:odd-*", "4 of"),
        ("verdict:Crashed", "1 of"),
        ("verdict:timed-out", "0 of"),
        ("verdict:divergse", "no record has verdict:divergse, the nearest is diverges"),
        ("framework:torhc", "no record has framework:torhc, the nearest is torch: there are jax, torch"),
        ("verdikt:diverges", "there is no field verdikt, the nearest is verdict"),
        ("strid>1", "there is no field strid, the nearest is stride"),
        ("stride>", "is no comparison"),
        ("1=1&stride", "is no comparison"),
    ],
)
def test_words_of_a_query(folder: Path, opened: Opening, query: str, expected: str) -> None:
    page = opened(address(folder, "site/search.html", query))
    page.wait_for_function("(text) => document.getElementById('status').textContent.includes(text)", arg=expected)


def test_a_query_that_cannot_be_read_leaves_no_results_of_the_one_before(folder: Path, opened: Opening) -> None:
    page = opened(address(folder, "site/search.html", "verdict:crashed"))
    page.wait_for_selector("#results tbody tr")
    page.fill("#query", "stride>")
    page.wait_for_function("() => document.getElementById('status').textContent.includes('is no comparison')")
    assert not page.is_visible("#results tbody tr")
    assert page.inner_text("#facets") == ""


def test_words_alone_are_found_in_the_documents_too(folder: Path, opened: Opening) -> None:
    page = opened(address(folder, "site/search.html", "zero insertion"))
    page.wait_for_selector("#documents li")
    assert "Numerics: Three oracles" in page.locator("#documents a").all_inner_texts()
    page.fill("#query", "verdict:crashed")
    page.wait_for_function("() => document.getElementById('status').textContent.startsWith('1 of')")
    assert page.locator("#documents li").count() == 0
    page.fill("#query", "three oracles")
    page.locator("#documents a", has_text="Numerics: Three oracles").click()
    page.wait_for_url("**/docs-numerics.html#three-oracles")


def test_nothing_is_loaded_before_somebody_asks_and_a_slash_leads_to_the_search(folder: Path, opened: Opening) -> None:
    page = opened(address(folder, "index.html"))
    page.keyboard.press("/")
    page.wait_for_url("**/search.html")
    page.wait_for_function(SETTLED)
    assert page.evaluate("conformance.loaded") is None
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "query"
    page.wait_for_function("() => conformance.loaded")
    page.keyboard.type("verdict:crashed")
    page.wait_for_function("() => document.getElementById('status').textContent.startsWith('1 of')")


def test_the_query_is_in_the_address_and_the_address_is_the_query(folder: Path, opened: Opening) -> None:
    page = opened(address(folder, "site/search.html"))
    page.wait_for_function(SETTLED)
    page.fill("#query", "verdict:diverges stride>1")
    page.wait_for_function("() => decodeURIComponent(location.hash) === '#verdict:diverges stride>1'")
    page.reload()
    page.wait_for_function(SETTLED)
    assert page.input_value("#query") == "verdict:diverges stride>1"
    page.click("#results tbody a")
    page.wait_for_selector("#case h2")
    page.go_back()
    page.wait_for_selector("#results tbody tr")
    assert page.input_value("#query") == "verdict:diverges stride>1"


def test_a_cell_of_a_map_leads_to_just_the_records_that_it_counts(folder: Path, opened: Opening) -> None:
    page = opened(address(folder, "site/maps.html", "lane:torch-eager"))
    page.wait_for_function(SETTLED)
    cell = page.locator("table.map td a[title*='diverges']").first
    counts = [int(part.split()[0]) for part in (cell.get_attribute("title") or "").split(", ")]
    cell.click()
    page.wait_for_function(ANSWERED)
    assert page.inner_text("#status").startswith(f"{sum(counts)} of ")


def test_a_map_is_filtered_by_the_other_parameters_and_keeps_them_in_its_address(
    folder: Path, runs: list[Run], opened: Opening
) -> None:
    page = opened(address(folder, "site/maps.html"))
    page.select_option("#lane", "torch-eager")
    page.fill("#query", "rank=2")
    expected = sum(Problem.parse(each.problem).rank == 2 for each in runs[0].records)
    page.wait_for_function("(text) => document.getElementById('status').textContent === text",
                           arg=f"{expected} records of torch-eager.")  # fmt: skip
    page.reload()
    page.wait_for_function(SETTLED)
    assert page.inner_text("#status") == f"{expected} records of torch-eager."


def test_the_cells_of_a_map_are_reached_by_arrow_keys(folder: Path, opened: Opening) -> None:
    page = opened(address(folder, "site/maps.html", "lane:torch-eager"))
    page.wait_for_function(SETTLED)
    place = "link => [link.closest('tr').sectionRowIndex, link.closest('td').cellIndex]"
    table = page.locator("table.map").first
    places = [tuple(each) for each in table.evaluate(f"table => [...table.querySelectorAll('td a')].map({place})")]
    start = places[0]
    row = [each for each in places if each[0] == start[0]]
    column = [each for each in places if each[1] == start[1]]
    assert len(row) > 1
    assert len(column) > 1
    assert table.locator("a[tabindex='0']").count() == 1
    table.locator("a[tabindex='0']").focus()
    for key, way in (
        ("ArrowRight", row[1:]), ("ArrowLeft", row[-2::-1]), ("ArrowDown", column[1:]), ("ArrowUp", column[-2::-1]),
    ):  # fmt: skip
        for expected in (*way, way[-1]):  # there is no cell behind the last one
            page.keyboard.press(key)
            assert tuple(page.evaluate(f"({place})(document.activeElement)")) == expected
    assert table.locator("a[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_function(ANSWERED)


def test_hostile_text_is_shown_whole_and_not_obeyed(folder: Path, opened: Opening) -> None:
    page = opened(address(folder, "site/case.html", "odd-0"))
    page.wait_for_selector("#case h2")
    assert HOSTILE in page.inner_text("#case")
    page = opened(address(folder, "site/case.html", f"no-such {HOSTILE}"))
    page.wait_for_function("() => document.getElementById('status').textContent.startsWith('No record')")
    page = opened(address(folder, "site/search.html", f'"{HOSTILE[:20]}'))
    page.wait_for_function(SETTLED)
    assert "obeyed" not in page.title()


def test_a_case_shows_what_it_was_and_since_when(folder: Path, opened: Opening) -> None:
    page = opened(address(folder, "site/case.html", "odd-0"))
    page.wait_for_selector("#case h2")
    shown = page.locator(".past li").all_inner_texts()
    assert [each.partition(",")[0] for each in shown] == ["from 2026-11-04 02:17", "from 2026-11-01 02:17"]
    assert HOSTILE in shown[0]
    page = opened(address(folder, "site/case.html", "odd-1"))
    page.wait_for_selector("#case h2")
    assert "the same in all 9 runs since 2026-11-01 02:17" in page.inner_text("#case")


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[str]:
    """The address of a web server that has the site."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_web_server_shows_the_same_pages_as_files_do(folder: Path, served: str, opened: Opening) -> None:
    for name, query in names(folder):
        text = []
        for start in (folder.as_uri(), served):
            page = opened(f"{start}/{name}" + (f"#{quote(query, safe='')}" if query else ""))
            if query:
                page.wait_for_function(SETTLED)
            text.append(page.inner_text("main"))
            page.context.close()
        assert text[0] == text[1], name


def test_the_checkerboard_tells_when_the_stride_divides_the_kernel(folder: Path, opened: Opening) -> None:
    page = opened(address(folder, "site/conventions.html"))
    assert "3 % 2 = 1: a checkerboard" in page.inner_text("#rule")
    page.fill("#k", "4")
    assert "4 % 2 = 0: every element inside is reached equally often" in page.inner_text("#rule")
    page.fill("#d", "2")
    assert "a checkerboard; taps on each remainder of the stride: 4, 0" in page.inner_text("#rule")


PARTS = re.compile(r"(?P<call>.*\))(?:\(x\))?\[:, (?P<begin>\d+):(?P<end>\d+)\]")
"""A call whose answer is cut afterwards."""
READERS = {"PyTorch": "torch", "TensorFlow": "tensorflow", "Keras": "tensorflow", "JAX": "jax", "MXNet": "mxnet"}


def test_every_call_of_the_operator_s_page_has_the_window_that_the_page_draws(folder: Path, opened: Opening) -> None:
    page = opened(address(folder, "site/operator.html"))
    levels = product((1, 3), (1, 2, 3, 5), (1, 2, 3), (0, 1, 2), (0, 1, 2), (1, 2))
    asked = [dict(zip(("i", "k", "s", "p", "op", "d"), level, strict=True)) for level in levels]
    each = "(asked) => asked.map(conformance.axis).map((a) => [a, a.output > 0 ? conformance.calls(a) : []])"
    answers = page.evaluate(each, asked)
    read = 0
    for axis, calls in answers:
        problem = Problem.of(axis["i"], axis["k"], axis["s"], [(axis["p"], axis["p"])], axis["op"], axis["d"])
        assert (axis["full"], [axis["lo"], axis["hi"]]) == (problem.full[0], list(problem.window[0]))
        for name, call, *_ in filter(lambda entry: entry[1], calls):
            assert (axis["full"], (axis["lo"], axis["hi"])) == _window_of(READERS[name], call, axis), (name, axis)
            read += 1
    assert read > len(asked)


def _window_of(framework: str, text: str, axis: Mapping[str, int]) -> tuple[Any, tuple[Any, Any]]:
    """The stamp's extent and the window of a call on one axis, as the reader of calls has them, with its cut."""
    cut = PARTS.fullmatch(text)
    last = framework in ("tensorflow", "jax")
    reading = idioms.reading(framework, cut["call"] if cut else text, {})
    shapes = {"x": (1, axis["i"], 1) if last else (1, 1, axis["i"])}
    if "keras" not in text:
        shapes["w"] = (axis["k"], 1, 1) if last else (1, 1, axis["k"])
    meaning = understand(framework, reading, shapes)
    assert not meaning.refused
    assert not meaning.reversed or axis["k"] == 1
    (lo, hi), output = map(int, meaning.window[0]), int(meaning.output[0])
    return meaning.full[0], (lo + int(cut["begin"]), hi + output - int(cut["end"])) if cut else (lo, hi)


def test_the_operator_s_page_follows_what_is_typed(folder: Path, opened: Opening) -> None:
    page = opened(address(folder, "site/operator.html"))
    assert "output = full - lo - hi = 9 - 1 - 0 = 8" in page.inner_text("#told")
    page.fill("#k", "4")
    page.fill("#op", "0")
    assert "every inner row is the sum of 2 taps" in page.inner_text("#told")
    page.click("button >> text=U-Net")
    assert page.input_value("#k") == "2"
    assert "F.conv_transpose1d(x, w, stride=2, padding=0, output_padding=0, dilation=1)" in page.inner_text("#calls")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of 100,000 records of as many different problems, a tenth of them diverging."""
    lanes = ("torch-eager", "jax-jit", "mxnet-native", "tensorflow-onednn")
    found = []
    for lane in lanes:
        framework, _, variant = lane.partition("-")
        records = tuple(
            Record(framework, variant, f"{lane}-{n:06d}", "float32", "forward",
                   f"i{n % 97 + 1}x{n % 89 + 1} k{n % 7 + 1}x{n % 5 + 1} s{n % 4 + 1} p{n % 3} g{n % 3 + 1}",
                   Verdict.CONFORMS if n % 10 else Verdict.DIVERGES, kind="" if n % 10 else "value",
                   message="" if n % 10 else f"{n} of {2 * n} values differ")
            for n in range(MANY // len(lanes))
        )  # fmt: skip
        header = Header(framework, variant, "core", ("float32",), ("forward",), "c", len(records), "o")
        found.append(Run(header, records, True))
    place = tmp_path_factory.mktemp("large")
    write_report(Site(found), place / "index.html")
    return place


@pytest.mark.parametrize("name", ["index.html", "site/search.html", "site/maps.html"])
def test_the_first_paint_of_a_hundred_thousand_records_is_fast(large: Path, opened: Opening, name: str) -> None:
    page = opened(address(large, name))
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    print(f"{name}: first paint after {paint:.0f} ms")
    assert paint < FIRST_PAINT_MS


@pytest.mark.parametrize(
    "query",
    ["verdict:diverges", "framework:jax verdict:diverges stride>kernel groups>1", "values differ", "000", "-stride>1"],
)
def test_a_filter_of_a_hundred_thousand_records_is_fast(large: Path, opened: Opening, query: str) -> None:
    page = opened(address(large, "site/search.html"))
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.focus("#query")
    page.wait_for_function("() => window.conformance.loaded")
    before = cpu_ms(session)
    page.evaluate("(text) => { conformance.answered = 0; location.hash = encodeURIComponent(text); }", query)
    page.wait_for_function("() => conformance.answered")
    cpu, answered = cpu_ms(session) - before, page.evaluate("conformance.answered")
    print(f"{query}: shown after {answered:.0f} ms, of which the page's thread computed {cpu:.0f}")
    assert cpu < FILTER_MS


def cpu_ms(session: CDPSession) -> float:
    """Milliseconds of CPU time that the main thread of a page has taken, which other processes do not lengthen."""
    metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return 1000 * float(metrics["TaskDuration"])
