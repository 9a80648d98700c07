"""
A worker: takes purchases where it has room, shows that it lives, and lets go politely.

Work comes by hand, from the process that admitted it, and from the queue; where NATS is
gone, with the heartbeat's answer. One purchase is never claimed twice at once in one
process: the second is dropped, since the first has it.
"""

import asyncio
import contextvars
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import prometheus_client
from nats.aio.msg import Msg

from chassis import errors, faults, logs, telemetry
from chassis.beside import Beside
from chassis.bus import Bus
from chassis.channel import Peer
from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2
from imagestudio.type.v1 import purchase_pb2
from services.generator import edges, moves, orders, purchase
from services.generator.buy import THROUGH, Errand
from services.generator.claims import Claim, Claims, acknowledge
from services.generator.deeds import Tools
from services.generator.ledger import AnswerLostError
from services.generator.room import Room
from services.generator.seat import Seat, say_goodbye
from services.generator.vendor import terms_of_claim

BEAT = 1.0  # seconds between two heartbeats, until the ledger says how patient it is
_GOODBYE = 1.0  # seconds for the last: without it our silence tells, later, that we died
_REST = 0.2  # seconds for acknowledgements: what is not told comes again, and is dropped
_PULL_WAIT = 5.0  # seconds
_MORE = 50  # purchases taken at once where much waits, and the others are left theirs
_SELDOM = 10  # beats between two looks at what is ours by the ledger's word
_ELSEWHERE = 5.0  # seconds until others are asked who may know what we do not
_OWNED_FIRST = 3.0  # seconds at most that what is drawn elsewhere waits while others are claimed
OPEN = prometheus_client.Gauge("studio_purchases_open", "Purchases in work in this process.")
_BY_ORDER = (purchase_pb2.PURCHASE_STATE_SENDING, purchase_pb2.PURCHASE_STATE_UNCLEAR)
_WITHOUT_VENDOR = THROUGH | {purchase_pb2.PURCHASE_STATE_DRAWN}
ANY = "any"  # stands for a provider where work needs none: its outputs are known
CLAIMED = ledger_service_pb2.CLAIM_OUTCOME_CLAIMED
log = logs.get()


