"""The machine that a run stands on: its CPU, what the libraries beneath may use of it, cores, memory and threads.

A fact is a text under a name of `FACTS`. What cannot be read here is left out: it is not known, and never guessed. All
of it follows from the operating system, the environment and what an adapter says of its libraries, so that no
framework needs to be imported.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

Machine = Mapping[str, str]

FACTS: Mapping[str, str] = {
    "vendor": "the CPU's vendor, in its own word, such as GenuineIntel",
    "model": "the CPU's name, with family, model and stepping as numbers",
    "isa": "the instruction sets of the CPU that numerical libraries ask for, as words",
    "cores": "how many cores the process may use",
    "memory": "GiB of memory",
    "threads": "how many threads a native call may use",
    "caps": "the environment variables that cap a library, as they are set",
    "aten": "PyTorch's own kernels: default, avx2 or avx512",
    "onednn": "the instruction sets that oneDNN may use, as words; off where the lane goes without it",
    "xla": "the instruction sets that XLA may use, as words",
}
"""Every fact by name, with its meaning."""

THREADS = "CONFORMANCE_THREADS"
"""The environment variable that says how many threads a native call may use."""

ISA = (
    "sse4_1", "sse4_2", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx_ne_convert", "avx512f", "avx512dq", "avx512bw",
    "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "amx_fp16",
)  # fmt: skip

_CORE = ("avx512f", "avx512dq", "avx512bw", "avx512vl")
_AMX = ("amx_tile", "amx_int8", "amx_bf16")
ONEDNN: Mapping[str, Sequence[str]] = {
    "sse41": ("sse4_1",), "avx": ("avx",), "avx2": ("avx2",), "avx512_core": _CORE,
    "avx512_core_vnni": ("avx512_vnni",), "avx512_core_bf16": ("avx512_bf16",),
    "avx512_core_fp16": ("avx512_fp16",), "avx512_core_amx": _AMX, "avx512_core_amx_fp16": ("amx_fp16",),
}  # fmt: skip
"""oneDNN's levels, each with what the CPU must have beyond the one before."""

XLA: Mapping[str, Sequence[str]] = {
    "sse4_2": ("sse4_2",), "avx": ("avx",), "avx2": ("avx2", "fma"), "avx512": _CORE, "avx512_vnni": ("avx512_vnni",),
    "avx512_bf16": ("avx512_bf16",), "amx": _AMX, "amx_fp16": ("amx_fp16",),
}  # fmt: skip
"""XLA's levels, likewise."""

ATEN: Mapping[str, Sequence[str]] = {"default": (), "avx2": ("avx2", "fma"), "avx512": _CORE}
"""ATen's levels, likewise; of them it takes the highest alone."""

LEVELS: Mapping[str, Mapping[str, Sequence[str]]] = {"aten": ATEN, "onednn": ONEDNN, "xla": XLA}
"""The levels of each library that an adapter can name."""

WORDS: Mapping[str, Sequence[str]] = {
    "isa": ISA, "aten": tuple(ATEN), "onednn": (*ONEDNN, "off"), "xla": tuple(XLA),
}  # fmt: skip
"""The words that a fact can consist of, where those are all known."""

CAPS = ("ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "NPY_DISABLE_CPU_FEATURES",
        "ONEDNN_MAX_CPU_ISA", "XLA_FLAGS")  # fmt: skip
_XLA_CAP = "--xla_cpu_max_isa="


def measure_machine(libraries: Mapping[str, Sequence[str]]) -> Machine:
    """Every fact that is known here, with those of a lane's libraries, in the order of `FACTS`.

    A library is `aten`, `onednn` or `xla`, with the environment variables that cap it, the strongest first; one without
    any is off.
    """
    facts = {**_cpu(), **_size(), "threads": threads(), "caps": _caps(os.environ)}
    if "isa" in facts:
        isa = facts["isa"].split()
        facts |= {name: level for name, caps in libraries.items() if (level := _level(name, caps, isa))}
    return {name: facts[name] for name in FACTS if name in facts}


def threads() -> str:
    """How many threads a native call may use, from the environment; 1 unless it says otherwise."""
    return os.environ.get(THREADS) or "1"


def line(machine: Machine) -> str:
    """A machine for people, in a line."""
    if not machine:
        return "not known"
    shown = {
        "vendor": "{}", "model": "{}", "cores": "cores: {}", "memory": "{} GiB", "threads": "threads in a call: {}",
        "isa": "CPU: {}", "aten": "ATen: {}", "onednn": "oneDNN: {}", "xla": "XLA: {}", "caps": "capped by {}",
    }  # fmt: skip
    return "; ".join(form.format(machine[name]) for name, form in shown.items() if machine.get(name))


def differing(old: Machine, new: Machine) -> list[str]:
    """The facts that two machines do not share, in words; none where one of the machines is not known at all."""
    if not old or not new:
        return []
    told = {name: (old.get(name, "not known"), new.get(name, "not known")) for name in {**old, **new}}
    return [f"{name} {was or 'none'} -> {now or 'none'}" for name, (was, now) in told.items() if was != now]


def host(machine: Machine) -> Machine:
    """What is the same for every lane on a machine: the facts that are of no library."""
    return {name: value for name, value in machine.items() if name not in LEVELS}


def common(machines: Iterable[Machine]) -> Machine:
    """What some machines share; what they do not is not known of all of them together."""
    first, *rest = machines
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in rest)}


@cache
def _cpu() -> Mapping[str, str]:
    """What the kernel tells of the first processor; nothing where it is not Linux on x86."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    return cpu(text)


def cpu(text: str) -> Mapping[str, str]:
    """The facts in a processor's paragraph of /proc/cpuinfo; none where it is not one of x86."""
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    if not {"vendor_id", "flags"} <= fields.keys():
        return {}
    numbers = "/".join(fields.get(name, "?") for name in ("cpu family", "model", "stepping"))
    flags = set(fields["flags"].split())
    return {
        "vendor": fields["vendor_id"],
        "model": f"{fields.get('model name', 'unnamed')} ({numbers})",
        "isa": " ".join(name for name in ISA if name in flags),
    }


def _size() -> Mapping[str, str]:
    facts = {}
    if count := len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count():
        facts["cores"] = str(count)
    with suppress(AttributeError, OSError, ValueError):  # not every system knows the question
        facts["memory"] = str(round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30))
    return facts


def _caps(variables: Mapping[str, str]) -> str:
    return " ".join(f"{name}={variables[name]}" for name in CAPS if variables.get(name))


def _level(library: str, caps: Sequence[str], isa: Sequence[str]) -> str:
    """What a library may use, as words; "" where that is not known."""
    if not caps:
        return "off"
    cap = next((value for name in caps if (value := os.environ.get(name))), "")
    if library == "xla":
        flags = [word for word in cap.split() if word.startswith(_XLA_CAP)]
        cap = flags[-1].removeprefix(_XLA_CAP) if flags else ""
    return " ".join(allowed(library, cap, isa))


def allowed(library: str, cap: str, isa: Sequence[str]) -> list[str]:
    """The levels of a library that a CPU has, up to a cap; none where the cap is no level that is known here."""
    levels = LEVELS[library]
    if cap.lower() not in ("", "all", *(["default"] if library == "onednn" else []), *levels):
        return []
    caps: list[str] = []
    for name, needed in levels.items():
        if not set(needed) <= set(isa):
            break
        caps.append(name)
        if name == cap.lower():
            break
    return caps[-1:] if library == "aten" else caps
