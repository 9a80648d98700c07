"""
Rows of the ledger as edges see them: read under the job's lock, changed in memory,
written back in one go.
"""

import uuid
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from imagestudio.catalog.v1 import ledger_pb2
from imagestudio.type.v1 import cost_pb2, image_pb2, job_event_pb2
from services.catalog import outcome
from services.catalog.breaker import Breaker

OPEN = frozenset({"planned", "sending", "running", "drawn", "unclear"})
PERMITTED = frozenset({"sending", "running"})  # states that hold a permit of the provider
DRAWN = frozenset({"drawn", "kept", "published", "lost"})  # that have outputs
FAILED = frozenset({"ended", "void", "lost", "quarantined"})  # states that brought no picture
ANY = "any"  # stands for a provider where work needs none
_OF_A_NAME = 5  # the version of a UUID that is made of another and a ticket
ENDED_JOB = frozenset({"succeeded", "partially_succeeded", "failed", "canceled"})


@dataclass(slots=True)
class Output:
    """One image that a call brought."""

    index: int
    source: str
    expires_at: datetime | None
    state: str
    image_hash: str | None = None
    variant_id: int | None = None
    version_number: int | None = None
    to_publish: bool = False

    @property
    def awaits_cdn(self) -> bool:
        """Whether it is safe and has still to be published."""
        return self.to_publish and self.state == "kept"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A ticket that a webhook named; *fence* is the purchase's when it came."""

    ticket: str
    fence: int


@dataclass(slots=True)
class Purchase:
    """One paid call. Money in micro-USD."""

    purchase_id: str
    job_id: int
    user_id: int
    provider: str
    model_key: str
    ordinal: int
    attempt: int
    tries: int
    state: str
    ending: str | None
    owner: str | None
    fence: int
    not_before: datetime | None
    ticket: str | None
    fingerprint: str
    period: date
    reserved: int
    cost: int
    charged: str | None
    sent_at: datetime | None
    deadline: datetime | None
    error: dict[str, Any] | None
    publishing: bool = False  # through for its job, and with outputs that await the CDN
    repeats: str | None = None  # the purchase whose order it gives again
    restored: bool = False  # open when the database came back from a copy: nothing follows it
    sent_back: int = 0  # so often unbought, for the reason in its error
    sent_back_since: datetime | None = None
    account: str = ""  # of the provider's, that its order went out under
    metered: bool = False  # its cost is what the provider counted
    unlisted_since: datetime | None = None  # by the provider's clock; see absence.py
    unlisted_at: datetime | None = None  # when that was told
    outputs: list[Output] = field(default_factory=list)
    webhooks: list[Webhook] = field(default_factory=list)  # of one that is sending or unclear
    refusal: dict[str, Any] | None = None  # why one that was just claimed may not be sent

    @property
    def is_open(self) -> bool:
        """Whether its job waits for it."""
        return self.state in OPEN

    @property
    def has_failed(self) -> bool:
        """Whether it brought nothing, or fewer images than were ordered."""
        short = self.state in ("kept", "published") and outcome.is_short(self.error)
        return self.state in FAILED or short

    @property
    def is_twin(self) -> bool:
        """Whether a look-up found it beside another's: nobody planned it, or anything after it."""
        return uuid.UUID(self.purchase_id).version == _OF_A_NAME

    @property
    def unheard(self) -> bool:
        """Whether a webhook came of which the owner's claim could not tell."""
        return any(found.fence >= self.fence for found in self.webhooks)

    @property
    def has_work(self) -> bool:
        """Whether there is something that a worker may claim it for."""
        return self.state in OPEN or self.publishing

    @property
    def queue(self) -> str:
        """Where it is announced: known outputs need no provider, and its key may be gone."""
        return ANY if self.state == "drawn" or self.publishing else self.provider


@dataclass(slots=True)
class Job:
    """One job, locked."""

    job_id: int
    user_id: int
    title: str
    project: str
    use_case: str
    preset_used: str
    state: str
    original_prompt: str
    enhanced_prompt: str  # empty where nobody rewrote it
    enhanced_by: str
    spec: str  # JSON
    request_id: str
    fingerprint: str
    last_sequence: int
    last_version: int
    open_purchases: int
    publishing: int  # of its purchases
    complete_by: datetime | None  # where it waits for nothing but the CDN
    cost: int
    retry_of: int | None
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    subject: str  # of its user


@dataclass(frozen=True, slots=True)
class Allowance:
    """By its own word a provider takes *left* more orders *until* then."""

    left: int
    until: datetime


@dataclass(slots=True)
class Permits:
    """
    What a provider allows, and how one that is *watched* does; a limit of 0 is none.

    Without a limit or a watch nothing is counted.
    """

    provider: str
    max_in_flight: int
    max_per_minute: int
    lookup_possible: bool
    lookup_lag: float  # seconds
    watched: bool = False
    lookup_in_receipts: bool = False  # its answers alone: it cannot be asked itself
    in_use: int = 0
    sending: int = 0  # of those in use: no answer yet
    answered: int = 0  # that this batch tells an answer of
    tokens: float = 0.0
    tokens_taken: int = 0
    breaker: Breaker = field(default_factory=Breaker)
    allowance: Allowance | None = None

    @property
    def counted(self) -> bool:
        """Whether its permits are counted, under the lock of its row."""
        return self.max_in_flight > 0 or self.max_per_minute > 0 or self.watched


