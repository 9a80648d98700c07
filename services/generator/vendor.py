"""A provider as the worker buys from it: the adapter and the terms that go with it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from imagestudio.catalog.v1 import ledger_pb2
from services.generator import provider as seam
from services.generator.standing import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """
    *most_in_flight* and *most_per_minute* are across all workers; 0 is no limit.

    *watched*: it is elsewhere and may be ill, so that its orders' outcomes are heeded.
    """

    name: str
    provider: seam.Provider
    terms: Terms
    time_limit: float  # seconds that its slowest model may take
    most_in_flight: int = 0
    most_per_minute: int = 0
    watched: bool = False

    def limit(self) -> ledger_pb2.ProviderLimit:
        """What the ledger has to know of it."""
        limit = ledger_pb2.ProviderLimit(
            provider=self.name,
            max_in_flight=self.most_in_flight,
            max_per_minute=self.most_per_minute,
            lookup_possible=self.terms.askable,
            watched=self.watched,
            lookup_in_receipts=self.terms.askable and not self.terms.conclusive,
        )
        limit.lookup_lag.FromMilliseconds(round(self.terms.lag * 1000))
        return limit


class _Unknown:
    """Stands for a provider whose key was taken away: what it has drawn is kept without it."""

    async def buy(self, *_order: object) -> seam.Ticket:
        raise seam.Unavailable("there is no key for this provider")

    async def follow(self, _ticket: seam.Ticket, /) -> AsyncIterator[seam.Drawn]:
        raise seam.Unclear("there is no key for this provider")
        yield


async def terms_of_claim(vendors: Mapping[str, Vendor], name: str) -> tuple[float, str]:
    """
    What a claim says of its provider: the seconds that it may take, and our account with it.

    Any name that is no provider's is of work that orders nothing.
    """
    if vendor := vendors.get(name):
        provider = vendor.provider
        account = await provider.account() if isinstance(provider, seam.HasAccount) else ""
        return vendor.time_limit, account
    return max((each.time_limit for each in vendors.values()), default=0.0), ""


def unknown(name: str) -> Vendor:
    """The vendor of what is drawn, where nobody here buys from *name*."""
    return Vendor(name=name, provider=_Unknown(), terms=Terms(askable=False), time_limit=0)
