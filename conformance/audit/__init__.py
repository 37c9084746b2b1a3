"""Whether cases and verdicts can be trusted: mutants, confirmation on other paths, properties."""
