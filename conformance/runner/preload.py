"""What a fork server imports before it forks: what $CONFORMANCE_WARM names, an adapter and a suite that is made."""

import gc
import os
from contextlib import suppress

import numpy.random  # noqa: F401  # operands are drawn in each fork

from conformance import adapters, idioms
from conformance.adapters.base import Lane
from conformance.processes.isolation import LANE, serve
from conformance.runner import isolated  # noqa: F401  # so that no fork has to import it
from conformance.runner.selection import MADE

if warm := os.environ.get(LANE):
    framework, variant, suite, parent = warm.split("/")
    serve(int(parent))
    with suppress(adapters.AdapterError):  # which each call will say
        adapters.load(Lane(framework, variant))
    if framework in idioms.frameworks():
        idioms.words(framework)  # which negative cases are written in
    if suite in MADE:
        MADE[suite](framework, variant)
gc.collect()
gc.freeze()  # a collection in a fork would copy every page of the framework
