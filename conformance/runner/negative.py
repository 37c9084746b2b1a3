"""What a lane makes of a negative case: the call in the framework's own words, made unchecked, and judged.

The definition decides what is judged: where it gives an answer, an answer that came is compared with it, even past a
rule that PyTorch sets; where it gives none, any answer is `accepts-invalid`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.adapters.base import Adapter, Call, Lane, Unsupported, finish
from conformance.calls import unchecked
from conformance.numerics.deviation import fingerprint, measure_deviation
from conformance.numerics.operands import Certificate
from conformance.problem import broken_rule
from conformance.processes.attempt import Ended, begin, failed, make
from conformance.records.calls import RecordedCall
from conformance.records.messages import beyond
from conformance.records.record import Record, Verdict
from conformance.run import Result, record_of
from conformance.suites import departure
from conformance.suites.case import Asked, Case, departure_of

Array = NDArray[Any]


def last_call(lane: Lane, case: Case) -> str:
    """The call that a process died of; empty where it died before there was one."""
    try:
        return text(lane.framework, case)
    except Unsupported:
        return ""


def evaluate(lane: Lane, adapter: Adapter, asked: Asked) -> Result:
    """The result of a negative case, in this process."""
    case, dtype, _ = asked
    arrays = departure.operands(case.id, case.problem, departure_of(case), dtype)
    call = begin(lambda: _call(adapter, lane.framework, case, arrays))
    if isinstance(call, Ended):
        return Result(record_of(lane, asked, call.verdict, message=call.message))
    (made,) = make(adapter, [call])
    call_text = str(RecordedCall(text(lane.framework, case), {name: array.shape for name, array in arrays.items()}))
    if isinstance(made, Ended):
        return Result(record_of(lane, asked, made.verdict, message=made.message, call=call_text))
    record = record_of(lane, asked, Verdict.CONFORMS, call=call_text, composed=made.assisted(dtype))
    try:
        return judged(record, case, arrays, finish(call, made.array), made.widened or made.array.dtype.name)
    except Exception as error:
        return Result(replace(record, verdict=Verdict.ERRORED, message=failed("judging", error).message))


def _call(adapter: Adapter, framework: str, case: Case, arrays: Mapping[str, Array]) -> Call:
    """The call of a case on its operands. Raises Unsupported where the framework has none."""
    return unchecked.call_of(framework, text(framework, case), _tensors(adapter, framework, case, arrays))


def text(framework: str, case: Case) -> str:
    """The call of a case in a framework's words. Raises Unsupported where it has none."""
    unlike = departure_of(case)
    unchecked.words_of(framework)
    if unlike.calls and framework not in unlike.calls:
        raise Unsupported(f"the call is one of {', '.join(sorted(unlike.calls))} alone")
    return unlike.calls.get(framework) or unchecked.text_of(framework, case.problem)


def _tensors(adapter: Adapter, framework: str, case: Case, arrays: Mapping[str, Array]) -> dict[str, Any]:
    """The operands as the framework's tensors, by the names that they have in a call."""
    unlike = departure_of(case)
    words = unchecked.words_of(framework)
    if unlike.view and not words.views:
        raise Unsupported("its tensors are copies, so that none can lie otherwise in memory")
    x, weight = words.arrange(case.problem, arrays["x"], arrays["weight"])
    made = {"x": adapter.tensor(x), "w": adapter.tensor(weight)}
    if "bias" in arrays:
        made["b"] = adapter.tensor(arrays["bias"])
    if "bfloat16" in unlike.dtypes.values():
        if not all(hasattr(tensor, "bfloat16") for tensor in made.values()):
            raise Unsupported("its tensors have no method bfloat16, by which the case is written")
        made = {name: tensor.bfloat16() for name, tensor in made.items()}
    return made


def judged(record: Record, case: Case, arrays: Mapping[str, Array], actual: Array, dtype: str) -> Result:
    """The result of a native answer in a dtype; the record has everything but the verdict."""
    unlike = departure_of(case)
    if not unlike.defined:
        why = departure.misfit(case.problem, unlike) or f"no call says this: {case.why}"
        facts = f"answered {actual.shape}, though {why}"
        return Result(replace(record, verdict=Verdict.ACCEPTS_INVALID, message=facts))
    if actual.shape != case.problem.output_shape:
        facts = f"shape is {actual.shape}, expected {case.problem.output_shape}"
        return Result(replace(record, verdict=Verdict.DIVERGES, kind="shape", message=facts))
    if dtype != (wanted := departure.dtype_of(unlike, record.dtype)):
        facts = f"dtype is {dtype}, expected {wanted}"
        return Result(replace(record, verdict=Verdict.DIVERGES, kind="dtype", message=facts))
    certificate = Certificate(departure.largest_sum(case.problem, unlike), wanted, case.problem.terms)
    if not certificate.holds:
        facts = f"data is not exact in {wanted}: {certificate}"
        return Result(replace(record, verdict=Verdict.INCONCLUSIVE, message=facts))
    answer = departure.answer(case.problem, arrays)
    if answer is None:
        facts = f"answered {actual.shape}, which is too large to be checked"
        return Result(replace(record, verdict=Verdict.INCONCLUSIVE, message=facts))
    expected = answer.astype(actual.dtype)  # in bfloat16 the values are those of float32, and exact
    deviation = measure_deviation(actual, expected)
    rule = broken_rule(case.problem)
    if deviation is None:
        return Result(replace(record, message=beyond(rule), actual=fingerprint(actual)))
    return Result(
        replace(record, verdict=Verdict.DIVERGES, kind=deviation.kind, deviation=deviation.evidence(),
                message=", ".join(filter(None, [deviation.message, beyond(rule)]))),
        {"actual": np.ascontiguousarray(actual), "expected": expected},
    )  # fmt: skip
