"""One model as data: what it takes, what it costs, how long it takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """
    An entry of the registry.

    *shapes* maps "W:H" to width and height in pixels; the first is the default. *sides* is
    the least and the most of a side where any size is drawn. *price* is one image's in
    micro-USD. *typical* and *time_limit* are seconds.
    """

    key: str
    display_name: str
    provider: str
    slug: str  # the provider's own word for it
    shapes: Mapping[str, tuple[int, int]]
    sides: tuple[int, int] | None = None
    max_references: int = 0
    negative_prompt: bool = False
    seed: bool = False
    previews: bool = False
    media_types: tuple[str, ...] = ("image/png",)
    parameters: Mapping[str, Any] = field(default_factory=dict)  # JSON Schema
    price: int = 0
    typical: float = 1.0
    time_limit: float = 600.0

    def size(self, aspect: str) -> tuple[int, int]:
        """The size of an *aspect* that it has; of its default where it is empty."""
        return self.shapes[aspect] if aspect else next(iter(self.shapes.values()))
