"""Wrong implementations, one documented fault each, that the cases must tell from a right one.

Nothing but the audit imports them. A function mutant is the oracle with one fault; a process mutant is an adapter in
`adapters/` that does to its process what a broken framework may do, one fault a variant.
"""

from collections.abc import Sequence
from pathlib import Path

from conformance.audit.mutants import (
    axes,
    blocks,
    boundary,
    combinations,
    contract,
    integers,
    joint,
    memory,
    numerics,
    popular,
    ranges,
    taps,
    tiles,
    whole,
    window,
)
from conformance.audit.mutants.base import Mutant

FUNCTIONS: Sequence[Mutant] = tuple(
    mutant for family in (window, taps, axes, numerics, boundary, memory, contract) for mutant in family.MUTANTS
)
"""Faults that are seen on most problems, and the corners that were thought of first."""
REGIONAL: Sequence[Mutant] = tuple(
    mutant
    for family in (popular, blocks, combinations, integers, joint, ranges, whole, tiles)
    for mutant in family.MUTANTS
)
"""A fault times a region, from parameters: what optimised implementations get wrong, and where."""
EVERY: Sequence[Mutant] = (*FUNCTIONS, *REGIONAL)
ADAPTERS = Path(__file__).with_name("adapters")

__all__ = ["ADAPTERS", "EVERY", "FUNCTIONS", "REGIONAL", "Mutant"]
