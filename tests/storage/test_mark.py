"""A vault is the one that was here, or storage does not start: an unmounted disk loses nothing."""

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from chassis.errors import Unavailable
from chassis.settings import SettingsError
from services.storage.compose import vault_at
from services.storage.disk import LocalDisk
from services.storage.vault import Found, Shelf
from services.storage.vaults.folder import FolderVault
from tests.storage.conftest import environment
from tests.storage.memory_disk import MemoryDisk, PowerCut
from tests.storage.process import process
from tests.storage.test_vault import PURCHASE, keep, read

ANSWER = b"an answer that was paid for"


@pytest.fixture
async def kept(tmp_path):
    """The root of a vault that was used and left, with a receipt in it."""
    root = tmp_path / "vault"
    vault = await opened(root)
    await keep(vault, Shelf.RECEIPTS, PURCHASE, ANSWER)
    await vault.close()
    return root


async def opened(root: Path) -> FolderVault:
    vault = FolderVault(root, LocalDisk(root))
    try:
        await vault.open()
    except BaseException:
        await vault.close()
        raise
    return vault


def unmounted(root: Path) -> Path:
    """Put the mount point in its place; return where the vault is now."""
    away = root.rename(root.with_name("the-disk"))
    root.mkdir()
    return away


async def has_the_answer(root: Path) -> bool:
    vault = await opened(root)
    try:
        return await read(vault, Shelf.RECEIPTS, PURCHASE) == ANSWER
    finally:
        await vault.close()


async def test_an_empty_folder_is_not_taken_for_the_vault_and_stays_empty(kept):
    disk = unmounted(kept)
    with pytest.raises(SettingsError, match=f"has no vault in it.*mount.*rm {kept}.id"):
        await opened(kept)
    assert list(kept.iterdir()) == []
    kept.rmdir()
    disk.rename(kept)
    assert await has_the_answer(kept)


async def test_a_folder_that_is_not_even_there_is_not_made(kept):
    disk = kept.rename(kept.with_name("the-disk"))
    with pytest.raises(SettingsError):
        await opened(kept)
    assert not kept.exists()
    disk.rename(kept)
    assert await has_the_answer(kept)


async def test_another_vault_is_not_taken_for_it(kept, tmp_path):
    await (await opened(tmp_path / "another")).close()
    unmounted(kept).rename(tmp_path / "mine")
    kept.rmdir()
    (tmp_path / "another").rename(kept)
    with pytest.raises(SettingsError, match="is another vault"):
        await opened(kept)


async def test_a_new_vault_is_taken_at_somebodys_word_and_the_old_one_is_not_taken_for_it(kept):
    disk = unmounted(kept)
    kept.with_name("vault.id").unlink()  # what the refusal says
    await (await opened(kept)).close()
    shutil.rmtree(kept)
    disk.rename(kept)
    with pytest.raises(SettingsError, match="is another vault"):
        await opened(kept)


async def test_a_vault_of_an_older_release_gets_its_id_in_silence(kept):
    (kept / "id").unlink()
    kept.with_name("vault.id").unlink()
    assert await has_the_answer(kept)
    unmounted(kept)
    with pytest.raises(SettingsError):
        await opened(kept)


@pytest.mark.parametrize("moved", ["alone", "with what remembers it"])
async def test_a_copy_elsewhere_is_the_vault_whether_or_not_it_is_known_there(
    kept, moved, tmp_path
):
    there = tmp_path / "elsewhere"
    shutil.copytree(kept, there / "vault")
    if moved != "alone":
        shutil.copy(kept.with_name("vault.id"), there)
    assert await has_the_answer(there / "vault")


async def test_what_is_missing_while_the_disk_is_away_is_not_said_to_be_gone(kept):
    vault = await opened(kept)
    disk = unmounted(kept)
    with pytest.raises(Unavailable, match="is its disk mounted"):
        await vault.find(Shelf.RECEIPTS, PURCHASE)
    with pytest.raises(Unavailable, match="is its disk mounted"):
        await vault.notes(Shelf.RECEIPTS, PURCHASE)
    with pytest.raises(Unavailable):
        await keep(vault, Shelf.RECEIPTS, "another", b"another answer")
    assert list(kept.rglob("another")) == []
    shutil.rmtree(kept)
    disk.rename(kept)
    assert await vault.find(Shelf.RECEIPTS, PURCHASE) == Found(b"{}", len(ANSWER))
    assert await vault.find(Shelf.RECEIPTS, "another") is None
    await vault.close()


async def test_a_start_that_dies_at_any_step_makes_a_stranger_of_no_vault():
    root, at, done = Path("/data/vault"), 0, False
    while not done:
        at += 1
        disk = MemoryDisk(cut_at=at)
        with suppress(PowerCut):
            await FolderVault(root, disk, Path("/known/vault.id")).open()
            done = True
        for seed in range(8):
            again = disk.after_power_cut(seed)
            await FolderVault(root, again, Path("/known/vault.id")).open()
            once_more = again.after_power_cut(seed)
            await FolderVault(root, once_more, Path("/known/vault.id")).open()
    assert at > 20


def test_the_process_ends_with_78_and_is_well_once_the_disk_is_back(kept):
    disk = unmounted(kept)
    said = environment(kept, "127.0.0.1:1")
    with process(said) as storage:
        assert storage.wait(timeout=120) == 78
        assert "mount its disk" in storage.stderr.read()
    kept.rmdir()
    disk.rename(kept)


def test_what_remembers_a_vault_lies_outside_of_it(tmp_path):
    with pytest.raises(SettingsError, match="VAULT_ID_FILE lies in the vault"):
        vault_at(f"file://{tmp_path}", f"{tmp_path}/secrets/id")
    with pytest.raises(SettingsError, match="VAULT_ID_FILE lies in the vault"):
        vault_at(f"file://{tmp_path}", f"{tmp_path}/../{tmp_path.name}/id")
    said = environment(tmp_path, "127.0.0.1:1", VAULT_ID_FILE="vault.id")
    with process(said) as storage:
        assert storage.wait(timeout=120) == 78
        assert "VAULT_ID_FILE is malformed" in storage.stderr.read()
