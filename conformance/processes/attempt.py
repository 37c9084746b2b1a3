"""Native calls made, each with its answer or how it ended: here a framework's refusal is told from any other failure.

    translate -> call -> convert -> own

Only an exception that is raised while calls are made, and is one of the adapter's REFUSALS, is a refusal. What fails
before or after is `errored` and says in which step. Whatever a call raises or changes ends with it.
"""

import re
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from numpy import ndarray
from numpy.typing import NDArray

from conformance.adapters.base import Adapter, Call, Unsupported, Widened
from conformance.processes.memory import MEMORY, exhausted
from conformance.processes.state import ProcessState, require_uninterrupted
from conformance.records.record import Verdict

Array = NDArray[Any]

LONGEST_MESSAGE = 300
LONGEST_TEXT = 2**16
"""Characters of an exception's text that are looked at, half of them from its end."""
RETRY = "retry"
"""What `composed` says of an answer that came only when its block had failed and the call was made again, alone."""

_NODE = re.compile(r"^\{\{.*?\}\} ")  # TensorFlow's internal name of the operation
_name_of = type.__dict__["__name__"].__get__  # of a class itself, whatever its metaclass says
_NUMBERS = "iufc"  # kinds of dtype: a boolean is no number, and what no number is cannot be compared as one


class ContractError(Exception):
    """An adapter that does not keep to its protocol; never a framework's refusal."""


class Ended(NamedTuple):
    """A job that got no array: the verdict that ends it, and why.

    `step` is where the harness or the adapter failed; empty where it is the framework that gave no answer.
    """

    verdict: Verdict
    message: str
    seconds: float = 0.0
    step: str = ""


class Answered(NamedTuple):
    """The array that a native call gave, in the call's layout, and how long the call took.

    `widened` is the dtype of the result where NumPy has none, so that the array is of float32; `retried` tells that a
    block of calls failed first.
    """

    array: Array
    seconds: float
    widened: str = ""
    retried: bool = False

    def assisted(self, dtype: str) -> tuple[str, ...]:
        """What stood between a call that was made in a dtype and the array, beside what the call itself says."""
        other = self.widened not in ("", dtype)
        return (f"{self.widened} as float32",) * other + (RETRY,) * self.retried


def begin(translate: Callable[[], Any]) -> Call | Ended:
    """The call that a translation gives, or why there is none."""
    try:
        call = translate()
        _require_call(call)
    except Unsupported as reason:
        return Ended(Verdict.UNSUPPORTED, plain(_text(reason)))
    except BaseException as error:
        return failed("translating", error)
    made: Call = call
    return made


def make(adapter: Adapter, calls: Sequence[Call]) -> list[Answered | Ended]:
    """Make the calls together; where that fails, one by one, so that a failure ends only its own job.

    The failure is that of the calls which fail alone, too. Where none does, no answer came at the first try.
    """
    if not calls:
        return []
    together = _made(adapter, calls)
    if not isinstance(together, Ended):
        return together
    if len(calls) == 1:
        return [together]
    alone = [_made(adapter, [call]) for call in calls]
    if together.verdict is Verdict.INCONCLUSIVE or any(isinstance(answer, Ended) for answer in alone):
        return [ended if isinstance(ended, Ended) else _retried(*ended) for ended in alone]
    message = f"answered only at the second try, alone: a block of {len(calls)} calls failed: {together.message}"
    return [Ended(Verdict.ERRORED, message, together.seconds) for _ in calls]


def _retried(answer: Answered | Ended) -> Answered | Ended:
    return answer if isinstance(answer, Ended) else answer._replace(retried=True)


def _made(adapter: Adapter, calls: Sequence[Call]) -> list[Answered | Ended] | Ended:
    """The answers of calls that are made together, or how all of them ended."""
    state = ProcessState()
    started = time.perf_counter()
    try:
        results = adapter.run(calls)
    except BaseException as error:
        state.restore()
        return _ended(adapter, error, time.perf_counter() - started)
    state.restore()
    require_uninterrupted()
    seconds = (time.perf_counter() - started) / len(calls)
    try:
        _require_results(results, len(calls))
    except ContractError as error:
        return failed("calling", error, seconds)
    return [_converted(adapter, result, seconds) for result in results]


