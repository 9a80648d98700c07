"""What a request may say: names, words, sizes, masks. Whatever it may not is Invalid, by field."""

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from google.protobuf import field_mask_pb2

from chassis.errors import Invalid

_NUMBER = "([1-9][0-9]{0,17})"
_JOB = re.compile(f"jobs/{_NUMBER}")
_PARENT = re.compile(f"jobs/(?:-|{_NUMBER})")
_VARIANT = re.compile(f"jobs/(?:-|{_NUMBER})/variants/{_NUMBER}")
_PRESET = re.compile(f"presets/(?:{_NUMBER}|([a-z][a-z0-9-]{{0,62}}))")
_API_KEY = re.compile(f"apiKeys/{_NUMBER}")
_ASPECT = re.compile(r"([1-9][0-9]{0,3}):([1-9][0-9]{0,3})")
_MOST = 1000  # rows of a page


def invalid(field: str, description: str) -> Invalid:
    """Make the refusal of *field*; *description* completes "field …"."""
    return Invalid(
        "REQUEST_INVALID",
        f"{field} {description}.",
        metadata={"field": field},
        fields={field: description},
    )


def job_id(name: str, field: str = "name") -> int:
    """Read "jobs/12"."""
    return int(_matched(_JOB, name, field, "'jobs/' and a number")[1])


def parent_job(name: str) -> int | None:
    """Read "jobs/12", or "jobs/-" as None."""
    found = _matched(_PARENT, name, "parent", "'jobs/' and a number, or 'jobs/-' for all jobs")[1]
    return int(found) if found else None


def variant(name: str, field: str = "name") -> tuple[int | None, int]:
    """Read "jobs/12/variants/34" as its two numbers; the first is None for "-"."""
    job, number = _matched(_VARIANT, name, field, "'jobs/12/variants/34' with numbers").groups()
    return int(job) if job else None, int(number)


def preset(name: str, field: str = "name") -> int | str:
    """Read "presets/5" as a number, "presets/poster" as a key."""
    wish = "'presets/' and a number or a preset's key"
    number, key = _matched(_PRESET, name, field, wish).groups()
    return int(number) if number else str(key)


def api_key(name: str) -> int:
    """Read "apiKeys/7"."""
    return int(_matched(_API_KEY, name, "name", "'apiKeys/' and a number")[1])


def _matched(pattern: re.Pattern[str], name: str, field: str, wish: str) -> re.Match[str]:
    found = pattern.fullmatch(name)
    if found is None:
        raise invalid(field, f"must be {wish}")
    return found


def text(value: str, field: str, most: int, *, least: int = 0) -> str:
    """Take a text of *least* to *most* characters that PostgreSQL can hold."""
    if not least <= len(value) <= most:
        raise invalid(field, f"must have {least} to {most} characters, not {len(value)}")
    if "\x00" in value:
        raise invalid(field, "must not contain the character NUL")
    return value


def texts(values: Sequence[str], field: str) -> list[str] | None:
    """Take some words, 64 at most; None where there are none."""
    if len(values) > 64:
        raise invalid(field, f"must have 64 values at most, not {len(values)}")
    return [text(value, field, 200) for value in values] or None


def page_size(wanted: int) -> int:
    """Take a page size: 0 is 50, above 1000 is 1000."""
    if wanted < 0:
        raise invalid("page_size", "must not be negative")
    return min(wanted or 50, _MOST)


def request_id(value: str, field: str = "request_id") -> str | None:
    """Take a UUID in any of its spellings; None where it is empty."""
    if not value:
        return None
    try:
        return str(UUID(value))
    except ValueError:
        raise invalid(field, "must be a UUID") from None


def time_of(message: Any, field: str, path: str = "") -> datetime | None:
    """Take the time in *field* of *message*, of the years 1 to 9999; None where it is unset."""
    if not message.HasField(field):
        return None
    try:
        found: datetime = getattr(message, field).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        named = f"{path}.{field}" if path else field
        raise invalid(named, "must be a time of the years 1 to 9999") from None
    return found


def aspect(value: str, field: str) -> float | None:
    """Take "16:9" as 1.78; None where it is empty."""
    if not value:
        return None
    found = _ASPECT.fullmatch(value)
    if found is None:
        raise invalid(field, "must be two numbers such as '16:9'")
    return int(found[1]) / int(found[2])


def paths(mask: field_mask_pb2.FieldMask, allowed: Collection[str]) -> frozenset[str] | None:
    """Take a mask of *allowed* paths; None where it is unset."""
    if len(mask.paths) > 64:
        raise invalid("update_mask", "must have 64 paths at most")
    for path in mask.paths:
        if path not in allowed:
            wish = "must have only " + ", ".join(sorted(allowed))
            raise invalid("update_mask", f"{wish}, not {path[:80]!r}")
    return frozenset(mask.paths) or None
