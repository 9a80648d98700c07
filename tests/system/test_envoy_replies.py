"""What Envoy answers by itself, with nobody behind it: problem+json, and grpc-status to gRPC."""

import json
import socket
import socketserver
import struct
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from cli import envoy
from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from tests import patient
from tests.leash import leashed
from tests.ports import free_ports

pytestmark = pytest.mark.skipif(
    envoy.installed() is None, reason="Envoy has no package for this platform"
)
_ONE_MORE = {
    "num_retries: 42": "num_retries: 1",
    "num_retries: 16": "num_retries: 1",
    "num_retries: 20": "num_retries: 1",
}
_SHORTER = _ONE_MORE | {"request_headers_timeout: 10s": "request_headers_timeout: 2s"}
_OF_THE_SILENT = _SHORTER | {"timeout: 60s": "timeout: 0.3s"}  # nothing comes, however late


@pytest.fixture(scope="module")
def silent() -> Iterator[socket.socket]:
    """A gateway that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", free_ports(1)[0])) as server:
        yield server


def started(
    folder: Path, gateway: int, shorter: Mapping[str, str]
) -> tuple[subprocess.Popen[bytes], int]:
    """Return an Envoy in front of *gateway*, which logs to edge.log in *folder*, and its port."""
    edge, *nobody = free_ports(4)
    ports = dict(zip(("generator", "storage", "catalog"), ([port] for port in nobody), strict=True))
    text = envoy.on_loopback(envoy.SOURCE.read_text(), edge, ports | {"gateway": [gateway]})
    for long, short in shorter.items():
        assert long in text
        text = text.replace(long, short)
    configuration = folder / "envoy.yaml"
    configuration.write_text(text)
    command = [str(envoy.installed()), "-c", str(configuration), "--concurrency", "1", "-l", "off"]
    command = leashed([*command, "--disable-hot-restart"])
    with (folder / "edge.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log)
    while True:
        try:
            patient.get(f"http://127.0.0.1:{edge}/metrics")
        except httpx.ConnectError:
            assert process.poll() is None
        else:
            return process, edge


@pytest.fixture(scope="module", params=["nobody", "silent"])
def edges(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    silent: socket.socket,
) -> Iterator[tuple[str, int]]:
    gateway, shorter = free_ports(1)[0], _SHORTER
    if request.param == "silent":
        gateway, shorter = silent.getsockname()[1], _OF_THE_SILENT
    process, port = started(tmp_path_factory.mktemp("edge"), gateway, shorter)
    yield request.param, port
    process.terminate()
    process.wait()


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    assert (found["status"], found["code"]) == (status, code)
    assert found["type"] == f"urn:imagestudio:problem:{code.lower().replace('_', '-')}"
    assert found["title"]
    assert found["detail"]
    return found


def test_no_gateway_is_a_problem_that_says_to_come_again(edges: tuple[str, int]) -> None:
    kind, port = edges
    answer = patient.get(f"http://127.0.0.1:{port}/images/jobs")
    status = 503 if kind == "nobody" else 504
    assert "Idempotency-Key" in problem(answer, status, "SERVICE_UNAVAILABLE")["detail"]
    assert answer.json()["retry_after"] == 1
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("path", ["/metrics", "/imagestudio.catalog.v1.LedgerService/Admit"])
def test_what_is_not_routed_is_a_problem(edges: tuple[str, int], path: str) -> None:
    answer = patient.get(f"http://127.0.0.1:{edges[1]}{path}")
    assert "/docs" in problem(answer, 404, "RESOURCE_UNKNOWN")["detail"]


class _Dying(socketserver.BaseRequestHandler):
    """A gateway that each request kills: it is read, and its connection is reset."""

    def handle(self) -> None:
        if self.request.recv(65536):
            self.server.killed.append(1)
            now = struct.pack("ii", 1, 0)
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)


_WITHOUT_WAITS = {
    "base_interval: 0.025s": "base_interval: 0.001s",
    "max_interval: 4s": "max_interval: 0.002s",
}


@pytest.fixture(scope="module")
def dying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, list[int]]]:
    """The port of an Envoy in front of it, and what killed it."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", free_ports(1)[0]), _Dying) as server:
        server.killed, server.daemon_threads = [], True
        threading.Thread(target=server.serve_forever).start()
        folder = tmp_path_factory.mktemp("edge")
        process, port = started(folder, server.server_address[1], _WITHOUT_WAITS)
        yield port, server.killed
        process.terminate()
        process.wait()
        server.shutdown()


@pytest.mark.parametrize(
    ("method", "path", "headers", "times"),
    [
        ("GET", "/images/jobs", {}, 17),
        ("GET", "/images/events", {}, 17),
        ("POST", "/images/generate", {"Idempotency-Key": "k"}, 17),
        ("POST", "/images/generate/stream", {"Idempotency-Key": "k"}, 17),
        ("POST", "/images/generate", {}, 1),
    ],
)
def test_a_request_that_kills_the_gateway_is_not_sent_for_ever(
    dying: tuple[int, list[int]], method: str, path: str, headers: dict[str, str], times: int
) -> None:
    port, killed = dying
    before = len(killed)
    answer = patient.request(method, f"http://127.0.0.1:{port}{path}", headers=headers)
    problem(answer, 503, "SERVICE_UNAVAILABLE")
    assert len(killed) - before == times


