"""
The ledger of the simulation: purchases as rows, guarded by state and fence as in SQL.
"""

from services.generator import moves
from services.generator.standing import Terms

LIMIT = 100.0  # seconds that a provider's work may take
OPEN = frozenset({"planned", "sending", "running", "drawn", "unclear"})


class Violated(AssertionError):
    """A promise was broken."""


def promise(held: object, words: str, number: int, row: "Row") -> None:
    """Raise Violated unless *held*."""
    if not held:
        shown = {name: getattr(row, name) for name in Row.__slots__}
        raise Violated(f"{words}: purchase {number} {shown}")


class Row:
    """One row of purchases."""

    __slots__ = ("attempt", "charged", "ended_at", "ending", "fence", "missing", "not_before",
                 "outputs", "owner", "sent_at", "state", "ticket", "to_publish", "tries",
                 "webhooks")  # fmt: skip

    def __init__(self, attempt: int) -> None:
        self.attempt, self.state, self.owner, self.fence = attempt, "planned", 0, 0
        self.ticket, self.charged, self.ending = "", "", ""
        self.outputs: dict[int, str] = {}
        self.missing, self.not_before, self.sent_at, self.tries = 0, 0.0, 0.0, 0
        self.ended_at = 0.0
        self.webhooks: dict[str, int] = {}  # tickets, with the fence at which they came
        self.to_publish: set[int] = set()

    @property
    def deadline(self) -> float:
        return self.sent_at + LIMIT

    @property
    def unheard(self) -> bool:
        return any(fence >= self.fence for fence in self.webhooks.values())

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def publishing(self) -> bool:
        """Through for its job, and with something safe that the CDN has not."""
        return not self.is_open and bool(self.unpublished)

    @property
    def unpublished(self) -> frozenset[int]:
        return frozenset(i for i in self.to_publish if self.outputs[i] == "kept")

    @property
    def has_work(self) -> bool:
        return self.is_open or self.publishing


class Rows:
    """The rows of so many *orders*: attempt after attempt; `width` outputs each."""

    def __init__(self, terms: Terms, width: int, orders: int = 1) -> None:
        self.terms, self.width = terms, width
        self.now, self.canceling = 0.0, False
        self.orders = orders
        self.rows: dict[int, Row] = {number: Row(1) for number in range(1, orders + 1)}
        self.variants: list[tuple[int, int]] = []
        self.published: list[tuple[int, int]] = []

    def cancel(self) -> None:
        """A user cancels the job: what was not claimed ends, the owners are told."""
        self.canceling = True
        for row in self.rows.values():
            if row.state == "planned":
                row.state, row.ending, row.charged = "ended", "CANCELED", "no"

    def take_away(self, row: Row) -> None:
        row.owner, row.fence = 0, row.fence + 1
        if row.state == "sending":
            if self.terms.askable:
                _become_unclear(self, row)
            else:
                row.state, row.ending, row.charged = "ended", "UNCLEAR", "unknown"

    def hear(self, number: int, ticket: str) -> None:
        """A webhook comes: what is unclear is looked up at once."""
        row = self.rows[number]
        row.webhooks[ticket] = row.fence
        if row.state == "unclear":
            row.not_before = self.now

    def claim(self, worker: int, number: int) -> bool:
        """ClaimEdge: one winner."""
        row = self.rows[number]
        if not row.has_work or row.owner or row.not_before > self.now:
            return False
        row.owner, row.fence = worker, row.fence + 1
        if row.state == "planned":
            row.state, row.sent_at = "sending", self.now
        return True

    def apply(self, number: int, fence: int, step: moves.Step) -> str:
        """Any other edge: "ok", "stale" or "conflict"."""
        row = self.rows[number]
        if self.applied(row, number, step):
            return "ok" if row.fence == fence else "stale"
        if row.fence != fence or not row.owner:
            return "stale"
        starts, change = _EDGES[type(step)]
        if row.state not in starts or self.forbids(row, step):
            return "conflict"
        change(self, row, number, step)
        if isinstance(step, moves.LAST):
            row.owner = 0
        return "ok"

    def forbids(self, row: Row, step: moves.Step) -> bool:
        """Tickets are unique, and what has none ends uncharged or is unclear."""
        if isinstance(step, moves.Ticketed):
            return step.ticket in {each.ticket for each in self.rows.values()}
        ends = isinstance(step, moves.Ended) and row.state == "sending"
        return ends and step.charged is not False

    def applied(self, row: Row, number: int, step: moves.Step) -> bool:
        """Whether that very edge was taken before."""
        match step:
            case moves.Ticketed(ticket):
                return row.ticket == ticket
            case moves.Found(tickets):
                return row.ticket in tickets
            case moves.Brought():
                return bool(row.outputs)
            case moves.Kept(index) | moves.Published(index) | moves.Lost(index, _):
                return row.outputs.get(index) in _TAKEN[type(step)]
        return False


