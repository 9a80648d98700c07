"""
The seat of a worker on this machine: a file that one process holds at a time, with the name in it
that the worker has for the ledger.

The kernel frees it when its holder has ended, however that came. Whoever gets it knows by that,
and by no guess, that the worker named in it is dead: it need not be waited for until its silence
tells.
"""

import fcntl
import os
from dataclasses import dataclass, field
from pathlib import Path

from chassis import errors, logs
from chassis.channel import Peer
from imagestudio.catalog.v1.ledger_service_pb2 import HeartbeatRequest
from imagestudio.catalog.v1.ledger_service_pb2_grpc import LedgerServiceStub

_LONGEST = 100  # bytes of a name
log = logs.get()


@dataclass(slots=True)
class Seat:
    """The one at *path*; without a path, or where it cannot be had, whoever dies is waited for."""

    path: Path | None = None
    _held: int = field(default=-1, init=False)  # a descriptor; no child of ours inherits it

    def take(self) -> str:
        """Hold it to our end; return who has died on it, "" where nobody is known to have."""
        if self.path is None:
            return ""
        try:
            found = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            log.warning("no seat", path=str(self.path), error=str(error))
            return ""
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            log.warning("the seat is another's", path=str(self.path), error=str(error))
            os.close(found)
            return ""
        self._held = found
        try:
            return os.pread(found, _LONGEST, 0).decode("ascii", "replace").strip()
        except OSError as error:  # a bad disk: then its silence will tell
            log.warning("nobody knows who sat here", path=str(self.path), error=str(error))
            return ""

    def write(self, worker_id: str) -> None:
        """Put our name on it, before the ledger hears it."""
        if self._held < 0:
            return
        try:  # names are of one length
            os.pwrite(self._held, f"{worker_id}\n".encode(), 0)
        except OSError as error:  # a full disk
            log.warning("no name on the seat", path=str(self.path), error=str(error))


async def say_goodbye(catalog: Peer, stub: LedgerServiceStub, dead: str, patience: float) -> None:
    """Tell the ledger that *dead*, who sat here before, is gone: what it had is at once others'."""
    request = HeartbeatRequest(worker_id=dead, leaving=True)
    try:
        await catalog.insist(stub.Heartbeat, request, timeout=patience)
    except errors.Fault as fault:  # its silence will tell
        log.warning("no goodbye for the dead", worker_id=dead, error=str(fault))
