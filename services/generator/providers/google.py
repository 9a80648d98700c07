"""
Google, asked directly by the Gemini API: models that draw among their words, and Imagen's old
contract, which Google has switched off and which is kept for what was drawn by it.

Its answer has no id to ask for again, and no list: see `answered.py` for what follows from that.
A refusal comes as a good answer, and what it says it has used is what it costs.
"""

import base64
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from services.generator import provider as seam
from services.generator.models.tokens import Tokens
from services.generator.providers import answered, google_errors, transport

BUY = 300.0  # seconds in all for an order
_MOST_SHOWN = 20 << 20  # bytes of all input images; each is in memory about three times
_NO_CREDIT = "Google wants billing to be set up for the key's project: see aistudio.google.com"
_NOT_KNOWN = "Google does not take the key: set GEMINI_API_KEY to a valid one, then start anew"
_WORDS = {  # ours and theirs
    "aspect_ratio": "aspectRatio",
    "image_size": "imageSize",
    "person_generation": "personGeneration",
    "safety_setting": "safetySetting",
}
_ROLES = {  # what is said before an input image
    seam.Role.ANY: "An image to go by:",
    seam.Role.STYLE: "Take the style of this image, and nothing else of it:",
    seam.Role.SUBJECT: "Draw who or what this image shows:",
    seam.Role.STRUCTURE: "Take the composition of this image, and nothing else of it:",
    seam.Role.EDIT_BASE: "This is the image to change; what is not spoken of stays as it is:",
}
_OF_CONTENT = frozenset(  # reasons of an end that blame what was asked for
    (
        *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"),
        *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Google(answered.Receipted):
    """
    Draws through the Gemini API; *http* must stand on `transport.client`.

    *tokens* are what each model's cost, by its slug.
    """

    http: httpx.AsyncClient
    pictures: seam.Pictures
    tokens: Mapping[str, Tokens]
    patience: float = BUY

    async def buy(
        self, order: seam.Order, receipt: seam.ReceiptSink, _report: seam.Report, /
    ) -> seam.Ticket:
        if order.slug.startswith("imagen-"):
            path, body = f"/v1beta/models/{order.slug}:predict", _prediction(order)
        else:
            path, body = (
                f"/v1/models/{order.slug}:generateContent",
                await answered.ready(self._content(order)),
            )
        return await answered.buy(
            self.http,
            self.http.build_request(
                *("POST", path),
                json=body,
                headers={"X-Request-Id": order.purchase_id},  # to ask their support about it by
            ),
            receipt,
            order.purchase_id,
            patience=self.patience,
            refusal=_refusal,
        )

    async def follow(
        self, ticket: seam.Ticket, /
    ) -> AsyncIterator[seam.Working | seam.Drawn | seam.Ended]:
        try:
            yield self._event(await answered.outline(self.receipts, ticket))
        except answered.SENSELESS as error:
            yield answered.senseless(error)

    async def _content(self, order: seam.Order) -> dict[str, Any]:
        """An order that is not stored there; its input images follow its words."""
        inputs = {_WORDS.get(name, name): value for name, value in order.inputs.items()}
        parts: list[dict[str, Any]] = [{"text": inputs.pop("prompt")}]
        left = _MOST_SHOWN
        for shown in order.references:
            if shown.role not in _ROLES:
                raise seam.Unfit(f"Google takes no input image as {shown.role.value}")
            content = await self.pictures.read(shown.asset)
            left -= len(content)
            if left < 0:
                raise seam.Unfit(f"the input images have more than {_MOST_SHOWN} bytes in all")
            data = base64.b64encode(content).decode()
            parts.append({"text": _ROLES[shown.role]})
            parts.append({"inlineData": {"mimeType": shown.media_type, "data": data}})
        return {
            "contents": [{"role": "user", "parts": parts}],
            "generationConfig": {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": inputs},
            "store": False,
        }

    def _event(self, told: dict[str, Any]) -> seam.Drawn | seam.Ended:
        images, version = _images(told), str(told.get("modelVersion", ""))
        known = [slug for slug in self.tokens if version.startswith(slug)]
        tokens = self.tokens[max(known, key=len)] if known else None
        cost = _cost(told.get("usageMetadata"), tokens, len(images))
        if images:
            return seam.Drawn(images=images, seconds=None, cost=cost, version=version)
        return _end(told, cost)


def _cost(usage: Any, tokens: Tokens | None, images: int) -> int | None:
    """What the tokens of *usage* cost, in micro-USD; None where it is not told, or has no price."""
    try:
        return _priced(usage, tokens, images) if usage and tokens else None
    except answered.SENSELESS:  # the pictures are there, whatever stands beside them
        return None


def _priced(usage: Mapping[str, Any], tokens: Tokens, images: int) -> int | None:
    read = _count(usage, "promptTokenCount") + _count(usage, "toolUsePromptTokenCount")
    made = _count(usage, "candidatesTokenCount")
    if images and not made:
        return None
    shown = min(read, _of_images(usage.get("promptTokensDetails")))
    drawn = min(made, _of_images(usage.get("candidatesTokensDetails")))
    if images and not drawn:  # it does not tell them apart: at the dearest
        drawn = made
    return tokens.cost(
        text_in=read - shown,
        image_in=shown,
        text_out=made - drawn + _count(usage, "thoughtsTokenCount"),
        image_out=drawn,
    )


def _prediction(order: seam.Order) -> dict[str, Any]:
    inputs = {_WORDS.get(name, name): value for name, value in order.inputs.items()}
    instances = [{"prompt": inputs.pop("prompt")}]
    return {"instances": instances, "parameters": {**inputs, "includeRaiReason": True}}


def _images(told: dict[str, Any]) -> tuple[seam.Inline, ...]:
    """The pictures among its words; what it only thought of is none."""
    datas = answered.objects([part.get("inlineData") for part in _parts(told)])
    found = [data.get("data") for data in datas if str(data.get("mimeType")).startswith("image/")]
    found += [old.get("bytesBase64Encoded") for old in answered.objects(told.get("predictions"))]
    return answered.pictures(found)


def _parts(told: dict[str, Any]) -> list[dict[str, Any]]:
    candidates = answered.objects(told.get("candidates"))
    contents = answered.objects([each.get("content") for each in candidates])
    parts = [part for content in contents for part in answered.objects(content.get("parts"))]
    return [part for part in parts if not part.get("thought")]


def _of_images(details: Any) -> int:
    """The tokens of pictures among *details*."""
    told = [each for each in details or () if each.get("modality") == "IMAGE"]
    return sum(_count(each, "tokenCount") for each in told)


def _count(told: Mapping[str, Any], name: str) -> int:
    return answered.count(told.get(name, 0))


def _end(told: dict[str, Any], cost: int | None) -> seam.Ended:
    """Why there is no picture, in its own words."""
    blocked = told.get("promptFeedback", {}).get("blockReason", "")
    first: dict[str, Any] = next(iter(answered.objects(told.get("candidates"))), {})
    old = answered.objects(told.get("predictions"))
    filtered = [each["raiFilteredReason"] for each in old if "raiFilteredReason" in each]
    why = [blocked, first.get("finishReason"), first.get("finishMessage"), *filtered]
    why += [part["text"] for part in _parts(told) if isinstance(part.get("text"), str)]
    return seam.Ended(
        charged=None if cost is None else cost > 0,
        reason=": ".join(str(each) for each in why if each)[:500] or "an answer without a picture",
        cost=cost,
        content=bool(blocked or filtered or first.get("finishReason") in _OF_CONTENT),
    )


def _refusal(answer: httpx.Response) -> seam.ProviderError | None:
    status, error = answer.status_code, transport.own_error(answer)
    wait = google_errors.wait(error)
    if status == 429:
        return transport.busy(answer, wait)
    if status == 503 and google_errors.is_overloaded(error):
        return transport.error(seam.Unavailable, answer, wait)
    if status not in answered.REFUSALS:
        return None
    why = transport.error(seam.Refused, answer)
    if google_errors.is_of_account(error):
        return seam.NoCredit(f"{_NO_CREDIT} ({why})")
    if google_errors.is_of_key(status, error):
        return seam.NotKnown(f"{_NOT_KNOWN} ({why})")
    return transport.refused(answer, no_credit=_NO_CREDIT, not_known=_NOT_KNOWN)
