"""Stacks of layers: which sizes pass, which level breaks, and what fixes it."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance import idioms
from conformance.calls.sizes.levels import LayerResult, end_of, passes, walk, written
from conformance.calls.sizes.passing import Rule, passing
from conformance.calls.sizes.proposals import SizesError
from conformance.calls.sizes.stack import after_or_refusal, part_of, read_stack
from conformance.calls.sizes.stack_answers import answer_stack, as_data, stack_lines
from conformance.problem import Ints


def unet(pool: str, up: str, levels: int = 3) -> str:
    """A network of 3x3 convolutions that keep sizes, a pooling a level, and what grows again."""
    down = ["nn.Conv2d(8, 8, 3, padding=1)", "nn.ReLU()", pool] * levels
    return f"nn.Sequential({', '.join([*down, *[up] * levels])})"


HALVED, DOUBLED = "nn.MaxPool2d(2)", "nn.ConvTranspose2d(8, 8, 2, stride=2)"
CEILED, PADDED = "nn.MaxPool2d(2, ceil_mode=True)", "nn.ConvTranspose2d(8, 8, 3, 2, padding=1, output_padding=1)"


def broken(framework: str, text: str, *extents: int) -> list[LayerResult]:
    stack = read_stack(framework, [text])
    return [result for result in walk(stack, extents * stack.rank if len(extents) == 1 else extents)
            if not result.passes]  # fmt: skip


def test_a_network_of_three_levels_of_2_passes_multiples_of_8() -> None:
    rule = passing(read_stack("torch", [unet(HALVED, DOUBLED)]))
    assert (str(rule), rule.near(36)) == ("multiples of 8", (32, 40))
    assert [size for size in range(1, 50) if rule.has(size)] == [8, 16, 24, 32, 40, 48]


def test_the_level_that_breaks_is_named_with_the_argument_that_mends_it() -> None:
    lines = list(stack_lines(answer_stack(read_stack("torch", [unet(CEILED, PADDED)]), (36, 36))))
    said = "level 3 gives 10 where 9 is needed: give output_padding=0 there or crop 1 of its answer"
    assert f"input 36, with a skip connection on every level: {said}" in lines
    (result,) = broken("torch", unet(HALVED, DOUBLED), 36)
    assert (result.level, result.after, result.needed) == (3, (8, 8), (9, 9))
    assert result.fix == {"output_padding": 1}


def test_axes_break_apart() -> None:
    (result,) = broken("torch", unet(HALVED, DOUBLED), 36, 40)
    assert (result.after, result.needed) == ((8, 10), (9, 10))
    assert written(result.fix or {}) == "output_padding=(1, 0)"


def test_a_published_network_without_padding_crops_its_encoder_and_leaves_388_of_572() -> None:
    two = "nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3)"
    text = f"nn.Sequential({', '.join([two, HALVED] * 4)}, {two}, {', '.join([DOUBLED, two] * 4)})"
    results = list(walk(read_stack("torch", [text]), (572, 572)))
    needs = [(result.after[0], result.needed[0]) for result in results if not result.passes]
    assert needs == [(56, 64), (104, 136), (200, 280), (392, 568)]
    assert results[-1].after == (388, 388)


SIZES: list[tuple[str, str, str]] = [
    ("tensorflow", "keras.Sequential([layers.Conv2D(8, 3, strides=2, padding='same'), "
                   "layers.Conv2DTranspose(8, 3, strides=2, padding='same')])", "multiples of 2"),
    ("tensorflow", "[layers.Conv1D(8, 3, strides=2), layers.Conv1DTranspose(8, 3, strides=2)]", "2*n + 1 from 3 on"),
    ("jax", "nn.Sequential([nn.Conv(8, (3, 3), strides=2), nn.relu, nn.ConvTranspose(8, (3, 3), strides=(2, 2))])",
     "multiples of 2"),
    ("mxnet", "[nn.Conv2D(8, 3, 2, 1), nn.Conv2DTranspose(8, 3, 2, 1)]", "2*n + 1"),
    ("torch", "[nn.Conv1d(1, 1, 4, 2, 1), nn.ConvTranspose1d(1, 1, 4, 2, 1)]", "multiples of 2"),
    ("torch", "[nn.Conv1d(1, 1, 3, padding=1), nn.ReLU()]", "all"),
    ("torch", "[nn.MaxPool1d(2), nn.MaxPool1d(3), nn.Upsample(scale_factor=3), nn.Upsample(scale_factor=2)]",
     "multiples of 6"),
    ("torch", "[nn.AvgPool1d(2), nn.ConvTranspose1d(1, 1, 5, 2)]", "none up to 512"),
    ("torch", "[nn.Conv1d(1, 1, 3, 2), nn.ConvTranspose1d(1, 1, 3, 2, output_padding=1)]", "multiples of 2 from 4 on"),
    ("torch", "[nn.AvgPool2d(2), nn.PixelShuffle(2)]", "multiples of 2"),
]  # fmt: skip


@pytest.mark.parametrize(("framework", "text", "rule"), SIZES)
def test_the_sizes_that_pass_are_told_as_a_rule(framework: str, text: str, rule: str) -> None:
    assert str(passing(read_stack(framework, [text]))) == rule


STRIDED = st.tuples(st.integers(2, 4), st.integers(2, 3), st.integers(0, 1), st.booleans())
GROWING = st.tuples(st.integers(2, 4), st.integers(0, 1), st.integers(0, 1))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(STRIDED, GROWING), min_size=1, max_size=3))
def test_the_rule_holds_beyond_the_sizes_that_were_tried(levels: list[tuple[Any, Any]]) -> None:
    down = [f"nn.MaxPool1d({k}, {s}, {p}, ceil_mode={ceiled})" for (k, s, p, ceiled), _ in levels]
    up = [f"nn.ConvTranspose1d(1, 1, {k}, {s}, {p}, {op})" for (_, s, _, _), (k, p, op) in reversed(levels)]
    stack = read_stack("torch", [f"[{', '.join([*down, *up])}]"])
    rule = passing(stack)
    for size in range(1, 2 * rule.bound if rule.period else rule.bound):
        assert rule.has(size) == passes(stack, (size,)), (str(rule), size)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([
        ("torch", "nn.MaxPool1d(2, ceil_mode={})", "torch.nn.ConvTranspose1d(1, 1, {}, 2)"),
        ("mxnet", "nn.MaxPool1D(2, ceil_mode={})", "mxnet.gluon.nn.Conv1DTranspose(1, {}, 2, in_channels=1)"),
    ]),
    st.integers(2, 40), st.integers(2, 5), st.booleans(),
)  # fmt: skip
def test_what_mends_a_level_gives_what_is_needed(forms: tuple[str, str, str], size: int, k: int, ceiled: bool) -> None:
    framework, pool, up = forms
    for result in broken(framework, f"[{pool.format(ceiled)}, {up.format(k)}]", size):
        if result.refused or result.fix is None:
            continue
        call, outer = up.format(k)[:-1], ""
        fix = dict(result.fix)
        if size_given := fix.pop("output_size", None):
            outer = f"(x, output_size={size_given})"
        text = f"{call}, {written(fix)}){outer}" if fix else f"{call}){outer}"
        claim = idioms.read(framework, text, {"x": (1, 1, *result.before)}).claim
        assert (claim.refused, claim.problem.output) == ("", result.needed)


def test_a_layer_that_no_argument_mends_is_cropped() -> None:
    text = "[nn.AvgPool1d(2), nn.Upsample(scale_factor=2)]"
    (result,) = broken("torch", text, 9)
    assert result.fix is None
    (line,) = [
        line for line in stack_lines(answer_stack(read_stack("torch", [text]), (9,))) if line.startswith("input")
    ]
    assert line == ("input 9: level 1 gives 8 where 9 is needed: crop 1 of the skip connection, which is what goes "
                    "into torch.nn.AvgPool1d(2)")  # fmt: skip


def test_an_input_that_a_layer_refuses_ends_there() -> None:
    (result,) = broken("torch", unet(HALVED, DOUBLED), 4)
    assert result.before == (1, 1)
    assert "the kernel of 2 is larger than the input of 1" in result.refused


def test_layers_of_a_file_are_taken_in_the_order_of_its_text() -> None:
    source = (
        "class Net(nn.Module):\n    def __init__(self, ngf):\n"
        "        self.down = nn.Conv2d(3, ngf, 4, stride=2, padding=1)\n"
        "        self.up = weight_norm(nn.ConvTranspose2d(ngf, 3, 4, 2, 1))\n"
    )
    stack = read_stack("torch", [source])
    assert ([layer.kind for layer in stack.layers], stack.in_order) == (["down", "up"], False)
    assert [layer.reading.line for layer in stack.layers] == [3, 4]
    assert "the layers are taken in the order in which they stand in the text, each of them once" in list(
        stack_lines(answer_stack(stack, ()))
    )


def test_wrappers_and_names_in_a_sequence_are_known() -> None:
    text = ("nn.Sequential(OrderedDict([('a', spectral_norm(nn.Conv2d(3, 8, 3))), ('b', nn.BatchNorm2d(8).cuda()), "
            "('c', nn.Sequential(nn.MaxPool2d(2), nn.Dropout(0.5)))]))")  # fmt: skip
    assert [layer.kind for layer in read_stack("torch", [text]).layers] == ["level", "down"]


@pytest.mark.parametrize(
    ("framework", "text", "message"),
    [
        ("torch", "nn.Sequential(nn.Conv2d(3, 8, 3), DoubleConv(8, 8))", "what 'DoubleConv\\(8, 8\\)' does to sizes"),
        ("torch", "nn.Sequential(block, nn.Conv2d(3, 8, 3))", "line 1: what 'block' does to sizes is not known"),
        ("torch", "nn.Sequential(*blocks, nn.Conv2d(3, 8, 3))", "what '\\*blocks' does to sizes is not known"),
        ("torch", "[UpBlock(nn.Conv2d(3, 8, 3))]", "what 'UpBlock"),
        ("torch", "[nn.Conv2d(3, 8, 3), nn.Conv1d(3, 8, 3)]", "layers of 1 and 2 spatial axes stand in one stack"),
        ("torch", "[nn.ReLU()]", "no layer of torch that changes sizes"),
        ("torch", "[nn.Conv2d(3, 8, 3, padding='same', stride=2)]", "padding 'same' needs stride 1"),
        ("torch", "[nn.MaxPool2d(2, padding=2)]", "more than half of the kernel"),
        ("torch", "[nn.Conv2d(3, 8, strides=2)]", "missing a required argument|unexpected keyword"),
        ("tensorflow", "[layers.Conv2D(8, 3, padding='some')]", 'it takes "valid" or "same"'),
        ("mxnet", "[nn.MaxPool2D(2, padding=2)]", "nothing is claimed of it"),
    ],
)
def test_a_stack_that_cannot_be_read_is_refused_by_name(framework: str, text: str, message: str) -> None:
    with pytest.raises(SizesError, match=message):
        read_stack(framework, [text])


def test_an_argument_without_a_value_is_refused_by_name() -> None:
    for text in ("[nn.Conv2d(3, 8, k)]", "[nn.ConvTranspose2d(3, 8, k)]"):
        with pytest.raises(idioms.IdiomError, match="kernel_size is k, which has no value before it runs"):
            read_stack("torch", [text])


def test_nothing_in_a_stack_is_run(tmp_path: Path) -> None:
    path = tmp_path / "written"
    for text in (f"nn.Sequential(open('{path}', 'w'))", f"[nn.Conv2d(3, 8, 3), print(open('{path}', 'w'))]"):
        with pytest.raises(SizesError):
            read_stack("torch", [text])
    read_stack("torch", [f"open('{path}', 'w')\nup = nn.Conv2d(3, 8, 3)"])
    assert not path.exists()


def test_a_way_through_a_stack_is_data() -> None:
    extents: Ints = (36, 36)
    data = as_data(answer_stack(read_stack("torch", [unet(HALVED, DOUBLED)]), extents))
    assert (data["passes"], data["nearest"], data["axes"], data["in_order"]) == (False, [32, 40], 2, True)
    assert data["sizes"] == {"rule": "multiples of 8", "period": 8, "rests": [0], "from": 8}
    (layer,) = [layer for layer in data["layers"] if not layer["passes"]]
    assert (layer["level"], layer["output"], layer["needed"]) == (3, [8, 8], [9, 9])
    assert (layer["give"], layer["crop"]) == (
        {"output_padding": 1},
        ["crop 1 of the skip connection, which is what goes into torch.nn.MaxPool2d(2)"],
    )


@pytest.mark.parametrize(
    ("layers", "needed"),
    [
        ([HALVED, HALVED, "nn.ConvTranspose2d(8, 8, 4, 4)"], [(16, 16)]),
        (["nn.MaxPool2d(4)", DOUBLED, DOUBLED], [(), (16, 16)]),
        ([HALVED, "nn.MaxPool2d(4)", DOUBLED, "nn.Upsample(scale_factor=4)"], [(), (16, 16)]),
        (["nn.MaxPool2d((2, 1))", "nn.MaxPool2d((1, 2))", DOUBLED], [(16, 16)]),
        ([DOUBLED, HALVED, DOUBLED], [(), (32, 32)]),
        (["nn.AdaptiveAvgPool2d(8)", DOUBLED], [(16, 16)]),
    ],
)
def test_a_level_is_closed_by_what_grows_as_much_as_was_shrunk(layers: list[str], needed: list[Ints]) -> None:
    stack = read_stack("torch", [f"[{', '.join(layers)}]"])
    results = [result for result in walk(stack, (16, 16)) if result.layer.kind == "up"]
    assert [result.needed for result in results] == needed
    assert all(result.passes for result in results)


def test_a_function_whose_kernel_is_its_weight_s_is_refused() -> None:
    with pytest.raises(SizesError, match="its kernel is that of its weight, which no stack says: write a layer"):
        read_stack("torch", ["[F.conv_transpose2d(x, w, stride=2)]"])
    text = "mx.nd.Deconvolution(x, w, kernel=(2, 2), stride=(2, 2), num_filter=8)"
    assert str(passing(read_stack("mxnet", ["nn.MaxPool2D()", text]))) == "multiples of 2"


@pytest.mark.parametrize(
    "text", ["[nn.Conv2d(3, 8, 3)" + ".eval()" * 900 + "]", "[" + "compile(" * 150 + "1" + ")" * 150 + "]",
             "nn.Sequential(" * 190 + ")" * 190, "[" * 5000, "(" * 150 + ")" * 150],
)  # fmt: skip
def test_what_is_nested_deeply_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        read_stack("torch", [text])


def test_the_nearest_sizes_of_a_large_input_are_found_at_once() -> None:
    rule = passing(read_stack("torch", ["[nn.MaxPool1d(2), nn.ConvTranspose1d(1, 1, 2, 2)]"]))
    assert rule.near(2**31 + 1) == (2**31, 2**31 + 2)
    assert Rule(0, (3, 7), 1, 64).near(2**31) == (7,)
    assert Rule(0, (3, 7), 1, 64).near(5) == (3, 7)
    assert Rule(4, (1,), 9, 64).near(2) == (9,)


TUTORIAL = (
    "nn.Sequential(nn.Conv2d(1, 16, 3, stride=3, padding=1), nn.ReLU(), nn.MaxPool2d(2, stride=2), "
    "nn.Conv2d(16, 8, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(2, stride=1), "
    "nn.ConvTranspose2d(8, 16, 3, stride=2), nn.ReLU(), nn.ConvTranspose2d(16, 8, 5, stride=3, padding=1), nn.ReLU(), "
    "nn.ConvTranspose2d(8, 1, 2, stride=2, padding=1), nn.Tanh())"
)


def test_a_plain_autoencoder_passes_as_a_chain() -> None:
    stack_answer = answer_stack(read_stack("torch", [TUTORIAL]), (28, 28))
    assert (stack_answer.passes, stack_answer.joined, stack_answer.end) == (True, False, (28, 28))
    assert list(stack_lines(stack_answer))[-3:] == [
        "without skip connections, input 28 gives 28 again",
        "sizes that pass with a skip connection on every level, as in a U-Net: none up to 512",
        "sizes that come out as they went in, without skip connections: 12*n + 4 from 16 on",
    ]


def test_a_decoder_that_ends_too_soon_is_told_by_what_its_chain_gives() -> None:
    text = "nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1), nn.ConvTranspose2d(8, 8, 4, 2, 1))"
    lines = list(stack_lines(answer_stack(read_stack("torch", [text]), (28, 28))))
    assert "as an autoencoder the answer is 14, not 28" in lines


def test_a_sequential_is_followed_as_it_is_before_skip_connections_are_thought_of() -> None:
    text = ("nn.Sequential(nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(2), "
            "nn.ConvTranspose2d(16, 8, 2, stride=2), nn.ConvTranspose2d(8, 3, 4, 2, 1))")  # fmt: skip
    lines = list(stack_lines(answer_stack(read_stack("torch", [text]), (65, 64))))
    assert [line.partition(": ")[2] for line in lines[2:4]] == ["16 -> 32 (level 2)", "32 -> 64 (level 1)"]
    assert lines[4] == "as an autoencoder the answer is 64x64, not 65x64"
    assert lines[5].startswith("input 65x64, with a skip connection on every level: level 2 gives 32 where 33x32 is")
    listed = list(stack_lines(answer_stack(read_stack("torch", [text[13:].replace("(", "[", 1)[:-1] + "]"]), (65, 64))))
    assert "33x32 -> 66x64" in listed[3]  # a list says nothing of what is joined


def test_a_layer_that_gets_too_little_is_told_with_what_it_needs_and_the_nearest_that_pass() -> None:
    text = "nn.Sequential(nn.Conv2d(3, 8, 7), nn.Conv2d(8, 8, 7), nn.ConvTranspose2d(8, 8, 13))"
    stack_answer = answer_stack(read_stack("torch", [text]), (9, 9))
    lines = list(stack_lines(stack_answer))
    assert "input 9: layer 2 of 3, nn.Conv2d(8, 8, 7), gets 3 and needs at least 7: the kernel of 7 is larger" in (
        "\n".join(lines).replace("torch.", "")
    )
    assert lines[-1] == "sizes that pass: all from 13 on; the nearest to 9: 13"
    assert answer_stack(read_stack("torch", [text]), (13, 13)).passes


def test_the_nearest_sizes_of_a_chain_come_out_as_they_went_in() -> None:
    stack_answer = answer_stack(read_stack("torch", [TUTORIAL]), (30, 30))
    assert list(stack_lines(stack_answer))[-1].endswith("12*n + 4 from 16 on; the nearest to 30: 28 and 40")
    assert all(answer_stack(read_stack("torch", [TUTORIAL]), (near,) * 2).passes for near in stack_answer.near_chain)


UP, OTHER = "nn.Upsample(scale_factor=2)", "nn.ConvTranspose2d(8, 8, 2, 2)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"if bilinear:\n    up = {UP}\nelse:\n    up = {OTHER}", r"line 2: nn.Upsample runs only where 'bilinear' "
         r"\(line 1\) is true: give the layers that run"),
        (f"if a:\n    up = {UP}", "runs only where 'a'"),
        (f"down = {HALVED}\nif a:\n    pass\nelif b:\n    up = {UP}", r"line 5: .* only where 'a' \(line 2\) is false"),
        (f"up = {UP} if bilinear else {OTHER}", "runs only where 'bilinear'"),
        (f"up = {UP} or {OTHER}", "is one of the alternatives"),
        (f"try:\n    up = {UP}\nexcept TypeError:\n    up = {OTHER}", r"line 4: .* only after an exception \(line 3\)"),
        (f"match way:\n    case 'bilinear':\n        up = {UP}\n    case _:\n        up = {OTHER}",
         r"line 3: .* only in the case \"'bilinear'\" \(line 2\)"),
        (f"for i in range(4):\n    layers.append({OTHER})", r"in the loop of line 1, which may run it any number"),
        (f"while True:\n    layers.append({OTHER})", "in the loop of line 1"),
        (f"layers = [{OTHER} for _ in range(4)]", "in the loop of line 1"),
        (f"layers = list({OTHER} for _ in range(4))", "in the loop of line 1"),
        (f"up = lambda: {OTHER}", "runs when the lambda of line 1 is called"),
        (f"class A:\n    def __init__(self):\n        self.up = {OTHER}\nclass B:\n    down = nn.Conv1d(1, 1, 2, 2)",
         r"stand in 2 places, .*: A.__init__ \(line 3\), B \(line 5\): name one of them, as in model.py:B"),
        (f"def down():\n    return {HALVED}\nup = {OTHER}", r"down \(line 2\), the text itself \(line 3\)"),
    ],
)  # fmt: skip
def test_what_may_not_run_just_once_is_no_stack(text: str, message: str) -> None:
    with pytest.raises(SizesError, match=message):
        read_stack("torch", [text])


@pytest.mark.parametrize(
    "text",
    [
        f"try:\n    up = {UP}\nexcept TypeError:\n    raise",
        f"for layer in nn.Sequential({UP}):\n    print(layer)",
        f"names = [name for name in nn.Sequential({UP})]",
        f"if __name__ == '__main__':\n    up = {UP}",
        f"class A:\n    def __init__(self, n):\n        if n:\n            raise ValueError(n)\n        self.up = {UP}",
    ],
)
def test_what_runs_once_is_a_stack(text: str) -> None:
    stack = read_stack("torch", [text])
    assert [layer.kind for layer in stack.layers] == ["up"]
    assert stack.unknown == ()


MODULES = (
    f"\nclass Down(nn.Module):\n    def __init__(self):\n        self.pool = {HALVED}\n"
    f"class Net(nn.Module):\n    def __init__(self):\n        self.pool = {HALVED}\n        self.up = {OTHER}\n"
    "        self.fc = nn.Linear(3, 4)\n"
    "class Whole(nn.Module):\n    def __init__(self):\n        self.down = Down()\n"
)


def test_a_part_of_a_text_is_read_by_its_name() -> None:
    stack = read_stack("torch", [part_of("torch", MODULES, "Net")])
    assert [(layer.kind, layer.reading.line) for layer in stack.layers] == [("down", 7), ("up", 8)]
    lines = list(stack_lines(answer_stack(stack, (8, 8))))
    assert "not known, and taken to keep sizes: nn.Linear (line 9)" in lines
    assert "input 8 passes" in lines
    assert read_stack("torch", [part_of("torch", MODULES, "Down.__init__")]).layers[0].reading.line == 4


@pytest.mark.parametrize(
    ("name", "message"),
    [("Other", "no class or function 'Other' in it: those are Down, Down.__init__, Net, "),
     ("Whole", "line 12: Down has layers of its own")],
)  # fmt: skip
def test_a_part_that_is_none_or_stands_in_others_is_refused(name: str, message: str) -> None:
    with pytest.raises(SizesError, match=message):
        part_of("torch", MODULES, name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layers", "rule"),
    [
        ([f"nn.ConvTranspose2d({n + 1}, {n + 2}, 3, 1, 1)" for n in range(1200)], "all"),
        (["nn.MaxPool2d(2)", "nn.ConvTranspose2d(8, 8, 3, 2)"] * 600, "2*n + 1 from 3 on"),
        ([DOUBLED] * 1200, "none up to 512"),
    ],
)
def test_a_stack_of_1200_layers_asks_each_kind_of_layer_once_for_a_size(layers: list[str], rule: str) -> None:
    stack = read_stack("torch", [f"nn.Sequential({', '.join(layers)})"])
    assert len({layer.effect for layer in stack.layers}) == len({layer.partition("(")[0] for layer in layers})
    after_or_refusal.cache_clear()
    assert str(passing(stack)) == rule
    assert after_or_refusal.cache_info().misses < 40_000


def test_channels_count_where_a_layer_may_be_refused_for_them() -> None:
    text = "nn.Sequential(nn.ConvTranspose1d(4, 4, 2, groups=2), nn.ConvTranspose1d(4, 3, 2, groups=2))"
    results = list(walk(read_stack("torch", [text]), (8,)))
    assert [bool(result.refused) for result in results] == [False, True]


@pytest.mark.parametrize(
    ("framework", "text"),
    [
        ("torch", "nn.Sequential(nn.LazyConv2d(5, 3, stride=2, padding=1), nn.LazyConvTranspose2d(5, 4, 2, 1))"),
        ("tensorflow", "[tf.keras.layers.Conv2D(5, 3, 2, 'same'), tf.layers.conv2d_transpose(x, 5, 4, 2, 'same')]"),
    ],
)
def test_layers_of_another_name_have_the_spatial_axes_of_their_own(framework: str, text: str) -> None:
    stack = read_stack(framework, [text])
    assert stack.rank == 2
    assert end_of(stack, (32, 32)) == (32, 32)
