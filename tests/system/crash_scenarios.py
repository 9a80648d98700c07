"""What is asked of a stack so that it passes each named point of the code, and dies there."""

import hashlib
import io
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import grpc
import httpx
import pytest
from PIL import Image

from imagestudio.storage.v1 import storage_service_pb2 as pb
from imagestudio.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from tests import patient
from tests.system.books import ask
from tests.system.client import PATIENCE, Job, generate

Scenario = Callable[..., tuple[Job, int | None]]
SLOW = {"parameters": {"sketch": {"seconds": 2}}}
ENDLESS = {"parameters": {"sketch": {"seconds": 20}}}  # it is interrupted
SLOWER = {"parameters": {"sketch": {"seconds": 5}}}  # that a cancel comes before the end
PROMPT = {"prompt": "a lighthouse at dawn", "models": ["sketch"], "size": "128x128"}
BOUGHT = {"prompt": "a lighthouse at dawn", "models": ["flux-schnell"]}
DRAWN_UPON = {"prompt": "a lighthouse at dawn", "models": ["flux-1.1-pro"]}
SOLD = {*BOUGHT["models"], *DRAWN_UPON["models"]}


def plain(stack, trap: Path) -> tuple[Job, int]:
    """Two images of one purchase, with the trap set before anything is asked."""
    trap.touch(mode=0o666)
    return generate(stack.url, BOUGHT | {"count": 2}), 2


def drawn_here(stack, trap: Path) -> tuple[Job, int]:
    """Two images of a synchronous provider, whose answers become receipts."""
    trap.touch(mode=0o666)
    return generate(stack.url, PROMPT | {"count": 2}), 2


def rewritten(stack, trap: Path) -> tuple[Job, int]:
    """A prompt is rewritten first; dead or alive, that is paid for once, and told if it is lost."""
    written = f"http://127.0.0.1:{stack.port('LAB_PORT')}/_lab/requests"
    before = patient.get(written).json().get("openai", {}).get("chat", 0)
    trap.touch(mode=0o666)
    job = generate(stack.url, BOUGHT | {"smart_prompt": True})
    assert patient.get(written).json().get("openai", {}).get("chat", 0) - before <= 1
    assert len(job.of("prompt_enhanced")) + len(job.of("warning")) == 1
    return job, 1


class Watching:
    """A job that is watched on a thread of its own, to its end."""

    def __init__(self, url: str, body: dict[str, object]) -> None:
        self.job, self._heard = Job(""), threading.Condition()
        self._thread = threading.Thread(target=self._watch, args=(url, body))

    def _watch(self, url: str, body: dict[str, object]) -> None:
        generate(url, body, job=self.job, heard=self._hear)

    def _hear(self) -> None:
        with self._heard:
            self._heard.notify_all()

    def until(self, kind: str) -> None:
        """Wait for an event of *kind*."""
        with self._heard:
            assert self._heard.wait_for(lambda: self.job.of(kind), PATIENCE), self.job.events

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._thread.join()


def while_drawing(stack, trap: Path) -> tuple[Job, int]:
    """An image that takes two seconds; the trap is set once it is being drawn."""
    with Watching(stack.url, PROMPT | SLOW) as watching:
        watching.until("progress")
        trap.touch(mode=0o666)
    return watching.job, 1


def unclear(stack, trap: Path) -> tuple[Job, int]:
    """A worker dies between the order and its answer, so that it must be looked up."""
    first = trap.with_name("buy.before_send")
    first.touch(mode=0o666)
    trap.touch(mode=0o666)
    return generate(stack.url, BOUGHT), 1


def answer_lost(stack, trap: Path) -> tuple[Job, int]:
    """The vendor takes the order, charges it and hangs up: the worker doubts, and dies at that."""
    fault = {"vendor": "replicate", "where": "create", "kind": "drop_after", "times": 1}
    lab = f"http://127.0.0.1:{stack.port('LAB_PORT')}/_lab/faults"
    patient.put(lab, json=[fault]).raise_for_status()
    trap.touch(mode=0o666)
    job = generate(stack.url, BOUGHT)
    patient.delete(lab).raise_for_status()
    return job, 1


