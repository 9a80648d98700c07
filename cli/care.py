"""The commands that look after what is kept: a copy of the database, and two ways back."""

# ruff: noqa: FBT002  (an option of the command line is a parameter here)

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cli.folder import Folder
from cli.settings import load


def _named(folder: str | None) -> str | None:
    if folder is not None and not folder.strip():
        raise typer.BadParameter("it is empty: name a folder, or leave --to out")
    return folder


def backup(
    to: Annotated[
        str | None,
        typer.Option(callback=_named, help="A folder that is made; data/backups/TIME by default."),
    ] = None,
) -> None:
    """Copy the database, while the stack runs or not. The vault is copied after it, as files."""
    from cli import copies

    made = copies.make(load(), Path(to).absolute() if to else None)
    _say(f"copied {made.words()}; now copy the vault, as docs/backup.md says")
    print(made.path)


def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="What `studio backup` made.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Move the database that is there aside.")
    ] = False,
) -> None:
    """Put a copy back into a fresh data folder, its vault in place. Nothing is bought twice."""
    from cli import copies

    copy = copies.read(source.absolute())
    back = copies.put_back(load(), copy, _say, replace=replace)
    ended = [f"restored {copy.words()}", "now ./studio up"]
    broken_off = (
        "the database is back without what the vault adds, and no stack starts on it: see to what "
        "is said above; `./studio rebuild` ends it, then ./studio up"
    )
    keys = (
        f"API keys that were revoked after {copy.made_at} work again: ./studio keys list "
        "shows them, ./studio keys revoke ID revokes them anew"
    )
    _finish([*back.said, *(ended if back.ended else [broken_off]), keys], back.well)


def rebuild(
    drop: Annotated[
        bool, typer.Option("--drop", help="Forget the database first: all that is only in it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Make jobs and variants again that the vault has and the database lacks."""
    from cli import database, processes

    settings = load()
    folder = Folder(settings.data)
    if drop and not yes:
        words = "Favourites, ratings, presets, keys, caps and what is under way are lost. Drop it?"
        try:
            typer.confirm(words, abort=True)
        except typer.Abort:
            _finish(["nothing was dropped; --yes says it where nobody can be asked"], well=False)
    folder.prepare()
    with database.alone(settings, folder) as url:
        vault = processes.vault_url(settings, folder)
        done = database.rebuild(vault, url, *(["--drop"] if drop else []))
    _finish(done.said, done.well)


def _finish(said: list[str], well: bool) -> NoReturn:  # noqa: FBT001
    for line in said:
        _say(line)
    raise typer.Exit(0 if well else 1)


def _say(words: str) -> None:
    print(f"studio: {words}", file=sys.stderr, flush=True)
