"""Caps: what a lane may use of its machine, taken away."""

import pytest

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.processes.caps import caps_here

AVX2 = ("sse4_1", "sse4_2", "avx", "avx2", "fma")
AVX512 = (*AVX2, "avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512_vnni")


@pytest.mark.parametrize(
    ("choice", "isa", "cores", "names"),
    [
        ("lowest", AVX2, 2, ["sse4"]),
        ("all", AVX2, 2, ["sse4", "avx", "two-threads"]),
        ("all", AVX512, 1, ["sse4", "avx", "avx2", "avx512"]),
        ("all", ("sse4_1",), 1, []),
        ("lowest", (), 2, []),
    ],
)
def test_caps_are_those_that_take_something_from_the_cpu(
    choice: str, isa: tuple[str, ...], cores: int, names: list[str]
) -> None:
    assert list(caps_here(choice, isa, cores)) == names


@pytest.mark.parametrize("lane", adapters.lanes(), ids=str)
def test_the_lowest_cap_leaves_each_library_its_first_level(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    (cap,) = caps_here("lowest", AVX512, 1).values()
    for name, value in cap.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("conformance.records.machine._cpu", lambda: {"isa": " ".join(AVX512)})
    lowest = {"aten": "default", "onednn": "sse41", "xla": "sse4_2"}
    found = {name: words for name, words in adapters.machine(lane).items() if name in lowest and words != "off"}
    assert found == {name: lowest[name] for name in found}
    if lane.framework in ("torch", "tensorflow", "jax", "mxnet"):
        assert found or lane.variant in ("eigen", "native")
