"""What requests say, checked and in our own words."""

from collections.abc import Iterator
from datetime import UTC

from google.protobuf import json_format

from chassis.identity import Caller
from imagestudio.storage.v1 import storage_service_pb2 as pb
from services.storage.incoming import Claim
from services.storage.keep import Origin
from services.storage.names import Range, check_purchase, invalid, parse_range
from services.storage.receipts import Answer
from services.storage.references import Wanted
from services.storage.sources import Given, Link, given


def of_import(
    request: pb.ImportAssetRequest, caller: Caller
) -> tuple[Range | Link | Given, Origin, Claim]:
    """Read an import: where the bytes are, what paid for them, and their hash if known."""
    purchase_id = check_purchase(request.purchase_id)
    origin = Origin(
        user_id=caller.require_user(),
        purchase_id=purchase_id,
        output_index=_index(request.output_index),
        job=request.job,
        model=request.model,
        prompt=request.prompt,
        provenance=json_format.MessageToDict(request.provenance)
        if request.HasField("provenance")
        else None,
    )
    claim = Claim(sha256=_sha256("expected_sha256", request.expected_sha256))
    return _source(request, purchase_id), origin, claim


def of_upload(header: pb.UploadHeader, caller: Caller) -> tuple[Origin, Claim]:
    """Read an upload: a user's reference, or with a purchase_id, a service's picture."""
    if header.purchase_id:
        caller.require_service("UploadAsset with a purchase_id")
        check_purchase(header.purchase_id)
    origin = Origin(
        user_id=caller.require_user(),
        purchase_id=header.purchase_id,
        output_index=_index(header.output_index),
    )
    sha256 = _sha256("header.sha256", header.sha256)
    return origin, Claim(size=header.size_bytes, sha256=sha256, media_type=header.media_type)


def of_reference(request: pb.PrepareReferenceRequest) -> Wanted:
    """Read which picture shall be prepared, and as what."""
    named = request.WhichOneof("source")
    if named is None or not getattr(request, named):
        raise invalid("source", "say where the picture is")
    source = {named: getattr(request, named)}
    return Wanted(**source, media_type=request.media_type, mask=request.mask)


def of_publication(request: pb.PublishAssetRequest) -> tuple[str, str]:
    """Read what shall be published, and under which name people shall see it."""
    shown = request.display_name
    if not shown or len(shown) > 255 or not shown.isprintable():
        raise invalid("display_name", "give 1 to 255 printable characters")
    return request.name, shown


def of_receipt(header: pb.ReceiptHeader, caller: Caller) -> Answer:
    """Read whose answer it is."""
    return Answer(
        user_id=caller.user_id,
        purchase_id=check_purchase(header.purchase_id),
        provider=header.provider,
        media_type=header.media_type,
    )


def of_pictures(header: pb.ReceiptHeader, caller: Caller) -> Iterator[tuple[Range, Origin, Claim]]:
    """Read which pictures are in a receipt; Invalid at the first that is not in this one."""
    for each in header.pictures:
        source, origin, claim = of_import(each, caller)
        if not isinstance(source, Range) or source.purchase_id != header.purchase_id:
            raise invalid("header.pictures", "name those in this receipt")
        yield source, origin, claim


def _source(request: pb.ImportAssetRequest, purchase_id: str) -> Range | Link | Given:
    if request.source_uri.startswith("receipt:"):
        return parse_range(request.source_uri, purchase_id)
    if found := given(request.source_uri):
        return found
    if not request.source_uri:
        raise invalid("source_uri", "say where the bytes are")
    known = request.HasField("source_expire_time")
    expires = request.source_expire_time.ToDatetime(UTC) if known else None
    return Link(request.source_uri, request.provider, expires)


def _index(index: int) -> int:
    if index < 0:
        raise invalid("output_index", "count outputs from 0")
    return index


def _sha256(field: str, text: str) -> str:
    if text and (len(text) != 64 or set(text) - set("0123456789abcdef")):
        raise invalid(field, "give a SHA-256 in lower-case hex, or nothing")
    return text
