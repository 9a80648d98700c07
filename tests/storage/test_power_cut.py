"""
What the vault acknowledged outlives a power cut after any step, and a kill before it.

The disk is one in memory that forgets what was not synced, in many unkind ways. Take any
fsync out of the vault, or change their order, and one of these turns red.
"""

from contextlib import suppress
from pathlib import Path

import pytest

from services.storage.vault import Found, Shelf
from services.storage.vaults.folder import FolderVault
from tests.storage.memory_disk import MemoryDisk, PowerCut
from tests.storage.test_vault import keep, read

A, B, C = "aa" + "2" * 24, "aa" + "3" * 24, "bb" + "4" * 24
PURCHASE = "0192d7a0-7b1c-7def-8a11-3f5d0c9e4b21"
WHOLE = {
    (Shelf.FILES, A): (b"a" * 1_100_000, b"note of a"),
    (Shelf.FILES, B): (b"b" * 300, b"note of b"),
    (Shelf.FILES, C): (b"c" * 300, b"note of c"),
    (Shelf.RECEIPTS, PURCHASE): (b"r" * 300, b"note of r"),
}
UNKIND = range(8)


async def story(disk, promised):
    """A life of a vault; *promised* gets what was acknowledged, and loses what is in doubt."""
    vault = FolderVault(Path("/data/vault"), disk)
    try:
        await vault.open()
        for (shelf, name), (content, note) in WHOLE.items():
            await keep(vault, shelf, name, content, note)
            promised[shelf, name] = [note]
        await vault.annotate(Shelf.FILES, A, "more", b"bought again")
        promised[Shelf.FILES, A] = [b"note of a", b"bought again"]
        await keep(vault, Shelf.THUMBNAILS, A, b"thumbnail", b"")
        promised[Shelf.FILES, B] = "in doubt"
        await vault.remove(Shelf.FILES, B)
        promised[Shelf.FILES, B] = "removed"
    finally:
        await vault.close()


async def check(disk, promised):
    """All that was promised is there; what else can be seen is whole."""
    vault = FolderVault(Path("/data/vault"), disk)
    await vault.open()
    for (shelf, name), (content, note) in WHOLE.items():
        found, promise = await vault.find(shelf, name), promised.get((shelf, name))
        if isinstance(promise, list):
            notes = await vault.notes(shelf, name)
            assert notes[: len(promise)] == promise, f"lost: {shelf} {name}"
        assert promise != "removed" or found is None, f"came back: {name}"
        if found:
            assert found == Found(note, len(content))
            assert await read(vault, shelf, name) == content
    if await vault.find(Shelf.THUMBNAILS, A):
        assert await read(vault, Shelf.THUMBNAILS, A) == b"thumbnail"
    await vault.close()


def noteless(disk):
    """Files whose bytes are there and whose note is not: nobody could tell what they are."""
    seen = {
        folder / name
        for folder, names in disk.names.items()
        for name in names
        if "/files/" in f"{folder}"
    }
    return [
        path
        for path in seen
        if path.suffix != ".json" and path.with_name(f"{path.name}.json") not in seen
    ]


async def steps_of_the_story():
    disk = MemoryDisk()
    await story(disk, {})
    return disk.steps


async def test_a_power_cut_after_any_step_loses_nothing_that_was_promised():
    for cut in range(1, await steps_of_the_story() + 1):
        disk, promised = MemoryDisk(cut_at=cut), {}
        with suppress(PowerCut):
            await story(disk, promised)
        for seed in UNKIND:
            await check(disk.after_power_cut(seed), promised)


async def test_a_kill_at_any_step_then_a_second_try_then_a_power_cut_loses_nothing():
    """The second process finds what the first one had not made durable yet."""
    for kill in range(1, await steps_of_the_story() + 1):
        disk, promised = MemoryDisk(cut_at=kill), {}
        with suppress(PowerCut):
            await story(disk, promised)
        disk.cut_at, disk.held, disk.handles = 0, set(), {}
        assert not noteless(disk)
        await check(disk, promised)
        promised = {}
        await story(disk, promised)
        for seed in UNKIND:
            await check(disk.after_power_cut(seed), promised)


async def test_a_restart_clears_what_a_dead_process_left_in_tmp():
    left = set()
    for kill in range(1, await steps_of_the_story() + 1):
        disk = MemoryDisk(cut_at=kill)
        with suppress(PowerCut):
            await story(disk, {})
        disk.cut_at, disk.held, disk.handles = 0, set(), {}
        left.add(len(disk.entries(Path("/data/vault/tmp"))))
        vault = FolderVault(Path("/data/vault"), disk)
        await vault.open()
        assert disk.entries(Path("/data/vault/tmp")) == []
        await vault.close()
    assert left >= {0, 1, 2}


async def test_a_process_that_is_not_alone_leaves_tmp_as_it_is():
    class Shared(MemoryDisk):
        def lock(self, path):
            return False

    disk = Shared()
    first = FolderVault(Path("/data/vault"), disk)
    await first.open()
    async with first.draft() as draft:
        await draft.write(b"x" * 2_000_000)
        second = FolderVault(Path("/data/vault"), disk)
        await second.open()
        await draft.keep(Shelf.FILES, A, b"note")
    assert await second.find(Shelf.FILES, A) == Found(b"note", 2_000_000)
    await first.close()
    await second.close()


async def test_a_vault_of_a_newer_version_is_not_touched():
    disk = MemoryDisk()
    disk.make_folder(Path("/data/vault"))
    handle = disk.create(Path("/data/vault/version"))
    disk.write(handle, [b"2"])
    disk.close(handle)
    with pytest.raises(SystemExit, match="newer version"):
        await FolderVault(Path("/data/vault"), disk).open()
    assert disk.entries(Path("/data/vault")) == ["version"]


async def test_a_full_disk_at_the_start_is_said():
    disk = MemoryDisk(full_at=4)
    with pytest.raises(SystemExit, match="free some space"):
        await FolderVault(Path("/data/vault"), disk).open()
