"""PyTorch: a module that a factory makes, and TorchScript, each run on zeros while its calls are watched.

Of TorchScript the code is looked at first: what writes or reads files, and operators of an author's own, are refused.
A file that is a pickle alone holds no graph, and is refused too.
"""

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from conformance.adapters.models._aten import call_text
from conformance.adapters.models._computed import WEIGHT_NORM
from conformance.adapters.models._script import require_script
from conformance.adapters.models.base import Extents, NativeLayer, RefusedError, UnfitError
from conformance.layout import Array
from conformance.problem import Ints

WEIGHT_NORMS = ("aten._weight_norm.default", "aten._weight_norm_interface.default")
CALLS = ("aten.convolution.default", "aten._convolution.default", "aten._convolution.deprecated")
WORDS = ("stride", "padding", "dilation")


@dataclass
class _Watched:
    """The calls of one run: each with the place in the modules that it was made at; and why the run ended, if it did.

    The interpreter of TorchScript loses what an operator said of its operands.
    """

    reason: str = ""
    stack: list[str] = field(default_factory=list)
    layers: list[tuple[str, str, Sequence[Any]]] = field(default_factory=list)
    normed: list[Any] = field(default_factory=list)
    """The answers of weight norms, which are kept so that nothing else lies in their places."""


class _Watch(TorchDispatchMode):
    """Sees every transposed convolution that ATen makes."""

    def __init__(self, watched: _Watched) -> None:
        super().__init__()
        self._watched = watched

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if str(func) in CALLS and args[6]:
            self._watched.layers.append((self._watched.stack[-1] if self._watched.stack else "", str(func), args))
        try:
            answer = func(*args, **(kwargs or {}))
            if str(func) in WEIGHT_NORMS:
                self._watched.normed.append(answer[0] if isinstance(answer, tuple) else answer)
            return answer
        except Exception as error:
            self._watched.reason = f"{type(error).__name__}: {_line(error)}"
            raise


@dataclass
class TorchModel:
    """A module, and the layers that a whole run of it has shown, with their weights."""

    module: Any
    kind: str
    scripted: bool = False
    inputs: Mapping[str, Extents] = field(default_factory=dict)
    _real: list[NativeLayer] = field(default_factory=list)

    def layers(self, sizes: Mapping[str, Ints]) -> list[NativeLayer]:
        """The transposed convolutions of a run. Raises UnfitError where the module fails on such inputs."""
        if not sizes:
            raise RefusedError("takes inputs of which it does not say the sizes: give them by --input, as in "
                               "--input x=1,3,64,64")  # fmt: skip
        if not self._real or self.scripted:
            self._real = self._run(_zeros(self.module, sizes), {})
            return self._real
        from torch._subclasses.fake_tensor import FakeTensorMode

        with FakeTensorMode(allow_non_fake_inputs=True):
            return self._run(_zeros(self.module, sizes), dict(enumerate(self._real)))

    def _run(self, inputs: Sequence[Any], known: Mapping[int, NativeLayer]) -> list[NativeLayer]:
        watched = _Watched()
        handles = [] if self.scripted else list(_hooks(self.module, watched))
        try:
            with torch.no_grad(), _Watch(watched):
                self.module(*inputs)
        except Exception as error:  # whatever a module raises of what it does not take
            raise UnfitError(watched.reason or f"{type(error).__name__}: {_line(error)}") from None
        finally:
            for handle in handles:
                handle.remove()
        return [self._layer(at, watched, each, known.get(at)) for at, each in enumerate(watched.layers)]

    def _layer(
        self, at: int, watched: _Watched, seen: tuple[str, str, Sequence[Any]], known: NativeLayer | None
    ) -> NativeLayer:
        module, function, (x, weight, bias, *rest) = seen
        words = dict(zip(WORDS, rest, strict=False)) | {"output_padding": rest[4], "groups": rest[5]}
        names = {} if known else _parameters(self.module)
        name = known.name if known else module or _owner(names.get(_place(weight), "")) or f"convolution.{at + 1}"
        stored = known.provenance if known else _provenance(weight, names, watched.normed)
        return NativeLayer(
            name, f"call {at + 1} of {len(watched.layers)}, {function.rpartition('.')[0]}",
            call_text(x.dim() - 2, bias=bias is not None, words=words),
            {"x": tuple(x.shape), "w": tuple(weight.shape)}, str(x.dtype).removeprefix("torch."), stored,
            known.weight if known else _array(weight), known.bias if known else _array(bias),
        )  # fmt: skip


def _zeros(module: Any, sizes: Mapping[str, Ints]) -> list[Any]:
    """Inputs of these sizes, in the floating-point dtype of the module's parameters where they have one."""
    kinds = {tensor.dtype for tensor in module.parameters() if tensor.is_floating_point()}
    kind = kinds.pop() if len(kinds) == 1 else torch.float32
    return [torch.zeros(shape, dtype=kind) for shape in sizes.values()]


def _hooks(module: Any, watched: _Watched) -> Iterator[Any]:
    """Hooks that keep the path of the module that is at work."""
    for name, inner in module.named_modules():
        yield inner.register_forward_pre_hook(lambda *_, name=name: watched.stack.append(name))
        yield inner.register_forward_hook(lambda *_: watched.stack.pop() and None, always_call=True)


def _parameters(module: Any) -> dict[int, str]:
    """The names of parameters and buffers by where their numbers lie."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {_place(tensor): name for name, tensor in tensors}


def _place(tensor: Any) -> int:
    return int(tensor.data_ptr())


def _provenance(weight: Any, names: Mapping[int, str], normed: Sequence[Any]) -> str:
    if _place(weight) in names:
        return "stored"
    return WEIGHT_NORM if _place(weight) in map(_place, normed) else "computed in the model"


def _owner(parameter: str) -> str:
    """The module that a parameter is of."""
    return parameter.rpartition(".")[0] or parameter


def _array(tensor: Any) -> Array | None:
    if tensor is None:
        return None
    plain = tensor.detach().cpu()
    made: Array = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy().copy()
    return made


def _line(error: Exception) -> str:
    """The last line of an error that says something; TorchScript has its own code above."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if not line.endswith(("Error:", "<--- HERE"))] or lines
    return (lines[-1] if lines else "")[:200]


def open_model(path: Path) -> TorchModel:
    """A module by package.module:factory, or the TorchScript in a file. Raises RefusedError, and OSError."""
    torch.manual_seed(0)  # of factories that draw their weights
    if not path.exists():
        return TorchModel(_made(str(path)), "torch.nn.Module")
    require_script(path)
    try:
        module = torch.jit.load(str(path), map_location="cpu").eval()
    except (RuntimeError, ValueError) as error:
        raise RefusedError(f"is no TorchScript: {_line(error)}: save it again by torch.jit.save") from None
    return TorchModel(module, "TorchScript", scripted=True)


def _made(name: str) -> Any:
    """The module that a factory makes, which is the caller's own code."""
    place, _, factory = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        made: Any = importlib.import_module(place)
        for part in factory.split("."):
            made = getattr(made, part)
        made = made if isinstance(made, torch.nn.Module) else made()
    except Exception as error:  # whatever the caller's code raises
        raise RefusedError(f"cannot be made: {type(error).__name__}: {_line(error)}: give the name of a function "
                           "without arguments that returns a torch.nn.Module") from None  # fmt: skip
    if not isinstance(made, torch.nn.Module):
        raise RefusedError(f"makes a {type(made).__name__}: give a function that returns a torch.nn.Module")
    return made.eval()
