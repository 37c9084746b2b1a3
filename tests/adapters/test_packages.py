"""Installed packages register adapters: they are found without being imported, and run as from outside."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from conformance import adapters
from conformance.adapters import AdapterError
from conformance.adapters.base import Lane
from conformance.suites.expectation_files import path
from tests.adapters import forget_adapters

HERE = Path(__file__).parent
BOOM = "raise SystemExit('imported where nothing of it may be')\n"
"""The source of a package that must not be imported."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages."""
    monkeypatch.syspath_prepend(str(tmp_path))
    forget_adapters()
    yield tmp_path
    forget_adapters()


def install(site: Path, name: str, entry: str, files: Mapping[str, str]) -> None:
    """Put files, and the metadata of a package with an entry point, where pip puts them."""
    for file, content in files.items():
        target = site / name / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
    folder = site / f"{name}-1.5.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n", encoding="utf-8")
    (folder / "entry_points.txt").write_text(f"[conformance.adapters]\n{entry}\n", encoding="utf-8")


def region_adapter() -> str:
    return (HERE / "region_adapter.py").read_text(encoding="utf-8")


class TestPackage:
    def test_whose_entry_point_is_a_module_is_found_without_an_import(self, site: Path) -> None:
        install(site, "mine", "mylib = mine.lane", {"__init__.py": BOOM, "lane.py": region_adapter()})
        assert adapters.is_outside("mylib")
        assert adapters.is_known("mylib")
        assert adapters.folder("mylib") == site / "mine"
        assert list(adapters.variants("mylib"))
        assert path("mylib") == site / "mine" / "expectations" / "mylib.toml"
        assert "mine" not in sys.modules

    def test_with_a_file_that_starts_a_program_is_a_program(self, site: Path) -> None:
        install(site, "mine", "mylib = mine", {"__init__.py": BOOM, "mylib.toml": 'command = ["x"]\n'})
        program = adapters.program("mylib")
        assert program is not None
        assert (program.command, program.folder) == (("x",), site / "mine")
        assert adapters.lane("mylib") == Lane("mylib", "program")

    def test_with_a_module_of_the_frameworks_name_is_that_adapter(self, site: Path) -> None:
        install(site, "mine", "mylib = mine", {"__init__.py": BOOM, "mylib.py": region_adapter()})
        assert adapters.folder("mylib") == site / "mine"
        assert adapters.program("mylib") is None
        assert adapters.block("mylib") >= 1

    def test_of_the_same_name_as_another_is_refused_by_both_names(self, site: Path) -> None:
        install(site, "one", "mylib = one", {"__init__.py": ""})
        install(site, "two", "mylib = two", {"__init__.py": ""})
        with pytest.raises(AdapterError, match=r"(one|two) 1.5 and (one|two) 1.5 each have an adapter 'mylib': rename"):
            adapters.lane("mylib")

    def test_of_the_same_name_as_a_file_in_a_folder_is_refused(
        self, site: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path_factory.mktemp("adapters")
        (folder / "mylib.py").write_text(region_adapter(), encoding="utf-8")
        monkeypatch.setattr(adapters, "__path__", [*adapters.__path__, str(folder)])
        install(site, "mine", "mylib = mine", {"__init__.py": ""})
        with pytest.raises(AdapterError, match=r"mylib.py and mine 1.5 each have an adapter 'mylib'"):
            adapters.is_outside("mylib")

    def test_in_a_folder_and_installed_from_there_is_one(self, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        install(site, "mine", "mylib = mine", {"__init__.py": "", "mylib.py": region_adapter()})
        monkeypatch.setattr(adapters, "__path__", [*adapters.__path__, str(site / "mine")])
        assert adapters.folder("mylib") == site / "mine"

    @pytest.mark.parametrize("value", ["mine.nothing", "nothing", "mine:adapter", "math"])
    def test_whose_entry_point_names_no_module_is_refused(self, site: Path, value: str) -> None:
        install(site, "mine", f"mylib = {value}", {"__init__.py": ""})
        with pytest.raises(AdapterError, match=r"mine 1.5 registers the adapter 'mylib' as .*, which is no module"):
            adapters.lane("mylib")

    def test_is_among_the_frameworks_that_an_unknown_name_is_told(self, site: Path) -> None:
        install(site, "mine", "mylib = mine", {"__init__.py": ""})
        with pytest.raises(AdapterError, match=r"no framework 'mylip', the nearest is 'mylib'"):
            adapters.lane("mylip")

    def test_cannot_take_the_name_of_a_framework_of_ours(self, site: Path) -> None:
        install(site, "mine", "torch = mine", {"__init__.py": BOOM})
        assert not adapters.is_outside("torch")

    def test_with_imports_of_its_own_package_needs_no_module_of_such_a_name(self, site: Path) -> None:
        source = "from . import kernels\nfrom .kernels import transpose\n" + region_adapter()
        install(site, "mine", "mylib = mine.lane", {"__init__.py": "", "lane.py": source})
        adapters.require_installed("mylib")


def test_a_file_in_a_folder_with_the_name_of_a_framework_of_ours_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text(region_adapter(), encoding="utf-8")
    monkeypatch.setattr(adapters, "__path__", [*adapters.__path__, str(tmp_path)])
    forget_adapters()
    with pytest.raises(AdapterError, match=r"this package and .*torch.py each have an adapter 'torch'"):
        adapters.lane("torch")
    monkeypatch.undo()
    forget_adapters()


def test_a_framework_of_ours_is_found_without_a_look_at_packages() -> None:
    code = (
        "import sys; from conformance import adapters; adapters.lane('torch'); adapters.is_outside('torch')\n"
        "print('importlib.metadata' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
