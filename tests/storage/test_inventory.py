"""The list of what a vault's notes say: all of them, and of files that are there alone."""

import json
from pathlib import Path

from services.storage import inventory
from services.storage.disk import LocalDisk
from services.storage.notes import FileNote, ReceiptNote
from services.storage.vault import Shelf
from services.storage.vaults.folder import FolderVault
from services.storage.vaults.journal import Journal
from services.storage.vaults.shelves import Shelves

CONTENT = b"some picture"


def note(purchase_id: str, **more: object) -> FileNote:
    known = {"created_at": "2026-11-27T10:00:00+00:00", "user_id": 2, "media_type": "image/png"}
    size = {"size_bytes": len(CONTENT), "width": 8, "height": 8, "readable": True}
    return FileNote(
        **known, **size, image_hash="a" * 64, link="link", purchase_id=purchase_id, **more
    )


async def kept(root: Path, *names: str) -> FolderVault:
    vault = FolderVault(root, LocalDisk(root))
    await vault.open()
    for name in names:
        async with vault.draft() as draft:
            await draft.write(CONTENT)
            await draft.keep(Shelf.FILES, name, note("first", provenance={"outputs": 3}).pack())
    return vault


def listed(root: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in inventory.notes(Shelves(root, LocalDisk(root)))]


async def test_every_note_of_every_file_is_told_the_first_one_first(tmp_path):
    vault = await kept(tmp_path, "aaaa", "bbbb")
    await vault.annotate(Shelf.FILES, "aaaa", "second.0", note("second").pack())
    await vault.close()
    assert [found["purchase_id"] for found in listed(tmp_path)] == ["first", "second", "first"]
    assert listed(tmp_path)[0]["provenance"] == {"outputs": 3}


async def test_what_has_lost_its_file_is_nothing_and_what_is_damaged_is_said(tmp_path, capsys):
    vault = await kept(tmp_path, "aaaa", "bbbb", "cccc")
    await vault.close()
    (tmp_path / "files" / "aa" / "aaaa").unlink()
    (tmp_path / "files" / "bb" / "bbbb").write_bytes(CONTENT[:-1])
    (tmp_path / "files" / "cc" / "cccc.json").write_text('{"half')
    assert len(listed(tmp_path)) == 1
    said = capsys.readouterr().err
    assert "bbbb has 11 bytes in place of 12" in said
    assert "a note of cccc cannot be read" in said


async def test_answers_of_which_no_picture_was_kept_are_told(tmp_path, capsys):
    vault = await kept(tmp_path)
    for name, provider in (("kept", "recraft"), ("paid", "recraft"), ("none", "sealed")):
        told = {"created_at": "2026-11-27T10:00:00+00:00", "user_id": 2, "media_type": "text/plain"}
        note = ReceiptNote(
            **told, size_bytes=len(CONTENT), purchase_id=name, sha256="", provider=provider
        )
        async with vault.draft() as draft:
            await draft.write(CONTENT)
            await draft.keep(Shelf.RECEIPTS, name, note.pack())
    await vault.close()
    shelves = Shelves(tmp_path, LocalDisk(tmp_path))
    [found] = map(json.loads, inventory.answers(shelves, {"kept"}))
    assert found == {
        "answer": "paid",
        "provider": "recraft",
        "size_bytes": len(CONTENT),
        "created_at": "2026-11-27T10:00:00+00:00",
    }
    (tmp_path / "receipts" / "id" / "paid.json").write_text('{"half')
    assert not list(inventory.answers(shelves, {"kept"}))
    assert "the answer to paid cannot be read" in capsys.readouterr().err


async def test_numbers_are_told_of_every_process_and_a_line_cut_off_spoils_nothing(tmp_path):
    for number in range(2):
        vault = await kept(tmp_path)
        await vault.record(b'{"variant": "jobs/1/variants/%d"}\n' % number)
        await vault.record(b'{"variant": "jobs/1/vari')  # the disk was full here
        await vault.record(b'{"variant": "jobs/2/variants/%d"}\n' % number)
        await vault.close()
    journal = Journal(tmp_path / "journal", LocalDisk(tmp_path))
    told = [json.loads(line)["variant"] for line in inventory.numbers(journal)]
    assert sorted(told) == [f"jobs/{j}/variants/{n}" for j in (1, 2) for n in range(2)]
