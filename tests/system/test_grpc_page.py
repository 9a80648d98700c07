"""The examples of docs/grpc.md, as they stand there, with nothing of ours but the protos."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from imagestudio.generator.v1 import generator_service_pb2 as messages
from imagestudio.generator.v1 import generator_service_pb2_grpc as services
from tests import patient
from tests.system.stack import CHECKOUT, Stack

PAGE = (CHECKOUT / "docs" / "grpc.md").read_text("utf-8")
[MAKE] = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
[CLIENT] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client and what the page makes of the protos."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "protos").symlink_to(CHECKOUT / "protos")
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    subprocess.run(["sh", "-euc", MAKE], cwd=folder, env=os.environ | {"PATH": path}, check=True)
    (folder / "client.py").write_text(CLIENT, "utf-8")
    (folder / "stubs" / "sitecustomize.py").write_text(_TELL_PAUSES, "utf-8")
    return folder


# Python runs it first: each pause of the client is told as it begins.
_TELL_PAUSES = """
import sys, time

def tell(_frame, event, called):
    if event == "c_call" and called is time.sleep:
        print("pauses")

sys.setprofile(tell)
"""


def drawn(made: Path, address: str) -> list[str]:
    """What the client that draws at *address* prints, and its pauses, line by line."""
    done = subprocess.run(
        [sys.executable, "client.py", address], cwd=made, check=True, text=True, timeout=120,
        stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(made / "stubs")},
    )  # fmt: skip
    return done.stdout.splitlines()


def test_a_client_is_made_of_the_protos_alone(stack: Stack, made: Path) -> None:
    *_pauses, link = drawn(made, stack.url.removeprefix("http://"))
    assert patient.get(link).headers["content-type"] == "image/png"


class Interrupted(services.GeneratorServiceServicer):
    """Ends a job's stream well before the job has ended, then has none, then the rest of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def GenerateImages(
        self, _request: messages.GenerateImagesRequest, _context: grpc.ServicerContext
    ) -> Iterator[messages.GenerateImagesResponse]:
        answer = messages.GenerateImagesResponse()
        answer.event.job, answer.event.sequence = "jobs/7", 1
        answer.event.accepted.SetInParent()
        yield answer

    def WatchGeneration(
        self, request: messages.WatchGenerationRequest, context: grpc.ServicerContext
    ) -> Iterator[messages.WatchGenerationResponse]:
        self.asked.append((request.name, request.after_sequence))
        if len(self.asked) == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "it starts again")
        kept = messages.WatchGenerationResponse()
        kept.event.sequence, kept.event.image_kept.url = 2, "http://a.test/1"
        yield kept
        ended = messages.WatchGenerationResponse()
        ended.event.sequence = 3
        ended.event.completed.SetInParent()
        yield ended


def test_the_client_goes_on_after_either_end_of_a_stream_with_a_pause(made: Path) -> None:
    script, server = Interrupted(), grpc.server(ThreadPoolExecutor(4))
    services.add_GeneratorServiceServicer_to_server(script, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        assert drawn(made, f"127.0.0.1:{port}") == ["pauses", "pauses", "http://a.test/1"]
    finally:
        server.stop(None).wait()
    assert script.asked == [("jobs/7", 1)] * 2