@dataclass(slots=True)
class Kept:
    """A variant to be, with its file."""

    purchase: Purchase
    output: Output
    version: int
    cost: int
    image: ledger_pb2.KeptImage
    file: ledger_pb2.FileRecord
    prompt: str  # as the user wrote it
    enhanced: str  # as it was rewritten
    enhanced_by: str
    variant_id: int | None = None  # where it had one before


@dataclass(slots=True)
class Published:
    """What the CDN has from now on; *image* is as it was, then as it is."""

    purchase: Purchase
    output: Output
    image: image_pb2.ImageOutput


@dataclass(frozen=True, slots=True)
class Settlement:
    """What somebody told of a purchase of which nobody knew whether it was charged."""

    purchase_id: str
    user_id: int
    charged: str  # yes or no
    cost: int
    counted: int  # as spent until then
    settled_by: int  # user
    settled_at: datetime


@dataclass(slots=True)
class Batch:
    """What a transaction has read, and what its edges add to it."""

    now: datetime
    jobs: dict[int, Job]
    purchases: dict[str, Purchase]
    permits: dict[str, Permits]
    publish_wait: timedelta = timedelta(0)  # most that the end of a job is put off for the CDN
    images: dict[tuple[str, int], image_pb2.ImageOutput] = field(default_factory=dict)
    attempts: dict[tuple[int, int], int] = field(default_factory=dict)  # by job and ordinal
    models: dict[tuple[int, int], list[str]] = field(default_factory=dict)  # tried, likewise
    # Of those that were looked up: tickets that others hold, and equal orders without one.
    held: dict[str, set[str]] = field(default_factory=dict)
    rivals: dict[str, list[str]] = field(default_factory=dict)
    wanted: dict[str, list[str]] = field(default_factory=dict)  # of the rivals: not to be canceled
    failed: set[int] = field(default_factory=set)  # jobs with FAILED purchases not read here
    # (job_id, event) in order; a Kept stands for the image_kept event of its variant. What comes
    # of a job that had ended before goes to its user's feed, the rest to the job's log.
    events: list[tuple[int, "job_event_pb2.JobEvent | Kept"]] = field(default_factory=list)
    feed: list[tuple[int, job_event_pb2.JobEvent]] = field(default_factory=list)  # by user
    published: list[Published] = field(default_factory=list)
    settlements: dict[str, Settlement] = field(default_factory=dict)  # of before, by purchase
    settled: list[Settlement] = field(default_factory=list)
    planned: list[Purchase] = field(default_factory=list)
    let_go: list[Purchase] = field(default_factory=list)  # to be had by anybody, now or later
    spent: dict[tuple[int, date], list[int]] = field(default_factory=dict)  # [spent, reserved]
    alarms: list[tuple[str, str]] = field(default_factory=list)  # (kind, purchase_id)

    def job_of(self, purchase: Purchase) -> Job:
        """Return the locked job of *purchase*."""
        return self.jobs[purchase.job_id]

    def reserve(self, purchase: Purchase, amount: int) -> None:
        """Reserve *amount* for a *purchase* that has nothing reserved, whatever the cap."""
        self.spent.setdefault((purchase.user_id, purchase.period), [0, 0])[1] += amount
        purchase.reserved = amount

    def settle(self, purchase: Purchase, *, cost: int) -> None:
        """Put *cost* in place of what *purchase* has reserved."""
        sums = self.spent.setdefault((purchase.user_id, purchase.period), [0, 0])
        sums[0] += cost - purchase.cost
        sums[1] -= purchase.reserved
        self.job_of(purchase).cost += cost - purchase.cost
        purchase.cost, purchase.reserved = cost, 0

    def close(self, purchase: Purchase, state: str) -> None:
        """Take *purchase* out of the open ones; who is to publish it keeps it."""
        job, purchase.state = self.job_of(purchase), state
        job.open_purchases -= 1
        if any(output.awaits_cdn for output in purchase.outputs):
            purchase.publishing, purchase.not_before = True, self.now
            job.publishing += 1
        else:
            purchase.owner = None

    def let_go_of(self, purchase: Purchase, not_before: datetime) -> None:
        """Leave *purchase* to whoever claims it after *not_before*."""
        purchase.owner, purchase.not_before = None, not_before
        self.let_go.append(purchase)

    def tell(self, purchase: Purchase, **event: Any) -> None:
        """Append an event to the log of the purchase's job, or where that has ended to the feed."""
        self.events.append((purchase.job_id, job_event_pb2.JobEvent(**event)))


def cost_message(purchase: Purchase) -> cost_pb2.Cost:
    """Render what *purchase* cost, or may have cost."""
    known = basis(metered=purchase.metered or purchase.charged == "no")
    return cost_pb2.Cost(usd_micros=purchase.cost or purchase.reserved, basis=known)


def basis(*, metered: bool | None) -> cost_pb2.CostBasis.ValueType:
    """How a cost is known: as the provider counted it, else by the price list."""
    return cost_pb2.COST_BASIS_METERED if metered else cost_pb2.COST_BASIS_ESTIMATED
