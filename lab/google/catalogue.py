"""Google's models that draw: what each takes, what its tokens cost, how long it takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Size = tuple[int, int]

# At 1K; 2K and 4K are twice and four times as much each way.
_PRO = {
    "1:1": (1024, 1024), "2:3": (848, 1264), "3:2": (1264, 848), "3:4": (896, 1200),
    "4:3": (1200, 896), "4:5": (928, 1152), "5:4": (1152, 928), "9:16": (768, 1376),
    "16:9": (1376, 768), "21:9": (1584, 672),
}  # fmt: skip
_FLASH = _PRO | {"1:4": (512, 2048), "4:1": (2048, 512), "1:8": (384, 3072), "8:1": (3072, 384)}
_FACTORS = {"1K": 1, "2K": 2, "4K": 4}
_PICTURES = {"1:1": (1024, 1024), "3:4": (896, 1280), "4:3": (1280, 896),
             "9:16": (768, 1408), "16:9": (1408, 768)}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """
    A model that draws among its words.

    *tokens* are those of a picture by its size; dollars for a million: *read* of any kind,
    *written*, *drawn*. *seen* are the tokens of a picture that it is shown.
    """

    shapes: Mapping[str, Size]
    tokens: Mapping[str, int]
    seen: int
    read: float
    written: float
    drawn: float
    thoughts: int
    seconds: float
    most_pictures: int = 14  # that it is shown

    def size(self, ratio: str, size: str) -> Size:
        width, height = self.shapes[ratio]
        return width * _FACTORS[size], height * _FACTORS[size]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imagen:
    """A model of pictures alone, *usd* each; gone since *ended*, a day."""

    usd: float
    ended: str
    shapes: Mapping[str, Size]
    seconds: float = 4.0


# Prices: Google's list, cited by LiteLLM 1.109.1. The tokens of a picture: Google's documentation
# of the pro model; those of 2.1 at 2K and 4K are its predecessor's, and so assumed.
NATIVE = {
    "gemini-nano-banana-2.1": Native(
        shapes=_FLASH, tokens={"1K": 1120, "2K": 1680, "4K": 2520}, seen=1120,
        read=1.5, written=7.5, drawn=30.0, thoughts=60, seconds=8.0,
    ),
    "gemini-3-pro-image": Native(
        shapes=_PRO, tokens={"1K": 1120, "2K": 1120, "4K": 2000}, seen=560,
        read=2.0, written=12.0, drawn=120.0, thoughts=180, seconds=18.0,
    ),
}  # fmt: skip
IMAGEN = {
    "imagen-3.0-generate-002": Imagen(usd=0.04, ended="2026-08-17", shapes=_PICTURES),
    "imagen-3.0-fast-generate-001": Imagen(usd=0.02, ended="2026-08-17", shapes=_PICTURES),
}


def listed(*, retired: bool) -> list[dict[str, Any]]:
    """The models as `GET /models` tells them, with those that are *retired* as well."""
    told = [_told(name, "generateContent") for name in NATIVE]
    return told + ([_told(name, "predict") for name in IMAGEN] if retired else [])


def _told(name: str, method: str) -> dict[str, Any]:
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name,
        "inputTokenLimit": 65_536,
        "outputTokenLimit": 32_768,
        "supportedGenerationMethods": [method],
    }
