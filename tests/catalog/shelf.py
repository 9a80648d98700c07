"""
A catalog that is called over gRPC by people with keys, and rows for it to show.

The rows are written as the ledger leaves them, by SQL: what is tested here is reading.
"""

import hashlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import grpc

from chassis import errors, identity
from imagestudio.catalog.v1 import catalog_service_pb2, catalog_service_pb2_grpc
from imagestudio.type.v1.job_event_pb2 import JobEvent
from services.catalog.database import Pools, as_ledger
from services.catalog.keys import Keys
from services.catalog.ledger import Ledger
from services.catalog.news import News

SECRET = b"a secret of the tests alone"
PUBLIC = "https://studio.test"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a credential, or nobody; *user_id* 0 where it names no user."""

    stub: catalog_service_pb2_grpc.CatalogServiceStub
    metadata: tuple[tuple[str, str], ...]
    user_id: int

    async def ask(self, method: str, request: Any = None, **fields: Any) -> Any:
        """Call *method*; its request is made of *fields*. Failures come as Fault."""
        asked = request or getattr(catalog_service_pb2, f"{method}Request")(**fields)
        try:
            return await getattr(self.stub, method)(asked, metadata=self.metadata, timeout=60)
        except grpc.aio.AioRpcError as error:
            raise errors.from_rpc(error, "catalog") from error

    async def watch(self, after: int = 0) -> AsyncIterator[JobEvent]:
        """Watch the feed after a number. Failures come as Fault."""
        request = catalog_service_pb2.WatchUserRequest(after_sequence=after)
        call = self.stub.WatchUser(request, metadata=self.metadata, timeout=60)
        try:
            async for answer in call:
                yield answer.event
        except grpc.aio.AioRpcError as error:
            raise errors.from_rpc(error, "catalog") from error
        finally:
            call.cancel()


@dataclass(frozen=True, slots=True)
class Shelf:
    """A running catalog and its database."""

    pools: Pools
    keys: Keys
    stub: catalog_service_pb2_grpc.CatalogServiceStub
    ledger: Ledger
    news: News

    async def person(self, name: str = "", *scopes: str) -> Person:
        """Make a new user with a key of *scopes*, all where none are given."""
        everything = identity.Caller(0, service="cli")
        request = _create(f"{name}-{next(_numbers)}", scopes)
        row, secret = await self.keys.create(everything, request)
        return Person(self.stub, (("authorization", f"Bearer {secret}"),), row["user_id"])

    def service(self, user_id: int = 0, scopes: frozenset[str] = identity.ALL_SCOPES) -> Person:
        """Be a service, for itself or for a user with *scopes*."""
        token = identity.mint(SECRET, identity.Caller(user_id, scopes, "gateway"))
        return Person(self.stub, ((identity.HEADER, token),), user_id)

    def nobody(self) -> Person:
        """Be somebody without a credential."""
        return Person(self.stub, (), 0)

    async def run(self, query: str, *arguments: Any) -> Any:
        """Run *query* as the ledger; return its first value."""
        async with as_ledger(self.pools.ledger) as connection:
            return await connection.fetchval(query, *arguments)

    async def job(self, owner: Person, **columns: Any) -> int:
        """Write a job of *owner*; return its number."""
        row = {
            "user_id": owner.user_id,
            "title": "A lighthouse",
            "state": "succeeded",
            "original_prompt": "a lighthouse at dawn",
            "spec": {"prompt": "a lighthouse at dawn", "models": ["sketch"]},
            "request_id": str(uuid4()),
            "fingerprint": "f" * 64,
            "last_sequence": 3,
            "open_purchases": 0,
        }
        return await self._insert("image_jobs", "job_id", row | columns)

    async def purchase(self, owner: Person, job_id: int, **columns: Any) -> str:
        """Write a purchase; return its id."""
        row = {
            "purchase_id": str(uuid4()),
            "job_id": job_id,
            "user_id": owner.user_id,
            "provider": "sketch",
            "model_key": "sketch",
            "ordinal": 0,
            "attempt": 1,
            "state": "kept",
            "fingerprint": "f" * 64,
            "period": datetime.now(UTC).date().replace(day=1),
            "reserved": 0,
            "charged": "yes",
        }
        return await self._insert("purchases", "purchase_id", row | columns)

    async def variant(self, owner: Person, job_id: int, **columns: Any) -> str:
        """Write a variant and its file; return its name."""
        number = next(_numbers)
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        file = {
            "user_id": owner.user_id,
            "image_hash": digest,
            "link": f"link{number}",
            "media_type": "image/png",
            "bytes": 1000,
            "width": 64,
            "height": 64,
            "readable": True,
        }
        await self._insert("image_files", "link", file)
        row = {
            "job_id": job_id,
            "user_id": owner.user_id,
            "version_number": number,
            "model_key": "sketch",
            "original_prompt": "a lighthouse at dawn",
            "cdn_url": f"/i/link{number}",
            "thumbnail_url": f"/i/link{number}/thumbnail",
            "width": 1024,
            "height": 1024,
            "cost": 0,
            "image_hash": digest,
            "purchase_id": str(uuid4()),
            "output_index": 0,
            "media_type": "image/png",
            "bytes": 1000,
        }
        variant_id = await self._insert("image_variants", "variant_id", row | columns)
        return f"jobs/{job_id}/variants/{variant_id}"

    async def _insert(self, table: str, wanted: str, row: dict[str, Any]) -> Any:
        columns, places = ", ".join(row), ", ".join(f"${n}" for n in range(1, len(row) + 1))
        query = f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING {wanted}"
        return await self.run(query, *row.values())


def _create(subject: str, scopes: tuple[str, ...]) -> Any:
    return catalog_service_pb2.CreateApiKeyRequest(
        label="a test", subject=subject, scopes=scopes or sorted(identity.ALL_SCOPES)
    )
