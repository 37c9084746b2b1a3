"""In each lane's own environment: every parameter of an installed function is in the signature of its idiom.

What is there is claimed, set aside or has one value (tests/idioms/test_catalogue.py); what is not is refused by name.
"""

import importlib
import inspect
import re
from typing import Any

import pytest

from conformance import idioms
from conformance.idioms import expression
from conformance.idioms.base import Idiom
from conformance.idioms.expression import HOLE
from tests.lane_snippets import installed

FRAMEWORKS = sorted({lane.framework for lane in installed()})
FUNCTIONS = [
    (idiom, rank)
    for framework in FRAMEWORKS
    for idiom in idioms.idioms(framework)
    if not idiom.apart  # such as an operator of a file, which is no function of Python
    for rank in idiom.functions
    if idiom.form == HOLE
]
UNSAID = {
    "torch-aten": "an operator, whose overload has the signature",
    "mx-upsampling": "an operator of a variable number of arrays",
}
"""Functions that say no parameters, and why."""
pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks themselves, which are not what is tested


def function(name: str) -> Any:
    """The installed function of a dotted name."""
    parts = name.replace("tf.", "tensorflow.", 1).split(".") if name.startswith("tf.") else name.split(".")
    for at in range(len(parts) - 1, 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:at]))
        except ImportError:
            continue
        for part in parts[at:]:
            found = getattr(found, part)
        return found
    raise AssertionError(name)


def parameters(found: Any) -> set[str]:
    """The parameters of an installed function; of a builtin those of the first line of its documentation."""
    made = found.__init__ if inspect.isclass(found) else found
    try:
        kinds = inspect.signature(made).parameters.values()
    except ValueError:
        said = re.search(r"\((.*)\)", str(found.__doc__))
        assert said is not None
        return set(expression.signature(said[1]).parameters)
    variable = inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL
    return {parameter.name for parameter in kinds if parameter.kind not in variable} - {"self"}


@pytest.mark.parametrize(("idiom", "rank"), FUNCTIONS, ids=[f"{idiom.id}-{rank}" for idiom, rank in FUNCTIONS])
def test_no_installed_parameter_is_unknown(idiom: Idiom, rank: int) -> None:
    if idiom.id in UNSAID:
        pytest.skip(UNSAID[idiom.id])
    theirs = parameters(function(idiom.functions[rank]))
    assert len(theirs) > 3
    assert theirs <= set(expression.signature(idiom.orders.get(rank, idiom.signature)).parameters)
