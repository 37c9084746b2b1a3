"""Record files of an implementation from outside can be read without it, and what cannot be done without it says so."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runner.test_lane_run import ADAPTERS

NAMES = "CONFORMANCE_ADAPTERS"


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that diverges, made with the adapter."""
    folder = tmp_path_factory.mktemp("records")
    ended, out = conformance(
        "run", "oracle_adapter", "--variant", "single", "--suite", "smoke", "--dtype", "float32",
        "--case", "smoke-1d-01", "--records", str(folder), **{NAMES: str(ADAPTERS), "FAULT": "wrong@"},
    )  # fmt: skip
    assert ended == 1, out
    made = folder / "partial" / "oracle_adapter-single-smoke.jsonl"
    assert f"why they diverge: conformance diagnose {made}" in out
    return made.parent


def conformance(*words: str, **variables: str) -> tuple[int, str]:
    """The exit status and all output of a command, without adapters from outside unless they are given."""
    environment = {name: value for name, value in os.environ.items() if name != NAMES}
    done = subprocess.run(
        [sys.executable, "-m", "conformance", *words], env=environment | variables, timeout=300,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (("report", "--records", "{folder}", "--to", "{to}"), 1, "oracle_adapter-single: diverges in 1 record"),
        (
            ("report", "--records", "{folder}", "--to", "{to}"),
            1,
            "oracle_adapter: its adapter is not here and nothing is known of what it does (--expectations "
            f"oracle_adapter=FILE): set {NAMES} to its folder, or install its package",
        ),
        (("expect", "check", "--records", "{folder}"), 1, "oracle_adapter: 0 expectations"),
        (("diagnose", "{file}"), 1, "1 of 1: unexplained"),
        (("domain", "--records", "{folder}"), 0, "oracle_adapter-single"),
        (("domain", "--passes", "--records", "{folder}"), 0, "oracle_adapter-single forward float32"),
        (("diff", "{folder}", "{folder}"), 0, "1 run, 1 case compared: nothing changed"),
        (("confirm", "{file}"), 2, f"of oracle_adapter, whose adapter is not here: set {NAMES} to the folder"),
    ],
)
def test_a_verb_needs_no_adapter_or_says_how_to_give_it(
    tmp_path: Path, records: Path, words: tuple[str, ...], status: int, text: str
) -> None:
    given = {"folder": str(records), "file": str(next(records.glob("*.jsonl"))), "to": str(tmp_path / "out")}
    ended, out = conformance(*(word.format(**given) for word in words))
    assert text in out
    assert "Traceback" not in out
    assert ended == status, out


@pytest.mark.slow
def test_a_report_of_a_night_expects_each_lane_of_the_adapters_that_are_given_and_none_of_this_package(
    tmp_path: Path, records: Path
) -> None:
    for name in ("oracle_adapter.py", "region_adapter.py"):
        (tmp_path / "adapters").mkdir(exist_ok=True)
        shutil.copy(ADAPTERS / name, tmp_path / "adapters")
    words = ("report", "--records", str(records), "--to", str(tmp_path / "to"))
    ended, out = conformance(*words, "--lane", "nightly", **{NAMES: str(tmp_path / "adapters")})
    assert ended == 3, out
    for lane in ("oracle_adapter-other", "region_adapter-only"):
        assert f"{lane}: it is expected, and has no record" in out
    assert "torch-eager" not in out


@pytest.mark.slow
def test_a_report_judges_what_was_run_and_names_what_was_not(tmp_path: Path, records: Path) -> None:
    (tmp_path / "adapters").mkdir()
    shutil.copy(ADAPTERS / "region_adapter.py", tmp_path / "adapters")
    words = ("report", "--records", str(records), "--to", str(tmp_path / "to"))
    ended, out = conformance(*words, **{NAMES: str(tmp_path / "adapters")})
    assert ended == 1, out  # for what its only record shows
    assert "expected" not in out.splitlines()[-1]
    assert (
        "not run, so not judged: region_adapter-only; with --lane LANE, or --lane nightly, a lane must be there" in out
    )


@pytest.mark.slow
def test_a_report_is_shown_in_the_browser_that_is_named(tmp_path: Path, records: Path) -> None:
    (tmp_path / "adapters").mkdir()
    shutil.copy(ADAPTERS / "oracle_adapter.py", tmp_path / "adapters")
    browser, shown, page = tmp_path / "browser", tmp_path / "shown", tmp_path / "to" / "index.html"
    browser.write_text(f'#!/bin/sh\necho "$1" > {shown}\n')
    browser.chmod(0o755)
    variables = {NAMES: str(tmp_path / "adapters"), "BROWSER": f"{browser} %s"}
    _, out = conformance("report", "--records", str(records), "--to", str(page), "--open", **variables)
    assert shown.exists(), out
    assert shown.read_text() == f"{page.as_uri()}\n"


def test_confirmation_of_an_implementation_without_idioms_says_what_to_do_instead(records: Path) -> None:
    made = next(records.glob("*.jsonl"))
    ended, out = conformance("confirm", str(made), **{NAMES: str(ADAPTERS)})
    assert ended == 2
    assert f"`conformance diagnose {made}` says why" in out


@pytest.mark.parametrize("kind", ["absent", "empty"])
def test_a_folder_without_adapters_is_named(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / kind
    if kind == "empty":
        folder.mkdir()
    ended, out = conformance("one", "torch", "i3 k2", **{NAMES: str(folder)})
    assert ended == 2
    assert f"{NAMES} names {folder}, which " in out
    assert out.count("\n") == 1


def test_a_lane_that_one_folder_lacks_is_named_with_the_command_that_makes_it(tmp_path: Path, records: Path) -> None:
    both, one = tmp_path / "both", tmp_path / "one"
    for folder in (both, one):
        shutil.copytree(records, folder)
    (other,) = both.glob("*.jsonl")
    text = other.read_text(encoding="utf-8").replace("single", "double")
    (both / "oracle_adapter-double-smoke.jsonl").write_text(text, encoding="utf-8")
    ended, out = conformance("diff", str(both), str(one), "--html", str(tmp_path / "page.html"))
    assert ended == 3
    assert f"conformance run oracle_adapter --variant double --suite smoke --records {one}" in out
    assert str(tmp_path / "page.html") in out
