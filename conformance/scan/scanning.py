"""A model file to the rows of a scan: its format recognized, its layers found at the sizes that matter, each told once.

A format whose framework has to be imported is read in a process of that lane's environment: see `process`.
"""

import hashlib
import importlib
import importlib.util
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import numpy as np

from conformance.calls.verify import python_for
from conformance.io.bounded import open_regular
from conformance.io.terminal import progress
from conformance.layout import LayoutError
from conformance.problem import Problem, broken_rule
from conformance.scan import process, sizes
from conformance.scan.formats.known import format_of
from conformance.scan.layer import Array, Layer, Model, ScanError
from conformance.scan.regions import regions
from conformance.suites.scans.file import FORMAT, Header, Row, Scan
from conformance.suites.scans.weights import bias_of, canonical, digest_of

DIGEST_PIECE = 1 << 20


class Scanned(NamedTuple):
    """A scan, and the weights of its layers by their names; of a bias behind the name and `.bias`."""

    scan: Scan
    weights: Mapping[str, Callable[[], Array]]


def scan(name: str, inputs: Sequence[str] = (), pythons: Mapping[str, str] = MappingProxyType({})) -> Scanned:
    """What a model has; `pythons` are interpreters by framework. Raises ScanError, which names it, and OSError."""
    found, asked = format_of(name), sizes.parse(inputs)
    python = pythons.get(found.framework, "") or (python_for(found.framework, {}) if found.framework else None)
    if found.framework and (python or not found.module):
        return Scanned(*process.scan(name, found.framework, inputs, python or ""))
    opened = importlib.import_module(f"conformance.scan.formats.{found.module}").open_model(Path(name))
    return of_model(name, cast(Model, opened), asked)


def of_model(name: str, model: Model, asked: sizes.Asked) -> Scanned:
    """The scan of a model that has been opened."""
    path = Path(name)
    ranges, free = sizes.of_inputs(path.name, model.inputs, asked)
    try:
        found, words = sizes.tried(ranges, model.layers)
    except ScanError:
        least = ranges
        ranges, free = sizes.of_inputs(path.name, model.inputs, asked, batch=2)  # exporters make a case of 1 of its own
        if ranges == least:
            raise
        found, words = sizes.tried(ranges, model.layers)
    rows, weights = _rows(found, _dynamic(ranges, free))
    given = {each: ",".join(str(low) if low == high else f"{low}..{high}" for low, high in extents)
             for each, extents in ranges.items()}  # fmt: skip
    digest = file_digest(path) if path.exists() else ""
    header = Header(format=FORMAT, model=path.name, kind=model.kind, digest=digest, inputs=given, taken=words,
                    rows=len(rows))  # fmt: skip
    return Scanned(Scan(header, tuple(rows)), weights)


def _dynamic(ranges: sizes.Asked, free: Sequence[str]) -> list[str]:
    said = [f"axis {axis} of {name}: {low}..{high}" for name, extents in ranges.items()
            for axis, (low, high) in enumerate(extents) if low < high]  # fmt: skip
    return [*said, *free]


def file_digest(path: Path) -> str:
    """A hash of a file's bytes, or of all files of a folder and their names."""
    hashed = hashlib.blake2b(digest_size=8)
    for file in sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]:
        if path.is_dir():
            hashed.update(file.relative_to(path).as_posix().encode())
        with open_regular(file) as content:
            while piece := content.read(DIGEST_PIECE):
                hashed.update(piece)
    return hashed.hexdigest()


def _rows(found: Sequence[Sequence[Layer]], dynamic: Sequence[str]) -> tuple[list[Row], dict[str, Callable[[], Array]]]:
    """The rows of all layers, each at the sizes that matter, and the weights."""
    rows: list[Row] = []
    weights: dict[str, Callable[[], Array]] = {}
    names = _Names()
    for layers in progress(_by_layer(found), "scan", "layers"):
        name = names.layer(layers[0].name)
        kept = list(_kept(layers))
        weight = kept[0].weight
        digest = ""
        if weight is not None:
            digest = _digest(kept[0], weight.array())
            weights[name] = weight.array
            if weight.bias is not None:
                weights[bias_of(name)] = weight.bias
        rows += [_row(name, names.case(name, len(kept) > 1), layer, digest, dynamic) for layer in kept]
    return rows, weights


