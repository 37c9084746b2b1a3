"""Refusals of a size, each with what would be legal instead."""

from collections.abc import Callable, Collection, Sequence
from math import prod

from conformance.idioms.base import LARGEST, Claim, Rule
from conformance.problem import Ints, Problem

Legal = Callable[[Problem], Sequence[Collection[int]]]
"""The values that are legal on each axis."""

LISTED = 5
"""Numbers that are listed one by one."""


def legal_alone(reason: str, name: str, given: Ints, legal: Legal, leaving: Legal | None = None) -> Rule:
    """The refusal of an argument that is not among the `legal` values of every axis; it names those of the first axis
    where it is not: "too large: output_size takes 8 or 9 here".

    Only the values of `leaving` are named, where that says which of them leave anything of the stamp.
    """

    def broken(problem: Problem) -> list[int]:
        axes = enumerate(zip(given, legal(problem), strict=True))
        return [axis for axis, (value, values) in axes if value not in values]

    def worded(problem: Problem) -> str:
        (axis, *_) = broken(problem)
        values = legal(problem)[axis]
        if leaving is not None:
            left = leaving(problem)[axis]
            among = left if isinstance(left, range) else set(left)
            values = [value for value in values if value in among]
        return f"{reason}: {name} takes {listed(values)} here{f' on axis {axis}' if len(given) > 1 else ''}"

    return worded, lambda problem: bool(broken(problem))


def listed(values: Collection[int]) -> str:
    """Whole numbers in words: "7 or 8", "7 to 12", "1, 3, 5 or 7", "1, 3, ... 11"."""
    numbers = values if isinstance(values, range) else sorted(values)
    if len(numbers) < 3:
        return " or ".join(map(str, numbers)) or "nothing"
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    if len(numbers) > LISTED:
        return f"{numbers[0]}, {numbers[1]}, ... {numbers[-1]}"
    return f"{', '.join(map(str, numbers[:-1]))} or {numbers[-1]}"


def given_back(problem: Problem, pads: Ints) -> list[range]:
    """What may be given back at the end where `pads` cut both ends, so that something is left of the stamp."""
    return [
        range(1 - full + 2 * pad, full + 2 * pad + max(s, d))
        for full, pad, s, d in zip(problem.full, pads, problem.stride, problem.dilation, strict=True)
    ]


def too_large(claim: Claim) -> str:
    """Why it is not known whether a call is answered, where one of its arrays is huge; empty where none is."""
    problem = claim.problem
    arrays = {"x": problem.input_shape, "w": problem.weight_shape, "y": problem.output_shape}
    name, elements = max(((name, prod(shape)) for name, shape in arrays.items()), key=lambda pair: pair[1])
    if elements <= LARGEST or claim.refused:
        return ""
    size = f"{elements:.3g} elements, {elements * 4 / 2**30:,.0f} GiB in float32"
    return (f"whether it is answered: {name} has {size}, and nothing is claimed of arrays of more than {LARGEST:,} "
            "elements")  # fmt: skip
