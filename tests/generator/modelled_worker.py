"""
The workers of the simulation: what they hold, the acts under way, and the edges that wait.

They are paused, taken for dead while they live, and killed; what they had sent may still
arrive. One purchase in hand is the real machine of `services.generator.purchase`.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Fault
from imagestudio.catalog.v1 import edge_pb2
from services.generator import edges, keeping, moves, purchase, reconcile, settling, standing
from services.generator.buy import FRESH
from services.generator.standing import Stage
from tests.generator.modelled_changes import Asked
from tests.generator.modelled_deeds import DEEDS
from tests.generator.modelled_edges import claim, rendered
from tests.generator.modelled_ledger import PATIENCE
from tests.generator.modelled_promises import promise, seconds
from tests.generator.modelled_rows import Answer

if TYPE_CHECKING:
    from tests.generator.simulation import World

BEAT = 1.0  # seconds between two heartbeats
THROUGH = frozenset({"kept", "lost", "quarantined"})
ELSEWHERE = 5.0  # seconds until others are asked who may know the model
OVER = float("inf")  # what an act yields that has come to its end
Act = Iterator[float | None]  # yields the seconds until it goes on
Heard = Callable[
    [Answer | Fault | None], object
]  # takes an Answer, a Fault, or None where the answer was lost


class Running:
    """An act of a worker's, and when it goes on."""

    __slots__ = ("act", "at", "held", "worker")

    def __init__(self, worker: "Worker", act: Act, at: float, held: "Held | None") -> None:
        self.worker, self.act, self.at, self.held = worker, act, at, held

    def rest(self, pause: float) -> None:
        """Go on after so many seconds, or never where it is OVER."""
        worker = self.worker
        self.at = worker.ledger.now + pause
        if pause == OVER and self in worker.acts:
            worker.acts.remove(self)
        if not worker.world.stale:
            worker.world.ready.remove(self)