def _by_layer(found: Sequence[Sequence[Layer]]) -> list[list[Layer]]:
    """Each layer at all sizes at which it runs: the same by name and weight, and by the number of calls."""
    same: dict[tuple[str, str, int], list[Layer]] = {}
    for layers in found:
        times: Counter[tuple[str, str]] = Counter()
        for layer in layers:
            like = layer.name, layer.identity
            times[like] += 1
            same.setdefault((*like, times[like]), []).append(layer)
    return [*same.values()]


def _digest(layer: Layer, weight: Array) -> str:
    """The digest of a weight in the order of axes that problems have, where that is known."""
    claim = layer.claim
    if claim is None:
        return ""
    try:
        return digest_of(canonical(weight, claim.problem, claim.weight, reverse=claim.reversed))
    except LayoutError:
        return ""


def _row(name: str, case: str, layer: Layer, digest: str, dynamic: Sequence[str]) -> Row:
    claim = layer.claim
    unknown = layer.unknown
    if claim is not None and (rule := broken_rule(claim.problem)):
        claim, unknown = None, rule
    said: dict[str, Any] = {} if claim is None else {
        "problem": str(claim.problem), "law": claim.law, "data": claim.data, "weight": claim.weight,
        "taps": "reversed" if claim.reversed else "as stored",
    }  # fmt: skip
    return Row(
        id=case, layer=name, place=layer.place, call=layer.call, dtype=layer.dtype, digest=digest,
        provenance=layer.provenance, dynamic=list(dynamic), unknown=(claim and claim.refused) or unknown, **said,
    )  # fmt: skip


def _kept(layers: Sequence[Layer]) -> Iterator[Layer]:
    """A layer at the smallest and the largest size, and where something else about it changes in between."""
    known = [layer for layer in layers if layer.claim is not None]
    if not known:
        yield layers[0]
        return
    by_size = sorted({_problem(layer): layer for layer in known}.items(), key=lambda item: _size(item[0]))
    told: set[object] = set()
    for at, (problem, layer) in enumerate(by_size):
        told_of = (problem.kernel, problem.stride, problem.window, problem.dilation, regions(problem, layer.dtype))
        if told_of not in told or at in (0, len(by_size) - 1):
            told.add(told_of)
            yield layer


def _problem(layer: Layer) -> Problem:
    assert layer.claim is not None
    return layer.claim.problem


def _size(problem: Problem) -> tuple[int, ...]:
    product = problem.batch
    for extent in problem.input:
        product *= extent
    return product, problem.batch, *problem.input


class _Names:
    """Names that are each given once: of layers, and of the cases that are made of them."""

    def __init__(self) -> None:
        self._layers: set[str] = set()
        self._cases: set[str] = set()

    def layer(self, name: str) -> str:
        """A name that is no other layer's, nor that of another's bias, nor has a bias of another layer's name."""
        made, number = name, 1
        while not self._layers.isdisjoint({made, bias_of(made)}):
            number += 1
            made = f"{name.removesuffix('.1')}.{number}"
        self._layers |= {made, bias_of(made)}
        return made

    def case(self, layer: str, several: bool) -> str:
        plain = re.sub(r"[^a-z0-9]+", "-", layer.lower()).strip("-") or "layer"
        first = f"{plain}-1" if several else plain
        made, number = first, 1
        while made in self._cases:
            number += 1
            made = f"{first.removesuffix('-1')}-{number}"
        self._cases.add(made)
        return made


def stored(weights: Mapping[str, Callable[[], Array]]) -> bytes:
    """The bytes of a file of safetensors with these weights."""
    from safetensors.numpy import save

    arrays: Iterable[tuple[str, Array]] = ((name, np.ascontiguousarray(read())) for name, read in weights.items())
    content: bytes = save(dict(arrays))
    return content
