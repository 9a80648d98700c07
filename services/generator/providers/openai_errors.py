"""What OpenAI's errors say of themselves: by code or type, since their words speak of billing
also where a mere rate is used up.
"""

from typing import Any

_EMPTY = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


def is_of_account(error: dict[str, Any]) -> bool:
    """Whether nothing can be paid, by any order."""
    return not _EMPTY.isdisjoint((str(error.get("code")), str(error.get("type"))))
