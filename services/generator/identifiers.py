"""Identifiers: UUIDv7 for purchases, so that their index grows at one end only."""

import os
import re
import time
import uuid

from chassis.errors import Invalid

_JOB = re.compile(r"jobs/[1-9][0-9]{0,17}")


def uuid7() -> str:
    """A UUIDv7: 48 bits of milliseconds, then chance."""
    number = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=number))


def is_uuid(text: str) -> bool:
    """Whether *text* is a UUID in its usual form."""
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def number_of(name: str) -> int:
    """The number in "jobs/7" or "users/7"."""
    return int(name.rpartition("/")[2])


def job_name(text: str) -> str:
    """Check that *text* is a job's name."""
    if not _JOB.fullmatch(text):
        wrong = "must be 'jobs/' and a number"
        raise Invalid(
            "REQUEST_INVALID",
            f"{text[:80]!r} is no job's name: it {wrong}.",
            metadata={"field": "name"},
            fields={"name": wrong},
        )
    return text
