"""What can draw, and what was spent."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from starlette.responses import Response

from gateway import answers, bodies, once, render, specs
from gateway.access import Behind
from gateway.describe import problems
from imagestudio.catalog.v1.catalog_service_pb2 import (
    GetUsageRequest,
    UpdateSpendCapRequest,
)
from imagestudio.catalog.v1.usage_pb2 import UsageGrouping
from imagestudio.generator.v1.generator_service_pb2 import ListModelsRequest
from imagestudio.generator.v1.model_pb2 import ModelState

router = APIRouter(prefix="/images", tags=["models"], route_class=once.Route)


@router.get("/models", response_model=answers.Models, responses=problems())
async def list_models(behind: Behind, query: Annotated[bodies.ModelFilter, Query()]) -> Response:
    """List the models, with what each can do and what it costs."""
    states = ModelState.values()[1:] if query.retired else ()
    found = await behind.generator.ask("ListModels", ListModelsRequest(states=states))
    return JSONResponse({"models": [render.model(one) for one in found.models]})


@router.get("/usage", response_model=answers.Usage, responses=problems())
async def usage(behind: Behind, query: Annotated[bodies.UsageFilter, Query()]) -> Response:
    """Tell what was spent, on what, and what the cap leaves; unset is the present month."""
    asked = GetUsageRequest(
        start_time=specs.moment(query.start),
        end_time=specs.moment(query.end),
        group_by=UsageGrouping.Value(f"USAGE_GROUPING_{query.group_by.upper()}"),
    )
    return JSONResponse(render.usage(await behind.catalog.ask("GetUsage", asked)))


@router.put("/usage/cap", response_model=answers.SpendCap, responses=problems(413))
async def put_cap(behind: Behind, body: bodies.Cap) -> Response:
    """
    Set what a month may cost at most; null lifts it. Takes the scope caps.

    A cap below what is spent and reserved stops new work and nothing else.
    """
    cap = None if body.cap_usd is None else specs.micros(body.cap_usd)
    found = await behind.catalog.ask("UpdateSpendCap", UpdateSpendCapRequest(cap_usd_micros=cap))
    return JSONResponse(render.cap(found.cap))
