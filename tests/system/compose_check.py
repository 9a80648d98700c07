"""
What `compose_check.sh` asks of a running stack, through Envoy like everybody else.

Needs nothing but the standard library. Prints a line for each thing that holds and ends with the
first that does not.
"""

import hashlib
import http.client
import json
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

BEGAN = time.monotonic()
COUNT, SECONDS = 3, 10  # pictures of the job that loses its generator, and how long each is drawn
GENERATORS = ("generator-1", "generator-2")
OURS = ("catalog", "storage", *GENERATORS, "gateway")

# Runs in a generator's container.
ASK = (
    "import urllib.request as u; print(u.urlopen('http://127.0.0.1:7103/metrics').read().decode())"
)
# Runs in the gateway's container, which has grpcio: native gRPC through Envoy.
CALLS = """
import grpc
from imagestudio.generator.v1 import generator_service_pb2 as generator
from imagestudio.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from imagestudio.catalog.v1 import ledger_service_pb2 as ledger
from imagestudio.catalog.v1.ledger_service_pb2_grpc import LedgerServiceStub
with grpc.insecure_channel("envoy:8080") as channel:
    listed = GeneratorServiceStub(channel).ListModels(generator.ListModelsRequest(), timeout=10)
    assert "sketch" in str(listed.models), listed
    try:
        LedgerServiceStub(channel).ReadEvents(ledger.ReadEventsRequest(), timeout=10)
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED, error
    else:
        raise AssertionError("LedgerService answers through Envoy")
"""


def main(kill: list[str]) -> None:
    edge = Edge(compose("port", "envoy", "8080").strip())
    as_configured(edge)
    keeps_a_picture(edge)
    speaks_grpc(edge)
    survives(edge, kill)


@dataclass(frozen=True, slots=True)
class Event:
    kind: str
    data: dict[str, Any]
    sequence: int


@dataclass(slots=True)
class Watch:
    """The events of one job, over as many connections as it takes; *sequences* has the durable."""

    edge: "Edge"
    job_id: str
    sequences: list[int] = field(default_factory=list)
    cuts: int = 0

    def __iter__(self) -> Iterator[Event]:
        give_up = time.monotonic() + 120
        while time.monotonic() < give_up:
            last = {"Last-Event-ID": str(self.sequences[-1])} if self.sequences else {}
            path = f"/images/jobs/{self.job_id}/events"
            try:
                for event in events(self.edge.open("GET", path, headers=last)):
                    if event.sequence:
                        self.sequences.append(event.sequence)
                    yield event
                    if event.kind == "completed":
                        return
            except (OSError, http.client.HTTPException) as error:
                say(f"(the watch was cut: {error!r}; it resumes after {last or 'nothing'})")
            self.cuts += 1
            time.sleep(0.3)
        raise AssertionError(f"job {self.job_id} did not complete within 120 s")


