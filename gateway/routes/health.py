"""Whether we run, whether those behind us do, and how we are doing."""

import prometheus_client
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.responses import Response

from chassis.errors import Unavailable
from gateway import answers
from gateway.access import Behind
from gateway.describe import problems

router = APIRouter(tags=["health"])


@router.get("/healthz", response_model=answers.Health)
async def healthz() -> Response:
    """Tell that this process runs."""
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


@router.get("/readyz", response_model=answers.Readiness, responses={503: problems()[503]})
async def readyz(behind: Behind) -> Response:
    """Tell that every service behind us works, or which one does not, and why."""
    found = await behind.problems()
    if wrong := {name: problem for name, problem in found.items() if problem}:
        said = "; ".join(f"{name}: {problem}" for name, problem in wrong.items())
        raise Unavailable(
            "SERVICE_UNAVAILABLE",
            f"Not ready. {said.rstrip('.')}. `studio ps` shows what runs.",
            metadata={"service": ",".join(wrong)},
            fields=wrong,
            retry_after=1.0,
        )
    services = dict.fromkeys(found, True)
    return JSONResponse(
        {"status": "ready", "services": services}, headers={"Cache-Control": "no-store"}
    )


@router.get("/metrics", response_class=Response, include_in_schema=False)
async def metrics() -> Response:
    """Answer Prometheus. Never routed by the edge."""
    return Response(
        prometheus_client.generate_latest(), media_type=prometheus_client.CONTENT_TYPE_LATEST
    )
