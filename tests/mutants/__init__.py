"""Wrong implementations, one documented fault each, that the cases must tell from a right one."""

from .faults import MUTANTS, Mutant

__all__ = ["MUTANTS", "Mutant"]
