"""What all vendors share: time, charges, faults, the pace, and who called."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from lab.charges import Charges
from lab.clock import Clock
from lab.faults import Faults


@dataclass(slots=True, kw_only=True)
class Pace:
    """
    How long a drawing takes and how big it gets.

    *seconds* of None are each model's usual time; *queue* seconds pass before a drawing starts;
    *bytes* are about the size of a file, None for what comes of it.
    """

    seconds: float | None = None
    queue: float = 0.0
    bytes: int | None = None


@dataclass(slots=True, kw_only=True)
class World:
    """One lab. *base* is the URL under which it is reached; *hosts* may get webhooks."""

    base: str
    hosts: frozenset[str] = frozenset()
    usual_pace: Pace = field(default_factory=Pace)
    clock: Clock = field(default_factory=Clock)
    charges: Charges = field(default_factory=Charges)
    faults: Faults = field(default_factory=Faults)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what happened, and begin again as at the start."""
        self.pace = Pace(
            seconds=self.usual_pace.seconds,
            queue=self.usual_pace.queue,
            bytes=self.usual_pace.bytes,
        )
        self.charges.clear()
        self.faults.clear()
        self.calls.clear()
        self.clock.reset()


class Vendor(Protocol):
    """A company that the lab imitates, under /{name}/."""

    @property
    def name(self) -> str: ...

    def routes(self) -> Iterable[web.RouteDef]:
        """All its routes; a door wraps those that may go wrong."""

    def settings(self) -> dict[str, object]:
        """What can be changed about it by PUT /_lab/vendors/{name}, with its values."""

    def change(self, settings: dict[str, object]) -> None:
        """Change some *settings*; raise ValueError with what is wrong, and change nothing."""

    def assets(self) -> list[dict[str, object]]:
        """What it keeps for good: public_id, sha256, bytes, url."""

    def pictures(self) -> list[dict[str, object]]:
        """What it drew and handed out: vendor, ticket, index, sha256 of the whole file."""

    async def reset(self) -> None:
        """End what runs and forget everything."""
