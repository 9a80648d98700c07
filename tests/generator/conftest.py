"""The fixture that tests of the worker share."""

from tests.generator.hired import world

__all__ = ["world"]
