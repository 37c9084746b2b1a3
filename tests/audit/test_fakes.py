"""Implementations that only seem to be some are red on every route: in exit status, report and badge."""

import pytest

from conformance.audit.fakes import ADAPTER, FAKES, PROGRAM, ROUTES, TESTS, Faked, fakes
from conformance.audit.fakes.adapters.fake import VARIANTS
from conformance.audit.fakes.answers import ANSWERS
from conformance.cli.audit import audit, fake_lines, is_enough

SAID = {
    "nothing": "it answers nothing: 0 of 6 records, all of them are unsupported",
    "fewer": "it conforms nowhere: 0 of 6 records: 6 errored",
    "silence": "it conforms nowhere: 0 of 6 records: 6 timed-out",
    "cases": "it conforms nowhere: 0 of 6 records: 6 errored",
}
"""What the report says of some fakes as an adapter and as a program; `conformance audit` tries them all."""


@pytest.fixture(scope="module")
def made() -> dict[tuple[str, str], Faked]:
    return {(faked.fake, faked.route): faked for faked in fakes(tuple(SAID))}


@pytest.mark.slow
@pytest.mark.timeout(900)
class TestFakes:
    @pytest.mark.slow
    @pytest.mark.parametrize("route", ROUTES)
    @pytest.mark.parametrize("name", SAID)
    def test_it_is_red_everywhere(self, made: dict[tuple[str, str], Faked], name: str, route: str) -> None:
        assert made[name, route].wrong == "", made[name, route]
        if route in (ADAPTER, PROGRAM):
            assert SAID[name] in made[name, route].reasons


def test_every_fake_is_there_as_every_kind_of_implementation() -> None:
    assert list(FAKES) == list(VARIANTS) == ["nothing", *ANSWERS]


def faked(route: str = ADAPTER, status: int = 1, reasons: tuple[str, ...] = ("no",), badge: str = "1 new") -> Faked:
    return Faked("zeros", route, status, {"diverges": 6}, reasons, badge)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "where"),
    [
        (faked(status=0), "green in exit status"),
        (faked(reasons=()), "green in report"),
        (faked(badge="all as expected"), "green in badge"),
        (faked(badge=""), "green in badge"),
        (faked(status=0, reasons=(), badge=""), "green in exit status, report, badge"),
        (faked(), ""),
        (faked(TESTS, reasons=(), badge=""), ""),
        (faked(TESTS, status=0), "green in exit status"),
    ],
)
def test_green_anywhere_is_named_and_fails_the_audit(one: Faked, where: str) -> None:
    assert one.wrong == where
    audited = audit([], {}, None, [], [one])
    assert is_enough(audited) is not bool(where)
    (line,) = fake_lines(audited)
    assert line.startswith(f"fake that answers zeros: {one.route}: exit status {one.status}, 6 diverge")
    assert line.endswith(f"{one.route}: {where}" if where else "6 diverge")
