"""Pictures in a receipt that was just sent: taken from what came, and not read back."""

from pathlib import Path

import pytest

from services.storage.imports import Imports
from services.storage.incoming import Claim
from services.storage.keep import Keep, Origin
from services.storage.names import Links, Range
from services.storage.receipts import Answer, Receipts
from services.storage.room import Room
from services.storage.trial import Trial
from services.storage.turns import Turns
from services.storage.vault import Shelf
from services.storage.vaults.folder import FolderVault
from tests.storage.memory_disk import MemoryDisk
from tests.storage.pictures import picture

PURCHASE = "0190aaaa-0000-7000-8000-000000000001"
PICTURE = picture("PNG", (50, 40))


class Watched(MemoryDisk):
    """Tells what was opened to be read."""

    def open(self, path: Path) -> int:
        self.opened.append(path)
        return super().open(path)

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[Path] = []


@pytest.mark.parametrize("spare", [b"{}", b" " * 2_000_000], ids=["small", "large"])
async def test_only_a_large_receipt_is_read_back_for_its_picture(spare):
    disk, turns = Watched(), Turns()
    vault = FolderVault(Path("/data/vault"), disk)
    await vault.open()
    room = Room(vault.free, 0, Trial(vault.probe))
    keep = Keep(vault=vault, links=Links(b"k"), room=room, turns=turns, catalog=None)
    receipts = Receipts(vault=vault, room=room, turns=turns)
    imports = Imports(keep=keep, receipts=receipts, fetch=None)

    async def chunks():
        for part in (spare[: len(spare) // 2], spare[len(spare) // 2 :], PICTURE):
            yield part

    answer = Answer(user_id=7, purchase_id=PURCHASE, provider="sketch", media_type="")
    disk.opened.clear()
    receipt = await receipts.put(chunks(), answer)
    part = Range(PURCHASE, len(spare), len(spare) + len(PICTURE), raw=True)
    origin = Origin(user_id=7, purchase_id=PURCHASE)
    [kept] = await imports.pictured(receipt, [(part, origin, Claim())])

    assert bool(disk.opened) == (len(spare) > 1_000_000)
    blocks = [block async for block in vault.read(Shelf.FILES, kept.note.link)]
    assert b"".join(blocks) == PICTURE
    blocks = [block async for block in vault.read(Shelf.RECEIPTS, PURCHASE)]
    assert b"".join(blocks) == spare + PICTURE
    await vault.close()
