"""Numbers for people and for scripts: percentiles, tables, JSON with the machine in it."""

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; *most* or *least* is what the architecture demands, *aim* its wish."""

    name: str
    value: float
    unit: str
    most: float | None = None
    least: float | None = None
    aim: float | None = None

    @property
    def is_met(self) -> bool | None:
        if self.most is not None:
            return self.value <= self.most
        return self.value >= self.least if self.least is not None else None


@dataclass(slots=True)
class Report:
    """What one script measured."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    tables: list[tuple[str, Sequence[str], Sequence[Sequence[Any]]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str, **demands: float) -> None:
        self.figures.append(Figure(name, value, unit, **demands))

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.tables.append((title, columns, rows))

    def show(self, path: Path | None) -> None:
        """Print it; write it to *path* as JSON where one is given."""
        console = Console(width=None if os.isatty(1) else 110)
        demands = any(figure.is_met is not None for figure in self.figures)
        rows = [_row(figure, demands=demands) for figure in self.figures]
        columns = ["", "measured", "at least / most", "aim", ""] if demands else ["", "measured"]
        for title, heads, lines in [(self.title, columns, rows), *self.tables]:
            console.print(_table(title, heads, lines))
        for note in [*self.notes, machine()]:
            console.print(f"[dim]{note}[/dim]", highlight=False)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(self._plain(), indent=1) + "\n")

    def _plain(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "figures": [asdict(figure) | {"met": figure.is_met} for figure in self.figures],
            "tables": [
                {"title": title, "rows": [dict(zip(heads, row, strict=True)) for row in rows]}
                for title, heads, rows in self.tables
            ],
            "notes": self.notes,
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least *share* of all are not above (nearest rank)."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser that knows --json."""
    found = argparse.ArgumentParser(description=(description or "").strip().partition("\n")[0])
    found.add_argument("--json", type=Path, metavar="PATH", help="write the figures there, too")
    return found


def machine() -> str:
    """What it was measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return (
        f"{cores} cores of {model}, Linux {platform.release()}, Python "
        f"{platform.python_version()}; at the end a load average of {load:.1f} and "
        f"{_loop():.0f} ms of CPU for a fixed loop: compare it between runs"
    )


def _loop() -> float:
    """Milliseconds of CPU for always the same work: neighbours on the host make it dearer."""
    took = []
    for _ in range(5):
        began, found = time.process_time(), {}
        for number in range(300_000):
            found[number % 1000] = str(number)
        took.append(1000 * (time.process_time() - began))
    return percentile(took, 0.5)


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left", no_wrap=number > 0)
    for row in rows:
        table.add_row(*(_text(cell) for cell in row))
    return table


def _row(figure: Figure, *, demands: bool) -> list[str]:
    row = [figure.name, f"{_text(figure.value)} {figure.unit}".rstrip()]
    if demands:
        limit = figure.most if figure.most is not None else figure.least
        met = {True: "met", False: "[red]missed[/red]", None: ""}[figure.is_met]
        row += [_text(limit), _text(figure.aim), met]
    return row


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}" if cell else "0"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
