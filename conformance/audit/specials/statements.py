"""What is stated of special values: without a statement a lane does what IEEE 754 and the definition say."""

from itertools import product, starmap
from typing import Any

from conformance.audit.specials.experiments import ANSWER, DOES, OPERANDS, VALUES
from conformance.audit.specials.measuring import subject_of
from conformance.audit.stated.files import Kind, Words
from conformance.problem import FORWARD, PASSES


def _named(entry: Any) -> tuple[Words, Words]:
    subjects = tuple(starmap(subject_of, product(entry.passes, entry.values, entry.operands)))
    of = "the answer" if entry.passes == (FORWARD,) else f"the gradient by {', '.join(entry.passes)}"
    return subjects, (", ".join(entry.values), ", ".join(entry.operands), of)


STATED = Kind(
    file="specials.toml",
    words={"values": VALUES, "operands": (*OPERANDS, ANSWER), "passes": PASSES},
    does=DOES,
    heads=("value", "in", "seen in"),
    named=_named,
    defaults={"passes": (FORWARD,)},
)