@dataclass(frozen=True, slots=True)
class Edge:
    """Envoy's *address*, host and port."""

    address: str

    def open(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        """Send a request; *body* is bytes, or sent as JSON."""
        content = "application/json"
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else None
        request = urllib.request.Request(
            f"http://{self.address}{path}",
            data,
            {"Content-Type": content, "Accept-Encoding": "gzip, br, zstd"} | (headers or {}),
            method=method,
        )
        return urllib.request.urlopen(request, timeout=30)  # a comment comes every 15 s

    def json(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        with self.open(method, path, body, {"Accept-Encoding": "identity"}) as answer:
            return json.load(answer)


def events(answer: http.client.HTTPResponse) -> Iterator[Event]:
    """Read server-sent events as they come; they must come uncompressed."""
    assert answer.headers["Content-Encoding"] is None, answer.headers
    kind, data, sequence = "", "", 0
    with answer:
        for raw in answer:
            name, _, text = raw.decode().rstrip("\n").partition(":")
            text = text.removeprefix(" ")
            match name:
                case "event":
                    kind = text
                case "data":
                    data += text
                case "id":
                    sequence = int(text)
                case "" if not text and data:
                    yield Event(kind, json.loads(data), sequence)
                    kind, data, sequence = "", "", 0  # live events have no id


def as_configured(edge: Edge) -> None:
    assert edge.address.startswith("127.0.0.1:"), edge.address
    published = compose("ps", "--format", "{{.Ports}}")
    assert "0.0.0.0" not in published, published
    assert "[::]" not in published, published
    assert published.count("->") == 1, published
    say(f"only Envoy is published, on {edge.address}")
    for service in OURS:
        status = compose("exec", "-T", service, "cat", "/proc/1/status")
        found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert "0" not in found["Uid"].split(), f"{service} runs as root"
        assert int(found["CapEff"], 16) == 0, f"{service} has capabilities {found['CapEff']}"
    say(f"{', '.join(OURS)} run as nobody of note, without a capability")


def keeps_a_picture(edge: Edge) -> None:
    asked = {"prompt": "a lighthouse at dawn", "seed": 7, "size": "512x512"}
    found = list(events(edge.open("POST", "/images/generate/stream", asked)))
    kinds = [event.kind for event in found]
    assert kinds[0] == "accepted" and kinds[-1] == "completed", kinds  # noqa: PT018
    assert [event.sequence for event in found if event.sequence] == log(found[-1])
    outcome = found[-1].data
    assert outcome["state"] == "succeeded", outcome
    (image,) = outcome["images"]
    fetched(edge, image)
    with edge.open("GET", path_of(image["thumbnail_url"])) as answer:
        assert answer.headers["Content-Type"] == "image/webp", answer.headers
    say(f"a prompt became {image['url']}: its bytes have the hash that was told, and a thumbnail")


def speaks_grpc(edge: Edge) -> None:
    command = ["docker", "compose", "exec", "-T", "gateway", "python", "-c", CALLS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    say("GeneratorService answers gRPC through Envoy, LedgerService is not there")


def survives(edge: Edge, kill: list[str]) -> None:
    asked = {
        "prompt": "three boats in a storm",
        "count": COUNT,
        "size": "512x512",
        "parameters": {"sketch": {"seconds": SECONDS}},
    }
    job_id = edge.json("POST", "/images/generate", asked)["job_id"]
    watch, killed = Watch(edge, job_id), False
    for event in watch:
        if event.kind == "progress" and not killed:
            (drawer, *_) = [name for name in GENERATORS if is_drawing(name)]
            say(f"{drawer} draws job {job_id}; kill -9")
            subprocess.run([*kill, drawer], check=True)
            killed = True
    assert killed, "the job completed before anything could be killed"
    moved = sql(
        "SELECT count(*) FROM purchases WHERE (fence > 1 OR attempt > 1) "
        f"AND job_id = {int(job_id)}"
    )
    assert int(moved) > 0, "no purchase changed hands: nobody who drew was killed"
    assert watch.sequences == log(event), watch.sequences
    complete(edge, job_id, event.data)
    say(
        f"job {job_id} has exactly {COUNT} variants; {moved} purchases changed hands, "
        f"its {len(watch.sequences)} events came without a gap ({watch.cuts} reconnects)"
    )


def is_drawing(generator: str) -> bool:
    metrics = compose("exec", "-T", generator, "python", "-c", ASK).splitlines()
    (held,) = [line.split()[1] for line in metrics if line.startswith("studio_purchases_open ")]
    return float(held) > 0


def complete(edge: Edge, job_id: str, outcome: dict[str, Any]) -> None:
    assert outcome["state"] == "succeeded", outcome
    assert [image["version_number"] for image in outcome["images"]] == list(range(1, COUNT + 1))
    assert edge.json("GET", f"/images/jobs/{job_id}")["images"] == outcome["images"]
    assert sql(f"SELECT count(*) FROM image_variants WHERE job_id = {int(job_id)}") == str(COUNT)
    for image in outcome["images"]:
        fetched(edge, image)


def log(last: Event) -> list[int]:
    """Return the sequence numbers that a log up to *last* must have."""
    return list(range(1, last.sequence + 1))


def fetched(edge: Edge, image: dict[str, Any]) -> None:
    with edge.open("GET", path_of(image["url"])) as answer:
        assert hashlib.sha256(answer.read()).hexdigest() == image["image_hash"], image
        assert answer.headers["Content-Type"] == image["media_type"], answer.headers


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def sql(query: str) -> str:
    return compose("exec", "-T", "postgres", "psql", "-XAtqU", "studio", "-c", query).strip()


def compose(*arguments: str) -> str:
    return subprocess.run(
        ["docker", "compose", *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def kill_by_pid(service: str) -> None:
    """Kill -9 the main process of *service* and wait until Docker has it healthy again."""
    container = compose("ps", "--quiet", service).strip()
    restarts, pid, _ = _state(container)
    subprocess.run(["kill", "-9", pid], check=True)
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        now = _state(container)
        if now[0] != restarts and now[2] == "healthy":
            return
        time.sleep(0.2)
    raise SystemExit(f"{service} did not come back: {_state(container)}")


def _state(container: str) -> list[str]:
    wanted = "{{.RestartCount}} {{.State.Pid}} {{.State.Health.Status}}"
    command = ["docker", "inspect", "--format", wanted, container]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def say(what: str) -> None:
    print(f"[{time.monotonic() - BEGAN:5.1f} s] {what}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--kill"]:
        kill_by_pid(sys.argv[2])
    else:
        given = shlex.split(" ".join(sys.argv[1:]))
        main(given or [sys.executable, __file__, "--kill"])
