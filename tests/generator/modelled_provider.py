"""
The provider of the simulation: of one of five kinds, with a list that lags, links that die,
orders that hang, and webhooks that anybody may send again under another's URL.

It keeps the books of what was charged, and does not stand a second charge for one order.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.generator import provider as seam
from services.generator.settling import APART
from services.generator.standing import OUT_OF_REACH, Terms
from tests.generator.modelled_promises import EPOCH, promise, seconds
from tests.generator.modelled_trouble import (
    ALIKE,
    ANSWERED,
    ASKED,
    BLIND,
    LISTED,
    RECEIPT,
    Dice,
    Trouble,
)

if TYPE_CHECKING:
    from tests.generator.modelled_ledger import Ledger

LIMIT = 100.0  # seconds that a provider's work may take
LAG = 120.0  # seconds from the sending until a provider is asked
LISTED_AFTER = 30.0  # seconds after which a list usually shows a call
TTL = 300.0  # seconds that its links live; an hour in truth
NEVER = float("inf")

TERMS = {
    LISTED: Terms(askable=True, lag=LAG, cancelable=True),  # answers with an id; has a list
    # Likewise, with nothing in its list that would tell equal orders apart.
    ALIKE: Terms(askable=True, lag=LAG, cancelable=True),
    RECEIPT: Terms(askable=True, interruptible=True),  # answers with the picture: sketch
    # Answers with the picture; a receipt of that is all that can be found.
    ANSWERED: Terms(askable=True, conclusive=False),
    BLIND: Terms(askable=False),  # answers with the picture, and cannot be asked
}


class Charge:
    """What was bought. *closed* tells how it ended without a picture: charged? stopped? content?"""

    __slots__ = ("at", "closed", "crosses", "deaf", "dies_at", "doubled", "drawn_at", "half",
                 "listed_at",
                 "purchase_id", "stops_at", "ticket")  # fmt: skip

    def __init__(self, ticket: str, purchase_id: str, at: float) -> None:
        self.ticket, self.purchase_id, self.at = ticket, purchase_id, at
        self.listed_at = self.drawn_at = at
        self.stops_at = self.dies_at = NEVER
        self.closed: tuple[bool | None, bool, bool] | None = None
        self.deaf = self.crosses = False
        self.doubled = False  # by the provider's own mistake
        self.half = False  # it is its last output alone that dies

    @property
    def is_free(self) -> bool:
        return self.closed is not None and self.closed[0] is False

    def __repr__(self) -> str:
        return f"<{self.ticket} of {self.purchase_id[-4:]} at {self.at:.1f}, {self.closed}>"


class Provider:
    """What was charged, by ticket; *ledger* tells whose an order is and what time it is."""

    def __init__(self, kind: str, dice: Dice, trouble: Trouble, ledger: "Ledger") -> None:
        self.kind, self.dice, self.trouble, self.ledger = kind, dice, trouble, ledger
        self.terms, self.lists = TERMS[kind], kind in ASKED
        self.mute = self.lists and dice.random() < 0.05  # its list tells nothing, ever
        self.was_ill = False  # something came of an order that tells so
        self.charges: dict[str, Charge] = {}
        self.receipts: dict[str, bool] = {}  # purchase -> a picture (True) or a seal (False)
        self.hooks: list[tuple[float, str, str, str]] = []  # when, key, purchase, ticket
        self.hooked = kind == LISTED and (
            dice.random() < 0.7 or any("webhook" in name for name in trouble.pair)
        )

    @property
    def now(self) -> float:
        return self.ledger.now

    # -- orders

    def take(self, purchase_id: str) -> Charge:
        """An order arrives, and is charged."""
        self._check_first(purchase_id)
        charge = self._charge(purchase_id)
        if self.kind == LISTED and self.trouble.strikes("it is doubled there"):
            self._charge(purchase_id).doubled = True
        return charge

    def _charge(self, purchase_id: str) -> Charge:
        dice, strikes, now = self.dice, self.trouble.strikes, self.now
        ticket = f"t{len(self.charges)}" if self.lists else f"receipt:{purchase_id}"
        charge = self.charges[ticket] = Charge(ticket, purchase_id, now)
        if not self.lists:
            return charge
        late = LISTED_AFTER
        if strikes("the list is late"):  # as late as it may be: LAG counts from the sending
            late = max(0.0, seconds(self.ledger.purchases[purchase_id].sent_at) + LAG - 1 - now)
        charge.listed_at = now + dice.random() * late
        charge.drawn_at = now + dice.choice((0.0, 0.2, 5.0))
        if strikes("it hangs"):
            charge.drawn_at = now + dice.choice((90.0, 170.0, NEVER))
            charge.deaf = dice.random() < 0.4
            charge.stops_at = now + LIMIT if dice.random() < 0.3 else NEVER
        elif strikes("it fails there"):
            charge.closed = dice.choice((True, False, None)), False, dice.random() < 0.2
        charge.dies_at = now + TTL
        if strikes("the source expires"):
            charge.dies_at = charge.drawn_at + dice.choice((0.0, dice.random() * 5))
            charge.half = dice.random() < 0.5
        if self.kind == LISTED and strikes("a webhook crosses a look-up"):
            charge.crosses, charge.listed_at = True, now + 2 * LAG
        elif self.hooked:
            self._hook(charge)
        return charge

    def _check_first(self, purchase_id: str) -> None:
        """Whoever is charged for an order was not, and cannot be, before."""
        rows = self.ledger.purchases | self.ledger.forgotten
        row, charges = rows[purchase_id], self.charges.values()
        sent = [each for each in charges if each.purchase_id == purchase_id]
        promise(not sent, "no order is sent twice", row, sent)
        unsent = purchase_id in self.ledger.unsent
        promise(not unsent, "who takes none of ours is sent none", row)
        unfree = self.unfree()
        if self.kind == ALIKE:
            orders = len({(each.job_id, each.ordinal) for each in rows.values()})
            promise(len(unfree) < orders, "a picture is bought once", row, unfree)
            return
        again = [
            each
            for each in unfree
            if (rows[each.purchase_id].job_id, rows[each.purchase_id].ordinal)
            == (row.job_id, row.ordinal)
        ]
        promise(not again, "a picture is bought once", row, again)

    def unfree(self) -> list[Charge]:
        """What is, or may be, to be paid; but for what is the provider's own mistake."""
        charges = self.charges.values()
        # Of one that it made twice we may have seen the second alone, and that it came to nothing.
        mistaken = {each.purchase_id for each in charges if each.doubled and self._came_free(each)}
        return [
            each
            for each in charges
            if not each.doubled and not self._came_free(each) and each.purchase_id not in mistaken
        ]

    def _came_free(self, charge: Charge) -> bool:
        return self.ended(charge) is not None and charge.is_free

    def ended(self, charge: Charge) -> tuple[bool | None, bool, bool] | None:
        """How it ended without a picture, if it has."""
        if charge.closed is None and charge.stops_at <= min(self.now, charge.drawn_at):
            charge.closed = (True, True, False)
        return charge.closed

    def end(self, ticket: str) -> None:
        """It is asked to end it, and may be deaf to that."""
        charge = self.charges[ticket]
        if self.now < charge.drawn_at and not charge.deaf and not self.ended(charge):
            charge.closed = (self.dice.choice((True, False)), True, False)

    # -- the seam, as reconcile.py asks it

    async def cancel(self, ticket: seam.Ticket, /) -> None:
        self.end(ticket.reference)

    async def recognize(self, order: seam.Order, ticket: seam.Ticket, /) -> bool:
        if self.kind != LISTED:
            return False
        charge = self.charges.get(ticket.reference)
        return charge is not None and charge.purchase_id == order.purchase_id

    async def look_up(self, order: seam.Order, /) -> seam.Looked:
        """The list; or the receipt, else sealed."""
        mine = order.purchase_id
        if self.trouble.strikes("a look-up raises"):
            raise ValueError("a defect")
        if not self.lists:
            if self.trouble.strikes("storage is away"):
                raise seam.Unread("storage is away")
            if self.kind == ANSWERED and order.awaited and mine not in self.receipts:
                raise seam.Unclear("whoever sent it may still hear its answer")
            there = self.receipts.setdefault(mine, False)
            return seam.Looked([seam.Ticket(f"receipt:{mine}")] if there else [])
        if self.mute:
            raise seam.Unavailable("503", retry_after=300.0)
        if self.trouble.strikes("the list is away"):
            raise seam.Unavailable("503", retry_after=self.dice.choice((None, 7.0)))
        self._cross(mine)
        alike, since = self.kind == ALIKE, self.ledger.made_at[mine]
        found = [
            ticket
            for ticket, charge in self.charges.items()
            if charge.listed_at <= self.now
            and (charge.at >= since if alike else charge.purchase_id == mine)
        ]
        blank = alike and found and self.trouble.strikes("the list is blank")
        if blank:  # of one it tells nothing any more
            del found[self.dice.randrange(len(found))]
            if not found:
                raise seam.Unclear("of one the list tells nothing")
        date, unsure = self._date(), bool(blank)
        tickets = [seam.Ticket(ticket, alike=alike, unsure=unsure) for ticket in found]
        return seam.Looked(tickets, date, date)

    def _date(self) -> datetime:
        """What one of its servers says, to the second: their clocks are apart."""
        ahead = self.dice.choice((0.0, 0.0, APART / 2, APART - 1))
        return EPOCH + timedelta(seconds=int(self.now + ahead))

    # -- webhooks

    def _cross(self, purchase_id: str) -> None:
        """While the list is read, a webhook tells of what it does not show yet."""
        for ticket, charge in self.charges.items():
            if charge.crosses and charge.purchase_id == purchase_id:
                self.ledger.hear(f"crossing:{ticket}", purchase_id, ticket)

    def _hook(self, charge: Charge) -> None:
        """Have it told when it is drawn, once; but see the faults."""
        strikes, dice, key = self.trouble.strikes, self.dice, charge.ticket
        name, ticket = charge.purchase_id, charge.ticket
        at = min(charge.drawn_at, charge.stops_at) + dice.random() * 2
        if dice.random() < (0.5 if self.mute else 0.1):  # when all was given up that could be
            at += 2 * OUT_OF_REACH
        if strikes("a webhook is early"):
            at = charge.at
        if strikes("a webhook is another's"):  # sent again under our URL
            others = [each for each in self.charges if each != ticket]
            if others and at < NEVER:
                self.hooks.append((at, f"other:{key}", name, dice.choice(others)))
        if strikes("a webhook is forged") and at < NEVER:
            self.hooks.append((at, f"forged:{key}", name, f"nobody's {key}"))
        if strikes("a webhook is lost"):
            return
        if at == NEVER:
            return
        self.hooks.append((at, key, name, ticket))
        if strikes("a webhook is doubled"):
            self.hooks.append((at + dice.random() * 200, key, name, ticket))
            self.hooks.append((at + dice.random() * 20, f"again:{key}", name, ticket))

    def send_webhooks(self) -> None:
        """Tell what is due."""
        if not self.hooks:
            return
        due = [each for each in self.hooks if each[0] <= self.now]
        self.hooks = [each for each in self.hooks if each[0] > self.now]
        for _at, key, purchase_id, ticket in due:
            self.ledger.hear(key, purchase_id, ticket)

    def check(self) -> None:
        """Of what can be asked, no more was charged than was ordered."""
        if self.kind == BLIND:
            return
        rows, unfree = self.ledger.purchases.values(), self.unfree()
        orders = len({(row.job_id, row.ordinal) for row in rows})
        promise(len(unfree) <= orders, "a picture is bought once", None, unfree)
