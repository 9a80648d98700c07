"""
Lists what a vault's notes say: `python -m services.storage.inventory`, of VAULT_URL.

A JSON object a line on standard output: how the catalog had numbered what is kept, and the notes
as they are, those of one file together and the first one first; at last END, without which it is
not all. It only reads: a storage may be at work in the vault meanwhile.
"""

import json
import os
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from urllib.parse import unquote, urlsplit

from services.storage.disk import LocalDisk
from services.storage.notes import FileNote
from services.storage.vault import Shelf
from services.storage.vaults.journal import Journal
from services.storage.vaults.shelves import Shelves

END = '{"end": true}'


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


def _tell(words: str) -> None:
    print(f"inventory: {words}", file=sys.stderr)


def main() -> None:
    """List the vault of VAULT_URL."""
    root = Path(unquote(urlsplit(os.environ["VAULT_URL"]).path))
    if not root.is_dir():
        print(f"inventory: there is no vault in {root}", file=sys.stderr)
        raise SystemExit(1)
    disk = LocalDisk(root)
    for line in chain(numbers(Journal(root / "journal", disk)), notes(Shelves(root, disk))):
        print(line)
    print(END)


if __name__ == "__main__":
    main()
