"""Many edges in one call, and what is said again after an answer that was lost."""

import asyncio

import grpc
import pytest

from chassis import errors
from chassis.channel import MAX_MESSAGE, Peer
from chassis.errors import Precondition, Stale, Unavailable
from imagestudio.catalog.v1 import edge_pb2, ledger_service_pb2, ledger_service_pb2_grpc
from services.generator.ledger import AnswerLostError, Ledger
from tests.generator.wire import SECRET, serving
from tests.ports import free_port

NAME = "imagestudio.catalog.v1.LedgerService"
LOST = Unavailable("SERVICE_UNAVAILABLE", "the answer is lost")
TOO_LONG = errors.Exhausted("INTERNAL", "Received message larger than max")


class Script(ledger_service_pb2_grpc.LedgerServiceServicer):
    """Remembers what it was sent; each call waits for `go`, then fails as the next line says."""

    def __init__(self, *failures: Exception | None) -> None:
        self.calls: list[list[str]] = []
        self.failures = list(failures)
        self.refused: dict[str, errors.Fault] = {}
        self.breaks: dict[str, errors.Fault] = {}  # the whole call
        self.go, self.called = asyncio.Event(), asyncio.Event()
        self.go.set()

    async def Apply(self, request, context: grpc.aio.ServicerContext):
        self.calls.append([edge.purchase_id for edge in request.edges])
        self.called.set()
        await self.go.wait()
        failure = self.failures.pop(0) if self.failures else None
        for each in request.edges:
            failure = failure or self.breaks.get(each.purchase_id)
        if failure is not None:
            raise failure
        return ledger_service_pb2.ApplyResponse(results=[self.result(e) for e in request.edges])

    def result(self, edge: edge_pb2.Edge) -> ledger_service_pb2.EdgeResult:
        refused = self.refused.get(edge.purchase_id)
        status = errors.to_status(refused) if refused else None
        return ledger_service_pb2.EdgeResult(status=status)


