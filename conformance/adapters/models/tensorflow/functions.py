"""The functions of a graph of TensorFlow in place of the operators that call them, so that sizes are inferred there.

What comes of it is a graph to look at, and none to run: of a loop it has the first round, and control inputs fall.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow

from conformance.adapters.models.base import RefusedError

DEEPEST = 16
"""Functions that call each other."""
MOST = 1 << 18
"""Operators of a graph with its functions."""
CALLS = ("PartitionedCall", "StatefulPartitionedCall")
BRANCHES: Mapping[str, Sequence[str]] = {
    "If": ("then_branch", "else_branch"), "StatelessIf": ("then_branch", "else_branch"), "Case": ("branches",),
    "StatelessCase": ("branches",),
}  # fmt: skip
LOOPS = ("While", "StatelessWhile")
OF_NAMES = ("_class", "_output_shapes")
"""Attributes that speak of other operators, or of sizes before these were fixed."""
ANY = "Print"
"""An operator that hands on a shape, and whose numbers TensorFlow does not take for constants."""
STATE, FREE = "state", "free"
"""What the operators are called that stand for any of several tensors, and for those of other shapes."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A tensor that stands for another one, too: what a round of a loop makes of it, or what another branch answers."""

    state: str
    other: str


@dataclass(frozen=True, slots=True)
class Inlined:
    """A graph without calls, what its loops and branches change, and the names of functions that are left."""

    graph: Any
    variables: Sequence[Variable]
    left: Sequence[str]


def inlined(graph: Any) -> Inlined:
    """A graph with its functions in place of their calls. Raises RefusedError where that would be too large."""
    if not graph.library.function:
        return Inlined(graph, (), ())
    made = tensorflow.compat.v1.GraphDef(versions=graph.versions, library=graph.library)
    with tensorflow.Graph().as_default():
        tensorflow.graph_util.import_graph_def(tensorflow.compat.v1.GraphDef(library=graph.library), name="")
        work = _Work({each.signature.name: each for each in graph.library.function}, made)
        work.add(graph.node, "", {}, 0)
    for node in made.node:
        given = [work.found(name) for name in node.input]
        del node.input[:]
        node.input.extend(given)
    variables = [Variable(each.state, work.found(each.other)) for each in work.variables]
    return Inlined(made, variables, sorted(work.left))


def is_state(operation: Any) -> bool:
    """Whether an operator stands for any of several tensors."""
    return bool(operation.type == ANY and operation.get_attr("message") == STATE.encode())


def widened(graph: Any, shapes: Mapping[str, Any]) -> None:
    """Let variables have these shapes, in which what differs is free."""
    nodes = {node.name: node for node in graph.node}
    for state, shape in shapes.items():
        node = nodes[state.partition(":")[0]]
        name = f"{node.name}/{FREE}"
        if name not in nodes:
            free = graph.node.add(name=name, op="PlaceholderWithDefault", input=[*node.input])
            free.attr["dtype"].type = node.attr["T"].type
            node.input[0] = name
        else:
            free = nodes[name]
        free.attr["shape"].shape.CopyFrom(shape)


@dataclass(frozen=True, slots=True)
class _Body:
    """A function's operators with inputs as those of a graph, its arguments, and the tensors that it answers."""

    nodes: Sequence[Any]
    arguments: Sequence[str]
    answers: Sequence[str]


