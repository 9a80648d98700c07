"""
Where predictions are drawn: each waits its turn, works, and ends in one of five ways.

Every moment is planned on the lab's clock, so that an hour that passes at once ends what would
have ended within it, and when it would have.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lab.charges import Charge, Given
from lab.replicate import telling
from lab.replicate.prediction import Prediction
from lab.replicate.uploads import Uploads
from lab.replicate.webhooks import Post
from lab.world import World

_APART = timedelta(seconds=0.5)  # between two webhooks about the logs
_RETIRED = "The model was shut down by the company behind it; choose another one."
_MAGIC = {  # words of a prompt that end it badly
    "refuse-me": "NSFW content detected. Try running it again, or try a different prompt.",
    "fail-me": "Prediction interrupted; please retry (code: PA)",
}
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base32
_EMPTY = "no-output"  # the word that ends it well, without a picture


@dataclass(slots=True)
class Studio:
    """Draws predictions, charges for them and tells their webhooks; *tell* makes a body."""

    world: World
    post: Post
    uploads: Uploads
    tell: Callable[[Prediction], bytes]
    _working: dict[Prediction, asyncio.Task[None]] = field(default_factory=dict)

    def begin(self, order: Prediction) -> None:
        """Take *order* in hand."""
        task = asyncio.create_task(self._work(order))
        self._working[order] = task
        task.add_done_callback(lambda _: self._working.pop(order, None))

    def cancel(self, order: Prediction) -> None:
        """End *order* now: for nothing before it started, at its full price afterwards."""
        if not order.ended:
            self._stop(order, self.world.clock.now())
            self._working[order].cancel()

    async def reset(self) -> None:
        """Let everything fall."""
        working = list(self._working.values())
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)

    async def _work(self, order: Prediction) -> None:
        clock = self.world.clock
        start = order.created + timedelta(seconds=order.queue)
        if order.stop_at and order.stop_at <= start:
            await clock.until(order.stop_at)
            return self._stop(order, order.stop_at)
        await clock.until(start)
        order.started, order.status = max(start, order.created), "processing"
        self._send(order, "start")
        end = start + timedelta(seconds=order.seconds)
        await self._report(order, min(end, order.stop_at or end))
        if order.stop_at and order.stop_at < end:
            return self._stop(order, order.stop_at)
        return self._finish(order, end)

    async def _report(self, order: Prediction, end: datetime) -> None:
        """Wait until *end*, and tell of the logs where somebody listens."""
        clock, last = self.world.clock, None
        if order.hook and "logs" in order.hook.events and order.started:
            number = telling.steps(order)
            for step in range(number):
                moment = order.started + timedelta(seconds=order.seconds * step / number)
                if moment >= end or (last and moment - last < _APART):
                    continue
                await clock.until(moment)
                self._send(order, "logs")
                last = moment
        await clock.until(end)

    def _finish(self, order: Prediction, end: datetime) -> None:
        order.error = self._failure(order)
        if order.error:
            return self._end(order, "failed", end)
        if _EMPTY not in order.prompt.lower():
            order.files = tuple(self._file(order, at) for at in range(order.plan.count))
        self._charge(order, len(order.files), end)
        return self._end(order, "succeeded", end)

    def _failure(self, order: Prediction) -> str | None:
        if order.model.retired:
            return _RETIRED
        if missing := self.uploads.lacks(order):
            return f"404 Client Error: Not Found for url: {missing}"
        words = order.prompt.lower()
        return next((said for word, said in _MAGIC.items() if word in words), None)

    def _file(self, order: Prediction, at: int) -> str:
        return f"{self.world.base}/replicate/delivery/{order.id}/out-{at}.{order.plan.format}"

    def _stop(self, order: Prediction, at: datetime) -> None:
        if order.started is None:
            return self._end(order, "aborted", at)
        self._charge(order, 0, at)
        return self._end(order, "canceled", at)

    def _charge(self, order: Prediction, images: int, at: datetime) -> None:
        """One that brought nothing costs as if it had brought what was ordered."""
        self.world.charges.add(
            Charge(
                vendor="replicate",
                model=order.model.slug,
                ticket=order.id,
                images=images,
                usd=order.model.price * (images or order.plan.count),
                purchase_id=order.hook.purchase_id if order.hook else None,
                at=at,
                given=self._given(order),
            )
        )

    def _given(self, order: Prediction) -> Given:
        seed, negative = order.inputs.get("seed"), order.inputs.get("negative_prompt")
        return Given(
            images=tuple(self.uploads.hashes(order)), seed=seed, negative_prompt=negative or ""
        )

    def _end(self, order: Prediction, status: str, at: datetime) -> None:
        order.status, order.ended = status, at
        order.over.set()
        if order.files:
            self._send(order, "output")
        self._send(order, "completed")

    def _send(self, order: Prediction, event: str) -> None:
        if order.hook:
            self.post.send(order.hook, event, lambda: self.tell(order))


def new_id() -> str:
    """26 characters, as Replicate's ids have."""
    return "".join(random.choices(_LETTERS, k=26))
