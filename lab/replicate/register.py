"""All predictions in the order of their making, and their pages: newest first, a hundred each."""

import base64
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lab.replicate.prediction import Prediction

_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which predictions a listing shows; *until* is the last moment that it knows of."""

    after: datetime | None = None
    before: datetime | None = None
    until: datetime
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Predictions, newest first, and the cursors of the pages beside."""

    found: list[Prediction]
    next: str | None
    previous: str | None


@dataclass(slots=True)
class Register:
    """Every prediction of this lab."""

    _all: list[Prediction] = field(default_factory=list)
    _by_id: dict[str, Prediction] = field(default_factory=dict)

    def add(self, made: Prediction) -> None:
        self._all.append(made)
        self._by_id[made.id] = made

    def all(self) -> Iterator[Prediction]:
        """All, oldest first."""
        return iter(self._all)

    def find(self, name: str) -> Prediction | None:
        return self._by_id.get(name)

    def clear(self) -> None:
        self._all.clear()
        self._by_id.clear()

    def page(self, window: Window) -> Page:
        """The page that *window* asks for; raise ValueError for a cursor that is none."""
        first, last = self._bounds(window)
        stop = last
        if window.cursor:
            direction, place = _read(window.cursor)
            stop = place if direction == "p" else place + _PAGE
        stop = max(first, min(stop, last))
        start = max(first, stop - _PAGE)
        return Page(
            found=self._all[start:stop][::-1],
            next=_cursor("p", start) if start > first else None,
            previous=_cursor("r", stop) if stop < last else None,
        )

    def _bounds(self, window: Window) -> tuple[int, int]:
        """Positions of the oldest that is shown, and behind the newest."""
        last = bisect_right(self._all, window.until, key=_created)
        if window.before:
            last = min(last, bisect_left(self._all, window.before, key=_created))
        first = bisect_left(self._all, window.after, key=_created) if window.after else 0
        return min(first, last), last


def moment(text: str) -> datetime:
    """A time as a query gives it; raise ValueError where it is none."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=found.tzinfo or UTC)


def _created(made: Prediction) -> datetime:
    return made.created


def _cursor(direction: str, place: int) -> str:
    return base64.urlsafe_b64encode(f"{direction}={place}".encode()).decode()


def _read(cursor: str) -> tuple[str, int]:
    direction, _, place = base64.urlsafe_b64decode(cursor).decode().partition("=")
    if direction not in ("p", "r"):
        raise ValueError(cursor)
    return direction, int(place)
