"""Jobs: start, watch, list, cancel. A stream is only a view: leaving it cancels nothing."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from chassis import identity
from chassis.errors import Fault, Invalid, was_cut
from gateway import answers, bodies, follow, once, problem, render, specs
from gateway.access import Behind, identified
from gateway.describe import EVENTS, FEED, problems
from gateway.plain import dollars
from gateway.services import Services
from gateway.sse import EventStream, Frame, frame
from imagestudio.catalog.v1.catalog_service_pb2 import GetJobRequest, ListJobsRequest
from imagestudio.generator.v1.generator_service_pb2 import (
    CancelGenerationRequest,
    EstimateCostRequest,
    GenerateImagesRequest,
    RetryUnclearRequest,
    RetryUnclearResponse,
    StartGenerationRequest,
    StartGenerationResponse,
)
from imagestudio.type.v1.job_event_pb2 import JobEvent
from imagestudio.type.v1.job_pb2 import Job

router = APIRouter(prefix="/images", tags=["jobs"], route_class=once.Route)

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="The same as request_id. 1 to 255 ASCII characters: the same key with the "
        "same request is the same job, however often it is sent.",
    ),
]

LastEventId = Annotated[str | None, Header(alias="Last-Event-ID")]
After = Annotated[
    str | None, Query(description="The same as Last-Event-ID, which counts where both are given.")
]


@router.post(
    "/generate/stream",
    response_class=Response,
    responses=EVENTS | problems(402, 413, 422, 429, 507),
)
async def generate_and_watch(
    request: Request, behind: Behind, body: bodies.Generation, key: Key = None
) -> Response:
    """
    Start a job and send its events.

    The first is `accepted` with the job's id, which is in Location too; the last is
    `completed`. After a cut go on with GET /images/jobs/{id}/events.
    """
    asked = GenerateImagesRequest(
        spec=specs.job_spec(body),
        request_id=specs.request_id(key, body.request_id),
        several=True,
    )
    events = follow.generate(behind, asked)
    first, events = await follow.opened(events, follow.patience(asked.spec))
    frames = _frames(request.app.state.render.event, events)
    return _stream(request, frames, {"Location": _path(first.job)})


@router.post(
    "/generate",
    status_code=202,
    response_model=answers.Started,
    responses=problems(402, 413, 422, 429, 507),
)
async def generate(behind: Behind, body: bodies.Generation, key: Key = None) -> Response:
    """Start a job and return at once; watch it at Location + /events."""
    asked = StartGenerationRequest(
        spec=specs.job_spec(body), request_id=specs.request_id(key, body.request_id)
    )
    patience = follow.patience(asked.spec)
    return _started(await behind.generator.ask("StartGeneration", asked, timeout=patience))


@router.post("/estimate", response_model=answers.CostEstimate, responses=problems(413))
async def estimate(behind: Behind, body: bodies.Spec) -> Response:
    """Tell what a job would cost; nothing is reserved."""
    found = await behind.generator.ask(
        "EstimateCost", EstimateCostRequest(spec=specs.job_spec(body))
    )
    left = found.remaining_usd_micros if found.HasField("remaining_usd_micros") else None
    remaining = {"remaining_usd": None if left is None else dollars(left)}
    return JSONResponse(render.estimate(found.estimate) | remaining)


@router.get("/jobs", response_model=answers.Jobs, responses=problems())
async def list_jobs(
    request: Request, behind: Behind, query: Annotated[bodies.JobFilter, Query()]
) -> Response:
    """List jobs, newest first."""
    found = await behind.catalog.ask(
        "ListJobs",
        ListJobsRequest(
            page_size=query.page_size,
            page_token=query.page_token,
            filter=specs.job_filter(query),
        ),
    )
    show = request.app.state.render.job_summary
    jobs = [show(job) for job in found.jobs]
    return JSONResponse({"jobs": jobs, "next_page_token": found.next_page_token})


@router.get("/jobs/{job_id}", response_model=answers.Job, responses=problems(404))
async def get_job(request: Request, behind: Behind, job_id: str) -> Response:
    """Show one job with its images and failures."""
    return JSONResponse(request.app.state.render.job(await _job(behind, job_id)))


@router.get(
    "/jobs/{job_id}/events",
    response_class=Response,
    responses=EVENTS | {204: {"description": "Nothing is left after `completed`"}} | problems(404),
)
async def watch(
    request: Request,
    behind: Behind,
    job_id: str,
    last: LastEventId = None,
    after: After = None,
) -> Response:
    """Send a job's events after one of them, from the first where none is named."""
    begin = specs.after_sequence(last, after)
    job = await _job(behind, job_id)
    if begin > job.last_sequence:
        why = f"the log has {job.last_sequence} events; go on from one of them"
        named = specs.after_named(last)
        raise Invalid("REQUEST_INVALID", f"{named} {begin}: {why}.", fields={named: why})
    if begin == job.last_sequence and job.HasField("end_time"):
        return Response(status_code=204)
    state, name = request.app.state, job.name

    def whole() -> AsyncIterator[Frame]:
        return _frames(state.render.event, follow.watch(behind, name, 0))

    key = (name, identity.current.get())
    return _stream(request, state.crowds.watch(key, begin, whole), {})


