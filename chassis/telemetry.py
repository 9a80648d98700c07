"""
Metrics for Prometheus, and traces for OpenTelemetry.

Tracing is off, and neither its API nor its SDK imported, unless OTEL_EXPORTER_OTLP_ENDPOINT is
set. Spans are made with `span`; the context travels as the W3C `traceparent` of a call's metadata.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING

import prometheus_client
from prometheus_client.metrics import MetricWrapperBase

if TYPE_CHECKING:
    from chassis.tracing import Tracing

RPC_SECONDS = prometheus_client.Histogram(
    "studio_rpc_seconds",
    "Time of the calls served, by method and status code.",
    ("method", "code"),
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 60),
)

_OFF: AbstractContextManager[None] = nullcontext()
_tracing: "Tracing | None" = None


def configure(process: str, endpoint: str) -> None:
    """Export spans of *process* to the OTLP/HTTP *endpoint*; nothing where it is empty."""
    global _tracing  # noqa: PLW0603  # decided once, before the loop begins
    if endpoint:
        from chassis.tracing import Tracing

        _tracing = Tracing(process, endpoint)


def forget(packages: Sequence[str]) -> None:
    """Show no metric that a module of *packages* holds: of others, who run elsewhere."""
    for name, module in list(sys.modules.items()):
        if any(name == each or name.startswith(f"{each}.") for each in packages):
            for value in vars(module).values():
                if isinstance(value, MetricWrapperBase):
                    with suppress(KeyError):  # another module's, imported from it
                        prometheus_client.REGISTRY.unregister(value)


def flush() -> None:
    """Send what is still held back; at the end of a process."""
    if _tracing:
        _tracing.flush()


def span(
    name: str, *, parent: Mapping[str, str] | None = None, **attributes: str | int
) -> AbstractContextManager[None]:
    """Time a piece of work under the running trace, or under the one in *parent*."""
    return _tracing.span(name, parent, attributes) if _tracing else _OFF


def carried() -> dict[str, str]:
    """Return the headers that take the running trace to another process."""
    return _tracing.carried() if _tracing else {}
