"""Modes of execution: what each word means, on right and wrong modes of a function, and what is stated of them."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance import adapters
from conformance.adapters import modes
from conformance.adapters.base import Call, Unsupported
from conformance.adapters.modes.base import Inferred, Mode
from conformance.audit.modes.measuring import DOES, Measured, shown_by
from conformance.audit.modes.statements import STATED
from conformance.audit.mutants.base import Implementation, right
from conformance.audit.stated import files
from conformance.audit.stated.files import StatementError
from conformance.layout import Array
from conformance.problem import Problem
from tests.audit.test_properties import Adapter
from tests.cli.test_cli import Command
from tests.runner.test_lane_run import ADAPTERS

DOCS = Path(__file__).parents[2] / "docs" / "modes.md"
NAMED = [("a", Problem.parse("i3 k2 s2 ic2 bias")), ("b", Problem.parse("i2 k2"))]


@dataclass
class Modes:
    """One mode, or one inference, called `it`."""

    MODES: Mapping[str, Mode] = field(default_factory=dict)
    INFERENCES: Mapping[str, Mode] = field(default_factory=dict)
    SLOW: Mapping[str, Mode] = field(default_factory=dict)
    NEEDS: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Refusal(Exception):
    pass


def refusing(problem: Problem, *operands: Any) -> Array:
    raise Refusal("no")


def doubled(problem: Problem, *operands: Any) -> Array:
    return 2 * right(problem, *operands)


def negative(problem: Problem, *operands: Any) -> Array:
    return -right(problem, *operands)


def wider(problem: Problem, *operands: Any) -> Array:
    return right(problem, *operands).astype(np.float64)


def broken(problem: Problem, *operands: Any) -> Array:
    raise OSError("no such library")


def found(eager: Implementation, made: Modes) -> list[tuple[str, ...]]:
    adapter = Adapter(eager)
    adapter.REFUSALS = (Refusal,)
    return [one.does for one in shown_by(adapter, made, NAMED, "float32", ["it"])]


def by(answer: Implementation) -> Mode:
    """The mode that answers by another function."""

    def mode(call: Call) -> Call:
        problem: Problem = call.function.args[0]  # type: ignore[attr-defined]  # of translate
        return replace(call, function=lambda *operands, **_: answer(problem, *operands))

    return mode


@pytest.mark.parametrize(
    ("eager", "mode", "does"),
    [
        (right, right, ()), (doubled, doubled, ()), (refusing, refusing, ()),
        (right, doubled, ("wrong",)), (right, wider, ("wrong",)), (doubled, right, ("right",)),
        (doubled, negative, ("other",)), (right, refusing, ("refused",)), (refusing, right, ("answered",)),
        (refusing, doubled, ("accepted",)), (right, broken, ("failed",)), (refusing, broken, ("failed",)),
    ],
)  # fmt: skip
def test_what_a_mode_does_beside_eager_execution(
    eager: Implementation, mode: Implementation, does: tuple[str, ...]
) -> None:
    assert found(eager, Modes(MODES={"it": by(mode)})) == [does, does]


def inferring(change: int, dtype: str = "float32") -> Mode:
    """An inference of a shape whose last extent is so much more."""

    def mode(call: Call) -> Call:
        shape = call.function.args[0].output_shape  # type: ignore[attr-defined]  # of translate
        return replace(call, function=lambda *_, **__: Inferred((*shape[:-1], shape[-1] + change), dtype))

    return mode


@pytest.mark.parametrize("eager", [right, refusing])
@pytest.mark.parametrize(
    ("mode", "does"),
    [(inferring(0), ()), (inferring(1), ("shape",)), (inferring(0, "float64"), ("shape",))],
)  # fmt: skip
def test_what_is_inferred_is_the_form_of_the_answer(eager: Implementation, mode: Mode, does: tuple[str, ...]) -> None:
    assert found(eager, Modes(INFERENCES={"it": mode})) == [does, does]


def test_a_mode_says_what_it_infers_and_what_is_due() -> None:
    (one, _) = shown_by(Adapter(right), Modes(INFERENCES={"it": inferring(1)}), NAMED, "float32", ["it"])
    assert one.message == "float32(1, 1, 7), due float32(1, 1, 6)"


def test_a_mode_that_cannot_make_a_call_is_left_out() -> None:
    def mode(call: Call) -> Call:
        raise Unsupported("not in 1-D")

    assert found(right, Modes(MODES={"it": mode})) == []


def test_every_framework_that_has_operators_has_modes() -> None:
    every = [name for framework in modes.frameworks() for name in modes.names(framework)]
    assert {*filter(adapters.has_operators, adapters.frameworks())} < set(modes.frameworks())
    assert len(every) > 15


def test_what_is_stated_says_why_and_is_of_modes_that_the_lane_has() -> None:
    for each in STATED.read():
        assert each.reason.endswith(".")
        assert not each.partly or each.partly.endswith(".")
        for lane in each.lanes:
            assert set(each.subjects) <= set(modes.names(lane.partition("-")[0]))


def test_the_document_has_the_modes_what_they_may_do_and_what_is_stated() -> None:
    text = DOCS.read_text(encoding="utf-8")
    names = [f"| `{name}` |" for framework in modes.frameworks() for name in modes.names(framework)]
    assert [said for said in (*names, *DOES.values(), "\n".join(STATED.table())) if said not in text] == []


def test_a_file_that_states_nothing_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "modes.toml").write_text(
        '[[statement]]\nlanes = ["torch-eager"]\nmodes = ["lazy"]\ndoes = "wrong"\nreason = "x"'
    )
    monkeypatch.setattr(files, "cases_folder", lambda: tmp_path)
    with pytest.raises(StatementError, match=r"modes\.toml#1: modes has 'lazy': give of "):
        STATED.read()


def test_without_a_framework_the_table_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ended = Command(monkeypatch, capfd)("audit", "modes")
    assert ended.status == 0
    assert ended.out.splitlines() == list(STATED.table())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["torch", "--mode", "lazy"], "torch has no mode 'lazy': it has no-onednn, "),
        (["oracle_adapter"], "oracle_adapter has no modes: those that have are jax, mxnet, "),
    ],
)  # fmt: skip
def test_what_there_is_not_is_refused_by_name(
    words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(adapters, "require_installed", lambda framework: None)
    ended = Command(monkeypatch, capfd)("audit", "modes", *words)
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert message in ended.err


SCRIPT = """
import os, signal, sys
from dataclasses import replace
from conformance.adapters import modes
from conformance.adapters.base import Lane
from conformance.audit.modes import measuring
from conformance.problem import Problem
if __name__ == "__main__":
    problems = [("a", Problem.parse("i2 k2 s2")), ("b", Problem.parse("i1 k1"))]
    for one in measuring.measured(Lane("oracle_adapter", "single"), problems, "float32", ["die", "same"]):
        print(one.problem, one.mode, *one.does, sep=",")
