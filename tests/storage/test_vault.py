"""The vault's conformance suite, run on every vault there is."""

import asyncio
import errno
import hashlib
import os
import threading
import tracemalloc
from pathlib import Path

import pytest

from chassis.errors import Unavailable
from services.storage.disk import LocalDisk
from services.storage.vault import Digests, Found, Full, Gone, Shelf
from services.storage.vaults.folder import FolderVault
from tests.storage.memory_disk import MemoryDisk

LINK = "vmssaspposafybtapgft2m3eaa"
PURCHASE = "0192d7a0-7b1c-7def-8a11-3f5d0c9e4b21"
NAMED = [(Shelf.FILES, LINK), (Shelf.RECEIPTS, PURCHASE)]


def local(tmp_path):
    return FolderVault(tmp_path / "vault", LocalDisk(tmp_path))


def in_memory(_tmp_path):
    return FolderVault(Path("/vault"), MemoryDisk())


@pytest.fixture(params=[local, in_memory], ids=["folder", "folder in memory"])
async def vault(request, tmp_path):
    opened = request.param(tmp_path)
    await opened.open()
    yield opened
    await opened.close()


async def keep(vault, shelf, name, content, note=b"{}", **options):
    async with vault.draft() as draft:
        for at in range(0, len(content), 65_536):
            await draft.write(content[at : at + 65_536])
        return await draft.keep(shelf, name, note, **options)


async def read(vault, shelf, name, *part):
    return b"".join([block async for block in vault.read(shelf, name, *part)])


