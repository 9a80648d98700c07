"""From settings to a running generator: the only place that knows which class does what."""

from dataclasses import dataclass
from functools import partial

from chassis import identity
from chassis.bus import Bus
from chassis.channel import Peer
from chassis.foreign import Guard
from chassis.server import Server
from imagestudio.catalog.v1 import (
    catalog_service_pb2_grpc,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
)
from imagestudio.generator.v1 import generator_service_pb2_grpc
from imagestudio.storage.v1 import storage_service_pb2_grpc
from services.generator import choices
from services.generator.admissions import Admissions
from services.generator.calendar import Calendar
from services.generator.deeds import Tools
from services.generator.disk import Disk
from services.generator.generations import Generations
from services.generator.handler import NAME, Handler
from services.generator.hints import Hints
from services.generator.hub import Hub
from services.generator.language.built_in import BuiltIn
from services.generator.language.linguist import Linguist
from services.generator.language.looks import Looks
from services.generator.language.meter import Meter
from services.generator.language.smart import LONGEST, Rewriter
from services.generator.language.voices import voice_here
from services.generator.ledger import Ledger
from services.generator.live import Live
from services.generator.numbering import Numbering
from services.generator.pictures import Pictures
from services.generator.preparation import Preparation
from services.generator.providers import transport
from services.generator.receipts import Receipts
from services.generator.rounds import Rounds
from services.generator.seat import Seat
from services.generator.settings import Settings
from services.generator.sketching.easel import Easel
from services.generator.strays import Strays
from services.generator.vendor import Vendor
from services.generator.vendors import sold_here
from services.generator.watch import Watch
from services.generator.webhooks import Webhooks
from services.generator.worker import Worker

_PATIENCE = 5.0  # seconds for a look at a credential


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """What is started in this order, and ended in the opposite one."""

    catalog: Peer
    storage: Peer
    easel: Easel
    outgoing: list[transport.Outgoing]
    bus: Bus
    ledger: Ledger
    live: Live
    numbering: Numbering
    hints: Hints
    worker: Worker
    hub: Hub
    rounds: Rounds
    strays: Strays
    calendar: Calendar
    rewriter: Rewriter
    server: Server


def generator(settings: Settings, easel: Easel | None = None) -> Generator:
    """Wire a generator that draws on *easel*; call it inside the running loop."""
    secret = settings.service_secret.reveal().encode()
    catalog = Peer(settings.catalog_target, "catalog", service="generator", secret=secret)
    storage = Peer(settings.storage_target, "storage", service="generator", secret=secret)
    bus, easel = Bus(settings.nats_url.reveal(), "generator"), easel or Easel()
    vault = storage_service_pb2_grpc.StorageServiceStub(storage.channel)
    receipts, hints = Receipts(storage, vault), Hints(bus)
    numbering, pictures = Numbering(storage, vault), Pictures(storage, vault)
    outgoing: list[transport.Outgoing] = []
    vendors = sold_here(settings, easel, receipts, pictures, hints, outgoing)
    tools, strays = _tools(settings, catalog, bus, receipts, vendors, numbering)
    ledger, disk = tools.ledger, Disk(storage, vault)
    tools.disk = disk  # what is admitted and what is ordered go by the same
    worker, hub = Worker(tools, catalog, bus, settings.most_open, Seat(settings.seat)), Hub(bus)
    patience = min(LONGEST, settings.language_seconds)
    rewriter = Rewriter(Meter(catalog, ledger.stub), voice_here(settings, outgoing), patience)
    handler = _handler(tools, catalog, worker, hub, hints, rewriter, disk)
    return Generator(
        catalog=catalog,
        storage=storage,
        easel=easel,
        outgoing=outgoing,
        bus=bus,
        ledger=ledger,
        live=tools.live,
        numbering=numbering,
        hints=hints,
        worker=worker,
        hub=hub,
        rounds=Rounds(hub, catalog, ledger.stub),
        strays=strays,
        calendar=Calendar(tools.registry, vendors),
        rewriter=rewriter,
        server=_server(settings, handler, catalog, ledger),
    )


def _tools(
    settings: Settings,
    catalog: Peer,
    bus: Bus,
    receipts: Receipts,
    vendors: dict[str, Vendor],
    numbering: Numbering,
) -> tuple[Tools, Strays]:
    """What a worker works with, and what looks for orders that nobody has any more."""
    ledger = Ledger(catalog, ledger_service_pb2_grpc.LedgerServiceStub(catalog.channel))
    known, pause = choices.registry(settings), settings.reconcile
    strays = Strays(catalog=catalog, ledger=ledger, registry=known, vendors=vendors, pause=pause)
    tools = Tools(
        ledger=ledger,
        storage=receipts.peer,
        vault=receipts.stub,
        receipts=receipts,
        registry=known,
        vendors=vendors,
        live=Live(bus),
        numbering=numbering,
        notice=strays.notice,
    )
    return tools, strays


def _server(settings: Settings, handler: Handler, catalog: Peer, ledger: Ledger) -> Server:
    add = partial(generator_service_pb2_grpc.add_GeneratorServiceServicer_to_server, handler)
    return Server(
        [(NAME, add)],
        secret=settings.service_secret.reveal().encode(),
        resolve=_resolver(catalog, ledger.stub, settings.auth),
        guard=Guard(settings.public_url, settings.auth),
    )


def _handler(
    tools: Tools,
    catalog: Peer,
    worker: Worker,
    hub: Hub,
    hints: Hints,
    rewriter: Rewriter,
    disk: Disk,
) -> Handler:
    library = catalog_service_pb2_grpc.CatalogServiceStub(catalog.channel)
    generations = Generations(
        catalog=catalog,
        library=library,
        ledger=tools.ledger.stub,
        admissions=Admissions(catalog, tools.ledger.stub),
        registry=tools.registry,
        worker=worker,
        watch=Watch(hub, catalog, tools.ledger.stub),
        disk=disk,
        preparation=Preparation(tools.storage, tools.vault, catalog, library),
        rewriter=rewriter,
    )
    linguist = Linguist(
        meter=rewriter.meter,
        voice=rewriter.voice,
        built_in=BuiltIn(),
        registry=tools.registry,
        looks=Looks(tools.storage, tools.vault),
    )
    webhooks = Webhooks(
        vendors=tools.vendors,
        hints=hints,
        catalog=catalog,
        ledger=tools.ledger.stub,
        notice=tools.notice,
    )
    terms = {name: each.terms for name, each in tools.vendors.items()}
    return Handler(generations, linguist, webhooks, terms, tools.health)


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
        found = await catalog.insist(ask, request, timeout=_PATIENCE, user_id=0)
        return identity.Caller(int(found.user.removeprefix("users/")), frozenset(found.scopes))

    return identity.Remembered(resolve)
