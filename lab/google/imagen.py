"""Imagen's old contract, ``:predict``: pictures alone, several a call, each refused by itself."""

from dataclasses import dataclass
from typing import Any

from lab.google import catalogue
from lab.google.fields import one_of, only, wrong

_PARAMETERS = ("sampleCount", "aspectRatio", "personGeneration", "safetySetting",
               "includeRaiReason", "outputOptions")  # fmt: skip
_PEOPLE = ("allow_all", "allow_adult", "dont_allow")
_SAFETY = ("block_low_and_above", "block_medium_and_above", "block_only_high")
_KINDS = {"image/png": "png", "image/jpeg": "jpg"}
_MOST = 4  # pictures a call


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request that is in order; *explains*: a picture that is refused is told."""

    prompt: str
    count: int
    ratio: str
    media_type: str
    explains: bool

    @property
    def format(self) -> str:
        return _KINDS[self.media_type]


def read(found: dict[str, Any], model: catalogue.Imagen) -> Order:
    """Check the body *found*; raises Problem."""
    body = only(found, ("instances", "parameters"), "")
    instances = body.get("instances")
    if not isinstance(instances, list) or len(instances) != 1:
        raise wrong("instances", "must be one")
    prompt = only(instances[0], ("prompt",), "instances[0]").get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise wrong("instances[0].prompt", "must be a text")
    asked = only(body.get("parameters", {}), _PARAMETERS, "parameters")
    count = asked.get("sampleCount", 1)
    if type(count) is not int or not 1 <= count <= _MOST:
        raise wrong("parameters.sampleCount", f"must be from 1 to {_MOST}")
    one_of(asked.get("personGeneration", "allow_adult"), _PEOPLE, "parameters.personGeneration")
    one_of(asked.get("safetySetting", _SAFETY[0]), _SAFETY, "parameters.safetySetting")
    output = only(asked.get("outputOptions", {}), ("mimeType", "compressionQuality"), "output")
    return Order(
        prompt=prompt,
        count=count,
        ratio=one_of(asked.get("aspectRatio", "1:1"), model.shapes, "parameters.aspectRatio"),
        media_type=one_of(output.get("mimeType", "image/png"), _KINDS, "output.mimeType"),
        explains=asked.get("includeRaiReason") is True,
    )
