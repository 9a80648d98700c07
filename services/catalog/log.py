"""
A job's log: events as they are stored, and as they are told.

Stored is the event alone. Its job, number and time are columns, and links are paths, so
that nothing in the log goes stale; `finish` puts them in on the way out.
"""

from datetime import datetime
from functools import lru_cache

from google.protobuf.timestamp_pb2 import Timestamp

from imagestudio.type.v1 import image_pb2, job_event_pb2


@lru_cache(maxsize=256)  # a batch has one time, which goes into all that it tells
def stamp(at: datetime) -> Timestamp:
    """Return *at* as a message, to be copied and not to be changed."""
    made = Timestamp()
    made.FromDatetime(at)
    return made


def kind_of(event: job_event_pb2.JobEvent) -> str:
    """Return the event's name, the same as in SSE."""
    return event.WhichOneof("event") or ""


def finish(
    event: job_event_pb2.JobEvent, job_id: int, sequence: int, at: datetime, public_url: str
) -> job_event_pb2.JobEvent:
    """Complete a stored *event* in place; links get *public_url* in front."""
    event.job, event.sequence = f"jobs/{job_id}", sequence
    event.event_time.CopyFrom(stamp(at))
    kind = kind_of(event)
    if kind in ("image_kept", "image_published"):
        publish(getattr(event, kind), public_url)
    elif kind == "completed":
        for image in event.completed.job.images:
            publish(image, public_url)
    elif kind == "queued":
        for purchase in event.queued.purchases:
            purchase.job = event.job
    return event


def publish(image: image_pb2.ImageOutput | image_pb2.Variant, public_url: str) -> None:
    """Make the links of *image* absolute, in place; its path stays one."""
    if isinstance(image, image_pb2.ImageOutput) and image.url.startswith("/i/"):
        image.path = image.path or image.url  # older events in the log have the link alone
    for field in ("url", "cdn_url", "thumbnail_url"):
        path = getattr(image, field, "")
        if path.startswith("/"):
            setattr(image, field, public_url + path)
