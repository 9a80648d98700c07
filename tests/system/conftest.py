"""One stack for all system tests; PostgreSQL and NATS by themselves for those that need less."""

from collections.abc import Iterator

import pytest

from tests.nats import nats, nats_url  # noqa: F401
from tests.postgres import postgres, postgres_url  # noqa: F401
from tests.system.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A running stack that all share: leave it whole."""
    with running_stack() as found:
        yield found
