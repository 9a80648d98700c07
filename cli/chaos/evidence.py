"""What is known when all is quiet: the ledger's rows, the vendors' word, what clients saw."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cli.chaos.client import Outcome

Row = Mapping[str, Any]
OPEN = frozenset({"planned", "sending", "running", "drawn", "unclear"})
ASKABLE = frozenset({"replicate"})  # vendors that tell what became of a lost answer
KEPT = frozenset({"kept", "published"})  # of a purchase, and of an output


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """
    Everything that the checks look at.

    *ledger* is the audit's, *caps* micro-USD by the user's name, *served* the hash that the
    vault's link brings, by link, or why there is none. *retold* has a line for each log that
    is told otherwise than a client heard it.
    """

    outcomes: Sequence[Outcome]
    ledger: Mapping[str, Sequence[Row]]
    charges: Sequence[Row]
    assets: Sequence[Row]
    pictures: Sequence[Row]
    caps: Mapping[str, int] = field(default_factory=dict)
    served: Mapping[str, str] = field(default_factory=dict)
    retold: Sequence[str] = ()

    @cached_property
    def purchases(self) -> dict[str, Row]:
        return {row["purchase_id"]: row for row in self.ledger["purchases"]}

    @cached_property
    def bought(self) -> list[Row]:
        """The purchases of vendors that charge."""
        return [row for row in self.ledger["purchases"] if row["provider"] != "sketch"]

    @cached_property
    def outputs(self) -> dict[str, list[Row]]:
        """Outputs by purchase."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.ledger["outputs"]:
            found[row["purchase_id"]].append(row)
        return found

    @cached_property
    def matched(self) -> list[tuple[Row, Row | None]]:
        """Each charge with its purchase: by the ticket, else by the purchase it was ordered for."""
        tickets = {(row["provider"], row["ticket"]): row for row in self.bought if row["ticket"]}
        return [
            (
                charge,
                tickets.get((charge["vendor"], charge["ticket"]))
                or self.purchases.get(charge["purchase_id"]),
            )
            for charge in self.charges
        ]

    @cached_property
    def times_charged(self) -> Counter[str]:
        """How many charges each purchase has."""
        return Counter(row["purchase_id"] for _, row in self.matched if row)

    @cached_property
    def users(self) -> dict[int, str]:
        return {row["user_id"]: row["subject"] for row in self.ledger["users"]}

    def kept(self, purchase: Row) -> list[Row]:
        """The outputs of *purchase* that are safe."""
        found = self.outputs.get(purchase["purchase_id"], [])
        return [output for output in found if output["state"] in KEPT]


def micros(charge: Row) -> int:
    """What a charge costs, in micro-USD."""
    usd: float = charge["usd"]
    return round(usd * 1_000_000)


def unfinished(ledger: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Say what is still under way."""
    for job in ledger["jobs"]:
        if not job["ended"]:
            open_, awaited = job["open_purchases"], job["publishing"]
            yield f"job {job['job_id']} is {job['state']}: {open_} open, {awaited} to publish"
    for purchase in ledger["purchases"]:
        if purchase["state"] in OPEN or purchase["publishing"]:
            what = "awaits the CDN" if purchase["publishing"] else f"is {purchase['state']}"
            yield (
                f"purchase {purchase['purchase_id']} of job {purchase['job_id']} {what}, owner "
                f"{purchase['owner']}, not before {purchase['not_before']}: {purchase['error']}"
            )
