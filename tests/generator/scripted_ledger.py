"""A ledger of one purchase and a shop, scripted: what a worker meets, rehearsed line by line."""

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime

from google.rpc import status_pb2

from chassis import errors
from chassis.errors import Unavailable
from imagestudio.catalog.v1 import (
    edge_pb2,
    ledger_pb2,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
)
from imagestudio.type.v1 import purchase_pb2
from services.generator import models, orders
from services.generator import provider as seam

NAME = "imagestudio.catalog.v1.LedgerService"
ID = "01890000-0000-7000-8000-000000000001"
CLAIMED = ledger_service_pb2.CLAIM_OUTCOME_CLAIMED
TAKEN = ledger_service_pb2.CLAIM_OUTCOME_TAKEN
SENDING = purchase_pb2.PURCHASE_STATE_SENDING
RUNNING = purchase_pb2.PURCHASE_STATE_RUNNING
UNCLEAR = purchase_pb2.PURCHASE_STATE_UNCLEAR
NOW = 1_800_000_000.0  # the database's clock when a test begins, in seconds since 1970


class Catalog(ledger_service_pb2_grpc.LedgerServiceServicer):
    """One purchase, by the ledger's rules for claims; loses its answers to the first *lost*."""

    def __init__(self) -> None:
        self.lost, self.model, self.fallback, self.count = 0, "sketch", "sketch", 1
        self.state, self.ticket, self.sent, self.limit = SENDING, "", 0.0, 60.0
        self.broken = False  # no order can be made of what it asks for
        self.changed = False  # another release planned another order
        self.tried: list[str] = []  # models at its place so far, with this one
        self.repeats = ""  # the purchase whose order it gives again
        self.hinted: list[str] = []
        self.held: set[str] = set()  # tickets of other purchases
        self.stands_back = False  # what is found is left to others
        self.refusal: status_pb2.Status | None = None  # no order of ours is taken there
        self.health = ledger_service_pb2.HeartbeatResponse().providers
        self.due: list[str] = []
        self.owned: list[tuple[str, int]] = []  # with fence: the worker's, by the ledger's word
        self.beats: list[ledger_service_pb2.HeartbeatRequest] = []
        self.edges: list[edge_pb2.Edge] = []
        self.patience, self.alive, self.now = 3.0, True, NOW
        self.claims, self.gives_away = 0, False
        self.unlisted: float | None = None  # since when others know of it, by its provider's clock
        self.account = ""  # that the claim of its order told
        self.asked = asyncio.Event()  # something is to be written
        self.turns: asyncio.Semaphore | None = None  # so many calls are answered, where it is given
        self.owner, self.fence = "", 0
        self.workers: list[str] = []
        self.left = asyncio.Event()
        self.written: asyncio.Queue[str] = asyncio.Queue()

    async def Heartbeat(self, request, context):
        self.workers.append(request.worker_id)
        if request.leaving:
            self.left.set()
        alive, self.alive = self.alive, True
        answer = ledger_service_pb2.HeartbeatResponse(alive=alive, providers=self.health)
        answer.patience.FromMilliseconds(round(self.patience * 1000))
        answer.now.FromMicroseconds(int(self.now * 1e6))
        self.beats.append(request)
        for purchase_id, fence in self.owned if request.tell_owned else ():
            answer.owned.add(purchase_id=purchase_id, fence=fence)
        for purchase_id in self.due if request.room else ():
            answer.due_purchases.add(purchase_id=purchase_id, provider="sketch")
        return answer

    async def Apply(self, request, context):
        self.asked.set()
        if self.turns:
            await self.turns.acquire()
        results = [self.take(edge) for edge in request.edges]
        if self.lost:
            self.lost -= 1
            raise Unavailable("SERVICE_UNAVAILABLE", "the answer is lost")
        return ledger_service_pb2.ApplyResponse(results=results)

    def take(self, edge):
        kind = edge.WhichOneof("step")
        if kind == "claim":
            self.claims += 1
            won = not self.owner
            if won:
                self.owner, self.fence = edge.claim.worker_id, self.fence + 1
                if self.state == SENDING:
                    self.account = edge.claim.account
            outcome = CLAIMED if won else TAKEN
            found = ledger_service_pb2.EdgeResult(outcome=outcome, purchase=self.purchase())
            self.fence += self.gives_away
            return found
        self.written.put_nowait(kind)
        self.edges.append(edge)
        if edge.fence != self.fence:
            stale = errors.Stale("FENCE_STALE", "another has it")
            return ledger_service_pb2.EdgeResult(status=errors.to_status(stale))
        if kind == "settle" and self.stands_back:
            self.owner, self.ticket, self.fence = "", "", self.fence + 1
        elif kind == "settle":
            free = [found for found in edge.settle.found.tickets if found not in self.held]
            self.ticket = free[0] if free else ""
        if kind in ("release", "park", "end"):
            self.owner = ""
        return ledger_service_pb2.EdgeResult(purchase=self.purchase())

    def purchase(self):
        found = ledger_pb2.LedgerPurchase(owner=self.owner, fence=self.fence, user="users/1")
        found.purchase.purchase_id, found.purchase.job = ID, "jobs/1"
        found.purchase.provider, found.purchase.model = "sketch", self.model
        found.purchase.state, found.ticket = self.state, self.ticket
        found.purchase.send_time.FromMicroseconds(int((NOW - self.sent) * 1e6))
        found.purchase.deadline.FromMicroseconds(int((NOW - self.sent + self.limit) * 1e6))
        found.webhook_tickets.extend(self.hinted)
        found.repeats, found.account = self.repeats, self.account
        found.models_tried.extend(self.tried)
        if self.unlisted is not None:
            found.unlisted_time.FromMicroseconds(int(self.unlisted * 1e6))
        if self.refusal:
            found.refusal.CopyFrom(self.refusal)
        found.spec.prompt, found.spec.count = "a lighthouse", self.count
        found.spec.models.append("sketch")
        found.spec.fallback_models.append(self.fallback)
        if self.broken:
            found.spec.parameters["sketch"].fields["seconds"].number_value = math.nan
        elif not self.changed:
            planned = orders.order(models.EVERY[0], found.spec, 0, 1, ID, self.repeats)
            found.fingerprint = orders.fingerprint(planned)
        return found


