"""Wrong implementations, one documented fault each, that the cases must tell from a right one.

Nothing but the audit imports them. A function mutant is the oracle with one fault; a process mutant is an adapter in
`adapters/` that does to its process what a broken framework may do, one fault a variant.
"""

from collections.abc import Sequence
from pathlib import Path

from conformance.audit.mutants import axes, boundary, contract, memory, numerics, taps, window
from conformance.audit.mutants.base import Mutant

FUNCTIONS: Sequence[Mutant] = tuple(
    mutant for family in (window, taps, axes, numerics, boundary, memory, contract) for mutant in family.MUTANTS
)
ADAPTERS = Path(__file__).with_name("adapters")

__all__ = ["ADAPTERS", "FUNCTIONS", "Mutant"]
