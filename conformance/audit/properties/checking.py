"""Properties put to a lane: all of their questions at once, then what each of them finds in the answers."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from conformance import adapters
from conformance.adapters.base import CALLS, Call, Convolving, Lane, finish
from conformance.audit.properties.questions import Question
from conformance.audit.properties.stated import LARGEST_FACTOR, MAGNITUDE, PROPERTIES, Asking, Sides
from conformance.numerics.operands import SIGNIFICAND, Arrays, largest_sum, whole_numbers
from conformance.problem import Problem
from conformance.processes.attempt import Answered, Ended, begin, failed, make
from conformance.records.record import Verdict
from conformance.runner import outside
from conformance.runner.outside import LaneProcess, Reply

Array = NDArray[Any]

HOLDS, FAILS, CRASHED, REFUSED = "holds", "fails", "crashed", "refused"
_WORST = (CRASHED, FAILS, REFUSED)


class Finding(NamedTuple):
    """What became of one property on one problem; `problems` are those that the framework was asked."""

    property: str
    problem: str
    outcome: str
    message: str
    problems: tuple[str, ...]


class Check(NamedTuple):
    """A property to be checked on a problem, with data drawn from a key."""

    property: str
    key: str
    problem: Problem


def checks_of(key: str, problem: Problem) -> Iterator[Check]:
    """Every property, to be checked on a problem."""
    return (Check(name, key, problem) for name in PROPERTIES)


def check(lane: Lane, checks: Sequence[Check], dtype: str) -> list[Finding]:
    """What becomes of some checks on a lane, in this process; nothing of those that do not apply."""
    adapter = cast(Convolving, adapters.load(lane))
    return found(checks, dtype, lambda questions: answered(adapter, questions))


def check_outside(process: LaneProcess, block: int, checks: Sequence[Check], dtype: str) -> list[Finding]:
    """What becomes of some checks with the answers of a lane process, so many calls at once; they are judged here."""

    def answer(questions: Sequence[Question]) -> list[Array | Ended]:
        asked = [_asked_of_process(question) for question in questions if _is_said(question)]
        blocks = (asked[at : at + block] for at in range(0, len(asked), block))
        replies = iter([reply for block in blocks for reply in process.answers(block)])
        return [_answer_of(next(replies)) if _is_said(question) else _UNSAID for question in questions]

    return found(checks, dtype, answer)


_UNSAID = Ended(Verdict.UNSUPPORTED, "the protocol has no gradients, and no invalid calls")


def _is_said(question: Question) -> bool:
    """Whether an implementation from outside can be asked."""
    return question.translate.__name__ in CALLS


def _asked_of_process(question: Question) -> outside.Question:
    operands = (question.x, question.weight, question.bias)
    return outside.Question(
        question.problem, tuple(operand for operand in operands if operand is not None), question.translate.__name__
    )


def _answer_of(reply: Reply) -> Array | Ended:
    if isinstance(reply.answer, Ended):
        return reply.answer
    assert reply.call is not None, "a message that answers has its call"
    return finished(reply.call, reply.answer)


def found(
    checks: Sequence[Check], dtype: str, answer: Callable[[Sequence[Question]], Sequence[Array | Ended]]
) -> list[Finding]:
    """What becomes of checks with what answers their questions, which are put all at once."""
    drawn = ((check, _arrays(check.key, check.problem, dtype)) for check in checks)
    begun = [(check, PROPERTIES[check.property](check.problem, arrays)) for check, arrays in drawn if arrays]
    asked = [(check, asking, questions) for check, asking in begun if (questions := next(asking, None))]
    answers = iter(answer([question for _, _, questions in asked for question in questions]))
    return [
        _finding(check, asking, questions, [next(answers) for _ in questions]) for check, asking, questions in asked
    ]


def _finding(check: Check, asking: Asking, questions: Sequence[Question], answers: Sequence[Array | Ended]) -> Finding:
    problems = tuple(dict.fromkeys(str(question.problem) for question in questions))
    asked = [(question, answer) for question, answer in zip(questions, answers, strict=True)
             if not question.invalid or _unmade(answer)]  # fmt: skip
    questions, arrays = [], []
    ended = [(question, answer) for question, answer in asked if isinstance(answer, Ended)]
    for question, answer in asked:
        if not isinstance(answer, Ended):
            questions.append(question)
            arrays.append(answer)
    if ended:
        worst = min((answer for _, answer in ended), key=lambda answer: _WORST.index(_outcome(answer)))
        if all(question.due and answer.verdict is Verdict.REJECTS for question, answer in ended):
            return Finding(check.property, str(check.problem), FAILS, f"refused: {worst.message}", problems)
        return Finding(check.property, str(check.problem), _outcome(worst), worst.message, problems)
    if odd := next(filter(None, map(_odd, questions, arrays)), ""):
        return Finding(check.property, str(check.problem), FAILS, odd, problems)
    return Finding(check.property, str(check.problem), *_compared(*_sides(asking, arrays)), problems)


def _unmade(answer: Array | Ended) -> bool:
    """Whether a call was never made, so that it disturbed nothing, or took the process with it."""
    unmade = (Verdict.UNSUPPORTED, Verdict.CRASHED, Verdict.TIMED_OUT)
    return isinstance(answer, Ended) and (answer.verdict in unmade or answer.step == "translating")


def _outcome(ended: Ended) -> str:
    if ended.verdict in (Verdict.CRASHED, Verdict.TIMED_OUT):
        return CRASHED
    return FAILS if ended.step else REFUSED


def _odd(question: Question, answer: Array) -> str:
    """What is wrong with an answer whatever its values are, if anything."""
    expected = question.shape, question.x.dtype
    actual = answer.shape, answer.dtype
    return "" if actual == expected else "an answer is {}, {}, not {}, {}".format(*actual, *expected)


def _sides(asking: Asking, answers: Sequence[Array]) -> Sides:
    try:
        with np.errstate(invalid="ignore"):  # infinity minus infinity is no side's fault
            asking.send(answers)
    except StopIteration as done:
        sides: Sides = done.value
        return sides
    raise AssertionError("a property asks once")


def _compared(left: Array, right: Array) -> tuple[str, str]:
    if left.shape != right.shape:
        return FAILS, f"one side is {left.shape}, the other {right.shape}"
    differ = int(np.count_nonzero(left != right))
    return (FAILS, f"{differ} of {left.size} values differ") if differ else (HOLDS, "")


def answered(adapter: Convolving, questions: Sequence[Question]) -> list[Array | Ended]:
    """The framework's answers in NC* order, so many calls at once as its adapter takes."""
    calls = [(question.alone, _call(adapter, question)) for question in questions]
    parts = groupby(((alone, call) for alone, call in calls if isinstance(call, Call)), key=itemgetter(0))
    made = iter([answer for alone, part in parts
                 for block in _blocks([call for _, call in part], 1 if alone else adapter.BLOCK)
                 for answer in make(adapter, block)])  # fmt: skip
    return [call if isinstance(call, Ended) else finished(call, next(made)) for _, call in calls]


