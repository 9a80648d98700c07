"""A server and a peer of ours on a real port: identity, faults, deadlines, streams."""

import asyncio
import functools
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis import errors, identity
from chassis.channel import Peer
from chassis.server import Server
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.catalog.v1 import ledger_service_pb2_grpc
from imagestudio.storage.v1 import storage_service_pb2_grpc
from tests.ports import free_port

SECRET = b"0123456789abcdef"
NAME = "imagestudio.catalog.v1.LedgerService"


class Echo(ledger_service_pb2_grpc.LedgerServiceServicer):
    """Does what the name in the request says."""

    def __init__(self):
        self.entered, self.left = asyncio.Event(), asyncio.Event()

    async def RequestCancel(self, request, context):
        match request.name:
            case "who":
                caller = identity.current.get()
                raise errors.Missing("ECHO", f"{caller.service}/{caller.user_id}")
            case "hang":
                self.entered.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    self.left.set()
            case "chatter":
                fields = {f"parameters.sketch.k{number}": "is unknown" for number in range(500)}
                raise errors.Invalid("ECHO", "; ".join(fields), fields=fields)
            case "break":
                raise ZeroDivisionError("the secret is hunter2")
        return pb.RequestCancelResponse()


def adding(echo):
    add = ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server
    return functools.partial(add, echo)


@pytest.fixture
async def studio():
    echo, port = Echo(), free_port()

    async def resolve(credential):
        if credential != "isk_good":
            raise errors.Unauthenticated("CREDENTIAL_MISSING", "Send a key.")
        return identity.Caller(user_id=5)

    server = Server([(NAME, adding(echo))], secret=SECRET, resolve=resolve)
    await server.start("127.0.0.1", port, "PORT")
    yield echo, port, server
    await server.stop(lame=0, grace=0)


@pytest.fixture
async def peer(studio):
    found = Peer(f"127.0.0.1:{studio[1]}", "echo", service="tests", secret=SECRET)
    yield found
    await found.close()


def asking(peer, name, **how):
    stub = ledger_service_pb2_grpc.LedgerServiceStub(peer.channel)
    return peer.ask(stub.RequestCancel, pb.RequestCancelRequest(name=name), **how)


async def test_who_waited_for_longer_than_his_token_lasts_signs_anew(studio):
    """A picture that was paid for waits for a storage which is away for minutes."""
    signed = iter([time.time() - 120])  # when the call began to wait
    late = {"service": "tests", "secret": SECRET, "clock": lambda: next(signed, time.time())}
    peer = Peer(f"127.0.0.1:{studio[1]}", "echo", **late)
    cancel = ledger_service_pb2_grpc.LedgerServiceStub(peer.channel).RequestCancel
    await peer.insist(cancel, pb.RequestCancelRequest(name="jobs/1"), timeout=60)
    signed = iter([time.time() - 120] * 2)  # a clock that goes wrong is told
    with pytest.raises(errors.Unauthenticated, match="over 60 seconds old"):
        await peer.insist(cancel, pb.RequestCancelRequest(name="jobs/1"), timeout=60)
    await peer.close()


async def test_a_service_speaks_for_the_user_that_it_names(peer):
    for user_id in (42, 43, 42):  # a method is wrapped once, and each call is its own caller's
        with pytest.raises(errors.Missing, match=f"tests/{user_id}"):
            await asking(peer, "who", timeout=60, user_id=user_id)


async def test_what_is_called_onwards_speaks_for_the_same_user(peer):
    identity.current.set(identity.Caller(user_id=9, service="gateway"))
    with pytest.raises(errors.Missing, match="tests/9"):
        await asking(peer, "who", timeout=60)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ((), "CREDENTIAL_MISSING"),
        ((("authorization", "Bearer isk_bad"),), "CREDENTIAL_MISSING"),
        ((("authorization", "isk_good"),), "CREDENTIAL_INVALID"),
        ((("x-service-token", "forged"),), "CREDENTIAL_INVALID"),
        (
            (("x-service-token", identity.mint(b"x" * 16, identity.Caller(1, service="a"))),),
            "CREDENTIAL_INVALID",
        ),
    ],
)
async def test_who_cannot_say_who_he_is_gets_nowhere(studio, metadata, reason):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{studio[1]}") as channel:
        stub = ledger_service_pb2_grpc.LedgerServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.RequestCancel(pb.RequestCancelRequest(name="who"), metadata=metadata)
    assert errors.from_rpc(refusal.value, "echo").reason == reason


