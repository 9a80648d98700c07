"""
Whether a webhook was signed by who holds its secret, just now (standardwebhooks.com, v1).

By ourselves, since Replicate's package costs each start more than all that it checks here ever
would, and does not load on every Python; a test holds both against each other.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping

_WINDOW = 300  # seconds in which a webhook must come, either way: clocks differ


def check(headers: Mapping[str, str], body: bytes, secret: str) -> None:
    """Raise LookupError or ValueError where *body* was not; *headers* have lower-case names."""
    moment = headers["webhook-timestamp"]
    if abs(int(time.time()) - int(moment)) > _WINDOW:
        raise ValueError("not signed just now")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    if not key:
        raise ValueError("an empty secret, with which anybody signs")
    said = b".".join([headers["webhook-id"].encode(), moment.encode(), body])
    expected = b"v1," + base64.b64encode(hmac.digest(key, said, hashlib.sha256))
    given = headers["webhook-signature"].encode().split()
    if not any(hmac.compare_digest(each, expected) for each in given):
        raise ValueError("not signed with that secret")
