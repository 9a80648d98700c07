"""What a stack is asked for beside the settings: how many generators, and whether with the lab."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of a stack, as a command asks for it and as a running one has it."""

    generators: int | None = None  # None: one, or as many as run
    lab: bool = False

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Self:
        """Return the shape of the stack that wrote *state*."""
        return cls(int(state.get("generators") or 1), bool(state.get("lab")))

    @property
    def count(self) -> int:
        """How many generators are started."""
        return self.generators or 1

    def fits(self, running: "Shape") -> bool:
        """Whether who asks for this can work with what runs; the lab is asked for to be free."""
        return self.generators in (None, running.count) and (running.lab or not self.lab)

    def to_arguments(self) -> list[str]:
        """Return the options of `studio up` that ask for it."""
        generators = ["--generators", str(self.generators)] if self.generators else []
        return [*generators, *(["--lab"] if self.lab else [])]

    def __str__(self) -> str:
        generators = "1 generator" if self.count == 1 else f"{self.count} generators"
        return f"{generators} and {'the' if self.lab else 'no'} lab"
