"""A port says what is known of its target on the very problem, and what it names as a help is in no known region."""

import pytest

from conformance import adapters, idioms
from conformance.adapters.base import Lane
from conformance.calls.known_faults import KnownFault, fault_lines, known_faults
from conformance.calls.port import Port, port

DILATED = "nn.ConvTranspose2d(4, 4, 3, stride=2, dilation=2)"
STRETCHED = "stretch the kernel by zeros in place of dilation"
X = (1, 4, 8, 8)


def ported(text: str, framework: str, variant: str = "", x: tuple[int, ...] = X) -> tuple[Port, Lane]:
    lane = adapters.lane(framework, variant or None)
    return port(text, "torch", framework, {"x": x}, variant=lane.variant), lane


def faults(text: str, framework: str, variant: str = "", x: tuple[int, ...] = X) -> list[KnownFault]:
    return known_faults(*ported(text, framework, variant, x))


@pytest.mark.parametrize(
    ("text", "framework", "variant", "id", "dtypes", "helps"),
    [
        (DILATED, "mxnet", "onednn", "mxnet-native-strided-dilation", ("float64",),
         ("compute in float32", f"in float64 {STRETCHED}")),
        (DILATED, "mxnet", "native", "mxnet-native-strided-dilation", ("float32", "float64"),
         ("in float32 run it as onednn: set MXNET_MKLDNN_ENABLED=1 before the import",
          f"in float32 and float64 {STRETCHED}")),
        (f"{DILATED[:-1]}, bias=False)", "tensorflow", "onednn", "tensorflow-eigen-dilation", ("float64",),
         ("compute in float32", f"in float64 {STRETCHED}")),
        ("nn.ConvTranspose2d(4, 4, 3, stride=2, padding=2, groups=2)", "tensorflow", "onednn",
         "tensorflow-eigen-groups", ("float64",), ("compute in float32", "in float64 take the groups one by one")),
        ("nn.ConvTranspose2d(4, 4, (2, 9), stride=2, padding=(1, 0))", "jax", "jit", "jax-algebraic-simplifier-abort",
         ("float32", "float64"), ("in float32 and float64 cut the whole window after a call that cuts nothing",)),
    ],
)  # fmt: skip
def test_a_known_fault_is_told_with_what_helps(
    text: str, framework: str, variant: str, id: str, dtypes: tuple[str, ...], helps: tuple[str, ...]
) -> None:
    x = (1, 4, 3, 4) if framework == "jax" else X
    fault = next(fault for fault in faults(text, framework, variant, x) if not fault.lane)
    assert (fault.id, fault.dtypes, fault.helps) == (id, dtypes, helps)


GROUPED, ONEDNN = "nn.ConvTranspose2d(4, 4, 3, stride=2, padding=2, groups=2)", (
    "in float32 run it as onednn: set TF_ENABLE_ONEDNN_OPTS=1 before the import (tensorflow is so by itself only on "
    "CPUs that have AVX512-VNNI, AVX-VNNI or AMX)"
)  # fmt: skip


@pytest.mark.parametrize("text", [GROUPED, f"{DILATED[:-1]}, bias=False)"])
def test_what_is_answered_in_one_lane_of_the_target_alone_is_said_with_what_to_set(text: str) -> None:
    ours, other = faults(text, "tensorflow", "onednn")
    assert ours.lane is None
    assert (str(other.lane), other.dtypes, other.helps[0]) == ("tensorflow-eigen", ("float32",), ONEDNN)
    lines = list(fault_lines([ours, other]))
    assert lines[2] == "known in float32 on tensorflow-eigen: tensorflow refuses this: for the same reason"


def test_what_is_claimed_to_be_refused_in_another_lane_is_said_where_no_expectation_is() -> None:
    (other,) = [fault for fault in faults("nn.ConvTranspose2d(4, 4, 3, padding=1, dilation=2)", "tensorflow", "onednn")
                if fault.lane]  # fmt: skip
    assert (other.happens, other.dtypes) == ("refuses this", ("float32",))
    assert other.helps[0] == ONEDNN


def test_the_lines_say_reason_and_link() -> None:
    fault = next(fault for fault in faults(DILATED, "mxnet") if not fault.lane)
    first, *rest = fault.lines()
    assert first.startswith("known in float64: mxnet may give another answer: The column-to-image step ")
    assert first.endswith("(https://github.com/apache/mxnet/issues/11203)")
    assert [line.split(":")[0] for line in rest] == ["  not always", "  what helps"]


@pytest.mark.parametrize("framework", idioms.frameworks())
def test_an_ordinary_layer_has_no_known_fault(framework: str) -> None:
    found = faults("nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1)", framework)
    assert [fault.id for fault in found if fault.dtypes != ("float64",)] == []


def test_a_help_for_one_fault_is_no_way_into_another() -> None:
    fault = faults("nn.ConvTranspose2d(4, 4, 3, dilation=2, groups=2)", "tensorflow")[0]
    assert fault.helps[-1] == f"in float64 {STRETCHED} and take the groups one by one"


def test_no_other_variant_is_told_as_a_help_where_it_refuses_as_well() -> None:
    layer = "nn.ConvTranspose2d(4, 4, 3, stride=2, bias=False)"
    lane = adapters.lane("tensorflow", None)
    made = port(layer, "torch", "tensorflow", {"x": X}, idiom="tflite-transpose-conv", variant=lane.variant)
    refused = [fault for fault in known_faults(made, lane) if "float64" in fault.dtypes]
    assert refused
    assert [way for fault in refused for way in fault.helps if "run it as" in way] == []


@pytest.mark.parametrize("lane", adapters.lanes(), ids=str)
def test_what_is_to_be_set_can_be_typed(lane: Lane) -> None:
    for other in adapters.variants(lane.framework):
        said = adapters.how_to_run(lane, other)
        assert "{" not in said
        assert other == lane.variant or "=" in said
