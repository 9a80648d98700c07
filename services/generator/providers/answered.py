"""
Vendors whose answer to the order holds the pictures: it is durable before it is parsed.

The raw body of a good answer goes into a receipt, and the receipt is the ticket. Nobody can be
asked what became of a call whose answer was lost; a receipt of it is all that a look-up can find.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx

from chassis import faults, logs
from chassis.errors import Fault
from services.generator import provider as seam
from services.generator.patience import PASSING
from services.generator.providers import transport
from services.generator.providers.outline import Outline, Part
from services.generator.wakeful import Clock, Wakeful

_RECEIPT = "receipt:"
_PIECE = 256 * 1024  # bytes read of a receipt at a time
_BIGGEST = 512 << 20  # bytes of an answer: ten raw pictures of 8 million pixels in base64
_WORDS = 64 * 1024  # bytes of what is said in place of an answer
_OF_THE_BODY = frozenset({"content-encoding", "content-length", "transfer-encoding"})
PREPARING = 10.0  # seconds for what an order needs, after which it may be somebody else's
_MOST_TOKENS = 10_000_000  # ten times what any model takes in
_MOST_MICROS = 1_000_000_000  # micro-USD: no order costs a thousand dollars
SENSELESS = (ValueError, LookupError, TypeError, AttributeError)  # what a senseless answer raises
log = logs.get()
# Statuses with which a vendor has understood the order and said no.
REFUSALS = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422})
T = TypeVar("T")
Watch = Callable[[bytes], None]
Refusal = Callable[[httpx.Response], seam.ProviderError | None]
Holds = Callable[[Any], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipted:
    """A vendor of whose orders nothing tells but the receipts."""

    receipts: seam.Receipts

    async def look_up(self, order: seam.Order, /) -> seam.Looked:
        """
        Find the receipt of an answer that came whole, or seal its place: no late one is taken then.

        None is no proof that nothing was bought. Unclear while there is none and *order* is
        awaited: a seal would take from who hears the answer the one place for it.
        """
        try:
            if order.awaited and await self.receipts.read(order.purchase_id, 0, 1) is None:
                raise seam.Unclear("whoever sent it may still hear its answer")
            absent = await self.receipts.seal(order.purchase_id)
        except Fault as fault:
            raise unread(fault) from fault
        return seam.Looked([] if absent else [seam.Ticket(_RECEIPT + order.purchase_id)])


async def buy(
    http: httpx.AsyncClient,
    request: httpx.Request,
    receipt: seam.ReceiptSink,
    purchase_id: str,
    *,
    patience: float,
    refusal: Refusal,
    watch: Watch | None = None,
    holds: Holds = bool,
) -> seam.Ticket:
    """
    Send *request* once, and return when its answer is durable: *patience* seconds in all.

    *refusal* says what an answer proves that is none of 2xx; None: it may have been bought.
    *watch* sees a good answer pass. *holds* tells whether an answer, or an event of one, has
    what was ordered: one that has is kept, though its end is missing.
    """
    until = asyncio.get_running_loop().time() + patience
    asking = http.send(request, stream=True)
    answer = await transport.answer(asking, patience, never_sent=seam.Unavailable)
    pour = _Pour(receipt, watch)
    try:
        async with asyncio.timeout_at(until):
            await _taken(answer, pour, refusal)
    except seam.ProviderError:
        raise
    except Exception as error:  # cut off, or too slow: it is bought for all we know
        slow = isinstance(error, TimeoutError)
        why = f"no whole answer in {patience:g} seconds" if slow else transport.told(error)
        if not await pour.has(holds):
            raise seam.Unclear(why) from error
        log.warning("an answer without its end has all that was ordered", why=why)
    finally:
        await answer.aclose()
    if not 0 < pour.size <= _BIGGEST:
        raise seam.Unclear(f"an answer of {pour.size} bytes")
    took = patience - (until - asyncio.get_running_loop().time())
    await finish(receipt)
    return seam.Ticket(_RECEIPT + purchase_id, allowance=transport.allowance(answer), seconds=took)


def senseless(error: Exception) -> seam.Ended:
    """End a purchase whose answer came and cannot be read: it may be charged."""
    log.warning("an answer makes no sense", error=type(error).__name__, why=str(error)[:500])
    why = "its answer is not of the form that its API promises, so that no picture is found in it"
    return seam.Ended(charged=None, reason=why)


async def ready(
    preparing: Awaitable[T],
    seconds: float = PREPARING,
    wakeful: Callable[[], Clock] = Wakeful,
) -> T:
    """
    Wait for what an order needs before it leaves.

    NotReady where that took so long that whoever sends it may not be its owner any more.
    """
    clock = wakeful()
    until = clock() + seconds
    try:
        async with asyncio.timeout(seconds):
            found = await preparing
    except TimeoutError as error:
        raise seam.NotReady("what the order needs did not come in time") from error
    if clock() > until:  # whoever slept may not order any more
        raise seam.NotReady("what the order needs came too late")
    return found


async def _taken(answer: httpx.Response, pour: "_Pour", refusal: Refusal) -> None:
    if not answer.is_success:
        told = await said(answer)
        raise refusal(told) or transport.error(seam.Unclear, told)
    faults.point("answer.begun")
    await pour.all_of(answer)


async def said(answer: httpx.Response) -> httpx.Response:
    """An answer with the beginning of its words, however many it has."""
    words = b""
    try:
        async for chunk in answer.aiter_bytes(_WORDS):
            words = chunk
            break
    except Exception as error:
        raise seam.Unclear(f"{answer.status_code}, and its words were cut off") from error
    headers = {name: text for name, text in answer.headers.items() if name not in _OF_THE_BODY}
    return httpx.Response(answer.status_code, headers=headers, content=words)


@dataclass(slots=True)
class _Pour:
    """An answer on its way into *receipt*."""

    receipt: seam.ReceiptSink
    watch: Watch | None
    size: int = 0  # bytes that came, too many where there are too many

    async def all_of(self, answer: httpx.Response) -> None:
        async for chunk in answer.aiter_bytes():
            self.size += len(chunk)
            if self.size > _BIGGEST:
                return
            await _kept(self.receipt.write(chunk))
            if self.watch:
                self.watch(chunk)

    async def has(self, holds: Holds) -> bool:
        """Whether what came is an answer, or events, of which one *holds* what was ordered."""
        found = Outline()
        try:
            for piece in self.receipt.written():
                found.feed(piece)
                await asyncio.sleep(0)  # there may be much of it
            return any(map(holds, found.events()))
        except SENSELESS:
            return False


async def finish(receipt: seam.ReceiptSink) -> None:
    """Close *receipt*, to its end also where we are stopped meanwhile: it is bought."""
    closing = asyncio.ensure_future(_kept(receipt.close()))
    try:
        await asyncio.shield(closing)
    except asyncio.CancelledError:
        await closing


async def _kept(writing: Awaitable[None]) -> None:
    """What fails at *writing* is storage of ours, and not the vendor."""
    try:
        await writing
    except Fault as fault:
        raise seam.Unkept(f"its answer is not kept: {fault}") from fault


def unread(fault: Fault) -> seam.Unclear:
    """What is told of a receipt that storage could not be asked for, or cannot give."""
    kind = seam.Unread if isinstance(fault, PASSING) else seam.Unclear
    return kind(str(fault), retry_after=fault.retry_after)


async def outline(receipts: seam.Receipts, ticket: seam.Ticket) -> Any:
    """
    Return the answer that *ticket* names, with a `Part` for each picture.

    Unclear where it cannot be read now; ValueError where it never makes sense.
    """
    return (await _outlined(receipts, ticket)).read()


async def events(receipts: seam.Receipts, ticket: seam.Ticket) -> list[Any]:
    """Return likewise all that an answer of server-sent events told, or the answer alone."""
    return (await _outlined(receipts, ticket)).events()


async def _outlined(receipts: seam.Receipts, ticket: seam.Ticket) -> Outline:
    found, purchase_id = Outline(), ticket.reference.removeprefix(_RECEIPT)
    async for piece in _pieces(receipts, purchase_id):
        found.feed(piece)
    return found


def pictures(found: Iterable[Any]) -> tuple[seam.Inline, ...]:
    """Those of an outline's texts that are pictures; what is none hides no other."""
    return tuple(seam.Inline(each.start, each.stop) for each in found if isinstance(each, Part))


