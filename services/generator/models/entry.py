"""One model as data: what it takes, what it costs, how long it takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from services.generator.provider import Role

Size = tuple[int, int]  # width and height in pixels
_ALONE = {"extra": "forbid"}  # where a file is checked: no field of another name


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """
    A provider's words for what a request of ours says; empty where it has none.

    *size* takes "WxH", and *aspect* takes "W:H" for a shape of the model's. What neither
    says goes as width and height, and *custom* goes with them. *count* takes the number of
    images. *fixed* goes with every order: what a request must not decide.
    """

    __pydantic_config__: ClassVar = _ALONE

    size: str = ""
    aspect: str = ""
    custom: Mapping[str, object] = field(default_factory=dict)
    count: str = ""
    fixed: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """
    A provider's word, *input*, for *most* input images of some *roles*.

    *many*: it takes a list of them. *needs*: it goes with one of that role alone. *inverted*: the
    provider's masks are black where ours are white. *shape* goes in place of a shape that nobody
    asks for, and with *own_shape* nobody may ask for one; without it, it makes no difference.
    """

    input: str
    roles: tuple[Role, ...]
    most: int = 1
    many: bool = False
    needs: Role | None = None
    inverted: bool = False
    shape: Mapping[str, object] | None = None
    own_shape: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """
    What an image costs that is asked for so: *price* in micro-USD.

    *asked* is what its parameters say, and "size" is "WxH"; *pixels* is the most that it has,
    0 for any number.
    """

    __pydantic_config__: ClassVar = _ALONE

    price: int
    pixels: int = 0
    asked: Mapping[str, object] = field(default_factory=dict)

    def fits(self, asked: Mapping[str, object], pixels: int) -> bool:
        """Whether this is the price of an image of so many *pixels*, *asked* for so."""
        if self.pixels and pixels > self.pixels:
            return False
        return all(asked.get(name) == value for name, value in self.asked.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """
    An entry of the registry.

    *shapes* maps "W:H" to a size; the first is the default. *sizes* are drawn beside the
    shapes', and *sides* are the least and the most of a side, in multiples of *step*, where
    any size is drawn. *references* take up to *max_references* input images; where there are
    none of them, those may be for whatever the provider makes of them. *price* is one image's
    in micro-USD, the dearest where they differ; the first of *prices* that fits what is asked
    for is its own. *typical* and *time_limit* are seconds.
    """

    __pydantic_config__: ClassVar = _ALONE

    key: str
    display_name: str
    provider: str
    slug: str  # the provider's own word for it
    shapes: Mapping[str, Size]
    sizes: tuple[Size, ...] = ()
    sides: Size | None = None
    step: int = 1
    most_per_call: int = 1  # images
    longest_prompt: int = 32_000  # characters
    max_references: int = 0
    references: tuple[Slot, ...] = ()
    negative_prompt: bool = False
    seed: bool = False
    previews: bool = False
    media_types: tuple[str, ...] = ("image/png",)
    parameters: Mapping[str, Any] = field(default_factory=dict)  # JSON Schema
    wire: Wire = Wire()
    price: int = 0
    prices: tuple[Price, ...] = ()
    price_source: str = ""
    price_date: str = ""
    typical: float = 1.0
    time_limit: float = 600.0

    def size(self, aspect: str) -> Size:
        """The size of an *aspect* that it has; of its default where it is empty."""
        return self.shapes[aspect] if aspect else next(iter(self.shapes.values()))

    @property
    def roles(self) -> tuple[Role, ...]:
        """What its input images may be for."""
        if self.references or not self.max_references:
            return tuple(dict.fromkeys(role for slot in self.references for role in slot.roles))
        return tuple(Role)

    def slot(self, role: Role) -> Slot | None:
        """What takes an input image for *role*."""
        return next((slot for slot in self.references if role in slot.roles), None)

    def price_of(self, size: Size, parameters: Mapping[str, object]) -> int:
        """What an image of *size* with *parameters* costs, in micro-USD."""
        width, height = size
        known = self.parameters.get("properties", {})
        usual = {name: each["default"] for name, each in known.items() if "default" in each}
        asked = {**usual, **parameters, "size": f"{width}x{height}"}
        fitting = (each.price for each in self.prices if each.fits(asked, width * height))
        return next(fitting, self.price)

    def aspect(self, size: Size) -> str:
        """The aspect that comes out in *size*; empty for none."""
        return next((aspect for aspect, each in self.shapes.items() if each == size), "")
