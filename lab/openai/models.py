"""What OpenAI sells: its image models, with the tokens that a picture takes and their prices."""

from collections.abc import Mapping
from dataclasses import dataclass

SQUARE = 1024 * 1024  # pixels of the picture that `tokens` are told for
_TWO = {"low": 196, "medium": 1756, "high": 7024}
_LATER = {"low": 196, "medium": 439, "high": 1756, "xhigh": 3122, "max": 7024}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """
    *tokens* are a square picture's by quality; prices are in dollars for a million tokens.

    *created* is when it came, in seconds since 1970; *seconds* its usual time. One that *moves*
    draws animations, too, and drawings.
    """

    tokens: Mapping[str, int]
    created: int
    text: float = 5.0
    image: float = 8.0
    drawn: float = 30.0
    seconds: float = 20.0
    moves: bool = False


# The tokens of gpt-image-2 follow from its prices; 2.6 is assumed to be like 2.5.
MODELS = {
    "gpt-image-2": Model(tokens=_TWO, created=1776729600),
    "gpt-image-2.5-sunburst": Model(tokens=_LATER, created=1788825600),
    "gpt-image-2.5-flare": Model(tokens=_LATER, created=1788825600, seconds=8.0),
    "gpt-image-2.6-sunburst": Model(tokens=_LATER, created=1793750400, moves=True),
    "gpt-image-2.6-flare": Model(tokens=_LATER, created=1793750400, seconds=8.0, moves=True),
}
