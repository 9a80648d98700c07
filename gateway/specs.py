"""Requests as messages of the contract, and the id that makes a request the same request."""

import re
import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Invalid, Missing
from gateway import bodies
from imagestudio.catalog.v1 import catalog_service_pb2 as catalog
from imagestudio.catalog.v1.preset_pb2 import Preset
from imagestudio.type.v1.cost_pb2 import CHARGED_NO, CHARGED_YES
from imagestudio.type.v1.image_pb2 import PixelSize, ReferenceImage, ReferenceRole
from imagestudio.type.v1.job_pb2 import JobSpec, JobState

KEYS = uuid.UUID("6f2d0c0e-52a5-5d4c-9f0e-1c4a6d6a8f11")  # namespace of Idempotency-Keys
_NUMBER = re.compile("[1-9][0-9]{0,18}")
_SAME = ("prompt", "count", "aspect", "seed", "smart_prompt", "allow_successor")
_TEXTS = ("negative_prompt", "preset", "title", "project", "use_case")


def job_spec(body: bodies.Spec) -> JobSpec:
    """Make the spec that *body* asks for."""
    given = {name: found for name in _SAME if (found := getattr(body, name)) is not None}
    given |= {name: getattr(body, name) or "" for name in _TEXTS}
    spec = JobSpec(**given, models=body.models or (), fallback_models=body.fallback_models or ())
    if body.size:
        width, height = map(int, body.size.split("x"))
        spec.size.CopyFrom(PixelSize(width=width, height=height))
    if body.max_cost_usd is not None:
        # A limit is never rounded up. Decimal, since 2.01 * 1_000_000 is 2009999.99….
        spec.max_cost_usd_micros = int(Decimal(str(body.max_cost_usd)) * 1_000_000)
    for key, parameters in (body.parameters or {}).items():
        spec.parameters[key].update(parameters)
    spec.references.extend(map(_reference, body.references or ()))
    return spec


def request_id(header: str | None, given: uuid.UUID | None) -> str:
    """
    Return the request's id: the Idempotency-Key's, the body's, else a new one.

    A key that is no UUID becomes one, the same for the same text. Raises Invalid.
    """
    return given_id(header, given) or str(uuid.uuid4())


def given_id(header: str | None, given: uuid.UUID | None) -> str:
    """Return the id as `request_id` does, but where none is given: then it is empty."""
    if header is None:
        return str(given or "")
    if not 1 <= len(header) <= 255 or not header.isascii() or not header.isprintable():
        raise _refused("Idempotency-Key", "takes 1 to 255 printable ASCII characters")
    try:
        named = uuid.UUID(header)
    except ValueError:
        named = uuid.uuid5(KEYS, header)
    if given is not None and given != named:
        raise _refused("request_id", "differs from the Idempotency-Key header; send one of them")
    return str(named)


def after_sequence(header: str | None, query: str | None) -> int:
    """
    Return the event to go on after, by Last-Event-ID or ?after=; raises Invalid.

    Of both the header counts: a browser that was cut off asks the same URL, ?after= and all, and
    adds the header, which tells how far it came since.
    """
    for name, value in (("Last-Event-ID", header), ("after", query)):
        if value == "":
            raise _refused(name, "is empty; leave it out to begin at the first event")
        if value and not (value.isascii() and value.isdecimal() and len(value) <= 19):
            raise _refused(name, "takes the id of an event: a number from 0 on")
        if value and int(value) > bodies.LARGEST:
            raise _refused(name, "is beyond any log")
    return int(header or query or 0)


def after_named(header: str | None) -> str:
    """Return by what name the caller told the event to go on after."""
    return "after" if header is None else "Last-Event-ID"


def resource(kind: str, found: str) -> str:
    """Name the resource *found* of a path; raises Missing where it can be none."""
    if not _NUMBER.fullmatch(found) or int(found) > bodies.LARGEST:
        shown = found[:50] if found.isprintable() else repr(found[:50])
        raise Missing("RESOURCE_UNKNOWN", f"There is no {kind.rstrip('s')} {shown} of yours.")
    return f"{kind}/{found}"


