"""The commands of README and docs that need a framework, run as they are shown, in the environment that they name."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.documents import commands, place, run

WRONG = "grid-i2-k2-s2-d2-p0-op0"
"""A case that MXNet without oneDNN gets wrong."""


def of_lane(framework: str) -> list[str]:
    """The commands that the environment of a framework executes; none in another environment."""
    return [command for command in commands() if place(command).lane == framework] if find_spec(framework) else []


@pytest.fixture(scope="module")
def torch_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of the suite smoke, and copies of it under the names that the pages have."""
    folder = tmp_path_factory.mktemp("torch")
    done = run("conformance run torch --suite smoke", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("OLD", "NEW"):
        shutil.copytree(folder / "reports" / "records", folder / name)
    return folder


@pytest.mark.parametrize("command", of_lane("torch"))
def test_a_command_runs_in_the_environment_of_torch(command: str, torch_folder: Path) -> None:
    done = run(command, torch_folder)
    assert done.returncode in place(command).statuses, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", of_lane("mxnet"))
def test_a_command_runs_in_the_environment_of_mxnet(command: str, tmp_path: Path) -> None:
    words = ["run", "mxnet", "--variant", "native", "--suite", "core", "--case", WRONG, "--records", str(tmp_path)]
    subprocess.run([sys.executable, "-m", "conformance", *words], capture_output=True, check=True)
    (made,) = tmp_path.rglob("mxnet-native-core*.jsonl")
    records = tmp_path / "reports" / "records"
    records.mkdir(parents=True)
    for file in made.parent.glob(f"{made.stem}.*"):
        shutil.copy(file, records / f"mxnet-native-core{file.suffix}")
    done = run(command, tmp_path)
    assert done.returncode in place(command).statuses, done.stdout + done.stderr
    assert "stamps met only at every dilation-th input position" in done.stdout
