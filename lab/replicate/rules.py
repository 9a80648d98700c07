"""What is not known of Replicate, or differs from account to account: to be changed by tests."""

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """
    How this Replicate behaves; a rate of None is no limit.

    *creates_burst*: so many come at once; None: a minute's. *rate_headers*: whether answers tell
    what is left of a rate. *retry_after_header*: whether a 429 has it beside its body.
    *expired_status*: of a file that is gone. *shows_webhook*: whether a prediction tells its
    webhook. *fills_in_defaults*: whether the input comes back with what was left out.
    *account*: the user name of whose token it is, whichever comes.
    """

    creates_per_minute: int | None = 600
    creates_burst: int | None = None
    others_per_minute: int | None = 3000
    rate_headers: bool = True
    retry_after_header: bool = False
    expired_status: int = 404
    shows_webhook: bool = True
    fills_in_defaults: bool = False
    account: str = "lab"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def changed(self, settings: dict[str, Any]) -> "Rules":
        """Other rules; raise ValueError with what is wrong."""
        for name, value in settings.items():
            usual = getattr(Rules(), name)
            if name.endswith(("_per_minute", "_burst")):
                right = value is None or (type(value) is int and value > 0)
            elif name == "account":
                right = isinstance(value, str) and value.isascii() and value.isprintable()
            elif name == "expired_status":
                right = type(value) is int and 400 <= value <= 599
            else:
                right = isinstance(value, bool)
            if not right:
                raise ValueError(f"{name} is {value!r}; its usual value is {usual!r}")
        return replace(self, **settings)
