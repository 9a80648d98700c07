"""What people see: progress on standard error, data on standard output, NO_COLOR respected."""

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

errors = Console(stderr=True, highlight=False, soft_wrap=True)
output = Console(highlight=False)


# A prompt or a vendor's words must not set a terminal's title, colours or worse.
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}")
_LINES = _CONTROLS | {ord("\n"): "\n"}


def harmless(words: str) -> str:
    """Return *words* without control characters; lines stay."""
    return words.translate(_LINES)


def say(words: str) -> None:
    errors.print(harmless(words), style="dim", markup=False)


def complain(words: str) -> None:
    errors.print(harmless(words), style="red", markup=False)


def print_json(found: Any) -> None:
    sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], whole: Collection[str] = ()
) -> None:
    """
    Print a plain table, a Text in its style; where nobody looks, tab-separated lines.

    Where it is too wide, cells go on below, but for the first column's and those of *whole*.
    """
    if not output.is_terminal:
        for row in rows:
            sys.stdout.write("\t".join(str(cell).translate(_CONTROLS) for cell in row) + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):  # the first one is what is copied: it stays whole
        table.add_column(column, overflow="fold", no_wrap=not place or column in whole)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else _text(cell) for cell in row))
    output.print(table)


def _text(cell: object) -> Text:
    return Text(str(cell).translate(_CONTROLS))


def dollars(usd: float | None) -> str:
    """Write an amount so that a tenth of a cent still shows, and nothing that costs is nothing."""
    if not usd:
        return "$0.00"
    if abs(usd) < 0.0001:
        return f"${usd:.6f}"
    return f"${usd:.2f}" if round(usd, 2) == usd else f"${usd:.4f}"


class Bars:
    """A bar for each image, on a terminal; elsewhere a line when something is done."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=errors,
            transient=False,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        if errors.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if errors.is_terminal:
            self._progress.stop()

    def plan(self, purchases: Iterable[Mapping[str, Any]]) -> None:
        for purchase in purchases:
            self._task(str(purchase.get("purchase_id", "")), str(purchase.get("model", "")))

    def move(self, purchase_id: str, model: str, fraction: float | None, state: str) -> None:
        """Show how far a purchase is; *fraction* None leaves the bar where it is."""
        task = self._task(purchase_id, model)
        if fraction is None:
            self._progress.update(task, state=state)
        else:
            self._progress.update(task, completed=fraction, state=state)

    def end(self, purchase_id: str, model: str, state: str, *, good: bool) -> None:
        task = self._task(purchase_id, model)
        colour = "green" if good else "red"
        self._progress.update(task, state=f"[{colour}]{escape(harmless(state))}[/]")
        if good:
            self._progress.update(task, completed=1.0)
        self._progress.stop_task(task)
        if not errors.is_terminal:
            say(f"{model}: {state}")

    def say(self, words: str) -> None:
        self._progress.console.print(harmless(words), style="dim", markup=False)

    def _task(self, purchase_id: str, model: str) -> TaskID:
        if purchase_id not in self._tasks:
            number = len(self._tasks) + 1
            self._tasks[purchase_id] = self._progress.add_task(
                f"{number:>2} {escape(model)}", total=1.0, state="waiting"
            )
        return self._tasks[purchase_id]
