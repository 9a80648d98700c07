"""
Signatures as Cloudinary counts them: of requests (version 2), of answers (version 1), of URLs.

Which hash was meant shows in the length, for no request says it.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from lab.cloudinary.refusals import Refusal, missing

_UNSIGNED = frozenset({"file", "cloud_name", "resource_type", "api_key", "signature"})
_SIGNED_FOR = timedelta(hours=1)
_HASHES = {40: hashlib.sha1, 64: hashlib.sha256}

Fields = Mapping[str, str | list[str]]


def string_to_sign(fields: Fields, version: int = 2) -> str:
    """Sorted as whole strings; version 2 keeps an & in a value from passing for a separator."""
    signed = (
        f"{name}={value if isinstance(value, str) else ','.join(value)}"
        for name, value in fields.items()
        if name not in _UNSIGNED and value
    )
    return "&".join(sorted(part.replace("&", "%26") if version > 1 else part for part in signed))


def signature(fields: Fields, secret: str, *, version: int = 2, characters: int = 40) -> str:
    """The signature of *fields*: 40 *characters* are SHA-1, 64 SHA-256."""
    text = string_to_sign(fields, version) + secret
    return _HASHES[characters](text.encode()).hexdigest()


def check(fields: Fields, secret: str, now: datetime) -> None:
    """Refuse a request that *secret* did not sign within the last hour."""
    given = fields.get("signature", "")
    if not isinstance(given, str) or not given:
        raise missing("signature")
    if len(given) not in _HASHES or not hmac.compare_digest(
        signature(fields, secret, characters=len(given)).encode(), given.encode()
    ):
        text = string_to_sign(fields)
        raise Refusal(401, f"Invalid Signature {given}. String to sign - '{text}'.")
    _check_age(fields.get("timestamp", ""), now)


def _check_age(timestamp: str | list[str], now: datetime) -> None:
    if not timestamp:
        raise missing("timestamp")
    if not isinstance(timestamp, str) or not (timestamp.isascii() and timestamp.isdigit()):
        raise Refusal(400, f"Invalid timestamp - {timestamp}")
    age = now.timestamp() - int(timestamp)
    if abs(age) > _SIGNED_FOR.total_seconds():
        said = datetime.fromtimestamp(min(int(timestamp), 1 << 36), UTC)
        where = "ago" if age > 0 else "in the future"
        raise Refusal(
            400,
            f"Stale request - reported time is {said:%Y-%m-%d %H:%M:%S} +0000"
            f" which is more than 1 hour {where}",
        )


def signs_url(given: str, path: str, secret: str) -> bool:
    """Whether *given*, from between ``s--`` and ``--``, signs *path*: short, or long SHA-256."""
    text = (path + secret).encode()
    short = base64.urlsafe_b64encode(hashlib.sha1(text).digest()).decode()[:8]  # noqa: S324
    long = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).decode()[:32]
    return any(
        hmac.compare_digest(given.encode(), good.encode()) for good in (short, long, long[:8])
    )
