"""The fixtures that tests of the worker share."""

from tests.generator.hired import hire, world

__all__ = ["hire", "world"]
