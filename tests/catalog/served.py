"""A ledger behind its handler, and on the wire for who speaks as the generator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from chassis import identity
from chassis.channel import Peer
from imagestudio.catalog.v1.ledger_service_pb2_grpc import add_LedgerServiceServicer_to_server
from services.catalog.admit import Admissions
from services.catalog.ledger_handler import LedgerHandler
from tests.catalog.purchases import make_ledger
from tests.generator.scripted_ledger import NAME
from tests.generator.wire import SECRET, serving


def handling(pool, ledger, news=None, *, patience=3.0, **more) -> LedgerHandler:
    """The handler of *ledger*; a worker that is silent for *patience* seconds is dead."""
    return LedgerHandler(
        pool=pool, ledger=ledger, news=news or make_ledger(pool)[1], resolve=None,
        admissions=Admissions(pool, None), verify=partial(identity.verify, SECRET),
        patience=patience, server_cap=None, public_url="", **more,
    )  # fmt: skip


@asynccontextmanager
async def served(pool, ledger, **more) -> AsyncIterator[Peer]:
    """Serve *ledger* while a test speaks to it; *more* is of `handling`."""
    handler = handling(pool, ledger, **more)

    def add(server):
        add_LedgerServiceServicer_to_server(handler, server)

    async with serving(NAME, add) as peer:
        yield peer
