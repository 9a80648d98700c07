"""
The catalog's side of the wire, scripted: it records, forgets and resolves in memory.

`test_catalog.py` asks the same of the real one.
"""

import asyncio
from contextlib import asynccontextmanager

from chassis import identity
from chassis.errors import Precondition, Unauthenticated
from chassis.server import Server
from imagestudio.catalog.v1 import ledger_pb2
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.catalog.v1 import ledger_service_pb2_grpc as pb_grpc
from tests.ports import free_port
from tests.storage.client import ANNA, BERT, SECRET

KEYS = {
    "isk_anna": (ANNA, ["read", "write"]),
    "isk_bert": (BERT, ["read", "write"]),
    "isk_reader": (ANNA, ["read"]),
    "isk_writer": (ANNA, ["write"]),
}


class ScriptedCatalog(pb_grpc.LedgerServiceServicer):
    """*files* is what was recorded; what is in *used* is in use."""

    def __init__(self) -> None:
        self.port = free_port()
        self.files: dict[tuple[int, str], ledger_pb2.FileRecord] = {}
        self.used: set[str] = set()
        self.asked: list[str] = []
        self.forgetting, self.may_forget = asyncio.Event(), asyncio.Event()
        self.may_forget.set()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def RecordFile(self, request, context):
        key = identity.current.get().require_user(), request.file.image_hash
        known = key in self.files
        self.files.setdefault(key, request.file)
        return pb.RecordFileResponse(file=self.files[key], deduplicated=known)

    async def ForgetFile(self, request, context):
        self.forgetting.set()
        await self.may_forget.wait()
        if request.image_hash in self.used:
            raise Precondition("ASSET_IN_USE", "A variant shows it.")
        self.files.pop((identity.current.get().require_user(), request.image_hash), None)
        return pb.ForgetFileResponse()

    async def ResolveCredential(self, request, context):
        kind = request.WhichOneof("credential")
        self.asked.append(kind)
        if kind == "subject":
            return pb.ResolveCredentialResponse(
                user=f"users/{ANNA}", scopes=sorted(identity.ALL_SCOPES)
            )
        for key, (user_id, scopes) in KEYS.items():
            if identity.hashed(key) == request.api_key_hash:
                return pb.ResolveCredentialResponse(user=f"users/{user_id}", scopes=scopes)
        raise Unauthenticated("CREDENTIAL_INVALID", "No such key.")


@asynccontextmanager
async def scripted_catalog():
    catalog = ScriptedCatalog()

    async def nobody(_credential):
        raise Unauthenticated("CREDENTIAL_MISSING", "Services only.")

    server = Server(
        [
            (
                "imagestudio.catalog.v1.LedgerService",
                lambda server: pb_grpc.add_LedgerServiceServicer_to_server(catalog, server),
            )
        ],
        secret=SECRET.encode(),
        resolve=nobody,
    )
    await server.start("127.0.0.1", catalog.port, "CATALOG_PORT")
    try:
        yield catalog
    finally:
        await server.stop(lame=0, grace=None)
