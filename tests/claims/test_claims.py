"""The claims: read strictly, judged so that no verdict is free, and shown as they are on file."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from click.testing import CliRunner

from conformance import adapters, oracle
from conformance.adapters.base import Call, Lane
from conformance.adapters.operators.base import Convolution
from conformance.analysis.content import literature
from conformance.claims import judgement
from conformance.claims.checks import CHECKS, Bench
from conformance.claims.checks.base import CheckError, sweep
from conformance.claims.judgement import Finding, Weighed, examine
from conformance.claims.ledger import ARRAYS, Claim, ClaimError, Standing, find, folder, read_claims, suite
from conformance.cli import commands
from conformance.layout import Array
from conformance.predicates.predicate import PredicateError, relation
from conformance.problem import Problem
from conformance.records.record import Header, Record, Run, Verdict
from conformance.records.reproduction import reproduction
from conformance.report import Site
from conformance.report.site import pages

LEDGER = {
    "000.toml": (13, 1, 0, 1), "001.toml": (60, 26, 9, 3), "002.toml": (10, 4, 3, 4), "003.toml": (16, 5, 0, 2),
    "004.toml": (15, 4, 0, 1),
}  # fmt: skip
"""How many claims of each document are confirmed, true only when, refuted and not checkable."""

ANYWHERE = {
    "transposed-size", "convolution-size", "round-trip", "shape", "pairs", "figures", "multiplications", "recipe",
    "insertion", "output-padding", "convolution-example", "transposed-example", "convolution-rows",
    "transposed-columns", "restoration", "printed-matrix", "patch", "overlap", "dense-twin",
}  # fmt: skip
"""Measurements that need nothing but the two operators, which NumPy has too."""


def convolve(convolutions: Sequence[Convolution]) -> list[Array]:
    """Ordinary convolutions as the transposes of transposed ones, by their matrices."""
    return [_convolved(each) for each in convolutions]


def _convolved(each: Convolution) -> Array:
    assert not isinstance(each.padding, str)
    extents = zip(each.x.shape[2:], each.weight.shape[2:], each.stride, each.padding, each.dilation, strict=True)
    out = [divmod(i + 2 * p - d * (k - 1) - 1, s) for i, k, s, p, d in extents]
    groups, (filters, depth) = each.groups, each.weight.shape[:2]
    problem = Problem.of(
        [o + 1 for o, _ in out], each.weight.shape[2:], each.stride, [(p, p) for p in each.padding],
        [rest for _, rest in out], each.dilation, groups=groups, in_channels=filters // groups, out_channels=depth,
    )  # fmt: skip
    matrix = oracle.matrix(problem, each.weight)
    flat = each.x.reshape(len(each.x), groups, -1)
    found: Array = np.einsum("gio,ngo->ngi", matrix, flat).reshape(-1, filters, *problem.input).astype(np.float32)
    return found


def bench(fault: str = "") -> Bench:
    """A bench on which everything is right but for one fault of the transposed convolution."""

    def answer(problem: Problem, x: Array, weight: Array, bias: Array | None) -> Array:
        if fault == "reversed":
            weight = np.flip(weight, tuple(range(2, weight.ndim)))
        if fault == "swapped" and weight.shape[0] == weight.shape[1]:
            weight = weight.swapaxes(0, 1)
        y = oracle.expected(problem, x, weight, bias)
        if fault == "appended" and bias is not None:
            extents = [(0, 0), (0, 0), *((0, op) for op in problem.output_padding)]
            short = oracle.expected(replace(problem, output_padding=(0, 0)), x, weight, bias)
            y = np.pad(short, extents, constant_values=bias[0])
        return y[:, :, :-1] if fault == "short" and max(problem.stride) > 1 else y

    adapter = SimpleNamespace(
        BLOCK=1, REFUSALS=(ArithmeticError,), translate=lambda *question: Call(answer, question),
        run=lambda calls: [np.asarray(call(), np.float32) for call in calls], array=lambda result: result,
    )  # fmt: skip
    return Bench(Lane("torch", "eager"), cast(Any, adapter), cast(Any, SimpleNamespace(convolve=convolve, RESIZES=())))


MEASURABLE = [
    claim
    for claim in read_claims()
    if claim.applies("torch") and {test.measure for test in claim.tests_on("torch")} <= ANYWHERE
]


def test_the_ledger_is_whole() -> None:
    found = {
        document: tuple(
            sum(claim.source == document and claim.standing is standing for claim in read_claims())
            for standing in Standing
        )
        for document in LEDGER
    }
    assert found == LEDGER
    assert sum(map(sum, found.values())) == 177


def test_every_framework_is_asked_and_every_measurement_made() -> None:
    counts = {name: len(suite(name, "").cases) for name in adapters.frameworks() if adapters.has_operators(name)}
    assert min(counts.values()) > 100
    assert {test.measure for claim in read_claims() for test in claim.tests} == set(CHECKS)


@pytest.mark.parametrize("claim", MEASURABLE, ids=[claim.id for claim in MEASURABLE])
def test_a_verdict_is_earned_where_both_operators_are_right(claim: Claim) -> None:
    assert examine(claim, bench()).fault == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "at_least"),
    [
        ("reversed", {"D0-07", "D1-10", "D3-14", "D3-16", "D4-01"}),
        ("swapped", {"D1-10", "D3-20"}),
        ("short", {"D1-24", "D1-44", "D4-07", "S-02"}),
        ("appended", {"D1-80", "D1-80b"}),
    ],
)
def test_a_fault_costs_claims_their_verdict(fault: str, at_least: set[str]) -> None:
    assert {find(id).id for id in at_least} == at_least
    for id in at_least:
        assert examine(find(id), bench(fault)).fault, id


@pytest.mark.parametrize("text", ["nn.ConvTranspose2d(2, 3, 3, bias=False)", "F.conv_transpose2d(x, w)"])
def test_a_layer_has_no_weight_to_be_given_and_a_function_has(text: str) -> None:
    point = bench().point(text, np.ones((1, 2, 4, 5), np.float32), np.ones((2, 3, 3, 3), np.float32))
    assert point.claim.problem == Problem.parse("i4x5 k3 ic2 oc3")


def finding(id: str, *trials: tuple[bool, bool | None, bool | None]) -> Finding:
    """A claim with trials that are (inside, law, truth)."""
    return Finding(find(id), tuple(Weighed({"n": at}, *each) for at, each in enumerate(trials)))


CONFIRMED, CONDITIONAL, REFUTED, ACROSS = "D0-01", "D1-24", "D1-92", "D1-06"


@pytest.mark.parametrize(
    ("id", "trials", "fault"),
    [
        (CONFIRMED, [(True, True, None)], ""),
        (CONFIRMED, [(True, True, None), (True, False, None)], "found refuted: the law fails at n=1"),
        (CONFIRMED, [], "found not-checkable"),
        (CONFIRMED, [(True, True, None), (True, None, False)], "the correction does not hold at n=1"),
        (REFUTED, [(True, False, True)], ""),
        (REFUTED, [(True, True, True)], "found confirmed"),
        (REFUTED, [(True, False, False)], "the correction does not hold"),
        (CONDITIONAL, [(True, True, None), (False, False, None), (False, True, None)], ""),
        (CONDITIONAL, [(True, True, None), (False, True, None)], "found confirmed"),
        (CONDITIONAL, [(True, False, None), (False, False, None)], "found refuted"),
        (CONDITIONAL, [(False, False, None)], "no trial is inside of the condition"),
        (ACROSS, [(True, True, None)], ""),
        (ACROSS, [(False, False, None)], ""),
        (ACROSS, [(True, False, None)], "found refuted"),
    ],
)
def test_a_verdict_is_earned_or_the_fault_is_named(id: str, trials: list[Any], fault: str) -> None:
    found = finding(id, *trials)
    assert (fault in found.fault) if fault else not found.fault


def test_conditions_are_tried_from_both_sides() -> None:
    found = examine(find("D1-25"), bench())
    inside = [each for each in found.trials if each.inside]
    outside = [each for each in found.trials if each.law is not None and not each.inside]
    assert all(each.law for each in inside)
    assert not any(each.law for each in outside)
    assert len(inside) > 100 < len(outside)
    assert str(found).startswith(f"true-only-when: {len(inside)} of {len(inside)} trials hold inside")


GOOD = """
document = "a.txt"
[[claim]]
id = "D9-01"
section = "1"
claim = "It grows."
domain = "all"
verdict = "confirmed"
[[claim.check]]
measure = "transposed-size"
i = "1..3"
k = 3
law = "o > i"
"""


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Reads a ledger of one document."""
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims/arrays.toml").write_text("K = [[1, 2], [3, 4]]\n")
    monkeypatch.setenv("CONFORMANCE_CASES", str(tmp_path))

    def read(text: str) -> tuple[Claim, ...]:
        (tmp_path / "claims/900.toml").write_text(text)
        return read_claims.__wrapped__()

    return read