def settlement(job_id: str, body: bodies.Settlement) -> catalog.SettleChargeRequest:
    """Make the request that settles a purchase of a job."""
    charged = body.charged in (True, "yes")
    if body.cost_usd is not None and not charged:
        raise _refused("cost_usd", "goes with charged: yes alone")
    made = catalog.SettleChargeRequest(
        name=resource("jobs", job_id),
        purchase_id=str(body.purchase_id),
        charged=CHARGED_YES if charged else CHARGED_NO,
    )
    if body.cost_usd is not None:
        made.cost_usd_micros = micros(body.cost_usd)
    return made


def micros(usd: float) -> int:
    """Count millionths of a dollar; what has more than six decimals is Invalid."""
    found = Decimal(str(usd)) * 1_000_000  # Decimal, since 2.01 * 1_000_000 is 2009999.99…
    if found != int(found):
        raise _refused("cost_usd", "takes six decimals at most")
    return int(found)


def job_filter(query: bodies.JobFilter) -> catalog.JobFilter:
    """Make the filter of a list of jobs."""
    states = [JobState.Value(f"JOB_STATE_{state.upper()}") for state in query.states]
    return catalog.JobFilter(
        states=states, query=query.q, at_risk_only=query.at_risk, **_narrowed(query)
    )


def variant_filter(query: bodies.VariantFilter) -> catalog.VariantFilter:
    """Make the filter of a list of variants."""
    return catalog.VariantFilter(
        min_rating=query.min_rating,
        favorites_only=query.favorites_only,
        aspect=query.aspect,
        query=query.q,
        include_deleted=query.include_deleted,
        **_narrowed(query),
    )


def preset(body: bodies.PresetChange, name: str = "", etag: str = "") -> tuple[Preset, FieldMask]:
    """Make the preset that *body* tells of, and the mask of what it tells."""
    given = body.model_dump(exclude_unset=True, exclude={"request_id"})
    if "name" in given:
        given["display_name"] = given.pop("name")
    found = Preset(name=name, etag=etag)
    for field, value in given.items():
        if value is None:  # as the mask says: it is unset
            continue
        if field == "parameters":
            found.parameters.update(value)
        else:
            setattr(found, field, value)
    return found, FieldMask(paths=list(given))


def moment(found: datetime | None) -> Timestamp | None:
    """Make a time of the contract."""
    if found is None:
        return None
    made = Timestamp()
    try:
        made.FromDatetime(found)
    except (OverflowError, ValueError) as error:  # an offset can lead out of the calendar
        raise Invalid("REQUEST_INVALID", "A time must lie in the years 1 to 9999, UTC.") from error
    return made


def etag(header: str | None) -> str:
    """Take the etag out of If-Match; empty where any will do. Raises Invalid where it is none."""
    if header is None or header.strip() == "*":
        return ""
    found = header.strip().removeprefix("W/").strip('"')
    if not found or "," in found:
        raise _refused("If-Match", "takes one etag as it was read, or *")
    return found


def _narrowed(query: bodies.Narrowed) -> dict[str, Any]:
    return {
        "models": query.models,
        "project": query.project,
        "use_case": query.use_case,
        "preset": query.preset,
        "created_from": moment(query.created_from),
        "created_before": moment(query.created_before),
    }


def _reference(found: bodies.Reference) -> ReferenceImage:
    role = ReferenceRole.Value(f"REFERENCE_ROLE_{(found.role or 'unspecified').upper()}")
    made = ReferenceImage(role=role, weight=found.weight)
    if found.uri:
        made.uri = found.uri
    elif found.variant:
        made.variant = f"jobs/-/variants/{int(found.variant)}"
    else:
        made.asset = f"assets/{found.id}"
    return made


def _refused(field: str, why: str) -> Invalid:
    return Invalid("REQUEST_INVALID", f"{field} {why}.", fields={field: why})
