"""Every odd behaviour ends in its one record, and the cases before and after it are judged as always."""

import faulthandler
import gc
import locale
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from conformance.adapters.base import Call
from conformance.problem import Problem
from conformance.records.record import Record, Verdict
from conformance.records.record_file import parse
from conformance.run import evaluate
from tests import odd_behaviours
from tests.odd_behaviours import GROUPS
from tests.oddity import Odd, RefusalError
from tests.test_run import LANE, Fake, job

ODD = [odd for group in GROUPS.values() for odd in group]


@pytest.fixture(autouse=True)
def warnings_as_usual() -> Iterator[None]:
    """NumPy warns of some of the answers before they are given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def state() -> tuple[Any, ...]:
    """What the rest of a run stands on."""
    return (
        sys.getrecursionlimit(), os.getcwd(), dict(os.environ), locale.setlocale(locale.LC_ALL), np.geterr(),  # noqa: PTH109  # as text
        warnings.filters[:], sys.stdin, sys.stdout, sys.stderr, signal.getsignal(signal.SIGINT),
        signal.getsignal(signal.SIGTERM), gc.isenabled(), faulthandler.is_enabled(), len, isinstance, zip, np.add,
        np.not_equal, sys.gettrace(), sys.getprofile(),
    )  # fmt: skip


class Behaving(Fake):
    """Answers rightly through its own NumPy, but for one odd behaviour."""

    def __init__(self, odd: Odd | None = None) -> None:
        super().__init__(REFUSALS=(RefusalError,))
        self._odd = odd
        for name, function in (odd.replaces if odd else {}).items():
            setattr(self, name, function)

    def translate(self, problem: Problem, x: Any, weight: Any, bias: Any) -> Call:
        call = super().translate(problem, x, weight, bias)

        def function(*operands: Any, **options: Any) -> Any:
            y = call.function(*operands, **options)
            return self._odd.call(y) if self._odd else y

        return Call(function, call.operands, call.options)


def record_of(odd: Odd | None) -> Record:
    (result,) = evaluate(LANE, Behaving(odd), [job()])
    return result.record


def test_there_are_at_least_140() -> None:
    assert len({odd.what for odd in ODD}) == len(ODD) >= 140


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.what)
def test_it_ends_in_its_one_record_and_harms_no_other_case(odd: Odd) -> None:
    assert record_of(None).verdict is Verdict.CONFORMS
    before = state()
    record = record_of(odd)
    assert state() == before
    assert (record.verdict, odd.says in record.message) == (odd.verdict, True), record.message
    assert len(record.message) < 1000
    assert record.message.isprintable()
    assert record.call.isprintable()
    assert parse(record.to_json()).verdict is odd.verdict
    record.to_json().encode()
    assert record_of(None).verdict is Verdict.CONFORMS


def test_the_page_is_printed_by_the_table() -> None:
    assert odd_behaviours.PAGE.read_text(encoding="utf-8") == odd_behaviours.document()


def interrupted(then: Callable[[Any], Any]) -> Odd:
    def call(y: Any) -> Any:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            return then(y)
        raise AssertionError("no interruption")

    return Odd("is interrupted", Verdict.CONFORMS, "", call)


def refuse(y: Any) -> Any:
    raise RefusalError("interrupted")


@pytest.mark.parametrize("then", [lambda y: y, refuse], ids=["answers", "refuses"])
def test_the_users_interruption_ends_a_run_whatever_the_call_makes_of_it(then: Callable[[Any], Any]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts its background jobs with it ignored
    with pytest.raises(KeyboardInterrupt):
        record_of(interrupted(then))
    assert record_of(None).verdict is Verdict.CONFORMS


class InBlocks(Fake):
    """Fails a block of calls, and calls made alone where they are among `alone`."""

    def __init__(self, *alone: str, error: type[BaseException] = RefusalError) -> None:
        super().__init__(BLOCK=3, REFUSALS=(RefusalError,))
        self._alone, self._error = alone, error

    def translate(self, problem: Problem, x: Any, weight: Any, bias: Any) -> Call:
        call = super().translate(problem, x, weight, bias)
        return Call(call.function, call.operands, {**call.options}, prepared=(str(problem),))

    def run(self, calls: Any) -> Any:
        if len(calls) > 1 or calls[0].prepared[0] in self._alone:
            raise self._error("no")
        return super().run(calls)


PROBLEMS = ("i2 k3", "i3 k3", "i4 k3")


def verdicts(adapter: Fake) -> list[tuple[Verdict, bool]]:
    results = evaluate(LANE, adapter, [job(text, case_id=text) for text in PROBLEMS])
    return [(each.record.verdict, "retry" in each.record.composed) for each in results]


def test_failure_of_a_block_is_that_of_the_calls_that_fail_alone_too_and_the_others_say_that_they_were_retried() -> (
    None
):
    good = Verdict.CONFORMS, True
    assert verdicts(InBlocks("i3 k3")) == [good, (Verdict.REJECTS, False), good]


@pytest.mark.parametrize("error", [RefusalError, KeyError, SystemExit])
def test_a_block_that_fails_while_each_of_its_calls_answers_conforms_nowhere(error: type[BaseException]) -> None:
    assert verdicts(InBlocks(error=error)) == [(Verdict.ERRORED, False)] * 3


def test_a_block_that_is_too_large_for_memory_is_no_call_s_fault() -> None:
    assert verdicts(InBlocks(error=MemoryError)) == [(Verdict.CONFORMS, True)] * 3


def test_result_in_another_dtype_is_not_hidden_by_a_bias_that_is_added_after_it() -> None:
    class Narrow(Fake):
        def translate(self, problem: Problem, x: Any, weight: Any, bias: Any) -> Call:
            call = super().translate(problem, x, weight, None)
            return Call(lambda *given, **options: call.function(*given, **options).astype("float16"), call.operands,
                        call.options, bias=bias)  # fmt: skip

    (result,) = evaluate(LANE, Narrow(), [job("i1 k1 bias")])
    assert (result.record.verdict, result.record.kind) == (Verdict.DIVERGES, "dtype")
