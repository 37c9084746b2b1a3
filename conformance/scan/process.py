"""A scan in the environment of a lane: a process of its own, which imports the framework and leaves a scan behind.

`python -m conformance.scan.process FOLDER` is that process: it reads what to do from FOLDER/job.json.
"""

import json
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from safetensors.numpy import load_file

from conformance.io.atomic import explain
from conformance.io.bounded import read_json, read_text
from conformance.io.exit_status import USAGE
from conformance.io.folders import making
from conformance.io.terminal import one_line
from conformance.processes.memory import MEMORY, exhausted
from conformance.scan.formats.native import ROOM
from conformance.scan.layer import Array, ScanError
from conformance.suites.scans import file as scan_file

SECONDS, PATIENCE = 300, 3600
"""What a framework may take to be imported and to read a model: of CPU time, and of time on a machine that is busy."""
SCAN, JOB = "scan.jsonl", "job.json"
LONGEST_REASON = 200
MARK = "conformance: "
"""What stands before the reason of a refusal, so that it is told from what a framework prints."""


def scan(name: str, framework: str, inputs: Sequence[str], python: str) -> tuple[
    scan_file.Scan, Mapping[str, Callable[[], Array]]
]:  # fmt: skip
    """The scan of a model by an interpreter that has its framework, and its weights. Raises ScanError."""
    if not python:
        raise ScanError(f"{name}: it is read by {framework}, and no environment here has that: {making(framework)} "
                        f"makes one, or give one by --python {framework}=PATH")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="conformance-") as temporary:
        folder = Path(temporary)
        job = {"model": name, "framework": framework, "inputs": list(inputs)}
        (folder / JOB).write_text(json.dumps(job), encoding="utf-8")
        command = [python, "-P", "-m", "conformance.scan.process", str(folder)]  # where files lie is not imported from
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)
        except subprocess.TimeoutExpired:
            raise ScanError(f"{name}: {framework} has not read it in {PATIENCE} s: give a smaller model") from None
        if done.returncode:
            raise ScanError(_why(name, framework, done.returncode, done.stderr.decode("utf-8", "replace")))
        read = scan_file.read(folder / SCAN)
        weights = load_file(scan_file.weights_beside(folder / SCAN))
    return read, {each: lambda array=array: array for each, array in weights.items()}


def _why(name: str, framework: str, status: int, said: str) -> str:
    """Why there is no scan, in a line."""
    if status not in (0, USAGE) and exhausted(said):
        return (f"{name}: {framework} takes more memory to read it than {MEMORY >> 30} GiB and {ROOM} times its size: "
                "give a smaller model")  # fmt: skip
    if status == -signal.SIGXCPU:
        return f"{name}: {framework} has not read it in {SECONDS} s of CPU time: give a smaller model"
    if status < 0:
        return f"{name}: {framework} died of {signal.Signals(-status).name} as it read it: give a whole model file"
    lines = [line for line in said.splitlines() if line.strip()]
    told = next((line.removeprefix(MARK) for line in reversed(lines) if line.startswith(MARK)), "")
    reason = lines[-1] if lines else f"exit status {status}"
    return told or f"{name}: {framework} does not read it: {reason}: export the model again"


def _reason(error: Exception, model: str, framework: str, **_: object) -> str:
    """Why a model is not read: what is known of it here, or what its framework says."""
    if isinstance(error, OSError) and error.filename is not None:
        return explain(error)
    if type(error).__module__.startswith("conformance."):
        return str(error)
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason")[:LONGEST_REASON]
    return f"{model}: {framework} does not read it ({type(error).__name__}: {said}): export the model again"


def main(folder: Path) -> int:
    """Do the job of a folder; a refusal is one line on standard error."""
    from conformance.scan import scanning
    from conformance.scan.formats.native import open_model
    from conformance.scan.sizes import parse

    job = read_json(read_text(folder / JOB))
    try:
        model = open_model(job["framework"], job["model"])
        scanned = scanning.of_model(job["model"], model, parse(job["inputs"]))
    except Exception as error:  # whatever a framework raises of a file that is none of its own
        if isinstance(error, MemoryError) or exhausted(str(error)):
            raise
        sys.stderr.write(f"\n{MARK}{one_line(_reason(error, **job))}\n")
        return USAGE
    (folder / SCAN).write_bytes(scanned.scan.content)
    scan_file.weights_beside(folder / SCAN).write_bytes(scanning.stored(scanned.weights))
    return 0


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 10))
    sys.exit(main(Path(sys.argv[1])))
