"""Everything about one framework stands in its own files: no other module knows a framework by its name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import adapters, idioms

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "conformance"
OWN = ("adapters", "adapters/modes", "adapters/operators", "idioms/catalogue", "idioms/ordinary")
"""The folders that hold a module of each framework; all but `base` and `__init__` in them are a framework's."""
FORMATS = (
    "adapters/models",
    "adapters/models/tensorflow",
    "scan/formats",
    "scan/formats/exported",
    "scan/formats/lite",
)
"""The folders about the formats of model files, of which each is one framework's or another's."""

NAMES = {*idioms.frameworks(), "pytorch", "keras", "flax", "gluon", "tf", "mx"}
NAMED = re.compile(rf"(?<![A-Za-z0-9])({'|'.join(sorted(NAMES))})(?![A-Za-z0-9])", re.IGNORECASE)

EXAMPLE = "a message shows how something is written, by an example of a framework"
REASONS = {
    "cli/__init__.py": "a verb's line of help says which files it writes, of which ONNX's are some",
    "cli/vectors.py": "vectors are written as ONNX models, too",
    "vectors/onnx_tests.py": "it writes vectors as ONNX models",
    "claims/checks/networks.py": "the claim is about a generator that was published in Keras",
    "idioms/__init__.py": EXAMPLE,
    "idioms/_source.py": EXAMPLE,
    "idioms/expression.py": EXAMPLE,
    "idioms/names/owners.py": "a library that is not read here has a counterpart in a framework that is",
    "idioms/names/parameters.py": "an argument that one framework alone has is said to be that one's",
    "idioms/laws.py": "a law of windows is shown by calls of several frameworks, side by side",
    "adapters/models/tensorflow/__init__.py": "its folder is TensorFlow's own",
    "calls/copies.py": "a message names the order of axes that problems have, which is PyTorch's",
    "cli/check.py": EXAMPLE,
    "cli/one.py": EXAMPLE,
    "cli/doctor.py": "what a night's environments take depends on whether pip gets PyTorch with CUDA",
    "cli/demo.py": "the questions are about frameworks",
    "cli/examples.py": EXAMPLE,
    "cli/port.py": EXAMPLE,
    "cli/sizes.py": EXAMPLE,
    "cli/sweep.py": EXAMPLE,
    "io/tensor_files.py": "files of torch.save are read by the module that bears its name",
    "io/torch_files.py": "what torch.save writes is named in it by PyTorch's own names",
    "records/machine.py": "a sentence says whose kernels the library ATen is",
    "records/record_file.py": EXAMPLE,
    "regression/environments.py": EXAMPLE,
    "regression/room.py": "what environments take depends on whether pip gets PyTorch with CUDA",
    "report/content/literature.py": "a figure of the literature shows what TensorFlow does beside the others",
    "suites/expectations.py": EXAMPLE,
    "suites/generated/pairs.py": "which argument is wrong is said in the words of each framework",
    "testing/check.py": "a process that JAX or PyTorch runs in is asked what a fork of it may do",
    "vectors/schema.py": "a vector says its call in the terms of two frameworks and of ONNX",
    "vectors/terms.py": "a vector says its call in the terms of two frameworks and of ONNX",
}
"""The modules that name a framework though they are none of its files, and why each of them must."""


def shared_modules() -> list[Path]:
    """The modules that are no framework's own."""
    own = {PACKAGE / folder for folder in (*OWN, *FORMATS)}
    return [
        path
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.parent not in own
        or path.stem in ("__init__", "_derivatives", "_literals", "_outside", "_programs", "base")
    ]


def names_in(tree: ast.AST) -> Iterator[str]:
    """Every framework that a module names in its code: in strings that are no docstrings, and in identifiers."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        texts = [value for _, value in ast.iter_fields(node) if isinstance(value, str)] if id(node) not in prose else []
        for text in texts:
            yield from NAMED.findall(text)


def offending() -> dict[str, list[str]]:
    """The shared modules that name a framework, with what they name."""
    named = {path: list(names_in(ast.parse(path.read_text(encoding="utf-8")))) for path in shared_modules()}
    return {path.relative_to(PACKAGE).as_posix(): names for path, names in named.items() if names}


def test_no_module_names_a_framework_but_its_own_files_and_those_that_say_why() -> None:
    assert offending().keys() == REASONS.keys()


@pytest.mark.parametrize(
    "text",
    ["if framework == 'torch': pass", "TABLE = {'mxnet': 1}", "def f(tensorflow): pass", "x = f'{y} in JAX'",
     "from conformance.idioms.catalogue.torch import arguments", "f(keras=1)", "call('mx.nd.Deconvolution')"],
)  # fmt: skip
def test_a_name_is_seen_wherever_code_has_it(text: str) -> None:
    assert list(names_in(ast.parse(text)))


def test_docstrings_and_comments_may_name_frameworks() -> None:
    assert not list(names_in(ast.parse('"""As in torch."""\nx = 1  # jax\n"""What mxnet calls x."""\n')))


@pytest.mark.parametrize("folder", OWN[1:])
def test_every_module_of_a_framework_has_an_adapter(folder: str) -> None:
    own = {path.stem for path in (PACKAGE / folder).glob("*.py") if not path.stem.startswith(("_", "networks_"))}
    assert own - {"base"} <= {*adapters.frameworks()}
    assert len(own) > 3


def test_the_page_about_adapters_names_every_file_of_every_framework() -> None:
    page = (ROOT / "docs" / "adding-an-adapter.md").read_text(encoding="utf-8").partition("## The files")[2]
    named = set(re.findall(r"`conformance/([a-z_/]+/_?[A-Za-z_]+\.py)`", page.partition("\n## ")[0]))
    patterns = {f"{folder}/NAME.py" for folder in OWN}
    assert patterns <= named
    modules = {path for folder in OWN for path in (PACKAGE / folder).glob("*.py")} - set(shared_modules())
    files = {path.relative_to(PACKAGE).as_posix() for path in modules}
    assert files == (named - patterns) | {
        name.replace("NAME", each)
        for name in patterns
        for each in adapters.frameworks()
        if (PACKAGE / name.replace("NAME", each)).exists()
    }
