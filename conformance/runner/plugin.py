"""Cases as pytest items: `pytest --framework torch --suite core --suite half -n 2`.

With --framework, pytest collects the suites' case files, one item a case and dtype (`items`): instead of test modules,
or beside those that are named, as in `pytest --framework mylib --suite smoke tests/`.
Workers evaluate and attach each record to its report; the controller alone writes (`controller`). Without it, inert.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # it imports much, which a session without a lane does not need
    from conformance.runner.selection import Selection

TIMEOUT = 120.0
"""Seconds of CPU time, or asleep, that an item may take without --timeout; a block counts as its first item."""

RESTARTS, OFTEN = 20, 1000
"""Workers that may die before a run gives up, unless --max-worker-restart says otherwise: so many in each suite, and
one for so many cases."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "conformance of transposed convolution")
    group.addoption("--framework", help="run cases on this framework instead of collecting tests")
    group.addoption("--variant", help="how the framework executes (default: its first variant)")
    group.addoption("--suite", action="append", default=[], help="which cases; repeatable (default: core)")
    group.addoption("--case", action="append", default=[], metavar="ID", help="only this case; repeatable")
    group.addoption(
        "--dtype",
        action="append",
        default=[],
        help="only this dtype, or all that the framework computes in; repeatable",
    )
    group.addoption("--pass", action="append", dest="passes", default=[], help="only this pass; repeatable")
    group.addoption("--shard", default="1/1", metavar="I/N", help="only every N-th case, from the I-th on")
    group.addoption("--records", default="reports/records", metavar="DIR", help="where to write (default: %(default)s)")
    group.addoption(
        "--expectations", action="append", default=[], metavar="[NAME=]FILE", help="what is expected, in your own file"
    )
    group.addoption("--resume", action="store_true", help="go on with the same run that was interrupted or killed")
    group.addoption("--isolated", action="store_true", help="run each case in a process of its own, bounded in memory")
    group.addoption("--progress", action="store_true", help="show a progress bar")


@pytest.hookimpl(tryfirst=True)  # before pytest-timeout and pytest-xdist read their options
def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("framework"):
        _configure_lane(config)


def _configure_lane(config: pytest.Config) -> None:
    """Make this session one of a lane; a user's mistake ends it in one line."""
    from conformance.io.exit_status import USAGE
    from conformance.records.record import RecordError
    from conformance.runner.selection import USER_ERRORS

    option = config.option
    try:
        plugins = _plugins(config)
    except (*USER_ERRORS, RecordError) as error:
        pytest.exit(str(error), returncode=USAGE)
    except OSError as error:
        pytest.exit(f"{error.filename}: {error.strerror}: give another --records folder", returncode=USAGE)
    config.addinivalue_line("filterwarnings", "ignore")  # a framework's warnings are its own affair
    _add_place_of_cases(config)
    if getattr(option, "timeout", 0) is None:
        option.timeout = TIMEOUT
    for name, plugin in plugins.items():
        config.pluginmanager.register(plugin, name)


def _plugins(config: pytest.Config) -> dict[str, object]:
    """The plugins of a session by name: the items of the lane, and the controller where this is no worker."""
    from conformance import adapters
    from conformance.processes.tree import adopt_orphans, die_with
    from conformance.runner.controller import Controller
    from conformance.runner.items import LaneItems
    from conformance.runner.selection import beside_each_other, require_seconds, require_workers, select
    from conformance.suites.expectation_files import give, require_asked

    option = config.option
    if (seconds := getattr(option, "timeout", None)) is not None:
        require_seconds(seconds)
    if (workers := getattr(option, "numprocesses", None)) is not None:
        require_workers(str(workers))
    require_asked(give(option.expectations), [option.framework])
    selections = beside_each_other([
        select(
            option.framework, option.variant, suite, dtypes=option.dtype, shard=option.shard, ids=option.case,
            passes=option.passes, isolated=option.isolated,
        )
        for suite in _suites(config)
    ])  # fmt: skip
    adapters.set_environment(selections[0].lane)  # workers inherit it
    plugins: dict[str, object] = {}
    if hasattr(config, "workerinput"):
        die_with(config.workerinput["conformance_parent"])
        adopt_orphans()
        done = [frozenset(map(tuple, keys)) for keys in config.workerinput["conformance_done"]]
    else:
        plugins["conformance-controller"] = controller = Controller(config, selections)
        if getattr(config.option, "maxworkerrestart", "") is None:
            config.option.maxworkerrestart = str(_restarts(selections))
        done = [part.done for part in controller.parts]
    plugins["conformance-items"] = LaneItems(
        config, [replace(selection, done=keys) for selection, keys in zip(selections, done, strict=True)]
    )
    return plugins


def _restarts(selections: Sequence["Selection"]) -> int:
    return sum(RESTARTS + sum(1 for _ in selection.asked) // OFTEN for selection in selections)


def _suites(config: pytest.Config) -> list[str]:
    return list(dict.fromkeys(config.option.suite)) or ["core"]


def _add_place_of_cases(config: pytest.Config) -> None:
    """Let pytest collect the case files, beside the user's own tests where those are given."""
    places = list(dict.fromkeys(_place_of_cases(config.option.framework, suite) for suite in _suites(config)))
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = list(map(str, places))
        return
    for place in places:
        if not any(_holds(arg, place) for arg in config.args):
            config.args = [*config.args, str(place)]  # the user's own tests run in the same session


def _place_of_cases(framework: str, suite: str) -> Path:
    """Where the cases of a suite are: in the folder of cases, or in a file of their own."""
    from conformance.calls import suites
    from conformance.io.folders import cases_folder
    from conformance.suites.scans.cases import is_scan, path_of

    if suite in suites.SUITES:
        return suites.source(framework)
    return path_of(suite) if is_scan(suite) else cases_folder()


def _holds(arg: str, place: Path) -> bool:
    """Whether an argument of pytest names the place of the case files, or a part of it, or what it is in."""
    given, case_files = Path(arg.partition("::")[0]).resolve(), place.resolve()
    return given.is_relative_to(case_files) or case_files.is_relative_to(given)
