"""Which files there are, while caches and other people's work come and go beside them."""

import fnmatch
import os
from pathlib import Path


def files(folder: Path, pattern: str) -> list[Path]:
    """List the files below *folder*; one that vanishes meanwhile is passed over (rglob raises)."""
    return sorted(
        Path(where, name)
        for where, _, names in os.walk(folder)
        if Path(where).name != "__pycache__"
        for name in fnmatch.filter(names, pattern)
    )
