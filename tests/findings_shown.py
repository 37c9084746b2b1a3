"""The scripts of docs/findings.md, run as they are shown in the environments of their lanes, print what is shown."""

import ast
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.io.folders import tox_folders
from conformance.records.machine import measure_machine

PAGE = Path(__file__).parent.parent / "docs" / "findings.md"
SECTION = re.compile(r"^## (?P<title>.*)\n(?P<text>(?:(?!## ).*\n)*)", re.MULTILINE)
SHOWN = re.compile(r"^```(?P<language>python|js)\n(?P<script>.*?)^```\n\n```text\n(?P<said>.*?)^```", re.M | re.S)
LANES = {
    "cv2": "opencv", "onnxruntime": "onnx", "tract": "tract", "MNN": "mnn", "openvino": "openvino", "ncnn": "ncnn",
    "mlx": "mlx", "keras": "keras", "tensorflow": "tensorflow", "jax": "jax", "mxnet": "mxnet", "torch": "torch",
    "onnx": "onnx",
}  # fmt: skip
"""The environment of a script by what it imports: of the first of these."""
NEEDS = {"with AMX": "amx_bf16", "with AVX512-FP16": "avx512_fp16", "with AVX-512": "avx512f"}
"""What the CPU must have, by words of a title."""
ENDS = {"Segmentation fault": signal.SIGSEGV, "panic. aborting.": signal.SIGABRT}
LIMIT = 600
"""Seconds."""


@dataclass(frozen=True)
class Shown:
    """A script with what it prints, and the environment that it is for."""

    title: str
    lane: str
    script: str
    said: str


def shown() -> Iterator[Shown]:
    for section in SECTION.finditer(PAGE.read_text(encoding="utf-8")):
        for block in SHOWN.finditer(section["text"]):
            lane = "programs" if block["language"] == "js" else of_imports(block["script"])
            yield Shown(section["title"], lane, block["script"], block["said"])


def of_imports(script: str) -> str:
    nodes = [*ast.walk(ast.parse(script))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    roots = {name.partition(".")[0] for name in names}
    return next(lane for module, lane in LANES.items() if module in roots)


def test_every_section_shows_a_script_with_what_it_prints() -> None:
    titles = [section["title"] for section in SECTION.finditer(PAGE.read_text(encoding="utf-8"))]
    assert titles == list(dict.fromkeys(each.title for each in shown()))


@pytest.mark.parametrize("each", [*shown()], ids=lambda each: f"{each.lane}: {each.title}")
def test_a_script_prints_what_is_shown(each: Shown, tmp_path: Path) -> None:
    has = measure_machine({}).get("isa", "").split()
    if lacks := [word for word, name in NEEDS.items() if word in each.title and name not in has]:
        pytest.skip(f"this CPU is not one {lacks[0]}")
    folder = next((folder / each.lane for folder in tox_folders() if (folder / each.lane).is_dir()), None)
    if folder is None:
        pytest.skip(f"its environment is missing: tox run -e {each.lane} --notest")
    run = ["node", "--input-type=module", "-"] if each.lane == "programs" else ["python", "-u", "-"]
    modules = folder / "node_modules"
    done = subprocess.run(
        [str(folder / "bin" / run[0]), *run[1:]], input=each.script, capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | {"NODE_PATH": str(modules), "PYTHONPATH": ""}, timeout=LIMIT,
    )  # fmt: skip
    ended = next((number for words, number in ENDS.items() if words in each.said), None)
    if ended is None and done.returncode == 0:
        assert done.stdout.endswith(each.said), done.stdout + done.stderr
        return
    assert done.returncode == (1 if ended is None else -ended), done.stdout + done.stderr
    said = each.said.replace("Segmentation fault", "").replace("...", "\n").splitlines()
    printed = " ".join((done.stdout + done.stderr).split())
    assert [part for part in said if " ".join(part.split()) not in printed] == [], printed
