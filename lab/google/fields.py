"""Proto JSON as Google reads it: both spellings of a name, and no name that it does not know."""

import json
import re
from collections.abc import Collection
from typing import Any

from lab.google.problems import Problem

_HUMP = re.compile(r"_([a-z])")
_SHOWN = 60  # characters of what was sent that a refusal repeats


def plain(found: Any) -> Any:
    """*found* with all its names in camelCase."""
    if isinstance(found, list):
        return [plain(each) for each in found]
    if isinstance(found, dict):
        return {_HUMP.sub(lambda m: m[1].upper(), name): plain(of) for name, of in found.items()}
    return found


def only(found: Any, known: Collection[str], where: str) -> dict[str, Any]:
    """*found*, which must be an object of *known* names; raises Problem."""
    if not isinstance(found, dict):
        raise wrong(where, "must be an object")
    if unknown := sorted(found.keys() - set(known)):
        name = json.dumps(unknown[0][:_SHOWN])
        what = f"Unknown name {name} at '{where}': Cannot find field."
        raise Problem(400, f"Invalid JSON payload received. {what}")
    return found


def one_of(found: Any, known: Collection[str], where: str) -> str:
    """*found*, which must be one of *known*; raises Problem."""
    if not isinstance(found, str) or found not in known:
        raise wrong(where, f"must be one of {', '.join(known)}")
    return found


def wrong(where: str, why: str) -> Problem:
    return Problem(400, f"Invalid value at '{where}': it {why}")