class Broken(ledger_service_pb2_grpc.LedgerServiceServicer):
    """Its streams break, so that the answer is gRPC's own word."""

    async def Apply(self, request, context: grpc.aio.ServicerContext):
        await context.abort(grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2")


class Wire:
    def __init__(self, script: Script, ledger: Ledger) -> None:
        self.script, self.ledger = script, ledger


@pytest.fixture
async def wire():
    script = Script()

    def add(server):
        ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(script, server)

    async def at_once(_seconds: float) -> None:
        return

    async with serving(NAME, add) as peer:
        stub = ledger_service_pb2_grpc.LedgerServiceStub(peer.channel)
        ledger = Ledger(peer, stub, pause=at_once)
        ledger.start()
        yield Wire(script, ledger)
        await ledger.close()


def park(name: str) -> edge_pb2.Edge:
    return edge_pb2.Edge(purchase_id=name, park=edge_pb2.ParkEdge())


def claim(name: str) -> edge_pb2.Edge:
    return edge_pb2.Edge(purchase_id=name, claim=edge_pb2.ClaimEdge(worker_id="w"))


async def test_what_comes_while_a_call_is_under_way_goes_together_next(wire):
    wire.script.go.clear()
    first = wire.ledger.submit(park("a"))
    await wire.script.called.wait()
    rest = [wire.ledger.submit(park(name)) for name in "bcd"]
    wire.script.go.set()
    await asyncio.gather(first, *rest)
    assert wire.script.calls == [["a"], ["b", "c", "d"]]


async def test_an_edge_whose_answer_was_lost_is_said_again_ahead_of_newer_ones(wire):
    wire.script.failures = [LOST]
    wire.script.go.clear()
    first = wire.ledger.submit(park("a"))
    await wire.script.called.wait()
    second = wire.ledger.submit(park("b"))
    wire.script.go.set()
    await asyncio.gather(first, second)
    assert wire.script.calls == [["a"], ["a", "b"]]


async def test_a_claim_whose_answer_was_lost_is_never_said_again_by_itself(wire):
    wire.script.failures = [LOST]
    claimed, parked = wire.ledger.submit(claim("a")), wire.ledger.submit(park("b"))
    await parked
    with pytest.raises(AnswerLostError):
        await claimed
    assert wire.script.calls == [["a", "b"], ["b"]]


async def test_a_claim_whose_stream_broke_is_one_whose_answer_was_lost():
    """It comes as INTERNAL, or UNKNOWN, that the peer did not say; see `errors.was_cut`."""
    server, port = grpc.aio.server(), free_port()
    ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(Broken(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    peer = Peer(f"127.0.0.1:{port}", NAME, service="generator", secret=SECRET)
    ledger = Ledger(peer, ledger_service_pb2_grpc.LedgerServiceStub(peer.channel))
    ledger.start()
    with pytest.raises(AnswerLostError):
        await asyncio.wait_for(ledger.submit(claim("a")), 60)
    await ledger.close()
    await peer.close()
    await server.stop(None)


async def test_one_refused_edge_hinders_no_other(wire):
    wire.script.refused["b"] = Stale("FENCE_STALE", "another has it")
    futures = [wire.ledger.submit(park(name)) for name in "abc"]
    results = await asyncio.gather(*futures, return_exceptions=True)
    assert [type(each).__name__ for each in results] == ["EdgeResult", "Stale", "EdgeResult"]


async def test_the_edge_that_breaks_a_call_is_found_and_the_others_are_written(wire):
    defect = errors.Fault("INTERNAL", "a defect")
    wire.script.failures = [defect, None, Precondition("STATE_CONFLICT", "no")]
    futures = [wire.ledger.submit(park(name)) for name in "abc"]
    results = await asyncio.gather(*futures, return_exceptions=True)
    assert [type(each).__name__ for each in results] == ["EdgeResult", "Precondition", "EdgeResult"]
    assert wire.script.calls == [["a", "b", "c"], ["a"], ["b"], ["c"]]


@pytest.mark.parametrize(
    "failure", [errors.Fault("INTERNAL", "a defect"), errors.Exhausted("DISK_FULL", "no room")]
)
async def test_what_is_no_word_about_an_edge_is_no_refusal_of_it(wire, failure):
    wire.script.failures = [failure]
    result = await wire.ledger.submit(park("a"))
    assert type(result).__name__ == "EdgeResult"
    assert wire.script.calls == [["a"], ["a"]]


async def test_an_edge_at_which_the_ledger_breaks_is_not_said_again_for_ever(wire):
    """The machine then counts a try, and the fifth quarantines its purchase with the evidence."""
    wire.script.failures = [errors.Fault("INTERNAL", f"defect {n}") for n in range(99)]
    with pytest.raises(errors.Fault, match="defect 4"):
        await asyncio.wait_for(wire.ledger.submit(park("a")), 60)
    assert wire.script.calls == [["a"]] * 5
    wire.script.failures = []
    await wire.ledger.submit(park("b"))


async def test_the_others_are_written_while_one_edge_breaks_the_ledger_again_and_again(wire):
    defect = errors.Fault("INTERNAL", "a defect")
    wire.script.breaks["b"] = defect
    futures = [wire.ledger.submit(park(name)) for name in "abc"]
    results = await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), 60)
    assert [type(each).__name__ for each in results] == ["EdgeResult", "Fault", "EdgeResult"]
    assert wire.script.calls == [["a", "b", "c"], ["a"], *[["b"]] * 5, ["c"]]


async def test_a_claim_at_which_the_ledger_breaks_is_answered(wire):
    wire.script.failures = [errors.Fault("INTERNAL", "a defect")]
    with pytest.raises(errors.Fault):
        await asyncio.wait_for(wire.ledger.submit(claim("a")), 60)
    assert wire.script.calls == [["a"]]


async def test_claims_go_in_calls_whose_answers_are_not_too_long(wire):
    futures = [wire.ledger.submit(claim(f"c{number}")) for number in range(120)]
    await asyncio.gather(*futures)
    assert [len(call) for call in wire.script.calls] == [50, 50, 20]


async def test_an_edge_that_nobody_waits_for_any_more_is_not_sent(wire):
    wire.script.go.clear()
    first = wire.ledger.submit(park("a"))
    await wire.script.called.wait()
    dropped, second = wire.ledger.submit(park("b")), wire.ledger.submit(park("c"))
    dropped.cancel()
    wire.script.go.set()
    await asyncio.gather(first, second)
    assert wire.script.calls == [["a"], ["c"]]


def long(name: str, size: int) -> edge_pb2.Edge:
    return edge_pb2.Edge(purchase_id=name, ticket=edge_pb2.TicketEdge(ticket="t" * size))


async def test_edges_that_are_long_together_go_in_calls_that_the_wire_takes(wire):
    futures = [wire.ledger.submit(long(name, MAX_MESSAGE // 5)) for name in "abcdef"]
    futures.append(wire.ledger.submit(long("g", MAX_MESSAGE - 2000)))
    await asyncio.wait_for(asyncio.gather(*futures), 60)
    assert wire.script.calls == [["a", "b"], ["c", "d"], ["e", "f"], ["g"]]


async def test_an_edge_that_no_call_can_bring_is_refused_and_the_others_are_written(wire):
    edges = [park("a"), long("b", MAX_MESSAGE), park("c")]
    first, too_long, last = [wire.ledger.submit(edge) for edge in edges]
    await asyncio.wait_for(asyncio.gather(first, last), 60)
    with pytest.raises(errors.Invalid):
        await too_long
    assert wire.script.calls == [["a", "c"]]


async def test_a_call_that_is_too_long_for_the_wire_is_not_said_again_for_ever(wire):
    """The wire's own word for it has the code of a full disk, and nothing else of it."""
    wire.script.failures = [TOO_LONG, None, TOO_LONG]
    futures = [wire.ledger.submit(edge) for edge in (claim("a"), park("b"), park("c"))]
    results = await asyncio.gather(*futures, return_exceptions=True)
    names = [type(each).__name__ for each in results]
    assert names == ["AnswerLostError", "EdgeResult", "Exhausted"]
    assert wire.script.calls == [["a", "b", "c"], ["b"], ["c"]]


async def test_edges_keep_their_order_where_an_answer_is_lost_while_each_goes_alone(wire):
    wire.script.failures = [errors.Fault("INTERNAL", "a defect"), None, LOST]
    futures = [wire.ledger.submit(park(name)) for name in "abc"]
    await asyncio.gather(*futures)
    assert wire.script.calls == [["a", "b", "c"], ["a"], ["b"], ["b"], ["c"]]
