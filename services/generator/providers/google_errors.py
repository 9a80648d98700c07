"""
What Google's errors say of themselves: by the reasons in their details, which are those of
google.api.ErrorReason, and by their words where they have none.
"""

from typing import Any

_OF_THE_KEY = (  # how the reasons begin that are about every order of a key
    *("API_KEY_", "ACCESS_TOKEN_", "CREDENTIALS_", "CONSUMER_"),
    *("SERVICE_DISABLED", "ACCOUNT_STATE_INVALID"),
)
_OVERLOADED = ("overloaded", "high demand")


def is_of_account(error: dict[str, Any]) -> bool:
    """Whether nothing can be paid, by any order."""
    if reason := _reason(error):
        return reason == "BILLING_DISABLED"
    return error.get("status") == "FAILED_PRECONDITION" and "billing" in _words(error)


def is_of_key(status: int, error: dict[str, Any]) -> bool:
    """Whether the key is taken for no order, and not just for this one's model."""
    if reason := _reason(error):
        return reason.startswith(_OF_THE_KEY)
    return status == 403 and "api key" in _words(error)


def is_overloaded(error: dict[str, Any]) -> bool:
    """Whether it had no room to begin; another UNAVAILABLE may have been at work already."""
    said = _words(error)
    return error.get("status") == "UNAVAILABLE" and any(each in said for each in _OVERLOADED)


def wait(error: dict[str, Any]) -> str:
    """The seconds that it sends us away for, as in "7.5"; empty where it does not say."""
    return str(_detail(error, "RetryInfo").get("retryDelay", "")).removesuffix("s")


def _reason(error: dict[str, Any]) -> str:
    return str(_detail(error, "ErrorInfo").get("reason") or "")


def _words(error: dict[str, Any]) -> str:
    return str(error.get("message", "")).lower()


def _detail(error: dict[str, Any], kind: str) -> dict[str, Any]:
    details = error.get("details")
    told = [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []
    return next((each for each in told if str(each.get("@type")).endswith(f".{kind}")), {})
