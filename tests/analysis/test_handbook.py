"""The handbook says what the catalogue says, in Markdown and in HTML, and what runs have proved."""

import re
from pathlib import Path

import pytest

from conformance import idioms
from conformance.analysis import proofs
from conformance.analysis.content import handbook
from conformance.analysis.proofs import LaneProofs, Proof, Proofs
from conformance.calls import copies
from conformance.cli.conventions import command
from conformance.idioms import laws
from conformance.records import record_file
from conformance.records.record import IDIOMS, Header, Record, Run, Verdict
from conformance.report import Site
from conformance.report.content.handbook import Handbook, markdown
from conformance.report.site import pages


@pytest.fixture(scope="module")
def book() -> Handbook:
    proved = LaneProofs("2.13.0", "2026-11-22", {"torch-functional/padding": Proof(answered=12, refused=3)})
    return handbook.build(Proofs({"torch-eager": proved}))


@pytest.mark.slow
def test_every_law_and_idiom_is_in_it(book: Handbook) -> None:
    text = markdown(book)
    assert all(f"### {law.title}\n" in text for law in laws.LAWS)
    ids = [each.id for framework in idioms.frameworks() for each in idioms.idioms(framework)]
    assert all(f"### {name}\n" in text for name in ids)
    assert (
        "torch-functional/padding on torch-eager 2.13.0, 2026-11-22: 12 answered as claimed, 3 refused as claimed"
        in text
    )


def test_the_witness_of_same_shows_the_pixel_between_the_frameworks(book: Handbook) -> None:
    (same,) = [law for law in book.laws if law.id == "same"]
    tensorflow, torch = same.shown[:2]
    assert (tensorflow.window, torch.window) == ("(1, 2)", "(2, 1)")
    assert tensorflow.y.split()[1:] == torch.y.split()[:-1]
    assert set(same.shared) == {"jax", "tensorflow"}


def test_every_law_is_followed_by_some_framework(book: Handbook) -> None:
    assert all(law.shared for law in book.laws)


def test_every_ordered_pair_of_frameworks_has_copied_calls(book: Handbook) -> None:
    pairs = {(each.source, each.target) for each in book.copies}
    names = [name for name in idioms.frameworks() if any(idiom.copied for idiom in idioms.idioms(name))]
    assert pairs == {(a, b) for a in names for b in names if a != b}
    assert {each.kind for each in book.copies} == {"same", "other values", "other shape", "refused"}
    assert all(each.how for each in book.copies if each.kind != "same")


@pytest.mark.slow
@pytest.mark.parametrize("rank", [1, 3])
def test_copying_gives_the_same_kind_of_result_in_every_rank(rank: int) -> None:
    pairs = {(each.source.idiom.id, each.target) for each in copies.outcomes(rank)}
    assert len(pairs) == 24


def test_torch_padding_copied_to_jax_shifts_the_window_and_reverses_the_taps() -> None:
    found = [
        each
        for each in copies.outcomes(2)
        if each.source.text == "torch.nn.functional.conv_transpose2d(x, w, stride=2)" and "jax" in each.target
    ]
    (each,) = found
    assert each.kind == "other shape"
    assert each.how == "taps reversed on axes 0 and 1 and window (2, 2) x (2, 2) for (0, 0) x (0, 0)"


def test_the_page_stands_alone_and_draws_every_witness(book: Handbook) -> None:
    page = dict(pages(Site([], handbook=book)))["conventions.html"]
    assert not re.search(r"https?://|src=(?!\"(site|checkerboard)\.js\")", page)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    links = set(re.findall(r'<a href="([^"]+)"', page))
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids) | {"main"}
    assert page.count("<h1>") == 1
    assert "<img" not in page
    assert page.count('class="window expected"') == sum(len(law.shown) for law in book.laws) + len(book.taps)


def record(case: str, idiom: str, claimed: str, verdict: Verdict) -> Record:
    return Record("torch", "eager", case, "float32", "forward", "i2 k2", verdict, idiom=idiom, claimed=claimed)


def test_evidence_counts_what_held_what_was_refused_and_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = (
        record("a", "torch-layer/padding", "conforms", Verdict.CONFORMS),
        record("b", "torch-layer/padding", "rejects", Verdict.REJECTS),
        record("c", "torch-layer/padding", "conforms", Verdict.REJECTS),
        record("d", "torch-layer/padding", "rejects", Verdict.ACCEPTS_INVALID),
        record("e", "torch-layer/padding", "conforms", Verdict.DIVERGES),
    )
    header = Header("torch", "eager", IDIOMS, ("float32",), ("forward",), "", 5, "", environment={"torch": "2.13.0"},
                    started="2026-11-22T01:02:03+00:00")  # fmt: skip
    found = proofs.collect([Run(header, records, True)], lambda each: "a-fault" if each.case == "e" else "")
    proof = Proof(answered=1, refused=1, known={"a-fault": 1}, failed=2)
    assert found.lanes == {"torch-eager": LaneProofs("2.13.0", "2026-11-22", {"torch-layer/padding": proof})}
    monkeypatch.setenv("CONFORMANCE_CASES", str(tmp_path))
    assert proofs.read() == Proofs({})
    proofs.write(found)
    assert proofs.read() == found
    assert list(found.of("torch-layer/padding")) == [
        "torch-layer/padding on torch-eager 2.13.0, 2026-11-22: "
        "1 answered as claimed, 1 refused as claimed, 1 of the known fault a-fault, 2 FAIL"
    ]


def test_a_weight_handed_over_unconverted_is_refused_or_silently_swapped(book: Handbook) -> None:
    results = {(layout, taken): rest for layout, taken, *rest in book.given}
    assert results["k o (g i)", "k i o"] == ["refused", *["in and out channels of the weight swapped"] * 2]
    assert results["(g i) o k", "k o (g i)"] == ["refused", "refused", "other values"]


@pytest.mark.parametrize(
    "text", ["[", "[]", '{"a": 1}', '{"a": {"version": "", "date": "", "claims": {"b": {"c": 1}}}}']
)
def test_evidence_that_nobody_wrote_is_told_in_a_line(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFORMANCE_CASES", str(tmp_path))
    (tmp_path / "proved.json").write_text(text)
    with pytest.raises(
        proofs.EvidenceError, match=r"proved.json: is not as `conformance generate conventions --records`"
    ):
        proofs.read()


def test_check_writes_nothing_though_records_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = Header("torch", "eager", IDIOMS, ("float32",), ("forward",), "", 1, "", environment={"torch": "2.13.0"},
                    started="2026-11-22T01:02:03+00:00")  # fmt: skip
    records = (record("a", "torch-layer/padding", "conforms", Verdict.CONFORMS),)
    (tmp_path / "records").mkdir()
    record_file.write(tmp_path / "records" / "torch-eager-idioms.jsonl", Run(header, records, True))
    monkeypatch.setenv("CONFORMANCE_CASES", str(tmp_path))
    (tmp_path / "proved.json").write_text("{}")
    words = ["--records", str(tmp_path / "records"), "--to", str(tmp_path / "book.md")]
    checked: int = command.main([*words, "--check"], standalone_mode=False)
    assert checked == 1
    assert (tmp_path / "proved.json").read_text() == "{}"
    assert not (tmp_path / "book.md").exists()
    assert command.main(words, standalone_mode=False) == 0
    assert "torch-layer/padding" in proofs.read().lanes["torch-eager"].claims
    assert command.main([*words, "--check"], standalone_mode=False) == 0
