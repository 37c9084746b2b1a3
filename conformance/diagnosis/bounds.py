"""How much is searched for what explains an array, and what is said of what is not."""

from math import prod

from conformance.diagnosis.observation import DiagnosisError
from conformance.problem import Problem

MOST_STATEMENTS = 3
MOST_OF_LARGE = 2
"""Statements of a problem that is large."""
LARGEST_OPERAND = 2**18
"""Elements of an operand about which more than one statement is made at once."""
LARGEST = 2**23
"""Products of one stamp, those of an element and a tap as one, up to which a record's array is searched."""
LARGEST_SUM = 2**19
"""Products that one plane of an answer adds up, above which the search is bounded too."""
NEAR = {1: 1024, 2: 24, 3: 6}
"""How far a window is moved at most where a problem is large, by the number of axes."""
LARGEST_PLANE = 2**22
"""Positions of a stamp, and around it, above which no window is searched for."""
LONGEST = 2**24
"""Positions of a stamp on an axis."""


class TooLargeError(DiagnosisError):
    """A problem that would take too long to search."""


def is_large(problem: Problem) -> bool:
    """Whether the search for what explains an array is bounded: fewer statements, and windows near the claimed one."""
    in_plane = problem.in_channels * prod(problem.input) * prod(problem.kernel)
    return _placed(problem) > LARGEST or in_plane > LARGEST_SUM


def bounded(problem: Problem) -> str:
    """What was searched for and what was not, since the problem is large; nothing where all was."""
    if not is_large(problem):
        return ""
    largest = max(prod(problem.input_shape), prod(problem.weight_shape))
    twice = f", two about an operand of more than {LARGEST_OPERAND} elements" if largest > LARGEST_OPERAND else ""
    return (
        f"searched, since the array is large: statements alone and {MOST_OF_LARGE} at once, and windows that are moved "
        f"by at most {NEAR[problem.rank]}; not searched: {MOST_STATEMENTS} at once{twice}, and windows further away"
    )


def require_searchable(problem: Problem) -> None:
    """Raises TooLargeError where there are too many products to search in whole."""
    if (count := _placed(problem)) > LARGEST:
        raise TooLargeError(
            f"'{problem}' has {count} products to place, at most {LARGEST} are searched: give a smaller problem like it"
        )


def _placed(problem: Problem) -> int:
    return problem.multiplies // problem.in_channels
