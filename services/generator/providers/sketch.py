"""
Sketch: the built-in provider, free and offline, behaving as a synchronous vendor does.

The finished picture streams into the receipt, and the receipt is the purchase: until it is
closed nothing was bought. It begins with an index of one KiB, so that `follow` reads no
more, and then holds the picture.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from chassis.errors import Exhausted, Fault
from services.generator import provider as seam
from services.generator.providers.answered import unread
from services.generator.sketching.easel import Easel
from services.generator.sketching.scene import Scene, compose

INDEX = 1024  # bytes
VERSION = "1"
_RECEIPT = "receipt:"
_MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


class Sketch:
    """Draws on *easel*; *pause* waits where the drawing is paced."""

    def __init__(
        self,
        easel: Easel,
        receipts: seam.Receipts,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._easel, self._receipts, self._pause = easel, receipts, pause

    async def buy(
        self, order: seam.Order, receipt: seam.ReceiptSink, report: seam.Report, /
    ) -> seam.Ticket:
        began = time.monotonic()
        media_type = _MEDIA_TYPES[str(order.inputs.get("format", "png"))]
        picture = await self._draw(order, media_type, report)
        index = _index(len(picture), media_type, time.monotonic() - began, order)
        try:
            await receipt.write(index + picture)
        except Fault as fault:
            raise seam.Unavailable(f"nothing is kept of it: {fault}", retry_after=1) from fault
        await _finish(receipt, _drawn(index))
        return seam.Ticket(_RECEIPT + order.purchase_id)

    async def follow(
        self, ticket: seam.Ticket, /
    ) -> AsyncIterator[seam.Working | seam.Drawn | seam.Ended]:
        purchase_id = ticket.reference.removeprefix(_RECEIPT)
        try:
            found = await self._receipts.read(purchase_id, 0, INDEX)
        except Fault as fault:
            raise unread(fault) from fault
        if found is None:
            raise seam.Unclear(f"there is no receipt of {purchase_id}")
        yield _drawn(found)

    async def look_up(self, order: seam.Order, /) -> seam.Looked:
        """Find the receipt, or seal its place: whoever still draws for it cannot close it."""
        try:
            absent = await self._receipts.seal(order.purchase_id)
        except Fault as fault:
            raise unread(fault) from fault
        return seam.Looked([] if absent else [seam.Ticket(_RECEIPT + order.purchase_id)])

    async def _draw(self, order: seam.Order, media_type: str, report: seam.Report) -> bytes:
        """Draw; stopped or failed, it has cost nobody anything."""
        try:
            return await self._easel.draw(
                _scene(order),
                media_type,
                seconds=float(str(order.inputs.get("seconds", 0))),
                report=lambda fraction: report(seam.Working(fraction)),
                pause=self._pause,
            )
        except asyncio.CancelledError as stopped:
            raise seam.Refused("stopped before it was drawn") from stopped
        except (OSError, RuntimeError) as error:  # no process to draw in, or we are about to end
            raise seam.Unavailable(f"nobody could draw it: {error}", retry_after=1) from error
        except Exception as error:
            raise seam.Refused(f"it cannot be drawn: {error}") from error


async def _finish(receipt: seam.ReceiptSink, drawn: seam.Drawn) -> None:
    """Close *receipt*, to its end also where we are stopped meanwhile: it may be bought."""
    closing = asyncio.ensure_future(_close(receipt, drawn))
    try:
        await asyncio.shield(closing)
    except asyncio.CancelledError:
        await closing


async def _close(receipt: seam.ReceiptSink, drawn: seam.Drawn) -> None:
    try:
        await receipt.close(drawn)
    except Exhausted as fault:  # its own word that it has not been kept
        raise seam.Unavailable(str(fault), retry_after=fault.retry_after) from fault
    except Fault as fault:
        raise seam.Unclear(str(fault)) from fault


def _scene(order: seam.Order) -> Scene:
    inputs = order.inputs
    return compose(
        str(inputs["prompt"]),
        int(str(inputs["seed"])),
        int(str(inputs["width"])),
        int(str(inputs["height"])),
        order.slug,
        str(inputs.get("negative_prompt", "")),
    )


def _index(length: int, media_type: str, seconds: float, order: seam.Order) -> bytes:
    image = {"start": INDEX, "stop": INDEX + length, "media_type": media_type, "raw": True}
    found = {"images": [image], "seconds": round(seconds, 3), "seed": order.inputs["seed"]}
    return json.dumps({"version": VERSION, **found}).encode().ljust(INDEX - 1) + b"\n"


def _drawn(index: bytes) -> seam.Drawn:
    try:
        found = json.loads(index)
        images = tuple(
            seam.Inline(image["start"], image["stop"], image.get("raw", False))  # base64 once
            for image in found["images"]
        )
        return seam.Drawn(
            images=images,
            seconds=found["seconds"],
            cost=0,
            version=found["version"],
            seed=found["seed"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise seam.Unclear("what was kept of the drawing cannot be read") from error
