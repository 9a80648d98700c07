"""
A copy of the simulation's database, and its coming back: as `services.catalog.restore` does it.

What only the database knew is as old as the copy; the provider, the vault and the CDN are not.
"""

import pickle
from typing import TYPE_CHECKING

from services.catalog import ledger, restore
from services.catalog.rows import Purchase
from tests.generator import modelled_promises as promises

if TYPE_CHECKING:
    from tests.generator.modelled_ledger import Ledger

_TABLES = (
    *("jobs", "purchases", "permits", "logs", "inbox", "heard", "images", "settlements"),
    *("spent", "reserved", "refilled_at", "made_at", "ended_at"),
)


class Backup:
    """The last copy; the first is made when the jobs have been admitted."""

    __slots__ = ("copy", "database", "wanted")

    def __init__(self, database: "Ledger", *, wanted: bool) -> None:
        self.database, self.wanted = database, wanted
        self.copy = b""
        if wanted:
            self.make()

    def make(self) -> None:
        """Copy all tables, as they are after a commit."""
        self.copy = pickle.dumps({name: getattr(self.database, name) for name in _TABLES})

    def come_back(self) -> None:
        """Put the tables back, and have all that was open looked up, never sent again."""
        database, before = self.database, self.database.purchases
        for name, table in pickle.loads(self.copy).items():
            setattr(database, name, table)
        database.forgotten |= {
            key: row for key, row in before.items() if key not in database.purchases
        }
        database.restored = True
        database.workers.clear()
        for memory in (database.strays, database.buried, database.said, database.bus):
            memory.clear()
        opened = [row for row in database.purchases.values() if row.has_work]
        for row in opened:
            row.restored = True
        for limits in database.permits.values():  # as set_limits counts them for the first worker
            limits.sending = 0
        database.change([_doubt(row) for row in opened])
        database.working, going_on = promises.check_ledger(database)
        database.has_work = bool(database.working) or going_on


def _doubt(row: Purchase) -> ledger.Change:
    kind = "restored" if row.state in ("planned", "sending") else "owner dies"
    return ledger.Change(row.purchase_id, kind, restore._doubt(row.purchase_id).apply)
