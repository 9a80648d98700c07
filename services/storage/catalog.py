"""What storage asks the catalog: to record and forget a user's file, and who somebody is."""

from chassis import identity
from chassis.channel import Peer
from chassis.errors import Missing
from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2, ledger_service_pb2_grpc
from imagestudio.type.v1 import image_pb2
from services.storage.notes import FileNote

_PATIENCE = 5.0  # seconds


class Catalog:
    """The catalog behind *peer*; calls speak for the user of the running call."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._ledger = ledger_service_pb2_grpc.LedgerServiceStub(peer.channel)

    async def record(self, note: FileNote) -> None:
        """Record a durable file."""
        request = ledger_service_pb2.RecordFileRequest(file=_record(note))
        await self._peer.insist(self._ledger.RecordFile, request, timeout=_PATIENCE)

    async def forget(self, sha256: str) -> None:
        """Forget a file, also one that is forgotten already; Precondition where it is in use."""
        request = ledger_service_pb2.ForgetFileRequest(image_hash=sha256)
        try:
            await self._peer.insist(self._ledger.ForgetFile, request, timeout=_PATIENCE)
        except Missing:
            return

    async def user_of(self, known_by: str | bytes) -> identity.Caller:
        """Return whose the hash of an API key is, or the user who needs none, by subject."""
        request = ledger_service_pb2.ResolveCredentialRequest()
        if isinstance(known_by, bytes):
            request.api_key_hash = known_by
        else:
            request.subject = known_by
        found = await self._peer.insist(
            self._ledger.ResolveCredential, request, timeout=_PATIENCE, user_id=0
        )
        user_id = int(found.user.removeprefix("users/"))
        return identity.Caller(user_id, frozenset(found.scopes))


def resolver(catalog: Catalog, auth: str) -> identity.Resolve:
    """Return how a person's credential becomes a caller under AUTH="none" or "keys"."""

    async def resolve(credential: str | None) -> identity.Caller:
        return await catalog.user_of(identity.credential_of(credential, auth))

    return identity.Remembered(resolve)


def _record(note: FileNote) -> ledger_pb2.FileRecord:
    return ledger_pb2.FileRecord(
        image_hash=note.image_hash,
        link=note.link,
        media_type=note.media_type,
        size_bytes=note.size_bytes,
        size=image_pb2.PixelSize(width=note.width, height=note.height),
        readable=note.readable,
    )
