"""
The SQL of the catalog: files in `queries/`, several queries each, loaded once by name.

    -- role: studio_user
    -- name: get_job
    SELECT …

The role is the one whose pool runs the file, studio_ledger where none is named; a test
PREPAREs every query under it. What `-- fragment: columns` heads is put in where the file says
/*columns*/; every file may say so of what stands in shared.sql.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "queries"
_SHARED = "shared.sql"
_ROLE = re.compile(r"^-- role: (\w+)$", re.MULTILINE)
_HEAD = re.compile(r"^-- (name|fragment): (\w+)\n", re.MULTILINE)
_PLACE = re.compile(r"/\*(\w+)\*/")


@dataclass(frozen=True, slots=True)
class Query:
    """One query: *role* is whose pool runs it, *file* where it stands."""

    name: str
    role: str
    file: str
    text: str


class Queries:
    """All queries of *folder*: the text by attribute, as asyncpg wants it, a plain str."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self.all: dict[str, Query] = {}
        shared: dict[str, str] = {}
        paths = sorted(folder.glob("*.sql"), key=lambda path: (path.name != _SHARED, path))
        for path in paths:
            for query in _read(path, shared):
                if other := self.all.get(query.name):
                    raise ValueError(f"{query.name} is in {other.file} and in {query.file}")
                self.all[query.name] = query

    def __getattr__(self, name: str) -> str:
        try:
            return self.all[name].text
        except KeyError:
            raise AttributeError(f"no file in queries/ has '-- name: {name}'") from None


def _read(path: Path, shared: dict[str, str]) -> Iterator[Query]:
    text = path.read_text()
    preamble, *parts = _HEAD.split(text)
    role = _ROLE.search(preamble)
    fragments = shared if path.name == _SHARED else dict(shared)
    for kind, name, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        whole = _PLACE.sub(lambda place: fragments[place[1]], body.strip().rstrip(";"))
        if kind == "fragment":
            fragments[name] = whole
            continue
        yield Query(name, role[1] if role else "studio_ledger", path.name, whole)


SQL = Queries()
