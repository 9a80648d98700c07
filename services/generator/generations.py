"""The commands behind GeneratorService: start, watch, get, cancel and retry a job; estimate one."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from chassis import faults
from chassis.channel import Peer
from chassis.errors import Exhausted, Fault, Invalid, Missing, Precondition, was_cut
from imagestudio.catalog.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    preset_pb2,
)
from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.type.v1 import job_event_pb2, job_pb2
from services.generator import identifiers, retry, words
from services.generator.admissions import Admissions
from services.generator.disk import Disk
from services.generator.language.smart import Order, Rewriter
from services.generator.models import Registry
from services.generator.plan import (
    Plan,
    Smart,
    Wish,
    check,
    plan,
    request_fingerprint,
    wants_better,
)
from services.generator.preparation import Preparation
from services.generator.watch import Watch
from services.generator.worker import Worker

LONGEST_WAIT = 60.0  # seconds
_TIMEOUT = 10.0  # seconds
_ENDED = frozenset(
    {
        job_pb2.JOB_STATE_SUCCEEDED,
        job_pb2.JOB_STATE_PARTIALLY_SUCCEEDED,
        job_pb2.JOB_STATE_FAILED,
        job_pb2.JOB_STATE_CANCELED,
    }
)


@dataclass(slots=True, kw_only=True)
class Generations:
    """Every command acts for the user of the running call."""

    catalog: Peer
    library: "catalog_service_pb2_grpc.CatalogServiceAsyncStub"
    ledger: "ledger_service_pb2_grpc.LedgerServiceAsyncStub"
    admissions: Admissions
    registry: Registry
    worker: Worker
    watch: Watch
    disk: Disk
    preparation: Preparation
    rewriter: Rewriter

    async def start(
        self, spec: job_pb2.JobSpec, request_id: str
    ) -> ledger_service_pb2.AdmitResponse:
        """
        Admit a job and begin with it where there is room; idempotent by *request_id*.

        Its input images are assets then, and its fingerprint is that of what was asked. What
        was admitted is told also where it would be refused by now, lest it be ordered anew.
        """
        request_id = _request_id(request_id)
        check(spec)  # what this refuses never was admitted: nobody needs to be asked
        try:
            return await self._start(spec, request_id)
        except Fault as fault:
            if was_cut(fault):  # no refusal: it is sent again
                raise
            if admitted := await self._admitted(spec, request_id):
                return admitted
            raise

    async def _start(
        self, spec: job_pb2.JobSpec, request_id: str
    ) -> ledger_service_pb2.AdmitResponse:
        preset = await self._preset(spec.preset)
        wish = self._wish(spec, preset)
        planned = plan(spec, preset, self.registry, wish)
        if not spec.references and wish is None:
            return await self._admit(planned, request_id)
        await self.disk.check()  # it can be planned, so that what follows is worth its while
        if spec.references and (admitted := await self._admitted(spec, request_id)):
            return admitted  # a dead URL takes long, and what is at a live one may be another
        prepared = await self.preparation.of(spec) if spec.references else spec
        if wish is None:
            ready = plan(prepared, preset, self.registry)
            return await self._admit(replace(ready, fingerprint=planned.fingerprint), request_id)
        written = await self.rewriter.rewrite(self._order(spec, planned, request_id))
        if isinstance(written, ledger_service_pb2.AdmitResponse):
            return written
        return await self._admit_written(prepared, preset, written, planned, request_id)

    async def _admit_written(
        self,
        spec: job_pb2.JobSpec,
        preset: preset_pb2.Preset | None,
        smart: Smart,
        first: Plan,
        request_id: str,
    ) -> ledger_service_pb2.AdmitResponse:
        """Admit *spec* with the better prompt, or without it where that does not fit any more."""
        try:
            ready = plan(spec, preset, self.registry, smart)
            return await self._admit(replace(ready, fingerprint=first.fingerprint), request_id)
        except (Invalid, Precondition, Exhausted) as fault:
            if smart.told is None:
                raise
            why = f"The better one does not fit: {fault.message}"
            unused = Smart(cost=smart.cost, reason=fault.reason, why=why)
            ready = plan(spec, preset, self.registry, unused)
            return await self._admit(replace(ready, fingerprint=first.fingerprint), request_id)

    async def retry(
        self, job: str, purchase_ids: Sequence[str], request_id: str
    ) -> ledger_service_pb2.AdmitResponse:
        """
        Order again what of *job* may have been charged and brought no image, at the user's word.

        Idempotent by *request_id*; without one, the same words are the same request.
        """
        wanted = retry.Wanted(identifiers.job_name(job), retry.checked(purchase_ids))
        request_id = _request_id(request_id or wanted.request_id)
        request = ledger_service_pb2.ReadUnclearRequest(
            job=wanted.job, request_id=request_id, fingerprint=wanted.fingerprint
        )
        found = await self.catalog.insist(self.ledger.ReadUnclear, request, timeout=_TIMEOUT)
        if found.HasField("admitted"):
            admitted: ledger_service_pb2.AdmitResponse = found.admitted
            return admitted
        return await self._admit(retry.plan(wanted, found, self.registry), request_id)

    async def _admitted(
        self, spec: job_pb2.JobSpec, request_id: str
    ) -> ledger_service_pb2.AdmitResponse | None:
        """Return the job that this request has admitted; Exists where it was another one."""
        request = ledger_service_pb2.ReadAdmittedRequest(
            request_id=request_id, fingerprint=request_fingerprint(spec)
        )
        found = await self.catalog.insist(self.ledger.ReadAdmitted, request, timeout=_TIMEOUT)
        return found.admitted if found.HasField("admitted") else None

    async def _admit(self, planned: Plan, request_id: str) -> ledger_service_pb2.AdmitResponse:
        await self.disk.check()
        request = _admission(planned, request_id)
        request.providers_needed.extend(needed(planned.spec, self.registry))
        request.handed_off = self.worker.fitting([p.provider for p in planned.purchases])
        faults.point("admit.before_commit")
        answer = await self.admissions.admit(request)
        faults.point("admit.after_commit")
        if not answer.replayed:
            for each in planned.purchases[: request.handed_off]:
                self.worker.take(each.purchase_id, each.provider)
        return answer

    async def generate(
        self, spec: job_pb2.JobSpec, request_id: str, *, several: bool = False
    ) -> AsyncIterator[pb.GenerateImagesResponse]:
        """Start a job and tell its events from the first on, *several* in one message or not."""
        admitted = await self.start(spec, request_id)
        replayed = admitted.replayed
        found = self.watch.together(admitted.job.name, 0, admitted.events)
        async with contextlib.aclosing(found):  # type: ignore[type-var]
            async for events in found:
                for part in (events,) if several else ([event] for event in events):
                    yield pb.GenerateImagesResponse(event=part[0], more=part[1:], replayed=replayed)
                    replayed = False

    def follow(self, job: str, after: int) -> AsyncIterator[job_event_pb2.JobEvent]:
        """Tell the events of *job* after number *after*."""
        if after < 0:
            raise words.invalid("after_sequence", "must not be below 0")
        return self.watch.events(identifiers.job_name(job), after)

    async def get(self, job: str, wait: float) -> job_pb2.Job:
        """Return *job* when it has ended, or as it stands after *wait* seconds."""
        name = identifiers.job_name(job)
        found = await self._job(name)
        if wait <= 0 or found.state in _ENDED:
            return found
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(wait, LONGEST_WAIT)):
                return await self._completed(name, found.last_sequence)
        return await self._job(name)

    async def cancel(self, job: str) -> job_pb2.Job:
        """Ask for the end of *job*; what was paid for is still kept."""
        request = ledger_service_pb2.RequestCancelRequest(name=identifiers.job_name(job))
        faults.point("cancel.before_commit")
        answer = await self.catalog.insist(self.ledger.RequestCancel, request, timeout=_TIMEOUT)
        faults.point("cancel.after_commit")
        self.worker.cancel(answer.job.name)
        canceled: job_pb2.Job = answer.job
        return canceled

    async def estimate(self, spec: job_pb2.JobSpec) -> pb.EstimateCostResponse:
        """Say what a job would cost, and what the cap leaves."""
        planned = await self._plan(spec)
        await self.preparation.check(spec)
        usage = await self.catalog.insist(
            self.library.GetUsage, catalog_service_pb2.GetUsageRequest(), timeout=_TIMEOUT
        )
        answer = pb.EstimateCostResponse(estimate=planned.estimate)
        cap = usage.cap
        if cap.HasField("cap_usd_micros"):
            left = cap.cap_usd_micros - cap.spent_usd_micros - cap.reserved_usd_micros
            answer.remaining_usd_micros = max(0, left)
        return answer

    async def _plan(self, spec: job_pb2.JobSpec) -> Plan:
        preset = await self._preset(spec.preset)
        return plan(spec, preset, self.registry, self._wish(spec, preset))

    def _wish(self, spec: job_pb2.JobSpec, preset: preset_pb2.Preset | None) -> Wish | None:
        return self.rewriter.wish if wants_better(spec, preset) else None

    def _order(self, spec: job_pb2.JobSpec, planned: Plan, request_id: str) -> Order:
        return Order(
            prompt=spec.prompt,
            models=[*planned.spec.models],
            use_case=planned.spec.use_case,
            request_id=request_id,
            fingerprint=planned.fingerprint,
            beside=planned.estimate.reserved.usd_micros,
            providers=tuple(needed(planned.spec, self.registry)),
        )

    async def _preset(self, key: str) -> preset_pb2.Preset | None:
        if not key:
            return None
        unknown = Missing(
            "PRESET_UNKNOWN",
            f"There is no preset {key[:80]!r}; ListPresets (GET /images/presets) names them all.",
            metadata={"preset": key[:80]},
            fields={"preset": f"is no preset: {key[:80]}"},
        )
        if not words.is_key(key):
            raise unknown
        request = catalog_service_pb2.GetPresetRequest(name=f"presets/{key}")
        try:
            answer = await self.catalog.insist(self.library.GetPreset, request, timeout=_TIMEOUT)
        except Missing:
            raise unknown from None
        found: preset_pb2.Preset = answer.preset
        return found

    async def _job(self, name: str) -> job_pb2.Job:
        request = catalog_service_pb2.GetJobRequest(name=name)
        answer = await self.catalog.insist(self.library.GetJob, request, timeout=_TIMEOUT)
        found: job_pb2.Job = answer.job
        return found

    async def _completed(self, name: str, after: int) -> job_pb2.Job:
        events = self.watch.events(name, after)
        async with contextlib.aclosing(events):  # type: ignore[type-var]
            async for event in events:
                if event.HasField("completed"):
                    break
        return await self._job(name)


def _request_id(given: str) -> str:
    if given and not identifiers.is_uuid(given):
        raise words.invalid("request_id", "must be a UUID, or empty")
    return given.lower() or str(uuid.uuid4())


def needed(spec: job_pb2.JobSpec, registry: Registry) -> list[str]:
    """The providers of *spec*'s models, unless another one may draw in their place."""
    spares = {registry.known(key).provider for key in spec.fallback_models}
    return sorted({p for key in spec.models if not spares - {p := registry.known(key).provider}})


def _admission(planned: Plan, request_id: str) -> ledger_service_pb2.AdmitRequest:
    return ledger_service_pb2.AdmitRequest(
        spec=planned.spec,
        request_id=request_id,
        fingerprint=planned.fingerprint,
        preset_used=planned.preset_used,
        purchases=planned.purchases,
        estimate=planned.estimate,
        warnings=planned.warnings,
        original_prompt=planned.original_prompt,
        retry_of=planned.retry_of,
        prompt_enhanced=planned.enhanced,
    )