@dataclass(slots=True)
class Worker:
    """Works with *tools* on at most *most* purchases at once."""

    tools: Tools
    catalog: Peer
    bus: Bus
    most: int
    seat: Seat = field(default_factory=Seat)
    worker_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    _open: dict[str, Errand | None] = field(default_factory=dict)  # None: being claimed
    _claims: Claims = field(default_factory=Claims)
    _room: Room = field(init=False)
    _places: dict[str, str] = field(default_factory=dict)  # purchases, and the queue they came by
    _works: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _owned_until: float = 0.0  # by the tools' clock
    _patience: float = 3 * BEAT
    _ahead: float = 0.0  # seconds from the loop's clock to the database's
    _introduced: bool = False
    _beats: int = 0
    _strange: set[tuple[str, int]] = field(default_factory=set)  # ours, and not in work: with fence
    _outlived: dict[str, str] = field(default_factory=dict)  # others' now, and their queue
    _stopping: bool = False
    _freed: asyncio.Event = field(default_factory=asyncio.Event)
    _lives: list[asyncio.Task[None]] = field(default_factory=list)
    _pulls: list[asyncio.Task[None]] = field(default_factory=list)
    _beside: Beside = field(default_factory=Beside)

    def __post_init__(self) -> None:
        self._room = Room(self.most, (*self.tools.vendors, ANY))

    async def start(self) -> None:
        """Begin to live and to pull; returns at once."""
        self._lives.append(asyncio.create_task(self._live()))
        for name in (*self.tools.vendors, ANY):
            await self.bus.consume(f"work.{name}")
            self._pulls.append(asyncio.create_task(self._pull(name)))

    @property
    def room(self) -> int:
        """How many more purchases it takes now; none while the ledger does not know it."""
        return self._room.left if self._takes else 0

    @property
    def _takes(self) -> bool:
        alive = self._owned_until > self.tools.clock()
        return alive and not self._stopping

    def fitting(self, providers: Sequence[str]) -> int:
        """How many purchases of these *providers*, in this order, it takes now."""
        return self._room.fitting(providers) if self._takes else 0

    def take(self, purchase_id: str, provider: str) -> None:
        """Claim and work on a purchase that is handed over; returns at once."""
        self._claim(purchase_id, provider, telemetry.carried())

    def cancel(self, job: str) -> None:
        """Let the work on *job* know that it is canceled; the heartbeat tells it, too."""
        for errand in self._open.values():
            if errand and errand.job == job:
                errand.tell(moves.CancelAsked())

    async def let_go(self, grace: float) -> None:
        """Take no more, and give what is open to others, as far as *grace* seconds allow."""
        self._stopping = True
        await _end(self._pulls)
        for errand in self._open.values():
            if errand:
                errand.tell(moves.StopAsked())
        await _ended(self._works.values(), grace)

    async def leave(self, grace: float) -> None:
        """Wait *grace* seconds for answers that nobody else could hear; then say goodbye."""
        await _ended([self._works[each] for each in self._unheard], grace)
        await self._abandon()
        await _end(self._lives)
        await self._beside.close(_REST)
        try:
            await self._beat(leaving=True)
        except errors.Fault as fault:
            log.warning("left without a word", error=str(fault))

    # -- claiming and working

    def _claim(self, purchase_id: str, provider: str, trace: Mapping[str, str]) -> Claim | None:
        """Begin; the claim is done with the claim's answer, None: it is in work here already."""
        if purchase_id in self._open or self._stopping:
            return None
        self._open[purchase_id] = None
        self._occupy(purchase_id, provider)
        claimed = self._claims.begin()
        nobody = contextvars.Context()  # not the caller's: its user and trace are not ours
        work = self._work(purchase_id, provider, trace, claimed)
        task = asyncio.create_task(work, context=nobody)
        self._works[purchase_id] = task
        task.add_done_callback(lambda done: self._finished(purchase_id, done, claimed))
        return claimed

    def _finished(self, purchase_id: str, task: asyncio.Task[None], claimed: Claim) -> None:
        """Clear up, also after a task that was dropped before its first step."""
        self._claims.answered(claimed)
        if self._works.get(purchase_id) is task:
            del self._works[purchase_id]
            self._open.pop(purchase_id, None)
            self._room.give_back(self._places.pop(purchase_id))
        OPEN.set(len(self._open))
        self._freed.set()

    def _occupy(self, purchase_id: str, queue: str) -> None:
        self._places[purchase_id] = queue if queue in self._room.names else ANY
        self._room.take(self._places[purchase_id])
        OPEN.set(len(self._open))

    async def _work(
        self, purchase_id: str, provider: str, trace: Mapping[str, str], claimed: Claim
    ) -> None:
        try:
            with telemetry.span("work", parent=trace, purchase_id=purchase_id):
                claim = await self._claimed(purchase_id, provider)
                self._claims.answered(claimed)
                if claim is not None:
                    await self._run(*claim)
        except errors.Fault as fault:
            log.warning("not claimed", purchase_id=purchase_id, error=str(fault))
        except Exception:
            log.exception("work broke off", purchase_id=purchase_id)

    async def _claimed(
        self, purchase_id: str, provider: str
    ) -> tuple[ledger_pb2.LedgerPurchase, float] | None:
        """
        Claim it; return it and when that was asked, None where it is not to be had now.

        After a lost answer it is claimed again; what is ours by then we never began: given back.
        """
        terms = await terms_of_claim(self.tools.vendors, provider)
        lost = False
        while True:
            edge = edges.claim(purchase_id, self.worker_id, *terms)
            began = self.tools.clock()
            faults.point("claim.before_commit")
            try:
                result = await self.tools.ledger.apply(edge)
            except AnswerLostError:
                lost = True
                continue
            faults.point("claim.after_commit")
            found = result.purchase
            if result.outcome == CLAIMED:
                return found, began
            if lost and found.owner == self.worker_id:
                await self._give_back(found, "the claim's answer was lost")
            return None

    async def _give_back(
        self, found: ledger_pb2.LedgerPurchase, why: str, delay: float = 0.0
    ) -> None:
        shown, fence = found.purchase, found.fence
        sending = shown.state == purchase_pb2.PURCHASE_STATE_SENDING
        step = purchase.orphaned(why, sending=sending, delay=delay)
        log.warning("given back", purchase_id=shown.purchase_id, model=shown.model, why=why)
        await self.tools.ledger.apply(edges.given_back(shown.purchase_id, fence, step))

    def _knows(self, claim: ledger_pb2.LedgerPurchase) -> bool:
        """
        Whether model and provider are known here: another replica may be of a newer release.

        What is to be sent or found depends on all models of its place: they decide how many
        images one call brings.
        """
        shown, wanted = claim.purchase, {claim.purchase.model}
        if shown.state in _BY_ORDER:
            wanted |= {*orders.keys_of(shown.ordinal, claim.spec)}
        drawn = shown.state in _WITHOUT_VENDOR
        return (drawn or shown.provider in self.tools.vendors) and all(
            key in self.tools.registry for key in wanted
        )

    async def _run(self, claim: ledger_pb2.LedgerPurchase, began: float) -> None:
        purchase_id = claim.purchase.purchase_id
        if not self._knows(claim):
            await self._give_back(claim, "this replica does not know the model", _ELSEWHERE)
            return
        if claim.purchase.state == purchase_pb2.PURCHASE_STATE_RUNNING:
            # All of a dead worker's have an owner before looks at the first take their time.
            await self._claims.until_none(_OWNED_FIRST)
        errand = None
        try:
            errand = Errand(
                self.tools,
                claim,
                claimed_at=began,
                owned_until=lambda: self._owned_until,
                now=self._now,
            )
            self._open[purchase_id] = errand
            if self._stopping:
                errand.tell(moves.StopAsked())
            await errand.run()
        except Exception as error:  # a defect: leave the evidence
            log.exception("work on a purchase broke off", purchase_id=purchase_id)
            sent = errand or claim.purchase.state != purchase_pb2.PURCHASE_STATE_SENDING
            broken = edges.broken_off if sent else edges.never_begun
            await self.tools.ledger.apply(broken(purchase_id, claim.fence, error))

    @property
    def _unheard(self) -> set[str]:
        """What is in hand of which nobody else could hear the answer."""
        return {each for each, errand in self._open.items() if errand and errand.is_unheard}

    async def _abandon(self, spared: Collection[str] = ()) -> None:
        """Drop all work but what is *spared* at once, writing nothing more."""
        await _end([work for each, work in self._works.items() if each not in spared])

    # -- the queue

    async def _pull(self, name: str) -> None:
        while True:
            if not self.fitting([name]):
                await self._until_room()
                continue
            try:
                for message in await self.bus.pull(f"work.{name}", 1, wait=_PULL_WAIT):
                    self._heard(message, name)
                    most = self.fitting([name] * _MORE)
                    for more in await self.bus.pull_rest(f"work.{name}", most):
                        self._heard(more, name)
            except Exception:
                log.exception("no work pulled", provider=name)
                await asyncio.sleep(BEAT)

    async def _until_room(self) -> None:
        self._freed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT):
                await self._freed.wait()

    def _heard(self, message: Msg, provider: str) -> None:
        """Claim what was announced; the message is done with once the claim is answered."""
        claim = self._claim(message.data.decode(), provider, dict(message.headers or {}))
        self._beside.start(acknowledge(message, claim))

    # -- living

    async def _live(self) -> None:
        if dead := self.seat.take():
            await say_goodbye(self.catalog, self.tools.ledger.stub, dead, self._patience)
        self.seat.write(self.worker_id)
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._beat(leaving=False)
            except errors.Fault as fault:
                log.warning("no heartbeat", error=str(fault))
            except Exception:
                log.exception("no heartbeat")
            await asyncio.sleep(max(0.0, began + self._patience / 3 - loop.time()))

    async def _beat(self, *, leaving: bool) -> None:
        self._beats += 1
        loop, request = asyncio.get_running_loop(), self._heartbeat(leaving=leaving)
        request.tell_owned = self._beats % _SELDOM == 0
        began, stub = self.tools.clock(), self.tools.ledger.stub
        faults.point("heartbeat.before")
        patience = _GOODBYE if leaving else self._patience
        answer = await self.catalog.ask(stub.Heartbeat, request, timeout=patience)
        faults.point("heartbeat.after")
        if leaving:
            return
        if not answer.alive:
            await self._begin_anew()
            return
        self._introduced = True
        self._patience = answer.patience.ToMilliseconds() / 1000
        self._owned_until = began + self._patience
        self._ahead = answer.now.ToMicroseconds() / 1e6 - loop.time()
        self.tools.health.learn(answer.providers)
        self._freed.set()
        self._take_up_outlived()
        for purchase_id in answer.canceling_purchase_ids:
            if errand := self._open.get(purchase_id):
                errand.tell(moves.CancelAsked())
        for due in answer.due_purchases:
            self.take(due.purchase_id, due.provider)
        if request.tell_owned:
            self._look_for_forgotten({(each.purchase_id, each.fence) for each in answer.owned})

    def _take_up_outlived(self) -> None:
        """Claim what was heard under an earlier name: while that was in hand we took none of it."""
        for purchase_id in self._outlived.keys() - self._open.keys():
            self.take(purchase_id, self._outlived.pop(purchase_id))

    def _look_for_forgotten(self, owned: set[tuple[str, int]]) -> None:
        """
        Give back what is ours and nobody here works on, by a claim that nobody waited for.

        Told twice, by the same claim: what we let go of while it was told was another matter.
        """
        strange = {(each, fence) for each, fence in owned if each not in self._open}
        for purchase_id, fence in strange & self._strange:
            self._beside.start(self._disown(purchase_id, fence))
        self._strange = strange

    async def _disown(self, purchase_id: str, fence: int) -> None:
        log.error("ours, and nobody works on it", purchase_id=purchase_id)
        forgotten = edges.broken_off(purchase_id, fence, RuntimeError("its worker forgot it"))
        try:
            await self.tools.ledger.apply(forgotten)
        except errors.Fault as fault:
            log.warning("not given back", purchase_id=purchase_id, error=str(fault))

    def _now(self) -> float:
        return asyncio.get_running_loop().time() + self._ahead

    def _heartbeat(self, *, leaving: bool) -> ledger_service_pb2.HeartbeatRequest:
        limits = [] if self._introduced else [v.limit() for v in self.tools.vendors.values()]
        return ledger_service_pb2.HeartbeatRequest(
            worker_id=self.worker_id,
            limits=limits,
            leaving=leaving,
            orderly=leaving,  # it is we who say so
            room=0 if self.bus.connected else self.room,  # else the queue tells of all work
            providers=[name for name in self._room.names if self.fitting([name])],
        )

    async def _begin_anew(self) -> None:
        """
        We were taken for dead, and what we had is others': drop it, and be somebody new.

        An answer that nobody else can hear is heard: the ledger takes no word of it from its old
        owner, but its receipt is found by the next.
        """
        unheard = self._unheard
        log.warning("taken for dead", worker_id=self.worker_id, unheard=len(unheard))
        self._owned_until, self._introduced = 0.0, False
        self._outlived |= {each: self._places[each] for each in unheard}
        await self._abandon(unheard)
        self.worker_id = str(uuid.uuid4())
        self.seat.write(self.worker_id)


async def _ended(tasks: Iterable[asyncio.Task[None]], patience: float) -> None:
    if waiting := list(tasks):
        await asyncio.wait(waiting, timeout=patience)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
