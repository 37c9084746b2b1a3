"""A fake as a function: `python -m conformance.audit.fakes.function FAKE RECORDS SECONDS` is a script of its author."""

import sys
from collections.abc import Callable
from typing import Any

import conformance
from conformance import oracle
from conformance.audit.fakes.answers import ANSWERS, SUITE


def fake(name: str) -> Callable[..., Any]:
    """The function; that of nothing takes no argument of a problem, so that no problem can be said."""
    if name == "nothing":
        return lambda x, weight: None

    def function(x: Any, weight: Any, bias: Any, **options: Any) -> Any:
        return ANSWERS[name](x, oracle.conv_transpose(x, weight, bias, **options).astype(x.dtype))

    return function


def main(name: str, folder: str, seconds: str) -> None:
    """Check it, keep its records, and fail as a script does."""
    report = conformance.check(fake(name), suite=SUITE, name=name, seconds=float(seconds))
    report.write(folder)
    report.raise_for_failures()


if __name__ == "__main__":
    main(*sys.argv[1:])
