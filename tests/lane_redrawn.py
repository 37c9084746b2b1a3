"""Explanations of several statements in each lane's own environment: asked of redrawn operands, of the lane itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.records import record_file
from conformance.records.record import Verdict
from tests.lane_snippets import installed

PART = ("--suite", "smoke", "--shard", "1/8")
TWICE_WRONG = """\
from dataclasses import replace

import numpy

from conformance.adapters import {framework} as right
from conformance.adapters.{framework} import *

VARIANTS = {variants}
BLOCK = 1


def describe():
    return {{**right.describe(), "twice_wrong": "1.0"}}


def translate(problem, x, weight, bias):
    taps = numpy.flip(weight, tuple(range(2, weight.ndim))).copy()
    return right.translate(replace(problem, bias=False), x, taps, None)
"""
"""An adapter from outside that calls the lane's framework with the taps reversed, and without the bias."""


def conformance(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "CONFORMANCE_ADAPTERS": str(folder), "COLUMNS": "200"}
    command = [sys.executable, "-m", "conformance", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize("lane", installed(), ids=str)
def test_two_faults_of_a_call_are_told_since_they_hold_on_redrawn_operands(lane: Lane, tmp_path: Path) -> None:
    variants = {lane.variant: dict(adapters.variants(lane.framework)[lane.variant])}
    source = TWICE_WRONG.format(framework=lane.framework, variants=variants)
    (tmp_path / "twice_wrong.py").write_text(source, encoding="utf-8")
    ran = conformance("run", "twice_wrong", *PART, "--records", str(tmp_path), folder=tmp_path)
    file = next(tmp_path.glob("*.jsonl"), None)
    assert file, ran.stdout + ran.stderr
    before = record_file.read(file)
    assert any(record.verdict is Verdict.DIVERGES for record in before.records), ran.stdout + ran.stderr
    said = conformance("diagnose", str(file), folder=tmp_path)
    assert "and bias ignored" in said.stdout, said.stdout + said.stderr
    assert "candidate" not in said.stdout
    outcomes = [record.replicated for record in record_file.read(file).records if record.replicated]
    assert outcomes
    assert all(any("taps reversed" in text for text, held in some.items() if held) for some in outcomes)
