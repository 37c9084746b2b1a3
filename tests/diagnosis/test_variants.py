"""The values that statements make of an operand, of which memory holds no more than there is room for."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

from conformance.diagnosis import variants
from conformance.diagnosis.misreadings import Statement
from conformance.diagnosis.variants import Array, variants_of

OPERAND = np.arange(24).reshape(2, 3, 4)


def flips() -> Iterator[Statement[Array]]:
    """Three statements of different families, of which any two make another value."""
    for axis in range(3):
        yield Statement(f"axis {axis}", f"flips axis {axis}", partial(np.flip, axis=axis))


def made(room: int, monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[tuple[str, ...]], list[int]]]:
    """What up to three statements make of the operand, with so many bytes of room."""
    monkeypatch.setattr(variants, "ROOM", room)
    those = variants_of(OPERAND, flips())
    return [(list(one.said), one.value.ravel().tolist()) for size in range(4) for one in those.of_size(size)]


def test_values_that_are_not_kept_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of 192 bytes is kept, and none; both give what is given where all are."""
    every = made(2**20, monkeypatch)
    assert len(every) == 8
    assert every[-1] == ([("flips axis 0", "flips axis 1", "flips axis 2")], list(range(23, -1, -1)))
    assert made(OPERAND.nbytes, monkeypatch) == every
    assert made(0, monkeypatch) == every


def test_no_more_is_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variants, "ROOM", 2 * OPERAND.nbytes)
    first, *others = [one for size in (1, 2) for one in variants_of(OPERAND, flips()).of_size(size)]
    assert first.value is first.value
    assert [one.value is one.value for one in others] == [True, False, False, False, False]