def made_twice(stack, trap: Path) -> tuple[Job, int]:
    """The vendor takes the order twice; the job is shown once both pictures are kept."""
    lab = f"http://127.0.0.1:{stack.port('LAB_PORT')}/_lab/faults"
    twice = {"vendor": "replicate", "where": "create", "kind": "duplicate", "times": 1}
    patient.put(lab, json=[twice]).raise_for_status()
    trap.touch(mode=0o666)
    job = generate(stack.url, BOUGHT)
    patient.delete(lab).raise_for_status()
    stack.await_(lambda: len(shown(stack, job)) == 2)
    return job, len(job.completed["images"])


def shown(stack, job: Job):
    """The images that *job* has now: one that was bought twice may get the second when it ended."""
    try:
        found = patient.get(f"{stack.url}{job.url}", timeout=10)
        return found.raise_for_status().json()["images"]
    except httpx.HTTPError:
        return []


def stopped(stack, trap: Path) -> tuple[Job, int]:
    """The generator is asked to end while it draws, gives the drawing back, and dies at that."""
    with Watching(stack.url, PROMPT | ENDLESS) as watching:
        watching.until("progress")
        trap.touch(mode=0o666)
        stack.kill("generator-1", signal.SIGTERM)
    return watching.job, 1


def source_away(stack, trap: Path) -> tuple[Job, int]:
    """The vendor's file host fails once: the purchase is put down, with its pictures unfetched."""
    fault = {"vendor": "replicate", "where": "file", "kind": "status:503", "times": 1}
    lab = f"http://127.0.0.1:{stack.port('LAB_PORT')}/_lab/faults"
    patient.put(lab, json=[fault]).raise_for_status()
    trap.touch(mode=0o666)
    job = generate(stack.url, BOUGHT)
    patient.delete(lab).raise_for_status()
    return job, 1


def same_again(stack, trap: Path) -> tuple[Job, int]:
    """The same picture is bought a second time: one file, two notes beside it."""
    seeded = PROMPT | {"seed": 7}
    generate(stack.url, seeded)
    trap.touch(mode=0o666)
    return generate(stack.url, seeded), 1


def reference(stack, trap: Path) -> tuple[Job, int]:
    """A user uploads a picture and deletes it, each until it is answered."""
    job, file = generate(stack.url, PROMPT), io.BytesIO()
    Image.frombytes("RGB", (8, 8), os.urandom(192)).save(file, "PNG")
    picture = file.getvalue()
    trap.touch(mode=0o666)
    name = f"assets/{hashlib.sha256(picture).hexdigest()}"
    with grpc.insecure_channel(f"127.0.0.1:{stack.port('STORAGE_PORT')}") as channel:
        storage = StorageServiceStub(channel)
        header = pb.UploadHeader(size_bytes=len(picture))
        parts = [pb.UploadAssetRequest(header=header), pb.UploadAssetRequest(chunk=picture)]
        assert insist(storage.UploadAsset, lambda: iter(parts)).asset.name == name
        insist(storage.DeleteAsset, lambda: pb.DeleteAssetRequest(name=name, allow_missing=True))
        with pytest.raises(grpc.RpcError) as gone:
            insist(storage.GetAsset, lambda: pb.GetAssetRequest(name=name))
    assert gone.value.code() is grpc.StatusCode.NOT_FOUND
    return job, 1


def drawn_upon(stack, trap: Path) -> tuple[Job, int]:
    """An image that is drawn from another, which is too large to go inside the order."""
    file = io.BytesIO()
    Image.frombytes("RGB", (400, 300), os.urandom(360_000)).save(file, "PNG")
    sent = patient.post(f"{stack.url}/images/references", content=file.getvalue())
    trap.touch(mode=0o666)
    given = [{"id": sent.raise_for_status().json()["id"]}]
    return generate(stack.url, DRAWN_UPON | {"references": given}), 1


_NOT_THERE = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)


def insist(method, request):
    """Call until the service is there to answer; a killed one is back after some seconds."""
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            return method(request(), timeout=10, wait_for_ready=True)
        except grpc.RpcError as error:
            ends = error.code() not in _NOT_THERE
            if ends or time.monotonic() > give_up:
                raise


