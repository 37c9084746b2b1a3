"""PyTorch: a module that a factory makes, and TorchScript, each run on zeros while its calls are watched.

Of TorchScript the code is looked at first: what writes or reads files, and operators of an author's own, are refused.
A file that is a pickle alone holds no graph, and is refused too.
"""

import hashlib
import importlib
import inspect
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
    UnsupportedOperatorException,
)
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from conformance.adapters.models._aten import call_text
from conformance.adapters.models._computed import WEIGHT_NORM
from conformance.adapters.models._script import require_script
from conformance.adapters.models.base import Extents, NativeLayer, RefusedError, UnfitError
from conformance.layout import Array
from conformance.problem import Ints

WEIGHT_NORMS = ("aten._weight_norm.default", "aten._weight_norm_interface.default")
CALLS = ("aten.convolution.default", "aten._convolution.default", "aten._convolution.deprecated")
TRANSPOSED = re.compile(r"conv\w*transpose\w*(?<!prepack)(?<!unpack)\b", re.IGNORECASE)
"""The names of other operators that may be transposed convolutions, such as quantized ones."""
GRADIENTS = ("aten.convolution_backward.default",)
"""Operators that are transposed convolutions of what an ordinary one answers."""
OWN = ("aten", "prim")
"""PyTorch's own operators, whose transposed convolutions are all of `CALLS`."""
WORDS = ("stride", "padding", "dilation")
UNTOLD = (DataDependentOutputException, DynamicOutputShapeException, UnsupportedOperatorException)
"""What a run without numbers ends with where it needs them."""
HIGHER = re.compile(r"no rule registered for HigherOrderOperator (\w+)")
"""What PyTorch says of an operator that takes functions, such as a condition."""
INPUT = "input"
"""The origin of an input, and of what is computed of one."""


_Key = tuple[str, str, int]
"""The module that calls, the origins of the weight and bias, and the number of such a call."""


class _Seen(NamedTuple):
    """A call: the path of its module, its function, its arguments where they are read, and what tells its weight."""

    module: str
    function: str
    arguments: Sequence[Any]
    identity: str


@dataclass
class _Watched:
    """The calls of one run: each with the place in the modules that it was made at; and why the run ended, if it did.

    The interpreter of TorchScript loses what an operator said of its operands.
    """

    reason: str = ""
    stack: list[str] = field(default_factory=list)
    layers: list[_Seen] = field(default_factory=list)
    origins: Any = field(default_factory=WeakTensorKeyDictionary)
    """What each answer was made by, down to parameters: it tells the weights of one size from those of another."""
    names: Mapping[int, str] = field(default_factory=dict)
    normed: list[Any] = field(default_factory=list)
    """The answers of weight norms, which are kept so that nothing else lies in their places."""

    def origin(self, tensor: Any) -> str:
        """What a tensor is: a parameter by its name, or what it was computed by; empty where it cannot be told."""
        if tensor in self.origins:
            return str(self.origins[tensor])
        if isinstance(tensor, FakeTensor):
            return ""
        if (name := self.names.get(_place(tensor))) is not None:
            return f"{name} {tuple(tensor.shape)} {tuple(tensor.stride())}"
        with no_dispatch():
            return _digest(repr(tuple(tensor.shape)), str(tensor.dtype), tensor.detach().cpu().contiguous())

    def identity(self, weight: Any, bias: Any) -> str:
        """What weight and bias are, where that can be told."""
        origins = [self.origin(each) for each in (weight, bias) if each is not None]
        return "" if INPUT in origins or "" in origins else " and ".join(origins)

    def follow(self, function: str, arguments: Any, answer: Any) -> None:
        """Keep what an operator has made."""
        operands = [self.origin(each) if isinstance(each, torch.Tensor) else repr(each)
                    for each in tree_leaves(arguments)]  # fmt: skip
        made = INPUT if INPUT in operands else "" if "" in operands else _digest(function, *operands)
        for number, each in enumerate(tree_leaves(answer)):
            if isinstance(each, torch.Tensor):
                self.origins[each] = f"{made} {number}" if made not in ("", INPUT) else made


