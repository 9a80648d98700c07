"""The claims that are under way in this process, and who lets them go first."""

import asyncio
import contextlib
from dataclasses import dataclass, field

from nats.aio.msg import Msg

from chassis import logs

Claim = asyncio.Future[None]  # done once it is answered, whatever the answer is
log = logs.get()


@dataclass(slots=True)
class Claims:
    """Counts them."""

    _open: int = 0
    _none: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self) -> Claim:
        """Count one more, until it is `answered`."""
        claim: Claim = asyncio.get_running_loop().create_future()
        self._open += 1
        self._none.clear()
        return claim

    def answered(self, claim: Claim) -> None:
        """Let everybody know; said again, it is one answer still."""
        if claim.done():
            return
        claim.set_result(None)
        self._open -= 1
        if not self._open:
            self._none.set()

    async def until_none(self, most: float) -> None:
        """Wait until none is under way, *most* seconds: where work comes all the time, one is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most):
                await self._none.wait()


async def acknowledge(message: Msg, claim: Claim | None) -> None:
    """Have done with an announcement once its claim is answered; None: nothing was claimed."""
    if claim is not None:
        await claim
    try:
        await message.ack()
    except Exception as error:  # NATS is gone: it is delivered again, and dropped then
        log.debug("not acknowledged", error=repr(error))
