"""The table of a check while it fills: live on a terminal, elsewhere a line for each model."""

import time
from collections.abc import Mapping, Sequence
from typing import Self

from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.screen import errors, say
from cli.trials import LACKS, UNTRIED, WRONG, Cell

Results = dict[str, dict[str, Cell]]  # by model and case
_OPEN = Text("·", "dim")  # of a case that is still to be tried
_STYLES = {LACKS: "dim", WRONG: "bold red", UNTRIED: "dim"}


class Board:
    """Shows *results*, which `take` adds to; the columns are *cases*."""

    def __init__(self, results: Results, cases: Sequence[str]) -> None:
        self._results, self._cases = results, cases
        self._phase, self._began = "", time.monotonic()
        self._live = Live(
            get_renderable=self._table, console=errors, transient=True, refresh_per_second=4
        )

    def __enter__(self) -> Self:
        if errors.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if errors.is_terminal:
            self._live.stop()

    def begin(self, phase: str) -> None:
        self._phase = phase
        if not errors.is_terminal:
            say(f"{len(self._results)} models: {phase}")

    def take(self, key: str, case: str, cell: Cell) -> None:
        cells = self._results[key]
        cells[case] = cell
        if not errors.is_terminal and len(cells) == len(self._cases):
            say(f"{key}: " + ", ".join(f"{name} {each.mark}" for name, each in cells.items()))

    def _table(self) -> Table:
        cells = sum(map(len, self._results.values()))
        whole, seconds = len(self._results) * len(self._cases), time.monotonic() - self._began
        told = f"{self._phase}: {cells} of {whole} cells, {seconds:.0f} s"
        table = Table(box=None, pad_edge=False, header_style="bold", caption=told)
        table.caption_justify = "left"
        for column in ("model", *self._cases):
            table.add_column(column, no_wrap=True)
        for key, found in self._results.items():
            table.add_row(key, *(mark_of(found, case) for case in self._cases))
        return table


def mark_of(cells: Mapping[str, Cell], case: str) -> Text:
    """How *case* went, in its colour; a dot where it was not tried."""
    cell = cells.get(case)
    return Text(cell.mark, _STYLES.get(cell.mark, "")) if cell else _OPEN
