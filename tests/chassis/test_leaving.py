"""A peer that leaves is sent nothing new, and what may be done twice is said again elsewhere."""

import asyncio
import functools
from contextlib import asynccontextmanager, suppress

import pytest

from chassis import errors
from chassis.channel import Peer, insisting
from chassis.server import Server
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.catalog.v1 import ledger_service_pb2_grpc
from tests.ports import free_port, free_ports

SECRET = b"0123456789abcdef"
NAME = "imagestudio.catalog.v1.LedgerService"


class Desk(ledger_service_pb2_grpc.LedgerServiceServicer):
    """Answers, and counts how often."""

    def __init__(self):
        self.asked = 0

    async def RequestCancel(self, request, context):
        self.asked += 1
        return pb.RequestCancelResponse()


@asynccontextmanager
async def serving(port):
    desk = Desk()
    add = functools.partial(ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server, desk)
    server = Server([(NAME, add)], secret=SECRET, resolve=None)
    await server.start("127.0.0.1", port, "PORT")
    try:
        yield desk, server
    finally:
        await server.stop(lame=0, grace=0)


@asynccontextmanager
async def calling(*ports):
    target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
    peer = Peer(target, "desk", service="tests", secret=SECRET)
    stub = ledger_service_pb2_grpc.LedgerServiceStub(peer.channel)

    async def ask(timeout=60.0):
        await peer.ask(stub.RequestCancel, pb.RequestCancelRequest(), timeout=timeout)

    try:
        yield ask
    finally:
        await peer.close()


async def until_both_are_asked(ask, *desks):
    async with asyncio.timeout(60):
        while not all(desk.asked for desk in desks):
            await ask()


async def test_of_two_the_one_that_leaves_is_asked_no_more():
    ports = free_ports(2)
    async with (
        serving(ports[0]) as (one, server),
        serving(ports[1]) as (two, _),
        calling(*ports) as ask,
    ):
        await until_both_are_asked(ask, one, two)
        await server.leave()
        async with asyncio.timeout(60):  # the word of it is on its way
            while one.asked:
                one.asked = 0
                await asyncio.gather(*(ask() for _ in range(20)))
        await asyncio.gather(*(ask() for _ in range(20)))
        assert one.asked == 0


async def test_where_there_is_one_only_calls_wait_for_its_successor():
    port = free_port()
    async with calling(port) as ask:
        async with serving(port) as (desk, server):
            await ask()
            await server.leave()
            async with asyncio.timeout(60):
                while desk.asked:
                    desk.asked = 0
                    with suppress(errors.Late):  # nobody is left, or it is slow: then it was asked
                        await ask(timeout=1)
            waiting = asyncio.create_task(ask())
            await asyncio.sleep(0)
        async with serving(port) as (successor, _):
            await waiting
            assert (desk.asked, successor.asked) == (0, 1)


async def test_who_watches_our_health_does_not_hold_up_our_end():
    port = free_port()
    async with calling(port) as ask, serving(port) as (_, server):
        await ask()
        async with asyncio.timeout(60):
            await server.stop(lame=0, grace=40)


class Attempts:
    def __init__(self, *ends):
        self.ends = list(ends)

    async def __call__(self):
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end


def cut():
    return errors.Unavailable("SERVICE_UNAVAILABLE", "gone")


async def test_what_may_be_done_twice_is_said_again_while_its_peer_is_cut_off():
    assert await insisting(Attempts(cut(), cut(), cut(), "done")) == "done"


@pytest.mark.parametrize(
    "end",
    [
        errors.Missing("RESOURCE_UNKNOWN", "a no"),
        errors.Late("SERVICE_UNAVAILABLE", "it has taken all the time there was"),
    ],
)
async def test_a_no_and_a_time_that_is_over_are_told_at_once(end):
    attempts = Attempts(end, "done")
    with pytest.raises(type(end)):
        await insisting(attempts)
    assert attempts.ends == ["done"]


async def test_who_stays_away_is_told_in_the_end():
    attempts = Attempts(*[cut()] * 4, "never")
    with pytest.raises(errors.Unavailable):
        await insisting(attempts)
    assert attempts.ends == ["never"]
