"""What an order costs beside its pictures, where a vendor counts tokens."""

import math
from dataclasses import dataclass
from typing import ClassVar

_LETTERS = 4  # bytes of a usual token; the least is one
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """
    Prices of a million tokens in micro-USD, by what they are of.

    *shown* are the tokens of an input image, *beside* the most of words that usually come
    beside a picture, said or only thought.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # where a file is checked

    text_in: int = 0
    image_in: int = 0
    text_out: int = 0
    image_out: int = 0
    shown: int = 0
    beside: int = 0

    def __bool__(self) -> bool:
        """Whether any token has a price."""
        return any((self.text_in, self.image_in, self.text_out, self.image_out))

    def cost(
        self, *, text_in: float = 0, image_in: int = 0, text_out: int = 0, image_out: int = 0
    ) -> int:
        """What so many tokens cost, to the next micro-USD."""
        micros = text_in * self.text_in + image_in * self.image_in
        return math.ceil(
            (micros + text_out * self.text_out + image_out * self.image_out) / _MILLION
        )

    def expected(self, prompt: str, shown: int) -> int:
        """What *prompt* and so many input images usually cost in a call, in micro-USD."""
        length = len(prompt.encode("utf-8", "surrogatepass"))
        return self.cost(text_in=length / _LETTERS, image_in=shown * self.shown)

    def most(self, prompt: str, shown: int, drawn: int) -> int:
        """The most that they cost with the words beside so many *drawn* pictures, in micro-USD."""
        length = len(prompt.encode("utf-8", "surrogatepass"))
        beside = drawn * self.beside
        return self.cost(text_in=length, image_in=shown * self.shown, text_out=beside)
