"""How an array's axes are laid out, in einops' notation: "(g i) o k" is PyTorch's weight, "n k c" TensorFlow's data.

`k` stands for all spatial axes. Canonical arrays are (n, c, *k) and (g, i, o, *k); an axis that a layout leaves out
has an extent of one.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, combinations, permutations, product
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
else:
    Array = Any  # the text of a call is read without NumPy
Ints = tuple[int, ...]

DATA, WEIGHT = "nck", "giok"
"""Letters of canonical data and weight, in order."""


Fits = Callable[[tuple[Ints, ...]], Sequence[str] | None]
"""The layouts of arrays where their shapes fit, else None."""


class LayoutError(ValueError):
    """A shape that a layout does not fit; the message names both."""


def groups(layout: str) -> list[str]:
    """The letters of each axis: "(g i) o k" is ["gi", "o", "k"]."""
    return [part.strip("()").replace(" ", "") for part in re.findall(r"\([^)]*\)|\w", layout)]


def spelt(layout: str, rank: int) -> str:
    """A layout of data as people write it: "n k c" is NHWC where there are two spatial axes."""
    return "".join("DHW"[-rank:] if part == "k" else part.upper() for part in groups(layout))


def counted(axes: int, kind: str = "") -> str:
    """A number of axes in words, such as "1 spatial axis"."""
    return f"{axes} {kind}{'axis' if axes == 1 else 'axes'}"


def axes_of(layout: str, rank: int) -> str:
    """How many axes a layout has, in words."""
    return f"'{layout}' with {counted(rank, 'spatial ')} has {len(groups(layout)) - 1 + rank}"


def sizes(shape: Sequence[int], layout: str, rank: int, known: Mapping[str, int]) -> dict[str, Any]:
    """The extent of each letter in a shape, `k` as a tuple; `known` extents divide those they are laid out with.

    Raises LayoutError where the shape has another number of axes, or an extent that is not divided.
    """
    parts = groups(layout)
    if len(shape) != len(parts) - 1 + rank:
        raise LayoutError(f"{tuple(shape)} has {counted(len(shape))}, {axes_of(layout, rank)}")
    sizes_by_letter: dict[str, Any] = dict(known)
    rest = list(shape)
    for part in parts:
        if part == "k":
            sizes_by_letter["k"], rest = tuple(rest[:rank]), rest[rank:]
            continue
        extent, rest = rest[0], rest[1:]
        fixed = prod(known.get(letter, 1) for letter in part)
        free = [letter for letter in part if letter not in known]
        if extent % fixed or (not free and extent != fixed):
            takes = f"a multiple of {fixed}" if free else fixed
            raise LayoutError(f"axis {len(shape) - len(rest) - 1} of {tuple(shape)} is {extent}, and the layout "
                              f"'{layout}' has {takes} there")  # fmt: skip
        sizes_by_letter.update(dict.fromkeys(free, extent // fixed))
    return sizes_by_letter


def is_of(layout: str, letters: str) -> bool:
    """Whether a layout has the axes that arrays of these letters have; one group of a weight needs no letter."""
    parts = groups(layout)
    present = "".join(parts)
    optional = "g" if letters == WEIGHT and "g" not in present else ""
    grouped = letters == DATA and len(parts) != len(letters)
    return sorted(present + optional) == sorted(letters) and "k" in parts and not grouped


def transposes(shapes: Mapping[str, Ints], fits: Fits) -> str:
    """Which transposes of arrays would make their shapes fit, in words; nothing where no one choice of them does.

    Of as few arrays as can be, and none that parts the spatial axes or changes their order.
    """
    orders = {name: [order for order in permutations(range(len(shape))) if _has_run(order)][1:]
              for name, shape in shapes.items()}  # fmt: skip
    fits = lru_cache(maxsize=None)(fits)
    for count in range(1, len(shapes) + 1):
        fitting = []
        for names in combinations(shapes, count):
            for chosen in product(*(orders[name] for name in names)):
                turned = dict(zip(names, chosen, strict=True))
                layouts = fits(tuple(tuple(shape[at] for at in turned.get(name, range(len(shape))))
                                     for name, shape in shapes.items()))  # fmt: skip
                if layouts is not None:
                    said = dict(zip(shapes, layouts, strict=True))
                    texts = [_turned(name, order, said[name]) for name, order in turned.items()]
                    fitting += [texts] if all(texts) else []
        if fitting:
            return "; ".join(fitting[0]) if len(fitting) == 1 else ""
    return ""


def _has_run(order: Ints) -> bool:
    """Whether all axes but two, or more, stay together in their order."""
    length = max(len(order) - 2, 1)
    runs = (order[start : start + length] for start in range(len(order) - length + 1))
    return any(run == tuple(range(run[0], run[0] + length)) for run in runs)


def _turned(name: str, order: Ints, layout: str) -> str:
    """What is said of a transpose that brings an array into a layout; nothing where it parts the spatial axes."""
    rank = len(order) - len(groups(layout)) + 1
    start = groups(layout).index("k")
    spatial = order[start : start + rank]
    if spatial != tuple(range(spatial[0], spatial[0] + rank)):
        return ""
    taken = "".join("DHW"[-rank:] if part == "k" else part[-1].upper() for part in groups(layout))
    given = "".join(taken[order.index(axis)] for axis in range(len(order)))
    return f"{name} is {given} where {taken} is taken, give np.transpose({name}, {order})"


def arrange(array: Array, letters: str, layout: str) -> Array:
    """A canonical array, whose axes are `letters`, in a layout; contiguous."""
    absent, order, joined = _arrangement(letters, layout, array.ndim)
    array = array.squeeze(absent) if absent else array
    array = array.transpose(order) if order else array
    if joined:
        array = array.reshape([prod(array.shape[start:end]) for start, end in joined])
    return array if array.flags.c_contiguous else array.copy(order="C")


@lru_cache
def _arrangement(letters: str, layout: str, axes: int) -> tuple[Ints, Ints, tuple[tuple[int, int], ...]]:
    """Places of the axes that a layout has not, the order of the others, and which of these are joined to one.

    The order is empty where it is theirs, and the last where no axes are joined.
    """
    rank = axes - len(letters) + 1
    names, wanted = _names([letters], rank), _axes(layout, rank)
    flat = [name for axis in wanted for name in axis]
    present = [name for name in names if name in flat]
    ends = list(accumulate(map(len, wanted)))
    joined = tuple(zip([0, *ends[:-1]], ends, strict=True)) if len(flat) > len(wanted) else ()
    order = tuple(present.index(name) for name in flat) if present != flat else ()
    return tuple(at for at, name in enumerate(names) if name not in flat), order, joined


def parted(array: Array, layout: str, known: Mapping[str, int]) -> tuple[Array, str]:
    """An array with an axis for every letter, and the layout that it then has; `known` are the extents of letters.

    Raises LayoutError where the array does not fit.
    """
    parts = groups(layout)
    extents = sizes(array.shape, layout, array.ndim - len(parts) + 1, known)
    letters = [letter for part in parts for letter in part]
    shape = [extent for letter in letters for extent in (extents["k"] if letter == "k" else [extents[letter]])]
    return array.reshape(shape), " ".join(letters)


def restore(array: Array, letters: str, layout: str) -> Array:
    """The canonical array, of axes `letters`, from one in a layout without grouped axes."""
    order, absent = _restoration(letters, layout, array.ndim)
    array = array.transpose(order) if order else array
    for axis in absent:
        array = array.reshape(*array.shape[:axis], 1, *array.shape[axis:])
    return array


@lru_cache
def _restoration(letters: str, layout: str, axes: int) -> tuple[Ints, Ints]:
    """The order of the axes that there are, empty where it is theirs, and the places of those that there are not."""
    rank = axes - len(groups(layout)) + 1
    present, wanted = _names(groups(layout), rank), _names([letters], rank)
    order = tuple(present.index(name) for name in wanted if name in present)
    return order if present != wanted else (), tuple(axis for axis, name in enumerate(wanted) if name not in present)


def conversion(name: str, source: str, target: str, extents: Mapping[str, Any], *, reverse: bool) -> str:
    """Python text that turns the weight `name` from one layout into another, its taps reversed if asked."""
    rank = len(extents["k"])
    old, new = _axes(source, rank), _axes(target, rank)
    if extents["g"] == 1:
        old, new = ([[letter for letter in axis if letter != "g"] for axis in axes] for axes in (old, new))
    if sorted(old) != sorted(new):
        of = {**extents, **{f"k{axis}": extent for axis, extent in enumerate(extents["k"])}}
        if any(len(axis) != 1 for axis in old):
            name += f".reshape({_joined(of[letter] for axis in old for letter in axis)})"
        name = _transposed(name, [[letter] for axis in old for letter in axis],
                           [[letter] for axis in new for letter in axis])  # fmt: skip
        if any(len(axis) != 1 for axis in new):
            name += f".reshape({_joined(prod(of[letter] for letter in axis) for axis in new)})"
    else:
        name = _transposed(name, old, new)
    if reverse:
        name += f"[{_joined('::-1' if axis[0][0] == 'k' else ':' for axis in new)}]"
    return name


def data_conversion(name: str, source: str, target: str, rank: int) -> str:
    """Python text that turns the data `name` from one layout into another, of which one may have no batch."""
    has = ["n" in groups(text) for text in (source, target)]
    if has == [False, True]:
        source, name = f"n {source}", f"{name}[None]"
    elif has == [True, False]:
        target = f"n {target}"
    turned = _transposed(name, _axes(source, rank), _axes(target, rank))
    return f"{turned}[0]" if has == [True, False] else turned


def _transposed(name: str, old: list[list[str]], new: list[list[str]]) -> str:
    return name if old == new else f"{name}.transpose({_joined(old.index(axis) for axis in new)})"


def _joined(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _axes(layout: str, rank: int) -> list[list[str]]:
    """The names of each axis, with `k` as one axis a spatial one: [["g", "i"], ["o"], ["k0"], ["k1"]]."""
    spatial = [[f"k{axis}"] for axis in range(rank)]
    return [names for part in groups(layout) for names in (spatial if part == "k" else [list(part)])]


def _names(parts: Iterable[str], rank: int) -> list[str]:
    spatial = [f"k{axis}" for axis in range(rank)]
    return [name for part in parts for letter in part for name in (spatial if letter == "k" else [letter])]