def _become_unclear(rows: Rows, row: Row) -> None:
    row.state = "unclear"
    row.not_before = rows.now if row.webhooks else row.sent_at + rows.terms.lag


def _ended(rows: Rows, row: Row, _number: int, step: moves.Ended) -> None:
    row.state, row.ending, row.ended_at = "ended", step.ending, rows.now
    row.charged = {True: "yes", False: "no", None: "unknown"}[step.charged]
    if step.retry and step.charged is False and not rows.canceling and row.attempt < 3:
        rows.rows[len(rows.rows) + 1] = Row(row.attempt + 1)


def _absent(rows: Rows, row: Row, _number: int, step: moves.Absent) -> None:
    if row.unheard:
        row.not_before = rows.now
        return
    row.state = "void"
    if step.again and not rows.canceling:
        rows.rows[len(rows.rows) + 1] = again = Row(row.attempt + 1)
        again.tries = row.tries


def _ticketed(_rows: Rows, row: Row, _number: int, step: moves.Ticketed) -> None:
    row.state, row.ticket = "running", step.ticket


def _found(rows: Rows, row: Row, _number: int, step: moves.Found) -> None:
    held = {each.ticket for each in rows.rows.values()}
    if free := [ticket for ticket in step.tickets if ticket not in held]:
        row.state, row.ticket = "running", free[0]


def _brought(rows: Rows, row: Row, _number: int, _step: moves.Brought) -> None:
    row.state, row.charged = "drawn", "yes"
    row.outputs = dict.fromkeys(range(rows.width), "drawn")


def _out(rows: Rows, row: Row, number: int, step: moves.Kept | moves.Lost) -> None:
    row.outputs[step.index] = "kept" if isinstance(step, moves.Kept) else "lost"
    if isinstance(step, moves.Kept):
        rows.variants.append((number, step.index))
        row.to_publish |= {step.index} if step.to_publish else set()
    if "drawn" not in row.outputs.values():
        row.state = "lost" if "lost" in row.outputs.values() else "kept"
        row.owner = row.owner if row.publishing else 0


def _published(rows: Rows, row: Row, number: int, step: moves.Published) -> None:
    row.outputs[step.index] = "published"
    rows.published.append((number, step.index))
    if not row.publishing:
        row.owner, row.state = 0, "published" if row.state == "kept" else row.state


def _doubted(rows: Rows, row: Row, _number: int, _step: moves.Doubted) -> None:
    _become_unclear(rows, row)


def _unknowable(rows: Rows, row: Row, _number: int, _step: moves.Unknowable) -> None:
    row.state, row.ending, row.charged, row.ended_at = "ended", "UNCLEAR", "unknown", rows.now


def _released(rows: Rows, row: Row, _number: int, step: moves.Released) -> None:
    row.state, row.not_before = "planned", rows.now + step.delay
    if rows.canceling:
        rows.cancel()


def _failed(rows: Rows, row: Row, _number: int, _step: moves.Failed) -> None:
    if row.publishing:
        row.not_before = rows.now + 900.0
        return
    row.tries, row.not_before = row.tries + 1, rows.now + 1.0
    if row.state == "sending":
        _become_unclear(rows, row)
    if row.tries == 5:
        row.state = "quarantined"


def _parked(rows: Rows, row: Row, _number: int, step: moves.Parked) -> None:
    unheard = row.state == "unclear" and row.unheard
    row.not_before = rows.now if unheard else rows.now + step.delay


_TAKEN = {
    moves.Kept: ("kept", "published"),
    moves.Published: ("published",),
    moves.Lost: ("lost",),
}
_AFTER = frozenset({"kept", "lost", "quarantined"})
_HELD = frozenset({"running", "drawn", "unclear"}) | _AFTER
_EDGES = {
    moves.Ticketed: ({"sending"}, _ticketed),
    moves.Brought: ({"running"}, _brought),
    moves.Kept: ({"drawn"}, _out),
    moves.Lost: ({"drawn"}, _out),
    moves.Published: (_AFTER, _published),
    moves.Ended: ({"sending", "running"}, _ended),
    moves.Doubted: ({"sending"}, _doubted),
    moves.Found: ({"unclear"}, _found),
    moves.Absent: ({"unclear"}, _absent),
    moves.Unknowable: ({"unclear"}, _unknowable),
    moves.Released: ({"sending"}, _released),
    moves.Failed: (_HELD | {"sending"}, _failed),
    moves.Parked: (_HELD, _parked),
}
