"""
What is done for one purchase in the simulation, and what comes of it.

Each deed yields the seconds until it goes on, and others act meanwhile. What a provider
raises is told by the real `unbought`, what a look-up brings by the real `reconcile`.
"""

from collections.abc import Callable, Coroutine, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from services.generator import moves, reconcile, signs, unbought
from services.generator import provider as seam
from tests.generator.modelled_rows import PROVIDER
from tests.generator.modelled_trouble import RECEIPT

if TYPE_CHECKING:
    from tests.generator.modelled_worker import Held
    from tests.generator.simulation import World

POST_TIMEOUT = 30.0  # seconds
_NO_SIGN = (seam.Unsent, seam.Unkept, seam.Busy, seam.ContentRefused)  # of a provider's illness
LOOKS = (0.0, 2.0, 5.0, 20.0)  # seconds between two looks


class Flight:
    """An order on its way: it arrives whatever becomes of its sender, or never."""

    __slots__ = ("arrives_at", "outcome", "purchase_id")

    def __init__(self, purchase_id: str, arrives_at: float) -> None:
        self.purchase_id, self.arrives_at = purchase_id, arrives_at
        self.outcome: str | Exception | None = None  # its ticket, or what is answered

    def arrive(self, world: "World") -> None:
        strikes = world.trouble.strikes
        if strikes("the order is lost"):
            self.outcome = seam.Unclear("cut")
        elif strikes("the provider is busy"):
            busy = world.dice.choice((seam.Unavailable, seam.Busy))
            self.outcome = busy("no room", retry_after=world.dice.choice((None, 3.0)))
        elif strikes("the account is empty"):
            self.outcome = seam.NoCredit("402")
        elif strikes("the order is refused"):
            self.outcome = seam.Refused("422")
        elif strikes("the content is refused"):
            self.outcome = seam.ContentRefused("no")
        else:
            self.outcome = world.vendor.take(self.purchase_id).ticket


def buy(held: "Held", _effect: moves.Buy) -> Iterator[float]:
    world = held.world
    strikes = world.trouble.strikes
    yield 0.0
    if held.interrupted:
        held.happen(moves.Declined("stopped before it was sent"))
    elif not held.may_send():
        held.happen(moves.NeverSent("the claim had grown too old to send by it", 0))
    elif killed(held, "buy"):
        return
    elif strikes("buying raises"):
        held.happen(moves.Raised("a defect"))
    elif strikes("the connection is refused"):
        yield 1.0
        refused(held, seam.Unavailable("refused"))
    elif world.vendor.kind == RECEIPT:
        yield from _draw(held)
    else:
        yield from _order(held)


def _order(held: "Held") -> Iterator[float]:
    """As an adapter does: what the order needs is had before it leaves."""
    world = held.world
    if world.pictures.number and (missing := (yield from world.pictures.hand_over(held))):
        refused(held, missing)
        return
    held.sent = True
    flight = Flight(held.purchase_id, world.ledger.now + world.dice.choice((0.0, 0.0, 3.0)))
    world.flights.append(flight)
    world.land()
    yield flight.arrives_at - world.ledger.now
    while flight.outcome is None:
        yield 0.1
    ticket = flight.outcome
    if world.trouble.strikes("the answer is lost"):
        yield world.dice.random() * POST_TIMEOUT
        raised = world.dice.choice((seam.Unclear("cut"), ValueError("a defect")))
        refused(held, raised)
    elif isinstance(ticket, Exception):
        refused(held, ticket)
    elif not world.vendor.lists and not _close(held):
        refused(held, seam.Unkept("storage is away"))
    else:
        yield 0.0
        few = world.trouble.strikes("it takes few more")
        left = seam.Allowance(world.dice.randrange(3), 10.0) if few else None
        bought(held, seam.Ticket(ticket, allowance=left))


def bought(held: "Held", ticket: seam.Ticket) -> None:
    """As Deeds.buy does with what an adapter returns."""
    held.heard = signs.of_ticket(ticket)
    held.happen(moves.Bought(ticket.reference))


def refused(held: "Held", error: Exception) -> None:
    """As Deeds.buy does with what an adapter raises."""
    world = held.world
    if isinstance(error, seam.Unavailable | seam.Unsent):
        world.ledger.never_left.add(held.purchase_id)
    if not isinstance(error, _NO_SIGN):
        world.vendor.was_ill = True
    held.heard = signs.of_error(error, PROVIDER)
    held.happen(unbought.told(error, another=True))  # which ends sooner than to wait for ever


