"""What a fork server imports before it forks: what $CONFORMANCE_WARM names, an adapter and a suite that is made."""

import os

from conformance import adapters
from conformance.adapters.base import Lane
from conformance.processes.isolation import LANE, serve
from conformance.runner import isolated  # noqa: F401  # so that no fork has to import it
from conformance.runner.selection import MADE

if warm := os.environ.get(LANE):
    framework, variant, suite, parent = warm.split("/")
    serve(int(parent))
    adapters.load(Lane(framework, variant))
    if suite in MADE:
        MADE[suite](framework, variant)
