"""Networks whose layers stand in several classes: followed as their forward method runs them."""

import pytest

from conformance.calls.sizes.proposals import SizesError
from conformance.calls.sizes.stack import read_stack
from conformance.calls.sizes.stack_answers import answer_stack, as_data, stack_lines

UNET = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class DoubleConv(nn.Module):
    def __init__(self, in_channels, out_channels, mid_channels=None):
        super().__init__()
        if not mid_channels:
            mid_channels = out_channels
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, mid_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(mid_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True)
        )

    def forward(self, x):
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.maxpool_conv = nn.Sequential(
            nn.MaxPool2d(2),
            DoubleConv(in_channels, out_channels)
        )

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, in_channels, out_channels, bilinear=True):
        super().__init__()
        if bilinear:
            self.up = nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True)
            self.conv = DoubleConv(in_channels, out_channels, in_channels // 2)
        else:
            self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
            self.conv = DoubleConv(in_channels, out_channels)

    def forward(self, x1, x2):
        x1 = self.up(x1)
        diffY = x2.size()[2] - x1.size()[2]
        diffX = x2.size()[3] - x1.size()[3]
        x1 = F.pad(x1, [diffX // 2, diffX - diffX // 2,
                        diffY // 2, diffY - diffY // 2])
        x = torch.cat([x2, x1], dim=1)
        return self.conv(x)


class OutConv(nn.Module):
    def __init__(self, in_channels, out_channels):
        super(OutConv, self).__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=1)

    def forward(self, x):
        return self.conv(x)


class UNet(nn.Module):
    def __init__(self, n_channels, n_classes, bilinear=False):
        super(UNet, self).__init__()
        self.n_channels = n_channels
        self.n_classes = n_classes
        self.bilinear = bilinear

        self.inc = (DoubleConv(n_channels, 64))
        self.down1 = (Down(64, 128))
        self.down2 = (Down(128, 256))
        self.down3 = (Down(256, 512))
        factor = 2 if bilinear else 1
        self.down4 = (Down(512, 1024 // factor))
        self.up1 = (Up(1024, 512 // factor, bilinear))
        self.up2 = (Up(512, 256 // factor, bilinear))
        self.up3 = (Up(256, 128 // factor, bilinear))
        self.up4 = (Up(128, 64, bilinear))
        self.outc = (OutConv(64, n_classes))

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        x4 = self.down3(x3)
        x5 = self.down4(x4)
        x = self.up1(x5, x4)
        x = self.up2(x, x3)
        x = self.up3(x, x2)
        x = self.up4(x, x1)
        logits = self.outc(x)
        return logits
"""


def said(text: str, size: int, start: str = "") -> list[str]:
    return list(stack_lines(answer_stack(read_stack("torch", [text], 2, start=start), (size, size))))


def test_a_unet_of_several_classes_is_followed_through_forward() -> None:
    stack = read_stack("torch", [UNET], 2)
    assert (len(stack.layers), stack.in_order, stack.assumed) == (27, True, ("bilinear=False",))
    assert "".join(layer.kind[0] for layer in stack.layers).replace("l", "") == "dddduuuu"
    grown = [layer.reading.arguments["out_channels"] for layer in stack.layers if layer.kind == "up"]
    assert grown == [512, 256, 128, 64]


def test_the_sizes_that_pass_a_unet_and_what_mends_a_level_are_said_with_their_lines() -> None:
    lines = said(UNET, 100)
    assert lines[-5:] == [
        "not known, and taken to keep sizes: torch.nn.functional.pad (line 51), which may fix a level that breaks",
        "with the defaults bilinear=False",
        "input 100: level 3 (line 44) gives 24 where 25 is needed: give output_padding=1 there or crop 1 of the skip "
        "connection, which is what goes into torch.nn.MaxPool2d(2) (line 29)",
        "input 100 with crops of the skip connections alone: crop 1 on level 3 (line 44), 2 on level 2 (line 44), 4 on "
        "level 1 (line 44); 96 is left",
        "sizes that pass: multiples of 16; the nearest to 100: 96 and 112",
    ]
    assert said(UNET, 96)[-2:] == ["input 96 passes", "sizes that pass: multiples of 16"]


def test_cropped_skip_connections_are_followed_to_the_end() -> None:
    answered = answer_stack(read_stack("torch", [UNET], 2), (572, 572))
    needs = [(result.level, result.after[0], result.needed[0]) for result in answered.crops if not result.passes]
    assert needs == [(4, 70, 71), (3, 140, 143), (2, 280, 286), (1, 560, 572)]
    assert answered.crops[-1].after == (560, 560)
    data = as_data(answered)
    assert [layer["output"] for layer in data["crops"]][-1] == [560, 560]
    assert as_data(answer_stack(read_stack("torch", [UNET], 2), (96, 96)))["crops"] is None


def test_the_way_that_a_parameter_takes_is_followed() -> None:
    upsampled = UNET.replace("bilinear=False", "bilinear=True")
    stack = read_stack("torch", [upsampled], 2)
    assert {layer.reading.idiom.id for layer in stack.layers if layer.kind == "up"} == {"torch-upsampling"}
    assert as_data(answer_stack(stack, (96, 96)))["assumed"] == ["bilinear=True"]
    assert said(UNET, 9, "Down")[0] == "torch.nn.MaxPool2d(2): 9 -> 4 (line 29, level 1)"


def test_what_is_decided_when_it_runs_is_refused_with_what_to_type_instead() -> None:
    with pytest.raises(SizesError, match=r"line 40: what 'if bilinear:' makes is decided when it runs: .* by --then"):
        read_stack("torch", [UNET.replace(", bilinear=False", ", bilinear")], 2)


HELD = """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.downs = nn.ModuleList([nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)])
        self.up = nn.ConvTranspose2d(8, 8, 2, 2)
        self.unused = nn.MaxPool2d(7)
    def forward(self, x):
        for down in self.downs:
            x = down(x).relu()
        if self.training:
            x = x * 2
        return self.up(self.up(self.downs[0](x)))
"""


def test_layers_that_are_held_and_called_twice_count_as_often_as_they_run() -> None:
    assert [line.partition(":")[0].rpartition(".")[2][:6] for line in said(HELD, 64)[:5]] == [
        "Conv2d", "Conv2d", "Conv2d", "ConvTr", "ConvTr"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("for down in self.downs:", "for down in self.downs[: self.n]:", "'for down in self.downs.* is decided when"),
        ("x = x * 2", "x = self.up(x)", "'if self.training:' is decided when it runs"),
        ("x = x * 2", "return x", "'if self.training:' is decided when it runs"),
        ("self.downs[0](x)", "self.downs[self.n](x)", r"which layer 'self.downs\[self.n\]' is"),
        ("self.downs[0](x)", "checkpoint(self.up, x)", "'self.up' is handed on"),
        ("self.downs[0](x)", "(self.up(x) if self.big else x)", "is decided when it runs"),
        ("nn.ModuleList([nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 8, 3, 2, 1)])", "nn.ModuleList(some(nn.Conv2d))",
         "is decided when it runs|which layer"),
    ],
)  # fmt: skip
def test_layers_that_hang_on_what_is_known_when_it_runs_are_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(SizesError, match=message):
        read_stack("torch", [HELD.replace(old, new)], 2)


def test_methods_wrappers_and_layers_of_elsewhere_are_followed_or_said() -> None:
    text = HELD.replace("self.downs[0](x)", "self.encode(self.backbone(x))").replace("nn.MaxPool2d(7)", "some.Net()")
    text = text.replace("self.unused", "self.backbone").replace(
        "nn.ConvTranspose2d(8, 8, 2, 2)", "weight_norm(nn.ConvTranspose2d(8, 8, 2, 2)).cuda()"
    )
    text += "    def encode(self, x):\n        return self.downs[1](x)\n"
    stack = read_stack("torch", [text], 2)
    assert "".join(layer.kind[0] for layer in stack.layers) == "ddduu"
    assert stack.unknown == ("some.Net (line 8)",)


def test_what_forward_does_not_run_is_no_part_of_the_stack() -> None:
    assert [layer.reading.line for layer in read_stack("torch", [HELD]).layers] == [6, 6, 6, 7, 7]


DEEP = """
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, depth=3, width=8):
        super().__init__()
        {made}
        self.depth = depth
    def forward(self, x):
        {run}
        return x
"""
HALVES = "nn.Conv2d(width, width, 4, 2, 1)"
DOUBLES = "nn.ConvTranspose2d(width, width, 4, 2, 1)"


def kinds(made: str, run: str = "x = self.net(x)") -> str:
    made, run = (text.replace("\n", "\n        ") for text in (made, run))
    stack = read_stack("torch", [DEEP.format(made=made, run=run)], 2)
    return "".join(layer.kind[0] for layer in stack.layers)


@pytest.mark.parametrize("made", [
    f"self.net = nn.Sequential(*[{HALVES} for _ in range(depth)])",
    f"self.net = nn.Sequential(*({HALVES} for i in range(1, depth + 1) if i != 9))",
    f"layers = []\nfor i in range(depth):\n    layers.append({HALVES})\n    layers += [nn.ReLU()]\n"
    "self.net = nn.Sequential(*layers)",
    f"layers = [{HALVES}, nn.ReLU()]\nlayers.extend([{HALVES}, {HALVES}])\nself.net = nn.Sequential(*layers)",
    f"self.net = nn.Sequential()\nfor i in range(depth):\n    self.net.add_module('conv%d' % i, {HALVES})",
    f"blocks = [nn.Sequential({HALVES}, nn.ReLU()) for width in [8, 16, 32]]\nself.net = nn.Sequential(*blocks)",
])  # fmt: skip
def test_layers_that_are_made_in_loops_are_followed(made: str) -> None:
    assert kinds(made) == "ddd"


@pytest.mark.parametrize(("made", "run", "expected"), [
    (f"self.blocks = nn.ModuleList([{HALVES} for _ in range(depth)])",
     "for block in self.blocks:\n    x = block(x)", "ddd"),
    (f"self.blocks = nn.ModuleList()\nfor _ in range(depth):\n    self.blocks.append({HALVES})",
     "for i in range(len(self.blocks)):\n    x = self.blocks[i](x)", "ddd"),
    (f"self.a = nn.ModuleList([{HALVES} for _ in range(depth)])\n"
     f"self.b = nn.ModuleList([{DOUBLES}, {DOUBLES}, {DOUBLES}])",
     "for i, (a, b) in enumerate(zip(self.a, self.b)):\n    x = b(a(x))", "dududu"),
    (f"self.a = [{HALVES}, {DOUBLES}]", "for layer in reversed(self.a):\n    x = layer(x)", "ud"),
    (f"self.blocks = nn.ModuleList([{HALVES} for _ in range(depth)])",
     "for i in range(self.depth):\n    x = self.blocks[i](x)", "ddd"),
])  # fmt: skip
def test_loops_over_layers_and_numbers_run_them_in_order(made: str, run: str, expected: str) -> None:
    assert kinds(made, run) == expected


def test_a_method_that_makes_layers_is_followed() -> None:
    text = DEEP.format(made="self.net = self.level(2)\n        self.rest()", run="x = self.up(self.net(x))") + (
        f"    def level(self, count):\n        layers = [{HALVES} for _ in range(count)]\n"
        "        return nn.Sequential(*layers)\n"
        f"    def rest(self):\n        self.up = {DOUBLES}\n"
    )
    stack = read_stack("torch", [text], 2)
    assert [layer.kind for layer in stack.layers] == ["down", "down", "up"]


def test_a_loop_over_what_is_known_only_when_it_runs_is_refused() -> None:
    made = f"self.blocks = nn.ModuleList([{HALVES} for _ in range(other)])"
    with pytest.raises(SizesError, match=r"'for block in self.blocks:' is decided when it runs"):
        kinds(made, "for block in self.blocks:\n    x = block(x)")
    with pytest.raises(SizesError, match="at most 1000 are followed"):
        kinds(f"self.net = nn.Sequential(*[{HALVES} for _ in range(10 ** 9)])")


def test_a_padding_of_numbers_is_computed_and_another_is_said() -> None:
    made = f"self.down = {HALVES}\n        self.pad = nn.ZeroPad2d((0, 1, 0, 1))"
    text = DEEP.format(made=made, run="x = F.pad(self.pad(self.down(x)), (1, 1))")
    text = text.replace("as nn\n", "as nn\nimport torch.nn.functional as F\n", 1)
    lines = said(text, 8)
    assert [line.partition(": ")[2] for line in lines[1:3]] == ["4 -> 5 (line 8)", "5 -> 5x7 (line 11)"]
    computed = said(text.replace("(1, 1))", "(k, 1))"), 8)
    assert any(
        line.startswith("not known, and taken to keep sizes: torch.nn.functional.pad (line 11)") for line in computed
    )


def test_a_layer_that_is_applied_with_an_output_size_gives_what_is_needed() -> None:
    made = f"self.down = {HALVES}\n        self.up = nn.ConvTranspose2d(width, width, 2, 2)"
    text = DEEP.format(made=made, run="x = self.up(self.down(x), output_size=x.size())")
    (up,) = [result for result in answer_stack(read_stack("torch", [text], 2), (9, 9)).results if result.needed]
    assert (up.before, up.after, up.passes) == ((4, 4), (9, 9), True)
    plain = text.replace(", output_size=x.size()", "")
    assert any("level 1 (line 7) gives 8 where 9 is needed" in line for line in said(plain, 9))
    out_of_reach = text.replace("2, 2)\n", "2, 2, padding=1)\n")
    assert any("gives 6 where 9 is needed" in line for line in said(out_of_reach, 9))
    given = text.replace("x.size()", "(9, 9)")
    assert "sizes that pass" in said(given, 9)[-1]