def test_a_good_claim_is_read(ledger: Any) -> None:
    (claim,) = ledger(GOOD)
    assert (claim.id, claim.document, claim.source, claim.standing) == ("D9-01", "a.txt", "900.toml", "confirmed")
    assert examine(claim, bench()).fault == ""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("domain", "domian", "unknown key 'domian', the nearest is 'domain'"),
        ('section = "1"\n', "", "'section' is missing"),
        ('"It grows."', '" "', "claim is ' ': give text"),
        ("D9-01", "nine", "the id is not like D1-92"),
        ('"confirmed"', '"probably"', "no verdict 'probably': those are confirmed, true-only-when, refuted"),
        ('"confirmed"', '"not-checkable"', "is not-checkable with 1 laws"),
        ('"confirmed"', '"refuted"', "refuted without a correction"),
        ('"confirmed"', '"true-only-when"', "'when' is for what is true-only-when, and it needs one"),
        ('law = "o > i"', 'law = "o > i"\nwhen = "k > 1"', "'when' is for what is true-only-when"),
        ('law = "o > i"', "", "is measured for nothing"),
        ('"o > i"', '"o > j"', "there is no name 'j' here"),
        ('"o > i"', '"o > __import__(1)"', "is not allowed here"),
        ("transposed-size", "transposed-sise", "the nearest is 'transposed-size'"),
        ("k = 3", "kernel = 3", "unknown key 'kernel'"),
        ("k = 3", "k = '@KAY'", "there is no array '@KAY' in arrays.toml: those are K"),
        ("k = 3", 'k = 3\nframeworks = ["caffe"]', "no framework ['caffe']"),
        ("document", "documents", "unknown key 'documents'"),
    ],
)
def test_a_bad_claim_is_refused(ledger: Any, old: str, new: str, message: str) -> None:
    with pytest.raises(ClaimError, match=re.escape(message)):
        ledger(GOOD.replace(old, new, 1))


