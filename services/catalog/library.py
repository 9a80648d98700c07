"""
The library of a user: what was made, how it is arranged, what it cost, what is new in it,
who may see it.
"""

from dataclasses import dataclass

from services.catalog.database import Pools
from services.catalog.feeds import Feeds
from services.catalog.jobs import Jobs
from services.catalog.keys import Keys
from services.catalog.ledger import Ledger
from services.catalog.news import News
from services.catalog.presets import Presets
from services.catalog.settlement import Settlements
from services.catalog.usage import Usage
from services.catalog.variants import Variants


@dataclass(frozen=True, slots=True)
class Library:
    """All that CatalogService shows and changes."""

    jobs: Jobs
    variants: Variants
    presets: Presets
    usage: Usage
    keys: Keys
    settlements: Settlements
    feeds: Feeds


def open_library(pools: Pools, ledger: Ledger, news: News, *, server_cap: int | None) -> Library:
    """Make the library on *pools*; *server_cap* in micro-USD, None for no cap."""
    return Library(
        jobs=Jobs(pools.user),
        variants=Variants(pools.user),
        presets=Presets(pools.user),
        usage=Usage(pools.user, server_cap),
        keys=Keys(pools),
        settlements=Settlements(ledger, pools.user),
        feeds=Feeds(pools.user, news.wakes, news.public_url),
    )
