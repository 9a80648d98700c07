"""Input images: sent here first, or named by what was drawn, and then asked for by a job."""

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from chassis.errors import Invalid, Missing
from gateway import answers, bodies, specs
from gateway.access import Behind
from gateway.describe import problems
from gateway.edge import LARGEST_PICTURE
from gateway.services import Services
from imagestudio.catalog.v1.catalog_service_pb2 import GetVariantRequest
from imagestudio.storage.v1.storage_service_pb2 import UploadAssetRequest, UploadHeader
from imagestudio.type.v1.job_pb2 import JobSpec

router = APIRouter(prefix="/images", tags=["jobs"])

_PATIENCE = 55.0  # seconds for an upload: the edge ends it after 60
_CHUNK = 64 * 1024  # bytes
_BODY = {
    "requestBody": {
        "required": True,
        "description": "The bytes of a PNG, JPEG or WebP of at most 25 MiB",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "/references",
    status_code=201,
    response_model=answers.Reference,
    responses=problems(413, 507),
    openapi_extra=_BODY,
)
async def upload(request: Request, behind: Behind) -> Response:
    """Keep a picture to work from: its id goes into the references of a job, as often as wanted."""
    told = request.headers.get("content-length", "")
    if not (told.isascii() and told.isdecimal() and int(told)):
        why = "is missing or 0; send the picture as the body, with its length"
        raise Invalid("REQUEST_INVALID", f"Content-Length {why}.", fields={"Content-Length": why})
    if int(told) > LARGEST_PICTURE:  # told now: what is raised while it streams says nothing
        raise HTTPException(413)
    storage = behind.storage
    answer = await storage.peer.ask(
        storage.stub.UploadAsset, _messages(request, int(told)), timeout=_PATIENCE
    )
    asset, public = answer.asset, request.app.state.settings.public_url
    shown = {
        "id": asset.name.removeprefix("assets/"),
        "url": f"{public}{asset.path}",
        "thumbnail_url": f"{public}{asset.thumbnail_path}",
        "media_type": asset.media_type,
        "width": asset.size.width,
        "height": asset.size.height,
    }
    return JSONResponse(shown, status_code=201)


async def _messages(request: Request, size: int) -> AsyncIterator[UploadAssetRequest]:
    yield UploadAssetRequest(header=UploadHeader(size_bytes=size))
    async for piece in request.stream():
        for at in range(0, len(piece), _CHUNK):
            yield UploadAssetRequest(chunk=piece[at : at + _CHUNK])


async def job_spec(behind: Services, body: bodies.Spec) -> JobSpec:
    """Make the spec that *body* asks for, with the files of the variants that it names."""
    drawn: dict[str, str] = {}
    for place, one in enumerate(body.references or ()):
        if one.variant:
            drawn[one.variant] = await _hash(behind, one.variant, f"references[{place}].variant")
    return specs.job_spec(body, drawn)


async def _hash(behind: Services, variant: str, field: str) -> str:
    asked = GetVariantRequest(name=f"jobs/-/variants/{int(variant)}")
    try:
        found = await behind.catalog.ask("GetVariant", asked)
    except (Invalid, Missing):  # it has the form of a number, and may be too large for one
        why = "is no variant of yours"
        raise Invalid("REQUEST_INVALID", f"{field} {why}.", fields={field: why}) from None
    return str(found.variant.image_hash)
