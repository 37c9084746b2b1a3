"""Verbs that are asked in several forms, and the names that verbs had before.

A form is a command of its own, in a module of its own. The words after the verb choose it, so that each form has its
own arguments and options, and the help of the verb has the help of them all.
"""

import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

DESCRIPTOR = re.compile(r"\s*i\d[\dx]*(\s+[a-z]|\s*$)")
"""How the descriptor of a problem begins, which no call does."""
PINNED = re.compile(r"\s*[A-Za-z][\w.-]*(\[[\w,-]+\])?\s*==")
"""How the version of a framework begins, which no file that we write does."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form of a verb: its module, and the word, or else the kind of words, that asks for it.

    `word` is none of the command's own words; where it is an option, `text` is its help.
    """

    module: str
    word: str = ""
    text: str = ""
    asks: Callable[[Sequence[str]], bool] = lambda _: False

    def takes(self, words: Sequence[str]) -> bool:
        """Whether the words after the verb ask this form."""
        if not self.word:
            return self.asks(words)
        return self.word in words if self.word.startswith("--") else words[:1] == [self.word]

    def own(self, words: Sequence[str]) -> list[str]:
        """The words for the form's command."""
        at = words.index(self.word) if self.word in words else len(words)
        return [*words[:at], *words[at + 1 :]]

    def command(self) -> click.Command:
        """The command, whose module is imported only now."""
        return load(self.module)


FORMS: dict[str, tuple[Form, ...]] = {
    "call": (Form("one", asks=lambda words: _asks_of_a_problem(words)),),
    "diff": (
        Form("bisect", "--bisect", "Find the first version that has the change."),
        Form("upgrade", asks=lambda words: any(map(PINNED.match, words))),
    ),
    "domain": (Form("coverage", "--coverage", "Count combinations of parameters that were never answered."),),
    "fuzz": (Form("borders", "--borders", "Draw problems around every known region."),),
    "audit": tuple(Form(name, name) for name in ("confirm", "properties", "specials", "modes")),
    "generate": (Form("conventions", "conventions"),),
}
"""The forms of each verb that has several, in the order in which they are tried."""


def _asks_of_a_problem(words: Sequence[str]) -> bool:
    """Whether the words after `call` are of a problem, and not of a call, which has the shapes of its tensors."""
    options = {word.partition("=")[0] for word in words}
    return any(map(DESCRIPTOR.match, words)) or ("--lane" in options and "--shape" not in options)


BEFORE = {form.module: f"{verb} {form.word}".rstrip() for verb, forms in FORMS.items() for form in forms}
"""Names that verbs had, which still work, and what is said today."""


def load(module: str) -> click.Command:
    """The command of a module beside this one."""
    command: click.Command = importlib.import_module(f"conformance.cli.{module}").command
    return command


def chosen(verb: str, words: Sequence[str]) -> tuple[str, click.Command, list[str]]:
    """The command of the form that the words after a verb ask, by its name, and the words that are its own."""
    for form in FORMS.get(verb, ()):
        if form.takes(words) and (form.word or "--help" not in words):
            return f"{verb} {form.word}".rstrip(), form.command(), form.own(words)
    return verb, whole(verb), list(words)


def whole(verb: str) -> click.Command:
    """The command of a verb, whose help has that of its forms."""
    command = load(verb)
    return _Several(verb, command) if verb in FORMS else command


def helps(verb: str, command: click.Command, parent: click.Context, **settings: Any) -> Iterator[tuple[str, str]]:
    """The help of a command and of each of its forms or parts, by the words that ask for it."""
    if isinstance(command, click.Group):
        for name in command.list_commands(parent):
            if (part := command.get_command(parent, name)) is not None:
                yield from helps(f"{verb} {name}", part, parent, **settings)
        return
    own = command.first if isinstance(command, _Several) else command
    yield verb, own.get_help(click.Context(own, parent, info_name=verb, **settings))
    for form in FORMS.get(verb, ()):
        name, of_form = f"{verb} {form.word}".rstrip(), form.command()
        yield name, of_form.get_help(click.Context(of_form, parent, info_name=name, **settings))


class _Several(click.Command):
    """The first form of a verb, with the options that choose the others, and the help of all."""

    def __init__(self, verb: str, first: click.Command) -> None:
        flags = [
            click.Option([form.word], is_flag=True, expose_value=False, help=f"{form.text} See below.")
            for form in FORMS[verb]
            if form.word.startswith("--")
        ]
        super().__init__(verb, callback=first.callback, params=[*first.params, *flags], help=first.help)
        self.first = first

    def get_help(self, ctx: click.Context) -> str:
        own = super().get_help(ctx)
        _, *others = helps(ctx.info_name or "", self, ctx.parent or ctx)
        return "\n\n\n".join([own, *(text for _, text in others)])
