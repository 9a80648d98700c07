"""The contract's messages as the JSON that people read: jobs, images, presets, models, usage."""

from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from gateway.bodies import ROLES
from gateway.plain import cost, dollars, plain, time, word
from imagestudio.catalog.v1.catalog_service_pb2 import ChargeSettlement, GetUsageResponse
from imagestudio.catalog.v1.preset_pb2 import Preset
from imagestudio.catalog.v1.usage_pb2 import SpendCap
from imagestudio.generator.v1.model_pb2 import Model
from imagestudio.type.v1.cost_pb2 import CHARGED_NO, CHARGED_YES
from imagestudio.type.v1.image_pb2 import ImageOutput, Variant
from imagestudio.type.v1.job_event_pb2 import JobEvent
from imagestudio.type.v1.job_pb2 import Job, JobEstimate, JobFailure, JobState
from imagestudio.type.v1.purchase_pb2 import Purchase

_CHARGED = {CHARGED_YES: True, CHARGED_NO: False}  # else None: nobody can tell
_HOW_IT_ENDED = (
    *("job_id", "state", "cost_usd", "at_risk_usd", "at_risk_count", "title", "project"),
    *("use_case", "retry_of", "created_at", "ended_at"),
)


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders with links that stand on *public_url*."""

    public_url: str

    def link(self, found: str) -> str:
        """Make a path of ours a whole URL; what is one already stays."""
        return self.public_url + found if found.startswith("/") else found

    def vault(self, path: str) -> str | None:
        """Make the path of a picture in the vault a URL; None where an old event has none."""
        return self.public_url + path if path else None

    def event(self, event: JobEvent) -> tuple[str, dict[str, Any]] | None:
        """Return the name and the payload of *event*; None for what only keeps a stream alive."""
        kind = event.WhichOneof("event")
        if kind is None or kind == "heartbeat":
            return None
        payload = getattr(event, kind)
        match kind:
            case "accepted":
                found = {"estimate": estimate(payload.estimate)}
            case "image_kept" | "image_published":
                return kind, self.image(payload)
            case "completed":
                return kind, self.job_outcome(payload.job)
            case "progress":
                return kind, progress(payload)
            case "queued":
                found = plain(payload) | {"purchases": [_open(one) for one in payload.purchases]}
            case "unclear":
                found = plain(payload) | {"at_risk_usd": cost(payload.held)}
            case _:
                found = plain(payload)
        return kind, {"job_id": last_part(event.job), **found, "event_time": time(event.event_time)}

    def news(self, event: JobEvent) -> tuple[str, dict[str, Any]] | None:
        """Render an entry of a feed as `event` does; of a job that ended, how and not what."""
        if not event.HasField("completed"):
            return self.event(event)
        found = self.job(event.completed.job)
        return "completed", {name: found[name] for name in _HOW_IT_ENDED}

    def image(self, image: ImageOutput) -> dict[str, Any]:
        """Render one kept image of a job."""
        job_id, variant_id = variant_ids(image.variant)
        return {
            "job_id": job_id,
            "variant_id": variant_id,
            "purchase_id": image.purchase_id,
            "model": image.model,
            "version_number": image.version_number,
            "url": self.link(image.url),
            "thumbnail_url": self.link(image.thumbnail_url),
            "vault_url": self.vault(image.path),
            "image_hash": image.image_hash,
            "media_type": image.media_type,
            "size_bytes": image.size_bytes,
            "width": image.size.width,
            "height": image.size.height,
            "seed": image.seed if image.HasField("seed") else None,
            "cost_usd": cost(image.cost),
            "generation_time_ms": _milliseconds(image, "generation_time"),
        }

    def variant(self, variant: Variant) -> dict[str, Any]:
        """Render a variant: the columns of its row, and the words that an image has for them."""
        found = plain(variant)
        job_id, variant_id = variant_ids(variant.name)
        url, thumbnail = self.link(variant.cdn_url), self.link(variant.thumbnail_url)
        for absent in ("name", "user", "generation_time", "path", "thumbhash"):
            del found[absent]
        return found | {
            "job_id": job_id,
            "variant_id": variant_id,
            "model": variant.model_key,
            "url": url,
            "cdn_url": url,
            "thumbnail_url": thumbnail,
            "vault_url": self.vault(variant.path),
            "replicate_prediction_id": variant.replicate_prediction_id or None,
            "generation_time_ms": _milliseconds(variant, "generation_time"),
            "created_at": found.pop("create_time"),
            "published_at": found.pop("publish_time"),
            "deleted_at": found.pop("delete_time"),
        }

    def job_outcome(self, job: Job) -> dict[str, Any]:
        """Render what a job came to: the payload of `completed`."""
        return {
            "job_id": last_part(job.name),
            "state": job_state(job),
            "images": [self.image(image) for image in job.images],
            "failures": [failure(one) for one in job.failures],
            **_money(job),
        }

    def job(self, job: Job) -> dict[str, Any]:
        """Render a job: its outcome so far and what was asked for."""
        return self.job_outcome(job) | self.job_summary(job)

    def job_summary(self, job: Job) -> dict[str, Any]:
        """Render a job without its images and failures, as lists tell it."""
        return {
            "job_id": last_part(job.name),
            "state": job_state(job),
            **_money(job),
            "title": job.title,
            "prompt": job.original_prompt,
            "enhanced_prompt": job.enhanced_prompt,
            "enhanced_by": job.enhanced_by,
            "models": list(job.spec.models),
            "count": job.spec.count,
            "aspect": job.spec.aspect or None,
            "project": job.project,
            "use_case": job.use_case,
            "preset_used": job.preset_used,
            "request_id": job.request_id,
            "retry_of": last_part(job.retry_of) or None,
            "last_sequence": job.last_sequence,
            "created_at": time(job.create_time),
            "updated_at": time(job.update_time),
            "ended_at": _time_or_none(job, "end_time"),
        }


def estimate(found: JobEstimate) -> dict[str, Any]:
    """Render what a job should cost."""
    return {
        "reserved_usd": cost(found.reserved) or 0.0,
        "expected_usd": cost(found.expected) or 0.0,
        "smart_prompt_usd": cost(found.smart_prompt) if found.HasField("smart_prompt") else None,
        "models": [plain(one) for one in found.models],
    }


def _open(found: Purchase) -> dict[str, Any]:
    """Render a purchase, without how it ended where it has not."""
    rendered = plain(found)
    for name in ("ending", "charged"):
        if not getattr(found, name):
            del rendered[name]
    return rendered


def progress(found: JobEvent.Progress) -> dict[str, Any]:
    """Render how far a purchase is."""
    return {
        "purchase_id": found.purchase_id,
        "model": found.model,
        "fraction": round(found.fraction, 4) if found.HasField("fraction") else None,
        "estimated": found.estimated,
    }


def failure(found: JobFailure) -> dict[str, Any]:
    """Render a purchase that brought nothing; charged is null where nobody can tell."""
    return {
        "purchase_id": found.purchase_id,
        "model": found.model,
        "reason": found.reason,
        "message": found.message,
        "charged": _CHARGED.get(found.charged),
        "cost_usd": cost(found.cost),
    }


def settlement(found: ChargeSettlement) -> dict[str, Any]:
    """Render what somebody told of a purchase."""
    return {
        "purchase_id": found.purchase_id,
        "charged": _CHARGED.get(found.charged),
        "cost_usd": dollars(found.cost_usd_micros),
        "counted_usd": dollars(found.counted_usd_micros),
        "settled_by": last_part(found.settled_by),
        "settled_at": time(found.settle_time),
    }


def preset(found: Preset) -> dict[str, Any]:
    """Render a preset; `name` is what people call it."""
    rendered = plain(found)
    for absent in ("user", "name"):
        del rendered[absent]
    return rendered | {
        "preset_id": last_part(found.name),
        "name": found.display_name,
        "batch_count": found.batch_count or None,
        "created_at": rendered.pop("create_time"),
        "updated_at": rendered.pop("update_time"),
    }


def model(found: Model) -> dict[str, Any]:
    """Render a model of the registry."""
    rendered = plain(found)
    del rendered["name"]
    sizes = [f"{size.width}x{size.height}" for size in found.capabilities.sizes]
    # What may be sent: no role at all is told by leaving it out, so that it is none of them.
    roles = [role for role in rendered["capabilities"]["reference_roles"] if role in ROLES]
    rendered["capabilities"] |= {"sizes": sizes, "reference_roles": roles}
    return rendered


def usage(found: GetUsageResponse) -> dict[str, Any]:
    """Render a usage report."""
    return plain(found) | {"cap": cap(found.cap)}


def cap(found: SpendCap) -> dict[str, Any]:
    """Render a cap; cap_usd is null where there is none."""
    left = found.cap_usd_micros - found.spent_usd_micros - found.reserved_usd_micros
    known = found.HasField("cap_usd_micros")
    return plain(found) | {"remaining_usd": dollars(max(0, left)) if known else None}


def job_state(job: Job) -> str:
    """Return the word for where *job* stands."""
    return word(JobState.DESCRIPTOR, job.state)


def _money(job: Job) -> dict[str, Any]:
    return {
        "cost_usd": cost(job.cost) or 0.0,
        "at_risk_usd": dollars(job.at_risk_usd_micros),
        "at_risk_count": job.at_risk_count,
    }


def last_part(name: str) -> str:
    """Return the id at the end of a resource's name."""
    return name.rpartition("/")[2]


def variant_ids(name: str) -> tuple[str, str]:
    """Split "jobs/{job}/variants/{variant}"."""
    parts = name.split("/")
    return (parts[1], parts[3]) if len(parts) == 4 else ("", last_part(name))


def _milliseconds(message: Message, field: str) -> int | None:
    found: int = getattr(message, field).ToMilliseconds()
    return found if message.HasField(field) else None


def _time_or_none(message: Message, field: str) -> str | None:
    return time(getattr(message, field)) if message.HasField(field) else None
