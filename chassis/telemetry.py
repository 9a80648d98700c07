"""
Metrics for Prometheus, and traces for OpenTelemetry.

Tracing is off, and its SDK not even imported, unless OTEL_EXPORTER_OTLP_ENDPOINT is set.
Spans are made with `span`, never as the current one across a yield; the context travels
as the W3C `traceparent` of a call's metadata.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import prometheus_client
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

RPC_SECONDS = prometheus_client.Histogram(
    "studio_rpc_seconds",
    "Time of the calls served, by method and status code.",
    ("method", "code"),
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 60),
)

_traced: ContextVar[Context | None] = ContextVar("traced", default=None)
_propagator = TraceContextTextMapPropagator()
_on = False


def configure(process: str, endpoint: str) -> None:
    """Export spans of *process* to the OTLP/HTTP *endpoint*; nothing where it is empty."""
    global _on  # noqa: PLW0603  # decided once, before the loop begins
    if not endpoint:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": process}))
    exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + "/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    trace.set_tracer_provider(provider)
    _on = True


def flush() -> None:
    """Send what is still held back; at the end of a process."""
    if _on:
        trace.get_tracer_provider().shutdown()  # type: ignore[attr-defined]


@contextmanager
def span(
    name: str, *, parent: Mapping[str, str] | None = None, **attributes: str | int
) -> Iterator[None]:
    """Time a piece of work under the running trace, or under the one in *parent*."""
    if not _on:
        yield
        return
    context = _propagator.extract(dict(parent)) if parent is not None else _traced.get()
    made = trace.get_tracer("imagestudio").start_span(name, context, attributes=attributes)
    before = _traced.get()
    _traced.set(trace.set_span_in_context(made))
    try:
        yield
    except BaseException as error:
        made.record_exception(error)
        raise
    finally:
        made.end()
        _traced.set(before)


def carried() -> dict[str, str]:
    """Return the headers that take the running trace to another process."""
    headers: dict[str, str] = {}
    if _on and (context := _traced.get()) is not None:
        _propagator.inject(headers, context)
    return headers
