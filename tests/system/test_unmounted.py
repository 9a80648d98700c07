"""Storage starts while the vault's disk is not mounted: nothing is lost, nothing kept beside it."""

import os
from pathlib import Path

import pytest

from tests import patient
from tests.lab.process import Control
from tests.postgres import temporary_data
from tests.system.books import ask
from tests.system.client import prove_whole, watch
from tests.system.stack import Stack, running_stack

ORDER = {"prompt": "a lighthouse at dawn", "models": ["recraft-v3"]}
TWO_HOURS_AGO = ", ".join(
    f"{each} = {each} - interval '2 hours'" for each in ("created_at", "sent_at", "deadline")
)
AGED = f"UPDATE purchases SET {TWO_HOURS_AGO} WHERE state = 'unclear' RETURNING fence"
UNCLEAR = "SELECT 1 FROM purchases WHERE state = 'unclear' AND fence > $1"
NEVER_CAME_BACK = "SELECT 1 FROM purchases WHERE sent_back = 0"
WITHHELD = "SELECT 1 FROM purchases WHERE error->>'unsent' = 'VAULT_UNAVAILABLE'"
FENCES = "SELECT fence FROM purchases"
QUICK = {"LAB_PACE": "0", "WORKER_PATIENCE": "1", "ANSWER_SECONDS": "2"}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """A stack behind the lab whose generator dies where a file in its folder says so."""
    folder = tmp_path_factory.mktemp("faults")
    folder.chmod(0o777)
    with running_stack("--lab", FAULT_FOLDER=str(folder), **QUICK) as stack:
        yield stack, folder


def bought_and_not_kept(stack: Stack, faults: Path, point: str) -> str:
    """Order a picture, kill the generator at *point*, return where the job is."""
    (faults / point).touch(mode=0o666)
    answer = patient.post(f"{stack.url}/images/generate", json=ORDER)
    job = answer.raise_for_status().json()["job_id"]
    stack.await_(lambda: not (faults / point).exists())
    return f"/images/jobs/{job}"


def unmount(vault: Path) -> Path:
    """Leave an empty folder of the same user's in its place; return where the vault is."""
    disk = vault.rename(vault.with_name("the-disk"))
    vault.mkdir(mode=0o700)
    os.chown(vault, disk.stat().st_uid, disk.stat().st_gid)
    return disk


def begin_without(stack: Stack, vault: Path) -> Path:
    """Have storage start with *vault* unmounted, and return where the vault is."""
    disk, before = unmount(vault), len(stack.logs("storage"))
    stack.kill("storage")
    stack.await_(lambda: "mount its disk" in stack.logs("storage")[before:])
    return disk


def mount(disk: Path, vault: Path) -> None:
    assert list(vault.iterdir()) == []
    vault.rmdir()
    disk.rename(vault)


def asked_for(stack: Stack) -> None:
    """Wait until a living worker has the drawn purchase, and asks storage for it."""
    held = "SELECT 1 FROM purchases WHERE state = 'drawn' AND owner IS NOT NULL"
    stack.await_(lambda: bool(ask(stack, held)))


def grown_old(stack: Stack) -> None:
    """Let two hours pass over its answer. A vendor's links die in one; a receipt does not."""
    stack.await_(lambda: bool(ask(stack, UNCLEAR, 0)))
    [(fence,)] = ask(stack, AGED)
    stack.await_(lambda: bool(ask(stack, UNCLEAR, fence + 1)))  # and looked up since, 30 s each


@pytest.mark.parametrize(
    ("point", "meanwhile"),
    [("drawn.after_commit", asked_for), ("receipt.after_close", grown_old)],
    ids=["a picture", "an answer"],
)
def test_what_was_paid_for_waits_until_the_disk_is_mounted(faulty, point, meanwhile):
    stack, faults = faulty
    lab = Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")
    lab.reset()
    job = bought_and_not_kept(stack, faults, point)
    vault = stack.data / "vault"
    disk = begin_without(stack, vault)
    meanwhile(stack)
    assert patient.get(f"{stack.url}/readyz").status_code == 503
    mount(disk, vault)
    prove_whole(watch(stack.url, job), 1)
    assert len(lab.ledger()) == 1


def unmount_under(_stack: Stack, vault: Path) -> Path:
    """Have storage go on without its vault, which it then says."""
    return unmount(vault)


@pytest.mark.parametrize("begin", [unmount_under, begin_without])
def test_what_was_planned_is_not_bought_before_the_disk_is_mounted(begin):
    """Its vendor is busy for a while, so that the orders wait; then the vault is gone."""
    with running_stack("--lab", **QUICK) as stack:
        lab = Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")
        lab.faults([{"vendor": "recraft", "where": "create", "kind": "status:429"}])
        jobs = [patient.post(f"{stack.url}/images/generate", json=ORDER) for _ in range(4)]
        stack.await_(lambda: not ask(stack, NEVER_CAME_BACK))
        vault = stack.data / "vault"
        disk = begin(stack, vault)
        stack.await_(lambda: len(ask(stack, WITHHELD)) == len(jobs), 150)
        lab.faults([])
        before = sum(row["fence"] for row in ask(stack, FENCES))
        stack.await_(lambda: sum(r["fence"] for r in ask(stack, FENCES)) >= before + 8, 150)
        assert lab.ledger() == []
        mount(disk, vault)
        for job in jobs:
            seen = watch(stack.url, f"/images/jobs/{job.json()['job_id']}")
            prove_whole(seen, 1)
            assert [each["reason"] for each in seen.of("warning")].count("VAULT_UNAVAILABLE") == 1
        assert len(lab.ledger()) == len(jobs)


def test_a_stack_does_not_start_without_the_disk_and_says_what_to_do():
    with temporary_data() as data:
        Stack(data).start().stop()
        vault = data / "vault"
        disk = unmount(vault)
        with pytest.raises(AssertionError, match="mount its disk"):
            Stack(data).start()
        mount(disk, vault)
        Stack(data).start().stop()  # each on ports of its own: others take what is free meanwhile
