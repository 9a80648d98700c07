"""Puts the catalog together from its settings."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from chassis import identity
from chassis.bus import Bus
from chassis.foreign import Guard
from chassis.server import Server
from imagestudio.catalog.v1 import catalog_service_pb2_grpc, ledger_service_pb2_grpc
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from services.catalog.admit import Admissions
from services.catalog.database import Pools, connect, open_pools
from services.catalog.handler import CatalogHandler
from services.catalog.ledger import Ledger
from services.catalog.ledger_handler import LedgerHandler
from services.catalog.library import open_library
from services.catalog.news import News
from services.catalog.settings import Settings
from services.catalog.sweeper import Sweeper
from services.catalog.wakes import Wake

Resolve = Callable[[pb.ResolveCredentialRequest], Awaitable[pb.ResolveCredentialResponse]]


@dataclass(frozen=True, slots=True)
class Catalog:
    """What lives as long as the process."""

    pools: Pools
    bus: Bus
    news: News
    sweeper: Sweeper
    server: Server

    async def close(self) -> None:
        """Tell what is left to tell, then let go of NATS and PostgreSQL."""
        await self.news.close()
        await self.bus.close()
        await self.pools.close()


async def compose(settings: Settings) -> Catalog:
    """Make the catalog; the database must answer, NATS need not."""
    url = settings.database_url.reveal()
    pools = await open_pools(url)
    bus = Bus(settings.nats_url.reveal(), "catalog")
    news = News(bus, pools.ledger, settings.public_url)
    news.wakes.hear(bus)
    bus.on_connect.append(news.tell_of_loss)
    ledger = Ledger(pools.ledger, news, settings.publish_wait)
    sweeper = Sweeper(
        connect=lambda: connect(url, "studio_ledger"),
        ledger=ledger,
        news=news,
        patience=settings.patience,
    )
    server = _server(settings, pools, ledger, news, sweeper.wake)
    return Catalog(pools, bus, news, sweeper, server)


def _server(settings: Settings, pools: Pools, ledger: Ledger, news: News, gone: Wake) -> Server:
    secret = settings.service_secret.reveal().encode()

    library = open_library(pools, ledger, news, server_cap=settings.spend_cap)
    person = identity.Remembered(_person(library.keys.resolve, settings.auth))
    catalog = CatalogHandler(library=library, public_url=settings.public_url, resolve=person)
    books = LedgerHandler(
        pool=pools.ledger,
        ledger=ledger,
        admissions=Admissions(pools.ledger, settings.spend_cap),
        news=news,
        verify=partial(identity.verify, secret),
        resolve=library.keys.resolve,
        patience=settings.patience,
        server_cap=settings.spend_cap,
        public_url=settings.public_url,
        gone=gone,
    )
    services = (
        (
            "imagestudio.catalog.v1.CatalogService",
            lambda to: catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(catalog, to),
        ),
        (
            "imagestudio.catalog.v1.LedgerService",
            lambda to: ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(books, to),
        ),
    )
    guard = Guard(settings.public_url, settings.auth)
    return Server(services, secret=secret, resolve=person, guard=guard)


def _person(resolve: Resolve, auth: str) -> identity.Resolve:
    async def person(credential: str | None) -> identity.Caller:
        asked = identity.credential_of(credential, auth)
        request = pb.ResolveCredentialRequest(
            **({"subject": asked} if isinstance(asked, str) else {"api_key_hash": asked})
        )
        found = await resolve(request)
        return identity.Caller(int(found.user.removeprefix("users/")), frozenset(found.scopes))

    return person
