"""
The commands that show what is promised, on a lab that counts every charge: `rot` and `chaos`.

They import what they need when they run, as all commands do.
"""

# ruff: noqa: FBT002  (an option of the command line is a parameter here)

from typing import Annotated

import typer

from cli import calls
from cli.folder import Folder
from cli.options import AsJson
from cli.settings import load


def rot(
    hours: Annotated[
        float, typer.Option(min=0, max=100_000, help="What the vendors' clock moves on.")
    ] = 24.0,
    jobs: Annotated[int, typer.Option(min=1, help="Jobs to buy first.")] = 200,
    as_json: AsJson = False,
) -> None:
    """See whether links die: buy in the lab, let time pass there, fetch every link."""
    from cli import lab
    from cli.rot import run

    settings = load()
    folder = Folder(settings.data)
    status = calls.troubled(
        lambda: run(calls.edge(settings), lab.of(folder), jobs=jobs, hours=hours, as_json=as_json)
    )
    raise typer.Exit(status)


def chaos(
    jobs: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many.")] = 300,
    kill_every: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds between two kills; 0: none.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="All else is drawn from it.")] = 0,
    at_once: Annotated[int, typer.Option(min=1, max=1000, help="Clients side by side.")] = 24,
    faults: Annotated[bool, typer.Option(help="Have the vendors misbehave, too.")] = True,
    compare: Annotated[
        bool, typer.Option("--compare", help="First as many jobs in peace, to tell the share.")
    ] = False,
    patience: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Seconds for a job, and for quiet after the last; else as many as one may take.",
        ),
    ] = None,
    pace: Annotated[float, typer.Option(min=0, help="Seconds that a vendor takes to draw.")] = 0.3,
    lag: Annotated[
        float, typer.Option(min=2, max=60, help="Seconds by which listings are late at most.")
    ] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Kill processes under load, in a stack of its own, and hold the charges against the vault."""
    from cli.chaos.campaign import Wanted, patience_with
    from cli.chaos.run import run

    wanted = Wanted(
        jobs=jobs, kill_every=kill_every, seed=seed, at_once=at_once, faults=faults,
        compare=compare, patience=patience or patience_with(lag), pace=pace, lag=lag,
    )  # fmt: skip
    raise typer.Exit(calls.troubled(lambda: run(wanted, as_json=as_json)))
