"""What tox.ini cannot say: under the labels `smoke` and `test`, the same lane environments run the smoke suite.

The properties are then checked on every sixth problem of it, which takes seconds.
"""

import os

from tox.config.sets import ConfigSet
from tox.plugin import impl
from tox.session.state import State


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    """Choose the suites by label, unless the environment chose them."""
    if {"smoke", "test"} & set(getattr(state.conf.options, "labels", None) or ()):
        os.environ.setdefault("CONFORMANCE_SUITES", "--suite smoke")
        os.environ.setdefault("CONFORMANCE_PROPERTIES", "--suite smoke --shard 1/6")
