"""
What one watcher is to be told, in order and once. Pure: the log and the live news come in
any order and as often as they like.
"""

from collections import OrderedDict
from enum import Enum, auto

from imagestudio.type.v1 import job_event_pb2

_PREVIEWS = 4  # of so many purchases one waits
Event = job_event_pb2.JobEvent


class Verdict(Enum):
    """What to do with an event."""

    TELL = auto()
    DROP = auto()  # told before
    READ = auto()  # something between is missing: read the log


class Sequence:
    """Knows the newest durable event that was told."""

    def __init__(self, after: int) -> None:
        self.last = after

    def judge(self, event: Event) -> Verdict:
        """Say what is to be done with *event*; one that is to be told counts as told."""
        if not event.sequence:
            return Verdict.TELL
        if event.sequence <= self.last:
            return Verdict.DROP
        if event.sequence > self.last + 1:
            return Verdict.READ
        self.last = event.sequence
        return Verdict.TELL


class Mailbox:
    """
    The events that wait for a watcher, at most *most* durable ones.

    Of the live ones only the newest of each purchase waits, and of its previews, of a few
    purchases. What does not fit is dropped, all of it: the watcher sees the gap and reads
    the log.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._durable: list[Event] = []  # a deque takes 760 bytes, and there are thousands
        self._live: OrderedDict[str, Event] = OrderedDict()
        self._previews: OrderedDict[str, Event] = OrderedDict()
        self.overflowed = False

    def put(self, event: Event) -> None:
        """Add *event*."""
        if event.HasField("preview"):
            self._previews[event.preview.purchase_id] = event
            if len(self._previews) > _PREVIEWS:
                self._previews.popitem(last=False)
        elif not event.sequence:
            self._live[event.progress.purchase_id] = event
        elif len(self._durable) < self._most:
            self._durable.append(event)
        else:
            self._durable.clear()
            self.overflowed = True

    def take(self) -> Event | None:
        """Take the next event, durable ones first; None where there is none."""
        if self._durable:
            return self._durable.pop(0)
        for waiting in (self._live, self._previews):
            if waiting:
                return waiting.popitem(last=False)[1]
        return None

    def empty(self) -> bool:
        """Whether nothing waits, not even the word that something was dropped."""
        return not (self._durable or self._live or self._previews or self.overflowed)
