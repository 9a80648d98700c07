"""Presets: recipes, one's own and the system's. A change needs the etag that was read."""

import re
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import JSONResponse
from starlette.responses import Response

from chassis.errors import Invalid, Missing
from gateway import answers, bodies, once, problem, recipes, render, specs
from gateway.access import Behind
from gateway.describe import problems
from imagestudio.catalog.v1 import catalog_service_pb2 as catalog
from imagestudio.catalog.v1.preset_pb2 import Preset

router = APIRouter(prefix="/images/presets", tags=["presets"], route_class=once.Route)

IfMatch = Annotated[str | None, Header(alias="If-Match", description="The etag as it was read.")]
_RECIPE = frozenset({"model_key", "parameters"})  # what a model may not take
_NAME = re.compile(r"[0-9]{1,19}|[a-z][a-z0-9-]{0,62}")


@router.get("", response_model=answers.Presets, responses=problems())
async def list_presets(behind: Behind, query: Annotated[bodies.PresetFilter, Query()]) -> Response:
    """List the caller's presets and the system's, by key."""
    asked = catalog.ListPresetsRequest(
        page_size=query.page_size,
        page_token=query.page_token,
        use_case=query.use_case,
        models=query.models,
    )
    page = await behind.catalog.ask("ListPresets", asked)
    presets = [render.preset(one) for one in page.presets]
    return JSONResponse({"presets": presets, "next_page_token": page.next_page_token})


@router.post("", status_code=201, response_model=answers.Preset, responses=problems(409, 413, 422))
async def create_preset(
    behind: Behind,
    body: bodies.NewPreset,
    key: Annotated[str | None, Header(alias="Idempotency-Key")] = None,
) -> Response:
    """Write a preset of the caller's."""
    preset, _mask = specs.preset(body)
    await recipes.check(behind, preset)
    asked = catalog.CreatePresetRequest(
        preset=preset, request_id=specs.request_id(key, body.request_id)
    )
    made = (await behind.catalog.ask("CreatePreset", asked)).preset
    answer = _answer(made, 201)
    answer.headers["Location"] = f"/images/{made.name}"
    return answer


@router.get("/{preset}", response_model=answers.Preset, responses=problems(404))
async def get_preset(behind: Behind, preset: str) -> Response:
    """Show one preset, by its id or key; the caller's own wins over the system's."""
    asked = catalog.GetPresetRequest(name=_name(preset))
    return _answer((await behind.catalog.ask("GetPreset", asked)).preset)


@router.patch(
    "/{preset}", response_model=answers.Preset, responses=problems(404, 409, 412, 413, 428)
)
async def change_preset(
    behind: Behind, preset: str, body: bodies.PresetChange, if_match: IfMatch = None
) -> Response:
    """Change what the body names, where nobody changed the preset meanwhile."""
    if if_match is None:
        raise problem.HttpFault(
            428, "Send If-Match with the etag that you read, or * to change it whatever it is."
        )
    found, mask = specs.preset(body, _name(preset), specs.etag(if_match))
    if not mask.paths:
        why = "name at least one field of the preset"
        raise Invalid("REQUEST_INVALID", f"Nothing to change: {why}.", fields={"name": why})
    if _RECIPE & {*mask.paths}:
        before = await behind.catalog.ask("GetPreset", catalog.GetPresetRequest(name=found.name))
        await recipes.check_change(behind, before.preset, found, [*mask.paths])
    asked = catalog.UpdatePresetRequest(preset=found, update_mask=mask)
    return _answer((await behind.catalog.ask("UpdatePreset", asked)).preset)


@router.delete("/{preset}", status_code=204, responses=problems(404, 412))
async def delete_preset(behind: Behind, preset: str, if_match: IfMatch = None) -> Response:
    """Delete a preset of the caller's. Jobs keep its key."""
    asked = catalog.DeletePresetRequest(name=_name(preset), etag=specs.etag(if_match))
    await behind.catalog.ask("DeletePreset", asked)
    return Response(status_code=204)


def _name(preset: str) -> str:
    if not _NAME.fullmatch(preset):
        raise Missing(
            "PRESET_UNKNOWN",
            f"There is no preset {preset[:70]!r}; GET /images/presets lists them.",
            metadata={"preset": preset[:70]},
            fields={"preset": f"is no preset: {preset[:70]}"},
        )
    return f"presets/{preset}"


def _answer(found: Preset, status: int = 200) -> Response:
    return JSONResponse(render.preset(found), status, {"ETag": f'"{found.etag}"'})
