"""
Copies of the database: made while the stack runs, checked, and put back into a fresh folder.

    manifest.json   what it is, of which schema, and the SHA-256 of the rest
    database.dump   made by pg_dump, of one snapshot
    link_key        what the pictures' links are made with
"""

import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cli import database, processes
from cli.folder import CannotUse, Folder
from cli.settings import StackSettings

FORMAT = 1  # of the folder of a copy
_DUMP, _KEY, _MANIFEST = "database.dump", "link_key", "manifest.json"
_BLOCK = 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy whose files are as they were made."""

    path: Path
    manifest: dict[str, Any]

    @property
    def dump(self) -> Path:
        return self.path / _DUMP

    @property
    def link_key(self) -> str:
        return (self.path / _KEY).read_text().strip()

    @property
    def made_at(self) -> str:
        return str(self.manifest["database"]["made_at"])

    def words(self) -> str:
        """Say what is in it."""
        told = self.manifest["database"]
        names = ("users", "jobs", "variants")
        words = ", ".join(f"{told[name]} {name}" for name in names)
        return f"{words}, {told['open_purchases']} purchases open; schema {told['schema_version']}"


def make(settings: StackSettings, to: Path | None) -> Copy:
    """Copy the database of this folder to *to*, a folder that is made; raise CannotUse."""
    folder = Folder(settings.data)
    if not (folder.path / "FORMAT").exists():
        raise CannotUse(f"there is no stack's data in {folder.path}: nothing to copy")
    target = to or folder.path / "backups" / time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    if target.exists():
        raise CannotUse(f"{target} is there already: a copy never overwrites; name another folder")
    if folder.is_locked():
        return _make(settings, folder, target, processes.database_url(settings, folder))
    with database.alone(settings, folder) as url:
        return _make(settings, folder, target, url)


def _make(settings: StackSettings, folder: Folder, target: Path, url: str) -> Copy:
    """Make it beside, and give it its name when it is whole."""
    new = target.with_name(f"{target.name}.{os.getpid()}.new")
    try:
        new.mkdir(mode=0o700, parents=True)
        facts = json.loads(
            database.run("services.catalog.backup", str(new / _DUMP), DATABASE_URL=url)
        )
        _write(new / _KEY, folder.link_key(settings.link_key).reveal() + "\n")
        manifest = {
            "format": FORMAT,
            "database": facts,
            "vendors": folder.vendors(),
            "files": {name: _seen(new / name) for name in (_DUMP, _KEY)},
        }
        _write(new / _MANIFEST, json.dumps(manifest, indent=2) + "\n")
        _sync(new)
        new.rename(target)
        _sync(target.parent)
    except OSError as error:
        raise CannotUse(f"{target} cannot be written: {error.strerror}; nothing is left") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return Copy(target, manifest)


def read(path: Path) -> Copy:
    """Check a copy: its format and the hash of every file; raise CannotUse."""
    try:
        manifest = json.loads((path / _MANIFEST).read_text())
        version, files = manifest["format"], manifest["files"]
        told = {name: files[name]["sha256"] for name in (_DUMP, _KEY)}
    except OSError as error:
        raise CannotUse(
            f"{path} is no copy ({_MANIFEST}: {error.strerror}): name a folder that backup made"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise CannotUse(f"{path / _MANIFEST} is damaged ({error!r}): take another copy") from error
    if version != FORMAT:
        raise CannotUse(f"{path} is of format {version}, this release reads {FORMAT}")
    for name, sha256 in told.items():
        try:
            found = _seen(path / name)["sha256"]
        except OSError as error:
            raise CannotUse(f"{path / name} cannot be read: {error.strerror}") from error
        if found != sha256:
            raise CannotUse(f"{path / name} is not as it was written: take another copy")
    return Copy(path, manifest)


def put_back(
    settings: StackSettings, copy: Copy, say: Callable[[str], None], *, replace: bool
) -> database.Rebuilt:
    """Restore *copy* into the data folder; return what there is to say, of both steps."""
    newest = int(database.run("services.catalog.restore", "--newest"))
    if copy.manifest["database"]["schema_version"] > newest:
        raise CannotUse(f"{copy.path} is of a newer release than this one: use that (git pull)")
    folder = Folder(settings.data)
    vault = processes.vault_url(settings, folder)
    _see_vault(Path(unquote(urlsplit(vault).path)), copy)
    folder.prepare()
    with folder.held():
        aside = _make_way(settings, folder, replace=replace)
        folder.keep_to(copy.manifest["vendors"])
        folder.take_link_key(copy.link_key)
    say(f"restoring {copy.words()}, of {copy.made_at}")
    for place in aside:
        say(f"the database that was here is now {place}")
    with database.alone(settings, folder) as url:
        said = database.run("services.catalog.restore", str(copy.dump), DATABASE_URL=url)
        rebuilt = database.rebuild(vault, url)
    return dataclasses.replace(rebuilt, said=[*said.splitlines(), *rebuilt.said])


def _see_vault(vault: Path, copy: Copy) -> None:
    """Refuse to restore what speaks of pictures where none is: every link would be dead."""
    if copy.manifest["database"]["variants"] and not any(
        path.is_file() for path in (vault / "files").rglob("*")
    ):
        raise CannotUse(
            f"there are no pictures in {vault}, and the copy speaks of some: copy the vault there "
            "(docs/backup.md), then do this again; nothing was changed"
        )


def _make_way(settings: StackSettings, folder: Folder, *, replace: bool) -> list[Path]:
    """Refuse a folder with a database in it, or move that aside; return where it is then."""
    if settings.database_url:
        return []  # the restore itself takes none but an empty one
    places = [folder.path / "postgres", folder.path / "postgres.moved"]
    there = [
        place for place in places if place.is_file() or (place.is_dir() and any(place.iterdir()))
    ]
    if there and not replace:
        raise CannotUse(
            f"{folder.path} has a database: set STUDIO_DATA to a fresh folder, or say --replace, "
            "which moves the database that is there aside"
        )
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    return [place.rename(place.with_name(f"{place.name}.replaced-{stamp}")) for place in there]


def _seen(path: Path) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return {"bytes": size, "sha256": digest.hexdigest()}


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
