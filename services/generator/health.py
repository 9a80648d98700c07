"""How the watched providers do, as the ledger's last answer told: for people and for metrics."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import prometheus_client

from chassis import errors
from imagestudio.catalog.v1 import ledger_pb2

BREAKER = prometheus_client.Gauge(
    "studio_provider_breaker",
    "Orders leave for a provider (0), one tries (1), none does (2).",
    ("provider",),
)
_CLOSED = ledger_pb2.BREAKER_STATE_CLOSED
_SHOWN = {_CLOSED: 0, ledger_pb2.BREAKER_STATE_HALF_OPEN: 1, ledger_pb2.BREAKER_STATE_OPEN: 2}


@dataclass(slots=True)
class Health:
    """The last that was heard of each; who is not named is well."""

    _ill: dict[str, ledger_pb2.ProviderHealth] = field(default_factory=dict)

    def learn(self, told: Iterable[ledger_pb2.ProviderHealth]) -> None:
        """Take *told* in place of what was heard before."""
        self._ill = {}
        for each in told:
            BREAKER.labels(each.provider).set(_SHOWN.get(each.state, 0))
            if each.state != _CLOSED:
                self._ill[each.provider] = each

    def trouble(self, provider: str) -> tuple[str, str] | None:
        """Reason, and what is to be done about it ("": wait), of one that fails or refuses us."""
        found = self._ill.get(provider)
        if found is None:
            return None
        if not found.HasField("refusal"):
            return "PROVIDER_UNAVAILABLE", ""
        return errors.from_status(found.refusal).reason, found.refusal.message
