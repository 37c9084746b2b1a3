"""The workflows of GitHub: what their steps do is run here, and what they may do is no more than they need."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = ROOT / ".github" / "workflows"


def workflow(path: Path) -> Any:
    """A workflow's document; YAML 1.1 reads its key `on` as a truth value."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in document.items()}


REUSED = workflow(WORKFLOWS / "conformance.yml")
NIGHTLY = workflow(WORKFLOWS / "nightly.yml")


def steps(job: Any) -> dict[str, str]:
    """The commands of a job by the names of their steps."""
    return {step.get("name", step["run"]): step["run"] for step in job["steps"] if "run" in step}


class TestPermissions:
    @pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.stem)
    def test_of_a_workflow_are_to_read_the_repository(self, path: Path) -> None:
        assert workflow(path)["permissions"] == {"contents": "read"}

    def test_beyond_that_are_of_the_two_jobs_that_a_variable_switches_on(self) -> None:
        more = {name: job["permissions"] for name, job in NIGHTLY["jobs"].items() if "permissions" in job}
        assert more == {"pages": {"pages": "write", "id-token": "write"}, "issue": {"issues": "write"}}
        for name in more:
            assert f"vars.CONFORMANCE_{name.upper()} == 'on'" in NIGHTLY["jobs"][name]["if"]


GH = """#!/bin/sh
# Stands in for GitHub's program, which needs GitHub: one issue in a file.
cd "$HOME" || exit 1
echo "$@" >> log
case "$1 $2" in
  "issue list")
    if [ -e issue ]; then printf '7\\tThe nightly run is red\\n'; fi
    printf '9\\tThe nightly run is red, too\\n' ;;
  "issue create"|"issue edit") while [ "$1" != --body-file ]; do shift; done; cp "work/$2" issue ;;
  "issue close") rm issue ;;
  *) exit 1 ;;
esac
"""


class TestIssue:
    def told(self, home: Path, result: str, summary: str) -> list[str]:
        """What is asked of GitHub after a night."""
        (home / "work" / "reports" / "site").mkdir(parents=True, exist_ok=True)
        (home / "work" / "reports" / "site" / "summary.md").write_text(summary)
        (home / "log").unlink(missing_ok=True)
        (home / "gh").write_text(GH)
        (home / "gh").chmod(0o755)
        job = NIGHTLY["jobs"]["issue"]
        subprocess.run(
            ["bash", "-e", "-c", steps(job)["Open, update or close the one issue"]], cwd=home / "work", check=True,
            env={"PATH": f"{home}:{os.environ['PATH']}", "HOME": str(home), "RESULT": result, "RUN": "https://run",
                 "TITLE": job["env"]["TITLE"]},
        )  # fmt: skip
        return [" ".join(line.split()[:3]) for line in (home / "log").read_text().splitlines()][1:]

    def test_is_opened_then_updated_then_closed_and_then_left_alone(self, tmp_path: Path) -> None:
        assert self.told(tmp_path, "failure", "first\n") == ["issue create --title"]
        assert (tmp_path / "issue").read_text() == "https://run\n\nfirst\n"
        assert self.told(tmp_path, "failure", "second\n" * 20000) == ["issue edit 7"]
        assert (tmp_path / "issue").stat().st_size == 60000
        assert self.told(tmp_path, "success", "") == ["issue close 7"]
        assert self.told(tmp_path, "success", "") == []


class TestReused:
    @pytest.mark.parametrize("language", ["c", "javascript", "python"])
    def test_is_given_what_it_takes_by_each_template(self, language: str) -> None:
        (job,) = workflow(ROOT / "templates" / language / ".github/workflows/conformance.yml")["jobs"].values()
        assert job["uses"].partition("@")[0] == "OWNER/conformance/.github/workflows/conformance.yml"
        inputs = REUSED["on"]["workflow_call"]["inputs"]
        assert {name for name, given in inputs.items() if given.get("required")} <= set(job["with"]) <= set(inputs)
        assert job["with"]["route"] in {"adapter", "program"}

    def test_refuses_another_route(self) -> None:
        (job,) = REUSED["jobs"].values()
        done = subprocess.run(
            ["bash", "-e", "-c", steps(job)["Make the implementation known"]], capture_output=True, text=True,
            env={"PATH": os.environ["PATH"], "ROUTE": "function", "FOLDER": "."}, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (2, "route is 'function': give adapter or program\n")

    @pytest.mark.slow
    @pytest.mark.timeout(500)
    @pytest.mark.skipif(shutil.which("cc") is None, reason="the program in C needs a compiler")
    def test_runs_a_program_and_leaves_its_report_and_a_summary(self, tmp_path: Path) -> None:
        shutil.copytree(ROOT / "templates" / "c", tmp_path / "work", ignore=shutil.ignore_patterns("loops"))
        (tmp_path / "conformance").write_text(f'#!/bin/sh\nexec {sys.executable} -m conformance "$@"\n')
        (tmp_path / "conformance").chmod(0o755)
        (caller,) = workflow(tmp_path / "work/.github/workflows/conformance.yml")["jobs"].values()
        defaults = {name: given.get("default", "") for name, given in REUSED["on"]["workflow_call"]["inputs"].items()}
        environment = {name.upper(): value for name, value in {**defaults, **caller["with"], "suite": "smoke"}.items()}
        environment |= {
            "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path),
            "GITHUB_ENV": str(tmp_path / "env"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        }  # fmt: skip
        (job,) = REUSED["jobs"].values()
        for name, commands in steps(job).items():
            if name in ("Install conformance", "Say what changed since the baseline"):
                continue  # it is here already, and there is no baseline
            if (tmp_path / "env").exists():
                environment |= dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
            done = subprocess.run(
                ["bash", "-e", "-c", commands], cwd=tmp_path / "work", env=environment, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        assert "loops-program" in (tmp_path / "summary.md").read_text()
        assert (tmp_path / "work/reports/index.html").exists()
