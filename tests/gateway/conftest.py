"""Scripted services for what needs no stack, and a real stack for the routes."""

import gc
from collections.abc import Iterator

import httpx
import pytest

from tests import patient
from tests.gateway.scripted import Stage


@pytest.fixture
async def stage():
    made = Stage()
    yield made
    await made.close()
    gc.collect()  # grpc's server wants its loop when it is collected


@pytest.fixture(scope="session")
def http(stack) -> Iterator[httpx.Client]:
    """A client of the stack's edge."""
    with patient.Client(base_url=stack.url) as client:
        yield client
