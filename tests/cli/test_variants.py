"""A command on every variant of a framework: beside each other, and told in order."""

import os
import subprocess
import sys
from pathlib import Path

from conformance.io.exit_status import DIVERGED, INCOMPLETE, OK

ADAPTERS = Path(__file__).parents[1] / "adapters"


def properties(folder: Path, fault: str = "") -> tuple[int, list[str]]:
    """The exit status of `audit properties` on two variants, and the lanes in the order in which they are told."""
    command = [sys.executable, "-m", "conformance", "audit", "properties", "oracle_adapter", "--shard=1/30"]
    environment = os.environ | {"CONFORMANCE_ADAPTERS": str(ADAPTERS), "FAULT": fault}
    done = subprocess.run(
        [*command, f"--to={folder}"], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, [line.split()[0] for line in done.stdout.splitlines() if "problems of smoke" in line]


def test_variants_are_told_in_their_order(tmp_path: Path) -> None:
    assert properties(tmp_path) == (OK, ["oracle_adapter-single", "oracle_adapter-other"])


def test_the_worst_status_counts(tmp_path: Path) -> None:
    status, lanes = properties(tmp_path, "wrong@")
    assert status in (DIVERGED, INCOMPLETE)
    assert lanes == ["oracle_adapter-single", "oracle_adapter-other"]