"""
MODULE = """
import os, signal
from dataclasses import replace
def same(call): return call
def die(call):
    if "i2" in str(call.operands[0]):
        return replace(call, function=lambda *a, **b: os.kill(os.getpid(), signal.SIGSEGV))
    return call
MODES, SLOW, INFERENCES, NEEDS = {"die": die, "same": same}, {}, {}, {}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "said"),
    [("", ["i2 k2 s2,die,crashed", "i2 k2 s2,same"]), ("segfault@s2", ["i2 k2 s2,eager,crashed"] * 2)],
)  # fmt: skip
def test_what_ends_its_process_is_told_apart(fault: str, said: list[str], tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "modes_of_it").mkdir()
    (tmp_path / "modes_of_it" / "oracle_adapter.py").write_text(MODULE)
    (tmp_path / "sitecustomize.py").write_text(
        f"import conformance.adapters.modes as modes\nmodes.__path__.append({str(tmp_path / 'modes_of_it')!r})\n"
    )
    path = os.pathsep.join([str(tmp_path), str(DOCS.parents[1])])
    environment = os.environ | {"CONFORMANCE_ADAPTERS": str(ADAPTERS), "PYTHONPATH": path, "FAULT": fault}
    done = subprocess.run([sys.executable, tmp_path / "script.py"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["i1 k1,die", "i1 k1,same", *said]


def test_a_refusal_says_what_was_said() -> None:
    one = Measured("i2 k2", "float32", "it", ("refused",), "no")
    assert one.subject == "it"
    assert one.message == "no"