@pytest.mark.parametrize("size", [0, 1, 65_536, 1024 * 1024, 1024 * 1024 + 1, 3_000_000])
@pytest.mark.parametrize(("shelf", "name"), NAMED)
async def test_what_is_kept_is_read_back(vault, shelf, name, size):
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert await keep(vault, shelf, name, content, b"the note") is None
    assert await vault.find(shelf, name) == Found(b"the note", size)
    assert await read(vault, shelf, name) == content
    assert await read(vault, shelf, name, size // 2) == content[size // 2 :]
    assert await read(vault, shelf, name, 1, 70_000) == content[1:70_000]
    assert await read(vault, shelf, name, 0, size) == content


@pytest.mark.parametrize("size", [0, 131_072, 4 * 1024 * 1024, 4 * 1024 * 1024 + 1])
async def test_a_digest_is_of_all_the_bytes_that_lie_there_and_has_them_if_few(vault, size):
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    await keep(vault, Shelf.FILES, LINK, content)
    sha256, md5 = hashlib.sha256(content).hexdigest(), hashlib.md5(content).hexdigest()
    few = content if size < 1024 * 1024 else None
    assert await vault.digest(Shelf.FILES, LINK) == Digests(sha256, md5, few)


@pytest.mark.parametrize(("shelf", "name"), NAMED)
async def test_the_first_wins(vault, shelf, name):
    await keep(vault, shelf, name, b"first", b"one")
    assert await keep(vault, shelf, name, b"second", b"two") == Found(b"one", 5)
    assert await read(vault, shelf, name) == b"first"
    assert await vault.notes(shelf, name) == [b"one"]


@pytest.mark.parametrize(("shelf", "name"), NAMED)
async def test_of_many_at_once_one_wins_with_its_own_note(vault, shelf, name):
    contents = [str(number).encode() * 100_000 for number in range(10)]
    answers = await asyncio.gather(*(keep(vault, shelf, name, c, c[:1]) for c in contents))
    assert answers.count(None) == 1
    won = contents[answers.index(None)]
    assert set(answers) == {None, Found(won[:1], len(won))}
    assert await read(vault, shelf, name) == won


async def test_replace_heals(vault):
    await keep(vault, Shelf.FILES, LINK, b"damaged", b"one")
    assert await keep(vault, Shelf.FILES, LINK, b"whole", b"one", replace=True) is None
    assert await read(vault, Shelf.FILES, LINK) == b"whole"


async def test_a_draft_that_was_refused_can_still_replace(vault):
    await keep(vault, Shelf.FILES, LINK, b"damaged", b"one")
    async with vault.draft() as draft:
        await draft.write(b"whole")
        assert await draft.keep(Shelf.FILES, LINK, b"two")
        await draft.keep(Shelf.FILES, LINK, b"one", replace=True)
    assert await read(vault, Shelf.FILES, LINK) == b"whole"


async def test_a_name_means_one_thing_on_each_shelf(vault):
    await keep(vault, Shelf.FILES, LINK, b"a picture")
    await keep(vault, Shelf.THUMBNAILS, LINK, b"its thumbnail", b"")
    assert await read(vault, Shelf.FILES, LINK) == b"a picture"
    assert await read(vault, Shelf.THUMBNAILS, LINK) == b"its thumbnail"


async def test_many_that_come_at_once_do_not_fill_the_memory(tmp_path):
    vault = local(tmp_path)
    await vault.open()
    coming, all_here = 64, asyncio.Event()

    async def come():
        nonlocal coming
        async with vault.draft() as draft:
            for _ in range(15):  # just not enough for a draft of its own to write
                await draft.write(bytes(65_536))
            coming -= 1
            if not coming:
                all_here.set()
            await all_here.wait()

    tracemalloc.start()
    try:
        await asyncio.wait_for(asyncio.gather(*(come() for _ in range(coming))), 60)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        await vault.close()
    assert peak < 32_000_000  # of 63 MB
    assert vault._memory.held == 0


async def test_a_draft_that_is_not_kept_is_nothing(vault):
    async with vault.draft() as draft:
        await draft.write(b"x" * 2_000_000)
    assert await vault.find(Shelf.FILES, LINK) is None


async def test_a_cancelled_keep_ends_with_all_or_nothing(vault):
    for _ in range(20):
        keeping = asyncio.create_task(keep(vault, Shelf.FILES, LINK, b"x" * 2_000_000, b"note"))
        await asyncio.sleep(0)
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping
        found = await vault.find(Shelf.FILES, LINK)
        assert found in (None, Found(b"note", 2_000_000))
        await vault.remove(Shelf.FILES, LINK)


async def test_a_cancelled_keep_waits_for_the_step_that_runs():
    """Else its temporary file would be cleared away under a thread that still writes it."""

    class Slow(MemoryDisk):
        reached, goes_on = threading.Event(), threading.Event()

        def create(self, path):
            if self.steps > 30:
                self.reached.set()
                self.goes_on.wait()
            return super().create(path)

    disk = Slow()
    vault = FolderVault(Path("/vault"), disk)
    await vault.open()
    disk.steps = 100
    keeping = asyncio.create_task(keep(vault, Shelf.FILES, LINK, b"x" * 2_000_000))
    await asyncio.to_thread(disk.reached.wait)
    for _ in range(3):
        keeping.cancel()
        await asyncio.sleep(0)
    waited = not keeping.done()
    disk.goes_on.set()
    assert waited
    with pytest.raises(asyncio.CancelledError):
        await keeping
    assert disk.entries(Path("/vault/tmp")) == []
    assert disk.handles == {}
    await vault.close()


async def test_more_notes_lie_beside_the_first(vault):
    await keep(vault, Shelf.FILES, LINK, b"bought thrice", b"first")
    for key, note in [("b.0", b"third"), ("a.0", b"lost"), ("a.0", b"second")]:
        await vault.annotate(Shelf.FILES, LINK, key, note)
    assert await vault.notes(Shelf.FILES, LINK) == [b"first", b"second", b"third"]
    assert (await vault.find(Shelf.FILES, LINK)).note == b"first"


async def test_what_is_removed_is_gone_with_its_notes(vault):
    await keep(vault, Shelf.FILES, LINK, b"a", b"first")
    await vault.annotate(Shelf.FILES, LINK, "a.0", b"second")
    for _ in range(2):
        await vault.remove(Shelf.FILES, LINK)
        assert await vault.find(Shelf.FILES, LINK) is None
        assert await vault.notes(Shelf.FILES, LINK) == []
    await keep(vault, Shelf.FILES, LINK, b"b", b"anew")
    assert await vault.notes(Shelf.FILES, LINK) == [b"anew"]


async def test_who_reads_goes_on_while_it_is_removed(vault):
    content = b"x" * 2_000_000
    await keep(vault, Shelf.FILES, LINK, content)
    reading = vault.read(Shelf.FILES, LINK)
    blocks = [await anext(reading)]
    await vault.remove(Shelf.FILES, LINK)
    blocks += [block async for block in reading]
    assert b"".join(blocks) == content


async def test_nothing_there_is_gone(vault):
    with pytest.raises(Gone):
        await read(vault, Shelf.FILES, LINK)
    with pytest.raises(Gone):
        await vault.digest(Shelf.FILES, LINK)
    assert await vault.find(Shelf.RECEIPTS, PURCHASE) is None
    assert vault.free() > 0


async def test_a_full_disk_at_any_step_leaves_nothing_half_and_the_next_try_succeeds():
    at = 0
    while True:
        at += 1
        disk = MemoryDisk()
        vault = FolderVault(Path("/vault"), disk)
        await vault.open()
        disk.full_at = disk.steps + at
        try:
            await keep(vault, Shelf.FILES, LINK, b"x" * 2_000_000, b"note")
        except Full:
            assert await vault.find(Shelf.FILES, LINK) in (None, Found(b"note", 2_000_000))
            await keep(vault, Shelf.FILES, LINK, b"x" * 2_000_000, b"note")
        assert disk.entries(Path("/vault/tmp")) == []
        assert disk.handles == {}
        assert await vault.find(Shelf.FILES, LINK) == Found(b"note", 2_000_000)
        await vault.close()
        if disk.steps < disk.full_at:
            break
    assert at > 10  # it was full at each of them


async def test_a_probe_leaves_nothing(tmp_path):
    vault = local(tmp_path)
    await vault.open()
    before = sorted(tmp_path.rglob("*"))
    await vault.probe()
    assert sorted(tmp_path.rglob("*")) == before
    await vault.close()


async def test_what_lacks_its_file_is_told_from_what_was_never_there(tmp_path):
    vault = local(tmp_path)
    await vault.open()
    await keep(vault, Shelf.FILES, LINK, b"a picture")
    assert not await vault.is_torn(Shelf.FILES, LINK)
    [file] = tmp_path.rglob(LINK)
    file.unlink()
    assert await vault.is_torn(Shelf.FILES, LINK)
    await vault.remove(Shelf.FILES, LINK)
    assert not await vault.is_torn(Shelf.FILES, LINK)
    await vault.close()


async def test_lines_can_be_added_beside_the_files_and_are_no_file(vault):
    await vault.record(b"one\n")
    await vault.record(b"two\n")
    assert await vault.find(Shelf.FILES, LINK) is None


class FailingDisk(MemoryDisk):
    """A disk that answers *steps* more calls, and all others with *error*."""

    left, error = -1, errno.EIO

    def fail(self, after: int, error: int) -> None:
        self.left, self.error = after, error

    def _asked(self) -> None:
        if self.left == 0:
            raise OSError(self.error, os.strerror(self.error))
        self.left -= self.left > 0

    def create(self, path):
        self._asked()
        return super().create(path)

    def open(self, path):
        self._asked()
        return super().open(path)

    def sync(self, handle):
        self._asked()
        super().sync(handle)


@pytest.mark.parametrize(
    "error", [errno.EIO, errno.EROFS, errno.EMFILE, errno.ESTALE, errno.ENOENT]
)
@pytest.mark.parametrize("after", [0, 1, 2])
async def test_a_disk_that_fails_may_be_asked_again(error, after):
    disk = FailingDisk()
    vault = FolderVault(Path("/vault"), disk)
    await vault.open()
    disk.fail(after, error)
    with pytest.raises(Unavailable, match="look after it"):
        await vault.probe()
    disk.fail(after, error)
    with pytest.raises(Unavailable, match=rf"\({os.strerror(error)}\): look after it") as sick:
        await keep(vault, Shelf.FILES, LINK, b"x" * 2_000_000)
    assert "/vault" not in str(sick.value)
    disk.fail(-1, 0)
    await keep(vault, Shelf.FILES, LINK, b"x" * 2_000_000)
    assert await read(vault, Shelf.FILES, LINK) == b"x" * 2_000_000
    await vault.close()


async def test_what_cannot_be_read_is_not_gone(tmp_path):
    vault = local(tmp_path)
    await vault.open()
    await keep(vault, Shelf.RECEIPTS, PURCHASE, b"an answer")
    [root] = (path.parent for path in tmp_path.rglob("version"))
    away = root.rename(root.with_name("away"))
    root.mkdir()  # as a mount point without its disk
    with pytest.raises(Unavailable):
        await read(vault, Shelf.RECEIPTS, PURCHASE)
    with pytest.raises(Unavailable):
        await vault.digest(Shelf.RECEIPTS, PURCHASE)
    root.rmdir()
    away.rename(root)
    assert await read(vault, Shelf.RECEIPTS, PURCHASE) == b"an answer"
    await vault.close()
