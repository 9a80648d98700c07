"""Jobs on their way into the ledger: they gather, and each is its own user's."""

import asyncio
import contextvars
import time

import grpc
import pytest

from chassis import identity
from chassis.channel import MAX_MESSAGE
from chassis.errors import Exhausted, Fault, Unavailable, to_status
from chassis.gathering import Gathering
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.catalog.v1 import ledger_service_pb2_grpc
from imagestudio.type.v1 import job_pb2
from services.generator.admissions import Admissions
from tests.generator.scripted_ledger import NAME
from tests.generator.wire import SECRET, serving


class Books(ledger_service_pb2_grpc.LedgerServiceServicer):
    """Admits who asks, once it is `open`, and tells the user by the job's name."""

    def __init__(self) -> None:
        self.open, self.calls = asyncio.Event(), list[list[str]]()
        self.came = asyncio.Event()
        self.faults: list[Exception] = []
        self.answers = True
        self.now: float | None = None  # by its clock; None: by everybody's

    async def AdmitMany(self, request, context):
        assert identity.current.get() == identity.Caller(0, service="generator")
        self.calls.append([each.request.request_id for each in request.admissions])
        self.came.set()
        await self.open.wait()
        if self.faults:
            raise self.faults.pop()
        found = [_result(each, self.now) for each in request.admissions]
        return pb.AdmitManyResponse(results=found if self.answers else [])


def _result(admission: pb.Admission, now: float | None) -> pb.AdmitResult:
    if admission.request.request_id == "too dear":
        return pb.AdmitResult(status=to_status(Exhausted("SPEND_CAP_EXCEEDED", "no")))
    user = identity.verify(SECRET, admission.token, now).user_id
    return pb.AdmitResult(admitted={"job": {"name": f"jobs/{user}"}})


def asked_by(admissions: Admissions, user_id: int, request_id: str, prompt: str = ""):
    """Ask for a job as *user_id*, beside whoever else does."""
    context = contextvars.Context()
    context.run(identity.current.set, identity.Caller(user_id))
    spec = job_pb2.JobSpec(prompt=prompt)
    request = pb.AdmitRequest(request_id=request_id, spec=spec)
    return asyncio.create_task(admissions.admit(request), context=context)


async def test_what_comes_while_a_call_is_under_way_goes_together_and_stays_its_user_s():
    books = Books()
    async with serving(NAME, _adds(books)) as peer:
        admissions = Admissions(peer, ledger_service_pb2_grpc.LedgerServiceStub(peer.channel))
        first = asked_by(admissions, 1, "a")
        await books.came.wait()
        others = [asked_by(admissions, user, f"b{user}") for user in (2, 3)]
        dear = asked_by(admissions, 4, "too dear")
        await asyncio.sleep(0)  # all of them begin
        books.open.set()
        names = [(await each).job.name for each in (first, *others)]
        with pytest.raises(Exhausted):
            await dear
    assert names == ["jobs/1", "jobs/2", "jobs/3"]
    assert books.calls == [["a"], ["b2", "b3", "too dear"]]


async def test_a_call_that_is_cut_off_is_said_again_and_a_defect_is_told():
    books = Books()
    books.open.set()
    books.faults = [Unavailable("SERVICE_UNAVAILABLE", "it ends")]
    async with serving(NAME, _adds(books)) as peer:
        admissions = Admissions(peer, ledger_service_pb2_grpc.LedgerServiceStub(peer.channel))
        assert (await asked_by(admissions, 1, "a")).job.name == "jobs/1"
        assert books.calls == [["a"], ["a"]]
        books.answers = False
        with pytest.raises(Fault, match="for other jobs"):
            await asked_by(admissions, 1, "a")


