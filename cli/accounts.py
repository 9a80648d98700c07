"""
The commands about jobs and their money: how one stands, its end, what a month cost, and what
nobody knows whether it was charged.

They import what they need when they run, as all commands do.
"""

# ruff: noqa: FBT002  (an option of the command line is a parameter here)

import enum
from typing import Annotated

import typer

from cli import calls
from cli.options import AsJson
from cli.settings import load

JobId = Annotated[str, typer.Argument(metavar="ID")]


class Charged(enum.StrEnum):
    """What an invoice says."""

    YES = "yes"
    NO = "no"


class Grouping(enum.StrEnum):
    """What the lines of a report stand for."""

    MODEL = "model"
    PROJECT = "project"
    USE_CASE = "use_case"
    DAY = "day"


def usage(
    month: Annotated[str, typer.Option(help="Such as 2026-11, in UTC; the present one.")] = "",
    by: Annotated[Grouping, typer.Option(help="What the lines stand for.")] = Grouping.MODEL,
    as_json: AsJson = False,
) -> None:
    """Show what a month cost, on what, and how much may have been charged for nothing."""
    from cli.lists import usage as show
    from cli.unclear import between

    edge = calls.edge(load())
    calls.troubled(lambda: show(edge, by.value, between(month), as_json=as_json))


def cap(
    most: Annotated[str, typer.Argument(metavar="USD", help="Such as 25.50, or none.")],
    as_json: AsJson = False,
) -> None:
    """Set what a month may cost at most; needs a key with the scope caps where keys are asked."""
    from cli.lists import cap as put

    edge = calls.edge(load())
    calls.troubled(lambda: put(edge, most, as_json=as_json))


def show(job_id: JobId, as_json: AsJson = False) -> None:
    """Show a job: its state, its pictures, what failed and what it cost."""
    from cli import job

    edge = calls.edge(load())
    calls.troubled(lambda: job.show(edge, job_id, as_json=as_json))


def cancel(job_id: JobId, as_json: AsJson = False) -> None:
    """Cancel a job; what was drawn by then is paid for and kept."""
    from cli import job

    edge = calls.edge(load())
    calls.troubled(lambda: job.cancel(edge, job_id, as_json=as_json))


def retry_unclear(
    job_id: JobId,
    purchase: Annotated[
        list[str] | None, typer.Option(help="Only this one of its purchases; repeatable.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Once more, though it was ordered again before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Order again what may have been charged and did not come; it may be charged twice so."""
    from cli.unclear import retry

    edge, named = calls.edge(load()), purchase or []
    status = calls.troubled(lambda: retry(edge, job_id, named, again=again, as_json=as_json))
    raise typer.Exit(status)


def settle(
    job_id: JobId,
    purchase: Annotated[str, typer.Option(help="The purchase, as the job names it.")],
    charged: Annotated[Charged, typer.Option(help="Whether the vendor took money for it.")],
    cost: Annotated[
        float | None,
        typer.Option(min=0, callback=calls.finite, help="In dollars; else what counts as spent."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a purchase was charged of which nobody could tell, as an invoice has it."""
    from cli.unclear import settle as tell

    edge, said = calls.edge(load()), charged is Charged.YES
    calls.troubled(lambda: tell(edge, job_id, purchase, charged=said, cost=cost, as_json=as_json))
