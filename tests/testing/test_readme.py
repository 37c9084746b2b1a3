"""The README's part "Test your own", run as it stands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PART = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Test your own\n")[2].partition("\n## ")[0]
FUNCTION, TESTS = re.findall(r"```python\n(.*?)```", PART, re.DOTALL)
HOLE = '    raise NotImplementedError("not yet")'
BODY = """
    from conformance import oracle
    return oracle.conv_transpose(x, weight, bias, stride=stride, padding=padding, output_padding=output_padding,
                                 groups=groups, dilation=dilation).astype(x.dtype)
"""
LIBRARY = """
from conformance import oracle

def my_conv_transpose(x, weight, bias, *, stride, padding, output_padding, groups, dilation):
    y = oracle.conv_transpose(x, weight, bias, stride=stride, padding=padding, output_padding=output_padding,
                              groups=groups, dilation=dilation).astype(x.dtype)
    return -y if x.ndim == 5 else y
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_function_is_checked_and_its_records_are_written(tmp_path: Path) -> None:
    assert HOLE in FUNCTION
    (tmp_path / "script.py").write_text(FUNCTION.replace(HOLE, BODY), encoding="utf-8")
    done = run(tmp_path, "script.py")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "my_conv_transpose, suite smoke: 120 records: 120 conform\nnothing fails\n"
    assert (tmp_path / "reports" / "records" / "my_conv_transpose-function-smoke.jsonl").exists()


def test_a_function_without_a_body_is_red(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(FUNCTION, encoding="utf-8")
    done = run(tmp_path, "script.py")
    assert done.returncode == 1
    assert "it conforms nowhere: 0 of 120 records: 120 reject" in done.stdout
    assert "120 reject: NotImplementedError: not yet" in done.stderr


@pytest.mark.slow
def test_the_tests_run_and_a_failure_is_diagnosed(tmp_path: Path) -> None:
    (tmp_path / "mylib.py").write_text(LIBRARY, encoding="utf-8")
    (tmp_path / "test_mine.py").write_text(TESTS, encoding="utf-8")
    done = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py")
    assert done.returncode == 1
    assert re.search(r"FAILED test_mine.py::test_conv_transpose\[smoke-3d-\d+\]", done.stdout)
    assert not re.search(r"FAILED test_mine.py::test_conv_transpose\[smoke-[12]d-\d+\]", done.stdout)
    assert re.search(r"NonconformityError: smoke-3d-\d+: value: ", done.stdout)
