"""A note without its file: a delete that was cut off, or a file that somebody took away."""

import asyncio
from pathlib import Path

import pytest

from chassis.errors import DataLoss, Missing, Precondition
from chassis.identity import Caller
from services.storage.assets import Assets
from services.storage.turns import Turns
from services.storage.vault import Shelf
from services.storage.vaults.folder import FolderVault
from tests.storage.client import PURCHASE, link_of
from tests.storage.memory_disk import MemoryDisk
from tests.storage.pictures import picture


async def test_a_delete_that_was_cut_off_is_finished_by_the_next_one(client, folder):
    """It died between the file and its note, which alone means that somebody took the file."""
    asset = (await client.upload(picture())).asset
    link = link_of(asset)
    [file] = folder.rglob(link.removeprefix("links/"))
    file.unlink()
    await client.delete(asset.name, allow_missing=True)
    assert not list(folder.rglob(f"{file.name}*"))
    with pytest.raises(Missing):
        await client.get(link)
    with pytest.raises(Missing):
        await client.delete(asset.name)


async def test_what_is_in_use_keeps_its_note_though_its_file_was_taken_away(
    client, catalog, folder
):
    asset = (await client.upload(picture(), PURCHASE)).asset
    catalog.used.add(asset.name.removeprefix("assets/"))
    [file] = folder.rglob(link_of(asset).removeprefix("links/"))
    file.unlink()
    with pytest.raises(Precondition):
        await client.delete(asset.name)
    with pytest.raises(DataLoss):
        await client.get(link_of(asset))


class Looked(FolderVault):
    """Tells that somebody has asked whether a file was taken away, and when one is looked for."""

    def __init__(self, *given) -> None:
        super().__init__(*given)
        self.looked, self.deleted = asyncio.Event(), False
        self.finds: list[bool] = []

    async def is_torn(self, shelf, name):
        torn = await super().is_torn(shelf, name)
        self.looked.set()
        return torn

    async def find(self, shelf, name):
        self.finds.append(self.deleted)
        return await super().find(shelf, name)


async def test_who_looks_in_the_middle_of_a_delete_waits_for_its_end():
    disk, link = MemoryDisk(), "a" * 26
    vault = Looked(Path("/vault"), disk)
    await vault.open()
    async with vault.draft() as draft:
        await draft.write(b"x")
        await draft.keep(Shelf.FILES, link, b"{}")
    place = Path("/vault/files/aa") / link
    assets = Assets(vault=vault, links=None, turns=Turns(), thumbnails=None, catalog=None)
    async with assets.turns.take(link):
        disk.remove(place)
        looking = asyncio.create_task(assets.get(Caller(1), f"links/{link}"))
        await vault.looked.wait()
        await vault.remove(Shelf.FILES, link)
        vault.deleted = True
    with pytest.raises(Missing):
        await looking
    assert vault.finds == [False, True]  # not in the middle
    await vault.close()
