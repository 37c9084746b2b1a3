"""conformance diagnose: what explains an array, or the diverging arrays of a record file."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from conformance import data, record
from conformance.data import Arrays
from conformance.diagnose import DiagnosisError, diagnose, difference
from conformance.exit_status import DIVERGED, OK
from conformance.problem import Problem, ProblemError, broken_rule
from conformance.record import Record, Verdict, reproduction


@click.command()
@click.argument("subject")
@click.option("--actual", type=Path, help="The array to explain, as .npy in NC* order.")
@click.option("--x", type=Path, help="The input that gave it, as .npy in NC* order.")
@click.option("--weight", type=Path, help="The weight, as .npy in (in, out/groups, *kernel) order.")
@click.option("--bias", type=Path, help="The bias, as .npy.")
def command(subject: str, actual: Path | None, x: Path | None, weight: Path | None, bias: Path | None) -> int:
    """Name the smallest misreading that gives an array exactly.

    SUBJECT is a record file, whose diverging records are all explained and grouped; or a descriptor, with --actual,
    --x, --weight and --bias. Exit status: 0 all explained, 1 something is not.
    """
    if subject.endswith(".jsonl"):
        return _records(Path(subject))
    problem = Problem.parse(subject)
    if rule := broken_rule(problem):
        raise ProblemError(f"{subject!r}: {rule}")
    if actual is None or x is None or weight is None or (bias is None) == problem.bias:
        needed = "--actual, --x, --weight" + (" and --bias" if problem.bias else ", and no --bias")
        raise DiagnosisError(f"{subject!r} needs {needed}: give each as a .npy file")
    arrays = Arrays(_load(x), _load(weight), None if bias is None else _load(bias))
    return _explain(problem, arrays, _load(actual))


def _explain(problem: Problem, arrays: Arrays, actual: Any) -> int:
    found = diagnose(problem, arrays, actual)
    for each in found:
        click.echo(str(each))
    if len(found) > 1:
        click.echo(f"the data cannot tell these {len(found)} apart")
    if not found:
        click.echo(f"unexplained: {difference(problem, arrays, actual)}")
    return OK if found else DIVERGED


def _records(path: Path) -> int:
    run = record.read(path)
    diverging = [each for each in run.records if each.verdict is Verdict.DIVERGES]
    evidence = path.with_suffix(".npz")
    if diverging and not evidence.exists():
        raise DiagnosisError(f"{evidence}: the arrays of {len(diverging)} diverging records are not there: keep it "
                             "beside the record file, or run the lane again")  # fmt: skip
    groups: dict[str, list[Record]] = defaultdict(list)
    if diverging:
        with np.load(evidence, allow_pickle=False) as arrays:
            for each in diverging:
                groups[_diagnosis(each, arrays)].append(each)
    for text, records in sorted(groups.items(), key=lambda group: -len(group[1])):
        smallest = min(records, key=lambda each: (Problem.parse(each.problem).multiplies, each.problem))
        click.echo(f"{len(records)} of {len(diverging)}: {text or 'unexplained'}\n    {reproduction(smallest)}")
    if not diverging:
        click.echo(f"{path}: no record diverges")
    return DIVERGED if "" in groups else OK


def _diagnosis(each: Record, arrays: Mapping[str, Any]) -> str:
    """Every smallest diagnosis of a record in one line; empty where there is none."""
    problem = Problem.parse(each.problem)
    name = "/".join((*each.key, "actual"))
    if name not in arrays:
        raise DiagnosisError(f"{each.case} {each.dtype}: its arrays are not beside the record: run the lane again")
    return ", or ".join(map(str, diagnose(problem, data.draw(each.case, problem), arrays[name])))


def _load(path: Path) -> Any:
    try:
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise DiagnosisError(f"{path}: not an array file: {error.strerror}: save it with numpy.save") from None
    except (ValueError, EOFError):  # NumPy's own advice here is to unpickle, which a file from elsewhere must not be
        raise DiagnosisError(f"{path}: not an array file, or one of Python objects: save it with numpy.save") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
        raise DiagnosisError(f"{path}: holds no array of numbers: save one array with numpy.save")
    return array