def _draw(held: "Held") -> Iterator[float]:
    """As the sketch does: bought is what has its receipt closed."""
    world = held.world
    yield world.dice.choice((0.0, 0.5, 4.0))
    if held.interrupted:
        refused(held, seam.Refused("stopped before it was drawn"))
    elif world.trouble.strikes("the order is refused"):
        refused(held, seam.Refused("it cannot be drawn"))
    elif not _close(held):
        refused(held, seam.Unclear("the receipt is not closed"))
    else:
        ticket = world.vendor.take(held.purchase_id).ticket
        yield 0.0
        if world.trouble.strikes("the answer is lost"):
            refused(held, seam.Unclear("cut"))
        elif held.interrupted and world.dice.random() < 0.5:
            held.happen(moves.Doubtful("it was interrupted"))
        else:
            bought(held, seam.Ticket(ticket))


def _close(held: "Held") -> bool:
    """Make the receipt durable, unless its place was sealed or storage is away."""
    receipts = held.world.vendor.receipts
    if held.purchase_id in receipts or held.world.trouble.strikes("the receipt is not closed"):
        return False
    receipts[held.purchase_id] = True
    return True


def follow(held: "Held", effect: moves.Follow) -> Iterator[float]:
    world = held.world
    vendor, strikes = world.vendor, world.trouble.strikes
    charge = vendor.charges[effect.ticket]
    while True:
        yield world.dice.choice(LOOKS)
        if killed(held, "follow"):
            return
        if strikes("a look fails"):
            ours = not vendor.lists  # its answer lies in a receipt
            held.happen(moves.OutOfSight("no answer", 1.0, held.late(), ours))
            return
        if poisoned(held, "follow") or strikes("a look raises"):
            held.happen(moves.Raised("a defect"))
            return
        if ended := vendor.ended(charge):
            charged, stopped, content = ended
            held.happen(moves.Closed(charged, "there", stopped, content))
            return
        if world.ledger.now >= charge.drawn_at:
            held.happen(moves.Finished(world.ledger.width))
            return
        held.happen(moves.Drawing(held.late()))


def cancel(held: "Held", effect: moves.CancelThere) -> Iterator[float]:
    yield 0.0
    if held.world.trouble.strikes("a cancel raises"):
        held.happen(moves.Raised("a defect"))
    elif not held.world.trouble.strikes("a cancel is lost"):
        held.world.vendor.end(effect.ticket)


def store(held: "Held", effect: moves.Store) -> Iterator[float]:
    world, index = held.world, effect.index
    ticket = held.state.ticket or held.ticket
    yield 0.0
    last = index == world.ledger.width - 1
    if last and killed(held, "store"):
        return
    charge = world.vendor.charges[ticket]
    if world.ledger.now > charge.dies_at and (last or not charge.half):
        held.happen(moves.Vanished(index, "404"))
    elif world.trouble.strikes("storage is away"):
        held.happen(moves.Unstored(index, "no answer", 1.0))
    elif (last and poisoned(held, "store")) or world.trouble.strikes("storing raises"):
        held.happen(moves.Unstored(index, "a defect", defect=True))
    else:
        world.ledger.vault.add((held.purchase_id, index))
        yield 0.0
        held.happen(moves.Stored(index, world.cdn.wanted))


def look_up(held: "Held", _effect: moves.LookUp) -> Iterator[float]:
    yield 0.0
    if killed(held, "look up"):
        return
    vendor: Any = held.world.vendor
    awaited = not held.sent and not held.restored and held.late() < 0
    order = _asked_for(held.purchase_id, awaited=awaited)
    try:
        event = _now(reconcile.look_up(vendor, order, held.hinted, held.late))
    except ValueError as error:
        event = moves.Raised(str(error))
    if poisoned(held, "look up"):
        event = moves.Raised("a defect")
    yield 0.0
    held.happen(event)


@lru_cache(maxsize=1000)
def _asked_for(purchase_id: str, *, awaited: bool) -> seam.Order:
    return seam.Order(
        purchase_id=purchase_id, slug="flux", inputs={}, give_up_after=100, awaited=awaited
    )


def _now(looking: Coroutine[None, None, moves.Event]) -> moves.Event:
    """What a coroutine returns that waits for nothing."""
    try:
        looking.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


def poisoned(held: "Held", deed: str) -> bool:
    """Whether *deed* raises, whoever does it."""
    return held.world.poison == ("raises", deed)


def killed(held: "Held", deed: str) -> bool:
    """Whether *deed* kills whoever does it."""
    if held.world.poison != ("kills", deed):
        return False
    held.world.crash(held.worker)
    if deed == "buy":
        held.world.outlast(held.purchase_id)
    return True


DEEDS: dict[type[object], Callable[[Any, Any], Iterator[float]]] = {
    moves.Buy: buy,
    moves.Follow: follow,
    moves.CancelThere: cancel,
    moves.Store: store,
    moves.Publish: lambda held, effect: held.world.cdn.publish(held, effect),
    moves.LookUp: look_up,
}
