"""What changes when the code that a process has imported is not any more what is on the disk."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cli.settings import CHECKOUT

_FOLDERS = ("chassis", "services", "gateway", "lab", "gen", "cli")
_INSTALLED = Path(sys.prefix, ".installed", "requirements.lock")  # written last by ./studio

Fingerprint = frozenset[tuple[str, int, int]]


def fingerprint(root: Path = CHECKOUT) -> Fingerprint:
    """Names, sizes and times of all files that a process of ours may have read; takes 4 ms."""
    found = [found for folder in _FOLDERS for found in _files(str(root / folder))]
    with suppress(OSError):
        found.append(_signs(str(_INSTALLED), _INSTALLED.stat()))
    return frozenset(found)


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    yield from _files(entry.path)
            else:
                with suppress(OSError):  # it may be gone by now
                    yield _signs(entry.path, entry.stat(follow_symlinks=False))


def _signs(path: str, found: os.stat_result) -> tuple[str, int, int]:
    return path, found.st_size, found.st_mtime_ns
