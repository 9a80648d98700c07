"""What goes away while jobs run, and comes back: NATS with its folder, PostgreSQL, the disk."""

import json
import os
import shutil
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import httpx
import pytest

from tests import patient
from tests.postgres import temporary_data
from tests.system.client import Job, generate, prove_whole, watch
from tests.system.stack import Stack, running_stack

PICTURE = {"prompt": "a boat at night", "models": ["sketch"], "size": "64x64"}
SLOW = PICTURE | {"count": 2, "parameters": {"sketch": {"seconds": 3}}}


@pytest.fixture(scope="module")
def troubled():
    with running_stack("--generators", "2") as stack:
        yield stack


class Many:
    """Some jobs that run at once, each watched on a thread of its own to its end."""

    def __init__(self, url: str, body: dict[str, object], count: int) -> None:
        self.jobs = [Job("") for _ in range(count)]
        self._drawing = threading.Barrier(count + 1)
        self._threads = [
            threading.Thread(target=self._watch, args=(url, body, job)) for job in self.jobs
        ]

    def _watch(self, url: str, body: dict[str, object], job: Job) -> None:
        waited = False

        def heard() -> None:
            nonlocal waited
            if not waited and job.of("progress"):
                waited = True
                self._drawing.wait(60)

        generate(url, body, job=job, heard=heard)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self._drawing.wait(60)  # all of them are being drawn
        return self

    def __exit__(self, *_failure: object) -> None:
        for thread in self._threads:
            thread.join()


def test_nats_is_killed_and_its_folder_deleted_and_no_job_is_lost(troubled):
    with Many(troubled.url, SLOW, 4) as many:
        store = troubled.data / "nats"
        troubled.kill("nats")
        shutil.rmtree(store, ignore_errors=True)
    for job in many.jobs:
        prove_whole(job, 2)
    prove_whole(generate(troubled.url, PICTURE), 1)


def test_all_work_is_found_where_nats_never_was():
    """One is drawn at once, and the others wait for no announcement."""
    with running_stack(NATS_URL="nats://127.0.0.1:1", MAX_PURCHASES="1") as stack:
        prove_whole(generate(stack.url, PICTURE | {"count": 3}), 3)


def test_postgres_is_killed_and_no_job_is_lost(troubled):
    with Many(troubled.url, SLOW, 4) as many:
        troubled.kill("postgres")
    for job in many.jobs:
        prove_whole(job, 2)


@pytest.mark.parametrize("name", ["generator-1", "catalog", "storage", "gateway", "envoy"])
def test_a_process_is_killed_and_no_job_is_lost(troubled, name):
    with Many(troubled.url, SLOW, 3) as many:
        troubled.kill(name)
    for job in many.jobs:
        prove_whole(job, 2)


def test_everything_is_killed_at_once_and_no_job_is_lost():
    """Supervisor and all: the next start finds what was begun."""
    with temporary_data() as data:
        stack = Stack(data).start()
        started = patient.post(f"{stack.url}/images/generate", json=SLOW)
        location = started.headers["location"]
        for pid in stack.all_pids():
            with suppress(ProcessLookupError):  # it has just died with its parent
                os.kill(pid, 9)
        stack.process.wait()
        stack.process = None
        stack.start()
        try:
            prove_whole(watch(stack.url, location), 2)
        finally:
            stack.stop()


