"""
Who may take how much of a worker's room: of each queue there is always some left, however many
purchases of a slow provider's are in work.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass(slots=True)
class Room:
    """
    *most* places for the queues of *names*.

    Half of them belong to all; the other half is shared out, and who has not taken his part of
    it finds it free.
    """

    most: int
    names: Collection[str]
    _taken: Counter[str] = field(default_factory=Counter)

    @property
    def left(self) -> int:
        """How many places nobody has."""
        return max(0, self.most - self._taken.total())

    def left_for(self, name: str) -> int:
        """How many of those *name* may take."""
        part = self.most // (2 * len(self.names))
        kept = sum(max(0, part - self._taken[other]) for other in self.names if other != name)
        return max(0, self.left - kept)

    def fitting(self, wanted: Collection[str]) -> int:
        """How many of *wanted*, in this order, may be taken now."""
        trial = Room(self.most, self.names, self._taken.copy())
        for number, name in enumerate(wanted):
            if not trial.left_for(name):
                return number
            trial.take(name)
        return len(wanted)

    def take(self, name: str) -> None:
        """Take a place, also where there is none: what is handed over is not refused."""
        self._taken[name] += 1

    def give_back(self, name: str) -> None:
        """Give it back."""
        self._taken[name] -= 1
