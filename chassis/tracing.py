"""
Traces for OpenTelemetry: imported, as their API and SDK are, only where they are switched on.

Spans are never the current one across a yield, and so are kept in a context of our own.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_traced: ContextVar[Context | None] = ContextVar("traced", default=None)


class Tracing:
    """Exports the spans of *process* to the OTLP/HTTP *endpoint*."""

    def __init__(self, process: str, endpoint: str) -> None:
        self._provider = TracerProvider(resource=Resource.create({"service.name": process}))
        exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + "/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
        self._tracer = self._provider.get_tracer("imagestudio")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self, name: str, parent: Mapping[str, str] | None, attributes: Mapping[str, str | int]
    ) -> Iterator[None]:
        """Time a piece of work under the running trace, or under the one in *parent*."""
        found = _traced.get() if parent is None else self._propagator.extract(dict(parent))
        made = self._tracer.start_span(name, found, attributes=dict(attributes))
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

    def carried(self) -> dict[str, str]:
        """Return the headers that take the running trace to another process."""
        headers: dict[str, str] = {}
        if (context := _traced.get()) is not None:
            self._propagator.inject(headers, context)
        return headers

    def flush(self) -> None:
        """Send what is still held back, and end."""
        self._provider.shutdown()
