"""The files of test vectors as types, and the JSON Schema that follows from them.

`index.json` is an Index; each of its files is a Vector.
"""

import sys
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from conformance.io.jsonschema import schema_text

FORMAT: Final = "conformance-vector/1"
INDEX: Final = "conformance-vectors/1"
Width = Literal["int8", "int16", "int32"]

Extents = tuple[Annotated[int, Meta(ge=1)], ...]
Steps = tuple[int, ...]
Ends = tuple[tuple[int, int], ...]
Text = Annotated[str, Meta(min_length=1)]


class Numbers(Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """An array of whole numbers, the last axis running fastest.

    They stand in `values`, or where there are many in `file`, a path from the folder of the index, as little-endian
    numbers of `dtype`. Where they are `repeated`, the file has the first of them, which come again and again.
    `axes` says what the axes are: n the batch, g groups, i and o the channels of a group, k0, k1, ... spatial axes; "(g
    i)" is one axis, in which i runs fastest.
    """

    axes: Text
    shape: Extents
    values: tuple[int, ...] | None = None
    file: Text | None = None
    dtype: Width | None = None
    repeated: bool = False


class Attributes(Struct, forbid_unknown_fields=True, frozen=True):
    """What a transposed convolution is told, one entry a spatial axis; pads are (begin, end) and may be negative."""

    stride: Extents
    pads: Ends
    output_padding: Steps
    dilation: Extents
    groups: Annotated[int, Meta(ge=1)]


class Exact(Struct, forbid_unknown_fields=True, frozen=True):
    """Why every order of summation gives the same: no partial sum is larger in magnitude than `largest`, which is at
    most 2**`bits`. `terms` is the number of products of the longest sum."""

    largest: int
    bits: int
    terms: int


class Tells(Struct, forbid_unknown_fields=True, frozen=True):
    """What a vector tells from a right answer: misreadings, each of which gives another array, and known faults, by
    their names in the index."""

    misreadings: tuple[Text, ...]
    faults: tuple[Text, ...]


class Call(Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """A vector in a framework's terms.

    `call` is null where no single call says it, for `reason`; a bias that is added afterwards counts as said. `code`
    is Python: convert_weight takes the vector's weight as a NumPy array, conv_transpose the framework's tensors, x with
    its axes in the order of `x`. `around` is what it does around the call. It is null where there is no such code.
    """

    call: str | None
    code: str | None
    reason: str = ""
    around: tuple[str, ...] = ()
    x: str = ""
    weight: str = ""
    y: str = ""


class OnnxAttributes(Struct, forbid_unknown_fields=True, frozen=True):
    """The attributes of ONNX's ConvTranspose; pads are all begins, then all ends."""

    kernel_shape: Extents
    strides: Extents
    pads: Steps
    output_padding: Steps
    dilations: Extents
    group: int


class OnnxCall(Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """A vector in ONNX's terms: a node ConvTranspose of x, weight and bias in the vector's own order of axes.

    `call` and `attributes` are null where ONNX cannot say it, for `reason`.
    """

    call: str | None
    attributes: OnnxAttributes | None
    reason: str = ""
    x: str = ""
    weight: str = ""
    y: str = ""


class Calls(Struct, forbid_unknown_fields=True, frozen=True):
    """A vector in the terms of frameworks."""

    torch: Call
    tensorflow: Call
    onnx: OnnxCall


class Vector(Struct, forbid_unknown_fields=True, frozen=True):
    """One transposed convolution: operands, attributes, and the only right answer.

    `why` says what makes it worth running, `probes` what it is about, `source` where it comes from. `problem` is the
    geometry in a line. `full` are the extents of the whole stamp, before `window` cuts (lo, hi) from each axis;
    negative ones add zeros.
    """

    format: Literal["conformance-vector/1"]
    id: Text
    why: Text
    probes: tuple[Text, ...]
    source: Text
    problem: Text
    attributes: Attributes
    full: Extents
    window: Ends
    x: Numbers
    weight: Numbers
    bias: Numbers | None
    expected: Numbers
    exact: Exact
    tells: Tells
    calls: Calls


class Entry(Struct, forbid_unknown_fields=True, frozen=True):
    """A vector in the index. `sha256` is of its file, and then of its files of numbers in the order x, weight, bias,
    expected."""

    id: Text
    file: Text
    problem: Text
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Fault(Struct, forbid_unknown_fields=True, frozen=True):
    """A known fault of a framework: where it happens, as a condition on problems, and what is known of it.

    `always` is false where not every problem of the region shows it.
    """

    framework: Text
    verdict: Text
    when: Text
    reason: Text
    upstream: Text
    always: bool


class Index(Struct, forbid_unknown_fields=True, frozen=True):
    """What a folder of vectors holds. `why` says how they were chosen from the suite.

    `cases` is a digest of every id and problem of the suite, `oracle` one of what draws operands and computes answers:
    where both are the same, so are the vectors' numbers.
    """

    format: Literal["conformance-vectors/1"]
    version: Text
    suite: Text
    cases: Text
    oracle: Text
    why: Text
    vectors: tuple[Entry, ...]
    faults: Mapping[str, Fault]


def text() -> str:
    """What docs/vectors.schema.json holds: the JSON Schema of the files of test vectors."""
    return schema_text(
        [Index, Vector], f"Test vectors, {FORMAT}", "index.json is an Index, and each file that it names a Vector."
    )


if __name__ == "__main__":
    sys.stdout.write(text())