@pytest.fixture(scope="module")
def small():
    """A real file system of 48 MiB, and a stack whose vault is on it."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs takes root")
    with temporary_data() as data:
        vault = data / "small"
        vault.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=48m,mode=0777", "tmpfs", vault], check=False
        )
        if mounted.returncode:
            pytest.skip("this machine mounts no tmpfs")
        try:
            with running_stack(VAULT_URL=vault.as_uri(), DISK_RESERVE_MB="16") as stack:
                yield stack, vault
        finally:
            subprocess.run(["umount", "-l", vault], check=True)


@pytest.fixture
def small_disk(small):
    """The same, with what a test before filled it with taken away."""
    yield small
    small[1].joinpath("filler").unlink(missing_ok=True)


def prove_known(stack: Stack, body: dict[str, object], before: Job) -> None:
    """What was taken before is answered as before, and its picture shown."""
    again = patient.post(f"{stack.url}/images/generate", json=body).json()
    assert (again["job_id"], again["replayed"]) == (before.completed["job_id"], True)
    assert patient.get(before.completed["images"][0]["url"]).status_code == 200


def test_a_full_disk_takes_no_new_job_and_loses_nothing(small_disk):
    stack, vault = small_disk
    body = PICTURE | {"request_id": str(uuid.uuid4())}
    before = generate(stack.url, body)
    filler = vault / "filler"
    free = shutil.disk_usage(vault).free
    filler.write_bytes(b"x" * (free - 8 * 1024 * 1024))

    def status() -> int:
        return patient.post(f"{stack.url}/images/generate", json=PICTURE).status_code

    stack.await_(lambda: status() == 507)
    refused = patient.post(f"{stack.url}/images/generate", json=PICTURE)
    assert refused.json()["code"] == "DISK_FULL"
    assert "retry-after" in refused.headers
    prove_known(stack, body, before)

    filler.unlink()
    stack.await_(lambda: status() == 202)
    prove_whole(generate(stack.url, PICTURE), 1)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """As a kernel makes a disk that has failed; what is open for writing may stay so."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_vault_that_cannot_be_written_takes_no_new_job_and_everybody_is_told(small_disk):
    stack, vault = small_disk
    body = PICTURE | {"request_id": str(uuid.uuid4())}
    before = generate(stack.url, body)
    stack.await_(lambda: patient.get(f"{stack.url}/readyz").status_code == 200)

    def answer() -> httpx.Response:
        return patient.post(f"{stack.url}/images/generate", json=PICTURE)

    written = len(stack.logs("storage"))
    with read_only(vault / "tmp"):
        stack.await_(lambda: answer().status_code == 503)  # what was tried counts for a second
        refused = answer()
        assert refused.json()["code"] == "VAULT_UNAVAILABLE"
        assert "(Read-only file system): see that its disk is mounted" in refused.json()["detail"]
        assert "retry-after" in refused.headers
        prove_known(stack, body, before)
        ready = patient.get(f"{stack.url}/readyz")
        assert ready.status_code == 503
        assert "Read-only file system" in ready.json()["fields"]["storage"]
        doctor = stack.studio("doctor", "--json")
        assert doctor.returncode == 1
        wrong = {each["about"]: each for each in json.loads(doctor.stdout) if each["remedy"]}
        assert wrong["vault"]["found"] == f"{vault} cannot be written"
        assert "Read-only file system" in wrong["stack"]["found"]
        assert "the vault cannot be written" in stack.logs("storage")[written:]

    stack.await_(lambda: answer().status_code == 202)
    stack.await_(lambda: patient.get(f"{stack.url}/readyz").status_code == 200)
    prove_whole(generate(stack.url, PICTURE), 1)


def test_a_job_under_way_is_told_once_that_the_vault_takes_nothing_and_then_goes_on(small_disk):
    stack, vault = small_disk
    slow = PICTURE | {"parameters": {"sketch": {"seconds": 3}}}
    with Many(stack.url, slow, 1) as many, read_only(vault / "tmp"):
        job = many.jobs[0]
        stack.await_(lambda: job.of("warning"))
        assert not job.completed
    [warning] = job.of("warning")
    assert warning["reason"] == "VAULT_UNAVAILABLE"
    assert "waits to be kept" in warning["message"]
    assert "Read-only file system" in warning["message"]
    prove_whole(job, 1)


def test_a_disk_that_fills_up_under_a_job_makes_it_wait_and_loses_nothing(small_disk):
    stack, vault = small_disk
    filler, before = vault / "filler", _refused_for_room(stack)
    with Many(stack.url, PICTURE | {"parameters": {"sketch": {"seconds": 3}}}, 1) as many:
        _fill(filler)
        stack.await_(lambda: _refused_for_room(stack) > before)
        filler.unlink()
    prove_whole(many.jobs[0], 1)


def _fill(path: Path) -> None:
    """Write until the disk takes no more."""
    file = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        while os.write(file, b"x" * 65536):
            pass
    except OSError:
        return  # there is no room left, as wanted
    finally:
        os.close(file)


def _refused_for_room(stack: Stack) -> float:
    """How often storage has said that a receipt or picture does not fit."""
    metrics = patient.get(f"http://127.0.0.1:{stack.port('STORAGE_PORT') + 100}/metrics").text
    return sum(
        float(line.rpartition(" ")[2])
        for line in metrics.splitlines()
        if line.startswith("studio_rpc_seconds_count") and "RESOURCE_EXHAUSTED" in line
    )
