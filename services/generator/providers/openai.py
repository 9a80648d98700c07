"""
OpenAI's image models, asked directly: pictures in the answer, and the tokens that they took.

Its answer has no id to ask for again, and no list: see `answered.py` for what follows from that.
One picture may come as a stream: what comes before it is shown, and forgotten.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import httpx

from chassis import logs
from services.generator import masks
from services.generator import provider as seam
from services.generator.models.tokens import Tokens
from services.generator.providers import answered, openai_errors, transport
from services.generator.providers.previews import Previews

BUY = 300.0  # seconds in all for an order
_MOST_SHOWN = 48 << 20  # bytes of an order's input images
_LOOK = 15.0  # seconds for its list of models
_NO_CREDIT = "OpenAI says that the account is empty: add credit at platform.openai.com"
_NOT_KNOWN = "OpenAI does not take the key: set OPENAI_API_KEY to a valid one, then start anew"
_BLOCKED = "moderation_blocked"
_PERHAPS = "it does not say whether it drew and charges: its usage page tells"
_LINKS_LIVE = timedelta(hours=1)  # those of DALL-E 3
log = logs.get()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAI(answered.Receipted):
    """
    Draws through OpenAI's Images API; *http* must stand on `transport.client`.

    *tokens* are what each model's cost, by its slug.
    """

    http: httpx.AsyncClient
    pictures: seam.Pictures
    tokens: Mapping[str, Tokens]
    patience: float = BUY

    async def buy(
        self, order: seam.Order, receipt: seam.ReceiptSink, report: seam.Report, /
    ) -> seam.Ticket:
        inputs = _inputs(order)
        headers = {"X-Client-Request-Id": order.purchase_id}  # to ask their support about it by
        if order.references:
            path, body = "/images/edits", await answered.ready(self._form(order, inputs))
        else:
            path, body = "/images/generations", {"json": inputs}
        return await answered.buy(
            self.http,
            self.http.build_request("POST", path, headers=headers, **body),
            receipt,
            order.purchase_id,
            patience=self.patience,
            refusal=_refusal,
            watch=Previews(report).feed if inputs.get("stream") else None,
            holds=lambda told: bool(_images(told)),
        )

    async def follow(
        self, ticket: seam.Ticket, /
    ) -> AsyncIterator[seam.Working | seam.Drawn | seam.Ended]:
        try:
            told = await answered.events(self.receipts, ticket)
            yield self._event(told, self.tokens.get(ticket.slug))
        except answered.SENSELESS as error:
            yield answered.senseless(error)

    async def ends(self, /) -> Mapping[str, date]:
        """Read the list of models, each of which says when it is switched off."""
        answer = await transport.answer(self.http.get("/models"), _LOOK)
        listed = transport.plainly(answer).get("data")
        if not answer.is_success or not isinstance(listed, list):
            raise transport.error(seam.Unclear, answer)
        told = {each.get("id"): each.get("shutdown_date") for each in answered.objects(listed)}
        if listed and not any(isinstance(slug, str) for slug in told):
            raise seam.Unclear("OpenAI's list of models names none")
        days = {slug: _day(slug, said) for slug, said in told.items() if isinstance(slug, str)}
        return {slug: day for slug, day in days.items() if day}

    async def _form(self, order: seam.Order, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The form of an edit: what is changed comes first, the rest beside it."""
        mask = [each for each in order.references if each.role is seam.Role.MASK]
        shown = [each for each in order.references if each.role is not seam.Role.MASK]
        shown.sort(key=lambda each: each.role is not seam.Role.EDIT_BASE)
        if len(mask) > 1 or not shown or (mask and shown[0].role is not seam.Role.EDIT_BASE):
            raise seam.Unfit("OpenAI takes one mask at most, and with it an image to change")
        read: dict[str, bytes] = {}
        for each in shown:
            read[each.asset] = read.get(each.asset) or await self.pictures.read(each.asset)
            if sum(map(len, read.values())) > _MOST_SHOWN:
                raise seam.Unfit(f"the input images have more than {_MOST_SHOWN} bytes in all")
        contents = [read[each.asset] for each in shown]
        files = [
            ("image[]", (str(number), content, each.media_type))
            for number, (each, content) in enumerate(zip(shown, contents, strict=True))
        ]
        if mask:
            drawn = await self.pictures.read(mask[0].asset)
            file = await asyncio.to_thread(masks.alpha, drawn)
            files.append(("mask", ("mask.png", file, "image/png")))
        data = dict(_fields(inputs))
        return {"data": data, "files": files}

    def _event(self, told: list[Any], tokens: Tokens | None) -> seam.Drawn | seam.Ended:
        told = answered.objects(told)
        found = [image for each in told for image in _images(each)]
        usage = next((each["usage"] for each in told if each.get("usage")), None)
        cost = _cost(usage, tokens)
        if found:
            return seam.Drawn(images=tuple(found), seconds=None, cost=cost)
        errors = answered.objects([each.get("error") for each in told])
        error: dict[str, Any] = next(iter(errors), {})
        return seam.Ended(
            charged=None if cost is None else cost > 0,
            reason=str(error.get("message") or "an answer without a picture")[:500],
            content=error.get("code") == _BLOCKED,
            cost=cost,
        )


