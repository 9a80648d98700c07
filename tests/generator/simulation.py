"""
Histories of one paid call, run on `services.generator.purchase` with everything else a
model: a ledger with fences, three kinds of provider, workers that crash, pause and wake.

Everything that happens is drawn from one seed, so that a failing history is a number.
"""

import hashlib
import random
from collections.abc import Iterator

from services.generator import keeping, moves, purchase, settling, standing
from services.generator.purchase import GRACE
from services.generator.standing import OUT_OF_REACH, Stage
from tests.generator.modelled_cdn import Cdn
from tests.generator.modelled_ledger import Row, promise
from tests.generator.modelled_provider import LAG, TTL, Provider

PATIENCE = 3.0  # seconds of silence until a worker is taken for dead
FRESH = 5.0  # seconds from a claim until its order may no longer leave


class World(Provider):
    """One history. `run` plays it and raises Violated where a promise was broken."""

    def __init__(self, seed: int) -> None:
        super().__init__(dice := random.Random(seed))
        self.trouble = dice.choice((0.02, 0.1, 0.3, 0.5))
        self.poisoned = dice.random() < 0.02  # whoever follows it, raises
        self.calm = False
        self.cdn = Cdn(dice, self)
        self.vault: set[tuple[int, int]] = set()
        self.workers: list[Worker] = [Worker(self, 1), Worker(self, 2)]
        self.hired = 2
        self.trace: list[object] = []

    # -- playing

    def run(self) -> str:
        """Play it to its end, check the promises, and return the hash of what happened."""
        for _ in range(self.dice.choice((20, 30, 50, 90))):
            self.act()
        self.calm = True
        for _ in range(600 * self.orders):
            if not any(row.has_work for row in self.rows.values()):
                break
            self.act()
        self.cdn.look()
        self.check()
        return hashlib.sha256(repr(self.trace).encode()).hexdigest()

    def act(self) -> None:
        """Let one thing happen."""
        self.cdn.look()
        throw = self.dice.random()
        if not self.calm and throw < self.trouble * 0.6:
            self.misfortune()
            return
        able = [worker for worker in self.workers if worker.able() and worker.acts]
        if able and throw < 0.85:
            able[int(throw * 7919) % len(able)].advance()
        else:
            self.pass_time()

    def misfortune(self) -> None:
        what, worker = self.dice.randrange(12), self.dice.choice(self.workers)
        self.trace.append(("bad", what))
        if what < 5:
            self.crash(worker)
        elif what < 8:
            worker.paused_until = self.now + self.dice.choice((1.0, 4.0, 10.0))
        elif what < 10:
            self.cancel()
        elif what == 10:
            worker.tell(moves.StopAsked())
            worker.stopping = True
        else:
            self.now += self.dice.choice((10.0, LAG + 10, TTL + 10))

    def crash(self, worker: "Worker") -> None:
        """Kill *worker*; what it had sent may still arrive, without an answer."""
        for act in worker.acts:
            if self.dice.random() < 0.5:
                next(act, None)
        self.replace(worker)

    def replace(self, worker: "Worker") -> None:
        self.hired += 1
        self.workers[self.workers.index(worker)] = Worker(self, self.hired)

    def pass_time(self) -> None:
        """Time goes by: beats, the sweeper, announcements."""
        longest = (400.0 if self.mute else 40.0) if self.calm else 2.0
        awake = [worker for worker in self.workers if worker.able()]
        self.now += self.dice.random() * longest
        for worker in awake:  # one that wakes up just now acts before it knows of its death
            worker.beat()
        self.sweep()
        self.send_webhooks()
        able = [worker for worker in self.workers if worker.able() and not worker.stopping]
        if not able:
            return
        for number, row in list(self.rows.items()):
            waits = row.owner == 0 and row.has_work and row.not_before <= self.now
            if waits and (self.calm or self.dice.random() < 0.6):
                able[self.dice.randrange(len(able))].claim(number)

    def sweep(self) -> None:
        """Take from silent workers what they had."""
        owners = {worker.number: worker for worker in self.workers}
        for row in self.rows.values():
            if not row.owner or not row.has_work:
                continue
            worker = owners.get(row.owner)
            if worker and self.now - worker.last_beat <= PATIENCE:
                continue
            if worker:
                worker.condemned = True
            self.take_away(row)

    # -- the promises

    def check(self) -> None:
        """Raise Violated unless each charge has its picture or its row, once."""
        for number, row in self.rows.items():
            paid = self.paid_for(number)
            promise(not row.has_work, "nothing stays open", number, row)
            promise(len(paid) <= 1, "one row is charged once", number, row)
            self.check_row(number, row, paid)
        pictures = [ticket for ticket in self.charges if self.ended(ticket) is None]
        if self.kind != "blind":
            promise(len(pictures) <= self.orders, "a picture is bought once", 0, self.rows[1])
        if self.kind == "alike":
            self.check_orphans()
        promise(len(set(self.variants)) == len(self.variants), "no doubles", 0, self.rows[1])
        promise(set(self.variants) <= self.vault, "kept means safe", 0, self.rows[1])
        self.cdn.check()

    def check_orphans(self) -> None:
        """Each that was bought has a row, but for those whose row was given up without any."""
        rows = self.rows.values()
        given_up = [r for r in rows if not r.ticket and r.charged == "unknown"]
        given_up += [r for r in rows if not r.ticket and r.state == "quarantined"]
        orphans = set(self.charges) - {row.ticket for row in rows}
        promise(len(orphans) <= len(given_up), "nothing bought is lost", 0, self.rows[1])

    def check_row(self, number: int, row: Row, paid: list[str]) -> None:
        kept = sum(1 for bought, _ in self.variants if bought == number)
        if row.state == "quarantined":
            promise(row.tries == 5, "quarantine after the fifth try", number, row)
        elif row.state in ("kept", "published"):
            promise(paid and kept == self.width, "a kept one was paid for", number, row)
        elif row.state == "lost":
            promise(paid and "lost" in row.outputs.values(), "the alarm", number, row)
            promise(self.now > self.died[paid[0]], "lost only where it died", number, row)
        elif row.state == "void" or row.charged == "no":
            free = all(self.closed.get(ticket, (True,))[0] is False for ticket in paid)
            promise(free, "what is free was not paid for", number, row)
        elif row.ending == "EXPIRED" and row.charged == "unknown":
            late, drawn = row.ended_at - row.deadline, self.drawn_at[paid[0]] - row.deadline
            gone = min(late, drawn) >= GRACE or late >= OUT_OF_REACH
            promise(gone, "a picture is waited for until its time is over", number, row)
        elif row.ending == "UNCLEAR" and self.terms.askable:
            late = row.ended_at - row.deadline
            promise(late >= OUT_OF_REACH, "it is asked until its time is over", number, row)
        elif row.charged == "unknown" and self.kind != "blind":
            free = all(ticket in self.closed for ticket in paid)
            promise(free, "only a blind provider hides a picture", number, row)


