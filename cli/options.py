"""Options that several commands take."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="For scripts: JSON on standard output.")]
Lab = Annotated[
    bool, typer.Option("--lab", help="With the provider lab in every vendor's place: all is free.")
]
