"""
Replicate: FLUX, Recraft, Ideogram and Seedream behind one predictions API.

We speak HTTP rather than use their client: 1.0.7 has no timeout on a purchase, drops
retry_after, and cannot read a prediction whose status is "aborted".
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from time import monotonic
from typing import Any, TypeAlias
from urllib.parse import quote

import httpx

from chassis import logs
from services.generator import provider as seam
from services.generator.providers import predictions, replicate_webhooks, transport
from services.generator.providers.account import Account, named
from services.generator.providers.crowd import Crowd
from services.generator.providers.dates import Dates
from services.generator.providers.lookups import Lookups, Page
from services.generator.providers.predictions import Prediction
from services.generator.providers.replicate_files import Files, Given, refused
from services.generator.wakeful import Clock, Wakeful

Pause: TypeAlias = Callable[[str, float], Awaitable[None]]

_REFUSALS = frozenset({400, 401, 402, 403, 404, 413, 422})
BUY, _ASK = 45.0, 30.0  # seconds in all for an order, and for anything that is free
_FOR_THE_ORDER = 15.0  # seconds of them that its input images leave
_AGAIN = (0.5, 1.0, 2.0)  # seconds between looks that failed, before a follow gives up
_BLIND = 30.0  # seconds after an answer that another look will not better: 401, 404 …
_UNSHOWN = (1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between looks for what may be shown late
_RARER = (0.5, 0.8, 1.2, 1.8, 2.7, 4.0)
_MOST_PAGES = 200
_RECENT = timedelta(minutes=20)  # of 600 orders a minute, Replicate's most, 120 pages
_MOST_BYTES = 128 << 20  # of an answer: a page of 100 orders may show 0.7 MB of each
_SECRET_LIVES = 60.0  # seconds in which a forged webhook does not make us ask for it anew
_ANOTHERS = (
    "it was ordered from another account of Replicate's than REPLICATE_API_TOKEN is of now: "
    "only a token of that one tells what became of it"
)
log = logs.get()


async def _sleep(_reference: str, seconds: float) -> None:
    await asyncio.sleep(seconds)


@dataclass(slots=True)
class _Shown:
    """
    What a listing shows of an order, newest first; *unsure* counts what nobody can tell.

    By the provider's clock it *began* with its first page, and *ended* with its last.
    """

    named: list[seam.Ticket] = field(default_factory=list)
    alike: list[str] = field(default_factory=list)
    unsure: int = 0
    pages: int = 0
    began: datetime | None = None
    ended: datetime | None = None

    def note(self, page: Page) -> None:
        """Take note of when the next page was read."""
        if not self.pages:
            self.began = page.asked
        self.pages, self.ended = self.pages + 1, page.told

    def looked(self, tickets: Sequence[seam.Ticket]) -> seam.Looked:
        return seam.Looked(tickets, self.began, self.ended)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicate:
    """
    Draws through Replicate's predictions API.

    *http* must stand on `transport.client`. *usual* and *prices* are by the provider's word
    for a model. *pause* is told whose next look it holds up; it may end early. *rarer*: seconds
    between looks once the usual time is over. *patience* is in seconds, for an order.
    """

    http: httpx.AsyncClient
    files: Files
    hook: httpx.URL | None  # where webhooks come in; None: polling alone
    usual: Mapping[str, float]  # seconds that a model usually takes
    prices: Mapping[str, int] = field(default_factory=dict)  # micro-USD an image
    pause: Pause = _sleep
    rarer: Sequence[float] = _RARER
    patience: float = BUY
    crowd: Crowd = field(default_factory=Crowd, repr=False)
    _lookups: Lookups = field(default_factory=Lookups, repr=False)
    _old_lookups: Lookups = field(default_factory=Lookups, repr=False)  # nobody waits for these
    whose: Account = field(default_factory=Account, repr=False)
    clock: Clock = monotonic
    wakeful: Callable[[], Clock] = Wakeful
    _secrets: list[tuple[str, float]] = field(default_factory=list, repr=False)  # since when
    _one_asks: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    _dates: Dates = field(default_factory=Dates, repr=False)

    async def aclose(self) -> None:
        """End what goes on beside the orders, while *http* is still open."""
        for each in (self.files, self.crowd, self._lookups, self._old_lookups, self.whose):
            await each.beside.close()

    async def buy(
        self, order: seam.Order, _receipt: seam.ReceiptSink, _report: seam.Report, /
    ) -> seam.Ticket:
        until = asyncio.get_running_loop().time() + self.patience
        body: dict[str, object] = {"input": dict(order.inputs)}
        if order.references:
            body["input"] = {**order.inputs, **await self._given(order, until)}
        if self.hook:
            hook = self.hook.copy_set_param("purchase_id", order.purchase_id)
            body |= {"webhook": str(hook), "webhook_events_filter": ["logs", "completed"]}
        path, stop = f"/v1/models/{order.slug}/predictions", f"{order.give_up_after}s"
        asking = self.http.post(path, json=body, headers={"Cancel-After": stop})
        left = until - asyncio.get_running_loop().time()
        answer = await transport.answer(asking, left, never_sent=seam.Unavailable)
        if answer.status_code == 429:
            raise transport.busy(answer)
        if answer.status_code in _REFUSALS:
            raise refused(answer)
        reference = transport.plainly(answer).get("id")
        if answer.is_success and reference and isinstance(reference, str):
            return seam.Ticket(reference, allowance=transport.allowance(answer))
        raise transport.error(seam.Unclear, answer)  # 5xx, or bought and the answer is illegible

    async def _given(self, order: seam.Order, until: float) -> Given:
        """What the order's input images are; Unavailable where too little time is left then."""
        clock, latest = self.wakeful(), until - _FOR_THE_ORDER
        began, left = clock(), latest - asyncio.get_running_loop().time()
        given = await self.files.given(order, until=latest)
        if clock() - began > left:  # whoever slept may not order any more
            raise seam.NotReady("it took too long to hand over its input images")
        return given

    async def follow(
        self, ticket: seam.Ticket, /
    ) -> AsyncIterator[seam.Working | seam.Drawn | seam.Ended]:
        delays: Iterator[float] | None = None
        most: float | None = None
        unshown = iter(_UNSHOWN)
        alone = True  # the first look, and one after a hint, wait for no listing
        with self.crowd.with_one_more(ticket.reference):
            while True:
                found = await self._seen(ticket.reference, alone=alone)
                if self._may_be_shown(found) and (wait := next(unshown, None)):
                    alone = await self._paused(ticket.reference, wait)
                    continue
                event = predictions.event(found, self.prices)
                if not isinstance(event, seam.Working):
                    break
                if event.fraction is not None:  # a second bar in the logs begins anew
                    most = max(most or 0.0, event.fraction)
                yield seam.Working(most)
                usual = self.usual.get(str(found.get("model")), 2.0)
                delays = delays or chain([usual], self.rarer, repeat(5.0))
                alone = await self._paused(ticket.reference, next(delays))
        yield event

    def _may_be_shown(self, found: predictions.Prediction) -> bool:
        """Whether its output may still come: whoever takes it over late waits no second time."""
        now, ended = self._dates.now(), predictions.time(found, "completed_at")
        is_late = now and ended and now - ended > timedelta(seconds=sum(_UNSHOWN))
        return predictions.is_unshown(found) and not is_late

    async def look_up(self, order: seam.Order, /) -> seam.Looked:
        began, since = self._dates.clock(), predictions.since(order)
        shown = await self._shown(order, since)
        ahead = self._dates.behind(order.asked, began) if order.asked else None
        if ahead and ahead > predictions.SLACK / 2:  # by their clock it may have left before
            shown = await self._shown(order, predictions.since(order, ahead))
        if shown.named:  # so was whatever else this order may have bought
            return shown.looked(shown.named[::-1])
        doubt = await self._doubt_whose(order) or _doubt(shown, ahead)
        if doubt and not shown.alike:
            raise seam.Unclear(doubt)
        unsure = bool(doubt)
        return shown.looked([seam.Ticket(r, alike=True, unsure=unsure) for r in shown.alike[::-1]])

    async def account(self, /) -> str:
        return await self.whose.told(self._account) or self.whose.token

    async def _account(self) -> str:
        told = await self._get("/v1/account")
        return named(told.get("type"), told.get("username"))

    async def _doubt_whose(self, order: seam.Order) -> str:
        """Why the list may not be that of *order*'s account; Unclear where it surely is not."""
        match await self.whose.is_of(order.account, self._account):
            case None:
                return "nobody knows whether it was ordered from the account that tells its list"
            case False:
                raise seam.Unclear(_ANOTHERS, retry_after=_BLIND)
        return ""

    async def _shown(self, order: seam.Order, since: datetime) -> _Shown:
        """All that a listing shows of *order* since then."""
        shown = _Shown()

        async def take(page: Page) -> None:
            shown.note(page)
            for each in page.shown:
                match await self._belongs(each, order, since):
                    case True if predictions.is_named(each):
                        shown.named.append(seam.Ticket(predictions.reference(each)))
                    case True:
                        shown.alike.append(predictions.reference(each))
                    case None:
                        shown.unsure += 1

        old = order.asked is not None and predictions.since(order) < order.asked - _RECENT
        lookups = self._old_lookups if old else self._lookups
        await lookups.read(since, take, self._listed)
        return shown

    async def sold(self, since: datetime, until: datetime, /) -> AsyncIterator[seam.Sold]:
        """Those of which a webhook was asked for: nothing else tells whose they are."""
        hook = str(self.hook or "")
        async for page in self._listed(since, until):
            for each in page.shown:
                named, ours = predictions.named(each), predictions.is_sent_to(each, hook)
                if named or ours:
                    yield seam.Sold(
                        reference=predictions.reference(each), purchase_id=named, ours=ours
                    )

    async def recognize(self, order: seam.Order, ticket: seam.Ticket, /) -> bool:
        """Look at *ticket*; False where it is not *order*'s, or there is none."""
        answer = await self._answer(_path(ticket.reference))
        if answer.status_code == 404:
            return False
        owned = await self._belongs(_legible(answer), order, predictions.since(order))
        if owned is None:
            raise seam.Unclear(f"{ticket.reference} shows no more whose it is")
        return owned

    async def _belongs(self, found: Prediction, order: seam.Order, since: datetime) -> bool | None:
        """As `predictions.belongs`, which does not look at input images."""
        owned = predictions.belongs(found, order, since)
        if not owned or predictions.is_named(found):
            return owned
        return await self.files.same(order, predictions.inputs(found))

    async def cancel(self, ticket: seam.Ticket, /) -> None:
        asking = self.http.post(f"{_path(ticket.reference)}/cancel")
        try:
            answer = await transport.answer(asking, _ASK)
            if not answer.is_success:
                raise transport.error(seam.Unclear, answer)
        except seam.ProviderError as error:
            log.warning("not canceled at the provider", ticket=ticket.reference, error=str(error))

    async def open_webhook(self, headers: Mapping[str, str], body: bytes, /) -> seam.Webhook:
        if self.hook is None:
            raise seam.Forged("no webhook was asked for")
        secret = await self._secret(math.inf)
        try:
            return await replicate_webhooks.opened(headers, body, secret)
        except seam.Forged:
            anew = await self._secret(_SECRET_LIVES)
            if anew == secret:
                raise
            return await replicate_webhooks.opened(headers, body, anew)

    # -- looking

    async def _paused(self, reference: str, seconds: float) -> bool:
        """Wait until the next look; True where a hint cut the wait short."""
        now = asyncio.get_running_loop().time
        began = now()
        await self.pause(reference, seconds)
        return now() - began < 0.9 * seconds

    async def _seen(self, reference: str, *, alone: bool) -> Prediction:
        """Look; what may be gone at the next look does not end the follow."""
        for wait in _AGAIN:
            try:
                return await self._look(reference, alone=alone)
            except seam.Unclear as error:
                if error.retry_after is not None:
                    raise
                log.info("looking again", ticket=reference, error=str(error))
            await self.pause(reference, wait)
        return await self._look(reference, alone=alone)

    async def _look(self, reference: str, *, alone: bool) -> Prediction:
        """Believe the shared listing where it is still drawn; the end is asked for itself."""
        told = None
        if not alone:
            with contextlib.suppress(seam.Unclear):  # then its own look tells what is wrong
                told = await self.crowd.told_of(reference, self._newest)
        return told or await self._get(_path(reference))

    async def _get(self, path: str) -> dict[str, Any]:
        answer = await self._answer(path)
        found = _legible(answer)
        self._dates.hear(answer)  # a gateway's page of an error has a clock of its own
        return found

    async def _answer(self, path: str) -> httpx.Response:
        return await transport.answer(transport.within(self.http, path, _MOST_BYTES), _ASK)

    async def _listed(self, since: datetime, until: datetime | None = None) -> AsyncIterator[Page]:
        """All that was created after *since*, to the very end; Unclear short of that."""
        async for page in self._pages(since, until):
            yield page
            if predictions.is_past(page.shown, since):
                return

    async def _newest(self) -> AsyncIterator[Sequence[Prediction]]:
        async for page in self._pages():
            yield page.shown

    async def _pages(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[Page]:
        """The list, newest first."""
        clock = self.wakeful()
        path = "/v1/predictions"
        if since:
            path += f"?created_after={_second(since)}"
        if until:
            path += f"&created_before={_second(until + timedelta(seconds=1))}"
        for _ in range(_MOST_PAGES):
            began = clock()
            told = await self._get(path)
            asked, answered = self._dates.around(clock() - began)
            page, following = told.get("results"), _next(told, self.http.base_url)
            if not isinstance(page, list) or not all(isinstance(each, dict) for each in page):
                raise seam.Unclear("a listing without results")
            yield Page(page, asked, answered)
            if following is None:
                return
            path = following
        raise seam.Unclear(f"a listing of more than {_MOST_PAGES} pages", retry_after=_BLIND)

    async def _secret(self, oldest: float) -> str:
        """The webhooks' secret, asked for *oldest* seconds ago at most: it may be changed."""
        async with self._one_asks:
            now = self.clock()
            if not self._secrets or now - self._secrets[-1][1] >= oldest:
                self._secrets[:] = [(key, now) for key, _asked in self._secrets]
                key = (await self._get("/v1/webhooks/default/secret")).get("key")
                if not key or not isinstance(key, str):
                    raise seam.Unclear("no secret was told")
                self._secrets[:] = [(key, now)]
            return self._secrets[0][0]


def _doubt(shown: _Shown, ahead: timedelta | None) -> str:
    """Why an order may have been bought of which no more is shown; empty where it was not."""
    if shown.unsure:
        return f"{shown.unsure} listed predictions show no more whose they are"
    if ahead is None:
        return "the listing tells no date, so that it may begin too late"
    return ""


def _legible(answer: httpx.Response) -> dict[str, Any]:
    """What a good answer holds; else Unclear, with a wait where the next one will be no better."""
    if answer.is_success and (found := transport.plainly(answer)):
        return found
    error = transport.error(seam.Unclear, answer)
    if error.retry_after is None and answer.is_client_error:
        error.retry_after = _BLIND
    raise error


def _second(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _path(reference: str) -> str:
    return f"/v1/predictions/{quote(reference, safe='')}"


def _next(told: Mapping[str, Any], base: httpx.URL) -> str | None:
    """The address of the next page; the token goes to nobody but Replicate."""
    if "next" not in told:
        raise seam.Unclear("a listing that does not say whether it goes on")
    if told["next"] is None:
        return None
    try:
        found = base.join(str(told["next"]))
    except httpx.InvalidURL as error:
        raise seam.Unclear("a listing that goes on at no address") from error
    if (found.scheme, found.host, found.port) != (base.scheme, base.host, base.port):
        raise seam.Unclear(f"a listing that goes on at {found.host}")
    return str(found)
