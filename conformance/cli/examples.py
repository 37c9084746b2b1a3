"""What is said of a wrong usage: a command of the same verb that is right, and where the rest is."""

import click

EXAMPLES = {
    "call": 'call torch "nn.ConvTranspose2d(8, 4, 3, stride=2)" --shape x=1,8,5,7',
    "scan": "scan decoder.onnx --input x=1,3,64,64",
    "sizes": "sizes torch --input 20 --output 40",
    "port": 'port "nn.ConvTranspose2d(8, 4, 3, stride=2)" --from torch --to keras --shape x=1,8,5,7',
    "diagnose": "diagnose reports/records/torch-eager-core.jsonl",
    "claims check": "claims check D0-04",
    "claims show": "claims show D0-04",
    "run": "run torch --suite smoke",
    "check": "check mylib:conv_transpose --suite smoke",
    "adapter check": "adapter check mylib",
    "adapter new": "adapter new mylib",
    "vectors": "vectors --suite core --out vectors",
    "sweep report": "sweep report reports/sweeps/torch",
    "sweep run": "sweep wide --lane torch --count 1000000 --to reports/sweeps/torch",
    "sweep worker": "sweep worker tcp://127.0.0.1:8786 --lane torch",
    "fuzz": "fuzz torch --minutes 5",
    "fuzz --borders": "fuzz torch --borders",
    "diff": "diff before.jsonl after.jsonl",
    "diff --bisect": 'diff --bisect "torch==2.12.0" "torch==2.13.0"',
    "expect explain": "expect explain smoke-1d-01",
    "expect propose": "expect propose reports/records/torch-eager-core.jsonl",
    "replay": "replay --list",
    "history": "history --runs",
    "show": "show smoke-1d-01",
    "report": "report --lane torch-eager",
    "cases list": "cases list --probes dilation",
    "cases show": "cases show smoke-1d-01",
    "domain": "domain --lane torch-eager",
    "domain --coverage": "domain --coverage --lane torch-eager",
    "merge": "merge core.1of2.jsonl core.2of2.jsonl --to merged",
    "audit confirm": "audit confirm reports/records/torch-eager-core.jsonl",
    "audit properties": "audit properties torch",
    "audit specials": "audit specials torch",
    "audit modes": "audit modes torch",
}
"""A command for each form of a verb, and each part of one, that takes arguments, and of domain and report, which are
often given one."""


def told(error: click.UsageError) -> str:
    """The message of an error of usage, with the next step where click found an argument or an option wrong."""
    message, found = (
        error.format_message(),
        type(error) in (click.UsageError, click.MissingParameter, click.NoSuchOption),
    )
    if not found or error.ctx is None or error.ctx.parent is None:
        return message
    names = _names(error.ctx)
    example = f"as in `conformance {EXAMPLES[names]}`; " if names in EXAMPLES else ""
    return f"{message.rstrip('.')}: {example}`conformance {names.partition(' --')[0]} --help` lists what it takes"


def _names(ctx: click.Context) -> str:
    """The words of a command, without the program's own."""
    return f"{_names(ctx.parent)} {ctx.info_name}".strip() if ctx.parent else ""
