"""The library of a user: what was made, how it is arranged, what it cost, who may see it."""

from dataclasses import dataclass

from services.catalog.database import Pools
from services.catalog.jobs import Jobs
from services.catalog.keys import Keys
from services.catalog.presets import Presets
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


def open_library(pools: Pools, *, server_cap: int | None) -> Library:
    """Make the library on *pools*; *server_cap* in micro-USD, None for no cap."""
    return Library(
        jobs=Jobs(pools.user),
        variants=Variants(pools.user),
        presets=Presets(pools.user),
        usage=Usage(pools.user, server_cap),
        keys=Keys(pools),
    )
