"""conformance scan: every transposed convolution of a model file."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.cli.options import QUIET
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.terminal import abridged, echo, one_line
from conformance.suites.scans.file import MARK, SUFFIX, Row, Scan, is_scan, weights_beside

if TYPE_CHECKING:
    from conformance.adapters.base import Lane


@click.command()
@click.argument("model")
@click.option("--input", "inputs", multiple=True, metavar="NAME=DIMS",
              help="The extents of an input, such as x=1..8,3,64..512,64..512; repeatable.")  # fmt: skip
@click.option("--to", "target", type=Path, help="Write the scan as a suite file, such as scan.jsonl.")
@click.option("--weights", is_flag=True, help="Keep the weights in a file next to that file.")
@click.option("--lane", "names", multiple=True, metavar="LANE",
              help="Say what is known of each layer in this lane, or in all; repeatable.")  # fmt: skip
@click.option(
    "--python", "pythons", multiple=True, metavar="FRAMEWORK=PATH", help="The interpreter that has the framework."
)
@QUIET
@click.option("--json", "json_", is_flag=True, help="Print the header and the rows, each as a line of JSON.")
def command(
    model: str, inputs: tuple[str, ...], target: Path | None, weights: bool, names: tuple[str, ...],
    pythons: tuple[str, ...], json_: bool,
) -> int:  # fmt: skip
    """List every transposed convolution of MODEL, with its meaning, its problem and its weight.

    MODEL is a file: .onnx, .tflite, .pt2 of torch.export, TorchScript in .pt, .keras, a frozen graph in .pb, a folder
    of a SavedModel, NAME-symbol.json of MXNet; or package.module:factory, which makes a module of PyTorch. A
    framework's own formats are read in its environment: this one, .tox/NAME, or the one of --python.

    --input gives an extent that is free in the file, as a number or a range. Problems are made at the ends of a range,
    and in between if a layer changes there. No code of a file is executed. With --lane it says which layers a lane
    refuses, answers wrongly or crashes on, and what helps. It takes this from the regions of cases/expectations and
    runs no framework. Exit status: 0, also if the model has no such layer; 1 a lane is sure to fail on a layer; 2
    usage, or a file that cannot be read.
    """
    from conformance.cli.port import interpreters
    from conformance.io.atomic import require_our_file, write_together
    from conformance.scan import regions, scanning

    lanes = regions.lanes(names)
    if weights and target is None:
        raise click.UsageError("--weights are kept beside a scan: give --to FILE, too")
    if target is not None:
        if not is_scan(target.name):
            raise click.UsageError(f"--to {target}: a scan's name ends with {SUFFIX}: give another one")
        require_our_file(target, MARK)
    scanned = scanning.scan(model, inputs, interpreters(pythons))
    if target is not None:
        contents: dict[Path, bytes | None] = {target: scanned.scan.content}
        if weights:
            contents[weights_beside(target)] = scanning.stored(scanned.weights)
        write_together({path: content for path, content in contents.items() if content is not None})
    for line in _json(scanned.scan, lanes) if json_ else _text(scanned.scan, lanes):
        echo(line if json_ else abridged(line))
    if target is not None and not json_:
        cases = any(row.problem for row in scanned.scan.rows)
        then = f"conformance run LANE --suite {target}" if cases else "a row without a problem has its reason above"
        echo(f"{one_line(str(target))}: {_cases(scanned.scan)}: {then}")
    known = (fault for row in scanned.scan.rows for each in regions.known(row, lanes).values() for fault in each)
    return DIVERGED if any(fault.certain for fault in known) else OK


def _json(scan: Scan, lanes: "Sequence[Lane]") -> Iterator[str]:
    """The header and the rows; each row with what is known of it in lanes, where some are asked for."""
    from conformance.calls.known_faults import as_data
    from conformance.scan import regions

    header, *lines = scan.lines()
    yield header
    for row, line in zip(scan.rows, lines, strict=True):
        faults = {str(lane): [*map(as_data, each)] for lane, each in regions.known(row, lanes).items()}
        yield json.dumps({**json.loads(line), "lanes": faults}) if lanes else line


def _cases(scan: Scan) -> str:
    count = sum(bool(row.problem) for row in scan.rows)
    return f"{count} case{'s' * (count != 1)}"


def _text(scan: Scan, lanes: "Sequence[Lane]") -> Iterator[str]:
    """A scan as lines: what was read, and each layer with its sizes and what is known of it in lanes."""
    layers: dict[str, list[Row]] = {}
    for row in scan.rows:
        layers.setdefault(row.layer, []).append(row)
    header = scan.header
    count = f"{len(layers)} transposed convolution{'s' * (len(layers) != 1)}" if layers else "no transposed convolution"
    sizes = "; ".join(f"{name}={extents}" for name, extents in header.inputs.items())
    yield f"{one_line(header.model)}: {header.kind}, {count}{f', on {one_line(sizes)}' if sizes else ''}"
    yield from (f"  {one_line(line)}" for line in header.taken)
    for name, rows in layers.items():
        yield from _layer(name, rows, lanes)


def _layer(name: str, rows: list[Row], lanes: "Sequence[Lane]") -> Iterator[str]:
    first = rows[0]
    yield ""
    yield f"{one_line(name)}: {one_line(first.call)}"
    yield f"  place: {one_line(first.place)}"
    weight = ", ".join(filter(None, [first.dtype, first.digest, first.provenance or "not known"]))
    yield f"  weight: {one_line(weight)}"
    if first.problem:
        yield f"  axes: data '{first.data}', weight '{first.weight}', taps {first.taps}"
    for row in rows:
        if problem := row.known:
            window = " x ".join(f"({lo}, {hi})" for lo, hi in problem.window)
            yield f"  means: '{problem}', window {window}, which leaves {problem.output}"
            yield from (f"    {line}" for line in _known(row, lanes))
        if row.unknown:
            yield f"  {'refused' if row.problem else 'not known'}: {one_line(row.unknown)}"
    if first.dynamic:
        yield f"  dynamic in the model: {one_line('; '.join(first.dynamic))}"


def _known(row: Row, lanes: "Sequence[Lane]") -> Iterator[str]:
    """What is known of a row in each lane: the lanes of which nothing is known, then the others with the reason."""
    from conformance.scan import regions

    faults = regions.known(row, regions.computing(lanes, row.dtype))
    if clear := [str(lane) for lane, each in faults.items() if not each]:
        yield f"no fault or refusal is known in {', '.join(clear)}"
        yield f"whether they have a call for it: conformance call '{row.problem}' --lane all"
    if others := [str(lane) for lane in lanes if lane not in faults]:
        yield f"not asked in {row.dtype}: {', '.join(others)}"
    told: set[str] = set()
    for each in faults.values():
        for fault in each:
            yield from fault.lines(told)
            told.add(fault.reason)
