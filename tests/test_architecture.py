"""ARCHITECTURE.md says what the code and its contract say."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
RULES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
CONTRACTS = {each["id"]: each for each in RULES}
LAYERS = [{name.strip() for name in each.split("|")} for each in CONTRACTS["wings"]["layers"]]
FOLDERS = {each.parent.name for each in (ROOT / "conformance").glob("*/__init__.py")}


def test_the_map_has_the_wings_in_the_order_of_the_contract() -> None:
    rows = re.findall(r"^\| (`.*?`) \| ", PAGE.partition("## The wings")[2].partition("## ")[0], re.M)
    assert [
        {name.removesuffix("/").removesuffix(".py") for name in re.findall(r"`(.*?)`", row)} for row in rows
    ] == LAYERS


def test_the_contract_has_every_folder() -> None:
    assert set.union(*LAYERS) > FOLDERS


def test_frameworks_are_forbidden_to_every_wing_but_the_adapters() -> None:
    forbidden = {name.removeprefix("conformance.") for name in CONTRACTS["frameworks"]["source_modules"]}
    assert forbidden == set.union(*LAYERS) - {"adapters"}


def test_every_module_that_the_map_names_is_there() -> None:
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]*(?:\.py)?)`", PAGE))
    assert len(named) > 30
    assert [name for name in sorted(named) if not any((ROOT / at / name).exists() for at in ("conformance", "."))] == []


def test_a_wing_says_what_it_holds() -> None:
    for folder in FOLDERS:
        words = ast.get_docstring(ast.parse((ROOT / "conformance" / folder / "__init__.py").read_text()))
        assert words, folder
        assert words.splitlines()[0].endswith("."), folder


def test_folders_and_modules_stay_small() -> None:
    catalogues = {"adapters", "cli", "catalogue", "checks", "mutants"}
    modules = [each for each in (ROOT / "conformance").rglob("*.py") if each.name != "__init__.py"]
    folders = {each.parent for each in modules if each.parent.name not in catalogues}
    assert len(FOLDERS) <= 21
    assert len([*(ROOT / "conformance").glob("*.py")]) <= 5
    assert [each for each in folders if sum(module.parent == each for module in modules) > 10] == []
    lines = {each: len(each.read_text(encoding="utf-8").splitlines()) for each in modules}
    assert [each for each, count in lines.items() if count > 400] == []


def test_the_flow_of_one_lane_reaches_few_modules() -> None:
    rooms = [name for name in reached("conformance.run") if name.startswith("conformance.oracle.")]
    assert 10 < len(reached("conformance.run")) - len(rooms) <= 25  # the oracle is one, however it is divided


def reached(name: str) -> set[str]:
    """The modules that a module imports, and those that they import."""
    found: set[str] = set()
    todo = [name]
    while todo:
        for node in ast.walk(ast.parse(source(todo.pop()).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "conformance":
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                named = {each for each in inner if source(each).exists()} or {str(node.module)}
                todo += named - found
                found |= named
    return found


def source(name: str) -> Path:
    """A module's file; of a package, what its own names come from."""
    path = ROOT.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
