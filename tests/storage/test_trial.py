"""A vault that takes no writes, whatever room there is: it is told, and no new work is taken."""

import asyncio
import errno
import os
import shutil
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path

import pytest

from chassis.errors import DataLoss, Exhausted, Missing, Unavailable
from services.storage.disk import LocalDisk
from services.storage.room import Room
from services.storage.trial import Trial
from services.storage.vault import Full, Sick
from services.storage.vaults.folder import FolderVault
from tests.storage.client import PURCHASE, link_of
from tests.storage.memory_disk import MemoryDisk
from tests.storage.pictures import picture


class Writes:
    """Ends as *failure* says, after *may_end* where that is closed; counts how often it began."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure, self.begun, self.may_end = failure, 0, asyncio.Event()
        self.may_end.set()

    async def __call__(self) -> None:
        self.begun += 1
        await self.may_end.wait()
        if self.failure:
            raise self.failure


def room(trial: Trial) -> Room:
    return Room(lambda: 1 << 40, 1, trial)


async def test_where_nothing_can_be_written_no_new_work_is_taken_until_it_can():
    writes = Writes(Sick("Read-only file system"))
    found = room(Trial(writes, fresh=0))
    with pytest.raises(Unavailable, match=r"\(Read-only file system\).*mounted") as refused:
        await found.check()
    assert refused.value.reason == "VAULT_UNAVAILABLE"
    assert refused.value.retry_after
    writes.failure = None
    await found.check()


async def test_a_quota_or_inodes_that_are_used_up_are_a_full_disk():
    trial = Trial(Writes(Full("quota")), fresh=0)
    found, unreserved = room(trial), Room(lambda: 1 << 40, 0, trial)
    for ask in (found.left, found.check, unreserved.check):
        with pytest.raises(Exhausted, match="free some space") as refused:
            await ask()
        assert refused.value.metadata == {"free_bytes": "0"}


async def test_however_many_ask_it_is_tried_once():
    writes = Writes()
    writes.may_end.clear()
    trial = Trial(writes)
    asking = [asyncio.create_task(trial.failure()) for _ in range(5)]
    while not writes.begun:
        await asyncio.sleep(0)
    writes.may_end.set()
    assert await asyncio.gather(*asking) == [None] * 5
    assert await trial.failure() is None
    assert writes.begun == 1


async def test_a_disk_that_hangs_is_told_in_time_and_not_asked_again_before_it_answers():
    writes = Writes()
    writes.may_end.clear()
    trial = Trial(writes, fresh=0, patience=0.05)
    for _ in range(3):
        async with asyncio.timeout(60):
            assert isinstance(await trial.failure(), Sick)
    assert writes.begun == 1
    writes.may_end.set()
    while await trial.failure():
        pass


async def test_after_work_that_failed_a_write_is_tried_at_once():
    """It may have been a read, of one file: that proves nothing of what can be written."""
    writes = Writes()
    found = room(Trial(writes, fresh=inf))
    await found.check()

    async def keep():
        async with found.watched():
            raise Sick("Input/output error")

    with pytest.raises(Sick):
        await keep()
    await found.check()
    assert writes.begun == 2
    writes.failure = Sick("Input/output error")
    with pytest.raises(Sick):
        await keep()
    with pytest.raises(Unavailable, match="cannot be written"):
        await found.check()


async def test_a_trial_that_ends_as_nobody_thought_of_has_failed():
    writes = Writes()
    found = room(Trial(writes, fresh=0))
    await found.check()
    writes.failure = RuntimeError("a defect")
    with pytest.raises(Unavailable, match="cannot be written"):
        await found.check()
    writes.failure = None
    await found.check()


async def test_a_disk_that_came_read_only_after_the_start_is_seen():
    class ReadOnly(MemoryDisk):
        is_so = False

        def create(self, path):
            if self.is_so:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            return super().create(path)

    disk = ReadOnly()
    vault = FolderVault(Path("/vault"), disk)
    await vault.open()
    found = room(Trial(vault.probe, fresh=0))
    await found.check()
    disk.is_so = True
    with pytest.raises(Unavailable, match="Read-only file system"):
        await found.check()
    await vault.close()


async def test_a_folder_that_can_be_written_is_not_the_vault_for_that(tmp_path):
    folder = tmp_path / "vault"
    vault = FolderVault(folder, LocalDisk(folder))
    await vault.open()
    found = room(Trial(vault.probe, fresh=0))
    await found.check()
    async with away(folder):
        (folder / "tmp").mkdir()
        with pytest.raises(Unavailable, match="is its disk mounted"):
            await found.check()
    await found.check()
    await vault.close()


@asynccontextmanager
async def away(folder: Path):
    """Put a mount point without its disk in the place of a vault that is in use."""
    disk = folder.rename(folder.with_name("the-disk"))
    folder.mkdir()
    yield
    assert not [path for path in folder.rglob("*") if path.is_file()]  # nothing was put there
    shutil.rmtree(folder)
    disk.rename(folder)


async def test_a_vault_that_is_not_mounted_is_unavailable_and_nothing_in_it_missing(client, folder):
    asset = (await client.upload(picture())).asset
    link = link_of(asset)
    async with away(folder):
        for call in (
            client.get(link),
            client.download(link),
            client.delete(asset.name, allow_missing=True),
            client.upload(picture(seed=2), PURCHASE),
            client.put_receipt(b"an answer"),
            client.room(),
            client.upload(picture(seed=2)),
        ):
            with pytest.raises(Unavailable) as sick:
                await call
            assert str(folder.parent) not in sick.value.message
            assert link.removeprefix("links/") not in sick.value.message
    assert (await client.download(link))[1] == picture()


async def test_a_file_that_was_taken_away_is_told_as_such(client, folder):
    asset = (await client.upload(picture())).asset
    link = link_of(asset)
    [file] = folder.rglob(link.removeprefix("links/"))
    file.unlink()
    for call in (client.download(link), client.download(link, thumbnail=True), client.get(link)):
        with pytest.raises(DataLoss, match="gone from the vault: restore it from a backup"):
            await call
    for note in folder.rglob("*.json"):
        note.unlink()
    with pytest.raises(Missing, match="no picture at this link"):
        await client.download(link)
    await client.upload(picture())  # the same bytes heal it
    assert (await client.download(link))[1] == picture()