@router.post("/jobs/{job_id}/cancel", response_model=answers.Job, responses=problems(404))
async def cancel(request: Request, behind: Behind, job_id: str) -> Response:
    """
    Ask for a job's end. What was paid for is kept.

    Again is no fault: one that is ending, or has ended, is answered as it stands.
    """
    asked = CancelGenerationRequest(name=specs.resource("jobs", job_id))
    found = await behind.generator.ask("CancelGeneration", asked)
    return JSONResponse(request.app.state.render.job(found.job))


@router.post(
    "/jobs/{job_id}/retry-unclear",
    status_code=202,
    response_model=answers.Started,
    responses=problems(402, 404, 409, 413, 422, 429, 507),
)
async def retry_unclear(
    behind: Behind, job_id: str, body: bodies.Retry | None = None, key: Key = None
) -> Response:
    """
    Order again, in a new job, what may have been charged and brought no image.

    It may be charged twice so: asking is your word for it. What is still being looked up is
    refused, and so is a job without anything unclear.
    """
    body = body or bodies.Retry()
    asked = RetryUnclearRequest(
        name=specs.resource("jobs", job_id),
        purchase_ids=map(str, body.purchase_ids),
        request_id=specs.given_id(key, body.request_id),
    )
    return _started(await behind.generator.ask("RetryUnclear", asked))


@router.post(
    "/jobs/{job_id}/settle",
    response_model=answers.Settled,
    responses=problems(404, 409, 413),
)
async def settle(
    request: Request, behind: Behind, job_id: str, body: bodies.Settlement
) -> Response:
    """
    Tell whether a purchase was charged that ended with `charged` null, as an invoice says.

    The same answer again changes nothing, another one is refused. Takes the scope caps.
    """
    found = await behind.catalog.ask("SettleCharge", specs.settlement(job_id, body))
    told = {"settlement": render.settlement(found.settlement)}
    return JSONResponse(request.app.state.render.job(found.job) | told)


@router.get("/events", response_class=Response, responses=FEED | problems())
async def watch_feed(
    request: Request, behind: Behind, last: LastEventId = None, after: After = None
) -> Response:
    """
    Send what happens after jobs' own events have ended, and that they ended.

    `completed` (how, and not what it brought), `image_published` and `charge_settled`; from
    the first where none is named, without end.
    """
    begin = specs.after_sequence(last, after)
    try:
        _heartbeat, events = await follow.opened(follow.feed(behind, begin))
    except Invalid as fault:
        raise Invalid(
            fault.reason, fault.message, fields={specs.after_named(last): fault.message}
        ) from fault
    frames = _frames(request.app.state.render.news, _while_known(request, events))
    return _stream(request, frames, {})


def _started(started: StartGenerationResponse | RetryUnclearResponse) -> Response:
    found = {
        "job_id": render.last_part(started.job.name),
        "state": render.job_state(started.job),
        "estimate": render.estimate(started.estimate),
        "replayed": started.replayed,
    }
    return JSONResponse(found, 202, {"Location": _path(started.job.name)})


async def _job(behind: Services, job_id: str) -> Job:
    asked = GetJobRequest(name=specs.resource("jobs", job_id))
    job: Job = (await behind.catalog.ask("GetJob", asked)).job
    return job


def _path(name: str) -> str:
    return f"/images/{name}"


def _stream(request: Request, frames: AsyncIterator[Frame], headers: dict[str, str]) -> EventStream:
    return EventStream(frames, request.app.state.streams, _failed, headers)


async def _while_known(
    request: Request, events: AsyncIterator[JobEvent]
) -> AsyncIterator[JobEvent]:
    """Pass *events* on while the key that asked for them is good: a feed outlives many."""
    async with aclosing(events):  # type: ignore[type-var]
        async for event in events:
            await identified(request)
            yield event


async def _frames(
    rendered: Callable[[JobEvent], tuple[str, dict[str, Any]] | None],
    events: AsyncIterator[JobEvent],
) -> AsyncIterator[Frame]:
    async with aclosing(events):  # type: ignore[type-var]
        async for event in events:
            if found := rendered(event):
                kind, data = found
                yield frame(kind, data, event.sequence, _topic(kind, data))


def _topic(kind: str, data: dict[str, Any]) -> str:
    return f"{kind} {data.get('purchase_id', '')} {data.get('output_index', '')}"


def _failed(fault: Fault) -> Frame | None:
    if was_cut(fault):
        return None  # the client comes back and resumes
    return frame("error", problem.to_json(fault, problem.status_of(fault, in_path=True)))
