"""Strays on the wire: whose each is by its provider's word alone, and what a list shows."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chassis import errors
from chassis.beside import Beside
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.catalog.v1 import ledger_service_pb2_grpc
from imagestudio.storage.v1 import storage_service_pb2
from services.generator import edges, models, moves, orders
from services.generator import provider as seam
from services.generator.ledger import Ledger
from services.generator.models import Registry
from services.generator.standing import Terms
from services.generator.strays import Strays
from services.generator.vendor import Vendor
from tests.generator import scripted_ledger
from tests.generator.own_worker import hired
from tests.generator.scripted_ledger import ID, NAME
from tests.generator.wire import serving

HALF_AN_HOUR = timedelta(minutes=30)
SINCE = datetime(2026, 11, 22, 7, tzinfo=UTC)


class Catalog(ledger_service_pb2_grpc.LedgerServiceServicer):
    """Tells of *strays* until each is adopted or disowned; *turns* to read a list."""

    def __init__(self) -> None:
        self.strays: dict[str, pb.Stray] = {}
        self.turns, self.listed, self.read = 0, list[str](), list[datetime]()
        self.adopted, self.disowned = list[tuple[str, str, int]](), list[tuple[str, str]]()
        self.conflict, self.asked = set[str](), asyncio.Event()
        self.begin = SINCE

    def knows(self, ticket, *, model="flux-schnell", first_hand=False, parameters=None):
        stray = pb.Stray(ticket=ticket, first_hand=first_hand)
        shown, spec = stray.purchase.purchase, stray.purchase.spec
        shown.purchase_id, shown.model, shown.provider = ID, model, "replicate"
        spec.prompt, spec.count = "a lighthouse", 2
        spec.models.append(model)
        if parameters:
            spec.parameters[model].update(parameters)
        self.strays[ticket] = stray

    async def FindStrays(self, request, context):
        self.listed += [each.ticket for each in request.listed]
        for each in request.disowned:
            self.disowned.append((each.ticket, each.purchase_id))
            del self.strays[each.ticket]
        if request.HasField("read_time"):
            self.read.append(request.read_time.ToDatetime(UTC))
        self.asked.set()
        return pb.FindStraysResponse(strays=self.strays.values())

    async def BeginListing(self, request, context):
        self.turns -= 1
        answer = pb.BeginListingResponse()
        if self.turns >= 0:
            answer.since_time.FromDatetime(SINCE)
            answer.begin_time.FromDatetime(self.begin)
        return answer

    async def Apply(self, request, context):
        return pb.ApplyResponse(results=[self.take(edge) for edge in request.edges])

    def take(self, edge):
        step = edge.adopt
        if step.ticket in self.conflict:
            fault = errors.Precondition("STATE_CONFLICT", "it is unclear")
            return pb.EdgeResult(status=errors.to_status(fault))
        self.adopted.append((edge.purchase_id, step.ticket, step.reserved_usd_micros))
        del self.strays[step.ticket]
        return pb.EdgeResult()


class Seller:
    """Says yes to *owns*, no to all others, and what it is told to say of *says*."""

    def __init__(self) -> None:
        self.owns: set[str] = set()
        self.says: dict[str, Exception] = {}
        self.asked: list[tuple[str, seam.Order]] = []
        self.sells: list[seam.Sold] = []
        self.since: list[datetime] = []
        self.breaks, self.good_until = False, SINCE - HALF_AN_HOUR

    async def recognize(self, order, ticket, /):
        self.asked.append((ticket.reference, order))
        if ticket.reference in self.says:
            raise self.says[ticket.reference]
        return ticket.reference in self.owns

    async def sold(self, since, until, /):
        self.since.append(since)
        for each in self.sells:
            yield each
        if self.breaks and until > self.good_until:
            raise seam.Unclear("cut")


class World:
    def __init__(self, catalog, seller, strays) -> None:
        self.catalog, self.seller, self.strays = catalog, seller, strays
        self.vendor, self.beside = strays.vendors["replicate"], Beside()

    async def look(self, *, listing=False):
        await self.strays.look(self.vendor, listing=listing)


@pytest.fixture
async def world():
    catalog, seller = Catalog(), Seller()

    def add(server):
        ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(catalog, server)

    async with serving(NAME, add) as peer:
        ledger = Ledger(peer, ledger_service_pb2_grpc.LedgerServiceStub(peer.channel))
        ledger.start()
        terms, configured = Terms(askable=True), {"sketch", "replicate"}
        sold = {
            name: Vendor(name=name, provider=provider, terms=terms, time_limit=60)
            for name, provider in (("replicate", seller), ("mute", object()))
        }
        strays = Strays(
            catalog=peer, ledger=ledger, vendors=sold, pause=3600,
            registry=Registry(models.EVERY, configured=configured, default="sketch"),
        )  # fmt: skip
        found = World(catalog, seller, strays)
        yield found
        await found.beside.close()
        await ledger.close()


async def test_what_its_provider_recognizes_is_adopted_for_the_most_that_it_can_cost(world):
    world.catalog.knows("t2")
    world.seller.owns = {"t2"}
    await world.look()
    assert world.catalog.adopted == [(ID, "t2", 6_000)]  # two images of one call
    [(_ticket, order)] = world.seller.asked
    assert (order.purchase_id, order.inputs["prompt"]) == (ID, "a lighthouse")
    assert order == orders.of_claim(stray(world, "t2"), world.strays.registry)
    assert world.catalog.disowned == []


async def test_one_that_may_be_a_series_is_adopted_for_all_of_it(world):
    series = {"sequential_image_generation": "auto", "max_images": 4}
    world.catalog.knows("t2", model="seedream-4.5", parameters=series)
    world.seller.owns = {"t2"}
    await world.look()
    assert world.catalog.adopted == [(ID, "t2", 4 * 40_000)]


def stray(world, ticket):
    world.catalog.knows(ticket)
    return world.catalog.strays[ticket].purchase


async def test_what_its_provider_does_not_recognize_is_disowned_and_never_adopted(world):
    world.catalog.knows("t2")
    world.catalog.knows("t3")
    world.seller.owns = {"t3"}
    await world.look()
    assert world.catalog.disowned == [("t2", ID)]
    assert [ticket for _id, ticket, _price in world.catalog.adopted] == ["t3"]


async def test_one_that_cannot_be_judged_now_holds_up_no_other(world):
    for ticket in ("t2", "t3", "t4"):
        world.catalog.knows(ticket)
    world.seller.owns, world.seller.says = {"t3"}, {"t2": seam.Unclear("blank")}
    world.catalog.conflict = {"t4"}
    world.seller.owns = {"t3", "t4"}
    await world.look()
    assert [ticket for _id, ticket, _price in world.catalog.adopted] == ["t3"]
    assert set(world.catalog.strays) == {"t2", "t4"}
    assert world.catalog.disowned == []


async def test_a_provider_that_asks_for_patience_is_asked_no_more(world):
    for ticket in ("t2", "t3"):
        world.catalog.knows(ticket)
        world.seller.says[ticket] = seam.Unclear("429", retry_after=5)
    with pytest.raises(seam.Unclear):
        await world.look()
    assert len(world.seller.asked) == 1


async def test_what_a_worker_of_ours_had_as_its_answer_is_asked_of_nobody(world):
    world.catalog.knows("t2", first_hand=True)
    await world.look()
    assert [ticket for _id, ticket, _price in world.catalog.adopted] == ["t2"]
    assert world.seller.asked == []


async def test_what_only_another_release_knows_is_left_to_it(world):
    world.catalog.knows("t2", model="a model of another release")
    await world.look()
    assert (world.catalog.adopted, world.catalog.disowned) == ([], [])


async def test_the_list_is_read_in_its_turn_and_told_in_parts(world):
    world.seller.sells = [
        seam.Sold(reference=f"t{number}", purchase_id=ID, ours=True) for number in range(1200)
    ]
    world.catalog.turns = 1
    for _ in range(2):
        await world.look(listing=True)
    assert world.seller.since == [SINCE]
    assert world.catalog.listed == [f"t{number}" for number in range(1200)]
    assert world.catalog.read == [SINCE]


async def test_a_long_time_is_read_in_parts_and_what_was_read_is_not_read_again(world):
    world.catalog.turns, world.catalog.begin = 1, SINCE + 2 * HALF_AN_HOUR + timedelta(minutes=5)
    await world.look(listing=True)
    parts = [SINCE, SINCE + HALF_AN_HOUR, SINCE + 2 * HALF_AN_HOUR]
    assert world.seller.since == parts
    assert world.catalog.read == [*parts[1:], world.catalog.begin]


async def test_a_list_that_breaks_off_was_read_as_far_as_it_went(world):
    world.catalog.turns, world.catalog.begin = 1, SINCE + 3 * HALF_AN_HOUR
    world.seller.breaks, world.seller.good_until = True, SINCE + HALF_AN_HOUR
    with pytest.raises(seam.Unclear):
        await world.look(listing=True)
    assert world.catalog.read == [SINCE + HALF_AN_HOUR]


async def test_a_list_that_breaks_off_was_not_read(world):
    world.seller.breaks, world.catalog.turns = True, 1
    with pytest.raises(seam.Unclear):
        await world.look(listing=True)
    assert world.catalog.read == []


async def test_a_notice_is_heeded_at_once_and_reads_no_list(world):
    world.beside.start(world.strays.run())
    await asyncio.wait_for(world.catalog.asked.wait(), 60)  # what the ledger knows from before
    world.catalog.knows("t2")
    world.seller.owns, world.catalog.turns = {"t2"}, 5
    for provider in ("replicate", "mute", "nobody's"):
        world.strays.notice(provider)
    while not world.catalog.adopted:
        await asyncio.sleep(0.01)
    assert (world.catalog.turns, world.seller.since) == (5, [])


async def test_what_the_ledger_knows_from_before_is_judged_at_once_and_the_list_read_in_time(world):
    world.catalog.knows("t2")
    world.seller.owns, world.catalog.turns = {"t2"}, 2
    world.strays.pause = 0.2
    world.beside.start(world.strays.run())
    while len(world.seller.since) < 2:
        await asyncio.sleep(0.01)
    assert [ticket for _id, ticket, _price in world.catalog.adopted] == ["t2"]


async def test_a_look_that_fails_is_not_the_last(world):
    world.catalog.knows("t2")
    world.seller.says["t2"] = RuntimeError("a defect")
    world.beside.start(world.strays.run())
    while not world.seller.asked:
        await asyncio.sleep(0.01)
    world.seller.says, world.seller.owns = {}, {"t2"}
    while not world.catalog.adopted:
        world.strays.notice("replicate")
        await asyncio.sleep(0.01)


# -- Who gives notice


async def noticed(catalog, shop):
    """Let a worker have the purchase of *catalog*; return of whom it gave notice."""
    found = asyncio.Queue()

    def add(server):
        ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(catalog, server)

    async with serving(NAME, add) as peer, hired(peer, shop) as worker:
        worker.tools.notice = found.put_nowait
        worker.take(ID, "sketch")
        return await asyncio.wait_for(found.get(), 60)


async def test_a_worker_whose_ticket_comes_too_late_gives_notice():
    catalog, shop = scripted_ledger.Catalog(), scripted_ledger.Shop()
    catalog.gives_away, shop.answer = True, seam.Ticket("t1")
    assert await noticed(catalog, shop) == "sketch"


async def test_a_worker_that_found_what_was_bought_gives_notice_of_what_else_may_be_there():
    catalog, shop = scripted_ledger.Catalog(), scripted_ledger.Listing({"t1"})
    catalog.state, catalog.hinted = scripted_ledger.UNCLEAR, ["t1"]
    assert await noticed(catalog, shop) == "sketch"


def test_a_seed_is_told_of_what_was_sent_with_it_alone():
    """A second order has a purchase of its own, and none of that one's seed."""
    registry = Registry(models.EVERY, configured={"sketch"}, default="sketch")
    order = seam.Order(purchase_id=ID, slug="sketch", inputs={"seed": 7}, give_up_after=60)
    asset = {0: storage_service_pb2.Asset(name="assets/" + "a" * 64, path="/i/a")}
    for planned in (True, False):
        known = edges.Known(
            purchase_id=ID, fence=1, model=registry.known("sketch"), terms=Terms(askable=True),
            order=replace(order, as_planned=planned), price=lambda _images: 0,
            most=lambda _images: 0, images=1,
            next=lambda _other: None,
        )  # fmt: skip
        image = edges.edge(moves.Kept(0, False), known, asset).keep.image
        assert image.HasField("seed") is planned
