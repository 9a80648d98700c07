"""What the CDN shall have of one purchase, and has not: a value, and how it goes on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Publication:
    """Outputs that wait, those of them under way, and the pause before another try."""

    waiting: frozenset[int] = frozenset()
    under_way: frozenset[int] = frozenset()
    pause: float = 0.0  # seconds

    def wanted(self, index: int) -> "Publication":
        """One more output shall go there."""
        return Publication(self.waiting | {index}, self.under_way, self.pause)

    def begun(self) -> "Publication":
        """All that wait are under way, side by side."""
        return Publication(self.waiting, self.waiting, self.pause)

    def failed(self, index: int, pause: float) -> "Publication":
        """One did not get there: it waits on."""
        return Publication(self.waiting, self.under_way - {index}, max(self.pause, pause))

    def done(self, index: int) -> "Publication":
        """One is there, and the ledger knows."""
        gone = {index}
        return Publication(self.waiting - gone, self.under_way - gone, self.pause)
