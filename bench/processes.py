"""
What the processes of a stack cost: CPU seconds and memory, by name, from /proc (Linux).

All descendants of the supervisor count, the supervisor too. Children of a service that draw
or decode are told apart from the service; PostgreSQL is its postmaster with all backends.
"""

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.system.stack import Stack

_TICK = os.sysconf("SC_CLK_TCK")
Costs = Mapping[str, float]
_APART = ("generator", "storage")  # whose children have a line of their own


@dataclass(frozen=True, slots=True)
class Gauge:
    """Reads what a running *stack* costs; whatever was started again counts from its new start."""

    stack: Stack

    def cpu(self) -> Costs:
        """CPU seconds so far, by name."""
        return cpu(*self._stack())

    def memory(self) -> Costs:
        """PSS in bytes now, by name."""
        return memory(*self._stack())

    def _stack(self) -> tuple[int, dict[int, str]]:
        assert self.stack.process
        return self.stack.process.pid, {pid: name for name, pid in self.stack.ps().items()}


def cpu(root: int, names: Mapping[int, str]) -> Costs:
    """CPU seconds so far, by name; of children that have ended, those waited for."""
    found: dict[str, float] = defaultdict(float)
    for pid, name in family(root, names).items():
        if stat := _stat(pid):
            found[name] += sum(int(ticks) for ticks in stat[11:15]) / _TICK
    return found


def memory(root: int, names: Mapping[int, str]) -> Costs:
    """PSS in bytes now, by name: what is shared counts once over all who share it."""
    found: dict[str, float] = defaultdict(float)
    for pid, name in family(root, names).items():
        found[name] += _pss(pid)
    return found


def family(root: int, names: Mapping[int, str]) -> dict[int, str]:
    """The pids of *root* and of all its descendants, each with the name that it counts under."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (stat := _stat(int(entry.name))):
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found = {root: names.get(root, "supervisor")}
    waiting = [root]
    while waiting:
        parent = waiting.pop()
        for pid in children.get(parent, []):
            found[pid] = names.get(pid) or _child_of(found[parent])
            waiting.append(pid)
    return found


def _child_of(parent: str) -> str:
    apart = parent.startswith(_APART) and not parent.endswith("'s children")
    return f"{parent}'s children" if apart else parent


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on: state, ppid, … utime is the 12th of them."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def minus(later: Costs, earlier: Costs) -> dict[str, float]:
    """What came to each name between two readings."""
    return {name: value - earlier.get(name, 0.0) for name, value in later.items()}


def busy() -> float:
    """CPU seconds that the whole machine has worked so far, and what its host took away."""
    user, nice, system, _idle, _wait, irq, soft, stolen = map(
        int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    )
    return (user + nice + system + irq + soft + stolen) / _TICK


def own_cpu() -> float:
    """CPU seconds of this process so far."""
    used = os.times()
    return used.user + used.system
