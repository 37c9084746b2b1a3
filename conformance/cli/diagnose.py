"""conformance diagnose: what explains an array, or the diverging arrays of a record file, and where it happens."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from functools import cache
from math import inf, prod
from pathlib import Path
from typing import Any, NamedTuple

import click
from numpy import iinfo

from conformance import adapters, idioms, layout
from conformance.analysis.groups import Group, groups_of
from conformance.analysis.replication import Evaluate, by_lane, candidates, lane_at_hand, replicated
from conformance.calls.arrays import MisfitError, restored
from conformance.cli.call import parse_lets
from conformance.cli.options import QUIET
from conformance.diagnosis.answers.scales import diagnose_by_channel, difference_by_channel
from conformance.diagnosis.bounds import bounded
from conformance.diagnosis.diagnose import Diagnosis, diagnose, difference
from conformance.diagnosis.explain import UNEXPLAINED, Ask, Explained, among, explain_run
from conformance.diagnosis.kept import Requantisation
from conformance.diagnosis.observation import DiagnosisError
from conformance.diagnosis.parts import beyond_stamp
from conformance.idioms.base import ClaimedCall
from conformance.idioms.names.meanings import AFTER, aside_lines
from conformance.io.bounded import require_no_path
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.tensor_files import read_tensor
from conformance.io.terminal import echo, waiting
from conformance.numerics.operands import Arrays
from conformance.predicates.comparisons import facts
from conformance.problem import Problem, ProblemError, broken_rule
from conformance.records import record_file
from conformance.records.arrays import open_beside
from conformance.records.record import Key, Record, Run, Verdict
from conformance.records.reproduction import reproduction

FITTING = "give the arrays of the descriptor, or the descriptor of the arrays"
QUANTISED = 2
"""Bytes of the integers that answers are quantised to, at most."""
SUFFIXES = ".npy", ".npz", ".pt", ".safetensors"
"""Of the files that hold arrays."""
ALSO = 3
"""Other diagnoses of the same records that are printed."""
MOST_SHOWN = 8
"""Diagnoses of one array that are printed."""
FORMS = 5
"""Ways in which a group's records have its cause, by axes and numbers, that are printed."""


class _Answer(NamedTuple):
    """What was asked, and what is said of it; `unlike` is where the array differs that nothing explains."""

    problem: Problem
    call: ClaimedCall | None
    observed: Any
    by: Requantisation | None
    diagnoses: Sequence[Diagnosis]
    unlike: str


