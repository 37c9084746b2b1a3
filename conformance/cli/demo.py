"""conformance demo: real questions, each with the command that asks it and its answer."""

import shlex

import click

from conformance.io.terminal import echo
from conformance.regression.room import NIGHT

QUESTIONS = {
    "What does this layer of a Keras model do, and which size comes out?":
        "call keras \"Conv2DTranspose(64, 5, strides=2, padding='same')\" --shape x=1,7,7,32 --claim",
    "How do I write it in PyTorch, and what becomes of its weight?":
        "port \"Conv2DTranspose(64, 5, strides=2, padding='same')\" --from keras --to torch --shape x=1,7,7,32",
    "Which arguments turn 32 rows into 160 with a kernel of 10 and a stride of 5?":
        "sizes torch --input 32 --output 160 --kernel 10 --stride 5",
}  # fmt: skip
"""Questions and the commands that answer them; none needs a framework."""


@click.command()
@click.pass_context
def command(ctx: click.Context) -> None:
    """Answer three questions that people ask about transposed convolution, each with one command.

    It needs no framework, and writes nothing.
    """
    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    for question, line in QUESTIONS.items():
        echo(f"# {question}\n$ conformance {line}")
        name, *arguments = shlex.split(line)
        verb = group.get_command(ctx, name)
        assert verb is not None
        with verb.make_context(name, arguments, parent=ctx.find_root()) as asked:
            verb.invoke(asked)
        echo()
    least, most = NIGHT
    echo("Next: `conformance --help` lists the verbs. `pip install tox && tox run -m nightly` runs every case on every "
         f"framework: it takes 20 to 70 minutes and {least} to {most} GB of disk.")  # fmt: skip
