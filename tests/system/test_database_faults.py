"""
PostgreSQL goes away in every way it knows while a vendor draws for money: nothing is lost,
nothing is charged twice, and without it nothing is bought.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from imagestudio.generator.v1 import generator_service_pb2, generator_service_pb2_grpc
from tests import patient
from tests.lab.process import Control
from tests.ports import free_port
from tests.postgres import running_postgres, temporary_data
from tests.system.client import generate, prove_whole
from tests.system.stack import Stack, descendants, running_stack
from tests.system.test_bad_days import Many, _fill

DRAW = {"prompt": "a lighthouse at dawn", "models": ["flux-1.1-pro"], "count": 2}
AWAY = "the database does not answer"
QUICK = {"LOOKUP_LAG": "1", "PUBLISH_WAIT": "0"}


@pytest.fixture(scope="module")
def lit_twice() -> Iterator[Stack]:
    with running_stack("--lab", "--generators", "2", **QUICK) as stack:
        yield stack


@pytest.fixture
def paced(lit_twice: Stack) -> tuple[Stack, Control]:
    """A stack behind a lab that draws for three seconds, as new."""
    lab = Control(f"http://127.0.0.1:{lit_twice.port('LAB_PORT')}")
    lab.reset()
    lab.pace(3)
    return lit_twice, lab


def prove_charged_once(lab: Control, many: Many) -> None:
    """Every image was kept, and paid for by one charge of its own purchase."""
    images = [image for job in many.jobs for image in job.completed["images"]]
    for job in many.jobs:
        prove_whole(job, 2)
    charges = Counter(charge["purchase_id"] for charge in lab.ledger())
    assert charges == Counter(image["purchase_id"] for image in images)
    assert lab.requests()["replicate"]["create"] == len(images)


WAYS_TO_END = {"restarted": signal.SIGINT, "asked": signal.SIGTERM, "killed": signal.SIGKILL}


@pytest.mark.parametrize("how", WAYS_TO_END.values(), ids=WAYS_TO_END)
def test_it_ends_and_comes_back(paced, how):
    """Asked with SIGTERM it would wait for ever for us, who stay connected."""
    stack, lab = paced
    heard = len(stack.said)
    with Many(stack.url, DRAW, 3) as many:
        stack.kill("postgres", how)
        stack.await_(lambda: any("postgres is back" in line for line in stack.said[heard:]))
    prove_charged_once(lab, many)


@pytest.mark.parametrize("seconds", [0, pytest.param(30, marks=pytest.mark.release)])
def test_it_stands_still_for_longer_than_anybody_waits(paced, seconds):
    """Every command's own limit is 5 seconds; it goes on once some have run into it."""
    stack, lab = paced
    said = stack.logs("catalog").count(AWAY)
    postmaster = stack.ps()["postgres"]
    with Many(stack.url, DRAW, 3) as many:
        stopped = [postmaster, *descendants(postmaster)]
        stood = time.monotonic()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            stack.await_(lambda: stack.logs("catalog").count(AWAY) > said + 2)
            refused = patient.post(f"{stack.url}/images/generate", json=DRAW)
            assert refused.status_code == 503
            stack.await_(lambda: time.monotonic() > stood + seconds, 2 * seconds + 1)
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
    prove_charged_once(lab, many)


async def _cut(data: Path) -> int:
    """End every connection but our own, and return how many there were."""
    url = (data / "secrets" / "database_url").read_text().strip()
    connection = await asyncpg.connect(url)
    try:
        query = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"""
        return int(await connection.fetchval(query))
    finally:
        await connection.close()


def test_all_connections_are_cut_again_and_again(paced):
    stack, lab = paced
    cut = 0

    def often() -> bool:
        nonlocal cut
        cut += asyncio.run(_cut(stack.data))
        return cut >= 30

    with Many(stack.url, DRAW, 3) as many:
        stack.await_(often)
    prove_charged_once(lab, many)


# -- No database


@pytest.fixture
def apart() -> Iterator[tuple[Stack, Control, Path, int]]:
    """A stack whose database is not its child, so that it stays away; and where that lives."""
    port = free_port()
    with temporary_data() as data, temporary_data() as own:
        with running_postgres(data, port) as server:
            stack = Stack(own, QUICK | {"DATABASE_URL": server.url}).start("--lab")
        try:
            yield stack, Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}"), data, port
        finally:
            stack.stop()


def test_without_it_nothing_is_bought_and_everybody_is_told_to_come_again(apart):
    stack, lab, data, port = apart
    refused = patient.post(f"{stack.url}/images/generate", json=DRAW)
    assert refused.status_code == 503
    assert refused.json()["code"] == "SERVICE_UNAVAILABLE"
    assert int(refused.headers["retry-after"]) >= 1
    with grpc.insecure_channel(f"127.0.0.1:{stack.port('GENERATOR_PORT')}") as channel:
        stub = generator_service_pb2_grpc.GeneratorServiceStub(channel)
        request = generator_service_pb2.StartGenerationRequest()
        request.spec.prompt = "a lighthouse"
        request.spec.models.append("flux-1.1-pro")
        with pytest.raises(grpc.RpcError) as failure:
            stub.StartGeneration(request, timeout=60)
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
    details = rpc_status.from_call(failure.value).details
    assert any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in details)
    assert lab.ledger() == []
    assert "create" not in lab.requests().get("replicate", {})
    with running_postgres(data, port):
        prove_whole(generate(stack.url, DRAW), 2)
        assert len(lab.ledger()) == 2


# -- A full disk under it


@pytest.fixture
def small() -> Iterator[tuple[Stack, Path]]:
    """A stack whose database, and nothing else, is on a file system of 128 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs takes root")
    with temporary_data() as data:
        place = data / "postgres"
        place.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=128m,mode=0700", "tmpfs", place]
        if subprocess.run(mount, check=False).returncode:
            pytest.skip("this machine mounts no tmpfs")
        stack = Stack(data, QUICK)
        try:
            yield stack.start("--lab"), place
        finally:
            stack.stop()
            subprocess.run(["umount", "-l", place], check=True)


def test_its_disk_fills_up_under_jobs_which_wait_and_lose_nothing(small):
    stack, place = small
    lab = Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")
    lab.pace(3)
    filler = place / "filler"

    def status() -> int:
        return patient.post(f"{stack.url}/images/generate", json=DRAW).status_code

    seen = set[int]()

    def refuses() -> bool:
        seen.add(status())
        return bool(seen & {503, 507})

    with Many(stack.url, DRAW, 3) as many:
        _fill(filler)
        assert shutil.disk_usage(place).free < 65536
        try:
            stack.await_(refuses)
        finally:
            filler.unlink()
    assert seen <= {202, 503, 507}
    for job in many.jobs:
        prove_whole(job, 2)
    lab.pace(0.05)
    stack.await_(lambda: len(_open_jobs(stack)) == 0)
    charges = Counter(charge["purchase_id"] for charge in lab.ledger())
    assert set(charges.values()) == {1}
    images = patient.get(f"{stack.url}/images/variants", params={"page_size": 200}).json()
    assert {image["purchase_id"] for image in images["variants"]} == set(charges)


def _open_jobs(stack: Stack) -> list[str]:
    found = patient.get(f"{stack.url}/images/jobs", params={"page_size": 100}).json()["jobs"]
    return [job["job_id"] for job in found if job["state"] in ("queued", "running")]
