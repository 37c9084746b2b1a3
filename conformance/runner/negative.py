"""What a lane makes of a negative case: the call in the framework's own words, made unchecked, and judged.

The definition decides what is judged: where it gives an answer, an answer that came is compared with it, even past a
rule that PyTorch sets; where it gives none, any answer is `accepts-invalid`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import adapters, idioms
from conformance.adapters.base import Adapter, Call, Lane, Unsupported, finish
from conformance.calls import unchecked
from conformance.calls.suites import case_of
from conformance.claims import judgement
from conformance.idioms.base import Shapes
from conformance.numerics.deviation import fingerprint, measure_deviation
from conformance.numerics.operands import SIGNIFICAND, Certificate
from conformance.problem import broken_rule
from conformance.processes.attempt import Ended, begin, failed, make
from conformance.processes.isolation import Death, Isolation
from conformance.records.calls import RecordedCall
from conformance.records.record import Record, Verdict
from conformance.run import Job, Result, evaluate, record_of
from conformance.runner import outside
from conformance.runner.selection import MADE
from conformance.suites import departure, references
from conformance.suites.case import Case
from conformance.suites.cases import find

Array = NDArray[Any]

BITS = {**SIGNIFICAND, "bfloat16": 8}
"""Bits in which a partial sum may be stored, per dtype of an answer."""


def isolated(isolation: Isolation, lane: Lane, case: Case, dtype: str) -> Result:
    """The result of any case in a process of its own; of a death, a record of how the process died."""
    seconds = 0.0 if case.hostile is None else case.hostile.seconds
    if adapters.is_outside(lane.framework):
        return outside.evaluate_alone(lane, case, dtype, seconds or isolation.limits.seconds)
    if case.point is None:
        result = isolation.call(judge, lane, case, dtype, seconds=seconds)
    elif isolation.suite:  # a call has functions, so that no other process can be given it
        result = isolation.call(judge_named, lane, isolation.suite, case.id, dtype)
    else:
        result = isolation.call(judge_text, lane, case.point.text, dict(case.point.shapes), case.id, dtype)
    if isinstance(result, Death):
        return Result(ended(lane, case, dtype, result))
    assert isinstance(result, Result)
    return result


def ended(lane: Lane, case: Case, dtype: str, death: Death) -> Record:
    """The record of a case whose process died."""
    said = {} if case.hostile is None else {"call": _said(lane, case)}
    return record_of(lane, case, dtype, death.verdict, message=death.message, trace=death.trace, **said)


def _said(lane: Lane, case: Case) -> str:
    try:
        return text(lane.framework, case)
    except Unsupported:  # it died before there was a call
        return ""


def judge_named(lane: Lane, suite: str, case: str, dtype: str) -> Result:
    """The result of a case of a suite that is made for a lane, in this process."""
    made = MADE[suite](lane.framework, lane.variant)
    return judge(lane, find(made, [case]).cases[0], dtype)


def judge_text(lane: Lane, text: str, shapes: Shapes, case: str, dtype: str) -> Result:
    """The result of a call that is in no suite, on the data of a case's id, in this process."""
    point = idioms.read(lane.framework, text, shapes, lane.variant, dtype=dtype)
    return judge(lane, replace(case_of(point, lane.framework), id=case), dtype)


def judge(lane: Lane, case: Case, dtype: str) -> Result:
    """The result of a case, in this process."""
    adapter = adapters.load(lane)
    if case.claim:
        return judgement.evaluate(lane, adapter, [Job(case, dtype, references.compute(case))])[0]
    if case.hostile is None:
        return evaluate(lane, adapter, [Job(case, dtype, references.compute(case))])[0]
    arrays = departure.operands(case.id, case.problem, case.hostile, dtype)
    call = begin(lambda: _call(adapter, lane.framework, case, arrays))
    if isinstance(call, Ended):
        return Result(record_of(lane, case, dtype, call.verdict, message=call.message))
    (made,) = make(adapter, [call])
    said = str(RecordedCall(text(lane.framework, case), {name: array.shape for name, array in arrays.items()}))
    if isinstance(made, Ended):
        return Result(record_of(lane, case, dtype, made.verdict, message=made.message, call=said))
    record = record_of(lane, case, dtype, Verdict.CONFORMS, call=said, composed=made.assisted)
    try:
        return judged(record, case, arrays, finish(call, made.array), made.widened or made.array.dtype.name)
    except Exception as error:
        return Result(replace(record, verdict=Verdict.ERRORED, message=failed("judging", error).message))


def _call(adapter: Adapter, framework: str, case: Case, arrays: Mapping[str, Array]) -> Call:
    """The call of a case on its operands. Raises Unsupported where the framework has none."""
    return unchecked.call_of(framework, text(framework, case), _tensors(adapter, framework, case, arrays))


def text(framework: str, case: Case) -> str:
    """The call of a case in a framework's words. Raises Unsupported where it has none."""
    assert case.hostile is not None
    unchecked.words_of(framework)
    if case.hostile.calls and framework not in case.hostile.calls:
        raise Unsupported(f"the call is one of {', '.join(sorted(case.hostile.calls))} alone")
    return case.hostile.calls.get(framework) or unchecked.text_of(framework, case.problem)


def _tensors(adapter: Adapter, framework: str, case: Case, arrays: Mapping[str, Array]) -> dict[str, Any]:
    """The operands as the framework's tensors, by the names that they have in a call."""
    assert case.hostile is not None
    words = unchecked.words_of(framework)
    if case.hostile.view and not words.views:
        raise Unsupported("its tensors are copies, so that none can lie otherwise in memory")
    x, weight = words.arrange(case.problem, arrays["x"], arrays["weight"])
    made = {"x": adapter.tensor(x), "w": adapter.tensor(weight)}
    if "bias" in arrays:
        made["b"] = adapter.tensor(arrays["bias"])
    if "bfloat16" in case.hostile.dtypes.values():
        if not all(hasattr(tensor, "bfloat16") for tensor in made.values()):
            raise Unsupported("its tensors have no method bfloat16, by which the case is written")
        made = {name: tensor.bfloat16() for name, tensor in made.items()}
    return made


def judged(record: Record, case: Case, arrays: Mapping[str, Array], actual: Array, dtype: str) -> Result:
    """The result of a native answer in a dtype; the record has everything but the verdict."""
    assert case.hostile is not None
    if not case.hostile.defined:
        why = departure.misfit(case.problem, case.hostile) or f"no call says this: {case.why}"
        facts = f"answered {actual.shape}, though {why}"
        return Result(replace(record, verdict=Verdict.ACCEPTS_INVALID, message=facts))
    if actual.shape != case.problem.output_shape:
        facts = f"shape is {actual.shape}, expected {case.problem.output_shape}"
        return Result(replace(record, verdict=Verdict.DIVERGES, kind="shape", message=facts))
    if dtype != (wanted := departure.dtype_of(case.hostile, record.dtype)):
        facts = f"dtype is {dtype}, expected {wanted}"
        return Result(replace(record, verdict=Verdict.DIVERGES, kind="dtype", message=facts))
    certificate = Certificate(departure.largest_sum(case.problem, case.hostile), BITS[wanted], case.problem.terms)
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
        return Result(replace(record, message=f"beyond the rule: {rule}" if rule else "", actual=fingerprint(actual)))
    return Result(
        replace(record, verdict=Verdict.DIVERGES, kind=deviation.kind, deviation=deviation.evidence(),
                message=deviation.message + (f", beyond the rule: {rule}" if rule else "")),
        {"actual": np.ascontiguousarray(actual), "expected": expected},
    )  # fmt: skip
