"""Why a purchase ended, as the ledger's JSON and as google.rpc.Status."""

from typing import Any

from google.rpc import status_pb2

from chassis import errors

Evidence = dict[str, Any]
SHORT = "IMAGES_MISSING"
_SHORT = "short"  # where evidence says so beside whatever else it tells; queries look for it
WAITS = "waits"  # where evidence says so: the reason why a picture waits to be kept
UNSENT = "unsent"  # likewise: why an order waits to be sent
_TOLD = "told"  # where evidence says so: who waits has heard of it


def evidence(status: status_pb2.Status) -> Evidence | None:
    """Take out of *status* what the ledger keeps; None where it is empty."""
    if not status.code and not status.message:
        return None
    fault = errors.from_status(status)
    return {
        "code": status.code,
        "reason": _clean(fault.reason),
        "message": _clean(fault.message),
        "metadata": {_clean(key): _clean(text) for key, text in fault.metadata.items()},
    }


def after(first: Evidence | None, last: Evidence | None) -> Evidence | None:
    """Let *last* begin with what was said *first*, which is all that the provider ever said."""
    if not first or not last:
        return last or first
    return last | {"message": f"{first['message'].rstrip('.')}; {last['message']}"}


def short(came: int, ordered: int, cost: int) -> Evidence:
    """Say that fewer images came than were ordered, at *cost* micro-USD in all."""
    message = (
        f"{came} of the {ordered} images that were ordered came, for {cost / 1e6:.6f} USD in all. "
        "What came is kept; ask again for what is missing."
    )
    return said(SHORT, message, code=15) | {_SHORT: message}


def still(first: Evidence | None, last: Evidence) -> Evidence:
    """Let *last* not hide what the *first* said beside: that images are missing, or who waits."""
    return last | {key: first[key] for key in (_SHORT, WAITS, UNSENT) if first and key in first}


def waiting(first: Evidence | None, why: Evidence, what: str) -> Evidence:
    """
    Say beside what was said *first* that the one of WAITS and UNSENT waits that *what* names.

    What went wrong decides, not that.
    """
    told = still(first, why) if first is None or _only_waits(first) else first
    return told | {what: why["reason"]}


def as_told(error: Evidence) -> Evidence:
    """Note that who waits was told of *error*."""
    return error | {_TOLD: True}


def was_told(found: Evidence | None) -> bool:
    """Whether who waits was told of it."""
    return found is not None and _TOLD in found


def waits_for(found: Evidence | None, what: str) -> str | None:
    """The reason why a picture, WAITS, or an order, UNSENT, was last told to wait."""
    return found.get(what) if found else None


def in_the_end(last: Evidence | None) -> Evidence | None:
    """What remains to be said of what is kept: that some are missing, whatever went wrong since."""
    if last is None or _only_waits(last):
        return None
    if is_short(last):
        return said(SHORT, last[_SHORT], code=15) | {_SHORT: last[_SHORT]}
    return last


def _only_waits(found: Evidence) -> bool:
    return found["reason"] in (waits_for(found, WAITS), waits_for(found, UNSENT))


def is_short(found: Evidence | None) -> bool:
    """Whether it tells that fewer images came than were ordered."""
    return found is not None and _SHORT in found


def _clean(text: str) -> str:
    """Take out NUL: a provider may say it, and PostgreSQL holds none."""
    return text.replace("\x00", "")


def status(found: Evidence | None) -> status_pb2.Status | None:
    """Render what the ledger kept."""
    if found is None:
        return None
    fault = errors.Fault(found["reason"], found["message"], metadata=found["metadata"])
    rendered = errors.to_status(fault)
    rendered.code = found["code"]
    return rendered


def said(reason: str, message: str, *, code: int = 2, **metadata: str) -> Evidence:
    """Say in the ledger's own words why a purchase ended."""
    return {"code": code, "reason": reason, "message": message, "metadata": metadata}
