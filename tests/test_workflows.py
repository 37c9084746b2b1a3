"""The workflows of GitHub: what their steps do is run here, and what they may do is no more than they need."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
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

    def test_is_given_what_it_takes_by_the_example_of_its_page_which_lists_all_inputs(self) -> None:
        text, inputs = (
            (ROOT / "docs/testing-your-own.md").read_text(encoding="utf-8"),
            REUSED["on"]["workflow_call"]["inputs"],
        )
        (example,) = re.findall(r"```yaml\n(jobs:.*?)```", text, re.DOTALL)
        (job,) = yaml.safe_load(example)["jobs"].values()
        assert set(job["with"]) <= set(inputs)
        table = text.partition("| input | what it is |")[2].partition("\n\n")[0]
        assert set(re.findall(r"^\| `([a-z-]+)`", table, re.MULTILINE)) == set(inputs)

    def test_refuses_another_route(self) -> None:
        (job,) = REUSED["jobs"].values()
        done = subprocess.run(
            ["bash", "-e", "-c", steps(job)["Make the implementation known"]], capture_output=True, text=True,
            env={"PATH": os.environ["PATH"], "ROUTE": "file", "FOLDER": "."}, check=False,
        )  # fmt: skip
        said = "route is 'file': give function, pytest, adapter or program\n"
        assert (done.returncode, done.stderr) == (2, said)

    @pytest.mark.slow
    @pytest.mark.timeout(500)
    @pytest.mark.skipif(shutil.which("cc") is None, reason="the program in C needs a compiler")
    def test_runs_a_program_and_leaves_its_report_and_a_summary(self, tmp_path: Path) -> None:
        shutil.copytree(ROOT / "templates" / "c", tmp_path / "work", ignore=shutil.ignore_patterns("loops"))
        (caller,) = workflow(tmp_path / "work/.github/workflows/conformance.yml")["jobs"].values()
        assert ran(tmp_path, {**caller["with"], "suite": "smoke"}) == {}
        assert "loops-program" in (tmp_path / "summary.md").read_text()
        assert (tmp_path / "work/reports/index.html").exists()
        assert "ARTIFACT=conformance-loops-smoke\n" in (tmp_path / "env").read_text()

    @pytest.mark.slow
    @pytest.mark.timeout(300)
    def test_checks_a_function_and_leaves_its_report_and_a_summary(self, tmp_path: Path) -> None:
        (tmp_path / "work" / "own").mkdir(parents=True)
        (tmp_path / "work" / "own" / "mylib.py").write_text(FUNCTION)
        given = {
            "route": "function",
            "folder": "own",
            "suite": "smoke",
            "options": "--weight 'k g i o'",
        }
        assert ran(tmp_path, {**given, "name": "mylib:right"}) == {}
        assert "right-function" in (tmp_path / "summary.md").read_text()
        assert "ARTIFACT=conformance-mylib-right-smoke\n" in (tmp_path / "env").read_text()
        failing = ran(tmp_path, {**given, "name": "mylib:negative"})
        assert failing["Run the suite"].startswith("negative, suite smoke: 120 records: 2 conform, 118 diverge\n")

    @pytest.mark.timeout(300)
    def test_runs_tests_of_ones_own_and_leaves_what_they_say_in_the_summary(self, tmp_path: Path) -> None:
        (tmp_path / "work").mkdir()
        (tmp_path / "work" / "test_mine.py").write_text(TESTS)
        given = {"route": "pytest", "name": "test_mine.py", "options": "-p no:cacheprovider"}
        assert ran(tmp_path, {**given, "options": "-p no:cacheprovider -k 'not wrong'"}) == {}
        assert list(ran(tmp_path, given)) == ["Run the suite"]
        assert "NonconformityError: smoke-" in (tmp_path / "summary.md").read_text()


FUNCTION = """
import numpy as np
from conformance import oracle

def right(x, weight, bias, **options):
    rank = x.ndim - 2
    weight = np.moveaxis(weight, range(rank), range(-rank, 0))
    weight = weight.reshape(-1, *weight.shape[2:])
    return oracle.conv_transpose(x, weight, bias, **options).astype(x.dtype)

def negative(x, weight, bias, **options):
    return -right(x, weight, bias, **options)
"""
TESTS = """
import pytest
import conformance

@pytest.mark.parametrize("case", conformance.cases("smoke")[:4])
@pytest.mark.parametrize("sign", [pytest.param(1, id="right"), pytest.param(-1, id="wrong")])
def test_mine(case, sign):
    x, weight, bias = case.arrays("float32")
    conformance.assert_conforms(sign * conformance.expected(case.problem, x, weight, bias).astype("float32"), case)
"""


def ran(home: Path, given: Mapping[str, str]) -> dict[str, str]:
    """What the steps that fail print, of a call of the workflow in the repository `home / "work"`."""
    (home / "conformance").write_text(f'#!/bin/sh\nexec {sys.executable} -m conformance "$@"\n')
    (home / "conformance").chmod(0o755)
    (home / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (home / "python").chmod(0o755)
    (home / "env").unlink(missing_ok=True)
    defaults = {name: asked.get("default", "") for name, asked in REUSED["on"]["workflow_call"]["inputs"].items()}
    environment = {name.upper(): value for name, value in {**defaults, **given}.items()}
    environment |= {
        "PATH": f"{home}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(home),
        "GITHUB_ENV": str(home / "env"), "GITHUB_STEP_SUMMARY": str(home / "summary.md"),
    }  # fmt: skip
    (job,) = REUSED["jobs"].values()
    failing = {}
    for name, commands in steps(job).items():
        if name in left_out(environment["ROUTE"]):
            continue
        if (home / "env").exists():
            environment |= dict(line.split("=", 1) for line in (home / "env").read_text().splitlines())
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", commands], cwd=home / "work", env=environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            failing[name] = done.stdout + done.stderr
    return failing


def left_out(route: str) -> set[str]:
    """The steps that do not run: it is installed, there is no baseline, and conditions that name the route."""
    (job,) = REUSED["jobs"].values()
    conditions = {step["name"]: step.get("if", "") for step in job["steps"] if "run" in step}
    of_route = {
        name for name, condition in conditions.items()
        if f"route != '{route}'" in condition or ("route ==" in condition and f"route == '{route}'" not in condition)
    }  # fmt: skip
    return of_route | {"Install conformance", "Say what changed since the baseline"}
