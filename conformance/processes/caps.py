"""Caps on what a lane may use of its machine, so that one machine can stand for others.

A cap is a name with environment variables, which a framework reads when it starts. What depends on the machine is a
fact with a condition (`machine`), so every verdict under every cap is to be as expected.
"""

from collections.abc import Mapping, Sequence

from conformance.records.machine import THREADS

Caps = Mapping[str, Mapping[str, str]]


def _instructions(aten: str, onednn: str, xla: str) -> Mapping[str, str]:
    """The variables that keep every library below an instruction set; MXNet's oneDNN knows only the older name."""
    return {
        "ATEN_CPU_CAPABILITY": aten, "ONEDNN_MAX_CPU_ISA": onednn, "DNNL_MAX_CPU_ISA": onednn,
        "XLA_FLAGS": f"--xla_cpu_max_isa={xla}",
    }  # fmt: skip


INSTRUCTIONS: Caps = {
    "sse4": _instructions("default", "SSE41", "SSE4_2"),
    "avx": _instructions("default", "AVX", "AVX"),
    "avx2": _instructions("avx2", "AVX2", "AVX2"),
    "avx512": _instructions("avx512", "AVX512_CORE", "AVX512"),
}
"""Caps of instruction sets, the lowest first."""

_BEYOND = {"sse4": "avx", "avx": "avx2", "avx2": "avx512f", "avx512": "avx512_vnni"}
"""What a CPU has if a cap takes something from it."""

CHOICES = ("lowest", "all")


def caps_here(choice: str, isa: Sequence[str], cores: int) -> Caps:
    """The caps to run under: the lowest one, or all that change something on a CPU, two threads where it has them."""
    usable = {name: variables for name, variables in INSTRUCTIONS.items() if _BEYOND[name] in isa}
    if choice == "lowest":
        return dict(list(usable.items())[:1])
    return usable | ({"two-threads": {THREADS: "2"}} if cores > 1 else {})