class Worker:
    """One process: what it holds, the acts under way, and the edges that wait."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number
        self.held: dict[int, Held] = {}
        self.claiming: set[int] = set()
        self.acts: list[Iterator[None]] = []
        self.waiting: list[tuple[Held, moves.Step]] = []
        self.pumping = self.condemned = self.stopping = False
        self.paused_until, self.last_beat = 0.0, world.now

    def able(self) -> bool:
        return self.paused_until <= self.world.now

    def beat(self) -> None:
        """Tell that we live; where we were given up, drop all and begin anew."""
        world = self.world
        if self.condemned:
            world.replace(self)
            return
        self.last_beat = world.now
        if world.canceling:
            self.tell(moves.CancelAsked())
        if self.stopping and not self.held and not self.acts:
            world.replace(self)

    def tell(self, event: moves.Event) -> None:
        for held in list(self.held.values()):
            held.happen(event)

    def advance(self) -> None:
        """Let one act under way go one step on."""
        index = self.world.dice.randrange(len(self.acts))
        act = self.acts[index]
        if next(act, self) is self and act in self.acts:
            self.acts.remove(act)

    def claim(self, number: int) -> None:
        if number not in self.held and number not in self.claiming:
            self.claiming.add(number)
            self.acts.append(self._claiming(number))

    def _claiming(self, number: int) -> Iterator[None]:
        world, began = self.world, self.world.now
        won = world.claim(self.number, number)
        yield
        if world.trouble and world.dice.random() < world.trouble and not world.calm:
            won = world.claim(self.number, number)  # the answer was lost: claim again
            yield
        row = world.rows[number]
        self.claiming.discard(number)
        if row.owner != self.number:
            return
        held = Held(self, number, row.fence, began)
        if won:
            held.begin(row)
        else:
            held.state = standing.Purchase(Stage.LEAVING, world.terms)
            held.commit(purchase.orphaned("lost", sending=row.state == "sending"))

    def commit(self, held: "Held", step: moves.Step) -> None:
        self.waiting.append((held, step))
        if not self.pumping:
            self.pumping = True
            self.acts.append(self._pump())

    def _pump(self) -> Iterator[None]:
        world = self.world
        while self.waiting:
            batch, self.waiting = self.waiting, []
            results = [world.apply(held.number, held.fence, step) for held, step in batch]
            yield
            if not world.calm and world.dice.random() < world.trouble:
                self.waiting = batch + self.waiting  # the answer was lost: say it again
                continue
            for (held, step), result in zip(batch, results, strict=True):
                world.trace.append((held.number, type(step).__name__, result))
                held.answered(step, result)
        self.pumping = False


class Held:
    """One purchase in a worker's hands: the real machine, with modelled effects."""

    def __init__(self, worker: Worker, number: int, fence: int, claimed: float) -> None:
        self.worker, self.world, self.number = worker, worker.world, number
        self.fence, self.claimed = fence, claimed
        self.interrupted = self.refused = False  # refused: the ledger did not take an edge
        self.hinted = tuple(self.world.rows[number].webhooks)
        worker.held[number], self.acts = self, list[Iterator[None]]()

    def begin(self, row: Row) -> None:
        terms, canceling = self.world.terms, self.world.canceling
        if row.state == "sending":
            first = purchase.send(terms, canceling=canceling)
        elif row.state == "running":
            first = purchase.resume_running(terms, row.ticket, canceling=canceling)
        elif row.state == "drawn":
            missing = frozenset(i for i, state in row.outputs.items() if state == "drawn")
            first = keeping.resume_drawn(terms, missing, row.unpublished, canceling=canceling)
        elif row.publishing:
            first = keeping.resume_kept(terms, row.unpublished)
        else:
            wait = row.sent_at + terms.lag - self.world.now
            first = settling.resume_unclear(terms, wait=wait, canceling=canceling,
                                            hinted=bool(self.hinted))  # fmt: skip
        self.move(first)
        if self.worker.stopping:
            self.happen(moves.StopAsked())

    def happen(self, event: moves.Event) -> None:
        if isinstance(event, moves.Stored) and self.state.stage is Stage.LEAVING:
            row, left = self.world.rows[self.number], self.worker.stopping or self.refused
            promise(left, "what is stored is kept", self.number, row)
        self.world.trace.append((self.number, type(event).__name__))
        self.move(purchase.step(self.state, event))

    def answered(self, step: moves.Step, result: str) -> None:
        if result == "ok":
            self.happen(moves.Committed(step, self.world.rows[self.number].ticket))
        else:
            self.refused, no = True, moves.Rejected(step, result)
            self.happen(moves.Superseded() if result == "stale" else no)

    def move(self, following: standing.Next) -> None:
        self.state, effects = following
        for effect in effects:
            if isinstance(effect, moves.Commit):
                self.commit(effect.step)
            elif isinstance(effect, moves.Interrupt):
                self.interrupted = True
            else:
                act = _ACTS[type(effect)](self, effect)
                self.acts.append(act)
                self.worker.acts.append(act)
        if self.state.stage is Stage.GONE and self.worker.held.pop(self.number, None):
            self.worker.acts = [act for act in self.worker.acts if act not in self.acts]

    def commit(self, step: moves.Step) -> None:
        self.worker.commit(self, step)

    def bad(self) -> bool:
        return not self.world.calm and self.world.dice.random() < self.world.trouble

    def buy(self, _effect: moves.Buy) -> Iterator[None]:
        world = self.world
        late = world.now > min(self.worker.last_beat + PATIENCE, self.claimed + FRESH)
        if late or self.bad():
            yield
            self.happen(moves.NeverSent("never sent", 1.0))
            return
        if self.bad():
            yield
            self.happen(moves.Declined("no"))
            return
        if world.kind != "receipt":
            ticket = world.taken(self.number)
            yield
        if not world.lists:
            if world.kind == "receipt":
                yield  # drawing
                if self.interrupted:
                    self.happen(moves.Declined("interrupted"))
                    return
                if self.number in world.receipts:
                    self.happen(moves.Doubtful("there is another receipt"))
                    return
                ticket = world.taken(self.number)
            elif self.bad():
                self.happen(moves.Doubtful("the answer was lost"))
                return
            world.receipts[self.number] = True
            yield
        event = moves.Doubtful("the answer was lost") if self.bad() else moves.Bought(ticket)
        self.happen(event)

    def follow(self, effect: moves.Follow) -> Iterator[None]:
        world, ticket = self.world, effect.ticket
        while True:
            yield
            late = world.now - world.rows[self.number].deadline
            if self.bad():
                return self.happen(moves.OutOfSight("no answer", 1.0, late))
            if self.bad() or world.poisoned:
                return self.happen(moves.Raised("a defect"))
            if ended := world.ended(ticket):
                charged, stopped, content = ended
                return self.happen(moves.Closed(charged, "there", stopped, content))
            if world.now >= world.drawn_at[ticket]:
                return self.happen(moves.Finished(world.width))
            self.happen(moves.Drawing(late))

    def cancel(self, effect: moves.CancelThere) -> Iterator[None]:
        if not self.bad():
            self.world.cancel_there(effect.ticket)
        yield

    def store(self, effect: moves.Store) -> Iterator[None]:
        ticket = self.world.rows[self.number].ticket or next(
            bought for bought, number in self.world.charges.items() if number == self.number
        )
        gone = self.world.now > self.world.died[ticket]
        if not gone and not self.bad():
            self.world.vault.add((self.number, effect.index))
            yield
            self.happen(moves.Stored(effect.index, self.world.cdn.wanted))
            return
        unstored = moves.Unstored(effect.index, "no", 1.0, defect=self.bad())
        yield
        self.happen(moves.Vanished(effect.index, "404") if gone else unstored)

    def look_up(self, _effect: moves.LookUp) -> Iterator[None]:
        world, row = self.world, self.world.rows[self.number]
        found, alike = world.look_up(self.number, self.hinted), world.kind == "alike"
        yield
        blank = moves.OutOfSight("none", 5.0, world.now - row.deadline)
        unproven = blank if alike and self.bad() else None
        looked = moves.LookedUp(found, bool(found) and alike, unproven)
        self.happen(blank if world.mute or self.bad() else looked)


_ACTS = {
    moves.Buy: Held.buy,
    moves.Follow: Held.follow,
    moves.CancelThere: Held.cancel,
    moves.Store: Held.store,
    moves.Publish: lambda held, effect: held.world.cdn.publish(held, effect),
    moves.LookUp: Held.look_up,
}
