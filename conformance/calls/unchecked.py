"""A text as a native call, whether its problem is valid or not: nothing is checked but whether words exist.

A call is text, read by `expression` and looked up among a framework's convolutions; it is never evaluated as Python.
"""

import sys
from collections.abc import Mapping
from typing import Any

from conformance import idioms
from conformance.adapters.base import Call, Unsupported
from conformance.idioms import expression
from conformance.idioms._words import Words
from conformance.idioms.base import Refusal
from conformance.idioms.expression import Invocation, Name
from conformance.problem import Problem


class UncheckedError(ValueError):
    """A call that names something that is no convolution of its framework."""


def words_of(framework: str) -> Words:
    """A framework's words. Raises Unsupported where it has none."""
    words = idioms.words(framework) if framework in idioms.frameworks() else None
    if words is None:
        raise Unsupported(f"no call of the suite negative is written for {framework}")
    return words


def text_of(framework: str, problem: Problem) -> str:
    """A problem as a framework's call, unchecked. Raises Unsupported where it has no words for it."""
    try:
        return words_of(framework).text(problem)
    except Refusal as reason:
        raise Unsupported(str(reason)) from None


def call_of(framework: str, text: str, tensors: Mapping[str, Any]) -> Call:
    """The call that a text is, on tensors by name. Raises UncheckedError for one of anything but a convolution."""
    words = words_of(framework)
    invocation = expression.parse(text)
    if invocation is None:
        raise UncheckedError(f"{text!r} is no call")
    outer = invocation.outer
    function = _function(words, invocation.function)
    operands, options = _resolved(words, invocation, tensors)
    if outer is not None:
        function = function(*operands, **options)
        operands, options = _resolved(words, outer, tensors)
    return Call(function, tuple(operands), options, layout=words.layout)


def _resolved(words: Words, call: Invocation, tensors: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    def value(argument: Any) -> Any:
        if not isinstance(argument, Name):
            return argument
        return tensors[argument.text] if argument.text in tensors else _function(words, argument.text)

    values = [value(argument) for argument in call.positional]
    return values, {name: value(argument) for name, argument in call.named.items()}


def _function(words: Words, name: str) -> Any:
    if name not in words.functions:
        raise UncheckedError(f"{name!r} is no convolution that may be called: those are {sorted(words.functions)}")
    root, *parts = name.split(".")
    function: Any = sys.modules[words.modules[root]]  # which its adapter has imported
    for part in parts:
        function = getattr(function, part)
    return function
