"""The arrays of a case, on problems that Hypothesis draws."""

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from conformance import oracle
from conformance.numerics.operands import Arrays, draw, largest_sum
from conformance.problem import Problem
from conformance.suites.case import Case
from tests import strategies
from tests.numerics.test_operands import symmetries
from tests.strategies import seeds

ids = st.text("abcdefghij-0123456789", min_size=1, max_size=12)


@given(strategies.problems(), ids)
def test_draw_is_never_symmetric(problem: Problem, case_id: str) -> None:
    arrays = draw(case_id, problem)
    assert symmetries(Case(case_id, problem, str(problem), "", (), ""), arrays) == []
    assert all(array is None or array.all() for array in arrays)


def products(problem: Problem, arrays: Arrays) -> dict[tuple[int, ...], list[int]]:
    """What is summed into each output element, bias included."""
    summed: dict[tuple[int, ...], list[int]] = {at: [] for at in np.ndindex(problem.output_shape)}
    g, ic, oc = problem.groups, problem.in_channels, problem.out_channels
    if arrays.bias is not None:
        for at, terms in summed.items():
            terms.append(int(arrays.bias[at[1]]))
    for n, group, i, o in product(range(problem.batch), range(g), range(ic), range(oc)):
        for at in np.ndindex(problem.input):
            for tap in np.ndindex(problem.kernel):
                to = (
                    a * s + t * d - lo
                    for a, t, s, d, (lo, _) in zip(
                        at, tap, problem.stride, problem.dilation, problem.window, strict=True
                    )
                )
                element = (n, group * oc + o, *to)
                if element in summed:
                    x, w = arrays.x[(n, group * ic + i, *at)], arrays.weight[(group * ic + i, o, *tap)]
                    summed[element].append(int(x * w))
    return summed


@given(strategies.problems(ranks=(1, 2)), ids, seeds)
def test_no_partial_sum_in_any_order_exceeds_the_largest(problem: Problem, case_id: str, seed: int) -> None:
    arrays = draw(case_id, problem)
    summed = products(problem, arrays)
    largest = largest_sum(problem, arrays)
    random = np.random.default_rng(seed)
    for terms in summed.values():
        partial = np.cumsum(random.permutation(terms))
        assert np.abs(partial).max(initial=0) <= largest
    assert max(sum(map(abs, terms)) for terms in summed.values()) == largest


@given(strategies.problems(ranks=(1, 2)), ids, seeds)
def test_float32_sums_in_any_order_are_the_expected_array(problem: Problem, case_id: str, seed: int) -> None:
    arrays = draw(case_id, problem)
    expected = oracle.expected(problem, *arrays)
    random = np.random.default_rng(seed)
    for at, terms in products(problem, arrays).items():
        shuffled = random.permutation(np.array(terms, np.float32))
        assert np.add.accumulate(shuffled)[-1:].sum() == expected[at]
