"""The named points of the code, as the source has them."""

import re

from services.generator import marks
from tests.system.stack import CHECKOUT

_POINT = re.compile(r'\bpoint\("([^"]+)"\)')
_SOURCES = [path for top in ("services", "gateway") for path in (CHECKOUT / top).rglob("*.py")]
WRITTEN = [name for path in _SOURCES for name in _POINT.findall(path.read_text())]
OF_EDGES = {
    f"{name}.{when}_commit" for name in marks.NAMES.values() for when in ("before", "after")
}
FOUND = sorted([*WRITTEN, *OF_EDGES])
