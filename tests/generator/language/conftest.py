"""What tests of language calls share."""

import pytest

from chassis import identity
from imagestudio.catalog.v1 import ledger_service_pb2_grpc as stubs
from services.generator.language.meter import Meter
from tests.generator.language.books import Books
from tests.generator.wire import serving


@pytest.fixture
async def books():
    found = Books()
    add = lambda server: stubs.add_LedgerServiceServicer_to_server(found, server)  # noqa: E731
    identity.current.set(identity.Caller(7))
    async with serving("imagestudio.catalog.v1.LedgerService", add) as peer:
        found.meter = Meter(peer, stubs.LedgerServiceStub(peer.channel))
        yield found
