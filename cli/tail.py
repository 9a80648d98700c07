"""`studio logs`: the ends of the processes' logs, and what comes."""

import sys
import time
from pathlib import Path

from cli.folder import CannotUse

_POLL = 0.2  # seconds
_BYTES_A_LINE = 400  # as a guess of how far back to read


def show(folder: Path, name: str, *, lines: int, follow: bool) -> None:
    """Print the last *lines* of one log or of each; then go on if told to."""
    files = _files(folder, name)
    width = max((len(file.stem) for file in files), default=0)
    prefixes = {file: "" if name else f"{file.stem:<{width}} | " for file in files}
    places = {file: _last(file, lines, prefixes[file]) for file in files}
    while follow:
        for file in _files(folder, name):
            prefix = prefixes.setdefault(file, "" if name else f"{file.stem:<{width}} | ")
            places[file] = _new(file, places.get(file, 0), prefix)
        time.sleep(_POLL)


def _files(folder: Path, name: str) -> list[Path]:
    if name:
        file = folder / f"{name}.log"
        if Path(name).name != name or not file.exists():
            known = ", ".join(sorted(path.stem for path in folder.glob("*.log"))) or "none yet"
            raise CannotUse(f"there is no log of {name!r}; there are: {known}")
        return [file]
    return sorted(folder.glob("*.log"))


def _last(file: Path, lines: int, prefix: str) -> int:
    size = file.stat().st_size
    with file.open("rb") as log:
        log.seek(max(0, size - (lines + 1) * _BYTES_A_LINE))
        text = log.read(size - log.tell())
    _print(text.decode(errors="replace").splitlines()[-lines:] if lines else [], prefix)
    return size


def _new(file: Path, place: int, prefix: str) -> int:
    size = file.stat().st_size
    if size < place:  # it was shortened
        place = 0
    if size == place:
        return place
    with file.open("rb") as log:
        log.seek(place)
        text = log.read(size - place)
    whole = text.rfind(b"\n") + 1  # half a line waits for its other half
    _print(text[:whole].decode(errors="replace").splitlines(), prefix)
    return place + whole


def _print(lines: list[str], prefix: str) -> None:
    for line in lines:
        sys.stdout.write(f"{prefix}{line}\n")
    sys.stdout.flush()