@dataclass
class _Work:
    functions: Mapping[str, Any]
    made: Any
    variables: list[Variable] = field(default_factory=list)
    left: set[str] = field(default_factory=set)
    _answers: dict[str, str] = field(default_factory=dict)
    """The tensors that are in place of the answers of calls."""
    _bodies: dict[str, _Body | None] = field(default_factory=dict)

    def found(self, name: str) -> str:
        """The tensor that is in place of another one, which may itself be an answer."""
        for _ in range(len(self._answers) + 1):
            if name not in self._answers:
                return name
            name = self._answers[name]
        raise RefusedError("has functions that answer each other's answers in a circle: freeze it again")

    def add(self, nodes: Sequence[Any], path: str, given: Mapping[str, str], depth: int) -> None:
        """Add operators, whose names begin with a path, with the functions that they call."""
        for node in nodes:
            inputs = [given.get(name) or f"{path}{name}" for name in map(_tensor, node.input) if name]
            called = self._called(node) if depth < DEEPEST else None
            if called is None or not self._inline(node, path, inputs, called, depth):
                self.left |= {*_named(node)} & {*self.functions}
                copy = self.made.node.add()
                copy.CopyFrom(node)
                copy.name = path + node.name
                del copy.input[:]
                copy.input.extend(inputs)
                for attribute in OF_NAMES:
                    copy.attr.pop(attribute, None)
            if len(self.made.node) > MOST:
                raise RefusedError(f"has more than {MOST} operators with its functions: give a smaller model")

    def _called(self, node: Any) -> list[tuple[str, str]] | None:
        """The functions of a call, each behind what it is for; None where the operator is no call that is read."""
        if node.op in self.functions:
            return [("", node.op)]
        if node.op in CALLS:
            return [("", node.attr["f"].func.name)]
        if node.op in LOOPS:
            return [(each, node.attr[each].func.name) for each in ("cond", "body")]
        if node.op not in BRANCHES:
            return None
        named = [(word, each) for word in BRANCHES[node.op] for each in _of_attribute(node.attr[word])]
        return named if len(BRANCHES[node.op]) > 1 else [(f"branch_{at}", each) for at, (_, each) in enumerate(named)]

    def _inline(
        self, node: Any, path: str, inputs: Sequence[str], called: Sequence[tuple[str, str]], depth: int
    ) -> bool:  # fmt: skip
        """Put functions in place of a call; whether all of them can be read."""
        bodies = [self._body(name) for _, name in called]
        taken = inputs[1:] if node.op in BRANCHES else inputs
        if any(body is None or len(body.arguments) != len(taken) for body in bodies):
            return False
        own = path + node.name
        if node.op in LOOPS:
            taken = self._begun(node, own, taken, bodies[-1])
        answers = []
        for (word, _), body in zip(called, bodies, strict=True):
            assert body is not None
            inside = f"{own}/{word}/" if word else f"{own}/"
            given = dict(zip(body.arguments, taken, strict=True))
            answers.append([given.get(each) or inside + each for each in body.answers])
            self.add(body.nodes, inside, given, depth + 1)
        if node.op in LOOPS:
            for at, (state, after) in enumerate(zip(taken, answers[-1], strict=True)):
                self._answers[f"{own}:{at}"] = state
                if state != inputs[at]:
                    self.variables.append(Variable(state, after))
        elif node.op in BRANCHES:
            for at, (first, *others) in enumerate(zip(*answers, strict=True)):
                state = self._state(f"{own}/{STATE}_{at}", first, node.attr["Tout"].list.type[at])
                self._answers[f"{own}:{at}"] = state
                self.variables += [Variable(state, each) for each in others]
        else:
            self._answers |= {f"{own}:{at}": each for at, each in enumerate(answers[0])}
        return True

    def _begun(self, node: Any, own: str, inputs: Sequence[str], body: _Body | None) -> list[str]:
        """What a round of a loop is given: its variables, or the input where no round changes it."""
        assert body is not None
        given = []
        for at, name in enumerate(inputs):
            if at < len(body.answers) and body.answers[at] == body.arguments[at]:
                given.append(name)
                continue
            given.append(self._state(f"{own}/{STATE}_{at}", name, node.attr["T"].list.type[at]))
        return given

    def _state(self, name: str, first: str, kind: int) -> str:
        """A tensor that is one of several of one shape, of which the first is given."""
        node = self.made.node.add(name=name, op=ANY, input=[first])
        node.attr["T"].type, node.attr["message"].s = kind, STATE.encode()
        node.attr["U"].list.SetInParent()
        return f"{name}:0"

    def _body(self, name: str) -> _Body | None:
        if name not in self._bodies:
            self._bodies[name] = _read(self.functions[name]) if name in self.functions else None
        return self._bodies[name]


def _read(function: Any) -> _Body | None:
    """A function's body; None where it takes lists, or has attributes of its caller."""
    from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

    arguments = list(function.signature.input_arg)
    open_ended = any(value.placeholder for node in function.node_def for value in node.attr.values())
    if open_ended or any(each.number_attr or each.type_list_attr for each in arguments):
        return None
    try:
        graph, names = function_def_to_graph_def(function)
    except (ValueError, KeyError, IndexError):  # of a function that is not whole
        return None
    given = {each.name for each in arguments}
    copies = {f"{node.name}:0": _tensor(node.input[0]) for node in graph.node if node.op == "Identity" and node.input}
    told = [function.ret.get(each.name, "") for each in function.signature.output_arg]
    answers = []
    for name in told:
        tensor = _tensor(names.get(name, name))
        for _ in range(len(copies)):
            tensor = copies.get(tensor, tensor)
        answers.append(tensor)
    if not all(answers):
        return None
    return _Body([node for node in graph.node if node.name not in given], [f"{each.name}:0" for each in arguments],
                 answers)  # fmt: skip


def _tensor(name: str) -> str:
    """The name of an operator's input with the number of the answer that it is; empty for one of control alone."""
    if name.startswith("^"):
        return ""
    return name if ":" in name else f"{name}:0"


def _named(node: Any) -> Iterator[str]:
    """The names of functions that an operator has."""
    yield node.op
    for value in node.attr.values():
        yield from _of_attribute(value)


def _of_attribute(value: Any) -> list[str]:
    return [each.name for each in (value.func, *value.list.func) if each.name]
