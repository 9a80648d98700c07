"""
Histories of paid calls under faults: the machine of `services.generator.purchase`, the
reconciler, and the ledger's own edges and sweeper, with everything around them a model.

All that happens is drawn from one seed and on a clock of its own, so that a failing history
is a number: `python -m tests.generator.simulation --seed N` plays it again, with its trace.
"""

import hashlib
from datetime import timedelta

from chassis.errors import Fault
from imagestudio.catalog.v1 import edge_pb2
from services.catalog.breaker import MOST_FAILED, Breaker
from services.catalog.endings import MAX_TRIES
from services.catalog.rows import ENDED_JOB, Permits, Purchase
from services.generator.standing import Stage
from tests.generator import modelled_promises as promises
from tests.generator.modelled_backup import Backup
from tests.generator.modelled_cdn import Cdn
from tests.generator.modelled_changes import Asked
from tests.generator.modelled_deeds import Flight
from tests.generator.modelled_ledger import PATIENCE, PRICE, Ledger
from tests.generator.modelled_people import People
from tests.generator.modelled_pictures import Pictures
from tests.generator.modelled_promises import EPOCH, promise
from tests.generator.modelled_provider import LAG, LIMIT, TERMS, TTL, Provider
from tests.generator.modelled_rows import PROVIDER, Answer
from tests.generator.modelled_trouble import (
    ALIKE,
    ANSWERED,
    BLIND,
    ELSEWHERE,
    FAULTS,
    LISTED,
    ORDERING,
    PAIRS,
    RECEIPT,
    RESTORED,
    TELLING,
    Dice,
    Trouble,
)
from tests.generator.modelled_worker import OVER, Running, Worker

BUSY = 0.92  # of acts, while something can be done; time goes by at the others
COPIED = 0.07  # of acts, where there is a backup
ENOUGH = 6000  # acts in which everything must have come to its end
POISONS = [  # of all that is done with a purchase, what ends badly, whoever does it
    (how, deed) for how in ("raises", "kills") for deed in ("buy", "follow", "store", "look up")
]
ORDERS = {  # of each job
    LISTED: ((1,), (1,), (2,), (1, 1)),
    ALIKE: ((2,), (2,), (1, 1), (1, 1), (3,), (2, 1)),
    RECEIPT: ((1,), (1,), (2,)),
    ANSWERED: ((1,), (1,), (2,)),
    BLIND: ((1,), (1,), (2,)),
}


