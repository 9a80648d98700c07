"""What tests in several folders share: one running stack; PostgreSQL and NATS by themselves."""

from collections.abc import Iterator

import pytest

from tests.nats import nats, nats_url
from tests.postgres import postgres, postgres_url
from tests.system.stack import Stack, running_stack

__all__ = ["nats", "nats_url", "postgres", "postgres_url"]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A running stack that all share: leave it whole."""
    with running_stack() as found:
        yield found
