"""What the simulation promises: after each batch of edges, and at the end of a history."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from services.catalog.breaker import MOST_FAILED, Breaker
from services.catalog.endings import KEPT_AT
from services.catalog.permits import UNTOLD
from services.catalog.rows import (
    ENDED_JOB,
    FAILED,
    OPEN,
    PERMITTED,
    Allowance,
    Permits,
    Purchase,
)
from services.generator.purchase import GRACE
from services.generator.standing import OUT_OF_REACH

if TYPE_CHECKING:
    from tests.generator.modelled_ledger import Ledger
    from tests.generator.modelled_provider import Provider
    from tests.generator.simulation import World

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
HELD = frozenset({"running", "drawn"})  # states of an order that was certainly bought


class Violated(Exception):
    """A promise was broken."""


def promise(held: object, words: str, purchase: Purchase | None, *about: object) -> None:
    """Raise Violated unless *held*."""
    if not held:
        broken(words, purchase, *about)


def broken(words: str, purchase: Purchase | None, *about: object) -> NoReturn:
    """Raise Violated."""
    raise Violated(f"{words}: {about or ''} {purchase or ''}")


def seconds(moment: datetime | None) -> float:
    """*moment* on the simulation's clock."""
    return (moment - EPOCH).total_seconds() if moment else 0.0


def snapshot(row: Purchase) -> tuple[Any, ...]:
    """All of *row* that an edge may change, but for its error; its state first."""
    outputs = row.outputs
    states = [each.state for each in outputs] if outputs else None
    return (
        row.state, row.fence, row.owner, row.tries, row.ticket, row.reserved, row.cost,
        row.charged, row.ending, row.publishing, row.not_before, row.sent_at, row.deadline,
        row.unlisted_since, row.unlisted_at, states,
    )  # fmt: skip


# -- At every moment -----------------------------------------------------------------------


def check_row(ledger: "Ledger", row: Purchase) -> None:
    """A row is as its state demands."""
    state, charged = row.state, row.charged
    if state in HELD and not row.ticket:
        broken("what runs has a ticket", row)
    if row.reserved < 0 or row.cost < 0:
        broken("money is not negative", row)
    if state in OPEN:
        if state == "planned" and ledger.jobs[row.job_id].state == "canceling":
            broken("nothing waits to be sent that nobody wants", row)
        if row.reserved == 0 and state != "drawn" and not row.is_twin:
            broken("what is open holds its reservation", row)
        if charged not in (None, "yes"):
            broken("what is open is not settled", row)
        return
    if row.reserved:
        broken("what has ended holds no reservation", row)
    if not charged:
        broken("what has ended says whether it was charged", row)
    promise(row.cost == 0 or charged != "no", "what was not charged costs nothing", row)
    counts = charged != "unknown" or row.cost or row.is_twin
    promise(counts, "what may be charged counts as spent", row)


def check_leaving(
    limits: Permits, asked: Breaker, told: Allowance | None, row: Purchase, now: datetime
) -> None:
    """An order that leaves does so where its provider may be sent one, as it stood before."""
    if row.refusal or not limits.watched:
        return
    open_ = asked.state == "closed" or asked.retry_at is None or asked.retry_at <= now
    promise(open_, "no order leaves beside the probe, or while it is open", row, asked)
    some = told is None or told.until <= now or told.left > 0
    promise(some, "no order leaves while none is left", row, told)
    few = not asked.on_trial or limits.sending <= UNTOLD + asked.well
    promise(few, "a provider on trial is not sent all at once", row, limits)
    within = not limits.max_in_flight or limits.in_use <= limits.max_in_flight
    promise(within, "no more leave than may be under way", row, limits)


def check_new(ledger: "Ledger", row: Purchase) -> None:
    """A new attempt stands at a place of its own, and no other is open there."""
    for each in ledger.purchases.values():
        here = (each.job_id, each.ordinal) == (row.job_id, row.ordinal)
        promise(not here or each.attempt != row.attempt, "an attempt has its own number", row)
        beside = here and each.is_open and not each.is_twin
        promise(row.ticket or not beside, "one attempt at a time", row, each)
    wanted = row.ticket or ledger.jobs[row.job_id].state != "canceling"
    promise(wanted, "nothing is planned for who wants no more", row)


