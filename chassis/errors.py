"""
What can go wrong in a way that a caller should understand, and its way over the wire.

Fault                 INTERNAL
├── Invalid           INVALID_ARGUMENT     ├── Denied           PERMISSION_DENIED
├── Missing           NOT_FOUND            ├── Unauthenticated  UNAUTHENTICATED
├── Exists            ALREADY_EXISTS       ├── OutOfRange       OUT_OF_RANGE
├── Precondition      FAILED_PRECONDITION  ├── Unavailable      UNAVAILABLE
├── Stale             ABORTED              ├── Late             DEADLINE_EXCEEDED
├── Exhausted         RESOURCE_EXHAUSTED   ├── DataLoss         DATA_LOSS
└── Unimplemented     UNIMPLEMENTED
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import ClassVar

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

DOMAIN = "imagestudio"
# A caller takes 8 KiB of trailers. The message is in them twice, and the details in base64.
_MOST_SAID = 1500  # bytes of a message; half, where letters are escaped
_MOST_FIELDS = 20
_MOST_TOLD = 1800  # bytes of all fields together
_MOST_NAMED = 200  # bytes of a field's name, of what is wrong with it, of a value of metadata


class Fault(Exception):
    """
    A refusal or failure with a *reason* (UPPER_SNAKE, of the contract's list).

    *message* is for people and says what to do. *fields* maps a field's path to what is
    wrong with it. *retry_after* is in seconds.
    """

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.fields = dict(fields or {})
        self.retry_after = retry_after


class Invalid(Fault):
    """An argument is missing or wrong."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class Missing(Fault):
    """No such thing, or it is another user's; the two cannot be told apart."""

    code = grpc.StatusCode.NOT_FOUND


class Exists(Fault):
    """The name is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS


class Precondition(Fault):
    """Not in the present state."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Stale(Fault):
    """Somebody else was first: an old fence or etag."""

    code = grpc.StatusCode.ABORTED


class Exhausted(Fault):
    """A cap, a rate or a disk is used up."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Denied(Fault):
    """The caller is known and may not."""

    code = grpc.StatusCode.PERMISSION_DENIED


class Unauthenticated(Fault):
    """The caller is not known."""

    code = grpc.StatusCode.UNAUTHENTICATED


class OutOfRange(Fault):
    """Beyond what there is."""

    code = grpc.StatusCode.OUT_OF_RANGE


class Unavailable(Fault):
    """A service behind this one does not answer; try again."""

    code = grpc.StatusCode.UNAVAILABLE


class Late(Fault):
    """The deadline passed first; what became of the call is not known."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class DataLoss(Fault):
    """Bytes are gone or differ from what they should be."""

    code = grpc.StatusCode.DATA_LOSS


class Unimplemented(Fault):
    """There is no such method here."""

    code = grpc.StatusCode.UNIMPLEMENTED


def defect(error: Exception) -> Fault:
    """Say to whoever called that something of ours broke; its words are for the log alone."""
    return Fault(
        "INTERNAL",
        "A defect of ours, and it is logged; try again, and report it if it comes back.",
        metadata={"kind": type(error).__name__},
    )


_BY_CODE: dict[int, type[Fault]] = {
    kind.code.value[0]: kind
    for kind in (
        *(Invalid, Missing, Exists, Precondition, Stale, Exhausted, Denied),
        *(Unauthenticated, OutOfRange, Unavailable, Late, DataLoss, Unimplemented),
    )
}


_DETAILS: dict[str, type[Message]] = {
    kind.DESCRIPTOR.full_name: kind
    for kind in (
        error_details_pb2.ErrorInfo,
        error_details_pb2.BadRequest,
        error_details_pb2.RetryInfo,
    )
}


def to_status(fault: Fault) -> status_pb2.Status:
    """Render *fault* as google.rpc.Status with ErrorInfo, BadRequest and RetryInfo."""
    metadata = {name: _cut(value, _MOST_NAMED) for name, value in fault.metadata.items()}
    info = error_details_pb2.ErrorInfo(reason=fault.reason, domain=DOMAIN, metadata=metadata)
    details = [_packed(info)]
    if fault.fields:
        bad = error_details_pb2.BadRequest()
        for field, description in _told(fault.fields):
            bad.field_violations.add(field=field, description=description)
        details.append(_packed(bad))
    if fault.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(fault.retry_after * 1000))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    message = _cut(fault.message, _MOST_SAID if fault.message.isascii() else _MOST_SAID // 2)
    return status_pb2.Status(code=fault.code.value[0], message=message, details=details)


def from_status(status: status_pb2.Status) -> Fault:
    """Turn a google.rpc.Status back into the `Fault` that it was."""
    reason, metadata, fields = "", {}, {}
    wait: float | None = None
    for detail in status.details:
        kind = _DETAILS.get(detail.type_url.rpartition("/")[2])
        match found := kind and kind.FromString(detail.value):
            case error_details_pb2.ErrorInfo():
                reason, metadata = found.reason, found.metadata
            case error_details_pb2.BadRequest():
                fields = {each.field: each.description for each in found.field_violations}
            case error_details_pb2.RetryInfo():
                wait = found.retry_delay.ToMilliseconds() / 1000
    return _BY_CODE.get(status.code, Fault)(
        reason or code_pb2.Code.Name(status.code),
        status.message,
        metadata=metadata,
        fields=fields,
        retry_after=wait,
    )


def from_rpc(error: grpc.aio.AioRpcError, peer: str) -> Fault:
    """Turn a failed call to *peer* into a `Fault`; a peer that is not there is Unavailable."""
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # the details contradict the status: somebody on the way made another
        status = None
    if status is not None and status.details:
        return from_status(status)
    code, said = error.code(), error.details() or ""
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return Unavailable(
            "SERVICE_UNAVAILABLE",
            f"The {peer} service does not answer; try again in a moment.",
            metadata={"service": peer},
            retry_after=1.0,
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Late(
            "SERVICE_UNAVAILABLE",
            f"The {peer} service did not answer in time; try again in a moment.",
            metadata={"service": peer},
            retry_after=1.0,
        )
    kind = _BY_CODE.get(code.value[0], Fault)
    return kind("INTERNAL", f"{peer}: {said}", metadata={"service": peer})


def was_cut(fault: Fault) -> bool:
    """Tell whether *fault* is a peer that went away, and not a peer that said no."""
    if isinstance(fault, Unavailable | Late):
        return fault.reason == "SERVICE_UNAVAILABLE"
    # A broken HTTP/2 stream may come as INTERNAL or UNKNOWN; then the peer said nothing itself.
    return type(fault) is Fault and "service" in fault.metadata


def _told(fields: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    left = _MOST_TOLD
    for name, why in islice(fields.items(), _MOST_FIELDS):
        told = _cut(name, _MOST_NAMED), _cut(why, _MOST_NAMED)
        left -= sum(len(text.encode()) for text in told) + 8
        if left < 0:
            return
        yield told


def _cut(text: str, most: int) -> str:
    """Return the beginning of *text*, *most* bytes of UTF-8 at most; … says that there was more."""
    if len(text) <= most and text.isascii():
        return text
    found = text[: most + 1].encode("utf-8", "replace")
    if len(found) <= most:
        return found.decode()
    return found[: most - 3].decode("utf-8", "ignore") + "…"


def _packed(message: Message) -> any_pb2.Any:
    name = message.DESCRIPTOR.full_name
    return any_pb2.Any(type_url=f"type.googleapis.com/{name}", value=message.SerializeToString())
