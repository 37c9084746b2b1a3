"""A call made into that of a gradient: what is cut and extended is undone, and layouts are asked of the adapter."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance import adapters
from conformance.adapters.base import UNIT_AXIS, Call, Unsupported, differentiated
from conformance.numerics import gradients
from conformance.numerics.gradients import passes_of
from conformance.numerics.operands import Arrays
from conformance.problem import BACKWARD, BIAS, FORWARD, INPUT, WEIGHT, Problem
from conformance.records.record import Verdict
from conformance.run import Job, evaluate
from conformance.suites.case import Case
from conformance.suites.references import compute
from tests.test_run import LANE, Fake

Array = NDArray[Any]
PROBLEMS = (
    "i3x2 k2x3 s2x1 p1:0x0:1 op0x1 d1x2 g2 ic2 oc3 n2 bias",
    "i3 k4 s2 p2:-1 ic2 bias",
    "i4 k2 s3 p-1:2 g2 n2",
    "i2x2x1 k1x2x2 s1x2x1 ic3 oc2 bias",
    "i2 k1 p-3:3 bias",  # the window lies beside the stamp, before it and behind
    "i1 k1 s2 p2:0 op2 d3 g2 ic3 n2",
)


class Whole(Fake):
    """Gives the whole stamp, data n k c with a unit axis in 1-D, the weight k o (g i) in reverse; knows no bias."""

    def translate(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
        x = np.moveaxis(x, 1, -1)
        weight = np.flip(np.moveaxis(weight, (1, 0), (-2, -1)), tuple(range(problem.rank)))
        unit = problem.rank == 1
        operands = (x[:, None], weight[None]) if unit else (x, weight)
        zeros = (0,) * problem.rank
        whole = replace(problem, pads=((0, 0),) * problem.rank, output_padding=zeros, bias=False)
        return Call(
            lambda *given, **options: None, operands, {"whole": whole}, problem.window, bias,
            (UNIT_AXIS,) * unit, "n k c",
        )  # fmt: skip

    def gradient(self, call: Call, upstream: Array, operand: int) -> Call:
        whole: Problem = call.options["whole"]

        unit = bool(call.prepared)

        def run(*given: Array, **_: Any) -> Array:
            x, weight, above = given[0], given[1], given[-1]
            if unit:
                x, weight, above = x[:, 0], weight[0], above[:, 0]
            weight = np.moveaxis(np.flip(weight, tuple(range(whole.rank))), (-2, -1), (1, 0))
            arrays = Arrays(np.moveaxis(x, -1, 1), weight, None)
            found = gradients.by_canvas(whole, BACKWARD[operand], arrays, np.moveaxis(above, -1, 1))
            if operand == 2:
                return found
            given_instead = (found, weight) if operand == 0 else (arrays.x, found)
            return np.asarray(self.translate(whole, *given_instead, None).operands[operand])

        biases = () if operand < 2 or call.bias is None else (call.bias,)
        return replace(call, function=run, operands=(*call.operands, *biases, upstream))


def job(descriptor: str, direction: str, dtype: str = "float32") -> Job:
    problem = Problem.parse(descriptor)
    case = Case("one", problem, descriptor, "a reason", ("window",), "here.toml")
    return Job(case, dtype, compute(case, dtype, direction), direction)


ASKED = [(descriptor, direction) for descriptor in PROBLEMS for direction in passes_of(Problem.parse(descriptor))]


@pytest.mark.parametrize(("descriptor", "direction"), ASKED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_right_gradient_conforms_in_any_layout(descriptor: str, direction: str, dtype: str) -> None:
    (result,) = evaluate(LANE, Whole(), [job(descriptor, direction, dtype)])
    record = result.record
    extended = any(end < 0 for ends in Problem.parse(descriptor).window for end in ends)
    if direction == BIAS and extended:
        assert (record.verdict, record.message) == (
            Verdict.UNSUPPORTED, "the bias is added after the window, which is not done by the framework"
        )  # fmt: skip
        return
    assert (record.verdict, record.message) == (Verdict.CONFORMS, "")
    assert record.key == ("one", dtype, direction)
    assert "crop" in record.composed
    assert record.certificate is not None
    reached = direction == BIAS or Problem.parse(descriptor).terms > 0
    assert (record.certificate["largest"] > 0) == reached


def wrong(change: Any) -> Fake:
    adapter = Whole()
    right = adapter.gradient

    def gradient(call: Call, upstream: Array, operand: int) -> Call:
        made = right(call, upstream, operand)
        return replace(made, function=lambda *given, **options: change(made.function(*given, **options)))

    adapter.gradient = gradient  # type: ignore[method-assign]  # a wrong one of the same adapter
    return adapter


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda g: g + 1, "value"),
        (lambda g: g.astype("float64"), "dtype"),
        (lambda g: g[..., :1], "shape"),
        (lambda g: g * np.nan, "nonfinite"),
    ],
)
def test_a_wrong_gradient_diverges(change: Any, kind: str) -> None:
    for direction in (INPUT, WEIGHT):
        (result,) = evaluate(LANE, wrong(change), [job(PROBLEMS[0], direction)])
        assert (result.record.verdict, result.record.kind) == (Verdict.DIVERGES, kind)
        assert result.arrays["expected"].shape == gradients.shape_of(Problem.parse(PROBLEMS[0]), direction)


class Writing(Fake):
    """Writes to what comes from above."""

    def gradient(self, call: Call, upstream: Array, operand: int) -> Call:
        def run(*given: Array, **options: Any) -> Array:
            upstream[...] = 0
            return np.zeros_like(given[operand])

        return replace(call, function=run)


def test_a_call_that_writes_to_what_comes_from_above_is_no_answer() -> None:
    asked = job("i2x2 k1", INPUT)
    (result,) = evaluate(LANE, Writing(), [asked])
    assert (result.record.verdict, result.record.message) == (
        Verdict.ERRORED, "the call modified the upstream gradient"
    )  # fmt: skip
    assert asked.reference.upstream is not None
    assert asked.reference.upstream.all()


def test_an_adapter_without_gradients_is_unsupported_by_name() -> None:
    (result,) = evaluate(LANE, Fake(), [job(PROBLEMS[0], INPUT)])
    assert (result.record.verdict, result.record.message) == (
        Verdict.UNSUPPORTED, "its adapter has no gradients: docs/adding-an-adapter.md says how it gains them"
    )  # fmt: skip


def test_a_translation_that_changes_the_operand_has_no_gradient_of_it() -> None:
    class Doubling(Whole):
        def translate(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
            call = super().translate(problem, x, weight, bias)
            return replace(call, operands=(call.operands[0], 2 * call.operands[1]))

    problem = Problem.parse(PROBLEMS[0])
    arrays = compute(job(PROBLEMS[0], WEIGHT).case).arrays
    call = Doubling().translate(problem, *arrays)
    with pytest.raises(Unsupported, match="does more to the operand than to order it"):
        differentiated(Doubling(), problem, call, WEIGHT, np.ones(problem.output_shape))


def test_a_framework_without_float64_is_asked_for_places_in_float32() -> None:
    class Narrow(Whole):
        DTYPES = ("float32",)

        def translate(self, problem: Problem, x: Array, weight: Array, bias: Array | None) -> Call:
            assert x.dtype == weight.dtype == np.float32
            return super().translate(problem, x, weight, bias)

    (result,) = evaluate(LANE, Narrow(), [job(PROBLEMS[0], WEIGHT)])
    assert result.record.verdict is Verdict.CONFORMS


def test_every_framework_that_trains_has_gradients() -> None:
    trains = {framework for framework in adapters.own() if adapters.differentiates(framework)}
    assert trains == {"jax", "keras", "mlx", "mxnet", "paddle", "tensorflow", "torch"}


def test_a_forward_record_says_so() -> None:
    (result,) = evaluate(LANE, Fake(), [Job(job("i2 k1", INPUT).case, "float32", compute(job("i2 k1", INPUT).case))])
    assert result.record.direction == FORWARD


def test_blocks_may_hold_several_passes() -> None:
    adapter = Whole(BLOCK=16)
    jobs: Sequence[Job] = [job(PROBLEMS[0], direction) for direction in BACKWARD]
    assert {result.record.verdict for result in evaluate(LANE, adapter, jobs)} == {Verdict.CONFORMS}
    assert adapter.blocks == [3]
