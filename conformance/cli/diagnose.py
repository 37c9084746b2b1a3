"""conformance diagnose: what explains an array, or the diverging arrays of a record file, and where it happens."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

from conformance import data, oracle, record
from conformance.cluster import Cluster, Facts, cluster
from conformance.data import Arrays
from conformance.diagnose import Diagnosis, DiagnosisError, TooLargeError, diagnose, difference
from conformance.exit_status import DIVERGED, OK
from conformance.problem import Problem, ProblemError, broken_rule
from conformance.record import Record, Verdict, reproduction

TINY = 12
"""Elements up to which an array is printed."""
ALSO = 3
"""Other diagnoses of the same records that are printed."""
UNEXPLAINED = "unexplained"


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
    explained, 1 something is not.
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
    found, unlike = _explained(problem, arrays, _load(actual))
    if as_json:
        diagnoses = [{"text": str(each), "statements": each.statements, "window": each.window} for each in found]
        click.echo(json.dumps({"problem": str(problem), "diagnoses": diagnoses, "difference": unlike}))
    else:
        click.echo("\n".join(_said(found, unlike)))
    return OK if found else DIVERGED


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
    found = diagnose(problem, arrays, actual)
    if found:
        return found, ""
    unlike = difference(problem, arrays, actual)
    if any(array is not None and (array % 1).any() for array in (*arrays, actual)):
        unlike += "; the arrays are not whole numbers, so that rounding differs too: give whole numbers"
    return (), unlike


def _said(found: tuple[Diagnosis, ...], unlike: str) -> Iterator[str]:
    yield from map(str, found)
    if len(found) > 1:
        yield f"the data cannot tell these {len(found)} apart"
    if not found:
        yield f"{UNEXPLAINED}: {unlike}"


class Explained(NamedTuple):
    """A diverging record, with every smallest diagnosis of it in words that other problems can share."""

    record: Record
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Diverging records that one diagnosis explains, and what they have in common that conforming ones have not.

    `also` counts those that other diagnoses explain as well; `arrays` are the witness's, where they are tiny.
    """

    diagnosis: str
    records: tuple[Record, ...]
    also: Mapping[str, int]
    where: Cluster
    witness: Record
    arrays: Mapping[str, Any]


def _records(path: Path, lines: Any) -> int:
    run = record.read(path)
    diverging = [each for each in run.records if each.verdict is Verdict.DIVERGES]
    evidence = path.with_suffix(".npz")
    if diverging and not evidence.exists():
        raise DiagnosisError(f"{evidence}: the arrays of {len(diverging)} diverging records are not there: keep it "
                             "beside the record file, or run the lane again")  # fmt: skip
    groups: list[Group] = []
    if diverging:
        conforming = [_facts(each) for each in run.records if each.verdict is Verdict.CONFORMS]
        with np.load(evidence, allow_pickle=False) as arrays:
            explained = [Explained(each, kinds(each, arrays)) for each in diverging]
            groups = [_group(text, those, conforming, arrays) for text, those in _by_diagnosis(explained)]
    for line in lines(path, len(diverging), groups):
        click.echo(line)
    return DIVERGED if any(group.diagnosis.startswith(UNEXPLAINED) for group in groups) else OK


def kinds(each: Record, arrays: Mapping[str, Any]) -> tuple[str, ...]:
    """Every smallest diagnosis of a record."""
    problem = Problem.parse(each.problem)
    try:
        found = diagnose(problem, data.draw(each.case, problem), _actual(each, arrays))
    except TooLargeError:
        return (f"{UNEXPLAINED}, too large to be searched",)
    if not found:
        return (UNEXPLAINED,)
    same = f"equals the oracle but for its {each.kind}"
    return tuple(dict.fromkeys(diagnosis.kind if diagnosis.statements else same for diagnosis in found))


def _actual(each: Record, arrays: Mapping[str, Any]) -> Any:
    name = "/".join((*each.key, "actual"))
    if name not in arrays:
        raise DiagnosisError(f"{each.case} {each.dtype}: its arrays are not beside the record: run the lane again")
    return arrays[name]


def _by_diagnosis(explained: Iterable[Explained]) -> Iterator[tuple[str, list[Explained]]]:
    """Records by the diagnosis that explains most of those left, again and again."""
    left = list(explained)
    while left:
        counts = Counter(kind for each in left for kind in each.kinds)
        most, _ = min(counts.items(), key=lambda item: (-item[1], item[0].count(" and "), item[0]))
        yield most, [each for each in left if most in each.kinds]
        left = [each for each in left if most not in each.kinds]


def _group(text: str, those: Sequence[Explained], conforming: Sequence[Facts], arrays: Mapping[str, Any]) -> Group:
    records = tuple(each.record for each in those)
    also = Counter(kind for each in those for kind in each.kinds if kind != text)
    witness = min(records, key=lambda each: (Problem.parse(each.problem).multiplies, len(each.problem), each.key))
    where = cluster([_facts(each) for each in records], conforming)
    return Group(text, records, also, where, witness, _tiny(witness, _actual(witness, arrays)))


def _facts(each: Record) -> Facts:
    return Facts(Problem.parse(each.problem), each.framework, each.variant, each.dtype, each.direction)


def _tiny(each: Record, actual: Any) -> dict[str, Any]:
    """The arrays of a record as lists, where each is tiny."""
    problem = Problem.parse(each.problem)
    operands = data.draw(each.case, problem)
    given = {**operands._asdict(), "actual": actual, "expected": oracle.expected(problem, *operands)}
    arrays = {name: array for name, array in given.items() if array is not None}
    return {name: array.tolist() for name, array in arrays.items() if max(a.size for a in arrays.values()) <= TINY}


def text_lines(path: Path, diverging: int, groups: Sequence[Group]) -> Iterator[str]:
    """Groups for people."""
    if not groups:
        yield f"{path}: no record diverges"
    for group in groups:
        explained = "" if group.diagnosis.startswith(("equals", UNEXPLAINED)) else "equals the oracle with "
        yield f"{len(group.records)} of {diverging}: {explained}{group.diagnosis}"
        others = sorted(group.also.items(), key=lambda item: (-item[1], item[0]))
        for kind, count in others[:ALSO]:
            yield f"    the data of {count} cannot tell it from: {kind}"
        if rest := others[ALSO:]:
            yield f"    the data of {sum(count for _, count in rest)} cannot tell it from {len(rest)} others"
        yield f"    where {group.where.predicate}\n        {group.where.coverage}"
        yield f"    {reproduction(group.witness)}"
        for name, values in group.arrays.items():
            yield f"        {name} {json.dumps(values)}"
        if group.diagnosis.startswith(UNEXPLAINED):
            yield f"        {group.witness.message}"


def json_lines(path: Path, diverging: int, groups: Sequence[Group]) -> Iterator[str]:
    """Groups for programs, as one document."""
    yield json.dumps({
        "records": str(path), "diverging": diverging, "groups": [
            {
                "diagnosis": group.diagnosis, "count": len(group.records), "also": dict(group.also),
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
        array = np.load(path, allow_pickle=False)
    except OSError as error:
        raise DiagnosisError(f"{path}: not an array file: {error.strerror}: save it with numpy.save") from None
    except (ValueError, EOFError):  # NumPy's own advice here is to unpickle, which a file from elsewhere must not be
        raise DiagnosisError(f"{path}: not an array file, or one of Python objects: save it with numpy.save") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
        raise DiagnosisError(f"{path}: holds no array of numbers: save one array with numpy.save")
    return array