def test_an_id_stands_once(ledger: Any) -> None:
    with pytest.raises(ClaimError, match=r"D9-01: the id stands in 900\.toml too"):
        ledger(GOOD + GOOD.replace('document = "a.txt"\n', ""))


def test_a_relation_speaks_of_its_own_numbers_only() -> None:
    assert relation("(i - 1)*s + k == o and not bad", {"i", "s", "k", "o", "bad"})(
        {"i": 3, "s": 2, "k": 3, "o": 7, "bad": False}
    )
    for text in ("i + stride", "any(i)", "i.real", "(lambda: i)()"):
        with pytest.raises(PredicateError):
            relation(text, {"i"})


def test_sweeps_are_ranges_lists_and_single_values() -> None:
    assert list(sweep("i > k", i="1..3", k=[1, 2], s=2)) == [
        {"i": 2, "k": 1, "s": 2}, {"i": 3, "k": 1, "s": 2}, {"i": 3, "k": 2, "s": 2}
    ]  # fmt: skip
    with pytest.raises(CheckError, match=re.escape("i is '1..x': give a number, a list or a range")):
        list(sweep(i="1..x"))


def test_no_claim_is_a_sentence_of_another() -> None:
    texts = [" ".join(claim.claim.split()) for claim in read_claims()]
    assert all(len(text) < 260 for text in texts)


