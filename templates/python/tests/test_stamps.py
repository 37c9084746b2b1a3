"""What the adapter computes, and what conformance makes of it."""

import subprocess
import sys

import numpy as np
import pytest
from conformance_stamps.stamps import stamp


def test_each_input_puts_the_kernel_down_a_stride_further():
    x, weight = np.array([[[1, 2]]]), np.array([[[1, 10, 100]]])
    assert stamp(x, weight, stride=(2,), dilation=(1,), groups=1).tolist() == [[[1, 10, 102, 20, 200]]]


@pytest.mark.parametrize("words", ["adapter check stamps", "run stamps --suite smoke"])
def test_conformance_finds_nothing_to_mend(words, tmp_path):
    command = [sys.executable, "-m", "conformance", *words.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