class World:
    """One history. `run` plays it and raises Violated where a promise was broken."""

    def __init__(self, seed: int) -> None:
        self.seed, self.dice = seed, Dice(seed)
        dice, pair = self.dice, PAIRS[seed % len(PAIRS)]
        self.trouble = Trouble(dice, pair)
        kind = dice.choice([each for each in FAULTS[pair[0]] if each in FAULTS[pair[1]]])
        self.poison = dice.choice(POISONS) if dice.random() < 0.05 else None
        terms, width = TERMS[kind], dice.choice((1, 1, 2))
        halved = self.poison and self.poison[1] == "store"
        width = 2 if halved or "the source expires" in pair else width
        most, rate = dice.choice(((0, 0), (0, 0), (1, 0), (2, 0), (0, 2), (1, 2)))
        orders = dice.choice(ORDERS[kind])
        if (pair[1] in ORDERING or pair[0] in TELLING) and dice.random() < 0.8:
            orders, most = (2,), 1  # one after the other
        if pair[0] == "a user cancels" and kind in (LISTED, ALIKE):
            orders = (1, 1)  # what another job has goes on
        limits = Permits(PROVIDER, most, rate, terms.askable, terms.lag, tokens=float(rate))
        limits.lookup_in_receipts = terms.askable and not terms.conclusive
        limits.watched = kind in ELSEWHERE
        if limits.watched and dice.random() < 0.15:  # one failure more, and no order leaves
            limits.breaker = Breaker(recent="-" * MOST_FAILED, heard_at=EPOCH)
        self.ledger = Ledger(terms, orders, width, limits)
        self.vendor = Provider(kind, dice, self.trouble, self.ledger)
        self.backup = Backup(self.ledger, wanted=RESTORED in pair)
        self.cdn = Cdn(
            dice, wanted=halved or any("CDN" in name or "publishing" in name for name in pair)
        )
        self.pictures = Pictures(dice, kind, pair)
        self.people = People(self, dice, kind, pair)
        self.flights: list[Flight] = []
        self.late: list[tuple[float, list[Asked]]] = []  # calls that nobody waits for
        self.acts = 0
        self.sweeps_from = 0.0
        self.set_again_at = OVER  # when the database's clock is set once more
        self.ready: list[Running] = []  # acts that can go on now
        self.stale = False  # as time, or a worker, has gone since
        self.hired: list[Worker] = []
        self.workers = [self.hire(), self.hire()]
        self.trace: list[object] = []
        self.handled: set[tuple[Stage, type]] = set()  # stages and events of the machine
        self.ledger.bus += list(self.ledger.purchases)

    @property
    def moment(self) -> float:
        """Seconds since 1970, as workers know it from their heartbeats."""
        return EPOCH.timestamp() + self.ledger.now

    @property
    def digest(self) -> str:
        """The hash of all that happened."""
        return hashlib.sha256(repr(self.trace).encode()).hexdigest()

    # -- playing

    def run(self) -> "World":
        """Play it to its end and check the promises."""
        for worker in self.workers:
            worker.beat()
        ledger, flights, vendor = self.ledger, self.flights, self.vendor
        while (
            ledger.has_work or flights or self.late or vendor.hooks or self.people.waits
        ) and self.acts < ENOUGH:
            self.act()
        rows = ledger.purchases.values()
        promise(self.acts < ENOUGH, "all comes to its end", None, *rows)
        promises.check_end(self)
        return self

    def forget(self) -> None:
        """Have done with it, so that its memory is free at once, without the collector."""
        for worker in self.hired:
            worker.forget()
        self.people.forget()
        self.ready.clear()

    def act(self) -> None:
        """Let one thing happen."""
        self.acts = acts = self.acts + 1
        trouble, chance = self.trouble, self.dice.random
        if not trouble.over and (name := trouble.due(acts)):
            self.befall(name)
        if self.backup.wanted and chance() < COPIED:
            self.backup.make()
        if self.stale:
            self.gather()
        ready = self.ready
        able = there = len(ready)
        if self.ledger.bus:
            able += 1
        index = int(chance() * able / BUSY)
        if index < there:
            running = ready[index]
            if pause := next(running.act, OVER):
                running.rest(pause)
        elif index < able:
            self.deliver()
        else:
            self.pass_time(is_idle=not able)

    def gather(self) -> None:
        """Find the acts that can go on now."""
        now = self.ledger.now
        self.ready = [
            running
            for worker in self.workers
            if worker.paused_until <= now
            for running in worker.acts
            if running.at <= now
        ]
        self.stale = False

    def deliver(self) -> None:
        """One announcement comes to who has room."""
        bus, strikes = self.ledger.bus, self.trouble.strikes
        purchase_id = bus.pop(self.dice.randrange(len(bus)))
        able = [worker for worker in self.workers if worker.has_room]
        if not able or strikes("the news is lost"):
            return
        if strikes("the news is doubled"):
            bus.append(purchase_id)
        self.dice.choice(able).take(purchase_id)

    def pass_time(self, *, is_idle: bool) -> None:
        """Time goes by: what is under way arrives, the living beat, the sweeper sweeps."""
        ledger = self.ledger
        now, flights = ledger.now, self.flights
        until = self.next_turn() if is_idle else now
        if flights:  # an order is under way for seconds, however slow we are
            until = min(until, *[flight.arrives_at for flight in flights])
        awake = [worker for worker in self.workers if worker.paused_until <= now]
        ledger.now = later = max(now, until) + self.dice.random() * 0.3
        self.stale = True
        if flights:
            self.land()
        for worker in awake:  # one that wakes up just now acts before it knows of its death
            if worker.beats_at <= later:
                worker.beat()
        if self.late:
            self.come_late()
        if self.vendor.hooks:
            self.vendor.send_webhooks()
        if ledger.strays:
            self.judge_strays()
        if self.people.read:
            self.people.tell()
        self.set_again()
        if later >= self.sweeps_from and later >= ledger.swept_at + 1.0:
            ledger.sweep()

    def come_late(self) -> None:
        """Calls that nobody waits for reach the ledger."""
        ledger = self.ledger
        due = [edges for at, edges in self.late if at <= ledger.now]
        self.late = [each for each in self.late if each[0] > ledger.now]
        for asked in due:
            self.tell("late", *(edge.kind for edge in asked))
            ledger.apply(asked)

    def next_turn(self) -> float:
        """When somebody has something to do; what is tried all day long is tried now and then."""
        now, soonest = self.ledger.now, self.next_moment()
        if not self.poison or any(worker.held for worker in self.workers):
            return soonest
        working = self.ledger.working
        if not working or any(row.tries <= MAX_TRIES for row in working):
            return soonest
        return max(soonest, now + now * self.dice.random())

    def next_moment(self) -> float:
        """When something can happen again."""
        ledger = self.ledger
        now, living = ledger.now, []
        moments = [now + 400.0, self.sweeps_from, self.set_again_at]
        if self.late:
            moments += [at for at, _edges in self.late]
        if self.vendor.hooks:
            moments += [hook[0] for hook in self.vendor.hooks]
        for worker in self.workers:
            if worker.paused_until > now:
                moments.append(worker.paused_until)
                continue
            if worker.acts:
                moments += [running.at for running in worker.acts]
            if worker.deaf_until <= now:
                living.append(worker.name)
        moments += self.when_swept(living)
        return min([at for at in moments if at > now])

    def when_swept(self, living: list[str]) -> list[float]:
        """When the sweeper finds something that it did not find before."""
        ledger = self.ledger
        found = [
            promises.seconds(job.complete_by)
            for job in ledger.jobs.values()
            if job.complete_by and job.state not in ENDED_JOB
        ]
        for row in ledger.working:
            if row.owner is None:
                found.append(self.when_due(row))
            elif row.owner not in living:  # it is taken for dead
                found.append(ledger.now + PATIENCE)
        return found

    def when_due(self, row: Purchase) -> float:
        """When somebody may have what is nobody's."""
        ledger = self.ledger
        due = max(ledger.swept_at + 1.0, self.sweeps_from, ledger.due_again(row))
        if row.not_before:
            due = max(due, promises.seconds(row.not_before))
        if row.state == "planned":
            due = max(due, ledger.waits_until)
        return max(due, ledger.now + 0.1)

    def land(self, *, now: bool = False) -> None:
        """Orders that are under way arrive."""
        here = [each for each in self.flights if now or each.arrives_at <= self.ledger.now]
        for flight in here:
            self.flights.remove(flight)
            flight.arrive(self)
            self.tell("order", flight.purchase_id[-4:], repr(flight.outcome))

    def judge_strays(self) -> None:
        """As strays.py does: a ticket of nobody's that the provider says is ours is adopted."""
        ledger, charges = self.ledger, self.vendor.charges
        for purchase_id, ticket in sorted(ledger.strays):
            if ledger.purchases[purchase_id].state in ("sending", "unclear"):
                continue  # its own answer or look-up tells
            ledger.strays.discard((purchase_id, ticket))
            if ticket in charges and charges[ticket].purchase_id == purchase_id:
                edge = edge_pb2.Edge(purchase_id=purchase_id)
                edge.adopt.ticket = ticket
                edge.adopt.reserved_usd_micros = PRICE * ledger.width
                ledger.apply([Asked(edge)])

    # -- misfortunes

    def befall(self, name: str) -> None:
        """Have *name* happen to a process."""
        ledger, dice = self.ledger, self.dice
        worker = dice.choice(self.workers)
        self.tell("bad", name, worker.name)
        self.stale = True
        match name:
            case "a worker dies":
                self.crash(worker)
            case "all die at once":
                self.crash_all()
            case "the database is an old copy":
                self.restore()
            case "a worker is paused":
                worker.paused_until = ledger.now + dice.choice((1.0, 4.0, 10.0, 200.0))
            case "a worker ends":
                worker.stop()
            case "beats are lost":
                worker.deaf_until = ledger.now + dice.choice((2.0, 5.0, 20.0))
            case "nobody sweeps":
                self.sweeps_from = ledger.now + dice.choice((5.0, 30.0, 200.0))
            case "a user cancels":
                ledger.cancel(dice.choice(list(ledger.jobs)))
            case "time leaps" | "the clock is set":
                self.leap(dice.choice((10.0, LAG + 10, TTL + 10)), alone=name != "time leaps")
            case _:
                raise AssertionError(name)

    def set_again(self) -> None:
        """Set the database's clock once more, soon after it was: somebody has looked meanwhile."""
        if self.ledger.now >= self.set_again_at:
            self.leap(LAG + 10, alone=True)

    def leap(self, seconds: float, *, alone: bool) -> None:
        """Time leaps, or the database's clock *alone*: to it, what it has written is older."""
        if not alone:
            self.land(now=True)
            self.ledger.now += seconds
            return
        again = self.set_again_at == OVER and self.dice.random() < 0.8
        self.set_again_at = self.ledger.now + self.dice.random() * 20 if again else OVER
        for row in self.ledger.working:
            for name in ("sent_at", "not_before", "deadline", "unlisted_at"):
                if at := getattr(row, name):
                    setattr(row, name, at - timedelta(seconds=seconds))

    def outlast(self, purchase_id: str) -> None:
        """Have what ends badly for the last time be overdue, perhaps, once the ledger hears it."""
        if self.ledger.purchases[purchase_id].tries + 1 < MAX_TRIES or self.dice.random() < 0.5:
            return
        if self.poison == ("kills", "buy"):
            self.sweeps_from = self.ledger.now + 2 * LIMIT
        elif self.vendor.lists:
            self.leap(2 * LIMIT, alone=True)

    def crash(self, worker: Worker) -> None:
        """Kill *worker*; what it had sent may still arrive, without an answer."""
        if (sent := worker.sent) and self.dice.random() < 0.5:
            self.late.append((self.ledger.now + self.dice.random() * 2, sent))
        self.replace(worker)

    def crash_all(self) -> None:
        self.ledger.bus.clear()
        for each in list(self.workers):
            self.crash(each)

    def restore(self) -> None:
        """All was stopped, and what was under way to the ledger went to the old one."""
        self.crash_all()
        self.late.clear()
        self.backup.come_back()

    def replace(self, worker: Worker) -> None:
        self.workers[self.workers.index(worker)] = self.hire()
        self.stale = True

    def hire(self) -> Worker:
        self.hired.append(Worker(self, f"w{len(self.hired) + 1}"))
        return self.hired[-1]

    # -- between the parts

    def tell(self, *what: object) -> None:
        """Remember what happened, and when."""
        self.trace.append((self.ledger.now, *what))

    def note(self, edge: Asked, answer: Answer | Fault) -> None:
        said = answer.state if isinstance(answer, Answer) else answer.reason
        self.trace.append((self.ledger.now, edge.called, edge.kind, said))


if __name__ == "__main__":
    from tests.generator.campaign import main

    main()
