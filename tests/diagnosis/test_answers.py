"""What was done to an answer as a whole: to its axes, to each of its channels, to its integers, to its input."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance import oracle
from conformance.diagnosis.answers.scales import diagnose_by_channel, difference_by_channel
from conformance.diagnosis.diagnose import Diagnosis, diagnose
from conformance.diagnosis.kept import Requantisation
from conformance.diagnosis.observation import DiagnosisError
from conformance.numerics.formats import cut, rounded
from conformance.numerics.operands import Arrays
from conformance.problem import Problem
from tests.diagnosis.test_real_numbers import real

Array = NDArray[Any]

PLAIN = Problem.parse("i6x7 k4 s2 p1 ic5 oc4 n2 bias")
GROUPED = Problem.parse("i6x7 k3 s2 p1 g2 ic3 oc2 bias")


def only(diagnoses: tuple[Diagnosis, ...]) -> Diagnosis:
    (diagnosis,) = diagnoses
    return diagnosis


def integers(problem: Problem, seed: int = 0) -> tuple[Arrays, Array]:
    """Operands as they are quantised, and the sums of them."""
    draw = np.random.default_rng(seed).integers
    x, weight = draw(-100, 101, problem.input_shape), draw(-100, 101, problem.weight_shape)
    bias = draw(-500, 501, problem.bias_shape) if problem.bias else None
    arrays = Arrays(x, weight, bias)
    return arrays, oracle.expected(problem, arrays.x, arrays.weight, arrays.bias)


def requantised(sums: Array, scale: Any, zero_point: int = 0, whole: Any = np.rint) -> Array:
    scales = np.asarray(scale, float).reshape(-1, 1, 1)
    made: Array = np.clip(whole(sums / scales) + zero_point, -128, 127).astype(np.int8)
    return made


REQUANTISED: list[tuple[str, Requantisation, Any]] = [
    ("zero point 7 for 0", Requantisation(300), lambda sums: requantised(sums, 300, 7)),
    ("zero point 0 for 7", Requantisation(300, 7), lambda sums: requantised(sums, 300)),
    ("sums multiplied by 0.004 and not divided by it", Requantisation(0.004), lambda sums: requantised(sums, 250)),
    ("quotients rounded towards zero", Requantisation(300, 5), lambda sums: requantised(sums, 300, 5, np.trunc)),
    ("quotients rounded down", Requantisation(300, 5), lambda sums: requantised(sums, 300, 5, np.floor)),
    ("quotients rounded down and zero point 5 for 0", Requantisation(256),
     lambda sums: requantised(sums, 256, 5, np.floor)),
    ("a scale of its own for each out channel", Requantisation(300),
     lambda sums: requantised(sums, [300, 410.5, 222, 333])),
]  # fmt: skip


@pytest.mark.parametrize("problem", [PLAIN, GROUPED], ids=str)
@pytest.mark.parametrize(("said", "by", "made"), REQUANTISED, ids=[said for said, _, _ in REQUANTISED])
def test_integers_that_were_requantised_otherwise_say_how(
    said: str, by: Requantisation, made: Any, problem: Problem
) -> None:
    arrays, sums = integers(problem)
    diagnosis = only(diagnose(problem, arrays, made(sums), by=by))
    assert diagnosis.words.startswith(said)
    assert diagnosis.nearness is not None  # it is never called exact
    assert diagnosis.nearness.units <= diagnosis.nearness.most


def test_another_scale_is_told_as_the_interval_of_those_that_fit() -> None:
    arrays, sums = integers(PLAIN)
    words = only(diagnose(PLAIN, arrays, requantised(sums, 310.25, 3), by=Requantisation(300, 3))).words
    low, high = (float(word) for word in words.removeprefix("a scale from ").partition(" for ")[0].split(" to "))
    assert low <= 310.25 <= high < low * 1.01


def test_one_wrong_integer_is_no_other_scale() -> None:
    arrays, sums = integers(PLAIN)
    actual = requantised(sums, 300, 3)
    actual[1, 2, 3, 4] += 5
    assert diagnose(PLAIN, arrays, actual, by=Requantisation(300)) == ()


@pytest.mark.parametrize("scale", [0.0, 300.0])
def test_a_zero_point_that_was_left_in_the_input_is_named(scale: float) -> None:
    arrays, _ = integers(PLAIN)
    raw = Arrays(arrays.x + 5, arrays.weight, arrays.bias)
    sums = oracle.expected(PLAIN, raw.x, raw.weight, raw.bias)
    actual, by = (requantised(sums, scale), Requantisation(scale)) if scale else (sums.astype(np.int64), None)
    words = only(diagnose(PLAIN, arrays, actual, by=by)).words
    assert words == "every element of the input 5 more, as without its zero point"


@pytest.mark.parametrize("problem", [PLAIN, GROUPED], ids=str)
def test_a_scale_for_each_channel_is_judged_by_channel(problem: Problem) -> None:
    arrays, sums = integers(problem)
    scales = [300.0, 410.5, 222.0, 333.3]
    ways = [Requantisation(scale, 3) for scale in scales]
    right = only(diagnose_by_channel(problem, arrays, requantised(sums, scales, 3), ways))
    assert right.statements == ()
    assert right.nearness is not None
    assert right.nearness.kind.startswith("requantised by a scale for each channel, the worst one by scale ")
    mirrored = oracle.expected(problem, arrays.x, arrays.weight[:, :, ::-1], arrays.bias)
    wrong = only(diagnose_by_channel(problem, arrays, requantised(mirrored, scales, 3), ways))
    assert wrong.statements == ("taps reversed on axis 0",)


def test_a_channel_that_nothing_explains_is_named() -> None:
    arrays, sums = integers(PLAIN)
    actual, ways = requantised(sums, 300), [Requantisation(300)] * 4
    actual[0, 2] = np.random.default_rng(1).integers(-100, 100, actual[0, 2].shape)
    assert diagnose_by_channel(PLAIN, arrays, actual, ways) == ()
    assert difference_by_channel(PLAIN, arrays, actual, ways).startswith("out channel 2 alone: ")
    with pytest.raises(DiagnosisError, match="--scale has 3 numbers, and the answer 4 channels: give one for each"):
        diagnose_by_channel(PLAIN, arrays, actual, ways[:3])


def test_a_folded_batch_norm_is_named_with_its_factors_and_offsets() -> None:
    arrays = real(PLAIN)
    sums = oracle.expected(PLAIN, arrays.x, arrays.weight, arrays.bias)
    factors, offsets = (np.array(values).reshape(-1, 1, 1) for values in ([0.5, 1.5, 2, 0.7], [1, 2, 3, -4]))
    scaled = only(diagnose(PLAIN, arrays, (sums * factors).astype("float32")))
    assert scaled.words == ("every out channel times a factor of its own (0.5, 1.5, 2, 0.7), as by a scale of each "
                            "channel")  # fmt: skip
    normed = only(diagnose(PLAIN, arrays, (sums * factors + offsets).astype("float32")))
    assert normed.words == ("every out channel times a factor of its own (0.5, 1.5, 2, 0.7) and moved by an offset "
                            "(1, 2, 3, -4), as by a batch norm")  # fmt: skip
    assert None not in (scaled.nearness, normed.nearness)


def test_noise_is_no_batch_norm() -> None:
    arrays = real(PLAIN)
    sums = oracle.expected(PLAIN, arrays.x, arrays.weight, arrays.bias)
    noisy = sums * np.array([0.5, 1.5, 2, 0.7]).reshape(-1, 1, 1)
    noisy += 1e-3 * np.random.default_rng(2).normal(size=noisy.shape)
    assert diagnose(PLAIN, arrays, noisy.astype("float32")) == ()


@pytest.mark.parametrize(("bits", "names"), [(11, "TF32, float16"), (8, "bfloat16")])
@pytest.mark.parametrize(("how", "change"), [("rounded", rounded), ("cut", cut)])
def test_operands_of_fewer_bits_are_named(how: str, change: Any, bits: int, names: str) -> None:
    arrays = real(PLAIN)
    x, weight = (change(bits, array.astype(float)) for array in (arrays.x, arrays.weight))
    actual = oracle.expected(PLAIN, x, weight, arrays.bias).astype("float32")
    diagnosis = only(diagnose(PLAIN, arrays, actual))
    assert diagnosis.words == " and ".join(f"{name} {how} to {bits} bits ({names})" for name in ("weight", "input"))
    assert diagnosis.nearness is not None


@pytest.mark.parametrize("window", ["p2:1", "p0:2"])
def test_an_array_left_in_another_order_at_a_moved_window_says_both(window: str) -> None:
    problem = Problem.parse("i7x6 k5 s2 p1:2 ic3 oc5")
    arrays = real(problem)
    moved = Problem.parse(f"i7x6 k5 s2 {window} ic3 oc5")
    left = oracle.expected(moved, arrays.x, arrays.weight, None).astype("float32")
    as_if_last = left.transpose(0, 3, 1, 2)  # how an array in NCHW is taken that is said to be in NHWC
    words = only(diagnose(problem, arrays, as_if_last, given="n k c")).words
    assert words.startswith("its axes as NCHW where NHWC is expected and window ")


def test_orders_of_axes_that_nothing_tells_apart_are_all_named() -> None:
    problem = Problem.parse("i4x4 k3 s2 p1 ic2 oc3")
    arrays = Arrays(np.ones(problem.input_shape), real(problem).weight, None)
    arrays = arrays._replace(weight=arrays.weight + arrays.weight.swapaxes(2, 3))
    moved = oracle.expected(Problem.parse("i4x4 k3 s2 p0:2 ic2 oc3"), arrays.x, arrays.weight, None)
    diagnoses = diagnose(problem, arrays, moved.transpose(0, 3, 1, 2).astype("float32"), given="n k c")
    assert {diagnosis.statements[0] for diagnosis in diagnoses} == {
        "its axes as NCHW where NHWC is expected", "its axes as NCWH where NHWC is expected",
    }  # fmt: skip
