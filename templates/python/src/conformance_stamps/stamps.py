"""A transposed convolution in NumPy: every input element puts the kernel down."""

import numpy as np

from conformance.adapters.base import Call

VARIANTS = {"plain": {}}
REFUSALS = (NotImplementedError,)
BLOCK = 1


def describe():
    return {"stamps": "1.0"}


def stamp(x, weight, stride, dilation, groups):
    """The whole stamp, before anything is cut."""
    batch, channels = x.shape[:2]
    of_group, kernel = channels // groups, weight.shape[2:]
    axes = list(zip(x.shape[2:], kernel, stride, dilation, strict=True))
    full = [(i - 1) * s + (k - 1) * d + 1 for i, k, s, d in axes]
    y = np.zeros((batch, groups, weight.shape[1], *full), x.dtype)
    grouped_x = x.reshape(batch, groups, of_group, *x.shape[2:])
    grouped_weight = weight.reshape(groups, of_group, weight.shape[1], *kernel)
    for tap in np.ndindex(*kernel):
        at = tuple(slice(t * d, t * d + (i - 1) * s + 1, s) for t, (i, k, s, d) in zip(tap, axes, strict=True))
        y[(..., *at)] += np.einsum("ngi...,gio->ngo...", grouped_x, grouped_weight[(..., *tap)])
    return y.reshape(batch, -1, *full)


def translate(problem, x, weight, bias):
    options = {"stride": problem.stride, "dilation": problem.dilation, "groups": problem.groups}
    return Call(stamp, (x, weight), options, window=problem.window, bias=bias)


def run(calls):
    return [call() for call in calls]


def array(result):
    return result


def tensor(array):
    return array
