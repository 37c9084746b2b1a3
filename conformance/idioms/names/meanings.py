"""What arguments mean: the names that frameworks have for the same one, and why one cannot change an answer."""

from collections.abc import Iterator, Mapping, Sequence

VALUES = "its values are given"
AFTER = "apply it to the answer yourself"
TRAINING = "of training alone"
PLACE = "where it is computed"
EFFORT = "how it is computed"
LABEL = "a name"
SYMBOL = "of the symbol alone"
NO_PART = "has no part in this answer"
BESIDE = "is kept beside its values"

TAKES: Mapping[str, tuple[tuple[type, ...], str]] = {
    LABEL: ((str,), "a string"),
    VALUES: ((str, dict), "an initializer: a string, a dict or an object"),
    AFTER: ((str,), "an activation: a string or a function"),
}
"""The literals, beside None, that an argument can be which is set aside for such a reason, and the words for them."""

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
