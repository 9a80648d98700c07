"""
The ledger of the simulation: the catalog's own edges, sweeper and end of a job, on its own
rows in memory. Modelled is what SQL does: what a batch reads and leaves behind.

After each batch the promises are checked that hold at any moment.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from chassis.errors import Fault, Precondition
from imagestudio.type.v1 import image_pb2, job_event_pb2
from services.catalog import completion, endings, feed, ledger, permits, saving, sweeper, webhooks
from services.catalog.edges import CLAIMED
from services.catalog.news import AGAIN
from services.catalog.rows import ENDED_JOB, OPEN, Batch, Job, Kept, Permits, Purchase, Webhook
from services.generator.standing import Terms
from tests.generator import modelled_promises as promises
from tests.generator.modelled_changes import Asked, orphan, refused
from tests.generator.modelled_promises import EPOCH, broken, promise
from tests.generator.modelled_rows import PROVIDER, Answer, as_it_was, planned, queued

PRICE = 40_000  # micro-USD an image
PUBLISH_WAIT = timedelta(seconds=10)
PATIENCE = 3.0  # seconds of silence until a worker is taken for dead
_WITH_INBOX = frozenset({"sending", "unclear"})
# Which edges a constraint or a value may forbid; that by which its owner lets go has neither.
_REFUSED = frozenset({"ticket", "drawn", "keep", "lose", "publish", "unclear", "settle"})
_UNFENCED = frozenset({"claim", "adopt"})
_COMPLETED: Any = None  # what stands in a log for the end of its job
_IMAGE_KEPT = job_event_pb2.JobEvent(image_kept=image_pb2.ImageOutput())


class Ledger:
    """
    Jobs with *orders* purchases each, of one provider on *terms*, which bring *width* images.

    `now` is the database's clock, in seconds. `bus` has the purchases that were announced.
    """

    def __init__(self, terms: Terms, orders: Sequence[int], width: int, limits: Permits) -> None:
        self.terms, self.width, self.now = terms, width, 0.0
        self.told = 0.0, EPOCH  # the moment that was last asked for
        self.jobs: dict[int, Job] = {}
        self.purchases: dict[str, Purchase] = {}
        self.made_at: dict[str, float] = {}
        self.ended_at: dict[str, float] = {}
        self.permits = {PROVIDER: limits}
        self.spent = self.reserved = self.ids = 0
        self.has_work, self.canceling = True, False  # the first as the last batch left it
        self.swept_at = self.refilled_at = 0.0
        self.logs: dict[int, list[str]] = {}
        self.outrun: list[Asked] = []  # tickets of a batch that came too late
        self.inbox: dict[str, list[Webhook]] = {}
        self.heard: set[str] = set()  # webhooks that were stored
        self.unsent: set[str] = set()  # claimed, and not to be sent
        self.never_left: set[str] = set()  # orders of which nothing came to the provider
        self.strays: set[tuple[str, str]] = set()  # tickets of nobody's, to be judged
        self.buried: set[tuple[str, int]] = set()  # purchases with the fences of dead owners
        self.images: dict[tuple[str, int], image_pb2.ImageOutput] = {}
        self.settlements: dict[str, Any] = {}  # what people told of a charge
        self.restored, self.forgotten = False, dict[str, Purchase]()  # see modelled_backup
        self.vault: set[tuple[str, int]] = set()  # what storage has
        self.alarms: Counter[tuple[str, str]] = Counter()
        self.workers: dict[str, float] = {}  # their last heartbeats
        self.bus: list[str] = []
        self.said: dict[tuple[str, int, float], tuple[float, float]] = {}  # see `due_again`
        self.seen: set[tuple[str, str, str]] = set()  # edges that were taken: from, kind, to
        for job_id, count in enumerate(orders, 1):
            self._admit(job_id, count)
        self.working = list(self.purchases.values())  # with work, as the last batch left them

    @property
    def moment(self) -> datetime:
        if self.told[0] != self.now:
            self.told = self.now, EPOCH + timedelta(0, self.now)
        return self.told[1]

    @property
    def waits_until(self) -> float:
        """When what is planned is announced again: as the sweeper's SQL has it."""
        limits = self.permits[PROVIDER]
        found, told, until = limits.breaker, limits.allowance, 0.0
        if found.state == "half_open" or (found.state == "open" and not found.refusal):
            until = promises.seconds(found.retry_at)
        if told and told.left <= 0:
            until = max(until, promises.seconds(told.until))
        return until

    def new_id(self) -> str:
        """A UUIDv7 that is the same in every run."""
        self.ids += 1
        return f"00000000-0000-7000-8000-{self.ids:012x}"

    # -- what the contract offers

    def apply(
        self, edges: Sequence[Asked], refuses: Callable[[str], bool] = lambda _name: False
    ) -> list[Answer | Fault]:
        """Take *edges* in one transaction, each with its own answer; some may be refused."""
        changes = [asked.change for asked in edges]
        for index, asked in enumerate(edges):
            if asked.kind in _REFUSED and refuses("an edge is refused"):
                changes[index] = refused(asked.change)
        answers = self.change(changes, edges)
        while self.outrun:  # see webhooks.heed_late
            asked = self.outrun.pop(0)
            key = f"late:{asked.purchase_id}:{asked.fence}"
            self.hear(key, asked.purchase_id, asked.edge.ticket.ticket)
        return answers

    def hear(self, key: str, purchase_id: str, ticket: str) -> None:
        """Store a webhook, once, and let the catalog's rule say who looks now."""
        if key in self.heard or purchase_id in self.forgotten:
            return
        self.heard.add(key)
        purchase = self.purchases[purchase_id]
        batch = self._read([ledger.Change(purchase_id, "webhook", sweeper._nothing)])
        holders = (row.purchase_id for row in self.purchases.values() if row.ticket == ticket)
        hint = webhooks._Hint(key, PROVIDER, purchase_id, ticket)
        webhook = Webhook(ticket, purchase.fence)
        self.inbox.setdefault(purchase_id, []).append(webhook)
        row: Any = {"holder": next(holders, None), "told": False}
        heard = webhooks._heed(batch, purchase, hint, row)
        if heard.due:
            self.bus.append(purchase_id)
        if heard.stray:
            self.strays.add((purchase_id, ticket))
        self._save(batch)

    def cancel(self, job_id: int) -> None:
        """A user cancels a job: what was not claimed ends, the owners are told."""
        job = self.jobs[job_id]
        if job.state in ENDED_JOB:
            return
        rows = self.purchases.values()
        waiting = [row for row in rows if (row.job_id, row.state) == (job_id, "planned")]
        nothing = sweeper._nothing
        batch = self._read([ledger.Change(row.purchase_id, "", nothing) for row in waiting])
        batch.jobs[job_id] = job
        job.state, self.canceling = "canceling", True
        for row in waiting:
            endings.cancel_planned(batch, row)
            self._took("planned", "cancel", row)
        self._save(batch)

    def beat(self, worker_id: str, *, first: bool) -> bool:
        """Whether the ledger takes *worker_id* for alive; the *first* beat introduces it."""
        if first or worker_id in self.workers:
            self.workers[worker_id] = self.now
        return worker_id in self.workers

    def sweep(self) -> None:
        """Bury the silent, take from them what they had, announce what is due, end jobs."""
        self.swept_at = now = self.now
        living = self.workers
        for each in [name for name, at in living.items() if now - at > PATIENCE]:
            del living[each]
        if not self.has_work:
            return
        left = [row for row in self.working if row.owner not in living]
        if orphaned := [row for row in left if row.owner]:
            together = Counter([row.owner for row in orphaned])
            self.change([orphan(row, together[row.owner]) for row in orphaned])
        if unowned := left and [row for row in self.working if row.owner is None]:
            self._announce_due(unowned)
        self._look_again()

    def _announce_due(self, unowned: Sequence[Purchase]) -> None:
        """As News.announce: the same is said once in a while only."""
        now, turn = self.moment, self.waits_until
        for row in unowned:
            if row.not_before and row.not_before > now:
                continue
            if row.state == "planned" and turn > self.now:
                continue
            at, pause = self.said.get((row.purchase_id, row.fence, turn), (0.0, AGAIN))
            if at <= self.now:
                said = self.now + pause, 2 * pause
                self.said[row.purchase_id, row.fence, turn] = said
                self.bus.append(row.purchase_id)

    def due_again(self, row: Purchase) -> float:
        """When what is due is announced again: each time after twice as long, for speed."""
        return self.said.get((row.purchase_id, row.fence, self.waits_until), (0.0, AGAIN))[0]

    def _look_again(self) -> None:
        """Have the jobs completed whose wait for the CDN is over."""
        late = [
            next(key for key, row in self.purchases.items() if row.job_id == job.job_id)
            for job in self.jobs.values()
            if job.complete_by and job.state not in ENDED_JOB and job.complete_by <= self.moment
        ]
        if late:
            self.change([ledger.Change(each, "", sweeper._nothing) for each in late])
            promises.check_waits(self)

    # -- a batch

    def change(
        self, changes: Sequence[ledger.Change], edges: Sequence[Asked] = ()
    ) -> list[Answer | Fault]:
        batch = self._read(changes)
        answers = []
        for index, change in enumerate(changes):
            answers.append(self._take(batch, change, edges[index] if edges else None))
        if self.moved or batch.events or _is_through(batch):
            self._save(batch)
        return answers

    def _read(self, changes: Sequence[ledger.Change]) -> Batch:
        """As `services.catalog.ledger.read` does, but without copies."""
        rows, purchases, jobs = self.purchases, {}, {}
        counts = looks_up = False
        for each in changes:
            key = each.purchase_id
            row = purchases[key] = rows[key]
            row.webhooks, row.refusal = [], None
            if self.inbox and row.state in _WITH_INBOX:
                row.webhooks += self.inbox.get(key, ())
            jobs[row.job_id] = self.jobs[row.job_id]
            if row.attempt > 1 or each.kind in ledger._NEEDS_ATTEMPTS:
                counts = True
            if each.tickets:
                looks_up = True
        limits = self.permits[PROVIDER]
        if limits.max_per_minute:
            more = limits.max_per_minute / 60.0 * (self.now - self.refilled_at)
            limits.tokens = min(limits.max_per_minute, limits.tokens + more)
            self.refilled_at, limits.tokens_taken = self.now, 0
        self.were = limits.in_use, limits.sending, limits.breaker, limits.allowance
        self.moved = False
        batch = Batch(self.moment, jobs, purchases, self.permits, PUBLISH_WAIT, self.images)
        batch.settlements = self.settlements
        if counts:
            for row in rows.values():
                place = row.job_id, row.ordinal
                batch.attempts[place] = max(batch.attempts.get(place, 0), row.attempt)
        for each in changes if looks_up else ():
            if each.tickets:
                self._read_orders_alike(batch, each.purchase_id)
        return batch

    def _read_orders_alike(self, batch: Batch, purchase_id: str) -> None:
        fingerprint = self.purchases[purchase_id].fingerprint
        others = [row for key, row in self.purchases.items() if key != purchase_id]
        batch.held[purchase_id] = {row.ticket for row in others if row.ticket}
        rivals = [
            row for row in others if row.state in _WITH_INBOX and row.fingerprint == fingerprint
        ]
        batch.rivals[purchase_id] = [row.purchase_id for row in rivals]
        batch.wanted[purchase_id] = [
            row.purchase_id for row in rivals if self.jobs[row.job_id].state != "canceling"
        ]

    def _take(self, batch: Batch, change: ledger.Change, edge: Asked | None) -> Answer | Fault:
        purchase, kind = batch.purchases[change.purchase_id], change.kind
        before, limits = promises.snapshot(purchase), self.permits[PROVIDER]
        asked, told = limits.breaker, limits.allowance
        fenced = None if kind in _UNFENCED else edge
        old = fenced is not None and fenced.fence != purchase.fence
        try:
            if edge is not None and kind == "ticket" and not old:
                self._unique(purchase, edge.edge.ticket.ticket)
            outcome = change.apply(batch)
        except Fault as fault:
            same = promises.snapshot(purchase) == before
            promise(same, "what is refused changes nothing", purchase, kind)
            if edge is not None and kind == "ticket" and fault.reason == "FENCE_STALE":
                self.outrun.append(edge)
            return fault.with_traceback(None)  # whose frames hold the answers, and so the fault
        if old:
            broken("an old owner changes nothing", purchase, kind)
        if promises.snapshot(purchase) != before:
            self.moved = True
            if kind == "owner dies":
                self.buried.add((purchase.purchase_id, before[1]))
            elif kind == "unclear" and purchase.purchase_id in self.never_left:
                broken("what never left is not unclear", purchase)
            if fenced and (purchase.purchase_id, fenced.fence) in self.buried:
                broken("who was taken for dead changes nothing", purchase, kind)
            self._took(before[0], kind, purchase)
            if kind == "claim" and before[0] == "planned":
                promises.check_leaving(limits, asked, told, purchase, batch.now)
                self._leaves(purchase)
        return Answer(batch, purchase, claimed=outcome == CLAIMED)

    def _leaves(self, purchase: Purchase) -> None:
        promise(not self.restored, "a restored ledger repeats nothing", purchase)
        self.unsent.discard(purchase.purchase_id)
        self.never_left.discard(purchase.purchase_id)
        if purchase.refusal:
            self.unsent.add(purchase.purchase_id)

    def _unique(self, purchase: Purchase, ticket: str) -> None:
        """As purchases_provider_ticket_key does."""
        rows = self.purchases.values()
        if any(row.ticket == ticket and row is not purchase for row in rows):
            raise Precondition("STATE_CONFLICT", "purchases_provider_ticket_key forbids this edge.")

    def _took(self, before: str, kind: str, purchase: Purchase) -> None:
        self.seen.add((before, kind, purchase.state))
        if purchase.state not in OPEN:
            self.ended_at.setdefault(purchase.purchase_id, self.now)
        promises.check_row(self, purchase)

    def _save(self, batch: Batch) -> None:
        """As `services.catalog.saving.save` does: money, rows, the log, and the job's end."""
        for spent, reserved in batch.spent.values():
            self.spent += spent
            self.reserved += reserved
        for row in batch.planned:
            self._add(row)
        completion.begin_waits(batch)
        if batch.events:
            events = [(job_id, self._told(event)) for job_id, event in batch.events]
            logged, _late = feed.divided(batch, events)
            self._log(saving._numbered(batch, logged))
        for job in (ended := completion.ending(batch)):
            failed = promises.failed(self, job.job_id)
            made = job.last_version > 0
            job.state = completion._end_of(job.state, made=made, failed=failed)
            self._log(saving._numbered(batch, [(job.job_id, _COMPLETED)]))
        for alarm in batch.alarms:
            self.alarms[alarm] += 1
        if batch.planned or batch.let_go:
            self._announce(batch)
        limits = self.permits[PROVIDER]
        permits = limits.in_use, limits.sending, limits.breaker, limits.allowance
        if self.moved or ended or batch.events or batch.planned or permits != self.were:
            self.working, going_on = promises.check_ledger(self)
            self.has_work = bool(self.working) or going_on
        if permits != self.were:
            self._offer(batch.now)

    def _told(self, event: job_event_pb2.JobEvent | Kept) -> job_event_pb2.JobEvent:
        """As saving does: a variant has its picture, which is safe."""
        if not isinstance(event, Kept):
            return event
        key = event.purchase.purchase_id, event.output.index
        promise(key in self.vault, "kept means safe", event.purchase, key)
        promise(key not in self.images, "a picture is kept once", event.purchase, key)
        self.images[key] = image_pb2.ImageOutput(url=f"/i/{event.file.link}")
        return _IMAGE_KEPT

    def _add(self, row: Purchase) -> None:
        promises.check_new(self, row)
        self.purchases[row.purchase_id] = row
        self.made_at[row.purchase_id] = self.now
        self.seen.add(("[*]", "adopt" if row.ticket else "plan", row.state))

    def _log(self, numbered: Iterable[tuple[int, int, job_event_pb2.JobEvent | None]]) -> None:
        for job_id, number, event in numbered:
            told = self.logs[job_id]
            if number != len(told) + 1 or "completed" in told:
                broken("a log has no gap and one end", None, (job_id, number, told))
            told.append(event.WhichOneof("event") or "" if event else "completed")

    def _announce(self, batch: Batch) -> None:
        self.bus += [row.purchase_id for row in batch.planned if row.state == "planned"]
        now = batch.now
        self.bus += [
            row.purchase_id
            for row in batch.let_go
            if row.has_work and (row.not_before or now) <= now
        ]

    def _offer(self, now: datetime) -> None:
        """As News does with what may be claimed since the permits are as this batch leaves them."""
        due = [
            row
            for row in self.working
            if row.state == "planned" and row.owner is None
            if row.not_before is None or row.not_before <= now
        ]
        if not due:
            return
        limits = self.permits[PROVIDER]
        were = as_it_was(limits, self.were)
        self.bus += [row.purchase_id for row in due[: permits.offered(were, limits, now)]]

    def _admit(self, job_id: int, count: int) -> None:
        """Plan *count* purchases, as the admission of a job does."""
        self.jobs[job_id] = queued(job_id, count)
        self.logs[job_id] = ["accepted"]
        for ordinal in range(count):
            key = self.new_id()
            self.purchases[key] = planned(key, job_id, ordinal, PRICE * self.width)
            self.made_at[key] = self.now
            self.reserved += PRICE * self.width


def _is_through(batch: Batch) -> bool:
    """Whether a job may end by it, though nothing has moved."""
    return not all(job.open_purchases for job in batch.jobs.values())
