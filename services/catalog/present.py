"""Rows of the library as the contract's messages; links get the public URL in front."""

import hashlib
from collections.abc import Sequence
from typing import Any

import asyncpg

from imagestudio.catalog.v1 import catalog_service_pb2, preset_pb2, usage_pb2
from imagestudio.type.v1 import cost_pb2, image_pb2, job_pb2
from services.catalog.completion import (
    failure_message,
    image_message,
    job_message,
    tell_risk,
)
from services.catalog.log import publish
from services.catalog.rows import basis
from services.catalog.usage import Cap
from services.catalog.words import CHARGED

Row = asyncpg.Record


def job(
    row: Row,
    public_url: str,
    images: Sequence[Row] = (),
    failures: Sequence[Row] = (),
    risk: Row | None = None,
) -> job_pb2.Job:
    """Render a job and what it brought."""
    found = job_message(row)
    found.failures.extend(map(failure_message, failures))
    tell_risk(found, risk)
    for image_row in images:
        image = image_message(image_row)
        publish(image, public_url)
        found.images.append(image)
    return found


def variant(row: Row, public_url: str) -> image_pb2.Variant:
    """Render one image with all that is known of it."""
    found = image_pb2.Variant(
        name=f"jobs/{row['job_id']}/variants/{row['variant_id']}",
        user=f"users/{row['user_id']}",
        cost=cost_pb2.Cost(usd_micros=row["cost"], basis=basis(metered=row["metered"])),
        size_bytes=row["bytes"],
        etag=variant_etag(row),
        **{column: row[column] for column in _AS_THEY_ARE if row[column] is not None},
    )
    found.parameters.update(row["parameters"])
    if row["generation_time_ms"] is not None:
        found.generation_time.FromMilliseconds(row["generation_time_ms"])
    _times(found, row, create_time="created_at", publish_time="published_at")
    _times(found, row, delete_time="deleted_at")
    publish(found, public_url)
    return found


_AS_THEY_ARE = (
    *("version_number", "model_key", "model_version", "original_prompt", "enhanced_prompt"),
    *("enhanced_by", "negative_prompt", "cdn_url", "thumbnail_url", "width", "height", "seed"),
    *("replicate_prediction_id", "image_hash", "is_favorite", "user_rating", "purchase_id"),
    *("media_type", "thumbhash", "path"),
)


def variant_etag(row: Row) -> str:
    """Name the state of what a user may change of a variant."""
    state = repr((row["is_favorite"], row["user_rating"], row["deleted_at"])).encode()
    return hashlib.blake2b(state, digest_size=6).hexdigest()


def preset(row: Row) -> preset_pb2.Preset:
    """Render a preset."""
    found = preset_pb2.Preset(
        name=f"presets/{row['preset_id']}",
        user=f"users/{row['user_id']}",
        preset_key=row["preset_key"],
        display_name=row["name"],
        model_key=row["model_key"],
        batch_count=row["batch_count"],
        smart_prompt_enabled=row["smart_prompt_enabled"],
        use_case=row["use_case"],
        is_system=row["is_system"],
        prompt_template=row["prompt_template"],
        negative_prompt=row["negative_prompt"],
        etag=str(row["etag"]),
    )
    found.parameters.update(row["parameters"])
    _times(found, row, create_time="created_at", update_time="updated_at")
    return found


def api_key(row: Row) -> catalog_service_pb2.ApiKey:
    """Render what is kept of an API key."""
    found = catalog_service_pb2.ApiKey(
        name=f"apiKeys/{row['api_key_id']}",
        user=f"users/{row['user_id']}",
        subject=row["subject"],
        label=row["label"],
        scopes=row["scopes"],
        hint=row["hint"],
    )
    _times(found, row, create_time="created_at", revoke_time="revoked_at")
    return found


def spend_cap(cap: Cap) -> usage_pb2.SpendCap:
    """Render what a user may still spend."""
    found = usage_pb2.SpendCap(
        period=f"{cap.begins:%Y-%m}",
        cap_usd_micros=cap.cap,
        spent_usd_micros=cap.spent,
        reserved_usd_micros=cap.reserved,
        unclear_usd_micros=cap.unclear,
    )
    found.period_end_time.FromDatetime(cap.ends)
    return found


def usage_line(row: Row) -> usage_pb2.UsageLine:
    """Render what one model, project, use case or day cost."""
    return usage_pb2.UsageLine(
        key=row["key"],
        image_count=row["images"],
        purchase_count=row["purchases"],
        cost_usd_micros=row["cost"],
        at_risk_count=row["risky"],
        at_risk_usd_micros=row["risk"],
    )


def settlement(row: Row) -> catalog_service_pb2.ChargeSettlement:
    """Render what somebody told of a purchase."""
    found = catalog_service_pb2.ChargeSettlement(
        purchase_id=row["purchase_id"],
        charged=CHARGED[row["charged"]],
        cost_usd_micros=row["cost"],
        counted_usd_micros=row["counted"],
        settled_by=f"users/{row['settled_by']}",
    )
    _times(found, row, settle_time="settled_at")
    return found


def _times(message: Any, row: Row, **columns: str) -> None:
    for field, column in columns.items():
        if row[column] is not None:
            getattr(message, field).FromDatetime(row[column])
