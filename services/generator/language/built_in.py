"""
The built-in suggester and analyst behind the calls: no key, no network, no cost.

Both are imported on the thread that first works with them: a start does not wait for them.
"""

import asyncio
import io
import secrets
from dataclasses import dataclass

from services.generator.language.findings import Finding, Suggestion
from services.generator.language.seam import Picture

BUILT_IN = "built-in"  # said in place of a language model's key
_FORMATS = ("WEBP", "PNG", "JPEG")  # what storage makes thumbnails in


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """Works on a thread: both are quick, and the loop is everybody's."""

    async def suggest(self, idea: str, count: int) -> list[Suggestion]:
        """Propose *count* prompts, others each time."""
        return await asyncio.to_thread(_suggest, idea, count)

    async def analyze(self, picture: Picture) -> Finding:
        """Measure a *picture* that storage has made."""
        return await asyncio.to_thread(_analyze, picture.content)


def _suggest(idea: str, count: int) -> list[Suggestion]:
    from services.generator.language.builtin.suggester import suggest

    return suggest(idea, count, secrets.randbits(32))


def _analyze(content: bytes) -> Finding:
    from PIL import Image

    from services.generator.language.builtin.analyst import analyze

    with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
        pixels = opened.convert("RGB")
    return analyze(pixels.tobytes(), pixels.width, pixels.height)
