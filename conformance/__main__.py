"""`python -m conformance` is the program `conformance`."""

from conformance.cli import main

main()