def _run(claim: Claim, verdict: Verdict = Verdict.CONFORMS) -> Run:
    record = Record("torch", "eager", claim.id, "float32", "forward", "asked", verdict, message="5 of 5", idiom="claim")
    header = Header(
        "torch", "eager", "claims", ("float32",), ("forward",), "", 1, "", environment={"torch": "2.13.0"},
        started="2026-11-22T01:02:03",
    )  # fmt: skip
    return Run(header, (record,), True)


def _page(run: Run) -> str:
    site = Site([run], literature=literature.build(read_claims(), [run]))
    return dict(pages(site))["literature.html"]


def test_the_page_has_every_claim_and_where_it_was_checked() -> None:
    page = _page(_run(find("D1-92")))
    assert all(f'id="{claim.id}"' in page for claim in read_claims())
    assert all(claim.document in page for claim in read_claims())
    assert "Earned in torch-eager 2.13.0" in page
    assert "torch-eager 2.13.0, 2026-11-22: 5 of 5" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "NOT EARNED" in _page(_run(find("D1-92"), Verdict.DIVERGES))


def test_the_witness_is_one_pixel_off() -> None:
    witness = literature.build(read_claims(), ()).witness
    assert witness is not None
    assert (witness.input, witness.output, witness.full) == (7, 14, 17)
    assert witness.cut == (1, 2)
    assert witness.published == (2, 1)
    assert witness.drawing.count("<rect") == 17 + 14 + 14


def test_every_figure_is_drawn_to_scale() -> None:
    figures = literature.build(read_claims(), ()).figures
    assert len(figures) == 16
    for figure in figures:
        outputs = figure.drawing.count("cell same")
        assert outputs == figure.o**2
        assert figure.drawing.count("real") == figure.i**2
        extent = (figure.i - 1) * figure.step + 1 + sum(figure.border)
        reach = extent - figure.dilation * (figure.k - 1) - 1
        assert figure.step > 1 or "strides" in figure.name or reach + 1 == figure.o


def test_the_errata_are_what_the_claims_say() -> None:
    result = CliRunner().invoke(commands, ["claims", "errata", "--check"], standalone_mode=False)
    assert result.return_value == 0, result.output
    text = (Path(__file__).parents[2] / "docs/errata.md").read_text(encoding="utf-8")
    wrong = [claim.id for claim in read_claims() if claim.standing in (Standing.REFUTED, Standing.TRUE_ONLY_WHEN)]
    assert re.findall(r"^- \*\*(\S+)\*\*", text, re.MULTILINE) == wrong


def test_a_claim_is_shown_with_its_place_and_correction() -> None:
    output = CliRunner().invoke(commands, ["claims", "show", "d1-92"], standalone_mode=False).output
    assert "D1-92 (Transposed convolution in PyTorch, TensorFlow and Keras" in output
    assert "IV.4.2 step 2; cases/claims/001.toml)" in output
    assert "verdict: refuted" in output
    assert "truth: o == 14 and lo == 1 and hi == 2" in output


def test_claims_are_listed_by_verdict_and_framework() -> None:
    output = CliRunner().invoke(commands, ["claims", "list", "--verdict", "refuted"], standalone_mode=False).stdout
    assert len(output.splitlines()) == 12
    asked = CliRunner().invoke(commands, ["claims", "list", "--framework", "mxnet"], standalone_mode=False).stdout
    assert "D2-18" in asked
    assert "D1-87" not in asked


def test_an_unknown_claim_has_a_neighbour() -> None:
    with pytest.raises(ClaimError, match=re.escape("there is no claim 'D1-92c', the nearest is 'D1-92")):
        find("D1-92c")


def test_a_claim_says_how_it_is_checked_again() -> None:
    (record,) = _run(find("D1-92")).records
    assert reproduction(record) == "conformance claims check D1-92 --framework torch --variant eager"


def test_shared_arrays_are_used() -> None:
    arrays = tomllib.loads((folder() / ARRAYS).read_text())
    text = "".join(path.read_text() for path in folder().glob("[0-9s]*.toml"))
    assert [name for name in arrays if f'"@{name}"' not in text] == []


def test_trials_have_one_digest() -> None:
    one, other = (examine(find("D1-24"), bench(fault)) for fault in ("", "short"))
    assert judgement.digest(one) == judgement.digest(examine(find("D1-24"), bench()))
    assert judgement.digest(one) != judgement.digest(other)
