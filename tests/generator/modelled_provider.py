"""
The provider of the simulation: of one of four kinds, with a list that lags, links that die,
orders that hang, and webhooks that anybody may send again under another's URL.
"""

import random

from services.generator.standing import Terms
from tests.generator.modelled_ledger import Rows

LAG = 120.0  # seconds from the sending until a provider is asked
LISTED = 30.0  # seconds after which a provider's list really shows a call
TTL = 3600.0  # seconds that a provider's own links live

TERMS = {
    "listed": Terms(askable=True, lag=LAG, cancelable=True),  # answers with an id; has a list
    # Likewise, with nothing in its list that would tell equal orders apart.
    "alike": Terms(askable=True, lag=LAG, cancelable=True),
    "receipt": Terms(askable=True, interruptible=True),  # answers with the picture: sketch
    "blind": Terms(askable=False),  # answers with the picture, and cannot be asked
}


class Provider(Rows):
    """What was bought, what it charged, and how far it is."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.kind = dice.choice(("listed", "alike", "receipt", "blind"))
        orders = dice.choice((2, 3, 4)) if self.kind == "alike" else 1
        super().__init__(TERMS[self.kind], dice.choice((1, 1, 2)), orders)
        self.lists = self.kind in ("listed", "alike")
        self.mute = self.lists and dice.random() < 0.1  # its list tells nothing, ever
        self.charges: dict[str, int] = {}  # ticket -> purchase
        self.listed_at: dict[str, float] = {}
        self.drawn_at: dict[str, float] = {}  # when the picture is there; never, where it hangs
        self.stops_at: dict[str, float] = {}  # when it gives up by itself, if it hangs then
        self.deaf: set[str] = set()  # tickets that cannot be canceled, whatever is said
        self.died: dict[str, float] = {}  # when a ticket's links die
        # Tickets without a picture: charged? stopped? refused for its content?
        self.closed: dict[str, tuple[bool | None, bool, bool]] = {}
        self.receipts: dict[int, bool] = {}  # purchase -> a picture (True) or a seal (False)

    def taken(self, number: int) -> str:
        """A call is taken, and paid for."""
        listed, never, dice = self.lists, float("inf"), self.dice
        ticket = f"t{number}.{len(self.charges)}" if listed else f"r{number}"
        self.charges[ticket] = number
        self.listed_at[ticket] = self.now + dice.random() * LISTED
        hangs = listed and dice.random() < 0.25
        self.drawn_at[ticket] = self.now + dice.choice((90.0, 170.0, never)) if hangs else self.now
        self.stops_at[ticket] = self.now + 100.0 if dice.random() < 0.3 else never
        if dice.random() < 0.4:
            self.deaf.add(ticket)
        self.died[ticket] = self.now + TTL if listed else never
        if listed and dice.random() < 0.05:
            self.closed[ticket] = (dice.choice((True, False, None)), False, dice.random() < 0.2)
        return ticket

    def paid_for(self, number: int) -> list[str]:
        """What was paid for in the name of a row; of equal orders, what it has got."""
        if self.kind == "alike":
            return [self.rows[number].ticket] if self.rows[number].ticket else []
        return [ticket for ticket, bought in self.charges.items() if bought == number]

    def ended(self, ticket: str) -> tuple[bool | None, bool, bool] | None:
        """How it ended without a picture, if it has."""
        if self.stops_at[ticket] <= min(self.now, self.drawn_at[ticket]):
            self.closed.setdefault(ticket, (True, True, False))
        return self.closed.get(ticket)

    def cancel_there(self, ticket: str) -> None:
        """It is asked to end it, and may be deaf to that."""
        if self.now < self.drawn_at[ticket] and ticket not in self.deaf:
            self.closed.setdefault(ticket, (self.dice.choice((True, False)), True, False))

    def look_up(self, number: int, hinted: tuple[str, ...]) -> tuple[str, ...]:
        """Those that were hinted at and are its own; the list; or the receipt, else sealed."""
        if self.kind == "receipt":
            return (f"r{number}",) if self.receipts.setdefault(number, False) else ()
        if self.kind == "alike":
            return tuple(ticket for ticket, at in self.listed_at.items() if at <= self.now)
        found = [ticket for ticket, bought in self.charges.items() if bought == number]
        return tuple(t for t in found if t in hinted or self.listed_at[t] <= self.now)

    def send_webhooks(self) -> None:
        """Tell of what was bought, again and again, and of another job's under our URL."""
        if self.kind == "listed":
            for ticket, number in self.charges.items():
                if (throw := self.dice.random()) < 0.2:
                    self.hear(number, ticket if throw < 0.1 else "another's")