class Worker:
    """One process."""

    __deletable__ = ("acts", "held", "pump", "seen", "waiting", "world")  # for mypyc

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.ledger, self.name = world, world.ledger, name
        self.held: dict[str, Held | None] = {}  # None: being claimed
        self.acts: list[Running] = []
        self.waiting: list[tuple[Asked, Heard]] = []
        self.pumping = self.stopping = False
        self.pump = Running(self, self._pump(), 0.0, None)
        self.paused_until = self.deaf_until = self.beats_at = 0.0
        self.owned_until = -1.0
        self.introduced = False
        self.strange: set[tuple[str, int]] = set()
        self.seen = reconcile.Seen(lambda: self.ledger.now)

    def forget(self) -> None:
        """Let go of all that refers to this worker."""
        del self.acts, self.held, self.pump, self.seen, self.waiting, self.world

    # -- living

    def beat(self) -> None:
        """Tell that we live; where we were given up, drop all and begin anew."""
        ledger = self.ledger
        if ledger.now < self.deaf_until:
            return
        self.beats_at = ledger.now + BEAT
        if not ledger.beat(self.name, first=not self.introduced):
            self.world.replace(self)
            return
        self.introduced, self.owned_until = True, ledger.now + PATIENCE
        if ledger.working or self.strange:
            self.look_for_forgotten()
        if ledger.canceling:
            for key, held in list(self.held.items()):
                if held and ledger.jobs[ledger.purchases[key].job_id].state == "canceling":
                    held.tell(moves.CancelAsked())
        if self.stopping and not self.held and not self.acts:
            ledger.workers.pop(self.name, None)
            self.world.replace(self)

    def look_for_forgotten(self) -> None:
        """As Worker._look_for_forgotten: what is ours, told twice, and in no hand is given back."""
        name, held = self.name, self.held
        ours = [row for row in self.ledger.working if row.owner == name]
        strange = {(row.purchase_id, row.fence) for row in ours if row.purchase_id not in held}
        if not strange and not self.strange:
            return
        for purchase_id, fence in sorted(strange & self.strange):
            forgotten = edges.broken_off(purchase_id, fence, RuntimeError("forgot"))
            self.submit(Asked(forgotten), _nothing)
        self.strange = strange

    def stop(self) -> None:
        """End politely: let go of all."""
        self.stopping = True
        for held in list(self.held.values()):
            if held:
                held.tell(moves.StopAsked())

    # -- acting

    def start(self, act: Act, held: "Held | None" = None) -> None:
        """Begin *act*, to its first pause; it ends with what is *held*."""
        pause = next(act)
        running = Running(self, act, self.ledger.now + (pause or 0.0), held)
        self.acts.append(running)
        if not pause:
            self.world.ready.append(running)

    # -- claiming

    @property
    def has_room(self) -> bool:
        return self.paused_until <= self.ledger.now < self.owned_until and not self.stopping

    def take(self, purchase_id: str) -> None:
        """Claim what was announced, unless it is in hand."""
        if purchase_id not in self.held:
            self.held[purchase_id] = None
            self._claim(purchase_id, self.world.ledger.now, lost=False)

    def _claim(self, purchase_id: str, began: float, *, lost: bool) -> None:
        edge = claim(purchase_id, self.name)
        self.submit(edge, partial(self._claimed, purchase_id, began, lost))

    def _claimed(
        self, purchase_id: str, began: float, lost: bool, answer: Answer | Fault | None
    ) -> None:
        """As Worker._claimed of the generator: after a lost answer nobody may send."""
        if answer is None:
            self._claim(purchase_id, began, lost=True)
        elif isinstance(answer, Answer) and answer.claimed:
            self._begin(purchase_id, began, answer)
        elif isinstance(answer, Answer) and lost and answer.owner == self.name:
            self._give_back(purchase_id, answer, 0.0)
        else:
            self.held.pop(purchase_id, None)

    def _begin(self, purchase_id: str, began: float, answer: Answer) -> None:
        world = self.world
        if answer.state in ("sending", "unclear") and world.trouble.strikes("the model is unknown"):
            self._give_back(purchase_id, answer, ELSEWHERE)
            return
        never = answer.state == "sending" and world.dice.random() < 0.5
        if world.trouble.strikes("work breaks off"):
            self._break_off(purchase_id, answer, never=never)
            return
        if answer.state == "sending" and world.poison == ("raises", "buy"):
            world.outlast(purchase_id)
            self._break_off(purchase_id, answer, never=False)
            return
        held = self.held[purchase_id] = Held(self, purchase_id, began, answer)
        held.begin(answer)

    def _break_off(self, purchase_id: str, answer: Answer, *, never: bool) -> None:
        """As Worker._run does after a defect: before anything could be sent, or perhaps after."""
        broken = edges.never_begun if never else edges.broken_off
        edge = Asked(broken(purchase_id, answer.fence, ValueError("a defect")))
        self.submit(edge, lambda _answer: self.held.pop(purchase_id, None))

    def _give_back(self, purchase_id: str, answer: Answer, delay: float) -> None:
        step = purchase.orphaned("not ours", sending=answer.state == "sending", delay=delay)
        edge = Asked(edges.given_back(purchase_id, answer.fence, step))
        self.submit(edge, lambda _answer: self.held.pop(purchase_id, None))

    # -- writing

    def submit(self, edge: Asked, heard: Heard) -> None:
        """Queue *edge*; while a call is under way the next edges gather."""
        self.waiting.append((edge, heard))
        if not self.pumping:
            self.pumping, self.pump.at = True, self.ledger.now
            self.acts.append(self.pump)
            self.world.ready.append(self.pump)

    def _pump(self) -> Act:
        """As services.generator.ledger: what was lost is said again, but for claims."""
        world = self.world
        strikes = world.trouble.strikes
        while True:  # edges that follow each other without any wait go together
            taken, self.waiting = self.waiting, []
            asked = [edge for edge, _heard in taken]
            if strikes("the ledger is away"):
                answers = None
            elif strikes("an edge comes late"):
                answers = None
                world.late.append((world.ledger.now + world.dice.random() * 15, asked))
            else:
                answers = world.ledger.apply(asked, strikes)
            if not world.trouble.over:  # or nothing can happen to who waits for it
                yield 0.0
            if answers is None or strikes(_lost(asked)):
                self._say_again(taken)
            else:
                for index, (edge, heard) in enumerate(taken):
                    world.note(edge, answers[index])
                    heard(answers[index])
            self.pumping = bool(self.waiting)
            yield 0.0 if self.pumping else OVER

    @property
    def sent(self) -> list[Asked]:
        """What may be under way to the ledger just now."""
        return [edge for edge, _heard in self.waiting]

    def _say_again(self, taken: list[tuple[Asked, Heard]]) -> None:
        again = []
        for edge, heard in taken:
            if edge.kind == "claim":
                heard(None)
            else:
                again.append((edge, heard))
        self.waiting[:0] = again


