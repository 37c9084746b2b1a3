"""What is said where a side of a port gives no answer; the lanes run the ports themselves."""

import subprocess
import sys
from pathlib import Path

import pytest

from conformance import adapters
from conformance.calls.port import other_batch, port
from conformance.calls.verify import VerifyError, verify


def test_a_side_without_its_framework_is_named_with_what_it_said() -> None:
    ported = port("nn.ConvTranspose1d(2, 3, 3, stride=2)", "torch", "jax", {"x": (1, 2, 5)})
    lanes = adapters.lane("torch"), adapters.lane("jax")
    larger = other_batch(ported)
    assert larger is not None
    with pytest.raises(VerifyError, match=r"gave no answer: exit status 1 of .*: .*(torch|jax)"):
        verify([ported, larger], *lanes, {"torch": sys.executable, "jax": sys.executable})


def test_an_interpreter_without_this_package_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    python = str(tmp_path / "bare/bin/python")
    ported = port("nn.ConvTranspose1d(2, 3, 3, stride=2)", "torch", "jax", {"x": (1, 2, 5)})
    lanes = adapters.lane("torch"), adapters.lane("jax")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VerifyError, match=f"install this package, from its folder: {python} -m pip install [.]$"):
        verify([ported], *lanes, {"torch": python, "jax": python})
