"""
The seam between us and the companies that draw the pictures.

A provider is one file in ``providers/`` with one class that satisfies `Provider`.
It translates; it never retries, stores, logs a secret, or knows what a job is.

`buy` raises by what was bought: Refused nothing, Unavailable nothing, Unclear perhaps.
`follow` raises Unclear alone: whatever kept us from looking, the ticket stays good.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable


class Role(StrEnum):
    """What an input image is for."""

    ANY = ""  # left to the model
    STYLE = "style"
    SUBJECT = "subject"
    STRUCTURE = "structure"
    EDIT_BASE = "edit_base"
    MASK = "mask"  # white where the edit base may change


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An input image; its bytes are had by `Pictures`. *weight* is 0 to 1, None the model's own."""

    asset: str  # lower-case hex SHA-256 of its bytes in the vault
    media_type: str
    role: Role = Role.ANY
    weight: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    What to draw, already in the provider's own vocabulary but for its *references*.

    *sent*, of one that is looked up: it certainly did not leave before; *asked* is by the same
    clock, when it is looked up; *awaited*: whoever sent it may live, and hear its answer yet.
    Not *as_planned*: another release planned it, with inputs that this one would not send.
    *account*: the one that it went out under, see `HasAccount`; empty where nobody knows.
    """

    purchase_id: str
    slug: str
    inputs: Mapping[str, object]
    give_up_after: int  # seconds; told to a provider that can stop by itself
    references: tuple[Reference, ...] = ()
    sent: datetime | None = None
    asked: datetime | None = None
    awaited: bool = False
    as_planned: bool = True
    account: str = ""


@dataclass(frozen=True, slots=True)
class Allowance:
    """By its own word a provider takes *left* more orders in the next *seconds*."""

    left: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Ticket:
    """
    What finds the purchase again. Commit it before doing anything else.

    *alike*, of one that was looked up: what was ordered is all that tells whose it is, and an
    equal order may have bought it. *unsure*: there are others that tell not even that.
    *allowance*, of one that was just bought, where the provider tells it; and *seconds*, from
    the order to the whole answer, where that has the pictures. *slug*, of one that is followed:
    the order's, for whose answer does not say what was bought.
    """

    reference: str  # the provider's id, or receipt:{purchase_id}
    alike: bool = field(default=False, compare=False)
    unsure: bool = field(default=False, compare=False)
    allowance: Allowance | None = field(default=None, compare=False)
    seconds: float | None = field(default=None, compare=False)
    slug: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Looked:
    """
    What a look-up found, the oldest first.

    Its list was not read before *began*, and was by *ended*, by the provider's own clock; both
    None where that is not told.
    """

    tickets: Sequence[Ticket] = ()
    began: datetime | None = None
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class Working:
    """Still drawing; *fraction* is None where the provider does not say."""

    fraction: float | None


@dataclass(frozen=True, slots=True)
class Preview:
    """An unfinished picture, to look at and forget; *number* counts those of a call from 0."""

    image: bytes
    number: int


@dataclass(frozen=True, slots=True)
class Link:
    """A picture on the provider's side. Without *expires_at*, fetch it first."""

    url: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Inline:
    """A picture in the receipt: base64 text in its bytes *start* to *stop*, *raw*: they are it."""

    start: int
    stop: int
    raw: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """
    Finished, in the provider's order; *cost* in micro-USD where it says one.

    *version* is the provider's word for the model's, *seed* the one that it drew with.
    """

    images: tuple[Link | Inline, ...]
    seconds: float | None
    cost: int | None = None
    version: str = ""
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """
    Bought, and no picture will come. *charged* is None where nobody can tell.

    *cost* is in micro-USD where the provider says one. *stopped*: it was canceled, at our
    word or because its time was over. *content*: what was asked for is what it would not draw.
    """

    charged: bool | None
    reason: str
    cost: int | None = None
    stopped: bool = False
    content: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """What a provider tells by itself: a hint to look, never the truth."""

    webhook_id: str  # the same where it is told again
    reference: str  # the ticket's


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """
    An order as the provider lists it.

    *purchase_id* is what its webhook's address names, a UUID or empty; *ours*: that address is.
    """

    reference: str  # the ticket's
    purchase_id: str
    ours: bool