async def test_a_catalog_of_an_earlier_release_is_asked_for_each_alone():
    """It knows no AdmitMany: a generator that dies in an upgrade comes back before its catalog."""
    users = []

    async def admit(request, _context):
        users.append((identity.current.get().user_id, request.request_id))
        return pb.AdmitResponse(job={"name": "jobs/1"})

    one = grpc.unary_unary_rpc_method_handler(
        admit, pb.AdmitRequest.FromString, pb.AdmitResponse.SerializeToString
    )
    earlier = grpc.method_handlers_generic_handler(NAME, {"Admit": one})
    async with serving(NAME, lambda server: server.add_generic_rpc_handlers((earlier,))) as peer:
        admissions = Admissions(peer, ledger_service_pb2_grpc.LedgerServiceStub(peer.channel))
        both = [asked_by(admissions, user, f"r{user}") for user in (1, 2)]
        assert [(await each).job.name for each in both] == ["jobs/1"] * 2
    assert sorted(users) == [(1, "r1"), (2, "r2")]


async def test_however_long_a_job_waits_its_token_is_of_when_it_leaves():
    books = Books()
    async with serving(NAME, _adds(books)) as peer:
        admissions = Admissions(peer, ledger_service_pb2_grpc.LedgerServiceStub(peer.channel))
        first = asked_by(admissions, 1, "a")
        await books.came.wait()
        waiting = asked_by(admissions, 2, "b")
        await asyncio.sleep(0)  # it waits
        began = int(time.time())
        while int(time.time()) == began:  # a token tells its seconds
            await asyncio.sleep(0)
        books.open.set()
        await first
        books.now = began + identity.LIFETIME + 1  # one of when it came is over
        assert (await waiting).job.name == "jobs/2"


async def test_what_gathers_is_done_in_nobody_s_context():
    seen = []

    async def work(items):
        seen.append(identity.current.get(None))
        return items

    identity.current.set(identity.Caller(1))
    await Gathering(work, most=1).do("a")
    assert seen == [None]


async def test_a_job_whose_caller_is_gone_before_its_turn_is_not_bought():
    books = Books()
    async with serving(NAME, _adds(books)) as peer:
        admissions = Admissions(peer, ledger_service_pb2_grpc.LedgerServiceStub(peer.channel))
        first = asked_by(admissions, 1, "a")
        await books.came.wait()
        gone, stays = asked_by(admissions, 2, "gone"), asked_by(admissions, 3, "stays")
        await asyncio.sleep(0)  # both wait
        gone.cancel()
        await asyncio.wait([gone])
        books.open.set()
        assert [(await each).job.name for each in (first, stays)] == ["jobs/1", "jobs/3"]
    assert books.calls == [["a"], ["stays"]]


async def test_where_all_who_wait_are_gone_nothing_is_done_until_the_next_comes():
    came, free, seen = asyncio.Event(), asyncio.Event(), []

    async def work(items):
        seen.append(list(items))
        came.set()
        await free.wait()
        return items

    gathering = Gathering(work, most=1)
    first = asyncio.create_task(gathering.do("a"))
    await came.wait()
    gone = [asyncio.create_task(gathering.do(item)) for item in "bc"]
    await asyncio.sleep(0)  # both wait
    for each in gone:
        each.cancel()
    await asyncio.wait(gone)
    free.set()
    assert [await first, await gathering.do("d")] == ["a", "d"]
    assert seen == [["a"], ["d"]]


async def test_no_call_is_longer_than_the_ledger_takes():
    books = Books()
    async with serving(NAME, _adds(books)) as peer:
        admissions = Admissions(peer, ledger_service_pb2_grpc.LedgerServiceStub(peer.channel))
        first = asked_by(admissions, 1, "a")
        await books.came.wait()
        long = "x" * (MAX_MESSAGE // 3)
        others = [asked_by(admissions, 1, name, long) for name in "bcd"]
        await asyncio.sleep(0)
        books.open.set()
        await asyncio.gather(first, *others)
    assert books.calls == [["a"], ["b"], ["c"], ["d"]]


def _adds(books: Books):
    def add(server):
        ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(books, server)

    return add