def _ended(adapter: Adapter, error: BaseException, seconds: float) -> Ended:
    """How calls ended that raised an exception: by a refusal, for lack of memory, or in another way."""
    require_uninterrupted()
    message = first_line(error)
    if exhausted(message) or exhausted(_text(error)):
        return Ended(Verdict.INCONCLUSIVE, f"{_bound()}: {message}", seconds)
    verdict = Verdict.REJECTS if issubclass(type(error), adapter.REFUSALS) else Verdict.ERRORED
    return Ended(verdict, message, seconds)


def _bound() -> str:
    """What memory ran out of: the limit of an isolated call, or this machine's own."""
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        return "memory ran out on this machine"
    return f"memory ran out, of which a call may take {MEMORY >> 30} GiB here"


def _converted(adapter: Adapter, result: Any, seconds: float) -> Answered | Ended:
    try:
        array = adapter.array(result)
        dtype = ""
        if type(array) is Widened:
            array, dtype = array
        return Answered(_owned(array), seconds, dtype)
    except BaseException as error:
        return failed("converting", error, seconds)


def _owned(array: Any) -> Array:
    """A copy that nobody else can reach. Raises ContractError for what is no plain array of numbers."""
    if type(array) is not ndarray:
        raise ContractError(f"the adapter gave a {_name_of(type(array))} as an answer: give a plain NumPy array")
    dtype = array.dtype
    if dtype.kind not in _NUMBERS:
        raise ContractError(f"the adapter gave an array of dtype {dtype}: give one of numbers")
    if not dtype.isnative:
        raise ContractError(f"the adapter gave an array of dtype {dtype.str}: give it in this machine's byte order")
    if not array.flags.c_contiguous and _overlaps(array):
        raise ContractError(f"elements of the answer {array.shape} share memory, strides {array.strides}: give a copy")
    return array.copy()


def _overlaps(array: Array) -> bool:
    """Whether an array claims more bytes than it spans, as one with a stride of zero does."""
    spanned = array.itemsize + sum((n - 1) * abs(step) for n, step in zip(array.shape, array.strides, strict=True))
    return array.size > 0 and array.nbytes > spanned


def failed(step: str, error: BaseException, seconds: float = 0.0) -> Ended:
    """How a job ended in a step of the harness or the adapter, which no framework refuses."""
    require_uninterrupted()
    return Ended(Verdict.ERRORED, f"{step}: {first_line(error)}", seconds, step)


def _require_call(call: Any) -> None:
    """Raises ContractError unless a translation is a call that can be made."""
    if not isinstance(call, Call):
        raise ContractError(f"the adapter gave a {_name_of(type(call))} for a problem: give a Call")
    parts: Sequence[Any] = (call.function, call.operands, call.options)
    if not (callable(parts[0]) and isinstance(parts[1], tuple) and isinstance(parts[2], Mapping)):
        kinds = ", ".join(_name_of(type(part)) for part in parts)
        raise ContractError(f"the adapter gave a Call of {kinds}: give a function, a tuple and a mapping")


def _require_results(results: Any, count: int) -> None:
    """Raises ContractError unless an adapter gave one result for each call."""
    if type(results) not in (list, tuple):
        raise ContractError(
            f"the adapter gave a {_name_of(type(results))} for {count} calls: give a list of as many results"
        )
    if len(results) != count:
        raise ContractError(f"the adapter gave {len(results)} results for {count} calls: give as many")


def first_line(error: BaseException) -> str:
    """The exception's class and its message's first line; the last one of a framework's own traceback."""
    lines = [line.strip() for line in _text(error).splitlines() if line.strip()] or [""]
    line = lines[-1] if lines[0].startswith("Traceback") else lines[0]
    name = f"{_name_of(type(error))}: "
    return (
        plain(name[:LONGEST_MESSAGE])
        + plain(_NODE.sub("", line).removeprefix(name).removesuffix(" name:"))[:LONGEST_MESSAGE]
    )


def _text(error: BaseException) -> str:
    """The exception's text, whatever its class makes of it; the beginning and the end of one that is too long."""
    try:
        text: str = str.__str__(str(error))  # of a class of its own, too
    except BaseException as failure:
        return f"its text cannot be read, {_name_of(type(failure))}"
    if len(text) > LONGEST_TEXT:
        return text[: LONGEST_TEXT // 2] + text[-LONGEST_TEXT // 2 :]
    return text


def plain(text: str) -> str:
    """A text with everything escaped that is not printed as one character, such as control codes and surrogates."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
