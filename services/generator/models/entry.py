"""One model as data: what it takes, what it costs, how long it takes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from services.generator.models.tokens import Tokens
from services.generator.provider import Role

Size = tuple[int, int]  # width and height in pixels
_ALONE = {"extra": "forbid"}  # where a file is checked: no field of another name


def is_asked(wanted: Mapping[str, object], asked: Mapping[str, object]) -> bool:
    """Whether *asked* has all that is *wanted*."""
    return all(asked.get(name) == value for name, value in wanted.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """
    A provider's words for what a request of ours says; empty where it has none.

    *size* takes "WxH", and *aspect* takes "W:H" for a shape of the model's. What neither
    says goes as width and height, and *custom* goes with them. With a *tier*, a parameter that
    names a size by its class ("4K"), an aspect goes as one only beside that. *count* takes the
    number of images. *usual* goes with an order that says nothing of it, *fixed* with every order:
    what a request must not decide.
    """

    __pydantic_config__: ClassVar = _ALONE

    size: str = ""
    aspect: str = ""
    tier: str = ""
    custom: Mapping[str, object] = field(default_factory=dict)
    count: str = ""
    usual: Mapping[str, object] = field(default_factory=dict)
    fixed: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """
    A provider's word, *input*, for *most* input images of some *roles*.

    *many*: it takes a list of them. *needs*: it goes with one of that role alone. *inverted*: the
    provider's masks are black where ours are white. *shape* goes in place of a shape that nobody
    asks for, and with *own_shape* nobody may ask for one; without it, it makes no difference.
    *unless*: where parameters ask for all of that, it takes none.
    """

    input: str
    roles: tuple[Role, ...]
    most: int = 1
    many: bool = False
    needs: Role | None = None
    inverted: bool = False
    shape: Mapping[str, object] | None = None
    own_shape: bool = False
    unless: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """
    What an image costs that is asked for so: *price* in micro-USD.

    *asked* is what its parameters say, and "size" is "WxH"; *pixels* is the most that it has,
    0 for any number. *per* so many pixels it is *price*, and goes with their number; 0: it does
    not.
    """

    __pydantic_config__: ClassVar = _ALONE

    price: int
    pixels: int = 0
    per: int = 0
    asked: Mapping[str, object] = field(default_factory=dict)

    def fits(self, asked: Mapping[str, object], pixels: int) -> bool:
        """Whether this is the price of an image of so many *pixels*, *asked* for so."""
        if self.pixels and pixels > self.pixels:
            return False
        return is_asked(self.asked, asked)

    def of(self, pixels: int) -> int:
        """What an image of so many *pixels* costs, in micro-USD."""
        return -(-self.price * pixels // self.per) if self.per else self.price


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """
    An entry of the registry.

    *shapes* maps "W:H" to a size; the first is the default. *sizes* are drawn beside the
    shapes', and *sides* are the least and the most of a side, in multiples of *step*, where
    any size is drawn: of *most_pixels*, and one side *longest_ratio* times the other at most; 0
    is no limit. *references* take up to *max_references* input images; where there are none of
    them, those may be for whatever the provider makes of them. *seeds* are the least and the
    most of a seed. *price* is one image's in micro-USD, the dearest where they differ; the first
    of *prices* that fits what is asked for is its own, and a parameter of *surcharges* adds so
    much for each that it asks for to an image that is ordered alone; one of *multiples* says of how
    many pictures an image is made that is asked for so; one of *series* says as how many images,
    each of them paid, an image comes at most that is asked for so. An image that is asked for as
    *alone* says is the only one of its call. *typical* and *time_limit* are seconds. From the
    date *retired* on, "YYYY-MM-DD", it is not sold any more, and the model *successor* is.
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
    most_pixels: int = 0
    longest_ratio: float = 0.0
    most_per_call: int = 1  # images
    longest_prompt: int = 32_000  # characters
    max_references: int = 0
    references: tuple[Slot, ...] = ()
    negative_prompt: bool = False
    seed: bool = False
    seeds: tuple[int, int] = (0, 2**31 - 1)  # what any vendor takes that names no range
    previews: bool = False
    media_types: tuple[str, ...] = ("image/png",)
    parameters: Mapping[str, Any] = field(default_factory=dict)  # JSON Schema
    wire: Wire = Wire()
    price: int = 0
    prices: tuple[Price, ...] = ()
    surcharges: Mapping[str, int] = field(default_factory=dict)
    multiples: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    series: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    alone: Mapping[str, object] = field(default_factory=dict)
    tokens: Tokens = field(default_factory=Tokens)  # what an order costs beside its picture
    price_source: str = ""
    price_date: str = ""
    typical: float = 1.0
    time_limit: float = 600.0
    retired: str = ""
    successor: str = ""

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

    def at_once(self, parameters: Mapping[str, object]) -> int:
        """How many images with *parameters* a call brings at most."""
        return 1 if self.alone and is_asked(self.alone, parameters) else self.most_per_call

    def price_of(self, size: Size, parameters: Mapping[str, object], *, alone: bool = True) -> int:
        """What an image of *size* with *parameters* costs, in micro-USD; *alone* in its call."""
        width, height = size
        asked = {**self._asked(parameters), "size": f"{width}x{height}"}
        fitting = (each for each in self.prices if each.fits(asked, width * height))
        own = next((each.of(width * height) for each in fitting), self.price)
        own *= _product(self.multiples, asked)
        more = {name: asked.get(name) for name in self.surcharges if alone}
        counts = {name: each for name, each in more.items() if isinstance(each, int)}
        return own + sum(self.surcharges[name] * each for name, each in counts.items())

    def series_of(self, parameters: Mapping[str, object]) -> int:
        """As how many images one that is ordered with *parameters* may come, each of them paid."""
        return _product(self.series, self._asked(parameters))

    def has_tier(self, parameters: Mapping[str, object]) -> bool:
        """Whether *parameters* name a size by its class, so that no width and height go out."""
        named = parameters.get(self.wire.tier)
        return named is not None and named != self.wire.custom.get(self.wire.tier)

    def _asked(self, parameters: Mapping[str, object]) -> dict[str, object]:
        """The *parameters*, and what is usual where they say nothing."""
        known = self.parameters.get("properties", {})
        usual = {name: each["default"] for name, each in known.items() if "default" in each}
        return {**usual, **self.wire.usual, **parameters}

    def aspect(self, size: Size) -> str:
        """The aspect that comes out in *size*; empty for none."""
        return next((aspect for aspect, each in self.shapes.items() if each == size), "")


def _product(numbers: Mapping[str, Mapping[str, object]], asked: Mapping[str, object]) -> int:
    """Multiply what *asked* has for each of *numbers* of which it has the rest."""
    found = (asked.get(name) for name, so in numbers.items() if is_asked(so, asked))
    return math.prod(each for each in found if isinstance(each, int))