def check_ledger(ledger: "Ledger") -> tuple[list[Purchase], bool]:
    """
    Permits, money, counters and tickets agree with the rows.

    Return those with work, and whether a job goes on.
    """
    reserved = spent = under_way = sending = 0
    tickets, working, jobs = [], [], ledger.jobs
    counted = {job_id: [0, 0, 0] for job_id in jobs}  # open, of them twins, publishing
    for row in ledger.purchases.values():
        state = row.state
        reserved += row.reserved
        spent += row.cost
        if row.ticket:
            tickets.append(row.ticket)
        if state in OPEN:
            working.append(row)
            counts = counted[row.job_id]
            counts[0] += 1
            if state in PERMITTED:
                under_way += 1
                sending += state == "sending"
            if jobs[row.job_id].state in ENDED_JOB:
                counts[1] += row.is_twin
        elif row.publishing:
            working.append(row)
            counted[row.job_id][2] += 1
    for limits in ledger.permits.values():
        if limits.counted and (limits.in_use != under_way or limits.sending != sending):
            broken("a permit for each order under way", None, limits, under_way, sending)
    if len(tickets) > 1 and len(tickets) != len(set(tickets)):
        broken("a ticket is one purchase's", None, tickets)
    return working, _check_jobs(ledger, counted, reserved, spent)


def _check_jobs(ledger: "Ledger", counted: dict[int, list[int]], reserved: int, spent: int) -> bool:
    cost, going_on = 0, False
    for job_id, job in ledger.jobs.items():
        is_open, twins, publishing = counted[job_id]
        if is_open != job.open_purchases or publishing != job.publishing:
            broken("a job's counters are its rows'", None, job, counted)
        cost += job.cost
        if job.state not in ENDED_JOB:
            going_on = True
        elif is_open != twins:
            broken("a job ends when nothing is open", None, job)
    if ledger.reserved != reserved or not ledger.spent == cost == spent:
        broken("the sums are the rows'", None, ledger.reserved, ledger.spent, cost)
    return going_on


def check_waits(ledger: "Ledger") -> None:
    """No job waits for the CDN longer than it may."""
    for job in ledger.jobs.values():
        over = job.complete_by and job.complete_by <= ledger.moment
        waits = over and not job.open_purchases  # a second order may be found meanwhile
        promise(not waits or job.state in ENDED_JOB, "no job waits too long", None, job)


def failed(ledger: "Ledger", job_id: int) -> bool:
    """Whether a place of the job brought nothing: as the fragment `failed` has it."""
    brought: dict[int, bool] = {}
    for row in ledger.purchases.values():
        if row.job_id == job_id:
            hope = row.state not in FAILED
            brought[row.ordinal] = brought.get(row.ordinal, False) or hope
    return not all(brought.values())


# -- At the end ----------------------------------------------------------------------------


def check_end(world: "World") -> None:
    """Each charge has its picture or its row, once; nothing is left open, held or counted."""
    ledger, vendor = world.ledger, world.vendor
    for row in ledger.purchases.values():
        promise(not row.has_work, "nothing stays open", row)
        _check_ending(world, row)
        _check_receipt(vendor, row)
    promise(ledger.reserved == 0, "nothing stays reserved", None, ledger.reserved)
    limits = ledger.permits["replicate"]
    back = limits.in_use == limits.sending == 0
    promise(back, "each permit comes back", None, limits)
    well = limits.breaker.state == "closed" and limits.breaker.recent.count("-") <= MOST_FAILED
    promise(vendor.was_ill or well, "a trouble of ours says nothing of a provider", None, limits)
    for job in ledger.jobs.values():
        promise(job.state in ENDED_JOB, "every job ends", None, job)
        promise(ledger.logs[job.job_id][-1] == "completed", "and says so last", None, job)
    _check_charges(world)
    _check_told(world)
    for kind, state in (("lost", "lost"), ("quarantined", "quarantined")):
        told = {key for found, key in ledger.alarms if found == kind}
        rows = {key for key, row in ledger.purchases.items() if row.state == state}
        promise(rows <= told, f"what is {state} raises the alarm", None, rows, told)
    _check_published(world)
    vendor.check()


