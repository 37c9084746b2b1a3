"""A framework is listed once, by its adapter; every other place that names frameworks agrees."""

import ast
import configparser
import re
import tomllib
from pathlib import Path

import pytest

from conformance import adapters
from conformance.adapters import AdapterError, modes
from conformance.adapters.base import Lane
from conformance.records import record, record_file
from conformance.records.record import Verdict
from conformance.runner.selection import NIGHTLY, nightly, weekly
from conformance.suites import references
from conformance.suites.cases import PROBES
from tests.adapters import forget_adapters

ROOT = Path(__file__).parent.parent
TOX = configparser.ConfigParser(interpolation=None)
TOX.read(ROOT / "tox.ini")
MODES = {f"modes-{name}" for name in modes.frameworks()}
PRODUCT = {f"product-{name}" for name in adapters.frameworks() if adapters.has_operators(name)}
"""The whole product of dtypes and passes is of the frameworks that every suite is for."""
LABELS = dict(re.findall(r"(\w+) = (.*)", TOX["tox"]["labels"]))


def test_tox_has_an_environment_for_each_framework() -> None:
    plain = {"programs", "cluster", "replay", "findings", "report", "tests", "quick", "lint", "browser", "fuzz",
             "readme"}  # fmt: skip
    environments = {name.partition(":")[2] for name in TOX.sections() if ":" in name}
    assert environments - plain - MODES - PRODUCT == set(adapters.frameworks())
    assert environments >= MODES | PRODUCT


@pytest.mark.parametrize(
    ("label", "rest"),
    [("weekly", {"programs", "findings", "report", *MODES, *PRODUCT}), ("nightly", {"programs", "report"})],
)
def test_tox_labels_run_every_framework(label: str, rest: set[str]) -> None:
    assert set(LABELS[label].split(", ")) == {*adapters.frameworks(), *rest}


@pytest.mark.parametrize(("label", "rest"), [("smoke", set()), ("machines", set()), ("test", {"lint", "tests"})])
def test_tox_labels_for_every_suite_run_the_frameworks_that_have_operators(label: str, rest: set[str]) -> None:
    assert set(LABELS[label].split(", ")) == {*filter(adapters.has_operators, adapters.frameworks()), *rest}


def test_a_night_has_the_suites_that_tox_runs() -> None:
    assert re.findall(r"--suite (\S+)", TOX["nightly"]["suites"]) == list(NIGHTLY)


def test_the_workflow_runs_every_framework() -> None:
    workflow = (ROOT / ".github/workflows/nightly.yml").read_text()
    listed = re.search(r"framework: \[(.*)\]", workflow)
    assert listed
    assert listed[1].split(", ") == sorted(adapters.frameworks())


def test_the_weekly_workflow_runs_what_no_night_runs() -> None:
    workflow = (ROOT / ".github/workflows/weekly.yml").read_text()
    listed = re.search(r"environment: \[(.*)\]", workflow)
    assert listed
    more = {name for name in adapters.frameworks() if nightly(name) != weekly(name)}
    assert set(listed[1].split(", ")) == {*more, *MODES, *PRODUCT, "replay"}
    often = re.findall(r"CONFORMANCE_OFTEN\"?: \"?(\w+)", workflow + (ROOT / "toxfile.py").read_text())
    assert often == ["weekly", "weekly"]


def test_a_week_has_all_that_a_night_has_and_both_have_sixteen_lanes_beside_the_four_frameworks() -> None:
    assert all({*nightly(name)} <= {*weekly(name)} for name in adapters.frameworks())
    programs = (tomllib.loads(path.read_text())["variants"] for path in ROOT.glob("programs/*.toml"))
    beside = [lane for lane in adapters.lanes() if not adapters.has_operators(lane.framework)]
    assert len(beside) + sum(map(len, programs)) >= 16


def test_the_report_of_a_night_reads_what_is_known_of_programs_from_beside_them() -> None:
    assert "CONFORMANCE_ADAPTERS = {tox_root}{/}programs" in TOX["testenv:report"]["set_env"]
    workflow = (ROOT / ".github/workflows/nightly.yml").read_text()
    assert "CONFORMANCE_ADAPTERS: programs" in workflow.partition("\n  report:\n")[2].partition("    steps:")[0]


