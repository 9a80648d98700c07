"""What may be ordered of a model that draws among its words, by generateContent."""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Any

from lab.google.catalogue import Native
from lab.google.fields import one_of, only, plain, wrong
from lab.google.problems import Problem

_FIELDS = ("contents", "generationConfig", "safetySettings", "systemInstruction", "store",
           "tools", "toolConfig", "model")  # fmt: skip
_CONFIG = ("responseModalities", "imageConfig", "candidateCount", "temperature", "topP", "topK",
           "maxOutputTokens", "stopSequences", "seed", "thinkingConfig")  # fmt: skip
_IMAGE = ("aspectRatio", "imageSize")
_KINDS = ("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif")
_BIGGEST = 7 << 20  # bytes of a picture that is shown
_LETTERS = 4  # of a token, about


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    A request that is in order; *talks*: words may come as well.

    *pictures*, by the SHA-256 of each, were shown.
    """

    prompt: str
    pictures: tuple[str, ...]
    ratio: str
    size: str
    talks: bool
    seed: int | None

    @property
    def words(self) -> int:
        """The tokens of its text."""
        return 1 + len(self.prompt) // _LETTERS


def read(found: dict[str, Any], model: Native) -> Order:
    """Check the body *found*; raises Problem."""
    body = only(plain(found), _FIELDS, "")
    texts, pictures = _contents(body.get("contents"))
    if len(pictures) > model.most_pictures:
        raise wrong("contents", f"has {len(pictures)} images; it may have {model.most_pictures}")
    config = only(body.get("generationConfig", {}), _CONFIG, "generation_config")
    if config.get("candidateCount", 1) != 1:
        raise Problem(400, "Multiple candidates is not enabled for this model")
    modalities = config.get("responseModalities", ["TEXT", "IMAGE"])
    if not isinstance(modalities, list) or "IMAGE" not in modalities:
        raise wrong("generation_config.response_modalities", "must have IMAGE")
    where = "generation_config.image_config"
    image = only(config.get("imageConfig", {}), _IMAGE, where)
    return Order(
        prompt="\n".join(texts),
        pictures=tuple(pictures),
        ratio=one_of(image.get("aspectRatio", "1:1"), model.shapes, f"{where}.aspect_ratio"),
        size=one_of(image.get("imageSize", "1K"), model.tokens, f"{where}.image_size"),
        talks="TEXT" in modalities,
        seed=config.get("seed"),
    )


def _contents(found: Any) -> tuple[list[str], list[str]]:
    """The texts, and the SHA-256 of each picture beside them."""
    if not isinstance(found, list) or not found:
        raise Problem(400, "* GenerateContentRequest.contents: contents is not specified")
    texts: list[str] = []
    pictures: list[str] = []
    for number, content in enumerate(found):
        where = f"contents[{number}]"
        parts = only(content, ("role", "parts"), where).get("parts")
        if not isinstance(parts, list) or not parts:
            raise wrong(f"{where}.parts", "must not be empty")
        for place, part in enumerate(parts):
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                texts.append(part["text"])
            else:
                shown = _picture(part, f"{where}.parts[{place}]")
                pictures.append(hashlib.sha256(shown).hexdigest())
    if not any(texts):
        raise wrong("contents", "must have a text")
    return texts, pictures


def _picture(part: Any, where: str) -> bytes:
    data = only(only(part, ("inlineData",), where).get("inlineData"), ("mimeType", "data"), where)
    one_of(data.get("mimeType"), _KINDS, f"{where}.inline_data.mime_type")
    try:
        content = base64.b64decode(str(data.get("data")).encode(), validate=True)
    except (ValueError, binascii.Error):
        raise wrong(f"{where}.inline_data.data", "is no base64") from None
    if not 0 < len(content) <= _BIGGEST:
        raise wrong(f"{where}.inline_data.data", f"has {len(content)} bytes")
    return content
