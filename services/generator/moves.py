"""
The words of a purchase's life: the steps that are written into the ledger, the effects
that a worker carries out, and the events that come of them. All plain values.
"""

import math
from dataclasses import dataclass

# -- Steps: what is written into the ledger ------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ticketed:
    """sending -> running."""

    ticket: str


@dataclass(frozen=True, slots=True)
class Brought:
    """running -> drawn."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One output is safe; the last one ends the purchase for its job."""

    index: int
    to_publish: bool = False  # the CDN shall have it, too


@dataclass(frozen=True, slots=True)
class Published:
    """The CDN has one kept output."""

    index: int


@dataclass(frozen=True, slots=True)
class Lost:
    """One output was gone before it was safe."""

    index: int
    why: str


@dataclass(frozen=True, slots=True)
class Ended:
    """
    It brings nothing. *charged* None is unknown; *retry* asks for another model's try.

    *cost* is in micro-USD where the provider tells it.
    """

    ending: str  # REFUSED, FAILED, CANCELED or EXPIRED
    charged: bool | None
    reason: str
    why: str
    retry: bool = False
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Doubted:
    """sending -> unclear."""

    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """unclear -> running, by one of the tickets that a look-up found; see `LookedUp`."""

    tickets: tuple[str, ...]
    alike: bool = False
    unproven: bool = False


@dataclass(frozen=True, slots=True)
class Absent:
    """unclear -> void: nothing was bought; *again* plans a new attempt."""

    again: bool


@dataclass(frozen=True, slots=True)
class Unknowable:
    """unclear -> ended, charged: unknown; without *why*, because nobody can be asked."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Released:
    """sending -> planned: it certainly never left, or was not taken; *back* is counted."""

    delay: float
    why: str
    reason: str = "PROVIDER_UNAVAILABLE"
    back: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """Work on it raised: a try is counted."""

    why: str
    reason: str = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Parked:
    """
    Let go of, by nobody's fault; *delay* is in seconds.

    *unlisted*: by the provider's clock, in seconds since 1970, a list did not show it then.
    """

    delay: float
    unlisted: float | None = None


Step = (
    Ticketed | Brought | Kept | Published | Lost | Ended | Doubted | Found | Absent | Unknowable
    | Released | Failed | Parked
)  # fmt: skip
LAST = (Ended, Absent, Unknowable, Released, Failed, Parked)  # after these it is not ours


# -- Effects: what is to be done now, side by side ---------------------------------------


@dataclass(frozen=True, slots=True)
class Buy:
    """Send the order, once."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Stop the sending that is under way."""


@dataclass(frozen=True, slots=True)
class Follow:
    """Ask until it is drawn or has ended."""

    ticket: str


@dataclass(frozen=True, slots=True)
class CancelThere:
    """Ask the provider to end it."""

    ticket: str


@dataclass(frozen=True, slots=True)
class Store:
    """Copy an output to where it is safe."""

    index: int


@dataclass(frozen=True, slots=True)
class Publish:
    """Have the CDN copy a kept output."""

    index: int


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask the provider what became of the call."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Write an edge; edges of one purchase are written in the order in which they come."""

    step: Step


Effect = Buy | Interrupt | Follow | CancelThere | Store | Publish | LookUp | Commit
Effects = tuple[Effect, ...]


# -- Events: what came of it ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bought:
    """The provider took the order."""

    ticket: str


@dataclass(frozen=True, slots=True)
class NeverSent:
    """
    Certainly nothing was bought, and it may be tried again after *delay* seconds.

    *back*: it was tried, and came back. For one reason that goes on for *patience* seconds.
    """

    why: str
    delay: float
    reason: str = "PROVIDER_UNAVAILABLE"
    back: bool = False
    patience: float = math.inf


@dataclass(frozen=True, slots=True)
class Declined:
    """The provider said no and charged nothing, or was interrupted in time."""

    why: str
    content: bool = False  # because of what was asked for: no other model is tried
    reason: str = "PROVIDER_FAILED"


@dataclass(frozen=True, slots=True)
class Doubtful:
    """It may have been bought."""

    why: str


@dataclass(frozen=True, slots=True)
class Finished:
    """It is drawn: so many outputs."""

    outputs: int


@dataclass(frozen=True, slots=True)
class Closed:
    """It ended at the provider without a picture; *cost* is in micro-USD where that tells it."""

    charged: bool | None
    why: str
    stopped: bool = False  # it was canceled, at our word or because its time was over
    content: bool = False  # because of what was asked for: no other model is tried
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """The provider says that it still draws; *late* is negative before the deadline."""

    late: float


@dataclass(frozen=True, slots=True)
class OutOfSight:
    """Nobody could be asked just now."""

    why: str
    delay: float
    late: float = 0.0  # seconds since the deadline
    ours: bool = False  # storage of ours could not, and it keeps what it has for ever


@dataclass(frozen=True, slots=True)
class Stored:
    """An output is safe in the vault."""

    index: int
    publishable: bool = False


@dataclass(frozen=True, slots=True)
class Unstored:
    """
    An output is not safe yet: it is tried again after *delay* seconds, or a *defect* is told.

    *spoilt*: what is at its source is no picture, and never will be one.
    """

    index: int
    why: str
    delay: float = 0.0
    defect: bool = False
    spoilt: bool = False


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The CDN's copy of an output is verified."""

    index: int


@dataclass(frozen=True, slots=True)
class Unpublished:
    """The CDN has it not; it is offered again after *delay* seconds."""

    index: int
    why: str
    delay: float


@dataclass(frozen=True, slots=True)
class Vanished:
    """An output is gone at its source."""

    index: int
    why: str


@dataclass(frozen=True, slots=True)
class LookedUp:
    """
    What the provider's list has; nothing is the proof that nothing was bought.

    *alike*: equal orders may have bought them. Where they held all of them before, it is the same
    proof, unless *unproven* says why not. The list was read from *began* on, and by *ended*, by
    the provider's clock, in seconds since 1970.
    """

    tickets: tuple[str, ...]
    alike: bool = False
    unproven: OutOfSight | None = None
    began: float | None = None
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """An edge is in the ledger; *ticket* is what the purchase has there now."""

    step: Step
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The ledger did not take an edge, and not because of another owner."""

    step: Step
    why: str


@dataclass(frozen=True, slots=True)
class Raised:
    """Something of ours failed."""

    why: str


def defect(error: Exception) -> str:
    """What is told of a defect of ours: of what kind; the log has its words, for nobody else."""
    return f"a defect of ours ({type(error).__name__}), and it is logged"


@dataclass(frozen=True, slots=True)
class Superseded:
    """The ledger says that it is another's."""


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """The user cancels the job."""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Our worker ends."""


Event = (
    Bought | NeverSent | Declined | Doubtful | Finished | Closed | Drawing | OutOfSight | Stored
    | Unstored | Vanished | Uploaded | Unpublished | LookedUp | Committed | Rejected | Raised
    | Superseded | CancelAsked | StopAsked
)  # fmt: skip
