"""One trace from the gateway to the provider, seen by a collector; logs that are JSON; metrics."""

import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests import patient
from tests.ports import free_port
from tests.system.client import generate
from tests.system.stack import running_stack

PICTURE = {"prompt": "a lighthouse at dawn", "models": ["sketch"], "size": "64x64"}
PROCESSES = {"gateway", "generator", "catalog", "storage"}


class Collector(BaseHTTPRequestHandler):
    """Takes spans as OTLP over HTTP; `seen` maps a trace to the processes in it."""

    seen: ClassVar[dict[bytes, set[str]]] = defaultdict(set)
    names: ClassVar[dict[bytes, set[str]]] = defaultdict(set)
    heard = threading.Condition()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        request = ExportTraceServiceRequest.FromString(body)
        with self.heard:
            for found in request.resource_spans:
                process = next(
                    a.value.string_value for a in found.resource.attributes
                    if a.key == "service.name"
                )  # fmt: skip
                for scope in found.scope_spans:
                    for span in scope.spans:
                        self.seen[span.trace_id].add(process)
                        self.names[span.trace_id].add(span.name)
            self.heard.notify_all()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_words):
        """Say nothing."""


@pytest.fixture
def collected():
    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        with running_stack(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as stack:
            yield stack
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_one_trace_runs_through_every_process_to_the_provider(collected):
    generate(collected.url, PICTURE)

    def whole():
        return any(
            seen >= PROCESSES and "buy" in Collector.names[trace]
            for trace, seen in Collector.seen.items()
        )

    with Collector.heard:
        assert Collector.heard.wait_for(whole, 120), dict(Collector.seen)


def test_a_picture_s_link_is_in_no_trace_since_it_opens_the_picture(collected):
    (image,) = generate(collected.url, PICTURE).completed["images"]
    assert patient.get(image["url"]).status_code == 200
    link = image["url"].rpartition("/")[2]

    def named():
        return {name for names in Collector.names.values() for name in names}

    with Collector.heard:
        assert Collector.heard.wait_for(lambda: "GET /i/{link}" in named(), 120), named()
        assert not any(link in name for name in named())


def test_every_line_of_our_logs_is_json_and_names_its_process(stack):
    generate(stack.url, PICTURE)
    for name in ("catalog", "storage", "generator-1", "gateway"):
        for line in stack.logs(name).splitlines():
            assert json.loads(line)["process"] == name.partition("-")[0]


def test_every_process_tells_its_metrics(stack):
    generate(stack.url, PICTURE)
    for name in ("CATALOG_PORT", "STORAGE_PORT", "GENERATOR_PORT"):
        text = patient.get(f"http://127.0.0.1:{stack.port(name) + 100}/metrics").text
        assert "studio_rpc_seconds_count" in text
    gateway = patient.get(f"http://127.0.0.1:{stack.port('GATEWAY_PORT')}/metrics").text
    assert "studio_http" in gateway
