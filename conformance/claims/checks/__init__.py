"""The checks: measurements that a claim can be put to, by name.

A check asks one lane and yields what it measured, trial by trial; it passes no judgement. A claim's law, condition
and correction, which are data, are judged on those numbers by `conformance.claims.judgement`.
"""

from conformance.claims.checks import arrays, calls, matrices, networks, overlap, sizes, windows
from conformance.claims.checks.base import CHECKS, Bench, Check, CheckError, Trial

__all__ = ["CHECKS", "Bench", "Check", "CheckError", "Trial", "arrays", "calls", "matrices", "networks", "overlap",
           "sizes", "windows"]  # fmt: skip