def _day(slug: str, said: Any) -> date | None:
    """When it ends; one date that nobody understands spoils no other."""
    try:
        return date.fromisoformat(said) if said else None
    except (ValueError, TypeError):
        log.warning("when a model ends makes no sense", provider="openai", slug=slug, said=said)
        return None


def _inputs(order: seam.Order) -> dict[str, Any]:
    """What is sent; a stream brings one picture, so that several come without a preview."""
    inputs = {"model": order.slug, **order.inputs}
    if (partial := inputs.pop("partial_images", 0)) and inputs.get("n", 1) == 1:
        inputs |= {"stream": True, "partial_images": partial}
    return inputs


def _fields(inputs: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    """The fields of a form; what is *within* another one has its name in brackets."""
    for name, value in inputs.items():
        field = f"{within}[{name}]" if within else name
        if isinstance(value, dict):
            yield from _fields(value, field)
        else:
            yield field, _text(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _images(told: Mapping[str, Any]) -> list[seam.Inline | seam.Link]:
    """The finished pictures of an answer, or of an event of one."""
    if str(told.get("type", "")).endswith(".completed"):
        return [*answered.pictures([told.get("b64_json")])]
    return answered.shown(told, _LINKS_LIVE)


def _cost(usage: Any, tokens: Tokens | None) -> int | None:
    """What the tokens of *usage* cost, in micro-USD; None where that is not told."""
    if not usage or not tokens:
        return None
    try:
        read = usage["input_tokens_details"]
        return tokens.cost(
            text_in=answered.count(read["text_tokens"]),
            image_in=answered.count(read["image_tokens"]),
            image_out=answered.count(usage["output_tokens"]),
        )
    except answered.SENSELESS:  # the pictures are there, whatever stands beside them
        return None


def _stage(error: Mapping[str, Any]) -> object:
    """Where its moderation looked: only what was stopped at the input was surely not drawn."""
    details = error.get("moderation_details")
    return details.get("moderation_stage") if isinstance(details, dict) else None


def _refusal(answer: httpx.Response) -> seam.ProviderError | None:
    error, why = transport.own_error(answer), transport.error(seam.Refused, answer)
    if openai_errors.is_of_account(error):
        return seam.NoCredit(f"{_NO_CREDIT} ({why})")
    if answer.status_code == 429:
        return transport.busy(answer)
    if answer.status_code not in answered.REFUSALS:
        return None
    if error.get("code") == _BLOCKED:
        if _stage(error) == "input":
            return seam.ContentRefused(str(why))
        return seam.Withheld(f"{why}; {_PERHAPS}")
    return transport.refused(answer, no_credit=_NO_CREDIT, not_known=_NOT_KNOWN)
