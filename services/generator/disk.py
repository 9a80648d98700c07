"""Whether the vault's disk takes what new work brings: asked once a second at the most."""

import asyncio
import contextvars
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from chassis import errors, logs
from chassis.channel import Peer
from imagestudio.storage.v1 import storage_service_pb2, storage_service_pb2_grpc

_FRESH = 1.0  # seconds
_TIMEOUT = 6.0  # seconds; a disk that hangs is told as unwritable before
_AGAIN = 5.0  # seconds until it may be worth while to ask again
_SELDOM = 30.0  # seconds likewise of an order, where the vault has long been away
_SOON = 1.0  # likewise, where it may be starting
_PATIENCE = 30.0  # seconds; longer than a storage that can start takes to
_MOMENT = 2.0  # seconds that an order waits for storage: its claim is soon too old to send by
_OF_THE_VAULT = ("VAULT_UNAVAILABLE", "DISK_FULL")
log = logs.get()


@dataclass(slots=True)
class Disk:
    """
    Asks storage; while it restarts, work is admitted and waits for it.

    Not heard for *patience* seconds, it may have no vault to start with, and cannot say so.
    *clock* is in seconds.
    """

    storage: Peer
    vault: "storage_service_pb2_grpc.StorageServiceAsyncStub"
    patience: float = _PATIENCE
    clock: Callable[[], float] = time.monotonic
    _room: storage_service_pb2.GetRoomResponse | None = None
    # The room, or our start; who asks meanwhile asks, too, and goes by no older one.
    _heard: float = field(init=False)
    _closed: float | None = None  # since when the vault takes nothing, as orders were told
    _looking: asyncio.Task[errors.Fault | None] | None = None  # for all orders that wait for it

    def __post_init__(self) -> None:
        self._heard = self.clock()

    async def refusal(self) -> errors.Fault | None:
        """
        Why no order may leave just now; None where what it brings can be kept.

        It is paid for once it has left, so that a storage which restarts is waited for: a moment
        here, and then by coming again. For a vault that stays away they come ever less often:
        each time they are claimed and given back.
        """
        if self._is_fresh:  # no task for what is known: many orders a second ask
            return self._less_often(self._full())
        looking = self._looking
        if looking is None or looking.done():
            nobody = contextvars.Context()  # one look for all: its words are no order's own
            looking = self._looking = asyncio.create_task(self._look(), context=nobody)
        await asyncio.wait((looking,), timeout=_MOMENT)
        found = looking.result() if looking.done() else self._unheard()
        return self._less_often(found)

    def _less_often(self, fault: errors.Fault | None) -> errors.Fault | None:
        """Have who comes again wait for half of the time that the vault has been away."""
        if fault is None or fault.reason not in _OF_THE_VAULT:
            self._closed = None
            return fault
        now = self.clock()
        self._closed = now if self._closed is None else self._closed
        wait = min(_SELDOM, (now - self._closed) / 2)
        fault.retry_after = max(fault.retry_after or _AGAIN, wait)
        return fault

    async def _look(self) -> errors.Fault | None:
        try:
            await self.check()
        except errors.Fault as fault:
            return fault
        return None if self._room else self._unheard()

    async def check(self) -> None:
        """Refuse new work below the reserve, DISK_FULL, and while nothing can be written."""
        if not self._is_fresh:
            await self._ask()
        if full := self._full():
            raise full

    @property
    def _is_fresh(self) -> bool:
        return self._room is not None and self.clock() - self._heard <= _FRESH

    def _full(self) -> errors.Fault | None:
        room = self._room
        if room is None or room.free_bytes >= room.reserve_bytes:
            return None
        return errors.Exhausted(
            "DISK_FULL",
            "The disk of the vault is full: free some space on it, or move VAULT_URL to a "
            "larger one. Nothing that was kept is lost.",
            metadata={"free_bytes": str(room.free_bytes)},
            retry_after=_AGAIN,
        )

    async def _ask(self) -> None:
        request = storage_service_pb2.GetRoomRequest()
        try:
            self._room = await self.storage.ask(
                self.vault.GetRoom, request, timeout=_TIMEOUT, user_id=0
            )
            self._heard = self.clock()
        except errors.Fault as fault:
            self._room = None
            if fault.reason in _OF_THE_VAULT:
                raise
            log.warning("room not known", error=str(fault))
            silence = self._unheard()
            if silence.reason == "VAULT_UNAVAILABLE":
                raise silence from fault

    def _unheard(self) -> errors.Fault:
        if self.clock() - self._heard < self.patience:
            said = "Storage does not answer; it may be starting."
            return errors.Unavailable("SERVICE_UNAVAILABLE", said, retry_after=_SOON)
        return errors.Unavailable(
            "VAULT_UNAVAILABLE",
            "Storage does not answer: see in its log why, and that the vault's disk is "
            "mounted. Until then no new work is taken; nothing that was kept is given up.",
            retry_after=_AGAIN,
        )