async def test_a_defect_tells_nothing_but_that_it_is_one(peer):
    with pytest.raises(errors.Fault) as failure:
        await asking(peer, "break", timeout=60)
    assert failure.value.reason == "INTERNAL"
    assert "hunter2" not in failure.value.message


async def test_a_deadline_ends_the_call_on_both_sides(peer, studio):
    with pytest.raises(errors.Late, match="echo service did not answer in time"):
        await asking(peer, "hang", timeout=5)
    await asyncio.wait_for(studio[0].left.wait(), 60)


async def test_a_peer_that_just_starts_is_waited_for():
    port = free_port()
    peer = Peer(f"127.0.0.1:{port}", "echo", service="tests", secret=SECRET)
    call = asyncio.create_task(asking(peer, "who", timeout=60, user_id=1))
    await asyncio.sleep(0)
    server = Server([(NAME, adding(Echo()))], secret=SECRET, resolve=None)
    await server.start("127.0.0.1", port, "PORT")
    with pytest.raises(errors.Missing, match="tests/1"):
        await call
    await peer.close()
    await server.stop(lame=0, grace=0)


async def failing(studio, kind, method, *bodies):
    """Call *method* with raw bytes, as a caller of *kind* does, and return what it is told."""
    token = identity.mint(SECRET, identity.Caller(1, service="tests"))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{studio[1]}") as channel:
        call = getattr(channel, kind)(method)
        request = iter(bodies) if kind.startswith("stream") else bodies[0]
        answer = call(request, timeout=60, metadata=[(identity.HEADER, token)])
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await (answer.read() if kind.endswith("stream") else answer)
    fault = errors.from_rpc(refusal.value, "echo")
    return refusal.value.code(), fault


KINDS = ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", [f"/{NAME}/Nothing", "/no.such.Service/At", "/grpc.health.X/Y"])
async def test_a_method_that_is_not_here_is_told_with_what_to_do(studio, kind, method):
    code, fault = await failing(studio, kind, method, b"x")
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert type(fault) is errors.Unimplemented
    assert (fault.reason, fault.metadata) == ("REQUEST_INVALID", {"method": method})
    assert "reflection" in fault.message


async def test_bytes_that_are_no_message_are_told_as_such(studio):
    code, fault = await failing(studio, "unary_unary", f"/{NAME}/RequestCancel", b"\xff\xff")
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert fault.reason == "REQUEST_INVALID"
    assert ".proto" in fault.message


async def test_a_stream_of_bytes_that_are_no_messages_is_told_as_such():
    class Shelf(storage_service_pb2_grpc.StorageServiceServicer):
        async def PutReceipt(self, request_iterator, context):
            await anext(request_iterator)
            return await anext(request_iterator)

    name, port = "imagestudio.storage.v1.StorageService", free_port()
    add = functools.partial(storage_service_pb2_grpc.add_StorageServiceServicer_to_server, Shelf())
    server = Server([(name, add)], secret=SECRET, resolve=None)
    await server.start("127.0.0.1", port, "PORT")
    studio = (None, port, server)
    code, _ = await failing(studio, "stream_unary", f"/{name}/PutReceipt", b"", b"\xff")
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    await server.stop(lame=0, grace=0)


async def test_health_is_open_to_all_and_tells_of_the_end(studio):
    _echo, port, server = studio
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service=NAME))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        watching = health.Watch(health_pb2.HealthCheckRequest(service=NAME))
        assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
        stopping = asyncio.create_task(server.stop(lame=0.2, grace=0))
        assert (await watching.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        await stopping


async def test_a_port_that_is_taken_is_named_with_its_setting(studio):
    other = Server([], secret=SECRET, resolve=None)
    with pytest.raises(SystemExit, match=f"port {studio[1]} .* set CATALOG_PORT"):
        await other.start("127.0.0.1", studio[1], "CATALOG_PORT")


async def test_a_fault_with_far_too_much_to_say_arrives_as_what_it_is(peer):
    with pytest.raises(errors.Invalid) as failure:
        await asking(peer, "chatter", timeout=60)
    assert failure.value.reason == "ECHO"
    assert len(failure.value.fields) == 20


async def test_details_that_contradict_the_status_are_left_out_of_account(studio):
    status = errors.to_status(errors.Invalid("ECHO", "one thing")).SerializeToString()
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", status))
    code = grpc.StatusCode.NOT_FOUND
    error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details="another")
    assert isinstance(errors.from_rpc(error, "echo"), errors.Missing)
