"""One generator of a stack, spoken to over gRPC without anybody in between."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format

from cli import processes
from cli.folder import Folder
from cli.settings import NAMES, SECRETS, load
from cli.shape import Shape
from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from imagestudio.type.v1.job_event_pb2 import JobEvent
from imagestudio.type.v1.job_pb2 import JobSpec
from tests.leash import leashed
from tests.ports import free_port

PATIENCE = 120.0  # seconds
_STILL = 64 * 1024  # bytes by which memory that does not grow may differ


class Replica:
    """The generator on *port*; *name* is its process's."""

    def __init__(self, name: str, port: int, host: str = "127.0.0.1") -> None:
        self.name, self.port = name, port
        self.channel = grpc.insecure_channel(f"{host}:{port}")
        self.stub = GeneratorServiceStub(self.channel)

    def await_ready(self, patience: float = PATIENCE) -> None:
        """Return when it takes calls."""
        grpc.channel_ready_future(self.channel).result(patience)

    def start(self, spec: dict[str, Any], request_id: str = "", timeout: float = 60.0) -> str:
        """Start a job, or find it again by its request; return its name."""
        request_id = request_id or str(uuid.uuid4())
        asked = json_format.ParseDict(spec, JobSpec())
        request = pb.StartGenerationRequest(spec=asked, request_id=request_id)
        return self.stub.StartGeneration(request, timeout=timeout, wait_for_ready=True).job.name

    def watch(self, job: str, after: int = 0) -> list[JobEvent]:
        """All durable events of *job* to its end."""
        request = pb.WatchGenerationRequest(name=job, after_sequence=after)
        answers = self.stub.WatchGeneration(request, timeout=PATIENCE, wait_for_ready=True)
        return [answer.event for answer in answers if answer.event.sequence]

    def generate(self, spec: dict[str, Any]) -> list[JobEvent]:
        return self.watch(self.start(spec))


def replicas(stack: Any, count: int) -> list[Replica]:
    """The generators that the stack's supervisor runs."""
    first = stack.port("GENERATOR_PORT")
    return [Replica(f"generator-{n + 1}", first + n) for n in range(count)]


def told(stack: Any, name: str) -> dict[str, str]:
    """
    The environment that a process of the stack is started with (Linux).

    It is planned again as its supervisor did: /proc shows a fork that of the zygote.
    """
    pairs = Path(f"/proc/{stack.process.pid}/environ").read_bytes().split(b"\0")
    given = dict(pair.decode().split("=", 1) for pair in pairs if b"=" in pair)
    shape = Shape.of(json.loads((stack.data / "stack.json").read_text()))
    plan = processes.stack(load(given), Folder(stack.data), shape)
    [found] = [each for each in plan if each.name == name]
    others = {word: text for word, text in given.items() if word not in {*NAMES, *SECRETS}}
    return others | dict(found.environment)


@contextmanager
def one_more(
    stack: Any,
    module: str,
    name: str,
    environment: dict[str, str],
    placed: Callable[[list[str]], list[str]] = list,
) -> Iterator[int]:
    """
    Run one more process beside the stack's own, as *name* for its log; gives its pid.

    *placed* makes its command one that runs it elsewhere.
    """
    command = leashed(placed([sys.executable, "-m", module]))
    with (stack.data / "logs" / f"{name}.log").open("wb") as log:
        started = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield started.pid
    finally:
        started.terminate()
        started.wait()


@contextmanager
def beside(stack: Any, name: str, **changes: str) -> Iterator[Replica]:
    """Run one more generator, told what the stack's first one is told, but for *changes*."""
    port = free_port()
    environment = told(stack, "generator-1") | {"GENERATOR_PORT": str(port)} | changes
    with one_more(stack, "services.generator", name, environment):
        replica = Replica(name, port)
        yield replica
        replica.channel.close()


def kinds(events: list[JobEvent]) -> list[str]:
    return [str(event.WhichOneof("event")) for event in events]


def sleeps(pid: int) -> bool:
    """Whether the process was stopped, and not gone on (Linux)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@contextmanager
def asleep(stack: Any, name: str) -> Iterator[None]:
    """Stop a process and its children meanwhile, and let them go on (Linux)."""
    pid = stack.kill(name, signal.SIGSTOP)
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for child in map(int, children):
        os.kill(child, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in (*map(int, children), pid):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGCONT)


def nap(stack: Any, name: str, seconds: float) -> None:
    """Stop a process and its children for so long."""
    with asleep(stack, name):
        time.sleep(seconds)


def settled(stack: Any, names: tuple[str, ...]) -> dict[str, int]:
    """The memory of some processes, in bytes, once it does not grow any more (Linux)."""
    last, now = {}, {name: _pss(stack, name) for name in names}
    while any(abs(now[name] - last.get(name, 0)) > _STILL for name in names):
        time.sleep(0.5)
        last, now = now, {name: _pss(stack, name) for name in names}
    return now


def _pss(stack: Any, name: str) -> int:
    text = Path(f"/proc/{stack.ps()[name]}/smaps_rollup").read_text()
    [line] = [line for line in text.splitlines() if line.startswith("Pss:")]
    return int(line.split()[1]) * 1024
