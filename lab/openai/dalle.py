"""DALL-E 3 as it was until it was retired: one picture, as a link or in the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.openai.orders import bad, one_of, prompt

NAME = "dall-e-3"
_LONGEST = 4000  # characters of a prompt
_SIZES = ("1024x1024", "1792x1024", "1024x1792")
_FIELDS = frozenset(("prompt", "model", "n", "size", "quality", "style", "response_format", "user"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request that is in order; *usd* is what it costs, which is assumed."""

    prompt: str
    width: int
    height: int
    inline: bool  # the picture comes in the answer
    usd: float


def read(body: Mapping[str, Any]) -> Order:
    """Check *body*; raises Problem."""
    if unknown := sorted(body.keys() - _FIELDS):
        raise bad(unknown[0], f"Unknown parameter: '{unknown[0]}'.", code="unknown_parameter")
    if body.get("n", 1) != 1:
        raise bad("n", "n must be 1.")
    size = one_of(body, "size", _SIZES[0], _SIZES)
    quality = one_of(body, "quality", "standard", ("standard", "hd"))
    one_of(body, "style", "vivid", ("vivid", "natural"))
    kind = one_of(body, "response_format", "url", ("url", "b64_json"))
    width, height = map(int, size.split("x"))
    return Order(
        prompt=prompt(body, _LONGEST),
        width=width,
        height=height,
        inline=kind == "b64_json",
        usd=0.04 + 0.04 * (quality == "hd") + 0.04 * (size != _SIZES[0]),
    )
