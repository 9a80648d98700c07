"""Input images: sent here first, or named by what was drawn, and then asked for by a job."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from chassis.errors import Invalid
from gateway import answers
from gateway.access import Behind
from gateway.describe import problems
from gateway.edge import LARGEST_PICTURE
from gateway.upload import Upload

router = APIRouter(prefix="/images", tags=["jobs"])

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
    responses=problems(408, 413, 507),
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
    answer = await Upload(request, int(told)).to(behind.storage)
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
