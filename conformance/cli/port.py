"""conformance port: one framework's call as another's code."""

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import click

from conformance import adapters, idioms
from conformance.calls import port
from conformance.calls.known_faults import as_data, fault_lines, known_faults
from conformance.calls.meaning import of_point
from conformance.calls.meaning.wording import as_json
from conformance.calls.port import Port
from conformance.calls.verify import Verification, VerifyError, python_for, verify
from conformance.cli.call import ShapeError, each_once, of_line, parse_lets, parse_shapes, source_of
from conformance.cli.options import QUIET, VERBOSE, framework_of
from conformance.idioms import Refusal
from conformance.io.exit_status import DIVERGED, INCOMPLETE, OK
from conformance.io.folders import making
from conformance.io.terminal import abridged, echo, one_line

FROM = "give a call of one of these, as in --from torch"
TO = 'give one of these, as in --to torch; `conformance call {name} "i5x7 k3 s2 p1"` runs a problem on {name}'
"""The next step for a framework whose calls are not known."""


@click.command()
@click.argument("expression", default="")
@click.option("--from", "source", default="", help="The framework of EXPRESSION.")
@click.option("--model", type=Path, help="A scan of a model, in place of an expression: each of its layers.")
@click.option("--out", type=Path, help="Write the weights of the model for the target: .npz or .safetensors.")
@click.option("--to", "target", required=True, help="The framework of the printed code.")
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="NAME=DIMS",
    help="The shape of a tensor, such as x=1,7,7,32; repeatable.",
)
@click.option("--idiom", default="", help="The id of the target's idiom to use.")
@click.option("--variant", help="The variant in which the code will run (default: the first). Its limits apply.")
@click.option("--verify", "run", is_flag=True, help="Run both sides on exact data and compare.")
@click.option(
    "--python", "pythons", multiple=True, metavar="FRAMEWORK=PATH", help="The interpreter that has the framework."
)
@click.option(
    "--let", "lets", multiple=True, metavar="NAME=VALUE", help="The value of a name, such as ngf=64; repeatable."
)
@VERBOSE
@QUIET
@click.option("--json", "json_", is_flag=True, help="Print everything as one JSON object.")
def command(
    expression: str, source: str, model: Path | None, out: Path | None, target: str, shapes: tuple[str, ...],
    idiom: str, variant: str | None, run: bool, pythons: tuple[str, ...], lets: tuple[str, ...], json_: bool,
) -> int:  # fmt: skip
    """Print code of one framework that does what EXPRESSION does in another.

    EXPRESSION is a call or layer as people write it, such as 'keras.layers.Conv2DTranspose(64, 5, strides=2,
    padding="same")' with --shape x=1,7,7,32, or a line of a source file, such as model.py:12. It is read, and never
    evaluated. A layer's input is called x. You can name a framework by one of its modules, such as keras. --model takes
    a scan that `conformance scan MODEL --to` wrote, and prints the code of each layer. With it, --out writes the
    weights in the layout of the code, and --verify runs the code on them. Exit status: 0 ported and, with --verify,
    proved; 1 the two sides differ, the other framework has no code for the call, or the call's own framework refuses
    it; 2 usage; 3 --verify could not run the code.
    """
    if model is not None:
        _require_of_model(expression, {"--from": source, "--shape": shapes, "--let": lets, "--json": json_})
        return _port_model(model, target, variant, idiom, pythons, run=run, out=out)
    if not expression:
        raise click.UsageError("give an expression and --from, or a scan by --model")
    if not source:
        raise click.UsageError(f"--from is missing: name the framework that {expression} is of, as in --from torch")
    module, source, target = target, framework_of(source, FROM), framework_of(target, TO)
    lanes = adapters.lane(source), adapters.lane(target, variant)
    of = parse_shapes(shapes)
    if unknown := next((name for name, shape in of.items() if None in shape), ""):
        raise ShapeError(f"--shape {unknown}: every extent is needed for a port")
    if pythons and not run:
        raise VerifyError(f"--python {pythons[0]}: nothing is run without --verify: give it, or leave --python out")
    chosen = _interpreters(pythons, {source, target})
    words = {"variant": lanes[1].variant, "idiom": idiom, "module": module}
    made = _ported(expression, source, target, of, lets, json_=json_, **words)
    faults = known_faults(made, lanes[1])
    if not json_:  # before anything is run, since a known fault may end that
        said = (*port.explain(made), *fault_lines(faults))
        echo("".join(f"# {abridged(line)}\n" for line in said) + "\n" + made.code)
    missing = [lane.framework for lane in lanes if run and python_for(lane.framework, chosen) is None]
    batches = [made, *filter(None, [port.other_batch(made)])] if run and not missing else []
    results = verify(batches, *lanes, chosen) if batches else []
    if json_:
        echo(json.dumps({**_json(made, results), "known_faults": [as_data(fault) for fault in faults]}, indent=2))
    for line in () if json_ else _proof(made, batches, results, missing, known=bool(faults)):
        echo(line)
    if missing:
        return INCOMPLETE
    return OK if all(result.holds for result in results) else DIVERGED