def _check_charges(world: "World") -> None:
    """Who was charged has one row with its ticket, or one that says: perhaps."""
    ledger, vendor = world.ledger, world.vendor
    holders = {row.ticket: row for row in ledger.purchases.values() if row.ticket}
    strays = []
    # What the provider made twice: that one of them has a row is all that is promised here.
    twice = {charge.purchase_id for charge in vendor.charges.values() if charge.doubled}
    twice &= {vendor.charges[ticket].purchase_id for ticket in holders}
    for ticket, charge in vendor.charges.items():
        row = holders.get(ticket)
        if row is None:
            known = charge.doubled or charge.is_free or charge.purchase_id in twice
            known = known or charge.purchase_id in ledger.forgotten
            strays += [] if known else [charge]
            continue
        its_own = row.purchase_id == charge.purchase_id or row.is_twin
        its_own = its_own or vendor.kind == "alike"
        promise(its_own, "each has what was bought for it", row, charge)
        free = charge.is_free or row.charged != "no"
        promise(free, "what was charged is not told as free", row, charge)
    perhaps = [
        row
        for key, row in ledger.purchases.items()
        if not row.ticket and (row.charged == "unknown" or key in ledger.settlements)
    ]
    if vendor.kind == "alike":
        promise(len(strays) <= len(perhaps), "nothing bought is lost", None, strays)
        return
    named = {row.purchase_id for row in perhaps}
    lost = [charge for charge in strays if charge.purchase_id not in named]
    promise(not lost, "nothing bought is lost", None, lost)


def _check_told(world: "World") -> None:
    """What people told stays as they told it, unless the provider's own word came after."""
    rows = world.ledger.purchases
    for key, told in world.ledger.settlements.items():
        row = rows[key]
        found = any(each.is_twin and each.ordinal == row.ordinal for each in rows.values())
        stays = (row.charged, row.cost) == (told.charged, told.cost)
        promise(found or stays, "what is settled stays", row, told)


def _check_ending(world: "World", row: Purchase) -> None:
    """How *row* ended is what the provider did, as far as anybody could know."""
    charge, vendor = world.vendor.charges.get(row.ticket or ""), world.vendor
    kept = sum(key[0] == row.purchase_id for key in world.ledger.images)
    since = seconds(row.deadline)
    late = world.ledger.ended_at.get(row.purchase_id, 0.0) - since
    charged = "unknown" if row.purchase_id in world.ledger.settlements else row.charged
    if row.state == "quarantined":
        promise(row.tries >= 5, "quarantine after the fifth try", row)
        drawn = [output.expires_at for output in row.outputs if output.state == "drawn"]
        lives: list[datetime | None] = [at for at in drawn if at]
        lives = lives or ([] if drawn or not row.ticket else [row.deadline])
        ended = world.ledger.ended_at[row.purchase_id]
        gone = all(seconds(at) <= ended for at in lives)
        if any(not output.expires_at for output in row.outputs if output.state == "drawn"):
            failed = row.error is not None and row.error["reason"] == "INTERNAL"
            gone = gone and (not failed or ended >= seconds(row.sent_at) + KEPT_AT.total_seconds())
        promise(gone, "what may still be had is not given up", row)
    elif row.state in ("kept", "published"):
        promise(charge and kept == world.ledger.width, "a kept one was paid for", row)
    elif row.state == "lost":
        lost = any(output.state == "lost" for output in row.outputs)
        died = charge is not None and world.ledger.now > charge.dies_at
        promise(lost and died, "lost only where it died", row)
    elif charged == "no":
        promise(charge is None or charge.is_free, "what is free was not paid for", row)
    elif row.ending == "expired" and charged == "unknown":
        if charge is None:
            broken("only what was bought expires", row)
        overdue = min(late, charge.drawn_at - since)
        waited = overdue >= GRACE or late >= OUT_OF_REACH or not vendor.terms.cancelable
        promise(waited, "a picture is waited for until its time is over", row)
    elif row.ending == "unclear" and vendor.terms.conclusive and vendor.terms.askable:
        promise(late >= OUT_OF_REACH, "it is asked until its time is over", row)
    elif charged == "unknown" and vendor.lists:
        promise(charge and charge.closed, "only a blind provider hides a picture", row)


def _check_receipt(vendor: "Provider", row: Purchase) -> None:
    """What lies in our vault is not given up, however long storage is away."""
    found = vendor.terms.askable and vendor.receipts.get(row.purchase_id)
    given_up = row.ending == "unclear" and found
    given_up = given_up or (row.ending == "expired" and not vendor.lists)
    promise(not given_up, "what lies in our vault is not given up", row)


def _check_published(world: "World") -> None:
    """What is kept is where it is wanted in the end."""
    ledger, cdn = world.ledger, world.cdn
    published = {
        (row.purchase_id, output.index)
        for row in ledger.purchases.values()
        for output in row.outputs
        if output.state == "published"
    }
    promise(published <= cdn.assets, "published means there", None, published)
    wanted = set(ledger.images) if cdn.wanted else set()
    promise(published == wanted, "what is kept is published in the end", None, published)
