"""What tox.ini cannot say: the suites of the labels other than `nightly`, and last words that say why a run is red.

Under `smoke` and `test` the same lane environments run the smoke suite, check the properties and special values on
every sixth problem of it, and draw two problems for each known region, the same ones every time. Under `test` the suite
runs once more with the lowest instruction sets. Under `test` and `weekly` the lane's own tests run: its scripts, sizes,
signatures, explanations, models and documents are as said. Under `weekly` lanes of which a night has a small suite run
all of theirs, special values are put into every problem of smoke, and every divergence is confirmed. Under `machines`
lanes run what depends most on the machine, under every cap. How the commands of each environment ended is left in
`reports/status/` for `conformance report`, which is the last environment of a night. When tox has ended, and after its
own summary, the reasons are printed again, and written into the summary of a GitHub job.
"""

import atexit
import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tox.config.sets import ConfigSet
from tox.execute import Outcome
from tox.plugin import impl
from tox.session.state import State
from tox.tox_env.api import ToxEnv
from tox.tox_env.runner import RunToxEnv

_SMOKE = {
    "CONFORMANCE_SUITES": "--suite smoke",
    "CONFORMANCE_PROPERTIES": "--suite smoke --shard 1/6",
    "CONFORMANCE_SPECIALS": "--suite smoke --shard 1/6 --dtype float32",
    "CONFORMANCE_BORDERS": "--seed 1 --draws 2 --seconds 5",
}
_TESTS = (
    "snippets",
    "sizes",
    "signatures",
    "redrawn",
    "models",
    "weights",
    "functions",
    "lite",
    "documents",
    "integers",
)
"""The lane's own tests. The first ones load adapters, which set a framework up before anything of it runs."""
_LANE_TESTS = " ".join(f"tests/lane_{name}.py" for name in _TESTS)
CHOSEN = {
    "smoke": _SMOKE,
    "test": _SMOKE | {"CONFORMANCE_CAPS": "--caps lowest", "CONFORMANCE_LANE_TESTS": _LANE_TESTS},
    "weekly": {
        "CONFORMANCE_LANE_TESTS": _LANE_TESTS,
        "CONFORMANCE_OFTEN": "weekly",
        "CONFORMANCE_SPECIALS": "--suite smoke",
        "CONFORMANCE_CONFIRM": "--each 1",
    },
    "machines": _SMOKE
    | {
        "CONFORMANCE_SUITES": "--suite covering --suite extreme --suite rounding --suite claims --suite negative",
        "CONFORMANCE_CAPS": "--caps all",
    },
}
"""Environment variables by label."""

REPORT = "report"
RUNS = ("run", "r", "run-parallel", "p", "legacy", "le")
"""Commands of tox that run the commands of environments."""
LONGEST = 24
"""Lines of a command's output that are told again."""
SAID = 200
"""Characters of a command's last line that are told."""

_ENDED: dict[str, Sequence[Outcome]] = {}
"""How each command of each environment of this session ended; none where the environment was not installed."""


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    """Choose the suites and caps by label, unless the environment chose them."""
    for label in set(getattr(state.conf.options, "labels", None) or ()) & set(CHOSEN):
        for name, value in CHOSEN[label].items():
            os.environ.setdefault(name, value)


@impl
def tox_after_run_commands(tox_env: ToxEnv, exit_code: int, outcomes: list[Outcome]) -> None:
    """Keep how an environment's commands ended; others than tox.ini has are none of a night."""
    if not tox_env.options.override:
        _end(tox_env, outcomes)


@impl
def tox_env_teardown(tox_env: ToxEnv) -> None:
    """Keep that an environment ended whose commands were to run and did not."""
    options = tox_env.options
    to_run = getattr(options, "command", "") in RUNS and not (
        options.no_test or options.package_only or options.override
    )
    if isinstance(tox_env, RunToxEnv) and to_run and tox_env.conf.name not in _ENDED:
        _end(tox_env, ())


def _end(tox_env: ToxEnv, outcomes: Sequence[Outcome]) -> None:
    if not _ENDED:
        atexit.register(_tell)
    name = tox_env.conf.name
    _ENDED[name] = tuple(outcomes)
    status = {
        "environment": name,
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "commands": [{"command": _command(each), "status": each.exit_code, "said": _said(each)} for each in outcomes],
    }
    path = Path(tox_env.core["tox_root"], "reports", "status", f"{name}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(status, indent=1) + "\n", encoding="utf-8")


def _command(outcome: Outcome) -> str:
    """A command as tox.ini has it, whose program is in the environment."""
    program, *arguments = outcome.request.cmd
    return " ".join([Path(program).name, *arguments])


def _said(outcome: Outcome) -> str:
    """The last line that a command wrote to standard error, but what libraries log; nothing where it succeeded."""
    lines = outcome.err.replace("\r", "\n").split("\n") if outcome.exit_code else []
    told = (line.strip() for line in reversed(lines) if line.strip() and not line.startswith("INFO:"))
    return next((line[:SAID] for line in told), "")


def _tell() -> None:
    """Say at the very end whether this was red and why."""
    text = "\n".join(_last_words())
    print(text, flush=True)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(f"```\n{text}\n```\n")


def _last_words() -> Iterator[str]:
    """What the report said, where there is one; else each command that failed, with its own reasons."""
    reported = _ENDED.get(REPORT)
    if reported and reported[-1].exit_code in (0, 1, 3):  # else it did not come to say anything
        yield reported[-1].out.strip()
        return
    failed = [(name, each) for name, outcomes in _ENDED.items() for each in outcomes if each.exit_code]
    absent = [name for name, outcomes in _ENDED.items() if not outcomes]
    if not failed and not absent:
        yield f"Green: {', '.join(_ENDED)}"
    for name in absent:
        yield f"Red: {name}: its environment could not be installed, so nothing was run: tox run -e {name}"
    for name, each in failed:
        yield f"Red: {name}: `{_command(each)}` ended with exit status {each.exit_code}"
        yield from (f"  {line}" for line in _reasons(each))


def _reasons(outcome: Outcome) -> list[str]:
    """What a command printed from where it began to say why it is red, or else its last words."""
    lines = outcome.out.splitlines()
    starts = [at for at, line in enumerate(lines) if line.startswith("Red, ")]
    return lines[starts[-1] :][:LONGEST] if starts else [said] if (said := _said(outcome)) else []