def _require_of_model(expression: str, options: Mapping[str, object]) -> None:
    """Raise UsageError for what is of a single call, beside a model, whose scan says all of that."""
    given = [repr(expression)] if expression else [name for name, value in options.items() if value]
    if given:
        raise click.UsageError(f"{given[0]} is of a single call, and --model is a scan, which says all of its calls: "
                               "leave one of them out")  # fmt: skip


def _ported(
    expression: str, source: str, target: str, of: Any, lets: Sequence[str], *, json_: bool, **words: Any
) -> port.Port:  # fmt: skip
    """The port of a call. Raises IdiomError where its own framework refuses it, and otherwise ends with status 1."""
    reading = _one_call(expression, source, lets)
    try:
        return port.port_of(reading, source, target, of, **words)
    except (Refusal, port.PortError) as reason:
        if json_:
            echo(json.dumps({"framework": target, "call": expression, "refused": str(reason)}, indent=2))
        if isinstance(reason, Refusal):
            raise idioms.IdiomError(f"{expression}: {reason}") from None
        raise click.ClickException(str(reason)) from None


def _one_call(expression: str, source: str, lets: Sequence[str]) -> idioms.Reading:
    """The call that is to be ported, which may be on a line of a source file."""
    name, picked, text = source_of(expression)
    given = parse_lets(lets, text)
    if not name:
        return idioms.reading(source, text, given)
    entries = list(idioms.read_all(source, text, given))
    if picked is None:
        lines = ", ".join(f"{name}:{at}" for at, _ in entries) or "none"
        raise idioms.IdiomError(f"{name}: give one call by its line ({lines}), or port a whole model: "
                                "`conformance scan MODULE:FACTORY --to FILE`, then `port --model FILE`")  # fmt: skip
    return of_line(name, picked, entries)


def _proof(
    made: port.Port, batches: Sequence[port.Port], results: Sequence[Any], missing: list[str], *, known: bool
) -> Iterator[str]:  # fmt: skip
    """What running both sides gave, or else what the evidence is."""
    for ported, result in zip(batches, results, strict=True):
        yield from _verified(ported.source.claim.problem.batch, result)
    if not results:
        yield from _evidence(made, missing, known=known)


def _port_model(
    model: Path, target: str, variant: str | None, idiom: str, pythons: Sequence[str], *, run: bool, out: Path | None
) -> int:
    """Print the code of every layer of a scan, write the weights, and prove each on its own."""
    from safetensors.numpy import load_file

    from conformance.scan import porting
    from conformance.suites.scans import file as scan_file

    module, target = target, framework_of(target, TO)
    lane = adapters.lane(target, variant)
    able = [each.id for each in idioms.idioms(target) if each.say]
    if idiom and idiom not in able:
        raise idioms.no_idiom(target, idiom, "to port to", able)
    if pythons and not run:
        raise VerifyError(f"--python {pythons[0]}: nothing is run without --verify: give it, or leave --python out")
    layers = porting.ported(scan_file.read(model).rows, porting.Into(lane, module, idiom))
    kept = scan_file.weights_beside(model)
    weights = load_file(kept) if kept.is_file() else {}
    if (run or out is not None) and not weights:
        raise VerifyError(f"{kept}: has no weights: scan the model with --to {model} --weights")
    chosen = interpreters(pythons)
    said = porting.proved(layers, weights, lane, chosen) if run else {}
    for layer in layers:
        echo(f"# {one_line(layer.row.layer)}: {one_line(abridged(layer.refused or layer.row.call))}")
        if layer.port is not None:
            echo("".join(f"# {abridged(line)}\n" for line in port.explain(layer.port)) + "\n" + layer.port.code)
        if layer.row.layer in said:
            echo(f"# {one_line(layer.row.layer)}: {said[layer.row.layer]}")
    if out is not None:
        _write_weights(out, layers, weights)
    failed = [
        layer for layer in layers if layer.port is None or said.get(layer.row.layer, porting.RIGHT) != porting.RIGHT
    ]
    return DIVERGED if failed else OK


