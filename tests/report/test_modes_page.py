"""The page of modes: from the files of `conformance audit modes`, or without one."""

import json
from html import unescape
from pathlib import Path

import pytest

from conformance.audit.modes.findings import ModesError, read
from conformance.report.site import Site, pages

MEASURED = [
    {
        "problem": "i9 k2",
        "dtype": "float64",
        "mode": "onnx-script",
        "does": ["refused"],
        "message": "Not <implemented>",
    },
    {
        "problem": "i2 k2",
        "dtype": "float64",
        "mode": "onnx-script",
        "does": ["refused"],
        "message": "Not <implemented>",
    },
    {"problem": "i3 k2", "dtype": "float32", "mode": "vmap", "does": ["wrong"], "message": ""},
    {"problem": "i4 k2", "dtype": "float32", "mode": "vmap", "does": [], "message": ""},
    {"problem": "i5 k2", "dtype": "float32", "mode": "eager", "does": ["crashed"], "message": "SIGSEGV"},
]


def page(folder: Path, measured: object) -> str:
    document = {"lane": "torch-eager", "suite": "smoke", "departures": [], "measured": measured}
    folder.joinpath("torch-eager-smoke.json").write_text(json.dumps(document))
    return dict(pages(Site([], modes=read(folder))))["modes.html"]


def test_a_finding_has_its_smallest_problem_and_the_reason_that_is_stated(tmp_path: Path) -> None:
    page(tmp_path, MEASURED)
    modes = read(tmp_path)
    assert modes is not None
    stated, new = modes.otherwise
    assert (stated.mode, stated.calls, stated.smallest) == ("onnx-script", 2, "i2 k2")
    assert stated.reason.startswith("ONNX Runtime has no ConvTranspose of float64")
    assert (new.mode, new.does, new.reason) == ("vmap", "answers wrong where eager execution answers right", "")
    assert [(row.mode, row.asked, row.as_eager) for row in modes.asked] == [
        ("onnx-script", 2, 0),
        ("vmap", 2, 1),
    ]


def test_the_page_names_what_nobody_stated_and_links_the_reason(tmp_path: Path) -> None:
    html = page(tmp_path, MEASURED)
    assert html.count("Nobody stated it.") == 1
    assert "Not &lt;implemented&gt;" in html
    assert 'href="https://github.com/microsoft/onnxruntime/issues/11453' in html
    assert "conformance audit modes torch --variant eager --suite smoke --mode vmap --dtype float32" in html
    assert "SIGSEGV" not in html


def test_a_run_in_which_all_was_as_in_eager_execution_says_so(tmp_path: Path) -> None:
    assert "every call was answered as in eager execution" in page(tmp_path, MEASURED[3:4])


def test_without_files_the_page_says_how_to_make_them(tmp_path: Path) -> None:
    assert "conformance audit modes torch" in unescape(dict(pages(Site([], modes=read(tmp_path))))["modes.html"])


def test_another_file_is_one_line_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "torch-eager-smoke.json").write_text('{"lane": "torch-eager"}')
    with pytest.raises(ModesError, match=r"torch-eager-smoke\.json: not as this version writes it .*: write it again"):
        read(tmp_path)
