"""PostgreSQL's own programs, told of a database by their environment: no password in argv."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from services.catalog.embedded import find_programs

_PARTS = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "options": "PGOPTIONS"}


def program(name: str) -> Path:
    """Return where `pg_dump`, `pg_restore` or `psql` is; embedded.CannotRun where it is not."""
    return find_programs() / "bin" / name


def environment(url: str) -> Mapping[str, str]:
    """Return our environment with the database of *url* in it, as libpq reads it."""
    parts = urlsplit(url)
    found = {
        "PGHOST": parts.hostname or "127.0.0.1",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path.removeprefix("/")),
        "PGAPPNAME": "image-studio backup",
        "PGCONNECT_TIMEOUT": "10",
    }
    more = {_PARTS[name]: value for name, value in parse_qsl(parts.query) if name in _PARTS}
    ours = {name: text for name, text in os.environ.items() if not name.startswith("PG")}
    return ours | {name: value for name, value in (found | more).items() if value}
