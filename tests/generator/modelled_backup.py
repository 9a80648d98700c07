"""
A copy of the simulation's database, and its coming back: as `services.catalog.restore` does it.

What only the database knew is as old as the copy; the provider, the vault and the CDN are not.
"""

from copy import deepcopy
from typing import Any

from services.catalog import ledger as real
from services.catalog import restore
from tests.generator import modelled_promises as promises

_TABLES = (
    *("jobs", "purchases", "permits", "logs", "inbox", "heard", "images", "settlements"),
    *("spent", "reserved", "refilled_at", "made_at", "ended_at"),
)


class Backup:
    """The last copy; the first is made when the jobs have been admitted."""

    __slots__ = ("copy", "ledger", "wanted")

    def __init__(self, ledger: Any, *, wanted: bool) -> None:
        self.ledger, self.wanted = ledger, wanted
        self.copy: dict[str, Any] = {}
        if wanted:
            self.make()

    def make(self) -> None:
        """Copy all tables, as they are after a commit."""
        self.copy = deepcopy({name: getattr(self.ledger, name) for name in _TABLES})

    def come_back(self) -> None:
        """Put the tables back, and have all that was open looked up, never sent again."""
        ledger, before = self.ledger, self.ledger.purchases
        for name, table in deepcopy(self.copy).items():
            setattr(ledger, name, table)
        ledger.forgotten |= {key: row for key, row in before.items() if key not in ledger.purchases}
        ledger.restored = True
        ledger.workers.clear()
        for memory in (ledger.strays, ledger.buried, ledger.said, ledger.bus):
            memory.clear()
        opened = [row for row in ledger.purchases.values() if row.has_work]
        for row in opened:
            row.restored = True
        for limits in ledger.permits.values():  # as set_limits counts them for the first worker
            limits.sending = 0
        ledger.change(
            [
                real.Change(row.purchase_id, "restored", restore._doubt(row.purchase_id).apply)
                for row in opened
            ]
        )
        ledger.working, going_on = promises.check_ledger(ledger)
        ledger.has_work = bool(ledger.working) or going_on
