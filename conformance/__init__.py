"""Do deep learning frameworks agree on transposed convolution, and where not, exactly how?

The names below are public and stay. They are imported when they are asked for, so that this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from conformance.diagnosis.observation import DiagnosisError
    from conformance.problem import Problem, ProblemError
    from conformance.suites.cases import CaseError
    from conformance.testing.cases import assert_conforms, cases, diagnose, expected
    from conformance.testing.check import check
    from conformance.testing.function import CheckError
    from conformance.testing.report import NonconformityError

__all__ = [
    "CaseError", "CheckError", "DiagnosisError", "NonconformityError", "Problem", "ProblemError",
    "assert_conforms", "cases", "check", "diagnose", "expected",
]  # fmt: skip

_PLACES = {
    "CaseError": "suites.cases", "CheckError": "testing.function", "DiagnosisError": "diagnosis.observation",
    "NonconformityError": "testing.report", "Problem": "problem", "ProblemError": "problem",
    "assert_conforms": "testing.cases", "cases": "testing.cases", "check": "testing.check",
    "diagnose": "testing.cases", "expected": "testing.cases",
}  # fmt: skip


if not TYPE_CHECKING:  # which would take every name for one of ours

    def __getattr__(name: str) -> Any:
        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
        return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