def test_headers_that_are_not_taken_are_a_problem(edges: tuple[str, int]) -> None:
    url = f"http://127.0.0.1:{edges[1]}/"
    long = patient.get(url, headers={"x-long": "x" * 70_000})
    assert "60 KiB" in problem(long, 431, "REQUEST_INVALID")["detail"]
    odd = patient.get(url, headers={"x_odd": "1"})
    assert "underscore" in problem(odd, 400, "REQUEST_INVALID")["detail"]


def test_a_request_that_does_not_come_whole_is_a_problem(edges: tuple[str, int]) -> None:
    with socket.create_connection(("127.0.0.1", edges[1]), 10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        with connection.makefile("rb") as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == 408


async def test_grpc_gets_its_own_status(edges: tuple[str, int]) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{edges[1]}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as nobody:
            await GeneratorServiceStub(channel).ListModels(pb.ListModelsRequest(), timeout=60)
        ledger = channel.unary_unary("/imagestudio.catalog.v1.LedgerService/Admit")
        with pytest.raises(grpc.aio.AioRpcError) as unrouted:
            await ledger(b"", timeout=60)
    assert nobody.value.code() is grpc.StatusCode.UNAVAILABLE
    assert unrouted.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "{" not in f"{nobody.value.details()}{unrouted.value.details()}"


def test_grpc_web_gets_its_own_status(edges: tuple[str, int]) -> None:
    answer = patient.post(
        f"http://127.0.0.1:{edges[1]}/imagestudio.generator.v1.GeneratorService/ListModels",
        content=struct.pack(">BI", 0, 0),
        headers={"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"},
    )
    assert answer.headers["content-type"].startswith("application/grpc-web")
    assert answer.headers["grpc-status"] == "14"


class Closing(socketserver.StreamRequestHandler):
    """Takes a request and closes, as a gateway that ends just then; answers each second one."""

    def handle(self) -> None:
        if not (line := self.rfile.readline()):
            return
        while self.rfile.readline().strip():
            pass
        assert isinstance(self.server, Gateway)
        self.server.asked.append(line.split()[0].decode())
        if len(self.server.asked) % 2 == 0:
            self.wfile.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


class Gateway(socketserver.ThreadingTCPServer):
    """Notes the methods that it is *asked*."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", free_ports(1)[0]), Closing)


READS = ("/images/models", "/i/picture", "/images/events", "/images/jobs/1/events", "/")
ORDERS = ("/images/generate", "/images/generate/stream", "/images/enhance-prompt")


KEYED = ("/images/generate", "/images/generate/stream")


@pytest.fixture
def closing(tmp_path: Path) -> Iterator[tuple[Gateway, str]]:
    with Gateway() as gateway:
        threading.Thread(target=gateway.serve_forever, daemon=True).start()
        process, port = started(tmp_path, gateway.server_address[1], _ONE_MORE)
        yield gateway, f"http://127.0.0.1:{port}"
        process.terminate()
        process.wait()
        gateway.shutdown()


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [("GET", path, {}) for path in READS]
    + [("POST", path, {"Idempotency-Key": "dawn"}) for path in KEYED],
)
def test_what_may_be_done_twice_is_asked_again(
    closing: tuple[Gateway, str], method: str, path: str, key: dict[str, str]
) -> None:
    gateway, url = closing
    assert patient.request(method, f"{url}{path}", headers=key).status_code == 204
    assert gateway.asked == [method, method]


@pytest.mark.parametrize("path", ORDERS)
def test_an_order_that_was_sent_is_not_sent_again(closing: tuple[Gateway, str], path: str) -> None:
    gateway, url = closing
    assert patient.post(f"{url}{path}").status_code == 503
    assert gateway.asked == ["POST"]


def test_a_failure_is_logged_and_a_picture_s_path_is_not(tmp_path: Path) -> None:
    process, port = started(tmp_path, free_ports(1)[0], _ONE_MORE)
    try:
        for path in ("/images/jobs", "/i/secret", "//i/secret", "/i/%73ecret/thumbnail"):
            patient.get(f"http://127.0.0.1:{port}{path}?token=hunter2")
    finally:
        process.terminate()  # it writes what it still holds
        process.wait()
    lines = [json.loads(line) for line in (tmp_path / "edge.log").read_text().splitlines()]
    paths = [line["path"] for line in lines if line["code"] == 503]
    assert sorted(paths) == ["/i/…", "/i/…", "/i/…", "/images/jobs"]
    assert "ecret" not in str(lines)
    assert "hunter2" not in str(lines)
