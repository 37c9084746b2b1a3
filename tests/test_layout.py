"""Arrays in the layouts of frameworks, and the code that turns one into another."""

from itertools import permutations, product

import numpy as np
import pytest

from conformance.layout import DATA, WEIGHT, LayoutError, arrange, conversion, data_conversion, groups, restore, sizes

WEIGHTS = ("(g i) o k", "k o (g i)", "k i (g o)", "(g o) i k", "k (g i) o")


def weight(g: int, rank: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    shape = (g, 2, 3, *(4, 5, 6)[:rank])
    return np.arange(np.prod(shape)).reshape(shape)


def test_a_layout_names_the_letters_of_each_axis() -> None:
    assert groups("(g i) o k") == ["gi", "o", "k"]


def test_an_element_keeps_its_meaning_in_every_layout() -> None:
    w = weight(2, 2)
    assert arrange(w, WEIGHT, "k o (g i)")[3, 1, 2, 1 * 2 + 0] == w[1, 0, 2, 3, 1]
    assert arrange(w, WEIGHT, "k i (g o)")[3, 1, 1, 1 * 3 + 2] == w[1, 1, 2, 3, 1]


@pytest.mark.parametrize(("source", "target", "g", "rank", "flip"),
                         [(*pair, g, rank, flip) for pair in permutations(WEIGHTS, 2)
                          for g, rank, flip in product((1, 2), (1, 2, 3), (False, True))])  # fmt: skip
def test_the_printed_conversion_does_what_it_says(source: str, target: str, g: int, rank: int, flip: bool) -> None:
    w = weight(g, rank)
    text = conversion("w", source, target, {"g": g, "i": 2, "o": 3, "k": w.shape[3:]}, reverse=flip)
    expected = arrange(np.flip(w, tuple(range(3, 3 + rank))) if flip else w, WEIGHT, target)
    np.testing.assert_array_equal(eval(text, {"w": arrange(w, WEIGHT, source)}), expected)


@pytest.mark.parametrize(("source", "target"), list(product(("n c k", "n k c", "c k", "k c"), repeat=2)))
def test_the_printed_conversion_of_data_does_what_it_says(source: str, target: str) -> None:
    x = np.arange(2 * 4 * 5).reshape(1, 2, 4, 5)
    last = np.moveaxis(x, 1, -1)
    laid = {"n c k": x, "n k c": last, "c k": x[0], "k c": last[0]}
    text = data_conversion("x", source, target, 2)
    np.testing.assert_array_equal(eval(text, {"x": laid[source]}), laid[target])
    assert text != "x" or source == target


def test_one_group_needs_no_reshape() -> None:
    assert conversion("w", "(g i) o k", "k o (g i)", {"g": 1, "i": 2, "o": 3, "k": (4, 5)}, reverse=False) == (
        "w.transpose(2, 3, 1, 0)"
    )


@pytest.mark.parametrize("layout", ["n c k", "n k c", "c k", "k c"])
def test_data_comes_back_as_it_was(layout: str) -> None:
    x = np.arange(24).reshape(1, 2, 3, 4)
    np.testing.assert_array_equal(restore(arrange(x, DATA, layout), DATA, layout), x)


def test_extents_are_read_by_their_letters() -> None:
    assert sizes((4, 5, 3, 6), "k o (g i)", 2, {"g": 2}) == {"g": 2, "k": (4, 5), "o": 3, "i": 3}


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 5, 3), "has 3 axes, 'k o \\(g i\\)' with 2 spatial axes has 4"),
        ((4, 5, 3, 7), "axis 3 of \\(4, 5, 3, 7\\) is 7, and the layout 'k o .*' has a multiple of 2 there"),
    ],
)
def test_a_shape_that_does_not_fit_names_both(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        sizes(shape, "k o (g i)", 2, {"g": 2})