_UNIX, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def _lost(asked: list[Asked]) -> str:
    """What may happen to the answer to these."""
    claims = any(edge.kind == "claim" for edge in asked)
    return "a claim's answer is lost" if claims else "the ledger's answer is lost"


def _nothing(_answer: object) -> None:
    return


class Held:
    """One purchase in a worker's hands."""

    def __init__(self, worker: Worker, purchase_id: str, claimed: float, answer: Answer) -> None:
        self.worker, self.world, self.purchase_id = worker, worker.world, purchase_id
        self.called = purchase_id[-4:]  # in the trace
        self.fence, self.claimed_at, self.hinted = answer.fence, claimed, answer.hinted
        self.restored = answer.restored
        self.deadline = seconds(answer.deadline)
        self.ticket = answer.ticket
        self.heard: edge_pb2.Heard | None = None  # of its provider, until it is written
        self.sent = False  # the order has left
        self.interrupted = self.broken = False  # broken: a defect, or an edge that was not taken
        self.wishes: set[str] = set()

    def begin(self, answer: Answer) -> None:
        """As Errand._begin does."""
        terms, canceling = self.world.vendor.terms, answer.canceling
        if answer.state == "sending" and answer.refusal:
            why, reason = answer.refusal["message"], answer.refusal["reason"]
            first = purchase.refuse(terms, why, reason, canceling=canceling)
        elif answer.state == "sending":
            first = purchase.send(terms, canceling=canceling, sent_back=answer.sent_back)
        elif answer.state == "running":
            first = purchase.resume_running(terms, answer.ticket, canceling=canceling)
        elif answer.state == "drawn":
            missing, kept = answer.missing, answer.unpublished
            first = keeping.resume_drawn(terms, missing, kept, canceling=canceling)
        elif answer.state in THROUGH:
            first = keeping.resume_kept(terms, answer.unpublished)
        else:
            sent = Timestamp()
            if answer.sent_at:  # or it was planned, in a copy
                sent.FromMicroseconds((answer.sent_at - _UNIX) // _MICROSECOND)
            first = settling.resume_unclear(
                terms,
                wait=reconcile.wait(sent, terms, self.world.moment),
                unlisted=self.worker.seen.wait(self.purchase_id, terms.lag),
                canceling=canceling,
                hinted=bool(self.hinted),
                since=answer.unlisted,
            )
        self.move(first)
        if self.worker.stopping:
            self.tell(moves.StopAsked())

    def may_send(self) -> bool:
        """As Errand._may_send does."""
        return self.world.ledger.now <= min(self.claimed_at + FRESH, self.worker.owned_until)

    def late(self) -> float:
        return self.world.ledger.now - self.deadline

    def tell(self, event: moves.Event) -> None:
        """Let it know what somebody wants, once."""
        name = type(event).__name__
        if name not in self.wishes:
            self.wishes.add(name)
            self.happen(event)

    def happen(self, event: moves.Event) -> None:
        world, kind, stage = self.world, type(event), self.state.stage
        if kind is moves.Raised:
            self.broken = True
        elif kind is moves.Stored and stage is Stage.LEAVING:
            row, left = world.ledger.purchases[self.purchase_id], self.worker.stopping
            promise(left or self.broken, "what is stored is kept", row)
        world.handled.add((stage, kind))
        world.trace.append((world.ledger.now, self.called, self.worker.name, kind.__name__))
        self.move(purchase.step(self.state, event))

    def answered(self, step: moves.Step, answer: Answer | Fault | None) -> None:
        if isinstance(answer, Answer):
            self.happen(moves.Committed(step, answer.ticket))
        elif isinstance(answer, Fault) and answer.reason == "FENCE_STALE":
            self.happen(moves.Superseded())
        else:
            self.broken = True
            self.happen(moves.Rejected(step, answer.message if isinstance(answer, Fault) else ""))

    def move(self, following: standing.Next) -> None:
        (self.state, effects), worker = following, self.worker
        for effect in effects:
            kind = type(effect)
            if isinstance(effect, moves.Commit):
                step = effect.step
                if type(step) is moves.Doubted:
                    worker.seen.wait(self.purchase_id, 0.0)
                worker.submit(rendered(step, self), partial(self.answered, step))
            elif kind is moves.Interrupt:
                self.interrupted = True
            else:
                worker.start(DEEDS[kind](self, effect), self)
        if self.state.stage is Stage.GONE and worker.held.get(self.purchase_id) is self:
            del worker.held[self.purchase_id]
            worker.acts = [each for each in worker.acts if each.held is not self]
            self.world.stale = True
