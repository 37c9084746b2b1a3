"""Every command that README and docs show, and where each is executed.

A command is one line of a block of shell; its comment is no part of it. What is shown with its output is executed by
tests/test_docs.py and compared. All else has a place here, which is the first pattern that it matches.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHELL = re.compile(r"```sh\n(.*?)\n```(\n```text\n(.*?)\n```)?", re.DOTALL)


@dataclass(frozen=True)
class Place:
    """Where commands are executed: in this folder without a framework (`here`), in a lane's environment (`lane`), or by
    a file of the project in other words (`file`, which contains `words`); or why they are not.

    `instead` are (what the page says, what is run in its place) where the whole takes too long; `statuses` are the exit
    statuses that it may have there.
    """

    pattern: str
    here: bool = False
    lane: str = ""
    file: str = ""
    words: str = ""
    not_executed: str = ""
    instead: tuple[str, str] = ("", "")
    statuses: tuple[int, ...] = (0,)

    def takes(self, command: str) -> bool:
        """Whether a command is one of these."""
        return re.fullmatch(self.pattern, command) is not None

    def executed(self, command: str) -> str:
        """What is executed for a command."""
        return command.replace(*self.instead) if self.instead[0] else command


ENDLESS = "it serves or is served by other hosts, until it is stopped"
PLACES = (
    # This package alone.
    Place('conformance call tensorflow "keras.*" .* --claim', here=True),
    Place("conformance (lanes|doctor)", here=True, statuses=(0, 1)),
    Place("conformance show cover-2d-148", here=True),
    Place("conformance cases list --probes dilation", here=True),
    Place("conformance replay --list", here=True),
    # 2 if no lane is installed.
    Place('conformance call "i5x7 k3 s2 p1 op1" --lane all', here=True, statuses=(0, 1, 2)),
    Place("conformance scan decoder.onnx .*", here=True, statuses=(0, 1)),
    Place("conformance adapter new (mylib|stamps)", here=True),
    Place("conformance adapter new mine --language c", here=True),
    Place("conformance audit --dtype float16", here=True, statuses=(0, 1)),
    Place("conformance vectors --suite core --out vectors", here=True, instead=("core", "smoke")),
    Place("conformance diff before.jsonl after.jsonl", here=True),
    Place('eval "[$].*', here=True),
    # In PyTorch's environment, in this order and in one folder.
    Place("conformance run torch --suite smoke( --dtype bfloat16| --isolated)?", lane="torch"),
    Place("conformance show reports/records/.*", lane="torch"),
    Place('conformance call torch "(i5x7|nn[.]).*', lane="torch"),
    Place("conformance claims check D0-04", lane="torch"),
    Place("conformance domain .*", lane="torch"),
    Place("conformance report --(open|baseline OLD)", lane="torch"),
    Place("conformance diff OLD NEW --html page.html", lane="torch"),
    Place("conformance expect check", lane="torch"),
    Place("conformance history --(add reports/records|runs)", lane="torch"),
    Place("conformance fuzz torch --minutes 5", lane="torch", instead=("5", "0.05")),
    Place("pytest --framework torch .*", lane="torch", instead=("-k grid", "-k grid-i1-k1-s1")),
    Place("conformance diagnose reports/records/mxnet-native-core.jsonl", lane="mxnet"),
    # By another file, on whole runs.
    Place("python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox run -m test", file=".ci/run",
          words="python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox run -m test"),
    Place("tox run -m machines", file=".github/workflows/machines.yml", words="run: tox run -m machines"),
    Place("conformance run torch --suite extreme --caps all", file="toxfile.py",
          words='"CONFORMANCE_CAPS": "--caps all"'),
    Place("conformance run torch --suite (integers|gradients|negative)", file="tox.ini",
          words="--suite integers --suite gradients --suite rounding --suite idioms --suite ports --suite claims "
          "--suite negative"),
    Place("conformance audit properties torch", file="tox.ini", words="conformance audit properties {env_name}"),
    Place("conformance audit specials( torch)?", file="tox.ini", words="conformance audit specials {env_name}"),
    Place("conformance audit modes torch( --suite smoke --slow)?", file="tox.ini",
          words="conformance audit modes torch"),
    Place("conformance audit modes", here=True),
    Place("conformance fuzz --borders torch", file="tox.ini", words="conformance fuzz --borders {env_name}"),
    Place("conformance audit confirm .*", file="tox.ini", words="conformance audit confirm reports/records"),
    Place("conformance audit --to reports/audit.json", file="tox.ini",
          words="conformance audit --fakes --to reports/audit.json"),
    Place("conformance audit --pass all", here=True, instead=("all", "bias")),
    Place("conformance run torch --resume", file="tests/runner/test_resume.py", words='"-n1", "--resume"'),
    Place("conformance merge .*", file=".github/workflows/nightly.yml",
          words="run: conformance merge shards/records/*.jsonl"),
    Place("conformance generate conventions --records .*", file="tests/analysis/test_handbook.py",
          words='words = ["--records", str(tmp_path / "records"), "--to"'),
    Place("conformance (run|adapter check) stamps.*|cd stamps|conformance report|python -m pip install -e .|"
          "export CONFORMANCE_ADAPTERS=src.*", file="tests/cli/test_adapter_new.py",
          words='["sh", "-ec", script]'),  # the page's own block
    Place("conformance (run|adapter check) (mylib|mine).*|cd (mylib|mine).*|export CONFORMANCE_ADAPTERS=[$]PWD",
          file="tests/cli/test_adapter_new.py", words='["sh", "-ec", "\\n".join(steps)]'),  # what `adapter new` prints
    Place("conformance report --lane mine-program", lane="torch", instead=("mine-program", "torch-eager")),
    Place("conformance run torch --suite decoder.jsonl --weights", file="tests/scan/test_suites.py",
          words='"--suite", str(scan), "--weights"'),
    Place("conformance port --model decoder.jsonl .*", not_executed="it runs TensorFlow beside this package; "
          "tests/scan/test_porting.py does the same without --verify"),
    Place("conformance vectors --diff OLD NEW", file="tests/vectors/test_vectors.py",
          words='["vectors", "--diff", str(tmp_path / "old"), str(tmp_path / "new")]'),
    Place("_CONFORMANCE_COMPLETE=fish.*", file="tests/cli/test_forms.py",
          words='ShellComplete(commands, {}, "conformance", "_CONFORMANCE_COMPLETE")'),
    Place("conformance sweep worker .*", file="tests/runner/test_sweep_cluster.py",
          words='running("conformance", "sweep", "worker", address, "--lane"'),
    Place("conformance sweep .* --scheduler .*", file="tests/runner/test_sweep_cluster.py",
          words='"--to", str(folder), "--scheduler", address'),
    Place("conformance sweep .*", file="tests/runner/test_sweeps.py", words='sweep("report", str(tmp_path)'),
    # Not at all.
    Place("python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox run -m nightly",
          not_executed="it takes up to 70 minutes; nightly.yml runs each of its environments, by name"),
    Place("python3 -m venv .venv && .venv/bin/pip install . .*",
          not_executed="it downloads what the package needs; its last word, `conformance demo`, has tests of its own"),
    Place("conformance port .* --verify", not_executed="it needs the environments of two frameworks at once"),
    Place('conformance diff "(jax|torch)==.*', not_executed="it downloads two versions of a framework"),
    Place("(CONFORMANCE_TORCH|PIP_EXTRA_INDEX_URL)=.*", not_executed="it downloads another build of a framework"),
    Place("dask .*|openssl .*", not_executed=ENDLESS),
    Place("export JAX_.*", not_executed="it sets variables of JAX, for a job of CI"),
)  # fmt: skip


def shown() -> list[tuple[str, str]]:
    """Every command that a page shows with its output, and that output."""
    blocks = [found for page in PAGES for found in SHELL.finditer(page.read_text(encoding="utf-8"))]
    return [(_joined(found[1]), found[3]) for found in blocks if found[2]]


def commands() -> Iterator[str]:
    """Every other command that a page shows, without its comment, once."""
    found = []
    for page in PAGES:
        for block in SHELL.finditer(page.read_text(encoding="utf-8")):
            lines = [] if block[2] else _joined(block[1]).splitlines()
            found += [bare for line in lines if (bare := re.sub(r"(^|\s+)# .*$", "", line).strip())]
    yield from dict.fromkeys(found)


def _joined(block: str) -> str:
    return re.sub(r" *\\\n\s*", " ", block)


def place(command: str) -> Place:
    """Where a command is executed. Raises LookupError where nothing says it."""
    for each in PLACES:
        if each.takes(command):
            return each
    raise LookupError(f"{command!r}: tests/documents.py does not say where it is executed, or why it is not")


def run(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """What a shell does in a folder with a command, or with what is executed for it."""
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": paths, "PYTHONPATH": str(ROOT), "BROWSER": "true"}
    return subprocess.run(
        ["bash", "-c", place(command).executed(command)], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip
