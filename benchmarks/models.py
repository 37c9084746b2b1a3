"""python -m benchmarks.models: what answers for models cost, the oracle's and a scan's.

oracle    the expected answer to problems of about 2e9 multiplications, against PyTorch's own call in float32, in
          turn, on as many threads; it runs in PyTorch's environment, and compares the answers
scan      a scan of an ONNX file that is made on the fly; it runs where the extra `scan` is installed
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.memory import peak_kilobytes
from conformance import oracle
from conformance.numerics.operands import draw
from conformance.problem import Problem

SHAPES = (
    "i1000000 k4 s2 p1 ic16 oc16", "i100000 k16 s8 p4 ic32 oc32", "i40000 k7 p3 ic84 oc84", "i4000 k1024 s256 ic500",
    "i512x512 k2 s2 ic44 oc44", "i224x224 k3 s2 p1 ic66 oc66", "i64x64 k4 s2 p1 ic175 oc175",
    "i16x16 k4 s2 p1 ic700 oc700", "i112x112 k5 s2 p2 ic80 oc80", "i56x56 k7 s4 p3 ic114 oc114",
    "i56x56 k7 p3 ic114 oc114", "i128x128 k5 s3 p1 ic70 oc70", "i32x32 k16 s8 p4 ic128 oc64",
    "i64x64 k3 p1 d2 ic233 oc233", "i8x8 k3 s2 n40 ic300 oc300", "i512x512 k4 s2 p1 ic64 oc8",
    "i512x512 k4 s2 p1 ic8 oc60", "i1000x1000 k7 s2 p3 ic6 oc7", "i256x256 k4 s2 p1 g32 ic8 oc8",
    "i512x512 k4 s2 p1 g256", "i1x1 k4 n64 ic1000 oc2000", "i4x4 k4 n200 ic200 oc200", "i200x200 k7 p3 ic512 oc2",
    "i24x24x24 k3 s2 p1 ic128 oc44", "i24x24x24 k4 s2 p1 ic47 oc47", "i32x32x32 k2 s2 ic88 oc88",
    "i16x16x16 k5 s2 p2 ic62 oc62", "i20x20x20 k7 s3 p3 ic27 oc27",
)  # fmt: skip
"""One to three axes, strides 1 to 256, kernels of 2 to 1024 taps an axis, few and many channels, groups, batches."""
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
clock_option = click.option(
    "--clock", default="wall", show_default=True, type=click.Choice([*CLOCKS]),
    help="What is measured: a clock on the wall, or the time of the process on all cores, for a machine that is busy.",
)  # fmt: skip
rounds_option = click.option("--rounds", default=3, show_default=True, help="How often each side runs.")


@click.group()
def command() -> None:
    """Measure what answers for models cost."""


@command.command("oracle")
@click.argument("shapes", nargs=-1)
@clock_option
@rounds_option
@click.option("--threads", default=2, show_default=True)
def of_oracle(shapes: tuple[str, ...], clock: str, rounds: int, threads: int) -> None:
    """Print the seconds of PyTorch and of the oracle, and their ratio, for each shape (default: those of this file)."""
    if any(os.environ.get(name) != str(threads) for name in THREADS):  # libraries read them when they are loaded
        environment = os.environ | dict.fromkeys(THREADS, str(threads))
        sys.exit(subprocess.run([sys.executable, "-m", "benchmarks.models", *sys.argv[1:]], env=environment).returncode)
    click.echo(f"median of {rounds} rounds, {clock}, {threads} threads")
    worst = max(compared(shape, CLOCKS[clock], rounds) for shape in shapes or SHAPES)
    click.echo(f"the largest ratio is {worst:.2f}; {peak_kilobytes() / 1e6:.1f} GB at most")


def compared(shape: str, now: Callable[[], float], rounds: int) -> float:
    """How many times as long as PyTorch the oracle takes on a shape. Prints it; exits where the answers differ."""
    import torch

    problem = Problem.parse(shape)
    x, weight, _ = draw(shape, problem)
    function = getattr(torch.nn.functional, f"conv_transpose{problem.rank}d")
    tensors = [torch.from_numpy(array).float() for array in (x, weight)]
    padding, options = [begin for begin, _ in problem.pads], (problem.groups, problem.dilation)

    def native() -> NDArray[Any]:
        answer: NDArray[Any] = function(*tensors, None, problem.stride, padding, 0, *options).numpy()
        return answer

    torch.set_num_threads(int(os.environ[THREADS[0]]))
    sides: dict[str, list[float]] = {"torch": [], "oracle": []}
    for _ in range(rounds):
        sides["torch"].append(timed(native, now)[0])
        seconds, expected = timed(lambda: oracle.expected(problem, x, weight, None), now)
        sides["oracle"].append(seconds)
    if not np.array_equal(native(), expected):
        sys.exit(f"{shape}: PyTorch and the oracle differ")
    medians = {side: statistics.median(times) for side, times in sides.items()}
    ratio = medians["oracle"] / medians["torch"]
    click.echo(f"  {shape:32} torch {medians['torch']:7.3f} s  oracle {medians['oracle']:7.3f} s  {ratio:5.2f} x")
    return ratio


def timed(work: Callable[[], NDArray[Any]], now: Callable[[], float]) -> tuple[float, NDArray[Any]]:
    """Seconds that some work took, and its answer."""
    started = now()
    answer = work()
    return now() - started, answer


@command.command("scan")
@clock_option
@rounds_option
@click.option("--megabytes", default=100, show_default=True, help="About how large the file is.")
@click.option("--make", hidden=True, type=Path, help="Make the file here, and do no more.")
def of_scan(clock: str, rounds: int, megabytes: int, make: Path | None) -> None:
    """Print the seconds that a scan takes in a fresh process, and the largest resident set that it has."""
    if make is not None:
        click.echo(decoder(make, megabytes))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "large.onnx")
        this = [sys.executable, "-m", "benchmarks.models", "scan", f"--megabytes={megabytes}", f"--make={path}"]
        # A process begins with the peak of the one that started it, so that this one makes no file itself.
        layers = int(subprocess.run(this, check=True, stdout=subprocess.PIPE).stdout)
        words = [sys.executable, "-m", "conformance", "scan", str(path), "--json"]
        runs = [in_a_process(words, clock) for _ in range(rounds)]
        size = path.stat().st_size / 1e6
    click.echo(f"{size:.0f} MB of ONNX in {layers} layers, median of {rounds} rounds, {clock}")
    click.echo(f"  {statistics.median(seconds for seconds, _ in runs):.2f} s, {max(peak for _, peak in runs):.0f} MB")


def decoder(path: Path, megabytes: int) -> int:
    """Write a decoder of transposed convolutions with weights of so many MB together; return how many it has."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    shape, count = (256, 256, 4, 4), max(1, round(megabytes * 1e6 / (256 * 256 * 16 * 4)))
    names = ["x", *(f"y{at}" for at in range(count))]
    weights = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    nodes = [
        helper.make_node("ConvTranspose", [names[at], f"w{at}"], [names[at + 1]], strides=[1, 1], pads=[1, 1, 2, 2])
        for at in range(count)
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 256, 16, 16)) for name in (names[0], names[-1])]
    graph = helper.make_graph(
        nodes, "decoder", ends[:1], ends[1:], [numpy_helper.from_array(weights + at, f"w{at}") for at in range(count)]
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return count


def in_a_process(words: list[str], clock: str) -> tuple[float, float]:
    """The seconds that a command takes, and the MB of its largest resident set."""
    started = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    passed = time.perf_counter() - started
    if status:
        sys.exit(f"{' '.join(words)} ended with {status}")
    return passed if clock == "wall" else used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3


if __name__ == "__main__":
    command()