class ProviderError(Exception):
    """Something a provider did not do; *retry_after* is in seconds."""

    def __init__(self, why: str, *, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after
        self.allowance: Allowance | None = None


class Refused(ProviderError):
    """The provider understood the order, said no and charged nothing."""


class ContentRefused(Refused):
    """It said no to what was asked for; no other model is tried in its place."""


class NoCredit(Refused):
    """Our account with it is empty, so that it refuses every order; say what is to be done."""


class NotKnown(Refused):
    """It does not take our credentials, for this order or any other; say what is to be done."""


class OverLimit(Refused):
    """More than our account may order at once, or of that model: its limit has to be raised."""


class Unavailable(ProviderError):
    """Certainly nothing was bought. Raise it on proof, never on a guess."""


class Busy(Unavailable):
    """So many orders came that it takes none just now, which is no sign of illness."""


class Unsent(ProviderError):
    """It never came to the provider, for a reason of ours: it says nothing of the provider."""


class Unfit(Refused, Unsent):
    """The order is not one that can be sent."""


class NotReady(Unavailable, Unsent):
    """What the order needs cannot be had of ours just now."""


class Unhanded(NotReady):
    """It did not take an input image of the order's: no sign of how it does with orders."""


class Unclear(ProviderError):
    """It may have been bought: the answer to everything that proves nothing."""


class Withheld(Unclear):
    """It may have drawn it, and keeps it back for what it shows: no sign of its illness."""


class Unkept(Unclear):
    """It answered, and storage of ours did not keep the answer: no sign of its illness."""


class Unread(Unclear):
    """Storage of ours could not be asked for its receipt: what lies there does not die."""


class Forged(ProviderError):
    """A webhook that the provider did not sign, or not just now."""


class ReceiptSink(Protocol):
    """
    Takes a raw answer. When `close` returns it is durable; parse nothing before.

    Who made the answer himself tells `close` what `follow` will find in it, and its pictures are
    perhaps kept in the same go.
    """

    async def write(self, chunk: bytes, /) -> None: ...
    def written(self) -> Iterable[bytes]: ...  # so far, in pieces
    async def close(self, holding: Drawn | None = None, /) -> None: ...


class Receipts(Protocol):
    """Reads what a `ReceiptSink` made durable."""

    async def read(self, purchase_id: str, start: int, stop: int, /) -> bytes | None:
        """Return bytes *start* to *stop* of a receipt; None where there is no receipt."""

    async def seal(self, purchase_id: str, /) -> bool:
        """
        Prove that there is no receipt, and never will be: a later one is not taken.

        False where there is one. Sealing again is True again.
        """


class Pictures(Protocol):
    """Reads input images of the user whose order is just being bought."""

    async def read(self, asset: str, /) -> bytes:
        """
        Return a reference's bytes.

        Unavailable where they cannot be had now, Refused where there are none: nothing is bought.
        """


Report = Callable[[Working | Preview], None]  # live only: never blocks, may drop


class Provider(Protocol):
    """Two verbs, because money changes hands between them."""

    async def buy(self, order: Order, receipt: ReceiptSink, report: Report, /) -> Ticket:
        """Send the order once; return when it can be found again. Cancelled is Unclear, too.

        An answer that holds the pictures streams into *receipt*, what it shows on the way to
        *report*.
        """

    def follow(self, ticket: Ticket, /) -> AsyncIterator[Working | Drawn | Ended]:
        """
        Tell of a purchase until Drawn or Ended; any process, any number of times. A generator.

        Each look that finds it still being drawn is a Working: its time limit hangs on them.
        """


@runtime_checkable
class CanBeAsked(Protocol):
    """A provider that lists what was bought, so that an Unclear can be settled."""

    async def look_up(self, order: Order, /) -> Looked:
        """Find all that may be *order*'s; none may mean: not listed yet."""


@runtime_checkable
class HasAccount(Protocol):
    """A provider that lists to each account its own orders alone: a token may be of another."""

    async def account(self, /) -> str:
        """Name the account that an order leaves under now; empty where that is not to be had."""


@runtime_checkable
class CanRecognize(Protocol):
    """A provider that tells whose a ticket is: what a webhook's URL says is no proof."""

    async def recognize(self, order: Order, ticket: Ticket, /) -> bool:
        """Look at *ticket*; False where it is not *order*'s, or there is none."""


@runtime_checkable
class CanList(CanRecognize, Protocol):
    """A provider that lists all that was bought there, also what nobody looks for."""

    def sold(self, since: datetime, until: datetime, /) -> AsyncIterator[Sold]:
        """Tell of what was created between the two and may be ours; Unclear short of the end."""


@runtime_checkable
class TellsEnds(Protocol):
    """A provider whose list of models says when they are switched off."""

    async def ends(self, /) -> Mapping[str, date]:
        """Return the dates, by slug, of those that have one; Unclear where they are not told."""


@runtime_checkable
class CanCancel(Protocol):
    """A provider that ends what it has taken; how it ended comes by `follow`."""

    async def cancel(self, ticket: Ticket, /) -> None:
        """Ask for the end of what *ticket* names; no answer is no error."""


@runtime_checkable
class SendsWebhooks(Protocol):
    """A provider that tells by itself when something has changed."""

    async def open_webhook(self, headers: Mapping[str, str], body: bytes, /) -> Webhook:
        """
        Verify the raw *body* by its *headers* (names in lower case).

        Forged where that fails, malformed ones too; any other error: it could not be tried.
        """
