"""What every test stands on: a cache that no earlier version wrote, and no limit of time for an example."""

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

with suppress(ImportError):  # a lane's environment has no Hypothesis
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "tests", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if "CONFORMANCE_CACHE" not in os.environ:
            patch.setenv("CONFORMANCE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
