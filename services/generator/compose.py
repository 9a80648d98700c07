"""From settings to a running generator: the only place that knows which class does what."""

from dataclasses import dataclass

import httpx

from chassis import identity
from chassis.bus import Bus
from chassis.channel import Peer
from chassis.errors import Fault
from chassis.server import Server
from chassis.settings import SettingsError, host_of, is_loopback
from imagestudio.catalog.v1 import (
    catalog_service_pb2_grpc,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
)
from imagestudio.generator.v1 import generator_service_pb2_grpc
from imagestudio.storage.v1 import storage_service_pb2_grpc
from services.generator import models
from services.generator.deeds import Tools
from services.generator.disk import Disk
from services.generator.generations import Generations
from services.generator.handler import NAME, Handler
from services.generator.hub import Hub
from services.generator.ledger import Ledger
from services.generator.live import Live
from services.generator.providers import transport
from services.generator.providers.replicate import Replicate, can_check_webhooks
from services.generator.providers.sketch import Sketch
from services.generator.purchase import Terms
from services.generator.receipts import Receipts
from services.generator.settings import Settings
from services.generator.sketching.easel import Easel
from services.generator.vendor import Vendor
from services.generator.watch import Watch
from services.generator.worker import Worker

_PATIENCE = 5.0  # seconds for a look at a credential


@dataclass(frozen=True, slots=True)
class Generator:
    """What is started in this order, and ended in the opposite one."""

    catalog: Peer
    storage: Peer
    easel: Easel
    outgoing: list[httpx.AsyncClient]
    bus: Bus
    ledger: Ledger
    live: Live
    worker: Worker
    hub: Hub
    server: Server


def registry(settings: Settings) -> models.Registry:
    """The models; SettingsError where DEFAULT_MODEL is none of those that can be used."""
    configured = {"sketch", "replicate"} if settings.replicate_api_token else {"sketch"}
    found = models.Registry(models.EVERY, configured=configured, default=settings.default_model)
    try:
        found.usable(found.default)
    except Fault as fault:
        there_are = ", ".join(model.key for model in found if found.ready(model))
        raise SettingsError([f"DEFAULT_MODEL: {fault.message} There are {there_are}."]) from fault
    return found


def generator(settings: Settings, easel: Easel | None = None) -> Generator:
    """Wire a generator that draws on *easel*; call it inside the running loop."""
    secret = settings.service_secret.reveal().encode()
    catalog = Peer(settings.catalog_target, "catalog", service="generator", secret=secret)
    storage = Peer(settings.storage_target, "storage", service="generator", secret=secret)
    bus, easel = Bus(settings.nats_url.reveal(), "generator"), easel or Easel()
    outgoing: list[httpx.AsyncClient] = []
    tools = _tools(settings, catalog, storage, bus, easel, outgoing)
    worker, hub = Worker(tools, catalog, bus, settings.most_open), Hub(bus)
    handler = _handler(tools, catalog, worker, hub)
    server = Server(
        [
            (
                NAME,
                lambda server: generator_service_pb2_grpc.add_GeneratorServiceServicer_to_server(
                    handler, server
                ),
            )
        ],
        secret=secret,
        resolve=_resolver(catalog, tools.ledger.stub, settings.auth),
    )
    return Generator(
        *(catalog, storage, easel, outgoing, bus, tools.ledger, tools.live, worker, hub, server)
    )


def _tools(
    settings: Settings,
    catalog: Peer,
    storage: Peer,
    bus: Bus,
    easel: Easel,
    outgoing: list[httpx.AsyncClient],
) -> Tools:
    known = registry(settings)
    vault = storage_service_pb2_grpc.StorageServiceStub(storage.channel)
    receipts = Receipts(storage, vault)
    vendors = {"sketch": _sketch(easel, receipts)}
    if settings.replicate_api_token:
        vendors["replicate"] = _replicate(settings, outgoing)
    return Tools(
        ledger=Ledger(catalog, ledger_service_pb2_grpc.LedgerServiceStub(catalog.channel)),
        storage=storage,
        vault=vault,
        receipts=receipts,
        registry=known,
        vendors=vendors,
        live=Live(bus),
    )


def _handler(tools: Tools, catalog: Peer, worker: Worker, hub: Hub) -> Handler:
    generations = Generations(
        catalog=catalog,
        library=catalog_service_pb2_grpc.CatalogServiceStub(catalog.channel),
        ledger=tools.ledger.stub,
        registry=tools.registry,
        worker=worker,
        watch=Watch(hub, catalog, tools.ledger.stub),
        disk=Disk(tools.storage, tools.vault),
    )
    return Handler(generations, {name: each.terms for name, each in tools.vendors.items()})


def _sketch(easel: Easel, receipts: Receipts) -> Vendor:
    return Vendor(
        name="sketch",
        provider=Sketch(easel, receipts),
        terms=Terms(askable=True, lag=0.0, interruptible=True),
        time_limit=max(model.time_limit for model in _of("sketch")),
    )


def _replicate(settings: Settings, outgoing: list[httpx.AsyncClient]) -> Vendor:
    token = settings.replicate_api_token.reveal()
    http = transport.client(settings.replicate_base_url, {"Authorization": f"Bearer {token}"})
    outgoing.append(http)
    sold = _of("replicate")
    return Vendor(
        name="replicate",
        provider=Replicate(
            http=http,
            hook=_replicates_hook(settings),
            usual={model.slug: model.typical for model in sold},
            prices={model.slug: model.price for model in sold},
        ),
        terms=Terms(askable=True, lag=settings.lookup_lag, cancelable=True),
        time_limit=max(model.time_limit for model in sold),
        most_in_flight=settings.replicate_in_flight,
        most_per_minute=settings.replicate_per_minute,
    )


def _replicates_hook(settings: Settings) -> httpx.URL | None:
    """Where its webhooks come in: it takes https alone, and the lab what this machine has."""
    lab = is_loopback(host_of(settings.replicate_base_url))
    reachable = lab or settings.public_url.startswith("https:")
    if not (reachable and can_check_webhooks()):
        return None
    return httpx.URL(f"{settings.public_url}/webhooks/replicate")


def _of(provider: str) -> list[models.Model]:
    return [model for model in models.EVERY if model.provider == provider]


def _resolver(
    catalog: Peer, stub: "ledger_service_pb2_grpc.LedgerServiceAsyncStub", auth: str
) -> identity.Resolve:
    """How a person's credential becomes a caller under AUTH="none" or "keys"."""

    async def resolve(credential: str | None) -> identity.Caller:
        known_by = identity.credential_of(credential, auth)
        request = ledger_service_pb2.ResolveCredentialRequest()
        if isinstance(known_by, bytes):
            request.api_key_hash = known_by
        else:
            request.subject = known_by
        ask = stub.ResolveCredential
        found = await catalog.ask(ask, request, timeout=_PATIENCE, user_id=0)
        return identity.Caller(int(found.user.removeprefix("users/")), frozenset(found.scopes))

    return identity.Remembered(resolve)
