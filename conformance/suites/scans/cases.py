"""A scan as a suite: its problems on exact data, or with the model's own weights, which lie beside it."""

from collections.abc import Iterator
from pathlib import Path

from conformance.problem import Problem
from conformance.suites.case import EXACT, Case, Learnt, Rounded, Suite
from conformance.suites.scans import file as scan_file
from conformance.suites.scans.file import Row, ScanFileError

OWN = ":weights"
"""What stands behind the name of a scan where the model's own weights are meant."""
DTYPES = ("float32", "float64")
"""Those that a suite is run in where its layers have them; layers of another dtype are run in the first."""
PREFIX = "layer-"
"""How the ids of a scan's cases begin, so that they are told from those of the suites."""


def is_scan(name: str) -> bool:
    """Whether the name of a suite is that of a scan's file, with own weights or without."""
    return scan_file.is_scan(name.removesuffix(OWN))


def path_of(name: str) -> Path:
    """The file of a scan by the name of its suite."""
    return Path(name.removesuffix(OWN))


def suite_of(name: str) -> Suite:
    """The suite of a scan. Raises ScanFileError where it has no case, and OSError."""
    path, own = path_of(name), name.endswith(OWN)
    scan = scan_file.read(path)
    dtypes = tuple(dtype for dtype in DTYPES if any(row.dtype == dtype for row in scan.rows)) or DTYPES[:1]
    dtypes = dtypes[:1] if own else dtypes  # a weight is exact in its own dtype alone
    cases = tuple(_cases(path, scan, dtypes[0] if own else ""))
    if not cases:
        lack = "no weight of which the extents are known, or none in float32 or float64" if own else "no problem"
        raise ScanFileError(f"{path}: has {lack}: scan the model with --input{' and --weights' if own else ''}")
    return Suite(f"scan-{path.stem}{'-weights' if own else ''}", cases, dtypes, name)


def _cases(path: Path, scan: scan_file.Scan, own: str) -> Iterator[Case]:
    for row in scan.rows:
        if not row.problem or row.unknown or (own and (not row.digest or row.dtype != own)):
            continue
        why = f"{row.layer} of {scan.header.model}: {row.call}"
        subject = Rounded(learnt(path, row)) if own else EXACT
        name = f"{PREFIX}{row.id}{'-weights' if own else ''}"
        yield Case(name, Problem.parse(row.problem), row.problem, why, ("extent",), path.name, subject)


def learnt(path: Path, row: Row) -> Learnt:
    """Where the weights of a row's layer are."""
    problem = Problem.parse(row.problem)
    beside = str(scan_file.weights_beside(path).absolute())
    return Learnt(beside, row.layer, row.digest, row.weight, row.taps == "reversed", problem.bias)
