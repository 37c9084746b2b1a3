"""conformance diagnose: what explains an array, or the diverging arrays of a record file, and where it happens."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from conformance.diagnosis.diagnose import Diagnosis, DiagnosisError, diagnose, difference
from conformance.diagnosis.explain import UNEXPLAINED, Explained, Group, among, by_cause, causes, group_of
from conformance.io.array_files import read_array
from conformance.io.bounded import BoundError
from conformance.io.exit_status import DIVERGED, OK
from conformance.io.terminal import echo
from conformance.numerics.operands import Arrays
from conformance.predicates.comparisons import facts
from conformance.problem import Problem, ProblemError, broken_rule
from conformance.records import record_file
from conformance.records.arrays import open_beside
from conformance.records.record import Verdict
from conformance.records.reproduction import reproduction

ALSO = 3
"""Other diagnoses of the same records that are printed."""


@click.command()
@click.argument("subject")
@click.option("--actual", type=Path, help="The array to explain, as .npy in NC* order.")
@click.option("--x", type=Path, help="The input that gave it, as .npy in NC* order.")
@click.option("--weight", type=Path, help="The weight, as .npy in (in, out/groups, *kernel) order.")
@click.option("--bias", type=Path, help="The bias, as .npy.")
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
def command(
    subject: str, actual: Path | None, x: Path | None, weight: Path | None, bias: Path | None, as_json: bool
) -> int:
    """Name the smallest misreading that gives an array exactly.

    SUBJECT is a record file, whose diverging records are all explained, grouped, and told from the conforming ones by
    the smallest predicate that does; or a descriptor, with --actual, --x, --weight and --bias. Exit status: 0 all
    explained, 1 something is not, 2 usage.
    """
    if subject.endswith(".jsonl"):
        return _records(Path(subject), json_lines if as_json else text_lines)
    problem = Problem.parse(subject)
    if rule := broken_rule(problem):
        raise ProblemError(f"{subject!r}: {rule}")
    if actual is None or x is None or weight is None or (bias is None) == problem.bias:
        needed = "--actual, --x, --weight" + (" and --bias" if problem.bias else ", and no --bias")
        raise DiagnosisError(f"{subject!r} needs {needed}: give each as a .npy file")
    arrays = Arrays(_load(x), _load(weight), None if bias is None else _load(bias))
    explanations, unlike = _explained(problem, arrays, _load(actual))
    if as_json:
        diagnoses = [
            {"text": str(diagnosis), "statements": diagnosis.statements, "window": diagnosis.window}
            for diagnosis in explanations
        ]
        echo(json.dumps({"problem": str(problem), "diagnoses": diagnoses, "difference": unlike}))
    else:
        echo("\n".join(_diagnosis_lines(explanations, unlike)))
    return OK if explanations else DIVERGED


def _explained(problem: Problem, arrays: Arrays, actual: Any) -> tuple[tuple[Diagnosis, ...], str]:
    """What explains an array, or how it differs. Raises DiagnosisError for an array of another kind of problem."""
    batch, channels = problem.output_shape[:2]
    if actual.ndim != problem.rank + 2 or actual.shape[0] != batch or actual.shape[1] not in (
        channels, problem.out_channels
    ):  # fmt: skip
        raise DiagnosisError(
            f"actual is {actual.shape}, '{problem}' gives ({batch}, {channels}, and {problem.rank} spatial axes): "
            "give the array in NC* order, or another descriptor"
        )
    diagnoses = diagnose(problem, arrays, actual)
    if diagnoses:
        return diagnoses, ""
    unlike = difference(problem, arrays, actual)
    if any(array is not None and (array % 1).any() for array in (*arrays, actual)):
        unlike += "; the arrays are not whole numbers, so that rounding differs too: give whole numbers"
    return (), unlike


def _diagnosis_lines(diagnoses: tuple[Diagnosis, ...], unlike: str) -> Iterator[str]:
    yield from map(str, diagnoses)
    if len(diagnoses) > 1:
        yield f"the data cannot tell these {len(diagnoses)} apart"
    if not diagnoses:
        yield f"{UNEXPLAINED}: {unlike}"


def _records(path: Path, lines: Any) -> int:
    run = record_file.read(path)
    diverging = [record for record in run.records if record.verdict is Verdict.DIVERGES]
    groups: list[Group] = []
    if diverging:
        conforming = [facts(record) for record in run.records if record.verdict is Verdict.CONFORMS]
        with open_beside(path, len(diverging)) as arrays:
            actual = among(arrays)
            explained = [Explained(record, causes(record, actual)) for record in diverging]
            groups = [group_of(cause, those, conforming, actual) for cause, those in by_cause(explained)]
    for line in lines(path, len(diverging), groups):
        echo(line)
    return OK if all(group.cause.explained for group in groups) else DIVERGED


def text_lines(path: Path, diverging: int, groups: Sequence[Group]) -> Iterator[str]:
    """Groups for people."""
    if not groups:
        yield f"{path}: no record diverges"
    for group in groups:
        yield f"{len(group.records)} of {diverging}: {group.cause.sentence}"
        others = sorted(group.also.items(), key=lambda item: (-item[1], str(item[0])))
        for cause, count in others[:ALSO]:
            yield f"    the data of {count} cannot tell it from: {cause}"
        if rest := others[ALSO:]:
            yield f"    the data of {sum(count for _, count in rest)} cannot tell it from {len(rest)} others"
        yield f"    where {group.where.predicate}\n        {group.where.coverage}"
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
                "also": {str(cause): count for cause, count in group.also.items()},
                "where": asdict(group.where),
                "witness": {"case": group.witness.case, "dtype": group.witness.dtype, "problem": group.witness.problem,
                            "reproduction": reproduction(group.witness), "arrays": group.arrays,
                            "message": group.witness.message},
            }
            for group in groups
        ],
    })  # fmt: skip


def _load(path: Path) -> Any:
    try:
        return read_array(path)
    except OSError as error:
        raise DiagnosisError(f"{path}: not an array file: {error.strerror}: save it with numpy.save") from None
    except BoundError as error:
        raise DiagnosisError(f"{path}: {error}") from None
