"""
Imports: pictures that come from where they are, a receipt or a vendor's URL, into the vault.

Whoever waits for a download is told apart what helps: to try again, or to give up.
"""

from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime

from chassis import logs
from chassis.errors import Denied, Fault, Missing, Unavailable
from chassis.faults import point
from services.storage.fetch import Fetch
from services.storage.incoming import Claim
from services.storage.keep import Keep, Kept, Origin, now
from services.storage.lane import Lanes
from services.storage.names import Range
from services.storage.receipts import Receipt, Receipts
from services.storage.sources import Failed, Forbidden, Given, Gone, Link, Trouble

_WIDTH = 32  # downloads at once from one vendor: a slow one keeps no other vendor's waiting
_BESIDE = 96  # slow ones besides, which keep none of their own vendor's waiting
_AGAIN, _LATEST = 2.0, 60.0  # seconds until a source is tried again: usually, and at most
_SPARED = 3 * 3600.0  # seconds after a link's time in which our clock alone ends nothing
log = logs.get()


@dataclass(frozen=True, slots=True, kw_only=True)
class Imports:
    """Keeps with *keep* what *receipts* has or *fetch* fetches, what expires first first."""

    keep: Keep
    receipts: Receipts
    fetch: Fetch
    lanes: Lanes = field(default_factory=lambda: Lanes(_WIDTH, _BESIDE))
    clock: Callable[[], datetime] = now

    async def take(self, source: Range | Link | Given, origin: Origin, claim: Claim) -> Kept:
        """
        Keep what *source* names.

        Raises what `Keep.keep` raises. Of a Link also Missing: it is gone, Denied: it is
        forbidden, Unavailable: not now; with *retry_after* where another try may help.
        """
        if isinstance(source, Range):
            return await self.keep.keep(self.receipts.pictured(source), origin, claim)
        if isinstance(source, Given):
            return await self.keep.keep(source.pictured(), origin, claim)
        async with self.lanes.of(source.provider).turn(source.expires) as step_aside:
            try:
                async with aclosing(self.fetch.pictured(source, step_aside)) as chunks:
                    return await self.keep.keep(chunks, origin, claim)
            except Trouble as trouble:
                raise fault(trouble, source, self.clock()) from trouble

    async def pictured(
        self, receipt: Receipt, wanted: Iterable[tuple[Range, Origin, Claim]]
    ) -> list[Kept]:
        """
        Keep the pictures in a receipt that is safe; none are told of where one cannot be kept.

        Raises nothing: whoever sent the receipt must hear of it, and imports them then.
        """
        try:
            point("storage.imports.before_pictures")
            kept = [
                await self.keep.keep(self.receipts.pictured(part, receipt.content), origin, claim)
                for part, origin, claim in wanted
            ]
            point("storage.imports.after_pictures")
        except Exception as error:
            shown = repr(error) if isinstance(error, Fault) else ""
            log.warning(
                "the pictures in a receipt are not kept yet",
                purchase_id=receipt.note.purchase_id,
                error=shown,
                exc_info=not shown,
            )
            return []
        return kept


def fault(trouble: Trouble, link: Link, moment: datetime) -> Fault:
    """
    Say what *trouble* at *moment* means for *link*.

    What does not pass is final at once. Once the link's time is over so is the source's own no,
    unless by its answer's date that time is not over: our clock may be set forward. So it may
    where something else is in the way: that passes for hours more, and then everything is final.
    Where nobody knows its time, a no is believed, since nothing else would end the trying.
    """
    left = (link.expires - moment).total_seconds() if link.expires else None
    over = left is not None and left <= (0 if _is_over(trouble, link) else -_SPARED)
    final = over or not trouble.passing or (left is None and not isinstance(trouble, Failed))
    host = {"host": link.host}
    if over or (final and isinstance(trouble, Gone)):
        status = {"http_status": str(trouble.status)} if isinstance(trouble, Gone) else {}
        why = f"The picture at {link.provider} cannot be had any more: {trouble}."
        return Missing("SOURCE_EXPIRED", why, metadata=host | status)
    if isinstance(trouble, Forbidden):
        why = f"The picture at {link.provider} is not fetched: {trouble}."
        rule = {"rule": trouble.rule}
        again = None if final else _AGAIN
        return Denied("SOURCE_FORBIDDEN", why, metadata=host | rule, retry_after=again)
    asked = trouble.retry_after if isinstance(trouble, Failed) else None
    most = max(1.0, left / 2) if left is not None and left > 0 else _LATEST
    soon = min(asked or _AGAIN, _LATEST, most)
    why = f"The picture at {link.provider} cannot be fetched now: {trouble}."
    provider = {"provider": link.provider}
    return Unavailable("PROVIDER_UNAVAILABLE", why, metadata=provider, retry_after=soon)


def _is_over(trouble: Trouble, link: Link) -> bool:
    """Whether the source says no, and not by a date at which it may have the picture yet."""
    if not isinstance(trouble, Gone):
        return False
    return not (trouble.date and link.expires) or trouble.date >= link.expires
