"""What is stated of modes: without a statement a mode does what eager execution does."""

from conformance.adapters import modes
from conformance.audit.modes.measuring import DOES
from conformance.audit.stated.files import Kind

STATED = Kind(
    file="modes.toml",
    words={"modes": tuple(name for framework in modes.frameworks() for name in modes.names(framework))},
    does=DOES,
    heads=("mode",),
    named=lambda entry: (entry.modes, (", ".join(entry.modes),)),
)
