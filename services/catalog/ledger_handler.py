"""LedgerService over gRPC: decode, command, encode. For services only."""

import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from chassis import errors, identity, telemetry
from chassis.errors import Fault, Invalid
from chassis.server import Context
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.catalog.v1 import ledger_service_pb2_grpc
from services.catalog import cancel, files, reading, spending, strays, webhooks, workers
from services.catalog.admit import Admissions, Asked, Response
from services.catalog.database import Pool
from services.catalog.ledger import Ledger
from services.catalog.news import News
from services.catalog.wakes import Wake

_JOB = re.compile(r"jobs/([1-9][0-9]{0,17})")


@dataclass(slots=True, kw_only=True)
class LedgerHandler(ledger_service_pb2_grpc.LedgerServiceServicer):
    """
    *patience* in seconds, *server_cap* in micro-USD (None: no cap); *gone* hears goodbyes.

    *verify* tells whom a service's token names.
    """

    pool: Pool
    ledger: Ledger
    admissions: Admissions
    news: News
    verify: Callable[[str], identity.Caller]
    resolve: Callable[[pb.ResolveCredentialRequest], Awaitable[pb.ResolveCredentialResponse]]
    patience: float
    server_cap: int | None
    public_url: str
    gone: Wake = field(default_factory=Wake)

    async def Admit(self, request: pb.AdmitRequest, context: Context) -> pb.AdmitResponse:
        user_id = _service("Admit").require_user()
        [found] = await self.admissions.admit([Asked(request, user_id)])
        return self._admitted(request, found)

    async def AdmitMany(
        self, request: pb.AdmitManyRequest, context: Context
    ) -> pb.AdmitManyResponse:
        _service("AdmitMany")
        results = [pb.AdmitResult() for _ in request.admissions]
        asked: list[tuple[pb.AdmitResult, Asked]] = []
        with contextlib.ExitStack() as spans:
            for each, result in zip(request.admissions, results, strict=True):
                if each.trace:
                    spans.enter_context(telemetry.span("admit", parent=each.trace))
                with _told(result):
                    asked.append((result, Asked(each.request, self._user_of(each))))
            found = await self.admissions.admit([one for _result, one in asked]) if asked else []
        for (result, one), admitted in zip(asked, found, strict=True):
            with _told(result):
                result.admitted.CopyFrom(self._admitted(one.request, admitted))
        return pb.AdmitManyResponse(results=results)

    def _user_of(self, admission: pb.Admission) -> int:
        caller = self.verify(admission.token)
        caller.require_service("LedgerService/AdmitMany")
        return caller.require_user()

    def _admitted(self, request: pb.AdmitRequest, found: Response | Fault) -> Response:
        if isinstance(found, Fault):
            raise found
        if not found.replayed:
            self._announce_rest(request)
        return reading.absolute(found, self.public_url)

    async def Apply(self, request: pb.ApplyRequest, context: Context) -> pb.ApplyResponse:
        _service("Apply")
        results = await self.ledger.apply(request.edges)
        await webhooks.heed_late(self.pool, self.news, request.edges, results)
        return pb.ApplyResponse(results=results)

    async def RequestCancel(
        self, request: pb.RequestCancelRequest, context: Context
    ) -> pb.RequestCancelResponse:
        user_id = _service("RequestCancel").require_user()
        job = await cancel.cancel(self.pool, self.news, _job_id(request.name), user_id)
        return reading.absolute(pb.RequestCancelResponse(job=job), self.public_url)

    async def ReadEvents(
        self, request: pb.ReadEventsRequest, context: Context
    ) -> pb.ReadEventsResponse:
        user_id = _service("ReadEvents").require_user()
        after, most = request.after_sequence, min(request.page_size or 100, 1000)
        job_id = _job_id(request.job)
        return await reading.events(self.pool, job_id, user_id, after, most, self.public_url)

    async def ReadUnclear(
        self, request: pb.ReadUnclearRequest, context: Context
    ) -> pb.ReadUnclearResponse:
        user_id = _service("ReadUnclear").require_user()
        found = await reading.unclear(self.pool, request, _job_id(request.job), user_id)
        return reading.absolute_admitted(found, self.public_url)

    async def ReadAdmitted(
        self, request: pb.ReadAdmittedRequest, context: Context
    ) -> pb.ReadAdmittedResponse:
        user_id = _service("ReadAdmitted").require_user()
        found = await reading.admitted(self.pool, request, user_id)
        return reading.absolute_admitted(found, self.public_url)

    async def ReadPositions(
        self, request: pb.ReadPositionsRequest, context: Context
    ) -> pb.ReadPositionsResponse:
        _service("ReadPositions")
        return await reading.positions(self.pool, [_job_id(name) for name in request.jobs])

    async def Heartbeat(
        self, request: pb.HeartbeatRequest, context: Context
    ) -> pb.HeartbeatResponse:
        _service("Heartbeat")
        if request.leaving and request.orderly:
            await workers.leave_behind(self.pool, self.ledger, request.worker_id)
        answer = await workers.beat(self.pool, request, self.patience)
        if request.leaving:
            self.gone.up()
        return answer

    async def StoreWebhook(
        self, request: pb.StoreWebhookRequest, context: Context
    ) -> pb.StoreWebhookResponse:
        _service("StoreWebhook")
        stored = await webhooks.store(self.pool, self.news, request)
        return pb.StoreWebhookResponse(duplicate=not stored.new, stray=stored.stray)

    async def FindStrays(
        self, request: pb.FindStraysRequest, context: Context
    ) -> pb.FindStraysResponse:
        _service("FindStrays")
        return pb.FindStraysResponse(strays=await strays.find(self.pool, self.news, request))

    async def BeginListing(
        self, request: pb.BeginListingRequest, context: Context
    ) -> pb.BeginListingResponse:
        _service("BeginListing")
        return await strays.begin_listing(self.pool, request)

    async def RecordFile(
        self, request: pb.RecordFileRequest, context: Context
    ) -> pb.RecordFileResponse:
        user_id = _service("RecordFile").require_user()
        return await files.record(self.pool, request.file, user_id)

    async def ForgetFile(
        self, request: pb.ForgetFileRequest, context: Context
    ) -> pb.ForgetFileResponse:
        user_id = _service("ForgetFile").require_user()
        await files.forget(self.pool, request.image_hash, user_id)
        return pb.ForgetFileResponse()

    async def ReserveSpending(
        self, request: pb.ReserveSpendingRequest, context: Context
    ) -> pb.ReserveSpendingResponse:
        user_id = _service("ReserveSpending").require_user()
        found = await spending.reserve(self.pool, request, user_id, self.server_cap)
        return reading.absolute_admitted(found, self.public_url)

    async def SettleSpending(
        self, request: pb.SettleSpendingRequest, context: Context
    ) -> pb.SettleSpendingResponse:
        user_id = _service("SettleSpending").require_user()
        return await spending.settle(self.pool, request, user_id)

    async def ResolveCredential(
        self, request: pb.ResolveCredentialRequest, context: Context
    ) -> pb.ResolveCredentialResponse:
        _service("ResolveCredential")
        return await self.resolve(request)

    def _announce_rest(self, request: pb.AdmitRequest) -> None:
        rest = request.purchases[max(0, request.handed_off) :]
        self.news.announce((found.purchase_id, found.provider, 0) for found in rest)


@contextlib.contextmanager
def _told(result: pb.AdmitResult) -> Iterator[None]:
    """Put a fault into the *result* that it belongs to."""
    try:
        yield
    except Fault as fault:
        result.status.CopyFrom(errors.to_status(fault))


def _service(method: str) -> identity.Caller:
    caller = identity.current.get()
    caller.require_service(f"LedgerService/{method}")
    return caller


def _job_id(name: str) -> int:
    found = _JOB.fullmatch(name)
    if not found:
        raise Invalid(
            "REQUEST_INVALID",
            f"{name[:80]!r} is no job's name; a job is 'jobs/' and its number.",
            fields={"name": "must be 'jobs/' and a number"},
            metadata={"field": "name"},
        )
    return int(found[1])
