"""
The bad days that a test asks for: which calls go wrong, how, and how often.

A fault is drawn by dice of its own with its own seed, so that one run is like the next.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from random import Random
from typing import Any

PLACES = (
    "create", "get", "list", "cancel", "file", "upload", "delivery", "delete", "webhook", "chat",
)  # fmt: skip
_PLAIN = {"drop_before", "drop_after", "truncate", "html", "duplicate"}
_MEASURED = {"hang": "seconds", "delay": "milliseconds", "status": "code", "lag": "seconds"}
_OF_WEBHOOKS = {"drop_before", "drop_after", "duplicate", "delay"}
_REPEATED = {"create", "upload", "webhook"}  # what a proxy may send twice, and it matters
_SAID = {"create", "chat"}  # the calls that bring a prompt
_BESIDE = {"delay", "lag", "duplicate"}  # what goes with another harm
_FIELDS = {"vendor", "where", "kind", "rate", "times", "seed", "words"}


class FaultError(ValueError):
    """The fault that was asked for makes no sense; the text says why."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong at one place of one vendor, or there where *words* are said."""

    vendor: str
    where: str
    words: str
    kind: str
    amount: float
    rate: float
    times: int | None
    seed: int
    struck: int = 0
    dice: Random

    def strikes(self, vendor: str, where: str, body: bytes) -> bool:
        """Throw the dice for a call; only calls that are meant use them up."""
        if (self.vendor, self.where) != (vendor, where) or self.struck == self.times:
            return False
        if self.words.encode() not in body:
            return False
        hit = self.dice.random() < self.rate
        self.struck += hit
        return hit

    def as_json(self) -> dict[str, object]:
        kind = f"{self.kind}:{self.amount:g}" if self.amount else self.kind
        return {
            "vendor": self.vendor, "where": self.where, "kind": kind, "rate": self.rate,
            "times": self.times, "seed": self.seed, "struck": self.struck, "words": self.words,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Strike:
    """
    What befalls one call: *delay* and *lag* in seconds, and at most one *kind* of harm.

    *twice*: it is done twice, beside any other harm.
    """

    kind: str | None = None
    twice: bool = False
    amount: float = 0.0
    delay: float = 0.0
    lag: float = 0.0


CALM = Strike()


@dataclass(slots=True)
class Faults:
    """The faults in force; of several that strike one call the first that does harm counts."""

    _faults: list[Fault] = field(default_factory=list)

    def put(self, definitions: object, vendors: Collection[str]) -> None:
        """Put *definitions* in place of all faults; raise FaultError and change nothing."""
        if not isinstance(definitions, list):
            raise FaultError("faults are a list of objects")
        self._faults = [_fault(definition, vendors) for definition in definitions]

    def clear(self) -> None:
        self._faults = []

    def as_json(self) -> list[dict[str, object]]:
        return [fault.as_json() for fault in self._faults]

    def listens(self, vendor: str, where: str) -> bool:
        """Whether what a call says matters to whether it is struck."""
        return any(
            fault.words and (fault.vendor, fault.where) == (vendor, where) for fault in self._faults
        )

    def strike(self, vendor: str, where: str, body: bytes = b"") -> Strike:
        """Decide what befalls one call; its *body* is asked for where somebody `listens`."""
        if not self._faults:
            return CALM
        hits = [fault for fault in self._faults if fault.strikes(vendor, where, body)]
        harm = next((hit for hit in hits if hit.kind not in _BESIDE), None)
        return Strike(
            kind=harm.kind if harm else None,
            twice=any(hit.kind == "duplicate" for hit in hits),
            amount=harm.amount if harm else 0.0,
            delay=sum(hit.amount for hit in hits if hit.kind == "delay") / 1000,
            lag=max((hit.amount for hit in hits if hit.kind == "lag"), default=0.0),
        )


def _fault(definition: Any, vendors: Collection[str]) -> Fault:
    if not isinstance(definition, dict):
        raise FaultError(f"a fault is an object, not {definition!r}")
    if unknown := sorted(definition.keys() - _FIELDS):
        raise FaultError(f"{unknown[0]!r} is none of {', '.join(sorted(_FIELDS))}")
    seed = _whole(definition, "seed", 0)
    assert seed is not None
    fault = Fault(
        vendor=_one_of(definition, "vendor", vendors),
        where=_one_of(definition, "where", PLACES),
        words=_words(definition.get("words", "")),
        kind="",
        amount=0.0,
        rate=_rate(definition.get("rate", 1)),
        times=_whole(definition, "times", None),
        seed=seed,
        dice=Random(seed),
    )
    fault.kind, fault.amount = _kind(definition.get("kind"))
    _forbid_nonsense(fault)
    return fault


def _one_of(definition: dict[str, Any], name: str, known: Collection[str]) -> str:
    found = definition.get(name)
    if not isinstance(found, str) or found not in known:
        raise FaultError(f"{name} is {found!r}, and none of {', '.join(known)}")
    return found


def _kind(text: object) -> tuple[str, float]:
    kind, colon, amount = text.partition(":") if isinstance(text, str) else ("", "", "")
    if kind in _PLAIN and not colon:
        return kind, 0.0
    if kind == "html" or kind in _MEASURED:
        return kind, _amount(kind, amount)
    forms = [*sorted(_PLAIN), "html:CODE", *(f"{name}:{of}" for name, of in _MEASURED.items())]
    raise FaultError(f"kind is {text!r}, and none of {', '.join(forms)}")


def _amount(kind: str, text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if kind in ("status", "html"):
        if found != int(found) or not 200 <= found <= 599:
            raise FaultError(f"{kind}:{text} is no status code from 200 to 599")
    elif not 0 < found <= 86_400_000:
        raise FaultError(f"{kind}:{text} is no number of {_MEASURED[kind]} above 0")
    return found


def _words(found: object) -> str:
    if not isinstance(found, str):
        raise FaultError(f"words are {found!r}, and no text")
    return found


def _rate(found: object) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found <= 1:
        raise FaultError(f"rate is {found!r}, and not above 0 and at most 1")
    return float(found)


def _whole(definition: dict[str, Any], name: str, default: int | None) -> int | None:
    found = definition.get(name, default)
    if found is not None and (isinstance(found, bool) or not isinstance(found, int) or found < 0):
        raise FaultError(f"{name} is {found!r}, and no whole number from 0")
    return default if found is None else found


def _forbid_nonsense(fault: Fault) -> None:
    if fault.words and fault.where not in _SAID:
        raise FaultError(f"words are of {', '.join(sorted(_SAID))}, not of {fault.where}")
    if fault.where == "webhook" and fault.kind not in _OF_WEBHOOKS:
        raise FaultError(f"a webhook knows {', '.join(sorted(_OF_WEBHOOKS))}, not {fault.kind}")
    if fault.kind == "lag" and fault.where != "list":
        raise FaultError(f"lag is of list, not of {fault.where}")
    if fault.kind == "duplicate" and fault.where not in _REPEATED:
        raise FaultError(f"duplicate is of {', '.join(sorted(_REPEATED))}, not of {fault.where}")
