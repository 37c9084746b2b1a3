"""Replays of published faults: what their files may say, and that both versions have to do what is on file."""

import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from conformance.regression import replay
from conformance.regression.environments import PROGRAMS, Build, parse
from conformance.regression.replay import Replay, ReplayError, Seen
from tests.runner.test_lane_run import ADAPTERS

LANE = "oracle_adapter-single"


@dataclass
class Environments:
    """An environment for each version: this one, in which the adapter is right, or wrong where the version says so."""

    monkeypatch: pytest.MonkeyPatch

    def make(self, build: Build, say: object) -> Path:
        self.monkeypatch.setenv("FAULT", "wrong@i3 k2" if str(build) == "lib==1" else "")
        return Path(sys.prefix)


@pytest.fixture(autouse=True)
def environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFORMANCE_ADAPTERS", str(ADAPTERS))
    monkeypatch.setattr(replay, "environment", Environments(monkeypatch).make)
    monkeypatch.setattr(replay, "parse", lambda text, framework, without: Build(framework, {"X": text}))


def one(**changed: object) -> Replay:
    known = {"id": "a", "fault": "f", "link": "l", "lane": LANE, "bad": "lib==1", "red": Seen("diverges", "4 values"),
             "fixed": "lib==2", "problem": "i3 k2", "beside": ("i2 k1",)}  # fmt: skip
    return Replay(**{**known, **changed})  # type: ignore[arg-type]  # of each field its own type


def wrongs(asked: Replay) -> list[str]:
    return [outcome.wrong for outcome in replay.replay(asked, print)]


@pytest.mark.slow
def test_a_replay_is_proved_where_both_versions_do_what_is_on_file() -> None:
    assert wrongs(one(red=Seen("diverges", "of 4 values differ"))) == ["", ""]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "first", "last"),
    [
        ({"red": Seen("rejects")}, "it diverges, expected rejects", ""),
        ({"red": Seen("diverges", "taps reversed")}, "'taps reversed' is not in what it says", ""),
        ({"red": Seen("diverges"), "green": Seen("rejects")}, "", "it conforms, expected rejects"),
        ({"red": Seen("diverges"), "beside": ("i3 k2",)}, "'i3 k2' beside it diverges, expected conforms", ""),
        ({"red": Seen("diverges"), "problem": "i3 q2"}, "it said nothing, expected diverges",
         "it said nothing, expected conforms"),
    ],
)  # fmt: skip
def test_what_is_not_proved_says_how(changed: dict[str, object], first: str, last: str) -> None:
    assert wrongs(one(**changed)) == [first, last]


@pytest.mark.slow
def test_what_is_unfixed_is_asked_of_one_version() -> None:
    assert wrongs(one(red=Seen("diverges"), fixed="", unfixed=date(2026, 11, 29))) == [""]


GOOD = """[[replay]]
id = "a"
fault = "f"
link = "l"
lane = "torch-eager"
bad = "torch==1"
red = {verdict = "diverges"}
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + 'fixed = "torch==2"\n', "a problem and a call, or neither"),
        (GOOD + 'problem = "i3 k2"\n', "the version that it is fixed in"),
        (GOOD + 'problem = "i3 k2"\nfixed = "torch==2"\nmore = 1\n', "unknown field `more`"),
        (2 * (GOOD + 'problem = "i3 k2"\nfixed = "torch==2"\n'), "a stands twice"),
        ("[[replay", "a.toml: "),
    ],
)
def test_a_file_that_says_nothing_is_refused_with_what_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    (tmp_path / "replay").mkdir()
    (tmp_path / "replay" / "a.toml").write_text(text)
    monkeypatch.setenv("CONFORMANCE_CASES", str(tmp_path))
    with pytest.raises(ReplayError, match=message):
        replay.read()


def test_an_unknown_replay_is_refused_by_name() -> None:
    with pytest.raises(ReplayError, match="there is no replay 'b'"):
        replay.chosen([one()], ["b"])


def test_every_replay_names_pins_of_its_lane() -> None:
    replays = replay.read()
    assert len(replays) > 10
    for each in replays:
        framework = each.lane.partition("-")[0]
        for requirements in filter(None, (each.bad, each.fixed)):
            expected = PROGRAMS if each.lane.startswith(("tfjs", "onnxruntime_js")) else framework
            assert parse(requirements, framework, each.without).framework == expected