def test_the_workflow_compares_nights_of_one_oracle() -> None:
    workflow = (ROOT / ".github/workflows/nightly.yml").read_text()
    (by,) = re.findall(r"by=\$\{\{ hashFiles\((.*)\) \}\}", workflow)
    made_by = {
        Path(str(module.__file__)).relative_to(ROOT).as_posix()
        for module in (*references.SOURCES, *references.BACKWARD_SOURCES, record, record_file)
    }
    assert set(re.findall(r"'([^']*)'", by)) == made_by


def test_import_rules_hold_adapters_apart_from_each_other() -> None:
    rules = (ROOT / "pyproject.toml").read_text()
    assert {f"conformance.adapters.{name}" for name in adapters.frameworks()} == set(
        re.findall(r'"(conformance\.adapters\.\w+)",?', rules.split('id = "adapters-apart"')[1].split("[[")[0])
    )


def test_the_readme_names_every_lane() -> None:
    readme = (ROOT / "README.md").read_text()
    lanes = readme.partition("## Lanes")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([a-z]+-[a-z]+)` \|", lanes, re.MULTILINE)) == {str(lane) for lane in adapters.lanes()}


def test_the_readme_explains_every_verdict() -> None:
    table = (ROOT / "README.md").read_text()
    assert all(f"`{verdict}`" in table for verdict in Verdict)


def test_ci_runs_the_test_command_of_the_readme() -> None:
    command = next(line for line in (ROOT / "README.md").read_text().splitlines() if line.endswith("tox run -m test"))
    assert command in (ROOT / ".ci/run").read_text().splitlines()


@pytest.mark.parametrize("framework", adapters.frameworks())
def test_an_adapter_defines_its_protocol_and_computes_nothing_itself(framework: str) -> None:
    module = ast.parse((Path(adapters.__file__).parent / f"{framework}.py").read_text())
    functions = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    functions |= {alias.name for node in module.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert {"describe", "translate", "run"} <= functions
    assert adapters.variants(framework)
    assert adapters.block(framework) >= 1
    assert not [node for node in ast.walk(module) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult)]


def test_lanes_are_frameworks_with_their_variants() -> None:
    assert Lane("tensorflow", "eigen") in adapters.lanes()
    assert adapters.lane("mxnet") == Lane("mxnet", "onednn")


@pytest.mark.parametrize(
    ("framework", "variant", "message"),
    [
        ("pytorch", None, "the nearest is 'torch'"),
        ("torch", "lazy", "its variants are eager"),
        ("base", None, "no framework"),
    ],
)
def test_an_unknown_lane_names_those_that_exist(framework: str, variant: str | None, message: str) -> None:
    with pytest.raises(AdapterError, match=message):
        adapters.lane(framework, variant)


def test_every_probe_is_explained_in_a_sentence() -> None:
    assert all(len(meaning.split()) > 3 for meaning in PROBES.values())


def test_every_framework_has_the_operators_that_claims_need() -> None:
    text = (ROOT / "conformance/adapters/operators/base.py").read_text()
    wanted = set(re.findall(r"^    def (\w+)\(self|^    ([A-Z]+):", text, re.M))
    names = {function or constant for function, constant in wanted}
    for framework in filter(adapters.has_operators, adapters.frameworks()):
        tree = ast.parse((ROOT / f"conformance/adapters/operators/{framework}.py").read_text())
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        constants = {
            ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign)
        }
        assert names <= functions | constants, framework
    assert len(names) > 5


def test_a_program_has_a_version_that_pip_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters, "__path__", [*adapters.__path__, str(ROOT / "programs")])
    forget_adapters()
    try:
        names = [path.stem for path in ROOT.glob("programs/*.toml")]
        assert {name: (adapters.package(name), adapters.installed_version(name)) for name in names} == {
            "tfjs": ("tfjs", ""),
            "onnxruntime_js": ("onnxruntime_js", ""),
        }
    finally:
        monkeypatch.undo()
        forget_adapters()