@click.command()
@click.argument("subject")
@click.argument("expression", required=False)
@click.option("--actual", metavar="FILE", help="The array to explain.")
@click.option("--x", metavar="FILE", help="The input of the call.")
@click.option("--weight", metavar="FILE", help="The weight.")
@click.option("--bias", metavar="FILE", help="The bias.")
@click.option(
    "--scale",
    "scales",
    metavar="NUMBER",
    help="The scale of requantised integers: sums are divided by it and rounded. A file has one for each channel.",
)
@click.option("--zero-point", type=int, default=0, show_default=True, help="The number that is then added to them.")
@click.option(
    "--let", "lets", multiple=True, metavar="NAME=VALUE", help="The value of a name in the call, such as ngf=64."
)
@click.option("--variant", help="How the framework executes (default: its first variant).")
@QUIET
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def command(
    subject: str, expression: str | None, actual: str | None, x: str | None, weight: str | None, bias: str | None,
    scales: str | None, zero_point: int, lets: tuple[str, ...], variant: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Name the smallest misreading that gives an array.

    SUBJECT is a record file, a descriptor, or a framework. For a record file, all diverging records are explained and
    grouped. Each group has the smallest predicate that separates it from the conforming records. With a descriptor, or
    with a framework and its call EXPRESSION, give the arrays: --actual, --x, --weight and --bias are files .npy, .npz,
    .pt or .safetensors. If a file has several tensors, name one, as in model.pt:up.weight. Arrays are in the call's own
    order of axes; for a descriptor they are in PyTorch's.

    If the lane of a record file is installed here in the same version, explanations of several statements are also
    tried on new operands, and the file keeps the outcome. Exit status: 0 all is right or explained, 1 something is
    unexplained, 2 usage.
    """
    scale = [] if scales is None else _scales(scales)
    files: dict[str, str | None] = {"--actual": actual, "--x": x, "--weight": weight}
    if subject.endswith(".jsonl") and expression is None:
        options = {"--bias": bias, "--scale": scale, "--zero-point": zero_point, "--variant": variant, "--let": lets}
        _require_no({**files, **options}, f"{subject!r} is a record file")
        return _records(Path(subject), json_lines if as_json else text_lines)
    require_no_path(subject, "give a record file, which ends in .jsonl, a descriptor, or a framework and a call")
    _require_question(subject, expression)
    if expression is None:
        _require_no({"--variant": variant, "--let": lets}, f"{subject!r} is a descriptor")
    _require_files(subject, files)
    given = {name: read_tensor(file) for name, file in (files | {"--bias": bias}).items() if file is not None}
    arrays = Arrays(given["--x"].array, given["--weight"].array, given["--bias"].array if bias else None)
    observed, held = given["--actual"]
    call = None
    if expression is not None:
        framework = idioms.framework_of(subject)
        reading = idioms.reading(framework, expression, parse_lets(lets, expression))
        lane = adapters.lane(framework, variant)
        try:
            call, arrays, observed = restored(reading, arrays, observed, lane.variant)
        except MisfitError as error:
            shapes = [f"{name} {file} is {given[name].array.shape}" for name, file in files.items()]
            raise DiagnosisError(f"{error}; {', '.join(shapes)}") from None
    problem = _problem(subject, arrays, observed) if call is None else call.claim.problem
    by = _requantisations(scale, zero_point, observed)
    with waiting("the diagnosis"):
        answer = _explained(problem, call, arrays, (observed, held), by)
    if as_json:
        echo(json.dumps(_document(answer), indent=2))
    else:
        for line in _diagnosis_lines(answer):
            echo(line)
    return OK if answer.diagnoses else DIVERGED


def _explained(
    problem: Problem, call: ClaimedCall | None, arrays: Arrays, actual: tuple[Any, Any], ways: Sequence[Requantisation]
) -> _Answer:
    """What explains an array, which is given with what its file held it as; `ways` has one for each channel, or one."""
    (observed, held), by, order = actual, ways[0] if ways else None, call.claim.data if call else layout.DATA
    if len(ways) > 1:
        diagnoses = diagnose_by_channel(problem, arrays, observed, ways, order)
        unlike = "" if diagnoses else difference_by_channel(problem, arrays, observed, ways)
    else:
        diagnoses = diagnose(problem, arrays, observed, held, order, by=by)
        unlike = "" if diagnoses else difference(problem, arrays, observed, held, by)
    return _Answer(problem, call, observed, by, diagnoses, unlike)


def _require_files(subject: str, files: Mapping[str, str | None]) -> None:
    """Raises DiagnosisError where one of the three arrays is not given."""
    if lacking := [name for name, file in files.items() if file is None]:
        missing = f"{', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing"
        raise DiagnosisError(
            f"{subject!r} takes --actual, --x and --weight, and {missing}: give each as a file, such as y.npy"
        )


def _require_question(subject: str, expression: str | None) -> None:
    """Raises DiagnosisError for a framework without a call, a call without a framework, and another file."""
    if expression is not None:
        return
    if subject in idioms.frameworks() or subject in idioms.owners():
        raise DiagnosisError(f"{subject!r} is a framework, and the call is missing: give it as the second argument, "
                             f'such as "{_example(subject)}"')  # fmt: skip
    if "(" in subject:
        raise DiagnosisError(f"{subject!r} is a call, and its framework is missing: give that first, one of "
                             f"{', '.join(idioms.frameworks())}")  # fmt: skip
    if Path(subject).suffix:
        raise DiagnosisError(f"{subject!r} is neither a record file, which ends in .jsonl, nor a descriptor, such as "
                             "'i5x7 k3 s2', nor a framework with a call: give one of these")  # fmt: skip


def _scales(text: str) -> list[float]:
    """One scale of all channels, or one for each, of a file. Raises DiagnosisError for text that is neither."""
    if text.endswith(SUFFIXES) or ":" in text:
        scales = read_tensor(text).array
        if scales.dtype.kind not in "iuf" or scales.size != max(scales.shape, default=1):
            raise DiagnosisError(
                f"--scale {text} is {scales.dtype} {scales.shape}: give one number for each out channel"
            )
        return [float(scale) for scale in scales.ravel()]
    try:
        return [float(text)]
    except ValueError:
        raise DiagnosisError(f"--scale is {text[:60]!r}, and sums are divided by it: give one number, such as 38.5, or "
                             "a file with a number for each out channel, such as scales.npy") from None  # fmt: skip


def _requantisations(scales: Sequence[float], zero_point: int, actual: Any) -> list[Requantisation]:
    """How integers were requantised. Raises DiagnosisError for what is no scale, and for a zero point that stands alone
    or that the array cannot hold."""
    if not scales and zero_point:
        raise DiagnosisError(f"--zero-point is {zero_point}, and there is no --scale: give it, such as --scale 1")
    if unfit := [scale for scale in scales if not 0 < scale < inf]:
        raise DiagnosisError(f"--scale is {unfit[0]}, and sums are divided by it: give a positive number")
    bounded_by = iinfo(actual.dtype) if scales and actual.dtype.kind in "iu" else None
    if bounded_by and not bounded_by.min <= zero_point <= bounded_by.max:
        raise DiagnosisError(f"--zero-point is {zero_point}, which {actual.dtype} does not hold: give one that it does")
    return [Requantisation(scale, zero_point) for scale in scales]


def _example(name: str) -> str:
    """A call of a framework, or of a module of one, that can stand in double quotes."""
    texts = [next(iter(idiom.examples()))[0] for idiom in idioms.idioms(idioms.framework_of(name))]
    return next((text for text in texts if f"{name}." in text), texts[0]).replace('"', "'")


def _require_no(options: Mapping[str, object], what: str) -> None:
    """Raises DiagnosisError for an option that would be ignored."""
    if given := next((name for name, value in options.items() if value), None):
        raise DiagnosisError(f"{what}, which takes no {given}: leave it out, or give a framework and its call")


def _problem(descriptor: str, arrays: Arrays, actual: Any) -> Problem:
    """The problem of a descriptor. Raises DiagnosisError for arrays of another kind of problem."""
    problem = Problem.parse(descriptor)
    if rule := broken_rule(problem):
        raise ProblemError(f"{descriptor!r}: {rule}: give another descriptor")
    if (arrays.bias is None) == problem.bias:
        raise DiagnosisError(f"{descriptor!r} takes {'--bias' if problem.bias else 'no --bias'}: {FITTING}")
    _require_operands(problem, arrays, actual)
    batch, channels = problem.output_shape[:2]
    fits = actual.ndim == problem.rank + 2 and (
        actual.size == prod(problem.output_shape)  # whose axes may be in another order
        or (actual.shape[0] == batch and actual.shape[1] in (channels, problem.out_channels))
    )
    if not fits:
        raise DiagnosisError(
            f"actual is {actual.shape}, '{problem}' gives ({batch}, {channels}, and {problem.rank} spatial axes): "
            "give the array in NC* order, or another descriptor, or the call that it comes from"
        )
    return problem


def _require_operands(problem: Problem, arrays: Arrays, actual: Any) -> None:
    """Raises DiagnosisError for operands of another problem, with the transposes that would make them fit."""
    shapes = {"x": arrays.x.shape, "weight": arrays.weight.shape, "actual": actual.shape}
    taken = problem.input_shape, problem.weight_shape, problem.output_shape
    layouts = layout.DATA, "(g i) o k", layout.DATA
    for (name, shape), expected in zip(list(shapes.items())[:2], taken, strict=False):
        if shape != expected:
            step = layout.transposes(shapes, lambda given: layouts if given == taken else None) or FITTING
            raise DiagnosisError(f"{name} is {shape}, '{problem}' takes {expected}: {step}")


def _document(answer: _Answer) -> Any:
    """What is printed as JSON, by the keys that docs/porting.md documents."""
    problem, call, observed, _, diagnoses, unlike = answer
    right = any(not diagnosis.statements for diagnosis in diagnoses)
    return {
        "problem": str(problem),
        "call": None if call is None else {
            "idiom": call.idiom.id, "law": call.claim.law, "text": call.text, "set_aside": list(call.aside),
            "layout": {"data": call.claim.data, "weight": call.claim.weight},
            "taps": "reversed" if call.claim.reversed else "as stored",
        },
        "verdict": "equal" if right else "explained" if diagnoses else UNEXPLAINED.lack,
        "diagnoses": [
            {
                "text": str(diagnosis), "statements": diagnosis.statements, "window": diagnosis.window,
                "exact": diagnosis.nearness is None,
                "beyond_stamp": list(_beyond(problem, diagnosis, observed)),
                "rounding": None if diagnosis.nearness is None else diagnosis.nearness._asdict(),
            }
            for diagnosis in diagnoses
        ],
        "difference": unlike or None,
        "not_searched": None if diagnoses else bounded(problem) or None,
    }  # fmt: skip


def _beyond(problem: Problem, diagnosis: Diagnosis, observed: Any) -> Iterator[str]:
    """What is to be said of rows that no tap reaches: of the array's where its window was moved."""
    moved = diagnosis.claimed is not None
    if moved or (diagnosis.window == problem.window and observed.shape[2:] == problem.output):
        output = observed.shape[2:] if moved else problem.output
        yield from beyond_stamp(diagnosis.window, output, bias=problem.bias)


def _diagnosis_lines(answer: _Answer) -> Iterator[str]:
    problem, call, observed, by, diagnoses, unlike = answer
    if call is not None:
        yield f"the call means '{problem}' ({call.name})"
        yield from (f"  {line}" for line in aside_lines(call.aside))
        if call.claim.data.replace(" ", "") != layout.DATA:
            yield f"  indices below are in the order n c k, and the call's data is in '{call.claim.data}'"
    if diagnoses and observed.shape != problem.output_shape:
        yield f"its shape is {observed.shape}, and {'the call' if call else 'the problem'} gives {problem.output_shape}"
    for diagnosis in diagnoses[:MOST_SHOWN]:
        yield str(diagnosis)
        yield from (f"  {text}" for text in _beyond(problem, diagnosis, observed))
    if len(diagnoses) > 1:
        shown = f", of which the first {MOST_SHOWN} are shown" if len(diagnoses) > MOST_SHOWN else ""
        yield f"the data cannot tell these {len(diagnoses)} apart{shown}"
    if not diagnoses:
        yield f"{UNEXPLAINED}: {unlike}"
        yield from (f"  {hint}" for hint in _hints(problem, call, observed, by))


def _hints(
    problem: Problem, call: ClaimedCall | None, observed: Any, by: Requantisation | None
) -> Iterator[str]:  # fmt: skip
    """What may be why nothing explains an array."""
    if left := bounded(problem):
        yield left
    if observed.dtype.kind in "iu" and observed.dtype.itemsize <= QUANTISED and by is None:
        yield "integers that were requantised are judged with --scale and --zero-point"
    if after := [reason for reason in (call.aside if call else ()) if reason.endswith(AFTER)]:
        name = after[0].removesuffix(f": {AFTER}")
        yield f"the call goes on after the transposed convolution ({name}): give the array from before that"


def _records(path: Path, lines: Any) -> int:
    run = record_file.read(path)
    diverging = [record for record in run.records if record.verdict is Verdict.DIVERGES]
    groups: list[Group] = []
    if diverging:
        conforming = [facts(record) for record in run.records if record.verdict is Verdict.CONFORMS]
        with open_beside(path, len(diverging)) as arrays:
            actual = among(arrays)
            with _asking(path, run) as ask:
                explained = explain_run(diverging, run.records, actual, ask)
            groups = groups_of(explained, conforming, actual)
    for line in lines(path, len(diverging), groups):
        echo(line)
    return OK if all(group.cause.explained for group in groups) else DIVERGED


@contextmanager
def _asking(path: Path, run: Run) -> Iterator[Ask]:
    """What asks the lane, where it is at hand, whether explanations hold on redrawn operands; the file keeps it."""
    learnt: dict[Key, Record] = {}
    with ExitStack() as stack:

        @cache
        def evaluate() -> Evaluate | None:
            lane = lane_at_hand(run.header)
            return stack.enter_context(by_lane(lane)) if lane else None

        def ask(explained: Sequence[Explained]) -> Mapping[Key, Record]:
            members = candidates(explained)
            evaluated = evaluate() if members else None
            new = {record.key: record for record in replicated(members, evaluated)} if evaluated else {}
            learnt.update(new)
            return new

        yield ask
    if not learnt:
        return
    kept = tuple(learnt.get(record.key, record) for record in run.records)
    try:
        record_file.write(path, replace(run, records=kept))
    except OSError as error:
        echo(f"{path}: what was found on redrawn operands is not kept: {error.strerror}", err=True)


def text_lines(path: Path, diverging: int, groups: Sequence[Group]) -> Iterator[str]:
    """Groups for people."""
    if not groups:
        yield f"{path}: no record diverges"
    for group in groups:
        yield f"{len(group.records)} of {diverging}: {group.cause.sentence}"
        for text, count in sorted(group.forms.items(), key=lambda item: (-item[1], item[0]))[:FORMS]:
            yield f"    in {count}: {text}"
        others = sorted(group.also.items(), key=lambda item: (-len(item[1]), str(item[0])))
        for cause, keys in others[:ALSO]:
            yield f"    in {len(keys)}, the data fits this as well: {cause}"
        if rest := others[ALSO:]:
            count = len(frozenset[Key]().union(*(keys for _, keys in rest)))
            yield f"    in {count}, the data fits {len(rest)} others as well"
        yield f"    {group.where.sentence}"
        if group.where.is_of_enough:
            yield f"        {group.where.coverage}"
        yield f"    {reproduction(group.witness)}"
        for name, values in group.arrays.items():
            yield f"        {name} {json.dumps(values)}"
        if not group.cause.explained:
            yield f"        {group.witness.message}"


def json_lines(path: Path, diverging: int, groups: Sequence[Group]) -> Iterator[str]:
    """Groups for programs, as one document."""
    yield json.dumps({
        "records": str(path), "diverging": diverging, "groups": [
            {
                "diagnosis": str(group.cause), "count": len(group.records),
                "candidate": group.cause.candidate,
                "forms": group.forms,
                "also": {str(cause): len(keys) for cause, keys in group.also.items()},
                "where": {**asdict(group.where), "sentence": group.where.sentence},
                "witness": {"case": group.witness.case, "dtype": group.witness.dtype, "problem": group.witness.problem,
                            "reproduction": reproduction(group.witness), "arrays": group.arrays,
                            "message": group.witness.message},
            }
            for group in groups
        ],
    })  # fmt: skip