class Shop:
    """A provider that sells nothing before it is told to, and counts who asks."""

    def __init__(self) -> None:
        self.asked, self.came = 0, asyncio.Event()
        self.answer: seam.Ticket | Exception | None = None
        self.sights: list[seam.Working | seam.Ended | Exception] = [seam.Working(0.5)]

    async def buy(self, order, receipt, report, /):
        self.asked += 1
        self.came.set()
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer:
            return self.answer
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise seam.Refused("stopped in time") from None

    async def follow(self, ticket, /):
        for seen in self.sights:
            if isinstance(seen, Exception):
                raise seen
            yield seen
        await asyncio.Event().wait()


class Slow(Shop):
    """One that answers an order when the test says so, and does not stop before."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def buy(self, order, receipt, report, /):
        self.asked += 1
        self.came.set()
        await self.go.wait()
        return seam.Ticket("t1")


class Listing(Shop):
    """One that knows what it sold, and whose list does not show it yet, but *shows* others."""

    def __init__(self, owns: set[str], shows: Sequence[seam.Ticket] = ()) -> None:
        super().__init__()
        self.owns, self.shows, self.listed = owns, shows, 0
        self.began: datetime | None = None  # when its list was read, by its own clock
        self.ended: datetime | None = None
        self.looked_for: list[seam.Order] = []
        self.followed: asyncio.Queue[str] = asyncio.Queue()

    async def recognize(self, order, ticket, /):
        return ticket.reference in self.owns

    async def look_up(self, order, /):
        self.listed += 1
        self.looked_for.append(order)
        return seam.Looked(list(self.shows), self.began, self.ended)

    def follow(self, ticket, /):
        self.followed.put_nowait(ticket.reference)
        return super().follow(ticket)