def shown(told: Mapping[str, Any], live: timedelta) -> list[seam.Inline | seam.Link]:
    """The pictures of an answer's data; where one is a link instead, it lives so long."""
    found = list[seam.Inline | seam.Link]()
    for each in objects(told.get("data")):
        inline, url = pictures([each.get("b64_json")]), each.get("url")
        found += inline
        if not inline and url and isinstance(url, str):
            found.append(seam.Link(url, _expiry(told.get("created"), live)))
    return found


def _expiry(created: Any, live: timedelta) -> datetime | None:
    try:
        return datetime.fromtimestamp(created, UTC) + live
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def objects(found: Any) -> list[dict[str, Any]]:
    """The objects of a list; what is none is passed over."""
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def cost(found: Any, each: int = 1) -> int | None:
    """
    What *found* units of *each* micro-USD cost.

    None where no answer can say so: the pictures are there, whatever stands beside them.
    """
    if type(found) not in (int, float) or not 0 <= found * each <= _MOST_MICROS:
        return None
    return int(found * each)


def count(found: Any) -> int:
    """So many tokens; ValueError where no answer can have them."""
    if type(found) is not int or not 0 <= found <= _MOST_TOKENS:
        raise ValueError("no number of tokens")
    return found


async def _pieces(receipts: seam.Receipts, purchase_id: str) -> AsyncIterator[bytes]:
    start = 0
    while True:
        try:
            piece = await receipts.read(purchase_id, start, start + _PIECE)
        except Fault as fault:
            raise unread(fault) from fault
        if piece is None:
            raise seam.Unclear(f"there is no receipt of {purchase_id}")
        yield piece
        start += len(piece)
        if len(piece) < _PIECE:
            return
