"""
The commands about words: prompts to draw, and what pictures show.

They import what they need when they run, as all commands do.
"""

# ruff: noqa: FBT002  (an option of the command line is a parameter here)

from typing import Annotated

import typer

from cli import calls
from cli.options import AsJson, Lab
from cli.settings import load
from cli.shape import Shape

Language = Annotated[str, typer.Option(help="Of the answer, such as de; that of what you say.")]


def suggest(
    idea: Annotated[str, typer.Argument(help="What it is about.")],
    count: Annotated[int, typer.Option("--count", "-c", min=1, max=12, help="How many.")] = 4,
    model: Annotated[str, typer.Option("--model", "-m", help="Meant for this one.")] = "",
    language: Language = "",
    lab: Lab = False,
    as_json: AsJson = False,
) -> None:
    """Propose prompts for an idea. Costs money where a language model is set up."""
    from cli.wording import suggestions

    settings = load()
    calls.ensure(settings, Shape(lab=lab))
    body = {
        "seed_text": idea, "suggestion_count": count, "model": model, "language_code": language,
    }  # fmt: skip
    calls.troubled(lambda: suggestions(calls.edge(settings), body, as_json=as_json))


def analyze(
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Pictures, or their ids.")],
    look_for: Annotated[str, typer.Option(help="What to look for.")] = "",
    language: Language = "",
    lab: Lab = False,
    as_json: AsJson = False,
) -> None:
    """Describe pictures. Costs money where a language model is set up."""
    from cli.wording import analysis, pictures

    settings = load()
    found = calls.troubled(lambda: pictures(files))  # what is not there starts no stack
    calls.ensure(settings, Shape(lab=lab))
    body = {"instruction": look_for, "language_code": language}
    calls.troubled(lambda: analysis(calls.edge(settings), found, body, as_json=as_json))