def _blocks(calls: Sequence[Call], size: int) -> Iterator[Sequence[Call]]:
    return (calls[at : at + size] for at in range(0, len(calls), size))


def _call(adapter: Convolving, question: Question) -> Call | Ended:
    """The call of a question, on operands that no other call shares."""
    problem, x, weight, bias, translate, *_ = question
    return begin(lambda: translate(adapter, problem, _own(x), _own(weight), None if bias is None else _own(bias)))


def _own(array: Array) -> Array:
    return np.array(array, order="C")


def finished(call: Call, answer: Answered | Ended) -> Array | Ended:
    """The answer to a problem in NC* order, or how its call ended."""
    if isinstance(answer, Ended):
        return answer
    try:
        return finish(call, answer.array)
    except Exception as error:
        return failed("finishing", error)


@lru_cache(maxsize=64)  # the properties of a problem follow each other, and ask with the same
def _arrays(key: str, problem: Problem, dtype: str) -> Arrays | None:
    """The data of a check, which nobody may write to; None where a side would not be exact."""
    shapes = {"x": problem.input_shape, "weight": problem.weight_shape, "bias": problem.bias_shape}
    x, weight, bias = (whole_numbers(f"{key} {name}", shape, MAGNITUDE[name])
                       for name, shape in shapes.items())  # fmt: skip
    arrays = Arrays(x, weight, bias if problem.bias else None)
    exact = LARGEST_FACTOR * largest_sum(problem, arrays) <= 1 << SIGNIFICAND[dtype]
    return arrays.astype(dtype) if exact else None