class _Watch(TorchDispatchMode):
    """Sees every transposed convolution that ATen makes."""

    def __init__(self, watched: _Watched) -> None:
        super().__init__()
        self._watched = watched

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        watched = self._watched
        module = watched.stack[-1] if watched.stack else ""
        if str(func) in CALLS and args[6]:
            watched.layers.append(_Seen(module, str(func), args, watched.identity(*args[1:3])))
        elif str(func) in GRADIENTS or (TRANSPOSED.search(str(func)) and str(func).split(".")[0] not in OWN):
            watched.layers.append(_Seen(module, str(func), (), ""))
        try:
            answer = func(*args, **(kwargs or {}))
            watched.follow(str(func), (args, kwargs), answer)
            if str(func) in WEIGHT_NORMS:
                watched.normed.append(answer[0] if isinstance(answer, tuple) else answer)
            return answer
        except Exception as error:
            watched.reason = f"{type(error).__name__}: {_line(error)}"
            raise


@dataclass
class TorchModel:
    """A module, and the layers that a whole run of it has shown, with their weights."""

    module: Any
    kind: str
    scripted: bool = False
    inputs: Mapping[str, Extents] = field(default_factory=dict)
    _known: dict[_Key, NativeLayer] = field(default_factory=dict)

    def layers(self, sizes: Mapping[str, Ints]) -> list[NativeLayer]:
        """The transposed convolutions of a run. Raises UnfitError where the module fails on such inputs."""
        if not sizes:
            raise RefusedError("takes inputs of which it does not say the sizes: give them by --input, as in "
                               "--input x=1,3,64,64")  # fmt: skip
        if not self._known or self.scripted:
            self._known = self._run(sizes)
            return [*self._known.values()]
        with FakeTensorMode(allow_non_fake_inputs=True):
            return [*self._run(sizes).values()]

    def _run(self, sizes: Mapping[str, Ints]) -> dict[_Key, NativeLayer]:
        """The layers of a run on zeros, each by the module and the weight that it has there."""
        given, named = bound(self.module, _zeros(self.module, sizes))
        watched = _Watched(names=_stored(self.module))
        watched.origins.update(dict.fromkeys([*given, *named.values()], INPUT))
        handles = [] if self.scripted else list(_hooks(self.module, watched))
        try:
            with torch.no_grad(), _Watch(watched):
                self.module(*given, **named)
        except UNTOLD as error:
            raise UnfitError(f"cannot be told: what runs depends on numbers ({type(error).__name__})") from None
        except Exception as error:  # whatever a module raises of what it does not take
            if higher := HIGHER.search(str(error)):
                raise RefusedError(f"calls {higher[1]}, whose functions are not watched: export it by "
                                   "torch.export.save, and give the .pt2") from None  # fmt: skip
            raise UnfitError(watched.reason or f"{type(error).__name__}: {_line(error)}") from None
        finally:
            for handle in handles:
                handle.remove()
        times: Counter[tuple[str, str]] = Counter()
        found = {}
        for at, seen in enumerate(watched.layers):
            like = seen.module, seen.identity
            times[like] += 1
            key = *like, times[like]
            found[key] = self._layer(at, watched, seen, self._known.get(key))
        return found

    def _layer(self, at: int, watched: _Watched, seen: _Seen, known: NativeLayer | None) -> NativeLayer:
        place = f"call {at + 1} of {len(watched.layers)}, {seen.function.rpartition('.')[0]}"
        if not seen.arguments:
            return NativeLayer(seen.module or f"convolution.{at + 1}", place, f"{seen.function}(...)", {},
                               "another type", "", unknown=f"{seen.function} is not read: give the module as it was "
                               "before that was put in its place")  # fmt: skip
        x, weight, bias, *rest = seen.arguments
        words = dict(zip(WORDS, rest, strict=False)) | {"output_padding": rest[4], "groups": rest[5]}
        told = known is None and not isinstance(weight, FakeTensor) and not isinstance(bias, FakeTensor)
        told = told and bool(seen.identity or self.scripted)
        owners = [_owner(watched.names.get(_place(each), "")) for each in (bias, weight)
                  if each is not None and not isinstance(each, FakeTensor)]  # fmt: skip
        owner = next(filter(None, owners), "")  # that of the bias, which layers share less than a weight
        name = known.name if known else seen.module or owner or f"convolution.{at + 1}"
        return NativeLayer(
            name, place, call_text(x.dim() - 2, bias=bias is not None, words=words),
            {"x": tuple(x.shape), "w": tuple(weight.shape)}, str(x.dtype).removeprefix("torch."),
            known.provenance if known else _provenance(weight, watched),
            known.weight if known else _array(weight) if told else None,
            known.bias if known else _array(bias) if told else None, identity=seen.identity,
        )  # fmt: skip


