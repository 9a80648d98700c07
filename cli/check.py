"""
`studio models --check`: what each model really does, tried in the lab: a table of every model
against every case, and a contact sheet of what it drew. Ctrl-C leaves what was found.
"""

import queue
import signal
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Any

from cli import trials
from cli.board import Board, Results, mark_of
from cli.contacts import Sheet
from cli.edge import Edge, Trouble
from cli.lab import Lab
from cli.screen import complain, print_json, print_table, say
from cli.trials import CASES, DRAWING, WRONG, Cell, Trial

_QUICK = 0.1  # seconds that a drawing takes of which nobody wants to see the middle
_USABLE = ("active", "degraded")  # states of a model that draws
STOPPED = 130
Found = queue.SimpleQueue[tuple[str, str, Cell] | Exception | None]


def run(edge: Edge, lab: Lab, sheet: Path, *, only: list[str], as_json: bool) -> int:
    """Try every usable model, or *only* some; return 0 where nothing is wrong."""
    left = Flag()
    tried = [Trial(edge, lab.charges, model, left) for model in _usable(edge, only)]
    results: Results = {trial.key: {} for trial in tried}
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the lab is put back as it was
    stopped = False
    try:
        _try(lab, tried, results)
    except KeyboardInterrupt:
        stopped = True
        left.set()
        say("stopped: this is what was found")
    _print(results, as_json=as_json)  # first: who stops the sheet has the table
    _save(edge, tried, sheet)
    if stopped:
        return STOPPED
    return 1 if any(c.mark == WRONG for cells in results.values() for c in cells.values()) else 0


def _usable(edge: Edge, only: list[str]) -> list[dict[str, Any]]:
    """Return the models that can draw here, or those of *only*; Trouble where one cannot."""
    found = {m["key"]: m for m in edge.get("/images/models")["models"] if m["state"] in _USABLE}
    if unknown := sorted(set(only) - found.keys()):
        names = ", ".join(unknown)
        raise Trouble(f"cannot draw here: {names}; `./studio models` lists what can", 400)
    return [model for key, model in found.items() if key in (only or found)]


def _try(lab: Lab, tried: Sequence[Trial], results: Results) -> None:
    """
    Try all models side by side, phase by phase.

    How long drawings take all vendors share, and a vendor that puts off one order lets its
    others wait: what changes that has a phase of its own.
    """
    phases: tuple[tuple[str, tuple[str, ...], AbstractContextManager[None]], ...] = (
        ("drawing", DRAWING, lab.pace(_QUICK)),
        ("told to come later", ("429",), _putting_off(lab, tried, results)),
        ("canceling", ("cancel",), lab.pace(trials.SLOW)),
        ("counting the cost", ("cost",), nullcontext()),
    )
    with Board(results, CASES) as board:
        for name, cases, circumstances in phases:
            board.begin(name)
            with circumstances:
                for key, case, cell in _side_by_side(tried, cases):
                    board.take(key, case, cell)


@contextmanager
def _putting_off(lab: Lab, tried: Sequence[Trial], results: Results) -> Iterator[None]:
    """Have the vendor of each say 429 to its order; who never heard it was not tried."""
    told = {each.words: each.key for each in tried if each.remote}
    wanted = [
        {"vendor": each.provider, "where": "create", "kind": "status:429"}
        | {"times": trials.TIMES, "words": each.words}
        for each in tried
        if each.remote
    ]
    with lab.pace(_QUICK), lab.faults(*wanted):
        yield
        for words, times in lab.struck().items():
            if times < trials.TIMES and words in told and "429" in results[told[words]]:
                why = f"its order was put off {times} times, and not {trials.TIMES}"
                results[told[words]]["429"] = Cell(WRONG, why)


def _side_by_side(tried: Sequence[Trial], cases: Sequence[str]) -> Iterator[tuple[str, str, Cell]]:
    """Yield each model's cells as they come: a thread a model, none of which holds up the end."""
    found: Found = queue.SimpleQueue()
    for trial in tried:
        Thread(target=_go_through, args=(trial, cases, found), daemon=True).start()
    going = len(tried)
    while going:
        match found.get():
            case None:
                going -= 1
            case Exception() as error:
                raise error
            case cell:
                yield cell


def _go_through(trial: Trial, cases: Sequence[str], found: Found) -> None:
    try:
        for case in cases:
            found.put((trial.key, case, trial.run(case)))
    except trials.Left:
        pass
    except Exception as error:
        found.put(error)
    found.put(None)


def _save(edge: Edge, tried: Sequence[Trial], path: Path) -> None:
    contacts = Sheet(edge.transport)
    for trial in tried:
        contacts.add(trial.key, list(trial.shown))
    page = contacts.save(path)
    say(f"what they drew: {path}; in a browser, which draws SVGs, too: {page}")


def _print(results: Results, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                key: {name: {"mark": cell.mark, "why": cell.why} for name, cell in cells.items()}
                for key, cells in results.items()
            }
        )
        return
    rows = [(key, *(mark_of(cells, case) for case in CASES)) for key, cells in results.items()]
    print_table(("model", *CASES), rows)
    for key, cells in results.items():
        for name, cell in cells.items():
            if cell.mark == WRONG:
                complain(f"{key}, {name}: {cell.why}")
