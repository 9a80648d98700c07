"""
A copy is made in the middle of work, the machine is lost, the copy is put back beside the
same vault and the same vendor: nothing is charged again, and every picture is there.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import patient
from tests.lab.process import Lab, running_lab
from tests.postgres import temporary_data
from tests.system.client import generate, prove_whole
from tests.system.stack import Stack

DRAW = {"prompt": "a lighthouse at dawn", "models": ["flux-1.1-pro"]}  # one image a call


def behind(lab: Lab) -> dict[str, str]:
    """The settings of a stack that takes *lab* for its vendor; it outlives the stack."""
    return {
        "LAB_URL": lab.url,
        "REPLICATE_API_TOKEN": "r8_lab",
        "REPLICATE_BASE_URL": f"{lab.url}/replicate",
        "REPLICATE_MAX_IN_FLIGHT": "1",  # so that the rest is planned
        "LOOKUP_LAG": "1",
        "WORKER_PATIENCE": "1",
    }


def jobs_of(stack: Stack) -> dict[str, dict[str, object]]:
    found = patient.get(f"{stack.url}/images/jobs", params={"page_size": 100}).json()["jobs"]
    return {job["job_id"]: patient.get(f"{stack.url}/images/jobs/{job['job_id']}").json()
            for job in found}  # fmt: skip


def begin(stack: Stack) -> str:
    answer = patient.post(f"{stack.url}/images/generate", json=DRAW)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job_id"])


def state(stack: Stack, job_id: str) -> str:
    return str(patient.get(f"{stack.url}/images/jobs/{job_id}").json()["state"])


def ended(stack: Stack, *ids: str) -> bool:
    return not {state(stack, each) for each in ids} & {"queued", "running", "canceling"}


def forget_in_vault(vault: Path, purchase_id: str) -> None:
    """As if the machine had died between the purchase and the vault."""
    notes = [path for path in vault.rglob("*.json") if "files" in path.parts]
    [note] = [path for path in notes if json.loads(path.read_text())["purchase_id"] == purchase_id]
    note.with_suffix("").unlink()
    note.unlink()


@pytest.fixture(scope="module")
def drill() -> Iterator[SimpleNamespace]:
    """Two folders, before and after the loss, and the vendor that saw both."""
    with running_lab(LAB_PACE="0.05") as lab, temporary_data() as old, temporary_data() as new:
        stack = Stack(old, behind(lab)).start()
        try:
            made = SimpleNamespace(lab=lab, kept=generate(stack.url, DRAW), copy=new / "copy")
            lab.pace(300)  # none but the first gets its turn before the clock is put forward
            made.running = begin(stack)
            stack.await_(lambda: len(lab.ledger()) == 2 or state(stack, made.running) == "running")
            made.planned = [begin(stack) for _ in range(3)]
            done = stack.studio("backup", "--to", str(made.copy))
            assert done.returncode == 0, done.stderr
            patient.post(f"{stack.url}/images/jobs/{made.planned[2]}/cancel")
            lab.pace(0.05)
            made.later = begin(stack)
            lab.advance(310)
            everything = (made.running, *made.planned, made.later)
            stack.await_(lambda: ended(stack, *everything))
            made.before = jobs_of(stack)
            made.variants = patient.get(f"{stack.url}/images/variants").json()["variants"]
        finally:
            stack.stop()
        made.charges = lab.ledger()
        made.creates = lab.requests()["replicate"]["create"]
        shutil.copytree(old / "vault", new / "vault")
        [made.lost] = made.before[made.planned[1]]["images"]
        forget_in_vault(new / "vault", made.lost["purchase_id"])
        made.stack = Stack(new, behind(lab))
        yield made
        made.stack.stop()


@pytest.fixture(scope="module")
def back(drill: SimpleNamespace) -> SimpleNamespace:
    """The same, restored, started, and through with what was open."""
    done = drill.stack.studio("restore", str(drill.copy))
    assert done.returncode == 0, done.stderr
    drill.said = done.stderr
    drill.stack.start()
    everything = (drill.running, *drill.planned, drill.later)
    drill.stack.await_(lambda: ended(drill.stack, *everything))
    drill.after = jobs_of(drill.stack)
    drill.found = patient.get(f"{drill.stack.url}/images/variants").json()["variants"]
    drill.charged, drill.created = drill.lab.ledger(), drill.lab.requests()["replicate"]["create"]
    return drill


def test_nothing_is_charged_again(back):
    assert len(back.charges) == 5, "one before the copy, three open in it, one after it"
    assert back.created == back.creates
    assert back.charged == back.charges


def test_every_picture_is_there_again_with_its_link(back):
    found = back.found
    shown = {(one["purchase_id"], one["image_hash"], one["job_id"]) for one in found}
    assert shown == {(one["purchase_id"], one["image_hash"], one["job_id"])
                     for one in back.variants}  # fmt: skip
    assert len(found) == len(back.variants) == 5
    for one in found:
        assert patient.get(one["cdn_url"]).status_code == 200


def test_what_was_open_in_the_copy_ends_as_it_did(back):
    after = back.after
    for job_id in (back.running, *back.planned[:2], back.later):
        assert after[job_id]["state"] == "succeeded"
        assert after[job_id]["cost_usd"] == back.before[job_id]["cost_usd"]


def test_what_was_canceled_since_is_looked_up_and_not_made_again(back):
    job = back.after[back.planned[2]]
    assert job["state"] == "failed"
    [failure] = job["failures"]
    assert failure["charged"] is False
    assert "came back from a copy" in failure["message"]


def test_what_only_the_vendor_had_is_fetched_from_there(back):
    [image] = back.after[back.planned[1]]["images"]
    assert image["image_hash"] == back.lost["image_hash"]


def test_a_new_job_is_bought_and_has_a_number_that_nobody_knew(back):
    before = len(back.lab.ledger())
    job = generate(back.stack.url, DRAW)
    prove_whole(job, 1)
    assert len(back.lab.ledger()) == before + 1
    assert int(job.completed["job_id"]) > max(map(int, back.before))


def test_a_folder_with_a_database_is_refused_and_the_stack_goes_on(back):
    done = back.stack.studio("restore", str(back.copy))
    assert done.returncode == 1
    assert "already runs" in done.stderr
    assert back.stack.studio("backup", "--to", str(back.copy)).returncode == 1


def test_told_so_it_moves_the_database_aside_and_buys_nothing_either(back):
    before = back.lab.requests()["replicate"]["create"]
    back.stack.stop()
    refused = back.stack.studio("restore", str(back.copy))
    assert refused.returncode == 1
    assert "has a database" in refused.stderr
    assert "restoring" not in refused.stderr
    done = back.stack.studio("restore", str(back.copy), "--replace")
    assert done.returncode == 0, done.stderr
    aside = list(back.stack.data.glob("postgres*.replaced-*"))
    assert aside
    assert all(f"the database that was here is now {place}" in done.stderr for place in aside)
    for words in ("restored 2 users, 5 jobs", "now ./studio up", "./studio keys revoke"):
        assert words in done.stderr
    back.stack.start()
    everything = (back.running, *back.planned, back.later)
    back.stack.await_(lambda: ended(back.stack, *everything))
    assert back.lab.requests()["replicate"]["create"] == before
    assert set(jobs_of(back.stack)) >= set(back.before)  # and whatever came after the restore


# -- The copy itself


@pytest.fixture
def copy(back, tmp_path) -> Path:
    shutil.copytree(back.copy, tmp_path / "copy")
    return tmp_path / "copy"


def test_a_copy_is_private_and_says_what_it_is(back):
    assert back.copy.stat().st_mode & 0o777 == 0o700
    for path in back.copy.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    manifest = json.loads((back.copy / "manifest.json").read_text())
    assert manifest["database"]["jobs"] == 5
    assert manifest["database"]["open_purchases"] >= 3
    assert manifest["vendors"] == "vendors"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("database.dump", "not as it was written"),
        ("link_key", "not as it was written"),
        ("manifest.json", "is damaged"),
    ],
)
def test_a_damaged_copy_is_refused_before_anything_is_made(back, copy, tmp_path, name, words):
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    done = back.stack.studio("restore", str(copy), STUDIO_DATA=str(tmp_path / "data"))
    assert done.returncode == 1
    assert words in done.stderr
    assert not (tmp_path / "data").exists()


def test_what_is_no_copy_is_told_from_one_that_is_damaged(back, tmp_path):
    done = back.stack.studio("restore", str(tmp_path), STUDIO_DATA=str(tmp_path / "data"))
    assert done.returncode == 1
    assert "is no copy (manifest.json: No such file or directory)" in done.stderr


def test_without_its_vault_a_copy_is_refused_before_anything_is_made(back, copy, tmp_path):
    done = back.stack.studio("restore", str(copy), STUDIO_DATA=str(tmp_path / "data"))
    assert done.returncode == 1
    assert "copy the vault there (docs/backup.md), then do this again" in done.stderr
    assert str(tmp_path / "data" / "vault") in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.fixture
def beside(back) -> Iterator[Path]:
    """A fresh folder with the vault in it, and nobody on the ports that it is to use."""
    back.stack.stop()
    with temporary_data() as data:
        shutil.copytree(back.stack.data / "vault", data / "vault")
        yield data
    back.stack.start()


def test_a_restore_with_a_problem_tells_of_it_and_of_the_keys(back, beside):
    picture = next(path for path in (beside / "vault" / "files").rglob("*.json"))
    picture.write_text("no note")
    done = back.stack.studio("restore", str(back.copy), STUDIO_DATA=str(beside))
    assert done.returncode == 1
    for words in ("cannot be read", "restored 2 users", "now ./studio up", "./studio keys revoke"):
        assert words in done.stderr


def test_a_restore_that_the_vault_does_not_end_says_what_ends_it(back, beside):
    for path in (beside / "vault" / "files").rglob("*.json"):
        path.write_text(path.read_text().replace('"local"', '"somebody"'))
    done = back.stack.studio("restore", str(back.copy), STUDIO_DATA=str(beside))
    assert done.returncode == 1
    assert "is 'somebody' in the vault and another one in the database" in done.stderr
    for words in ("`./studio rebuild` ends it", "./studio keys revoke"):
        assert words in done.stderr
    assert "now ./studio up" not in done.stderr


def test_a_copy_of_a_newer_release_is_refused(back, copy, tmp_path):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["database"]["schema_version"] += 1
    (copy / "manifest.json").write_text(json.dumps(manifest))
    done = back.stack.studio("restore", str(copy), STUDIO_DATA=str(tmp_path / "data"))
    assert done.returncode == 1
    assert "newer release" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_full_disk_leaves_no_half_a_copy(back, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs takes root")
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", small]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        done = back.stack.studio("backup", "--to", str(small / "copy"))
        assert done.returncode == 1
        assert "No space left" in done.stderr
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", small], check=True)
