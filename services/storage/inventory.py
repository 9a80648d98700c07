"""
Lists what a vault's notes say: `python -m services.storage.inventory`, of VAULT_URL.

A JSON object a line on standard output: how the catalog had numbered what is kept, and the notes
as they are, those of one file together and the first one first; then each answer of which no
picture was kept; at last END, without which it is not all. It only reads: a storage may be at work
in the vault meanwhile.
"""

import json
import os
import sys
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from urllib.parse import unquote, urlsplit

from services.storage.disk import LocalDisk
from services.storage.notes import FileNote, ReceiptNote
from services.storage.vault import Shelf
from services.storage.vaults.journal import Journal
from services.storage.vaults.shelves import Shelves

END = '{"end": true}'
_SEALED = "sealed"  # in a provider's place: an order that may have no answer any more


def notes(shelves: Shelves) -> Iterator[str]:
    """Yield each note of each file; what cannot be read, or is damaged, is told on the way."""
    for name in shelves.names(Shelf.FILES):
        found = shelves.find(Shelf.FILES, name)
        if found is None:
            _tell(f"{name} has no note beside it: nobody can tell whose it is")
            continue
        for note in shelves.notes(Shelf.FILES, name):
            try:
                read = FileNote.unpack(note)
                line = json.dumps(json.loads(note))
            except (ValueError, TypeError, KeyError) as error:
                _tell(f"a note of {name} cannot be read: {error!r}")
                continue
            if read.size_bytes != found.size:
                _tell(f"{name} has {found.size} bytes in place of {read.size_bytes}")
            yield line


def numbers(journal: Journal) -> Iterator[str]:
    """Yield what was written down of the catalog's numbers; a line that was cut off is nothing."""
    for line in journal.lines():
        try:
            yield json.dumps(json.loads(line))
        except ValueError:
            continue


def answers(shelves: Shelves, kept: Collection[str]) -> Iterator[str]:
    """Yield what is known of each answer, but of the purchases of which pictures were *kept*."""
    for purchase_id in shelves.names(Shelf.RECEIPTS):
        if purchase_id in kept:
            continue
        found = shelves.find(Shelf.RECEIPTS, purchase_id)
        if found is None:
            _tell(f"the answer to {purchase_id} has no note beside it")
            continue
        try:
            note = ReceiptNote.unpack(found.note)
        except (ValueError, TypeError) as error:
            _tell(f"the note of the answer to {purchase_id} cannot be read: {error!r}")
            continue
        if note.provider != _SEALED:
            told = {"provider": note.provider, "created_at": note.created_at}
            yield json.dumps({"answer": purchase_id, "size_bytes": found.size, **told})


def _tell(words: str) -> None:
    print(f"inventory: {words}", file=sys.stderr)


def main() -> None:
    """List the vault of VAULT_URL."""
    root = Path(unquote(urlsplit(os.environ["VAULT_URL"]).path))
    if not root.is_dir():
        print(f"inventory: there is no vault in {root}", file=sys.stderr)
        raise SystemExit(1)
    disk = LocalDisk(root)
    shelves, kept = Shelves(root, disk), set[str]()
    for line in chain(numbers(Journal(root / "journal", disk)), notes(shelves)):
        kept.add(json.loads(line).get("purchase_id", ""))
        print(line)
    for line in answers(shelves, kept):
        print(line)
    print(END)


if __name__ == "__main__":
    main()
