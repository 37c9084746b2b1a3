"""A pytest plugin by which the tests' adapters stand for the frameworks here: they answer in the worker itself."""

from conformance import adapters

adapters.is_outside = lambda framework: False
