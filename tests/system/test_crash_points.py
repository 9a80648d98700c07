"""
Kill -9 at every named point of the code, then look: one variant each, no gap, live links.

The rows come from the source: a new point without a scenario that passes it fails here.
"""

import hashlib
import io
import os
import re
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
from tests.ports import free_port
from tests.system.books import ask
from tests.system.client import Job, generate, prove_whole
from tests.system.stack import CHECKOUT, running_stack

POINT = re.compile(r'\bpoint\("([^"]+)"\)')
SOURCES = [path for top in ("services", "gateway") for path in (CHECKOUT / top).rglob("*.py")]
FOUND = sorted(name for path in SOURCES for name in POINT.findall(path.read_text()))
Scenario = Callable[..., tuple[Job, int | None]]
SLOW = {"parameters": {"sketch": {"seconds": 2}}}
PROMPT = {"prompt": "a lighthouse at dawn", "models": ["sketch"], "size": "128x128"}
BOUGHT = {"prompt": "a lighthouse at dawn", "models": ["flux-schnell"]}
DRAWN_UPON = {"prompt": "a lighthouse at dawn", "models": ["flux-1.1-pro"]}
SOLD = {*BOUGHT["models"], *DRAWN_UPON["models"]}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """A stack whose processes die where a file in its folder says so."""
    folder = tmp_path_factory.mktemp("faults")
    folder.chmod(0o777)
    lab = {"LAB_PORT": str(free_port()), "LAB_PACE": "0.1"}
    settings = {
        "LANGUAGE_SECONDS": "2",
        "WORKER_PATIENCE": "1",
        "LOOKUP_LAG": "0",
        "RECONCILE_SECONDS": "1",
        **lab,
    }
    with running_stack("--lab", FAULT_FOLDER=str(folder), **settings) as stack:
        yield stack, folder


def test_every_point_has_a_name_of_its_own():
    assert len(FOUND) == len(set(FOUND)) >= 20


@pytest.mark.parametrize("point", FOUND)
def test_a_kill_here_loses_and_doubles_nothing(faulty, point):
    stack, folder = faulty
    trap, before = folder / point, Vendors(stack)
    scenario = SCENARIOS.get(point) or SCENARIOS.get(point.partition(".")[0], plain)
    job, count = scenario(stack, trap)
    stack.await_(lambda: not trap.exists())  # somebody died there
    if count is None:
        prove_canceled(before, Vendors(stack), job)
    elif count == 0:
        prove_without(before, Vendors(stack), job, *NO_PICTURE[point.partition(".")[0]])
    else:
        prove_whole(job, count)
        stack.await_(lambda: published(stack, job))
        prove_once(before, Vendors(stack), shown(stack, job))
    stack.await_(lambda: httpx.get(f"{stack.url}/readyz").status_code == 200)


class Vendors:
    """What the vendors know now: what they charged, and what the CDN holds."""

    def __init__(self, stack) -> None:
        lab = f"http://127.0.0.1:{stack.port('LAB_PORT')}/_lab"
        charges = httpx.get(f"{lab}/ledger").json()["charges"]
        self.charges = [each for each in charges if each["vendor"] != "openai"]  # it writes
        self.assets = {
            each["public_id"]: each["sha256"] for each in httpx.get(f"{lab}/assets").json()
        }


def prove_once(before: Vendors, after: Vendors, images) -> None:
    """Each purchase of *images* was charged once, and each picture is one asset with its hash."""
    sold = [image for image in images if image["model"] in SOLD]
    charges = after.charges[len(before.charges) :]
    assert sum(charge["images"] for charge in charges) == len(sold)
    assert {charge["purchase_id"] for charge in charges} <= {one["purchase_id"] for one in sold}
    assert len(charges) == len({one["purchase_id"] for one in sold})
    kept = {image["image_hash"] for image in images}
    fresh = {key: found for key, found in after.assets.items() if key not in before.assets}
    assert set(fresh.values()) <= kept <= set(after.assets.values())
    assert len(fresh) <= len(kept)


def published(stack, job: Job) -> bool:
    """Whether all that was kept has its CDN's URL, and the CDN those bytes."""
    images = httpx.get(f"{stack.url}{job.url}", timeout=10).json()["images"]
    if not all("/cloudinary/" in image["url"] for image in images):
        return False
    found = [httpx.get(image["url"], timeout=10).content for image in images]
    hashes = [hashlib.sha256(content).hexdigest() for content in found]
    assert hashes == [image["image_hash"] for image in images]
    return True


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
    before = httpx.get(written).json().get("openai", {}).get("chat", 0)
    trap.touch(mode=0o666)
    job = generate(stack.url, BOUGHT | {"smart_prompt": True})
    assert httpx.get(written).json().get("openai", {}).get("chat", 0) - before <= 1
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
            assert self._heard.wait_for(lambda: self.job.of(kind), 30), self.job.events

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
    httpx.put(lab, json=[fault]).raise_for_status()
    trap.touch(mode=0o666)
    job = generate(stack.url, BOUGHT)
    httpx.delete(lab).raise_for_status()
    return job, 1


