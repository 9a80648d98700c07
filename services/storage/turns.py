"""
Turns by name: one at a time keeps, deletes or draws what has the same name.

Without them a delete could slip between "you had these bytes before" and the record of it.
They are this process's own: of one vault one storage serves at a time (docs/deploy.md).
"""

import asyncio
from weakref import WeakValueDictionary


class Turns:
    """Locks that exist only while somebody wants them."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def take(self, name: str) -> asyncio.Lock:
        """Return what waits for the turn of *name* and has it: `async with turns.take(name)`."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock
