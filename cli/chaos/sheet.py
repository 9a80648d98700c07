"""The sheet of a campaign: the balance, what holds and what does not, and what was done to it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.chaos import balance
from cli.chaos.checks import CHECKS
from cli.chaos.client import Outcome
from cli.chaos.evidence import Evidence
from cli.chaos.killer import Killer
from cli.chaos.weather import KINDS

if TYPE_CHECKING:
    from cli.chaos.campaign import Wanted

_SHOWN = 8  # lines of what does not hold, for each check
_COLUMNS = ("charges", "images", "µ$", "purchases", "outputs", "µ$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """*checks* has, by name, a line for each thing that does not hold."""

    balance: list[balance.Line]
    checks: Mapping[str, list[str]]
    facts: Mapping[str, Any]

    @property
    def holds(self) -> bool:
        return not any(self.checks.values())

    def as_json(self) -> dict[str, Any]:
        return {
            **self.facts,
            "holds": self.holds,
            "balance": [line.as_json() for line in self.balance],
            "checks": [
                {"check": name, "holds": not bad, "bad": bad} for name, bad in self.checks.items()
            ],
        }

    def __str__(self) -> str:
        return "\n".join([*self._balance(), "", *self._checks(), "", *self._told()])

    def _balance(self) -> Iterator[str]:
        yield f"{'':<36}{'the vendors':>28}{'the ledger':>30}"
        yield f"{'':<36}" + "".join(f"{name:>10}" for name in _COLUMNS)
        for line in self.balance:
            told = line.as_json()
            what = told.pop("what")
            mark = "✗ " if what in balance.BAD else "  "
            yield f"{mark}{what:<34}" + "".join(f"{number:>10}" for number in told.values())

    def _checks(self) -> Iterator[str]:
        for name, bad in self.checks.items():
            yield f"{'✗' if bad else '✓'} {name}" + (f": {len(bad)} do not" if bad else "")
            yield from (f"    {words}" for words in bad[:_SHOWN])
            if len(bad) > _SHOWN:
                yield f"    and {len(bad) - _SHOWN} more"

    def _told(self) -> Iterator[str]:
        facts = self.facts
        yield (
            f"{facts['jobs']} jobs ({facts['canceled']} canceled, {facts['refused']} refused by "
            f"the cap), {facts['breaks']} broken connections, {facts['seconds']} s"
        )
        yield _counted("killed", facts["killed"]) + _waited(facts["kills_waited"])
        struck = {name: times for name, times in facts["faults"].items() if times}
        yield _counted("faults", struck)
        yield f"never struck: {', '.join(facts['never_struck']) or 'none'}"
        yield _counted("clients", facts["clients"])
        yield from _rates(**facts["rates"])
        yield f"seed {facts['seed']}"


def sheet(
    found: Evidence,
    wanted: "Wanted",
    *,
    killer: Killer,
    struck: Counter[str],
    calm: float | None,
    troubled: float | None,
    seconds: float,
) -> Sheet:
    """Balance and check what was *found*; rates in jobs a second, None where none is known."""
    outcomes = found.outcomes
    ends = Counter(job["state"] for job in found.ledger["jobs"])
    rates = {
        "calm": None if calm is None else round(calm, 2),
        "troubled": None if troubled is None else round(troubled, 2),
        "share": round(troubled / calm, 3) if troubled and calm else None,
    }
    return Sheet(
        balance=balance.lines(found),
        checks={name: list(check(found)) for name, check in CHECKS.items()},
        facts={
            "seed": wanted.seed,
            "jobs": len(found.ledger["jobs"]),
            "visits": len(outcomes),
            "refused": sum(each.refused for each in outcomes),
            "canceled": ends["canceled"],
            "states": dict(ends),
            "breaks": sum(each.breaks for each in outcomes),
            "killed": dict(sorted(killer.killed.items())),
            "kills_waited": round(killer.waited, 1),
            "faults": dict(sorted(struck.items())),
            "never_struck": sorted(KINDS - {*+struck}) if wanted.faults else [],
            "clients": _behaved(outcomes),
            "seconds": round(seconds, 1),
            "rates": rates,
        },
    )


def _behaved(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How often clients did what they may do at any time."""
    return {
        "left their stream": sum(each.left for each in outcomes),
        "asked again": sum(each.doubled for each in outcomes),
        "canceled": sum(each.cancels for each in outcomes),
    }


def _rates(calm: float | None, troubled: float | None, share: float | None) -> Iterator[str]:
    """Tell the rate; nothing where it is not known."""
    if troubled is not None:
        of_calm = f": {share:.0%} of the {calm} without kills and faults" if share else ""
        yield f"{troubled} jobs a second{of_calm}"


def _waited(seconds: float) -> str:
    return f"; {seconds:.0f} s were waited for what was down" if seconds >= 1 else ""


def _counted(what: str, by_name: Mapping[str, int]) -> str:
    told = ", ".join(f"{name} {times}" for name, times in by_name.items())
    return f"{what} {sum(by_name.values())}: {told}" if told else f"{what}: none"
