"""Peak memory of this process."""

import resource


def peak_kilobytes() -> int:
    """The largest resident set that this process has had, in KB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
