"""
Recraft, asked directly: raster and vector pictures in the answer, and what they cost.

Its answer has no id to ask for again, and no list: see `answered.py` for what follows from that.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import httpx

from services.generator import provider as seam
from services.generator.providers import answered, transport

BUY = 180.0  # seconds in all for an order
_NO_CREDIT = "Recraft says that the account is empty: buy API units in its profile at recraft.ai"
_NOT_KNOWN = (
    "Recraft does not take the token: set RECRAFT_API_TOKEN to a valid one, then start anew"
)
_LINKS_LIVE = timedelta(hours=24)  # where it answers with links, which nobody orders
_CREDIT = 1000  # micro-USD: 1,000 API units are a dollar
_WORDS = {"seed": "random_seed"}  # ours and theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Recraft(answered.Receipted):
    """Draws through Recraft's API; *http* must stand on `transport.client`."""

    http: httpx.AsyncClient
    patience: float = BUY

    async def buy(
        self, order: seam.Order, receipt: seam.ReceiptSink, _report: seam.Report, /
    ) -> seam.Ticket:
        inputs = {_WORDS.get(name, name): value for name, value in order.inputs.items()}
        body = {"model": order.slug, "response_format": "b64_json", **inputs}
        return await answered.buy(
            self.http,
            self.http.build_request(
                *("POST", "/v1/images/generations"),
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
            told = await answered.outline(self.receipts, ticket)
            drawn = answered.shown(told, _LINKS_LIVE)
            cost = answered.cost(told.get("credits"), _CREDIT)
        except answered.SENSELESS as error:
            yield answered.senseless(error)
            return
        if not drawn:
            charged = None if cost is None else cost > 0
            yield seam.Ended(charged=charged, reason="an answer without a picture")
            return
        yield seam.Drawn(images=tuple(drawn), seconds=None, cost=cost)


def _refusal(answer: httpx.Response) -> seam.ProviderError | None:
    if answer.status_code == 429:
        return transport.busy(answer)
    if answer.status_code not in answered.REFUSALS:
        return None
    return transport.refused(answer, no_credit=_NO_CREDIT, not_known=_NOT_KNOWN)
