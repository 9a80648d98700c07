"""What a model that draws among its words answers, and what its tokens cost."""

import base64
import hashlib
import math
from dataclasses import dataclass
from typing import Any

from lab.google.catalogue import Native
from lab.google.orders import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The tokens of one call."""

    words: int
    seen: int = 0  # of pictures that it was shown
    said: int = 0
    drawn: int = 0
    thought: int = 0

    def usd(self, model: Native) -> float:
        """What they cost in dollars, to the next millionth."""
        read = (self.words + self.seen) * model.read
        written = (self.said + self.thought) * model.written
        return math.ceil(read + written + self.drawn * model.drawn) / 1e6

    def told(self) -> dict[str, Any]:
        """The usageMetadata; what there is none of is left out, as it is there."""
        prompt, made = self.words + self.seen, self.said + self.drawn
        found: dict[str, Any] = {
            "promptTokenCount": prompt,
            "candidatesTokenCount": made,
            "thoughtsTokenCount": self.thought,
            "totalTokenCount": prompt + made + self.thought,
            "promptTokensDetails": _details(TEXT=self.words, IMAGE=self.seen),
            "candidatesTokensDetails": _details(TEXT=self.said, IMAGE=self.drawn),
        }
        return {name: value for name, value in found.items() if value}


def _details(**tokens: int) -> list[dict[str, Any]]:
    return [{"modality": name, "tokenCount": count} for name, count in tokens.items() if count]


def asked(order: Order, model: Native) -> Usage:
    """The tokens of a call that brings nothing."""
    return Usage(words=order.words, seen=len(order.pictures) * model.seen)


def drawn(order: Order, model: Native) -> Usage:
    """The tokens of a call that brings a picture, perhaps with words."""
    return Usage(
        words=order.words,
        seen=len(order.pictures) * model.seen,
        said=len(_CAPTION) // 4 if order.talks else 0,
        drawn=model.tokens[order.size],
        thought=model.thoughts,
    )


_CAPTION = "Here is the picture that you asked for."


def candidate(order: Order, media_type: str, picture: bytes) -> dict[str, Any]:
    """What was drawn; with a signature of what was thought, which is base64, too, and long."""
    signature = base64.b64encode(hashlib.sha512(picture).digest() * 8).decode()
    image: dict[str, Any] = {
        "inlineData": {"mimeType": media_type, "data": base64.b64encode(picture).decode()},
        "thoughtSignature": signature,
    }
    words: list[dict[str, Any]] = [{"text": _CAPTION}] if order.talks else []
    content = {"role": "model", "parts": [*words, image]}
    return {"content": content, "finishReason": "STOP", "index": 0}


def ended(reason: str, message: str, text: str = "") -> dict[str, Any]:
    """A candidate without a picture."""
    found: dict[str, Any] = {"finishReason": reason, "finishMessage": message, "index": 0}
    return found | ({"content": {"role": "model", "parts": [{"text": text}]}} if text else {})
