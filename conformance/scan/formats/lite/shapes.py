"""The shapes of the tensors of a TFLite graph whose extents are free in the file, on inputs of given sizes.

A file states the shapes that its converter inferred, with 1 in the place of an extent that is free. Such shapes follow
here from operator to operator, with the whole numbers that some of them are computed of.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tflite

from conformance.problem import Ints
from conformance.scan.formats.lite.given import Answer, Given, MisfitError, UnknownError, options
from conformance.scan.formats.lite.operators import RULES
from conformance.scan.layer import Array, Extent, SizeError

MOST_NUMBERS = 64
"""Whole numbers of a tensor that are followed."""
DEEPEST = 8
"""Graphs that call each other."""
NAMES = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
IF, WHILE, SHAPE = tflite.BuiltinOperator.IF, tflite.BuiltinOperator.WHILE, tflite.BuiltinOperator.SHAPE


@dataclass(frozen=True, slots=True)
class File:
    """What is asked of a file: its graphs, the number of an operator, a tensor's extents, and stored whole numbers."""

    graph: Callable[[int], Any]
    code: Callable[[Any], int]
    extents: Callable[[Any, int], Sequence[Extent]]
    stored: Callable[[Any, int], Array | None]


@dataclass
class Shapes:
    """What is known of the tensors of a graph by their numbers: shapes, whole numbers, and why others are not known."""

    file: File
    graph: Any
    shapes: dict[int, Ints] = field(default_factory=dict)
    numbers: dict[int, Array] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    """The operator behind which a shape is not known."""

    def shape(self, index: int) -> Ints | None:
        """The shape of a tensor: that which it states, if no extent is free."""
        if index in self.shapes or index < 0:
            return self.shapes.get(index)
        stated = self.file.extents(self.graph, index)
        fixed = tuple(extent for extent in stated if extent is not None)
        return tuple(map(int, fixed)) if len(fixed) == len(stated) else None

    def whole(self, index: int) -> Array | None:
        """The whole numbers of a tensor that are known."""
        if index in self.numbers or index < 0:
            return self.numbers.get(index)
        found = self.file.stored(self.graph, index)
        return None if found is None else found.reshape(self.shape(index) or found.shape)


def inferred(file: File, given: Mapping[int, Ints]) -> list[Shapes | None]:
    """The shapes of all graphs, on inputs of the first one; None of a graph that is called with several.

    Raises SizeError where the inputs do not fit an operator.
    """
    made: dict[int, Shapes | None] = {}
    _follow(file, 0, given, {}, made, 0)
    return [made.get(number) for number in range(max(made) + 1)]


def _follow(
    file: File, number: int, given: Mapping[int, Ints], numbers: Mapping[int, Array],
    made: dict[int, Shapes | None], depth: int,
) -> Shapes:  # fmt: skip
    graph = file.graph(number)
    known = Shapes(file, graph, dict(given), dict(numbers))
    if number in made:
        before = made[number]
        same = before is not None and before.shapes.items() >= known.shapes.items()
        made[number] = before if same else None
    else:
        made[number] = known
    for at in range(graph.OperatorsLength()):
        operator = graph.Operators(at)
        kind = file.code(operator)
        outputs = [int(operator.Outputs(each)) for each in range(operator.OutputsLength())]
        inputs = [int(operator.Inputs(each)) for each in range(operator.InputsLength())]
        if kind in (IF, WHILE):
            answers = _called(file, operator, kind, known, inputs, made, depth) if depth < DEEPEST else None
        elif all(known.shape(each) is not None for each in outputs) and not _counts(kind, known, inputs):
            continue  # which the file states
        else:
            answers = _answers(operator, kind, known, inputs, outputs)
        _keep(known, kind, inputs, outputs, answers)
    return known


def _counts(kind: int, known: Shapes, inputs: Sequence[int]) -> bool:
    """Whether an operator may answer whole numbers that are known."""
    return kind == SHAPE or (bool(inputs) and known.whole(inputs[0]) is not None)


def _answers(
    operator: Any, kind: int, known: Shapes, inputs: Sequence[int], outputs: Sequence[int]
) -> Sequence[Answer] | None:  # fmt: skip
    """What an operator answers; None where that is not known."""
    rule = RULES.get(kind)
    if rule is None:
        return None
    given = Given(
        operator, [known.shape(each) for each in inputs], [known.whole(each) for each in inputs],
        [known.file.extents(known.graph, each) for each in outputs],
    )  # fmt: skip
    try:
        return rule(given)
    except (UnknownError, ValueError, LookupError, ArithmeticError):
        return None
    except MisfitError as reason:
        if all(known.shape(each) is not None for each in outputs):
            return None  # which the file states
        raise SizeError(f"{NAMES[kind]} does not take {reason}") from None


def _keep(
    known: Shapes, kind: int, inputs: Sequence[int], outputs: Sequence[int],
    answers: Sequence[Answer] | None,
) -> None:  # fmt: skip
    before = next((known.reasons[each] for each in inputs if each in known.reasons), "")
    unknown = any(each >= 0 and known.shape(each) is None for each in inputs)
    for at, index in enumerate(outputs):
        shape, numbers = answers[at] if answers is not None and at < len(answers) else (None, None)
        if known.shape(index) is None and shape is not None:
            known.shapes[index] = shape
        elif known.shape(index) is None and (before or not unknown):
            known.reasons[index] = before or NAMES.get(kind, str(kind))
        if numbers is not None and numbers.size <= MOST_NUMBERS:
            known.numbers[index] = numbers


def _called(
    file: File, operator: Any, kind: int, known: Shapes, inputs: Sequence[int], made: dict[int, Shapes | None],
    depth: int,
) -> Sequence[Answer] | None:  # fmt: skip
    """What the graphs of a condition or a loop answer, where that is the same of all branches, or of all rounds."""
    has = options(operator, tflite.IfOptions if kind == IF else tflite.WhileOptions)
    numbers = (
        [has.ThenSubgraphIndex(), has.ElseSubgraphIndex()] if kind == IF else
        [has.CondSubgraphIndex(), has.BodySubgraphIndex()])  # fmt: skip
    taken = [known.shape(each) for each in (inputs[1:] if kind == IF else inputs)]
    answers = []
    for number in numbers:
        graph = file.graph(number)
        own = [int(graph.Inputs(at)) for at in range(graph.InputsLength())]
        given = {index: shape for index, shape in zip(own, taken, strict=False) if shape is not None}
        inner = _follow(file, number, given, {}, made, depth + 1)
        answers.append([inner.shape(int(graph.Outputs(at))) for at in range(graph.OutputsLength())])
    if kind == WHILE and answers[-1] != taken:
        for number in numbers:  # of which a round has other sizes than the one before
            made[number] = None
        return None
    if kind == IF and answers[0] != answers[1]:
        return None
    return [(shape, None) for shape in answers[-1]]