def made_twice(stack, trap: Path) -> tuple[Job, int]:
    """The vendor takes the order twice; the job is shown once both pictures are kept."""
    lab = f"http://127.0.0.1:{stack.port('LAB_PORT')}/_lab/faults"
    twice = {"vendor": "replicate", "where": "create", "kind": "duplicate", "times": 1}
    httpx.put(lab, json=[twice]).raise_for_status()
    trap.touch(mode=0o666)
    job = generate(stack.url, BOUGHT)
    httpx.delete(lab).raise_for_status()
    stack.await_(lambda: len(shown(stack, job)) == 2, 60)
    return job, len(job.completed["images"])


def shown(stack, job: Job):
    """The images that *job* has now: one that was bought twice may get the second when it ended."""
    try:
        found = httpx.get(f"{stack.url}{job.url}", timeout=10)
        return found.raise_for_status().json()["images"]
    except httpx.HTTPError:
        return []


def stopped(stack, trap: Path) -> tuple[Job, int]:
    """The generator is asked to end while it draws, gives the drawing back, and dies at that."""
    with Watching(stack.url, PROMPT | SLOW) as watching:
        watching.until("progress")
        trap.touch(mode=0o666)
        stack.kill("generator-1", signal.SIGTERM)
    return watching.job, 1


def source_away(stack, trap: Path) -> tuple[Job, int]:
    """The vendor's file host fails once: the purchase is put down, with its pictures unfetched."""
    fault = {"vendor": "replicate", "where": "file", "kind": "status:503", "times": 1}
    lab = f"http://127.0.0.1:{stack.port('LAB_PORT')}/_lab/faults"
    httpx.put(lab, json=[fault]).raise_for_status()
    trap.touch(mode=0o666)
    job = generate(stack.url, BOUGHT)
    httpx.delete(lab).raise_for_status()
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
    sent = httpx.post(f"{stack.url}/images/references", content=file.getvalue(), timeout=30)
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
    give_up = time.monotonic() + 60
    while True:
        try:
            return method(request(), timeout=10, wait_for_ready=True)
        except grpc.RpcError as error:
            ends = error.code() not in _NOT_THERE
            if ends or time.monotonic() > give_up:
                raise


def canceled(stack, trap: Path) -> tuple[Job, None]:
    """A job that is canceled while it is drawn, the cancel repeated until it is answered."""
    with Watching(stack.url, PROMPT | {"count": 2} | SLOW) as watching:
        watching.until("progress")
        trap.touch(mode=0o666)
        with httpx.Client(base_url=stack.url, timeout=10) as http:
            stack.await_(lambda: answered(http, f"{watching.job.url}/cancel"))
    return watching.job, None


def canceled_there(stack, trap: Path) -> tuple[Job, None]:
    """A bought job that is canceled while its vendor draws it, slowly."""
    pace = f"http://127.0.0.1:{stack.port('LAB_PORT')}/_lab/pace"
    usual = httpx.get(pace).json()
    httpx.put(pace, json=usual | {"seconds": 5}).raise_for_status()
    with Watching(stack.url, BOUGHT) as watching:
        watching.until("purchased")
        trap.touch(mode=0o666)
        with httpx.Client(base_url=stack.url, timeout=10) as http:
            stack.await_(lambda: answered(http, f"{watching.job.url}/cancel"))
    httpx.put(pace, json=usual).raise_for_status()
    return watching.job, None


def answered(http: httpx.Client, path: str) -> bool:
    try:
        return http.post(path).status_code == 200
    except httpx.HTTPError:
        return False


def prove_canceled(before: Vendors, after: Vendors, job: Job) -> None:
    """A log without gap, an end for each purchase, and every charge is told."""
    numbers = [number for _kind, number in job.durable]
    assert numbers == list(range(1, len(numbers) + 1))
    completed = job.completed
    assert completed["state"] in ("canceled", "succeeded", "partially_succeeded")
    [queued] = job.of("queued")
    assert len(completed["images"]) + len(completed["failures"]) == len(queued["purchases"])
    charged = {charge["purchase_id"] for charge in after.charges[len(before.charges) :]}
    told = {one["purchase_id"] for one in completed["failures"] if one["charged"] is not False}
    assert charged == told | {image["purchase_id"] for image in completed["images"] if charged}


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
    httpx.put(lab, json=[gone]).raise_for_status()
    trap.touch(mode=0o666)
    job = generate(stack.url, BOUGHT)
    httpx.delete(lab).raise_for_status()
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


NO_PICTURE = {
    "answer": ("PURCHASE_UNCLEAR", None),
    "preview": ("PURCHASE_UNCLEAR", None),
    "lose": ("OUTPUT_LOST", True),
}


def prove_without(
    before: Vendors, after: Vendors, job: Job, reason: str, charged: bool | None
) -> None:
    """It was charged once, and the job says why nothing came of it."""
    [charge] = after.charges[len(before.charges) :]
    [failure] = job.completed["failures"]
    assert (failure["reason"], failure["charged"]) == (reason, charged)
    assert failure["purchase_id"] == charge["purchase_id"]
    assert not job.completed["images"]
    assert job.completed["cost_usd"] >= charge["usd"]


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
