"""Ctrl-C at any moment ends a command in one line, with exit status 130, and leaves no process behind."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SCRIPT = PROJECT["scripts"]["conformance"]
STARTS = {
    "the module": "import runpy; runpy.run_module('conformance', run_name='__main__', alter_sys=True)",
    "the script": "from {0} import {1}; {1}()".format(*SCRIPT.split(":")),
}
AT_IMPORT = """
import signal
import sys


class Interrupting:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {name!r}:
            signal.raise_signal(signal.SIGINT)


signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
sys.meta_path.insert(0, Interrupting)
sys.argv = ["conformance", "call", "torch", "nn.ConvTranspose2d(8, 4, 3)", "--claim"]
"""


@pytest.mark.parametrize("name", ["conformance.cli", "click", "conformance.cli.call", "conformance.calls.meaning"])
@pytest.mark.parametrize("start", STARTS)
def test_ctrl_c_while_modules_are_imported_ends_in_one_line(start: str, name: str) -> None:
    program = AT_IMPORT.format(name=name) + STARTS[start]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "conformance: interrupted\n")