def bound(module: Any, inputs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The inputs as forward takes them: by their names, or the only one, called x, as the first.

    Raises RefusedError for a name that forward does not have.
    """
    if isinstance(module, torch.jit.ScriptModule):
        names, several = [each.name for each in module.forward.schema.arguments[1:]], False
    else:
        parameters = inspect.signature(module.forward).parameters.values()
        names = [each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
        several = any(each.kind == each.VAR_POSITIONAL for each in parameters)
    unknown = [name for name in inputs if name not in names]
    if not unknown:
        return [], dict(inputs)
    if [*inputs] == ["x"] or several:
        return [*inputs.values()], {}
    raise RefusedError(f"forward has no input {unknown[0]!r}: its inputs are {', '.join(names) or 'none'}: give those "
                       "by --input")  # fmt: skip


def _zeros(module: Any, sizes: Mapping[str, Ints]) -> dict[str, Any]:
    """Inputs of these sizes, in the floating-point dtype of the module's parameters where they have one."""
    kinds = {tensor.dtype for tensor in module.parameters() if tensor.is_floating_point()}
    kind = kinds.pop() if len(kinds) == 1 else torch.float32
    return {name: torch.zeros(shape, dtype=kind) for name, shape in sizes.items()}


def _hooks(module: Any, watched: _Watched) -> Iterator[Any]:
    """Hooks that keep the path of the module that is at work."""
    for name, inner in module.named_modules():
        yield inner.register_forward_pre_hook(lambda *_, name=name: watched.stack.append(name))
        yield inner.register_forward_hook(lambda *_: watched.stack.pop() and None, always_call=True)


def _stored(module: Any) -> dict[int, str]:
    """The names of parameters, buffers and the constants of a frozen graph, by where their numbers lie.

    A constant has no name.
    """
    tensors = [*module.named_parameters(), *module.named_buffers()]
    constants: dict[int, str] = {}
    if isinstance(module, torch.jit.ScriptModule):
        graph = module.inlined_graph  # which its nodes do not keep
        nodes = graph.findAllNodes("prim::Constant", recurse=True)
        constants = {
            _place(node.t("value")): "" for node in nodes if node.hasAttribute("value") and node.kindOf("value") == "t"
        }
    return constants | {_place(tensor): name for name, tensor in tensors}


def _place(tensor: Any) -> int:
    return int(tensor.data_ptr())


def _provenance(weight: Any, watched: _Watched) -> str:
    if isinstance(weight, FakeTensor):
        return "computed in the model"
    if _place(weight) in watched.names:
        return "stored"
    if _place(weight) in map(_place, watched.normed):
        return WEIGHT_NORM
    return "an input of the model, or computed of one" if watched.origin(weight) == INPUT else "computed in the model"


def _digest(*parts: Any) -> str:
    """A hash of texts, and of the numbers of tensors."""
    hashed = hashlib.blake2b(digest_size=16)
    for part in parts:
        hashed.update(part.encode() if isinstance(part, str) else part.flatten().view(torch.uint8).numpy().tobytes())
        hashed.update(b"\0")
    return hashed.hexdigest()


def _owner(parameter: str) -> str:
    """The module that a parameter is of."""
    return parameter.rpartition(".")[0] or parameter


def _array(tensor: Any) -> Array | None:
    if tensor is None:
        return None
    with no_dispatch():
        plain = tensor.detach().cpu()
        made: Array = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy().copy()
    return made


def _line(error: Exception) -> str:
    """The last line of an error that says something; TorchScript has its own code above."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if not line.endswith(("Error:", "<--- HERE"))] or lines
    return (lines[-1] if lines else "")[:200]


def _whole(error: Exception) -> str:
    """What an error says, in a line that is cut between words."""
    return textwrap.shorten(str(error), 300, placeholder=" ...")


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
        raise RefusedError(f"cannot be made: {type(error).__name__}: {_whole(error)}: give the name of a function "
                           "without arguments that returns a torch.nn.Module") from None  # fmt: skip
    if not isinstance(made, torch.nn.Module):
        raise RefusedError(f"makes a {type(made).__name__}: give a function that returns a torch.nn.Module")
    return made.eval()
