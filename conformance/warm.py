"""What a fork server imports before it forks: the adapter of the lane that $CONFORMANCE_WARM names."""

import os

from conformance import adapters, negative  # noqa: F401  # so that no fork has to import it
from conformance.adapters import Lane
from conformance.isolation import LANE

if lane := os.environ.get(LANE):
    adapters.load(Lane(*lane.split("/")))
