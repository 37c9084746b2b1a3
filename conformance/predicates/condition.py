"""Conditions on machines, such as `vendor == "GenuineIntel" and "avx512_core" in onednn`: what a fact depends on."""

import ast
from dataclasses import dataclass

from conformance.predicates.predicate import AGGREGATES, Meaning, PredicateError, compile_relation
from conformance.records.machine import FACTS, WORDS, Machine


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in the predicates' language over the facts of a machine; `names` are those that it asks for."""

    text: str
    names: tuple[str, ...]
    _meaning: Meaning

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """The condition that `text` spells. Raises PredicateError for any other text, such as an unknown word."""
        text = " ".join(text.split())
        tree, meaning = compile_relation(text, FACTS)
        names = tuple(sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - AGGREGATES.keys()))
        if not names:
            raise PredicateError(f"{text!r} asks for no fact of a machine: those are {', '.join(FACTS)}")
        _require_words(tree)
        return cls(text, names, meaning)

    def unknown(self, machine: Machine) -> tuple[str, ...]:
        """The facts that it asks for and that are not known of a machine."""
        return tuple(name for name in self.names if name not in machine)

    def __call__(self, machine: Machine) -> bool | None:
        """Whether it holds on a machine; None where it asks for a fact that is not known of it."""
        if self.unknown(machine):
            return None
        values = {name: int(text) if (text := machine[name]).isdecimal() else text for name in self.names}
        try:
            return bool(self._meaning(values, None))
        except (ArithmeticError, TypeError, ValueError) as error:
            raise PredicateError(f"{self.text!r} has no value where {values}: {error}") from None

    def why_not(self, machine: Machine) -> str:
        """Why it does not hold on a machine, in words."""
        if unknown := self.unknown(machine):
            return f"{' and '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} not known"
        return ", ".join(f"{name} is {machine[name] or 'none'}" for name in self.names)


def _require_words(tree: ast.expr) -> None:
    """Raises PredicateError for `"WORD" in FACT` with a word that the fact never has."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(
                left=ast.Constant(value=word), ops=[ast.In() | ast.NotIn()], comparators=[ast.Name(id=name)]
            ):
                if name in WORDS and word not in WORDS[name]:
                    raise PredicateError(f"{word!r} is never in {name}: its words are {', '.join(WORDS[name])}")