def _write_weights(out: Path, layers: Sequence[Any], weights: Mapping[str, Any]) -> None:
    """Write the weights of ported layers as the code takes them, and the biases as they are."""
    from safetensors.numpy import save

    from conformance.io.atomic import write_atomically
    from conformance.scan import porting
    from conformance.suites.scans.weights import bias_of

    made = {layer.row.layer: porting.converted(layer.port, weights[layer.row.layer])
            for layer in layers if layer.port is not None and layer.row.layer in weights}  # fmt: skip
    made |= {name: weights[name] for name in map(bias_of, made) if name in weights}
    write_atomically(out, save(made) if out.suffix == ".safetensors" else _npz(made))


def _npz(arrays: Mapping[str, Any]) -> bytes:
    import io

    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _verified(batch: int, result: Verification) -> list[str]:
    sides = [
        f"# {side.lane} {side.version}: {side.deviation or 'equals the expected answer, bit for bit'}"
        for side in (result.source, result.target)
    ]
    word = f"differ: {result.deviation}" if result.deviation else f"agree in all {result.source.array.size:,} values"
    return [f"# verified by running both on exact data, of batch {batch}: they {word}", *sides]


def _evidence(made: Port, missing: list[str], *, known: bool) -> list[str]:
    """What is known of both calls without running them."""
    from conformance.analysis import proofs

    proved = proofs.read()
    lines = [f"# {framework}: not run, since no environment here has it: {making(framework)} makes one, or give one by "
             f"--python {framework}=PATH"
             for framework in missing]  # fmt: skip
    evidence = [f"#   {line}" for point in (made.source, made.target) for line in proved.of(point.name)]
    if evidence:
        step = "" if missing else "not run here: --verify runs both sides. "
        lines.append(f"# {step}What runs of calls like these two gave, on their own frameworks:")
    if any("known fault" in line for line in evidence):
        has = "the ones named above" if known else "none"
        evidence.append(
            f"# of the known faults in these counts, this call has {has}; `conformance show FAULT` explains a fault"
        )
    return [*lines, *evidence]


def interpreters(pythons: Sequence[str]) -> dict[str, str]:
    """The interpreters of --python by their frameworks. Raises VerifyError for what is none."""
    return dict(each_once("--python", [_python(text) for text in pythons]))


def _interpreters(pythons: Sequence[str], sides: Set[str]) -> dict[str, str]:
    """The same. Raises VerifyError for one that would not be asked."""
    chosen = interpreters(pythons)
    if unasked := sorted(chosen.keys() - sides):
        raise VerifyError(f"--python {unasked[0]}: neither side is {unasked[0]}: those are {', '.join(sorted(sides))}")
    return chosen


def _python(text: str) -> tuple[str, str]:
    name, _, path = text.partition("=")
    framework = {**idioms.owners(), **{name: name for name in idioms.frameworks()}}.get(name)
    if framework is None or not Path(path).is_file():
        raise VerifyError(f"--python {text}: give a framework and its interpreter, as in torch=.tox/torch/bin/python")
    return framework, path


def _json(made: Port, results: Sequence[Verification]) -> dict[str, Any]:
    """A port as data, by the keys that docs/porting.md documents."""
    problem = made.source.claim.problem
    document: dict[str, Any] = {
        **as_json(of_point(made.framework, made.target)), "problem": str(problem), "window": problem.window,
        "full": problem.full, "output": made.output, "set_aside": made.source.aside, "steps": made.steps,
        "notes": made.notes, "code": made.code,
    }  # fmt: skip
    if results:
        document["verified"] = {
            "holds": all(result.holds for result in results),
            **{side.lane: {"version": side.version, "deviation": side.deviation}
               for result in results for side in (result.source, result.target)},
        }  # fmt: skip
        document["verified"] |= {
            side.lane: {"version": side.version, "deviation": side.deviation}
            for result in results for side in (result.source, result.target) if side.deviation
        }  # fmt: skip
    return document
