"""Variants: the pictures that are kept, to find, favour, rate, hide and show again."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse
from google.protobuf.field_mask_pb2 import FieldMask
from starlette.responses import Response

from chassis.errors import Invalid
from gateway import answers, bodies, once, specs
from gateway.access import Behind
from gateway.describe import problems
from imagestudio.catalog.v1 import catalog_service_pb2 as catalog
from imagestudio.type.v1.image_pb2 import Variant

router = APIRouter(prefix="/images/variants", tags=["variants"], route_class=once.Route)

IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="Do it only where the etag is still this.")
]


@router.get("", response_model=answers.Variants, responses=problems(404))
async def list_variants(
    request: Request, behind: Behind, query: Annotated[bodies.VariantFilter, Query()]
) -> Response:
    """List variants, newest first; with `q` those whose prompts have the words, best first."""
    asked: dict[str, Any] = {
        "parent": specs.resource("jobs", query.job) if query.job else "jobs/-",
        "page_size": query.page_size,
        "page_token": query.page_token,
        "filter": specs.variant_filter(query),
    }
    if query.q.strip():
        hits = await behind.catalog.ask("SearchVariants", catalog.SearchVariantsRequest(**asked))
        variants, token = [hit.variant for hit in hits.hits], hits.next_page_token
    else:
        page = await behind.catalog.ask("ListVariants", catalog.ListVariantsRequest(**asked))
        variants, token = page.variants, page.next_page_token
    show = request.app.state.render.variant
    return JSONResponse({"variants": [show(one) for one in variants], "next_page_token": token})


@router.get("/{variant_id}", response_model=answers.Variant, responses=problems(404))
async def get_variant(request: Request, behind: Behind, variant_id: str) -> Response:
    """Show one variant, also a deleted one."""
    asked = catalog.GetVariantRequest(name=_name(variant_id))
    return _answer(request, (await behind.catalog.ask("GetVariant", asked)).variant)


@router.patch("/{variant_id}", response_model=answers.Variant, responses=problems(404, 412, 413))
async def change_variant(
    request: Request,
    behind: Behind,
    variant_id: str,
    body: bodies.VariantChange,
    if_match: IfMatch = None,
) -> Response:
    """Set favourite and rating; a rating of null takes it away."""
    paths = sorted(body.model_fields_set)
    if not paths:
        why = "send is_favorite, user_rating or both"
        raise Invalid("REQUEST_INVALID", f"Nothing to change: {why}.", fields={"is_favorite": why})
    changed = Variant(name=_name(variant_id), etag=specs.etag(if_match))
    for path in paths:
        if (value := getattr(body, path)) is not None:
            setattr(changed, path, value)
    asked = catalog.UpdateVariantRequest(variant=changed, update_mask=FieldMask(paths=paths))
    return _answer(request, (await behind.catalog.ask("UpdateVariant", asked)).variant)


@router.delete("/{variant_id}", response_model=answers.Variant, responses=problems(404, 412))
async def delete_variant(
    request: Request, behind: Behind, variant_id: str, if_match: IfMatch = None
) -> Response:
    """Hide a variant. Its bytes and its link stay."""
    asked = catalog.DeleteVariantRequest(name=_name(variant_id), etag=specs.etag(if_match))
    return _answer(request, (await behind.catalog.ask("DeleteVariant", asked)).variant)


@router.post("/{variant_id}/restore", response_model=answers.Variant, responses=problems(404, 412))
async def restore_variant(
    request: Request, behind: Behind, variant_id: str, if_match: IfMatch = None
) -> Response:
    """Show a deleted variant again."""
    asked = catalog.RestoreVariantRequest(name=_name(variant_id), etag=specs.etag(if_match))
    return _answer(request, (await behind.catalog.ask("RestoreVariant", asked)).variant)


def _name(variant_id: str) -> str:
    return f"jobs/-/{specs.resource('variants', variant_id)}"


def _answer(request: Request, variant: Variant) -> Response:
    found = request.app.state.render.variant(variant)
    return JSONResponse(found, headers={"ETag": f'"{variant.etag}"'})