def canceled(stack, trap: Path) -> tuple[Job, None]:
    """A job that is canceled while it is drawn, the cancel repeated until it is answered."""
    with Watching(stack.url, PROMPT | {"count": 2} | SLOWER) as watching:
        watching.until("progress")
        trap.touch(mode=0o666)
        with patient.Client(base_url=stack.url, timeout=10) as http:
            stack.await_(lambda: answered(http, f"{watching.job.url}/cancel"))
    return watching.job, None


def canceled_there(stack, trap: Path) -> tuple[Job, None]:
    """A bought job that is canceled while its vendor draws it, slowly."""
    pace = f"http://127.0.0.1:{stack.port('LAB_PORT')}/_lab/pace"
    usual = patient.get(pace).json()
    patient.put(pace, json=usual | {"seconds": 5}).raise_for_status()
    with Watching(stack.url, BOUGHT) as watching:
        watching.until("purchased")
        trap.touch(mode=0o666)
        with patient.Client(base_url=stack.url, timeout=10) as http:
            stack.await_(lambda: answered(http, f"{watching.job.url}/cancel"))
    patient.put(pace, json=usual).raise_for_status()
    return watching.job, None


def answered(http: httpx.Client, path: str) -> bool:
    try:
        return http.post(path).status_code == 200
    except httpx.HTTPError:
        return False


def answer_cut(stack, trap: Path) -> tuple[Job, int]:
    """A worker dies over the answer of a vendor that nobody can ask again."""
    trap.touch(mode=0o666)
    return generate(stack.url, BOUGHT | {"models": ["recraft-v3"]}), 0


def preview_cut(stack, trap: Path) -> tuple[Job, int]:
    """A worker dies in the middle of a stream, over an unfinished picture."""
    trap.touch(mode=0o666)
    wanted = {"gpt-image-2": {"partial_images": 1}}
    return generate(stack.url, BOUGHT | {"models": ["gpt-image-2"], "parameters": wanted}), 0


def picture_gone(stack, trap: Path) -> tuple[Job, int]:
    """The vendor's file host has it no more, and a worker dies over saying so."""
    lab = f"http://127.0.0.1:{stack.port('LAB_PORT')}/_lab/faults"
    gone = {"vendor": "replicate", "where": "file", "kind": "status:410"}
    patient.put(lab, json=[gone]).raise_for_status()
    trap.touch(mode=0o666)
    job = generate(stack.url, BOUGHT)
    patient.delete(lab).raise_for_status()
    return job, 0


def edge_refused(stack, trap: Path) -> tuple[Job, int]:
    """The ledger takes no outputs for a while: the work fails, and a worker dies over that."""
    forbid = "ADD CONSTRAINT none_drawn CHECK (state <> 'drawn') NOT VALID"
    ask(stack, f"ALTER TABLE purchases {forbid}")
    trap.touch(mode=0o666)
    with Watching(stack.url, BOUGHT) as watching:
        stack.await_(lambda: not trap.exists())
        ask(stack, "ALTER TABLE purchases DROP CONSTRAINT none_drawn")
    return watching.job, 1


SCENARIOS = {
    "language": rewritten,
    "spending": rewritten,
    "answer": answer_cut,
    "preview": preview_cut,
    "fail": edge_refused,
    "lose": picture_gone,
    "sweep": while_drawing,
    "heartbeat": while_drawing,
    "lookup": unclear,
    "settle": unclear,
    "stray": made_twice,
    "cancel": canceled,
    "canceling": canceled_there,
    "end": canceled,
    "release": stopped,
    "receipt": drawn_here,
    "unclear": answer_lost,
    "upload": drawn_upon,
    "reference": drawn_upon,
    "park": source_away,
    "storage.assets.before_forget": reference,
    "storage.assets.after_forget": reference,
    "storage.imports.before_pictures": drawn_here,
    "storage.imports.after_pictures": drawn_here,
    "storage.keep.before_record": reference,
    "storage.keep.after_record": reference,
    "storage.shelves.before_removal": reference,
    "storage.shelves.after_removal": reference,
    "storage.shelves.after_removal_sync": reference,
    "storage.shelves.before_extra_rename": same_again,
    "storage.shelves.after_extra_rename": same_again,
    "storage.shelves.after_extra_folder_sync": same_again,
    "ledger.before_cancel": canceled,
    "ledger.after_cancel": canceled,
}
