"""
Vendors whose answer to the order holds the pictures: it is durable before it is parsed.

The raw body of a good answer goes into a receipt, and the receipt is the ticket. Nobody can be
asked what became of a call whose answer was lost; a receipt of it is all that a look-up can find.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import httpx

from chassis import faults
from chassis.errors import Fault
from services.generator import provider as seam
from services.generator.providers import transport
from services.generator.providers.outline import Outline, Part

_RECEIPT = "receipt:"
_PIECE = 256 * 1024  # bytes read of a receipt at a time
_BIGGEST = 512 << 20  # bytes of an answer: ten raw pictures of 8 million pixels in base64
_WORDS = 64 * 1024  # bytes of what is said in place of an answer
_OF_THE_BODY = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_PREPARING = 10.0  # seconds for what an order needs, after which it may be somebody else's
T = TypeVar("T")
Watch = Callable[[bytes], None]
Refusal = Callable[[httpx.Response], seam.ProviderError | None]


async def buy(
    http: httpx.AsyncClient,
    request: httpx.Request,
    receipt: seam.ReceiptSink,
    purchase_id: str,
    *,
    patience: float,
    refusal: Refusal,
    watch: Watch | None = None,
) -> seam.Ticket:
    """
    Send *request* once, and return when its answer is durable: *patience* seconds in all.

    *refusal* says what an answer proves that is none of 2xx; None: it may have been bought.
    *watch* sees a good answer pass.
    """
    until = asyncio.get_running_loop().time() + patience
    asking = http.send(request, stream=True)
    answer = await transport.answer(asking, patience, never_sent=seam.Unavailable)
    try:
        async with asyncio.timeout_at(until):
            return await _taken(answer, receipt, purchase_id, refusal, watch)
    except TimeoutError as error:
        raise seam.Unclear(f"no whole answer in {patience:g} seconds") from error
    finally:
        await answer.aclose()


async def ready(preparing: Awaitable[T], seconds: float = _PREPARING) -> T:
    """
    Wait for what an order needs before it leaves.

    NotReady where that took so long that whoever sends it may not be its owner any more.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    try:
        async with asyncio.timeout_at(until):
            found = await preparing
    except TimeoutError as error:
        raise seam.NotReady("what the order needs did not come in time") from error
    if loop.time() > until:  # whoever slept may not order any more
        raise seam.NotReady("what the order needs came too late")
    return found


async def _taken(
    answer: httpx.Response,
    receipt: seam.ReceiptSink,
    purchase_id: str,
    refusal: Refusal,
    watch: Watch | None,
) -> seam.Ticket:
    if not answer.is_success:
        said = await _said(answer)
        raise refusal(said) or transport.error(seam.Unclear, said)
    faults.point("answer.begun")
    try:
        size = await _poured(answer, receipt, watch)
    except (TimeoutError, seam.Unkept):
        raise
    except Exception as error:  # cut off: it is bought for all we know
        raise seam.Unclear(f"its answer is not whole: {error!r}") from error
    if not 0 < size <= _BIGGEST:
        raise seam.Unclear(f"an answer of {size} bytes")
    await finish(receipt)
    return seam.Ticket(_RECEIPT + purchase_id, allowance=transport.allowance(answer))


async def _said(answer: httpx.Response) -> httpx.Response:
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


async def _poured(answer: httpx.Response, receipt: seam.ReceiptSink, watch: Watch | None) -> int:
    """Pour *answer* into *receipt*; return its bytes, too many where there are too many."""
    size = 0
    async for chunk in answer.aiter_bytes():
        size += len(chunk)
        if size > _BIGGEST:
            break
        await _kept(receipt.write(chunk))
        if watch:
            watch(chunk)
    return size


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


async def look_up(receipts: seam.Receipts, purchase_id: str) -> list[seam.Ticket]:
    """
    Find the receipt, or seal its place: no late answer is taken for it then.

    None is no proof that nothing was bought.
    """
    try:
        absent = await receipts.seal(purchase_id)
    except Fault as fault:
        raise seam.Unclear(str(fault), retry_after=fault.retry_after) from fault
    return [] if absent else [seam.Ticket(_RECEIPT + purchase_id)]


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


def picture(found: Any) -> seam.Inline:
    """A picture of an outline, where it is one; TypeError where it is none."""
    if not isinstance(found, Part):
        raise TypeError("a picture that is no base64 text")
    return seam.Inline(found.start, found.stop)


async def _pieces(receipts: seam.Receipts, purchase_id: str) -> AsyncIterator[bytes]:
    start = 0
    while True:
        try:
            piece = await receipts.read(purchase_id, start, start + _PIECE)
        except Fault as fault:
            raise seam.Unclear(str(fault), retry_after=fault.retry_after) from fault
        if piece is None:
            raise seam.Unclear(f"there is no receipt of {purchase_id}")
        yield piece
        start += len(piece)
        if len(piece) < _PIECE:
            return
