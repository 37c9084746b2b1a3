"""Verbs that are asked in several forms, and the names that verbs had before."""

import shlex
from collections.abc import Iterator
from unittest.mock import patch

import click
import pytest
from click.shell_completion import ShellComplete

from conformance.cli import VERBS, commands
from conformance.cli.examples import EXAMPLES
from conformance.cli.forms import BEFORE, FORMS, chosen, load
from tests.cli.test_cli import Command

ASKED = {
    "call torch 'F.conv_transpose1d(x, w)'": "call",
    "call torch model.py:12": "call",
    "call torch 'i5x7 k3 s2'": "one",
    "call 'i5 k3 s2' --lane all": "one",
    "call --lane all nonsense": "one",
    "call torch 'F.conv_transpose1d(x, w)' --shape x=1,1,3 --lane all": "call",
    "diff old new": "diff",
    "diff reports/jax==0.9.0 new": "diff",
    "diff jax==0.9.0 jax==0.10.2": "upgrade",
    "diff 'mlx[cpu]==0.32.4 numpy==2.4.6' mlx==0.33.0": "upgrade",
    "diff jax==0.9.0 jax==0.10.2 --bisect": "bisect",
    "domain --lane torch-eager": "domain",
    "domain --lane torch-eager --coverage": "coverage",
    "fuzz torch": "fuzz",
    "fuzz --borders torch": "borders",
    "audit --fakes": "audit",
    "audit confirm reports/records": "confirm",
    "audit properties torch": "properties",
    "audit specials torch": "specials",
    "audit modes torch --slow": "modes",
    "generate --check": "generate",
    "generate conventions --check": "conventions",
}


@pytest.fixture
def conformance(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capfd)


def words(line: str) -> list[str]:
    import shlex

    return shlex.split(line)


@pytest.mark.parametrize("line", ASKED)
def test_the_words_after_a_verb_choose_its_form(line: str) -> None:
    verb, *rest = words(line)
    _, command, own = chosen(verb, rest)
    assert command.callback is load(ASKED[line]).callback
    assert own == [word for word in rest if word not in {form.word for form in FORMS[verb]}]


def test_every_form_is_asked_by_a_line() -> None:
    assert {*FORMS, *BEFORE} == set(ASKED.values())


@pytest.mark.parametrize(
    ("today", "before"),
    [
        ("call torch 'i5 k3 z2'", "one torch 'i5 k3 z2'"),
        ("call torch 'i2 k3 p9'", "one torch 'i2 k3 p9'"),
        ("diff jax==0.9.0 torch==2.13.0", "upgrade jax==0.9.0 torch==2.13.0"),
        ("diff jax==0.9.0 jax==0.10.2 --bisect --suite nosuch", "bisect jax==0.9.0 jax==0.10.2 --suite nosuch"),
        ("domain --coverage --records absent", "coverage --records absent"),
        ("fuzz --borders absent", "borders absent"),
        ("audit confirm absent", "confirm absent"),
        ("audit properties absent", "properties absent"),
        ("audit specials absent", "specials absent"),
        ("audit modes absent", "modes absent"),
        ("generate conventions --to pyproject.toml", "conventions --to pyproject.toml"),
    ],
)
def test_a_name_from_before_says_and_ends_the_same(conformance: Command, today: str, before: str) -> None:
    new, old = conformance(*words(today)), conformance(*words(before))
    assert (new.status, new.out) == (old.status, old.out) == (2, "")
    assert new.err == old.err
    assert new.err.count("\n") == 1


def test_a_name_from_before_is_in_no_list(conformance: Command) -> None:
    listed = {line.split()[0] for line in conformance("--help").out.splitlines() if line.startswith("  ")}
    assert not listed & set(BEFORE)
    assert not set(VERBS) & set(BEFORE)


@pytest.mark.parametrize(("verb", "form"), [("audit", "specials"), ("diff", "--bisect"), ("generate", "conventions")])
def test_the_help_of_a_form_is_its_own(conformance: Command, verb: str, form: str) -> None:
    text = conformance(verb, form, "--help").out
    assert f"conformance {verb} {form} [OPTIONS]" in text
    assert text.count("Usage: ") == 1


@pytest.mark.parametrize("verb", FORMS)
def test_the_help_of_a_verb_has_that_of_its_forms(conformance: Command, verb: str) -> None:
    text = conformance(verb, "--help").out
    assert text.count("Usage: ") == 1 + len(FORMS[verb])
    for form in FORMS[verb]:
        assert f"{verb} {form.word}".strip() in text
        for option in load(form.module).params:
            assert option.opts[0] in text or isinstance(option, click.Argument)


def test_the_shell_completes_verbs_and_the_words_that_choose_a_form() -> None:
    complete = ShellComplete(commands, {}, "conformance", "_CONFORMANCE_COMPLETE")
    assert {each.value for each in complete.get_completions([], "")} == set(VERBS)
    assert "--bisect" in {each.value for each in complete.get_completions(["diff"], "--")}
    assert "--change" in {each.value for each in complete.get_completions(["diff", "--bisect"], "--")}


def _forms(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """Each form of a verb and each part of one, by the words that ask for it."""
    if isinstance(command, click.Group):
        for part, of_part in command.commands.items():
            yield from _forms(f"{name} {part}", of_part)
        return
    yield name, command
    for form in FORMS.get(name, ()):
        yield f"{name} {form.word}".rstrip(), form.command()


def test_each_form_that_takes_arguments_has_an_example_that_it_reads() -> None:
    forms = [pair for verb in VERBS for pair in _forms(verb, load(verb))]
    takes = {name for name, of in forms if any(isinstance(each, click.Argument) or each.required for each in of.params)}
    assert takes <= EXAMPLES.keys() <= {name for name, _ in forms}
    program = click.Context(commands, info_name="conformance")
    for text in EXAMPLES.values():
        verb, *words = shlex.split(text)
        with patch("pathlib.Path.exists", return_value=True):
            name, command, left = commands.resolve_command(program, [verb, *words])
            assert command is not None
            command.make_context(name, left, program)
