"""When pairs of times say that a call became slower, and when chance does as much."""

import random

import pytest

from conformance.regression.side_by_side import (
    CHANCE,
    LEAST,
    LEAST_PROCESSES,
    SUSPICIOUS,
    Times,
    chance,
    factor,
    is_open,
    is_suspect,
    times,
)

AGAIN = 8
PAIRS, PROCESSES = 12, LEAST_PROCESSES


def ratios(seed: int, by: float, spread: float = 0.1) -> list[float]:
    """Ratios around a factor, of which one in ten is of a pair that something else came between."""
    drawn = random.Random(seed)
    return [by * drawn.lognormvariate(0, 1.0 if drawn.random() < 0.1 else spread) for _ in range(PAIRS)]


def samples(seed: int, by: float, spread: float = 0.1) -> list[list[float]]:
    return [ratios(PROCESSES * seed + at, by, spread) for at in range(PROCESSES)]


def test_a_call_that_takes_half_as_long_again_is_told_by_its_factor() -> None:
    found = [factor(samples(seed, 1.5)) for seed in range(100)]
    assert sum(by > 1 for by in found) >= 95
    assert all(1.35 < by < 1.7 for by in found if by > 1)


def test_a_call_that_became_faster_is_told_as_such() -> None:
    found = [factor(samples(seed, 1 / 1.6)) for seed in range(100)]
    assert sum(by < 1 for by in found) >= 95
    assert all(0.55 < by < 0.75 for by in found if by < 1)


@pytest.mark.parametrize("by", [0.9, 1.0, 1.1])
def test_what_processes_of_one_build_differ_by_is_no_change(by: float) -> None:
    assert {factor(samples(seed, by)) for seed in range(500)} == {1.0}


def test_a_middle_at_the_border_is_told_as_seldom_as_is_said() -> None:
    drawn = random.Random(0)
    told = sum(chance([drawn.choice((1.0, 2.0)) for _ in range(36)]) < 1e-2 for _ in range(20000))
    assert told / 20000 < 1e-2
    assert chance([2.0] * 19) > CHANCE > chance([2.0] * 20)


def test_two_pairs_of_processes_say_nothing_and_few_of_more_may_say_the_contrary() -> None:
    assert factor([[2.0] * 18] * 2) == 1.0
    assert factor([[2.0] * 18, [2.0] * 18, [0.9] * 6]) == 1.0
    assert factor([[2.0] * 18, [2.0] * 18, [1.0] * 6]) == 1.0
    assert factor([[2.0] * 12] * 3) == 2.0
    assert factor([*[[2.0] * 12] * 5, [0.9] * 6]) == 2.0
    assert factor([*[[2.0] * 12] * 5, *[[0.9] * 6] * 2]) == 1.0


def test_what_is_noisy_is_measured_until_it_is_told() -> None:
    told = []
    for seed in range(100):
        taken = [ratios(AGAIN * seed, 1.5, 0.2)]
        while len(taken) < AGAIN and is_open(taken):
            taken.append(ratios(AGAIN * seed + len(taken), 1.5, 0.2))
        told.append(factor(taken) > 1)
    assert sum(told) >= 97
    assert not is_open([[1.0] * 18])
    assert is_open([[2.0] * 18] * 2)
    assert not is_open([[2.0] * 12] * 3)


def test_what_moves_by_less_than_is_asked_for_raises_no_suspicion() -> None:
    assert not is_suspect([SUSPICIOUS - 0.01] * 7)
    assert is_suspect([SUSPICIOUS + 0.01] * 7)
    assert is_suspect([1 / SUSPICIOUS - 0.01] * 7)
    assert SUSPICIOUS < LEAST
    assert not is_suspect([1.0] * 4 + [9.0] * 3)


def test_a_factor_is_told_where_the_least_times_moved_as_well() -> None:
    assert times([2.0, 3.0], [3.0, 9.0], 1.5) == Times(2.0, 3.0, 1.5)
    assert times([3.0, 9.0], [2.0, 3.0], 0.6) == Times(3.0, 2.0, 0.6)
    assert times([7.36, 13.0], [7.12, 7.5], 0.6) == Times(7.36, 7.12)  # as a call of one build was seen to be
    assert times([7.12, 7.5], [7.36, 13.0], 1.7) == Times(7.12, 7.36)
    assert times([2.0, 3.0], [3.0, 9.0], 0.6).factor == 1.0
