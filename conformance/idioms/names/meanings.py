"""What arguments mean: the names that frameworks have for the same one, and why one cannot change an answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from conformance.idioms.expression import Name

VALUES = "only for the values of the weight and the bias, which are given"
AFTER = "apply it to the answer yourself"
TRAINING = "of training alone"
PLACE = "where it is computed"
EFFORT = "how it is computed"
LABEL = "a name"
SYMBOL = "of the symbol alone"
NO_PART = "has no part in this answer"
BESIDE = "is kept beside its values"

PRECISIONS = frozenset({"highest", "float32", "high", "bfloat16_3x", "tensorfloat32", "default", "bfloat16", "fastest"})
"""Strings for precisions in JAX, beside the names of presets, which are in capitals."""


def unfit(name: str, value: Any, reason: str) -> str:
    """What an argument that is set aside takes, if a literal is none of it; empty if it fits, or nothing is known."""
    if value is None or isinstance(value, Name):
        return ""
    fits, words = _OF_NAME.get(name) or _OF_REASON.get(reason, _FITS)
    return "" if fits(value) else words


def _is_precision(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) == 2 and all(isinstance(each, Name) or _is_precision(each) for each in value)
    return isinstance(value, str) and (value in PRECISIONS or value.isupper())


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


Fits = tuple[Callable[[Any], bool], str]
_FITS: Fits = (lambda _: True, "")
_OF_REASON: Mapping[str, Fits] = {
    LABEL: (lambda value: isinstance(value, str), "a string"),
    VALUES: (lambda value: isinstance(value, str | dict), "an initializer: a string, a dict or an object"),
    AFTER: (lambda value: isinstance(value, str), "an activation: a string or a function"),
    NO_PART: (lambda _: False, "a tensor or None"),
}
_OF_NAME: Mapping[str, Fits] = {
    **dict.fromkeys(
        ("kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint"),
        (lambda value: isinstance(value, str | dict), "a string, a dict or an object"),
    ),
    "workspace": (lambda value: type(value) is int, "a whole number"),
    "cudnn_off": (_is_flag, "True or False"),
    "use_cudnn_on_gpu": (_is_flag, "True or False"),
    "cudnn_tune": (lambda value: isinstance(value, str), "a string"),
    "precision": (_is_precision, "a name of a precision, or two of them"),
}

MEANINGS: Mapping[str, frozenset[str]] = {
    "stride": frozenset({"stride", "strides", "window_strides"}),
    "padding": frozenset({"padding", "pad"}),
    "output_padding": frozenset({"output_padding", "adj"}),
    "dilation": frozenset({"dilation", "dilations", "dilate", "rhs_dilation", "dilation_rate", "kernel_dilation"}),
    "groups": frozenset({"groups", "num_group", "feature_group_count"}),
    "bias": frozenset({"bias", "use_bias"}),
    "in": frozenset({"in_channels", "in_features"}),
    "out": frozenset({"out_channels", "filters", "channels", "features", "num_filter", "out_features"}),
    "kernel": frozenset({"kernel_size", "kernel"}),
    "output": frozenset({"output_shape"}),
}
"""The names that frameworks have for the same argument."""


def aside_lines(aside: Sequence[str]) -> Iterator[str]:
    """What was set aside in reading a call, in words; apart from it what is left out, which changes the answer."""
    left_out = [text for text in aside if text.endswith(AFTER)]
    others = [text for text in aside if text not in left_out]
    for label, texts in (("set aside", others), ("left out", left_out)):
        if texts:
            yield f"{label}: {'; '.join(texts)}"
