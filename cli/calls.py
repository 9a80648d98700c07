"""What commands have in common: the stack that they call, and how they end where it says no."""

import math
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import typer

from chassis.settings import SettingsError
from cli.folder import Folder
from cli.settings import StackSettings
from cli.shape import Shape


def end(lines: list[str], status: int) -> NoReturn:
    """Say *lines* and exit with *status*."""
    from cli.screen import harmless

    for line in lines:
        print(f"studio: {harmless(line)}", file=sys.stderr)
    sys.exit(status)


def say(words: str) -> None:
    """Say *words* beside the output."""
    print(f"studio: {words}", file=sys.stderr, flush=True)


def finite(number: float | None) -> float | None:
    """Take an amount in dollars that an option may have left out."""
    if number is not None and not math.isfinite(number):
        raise typer.BadParameter("an amount in dollars is a number, such as 0.50")
    return number


def ensure(settings: StackSettings, shape: Shape) -> Any:
    """Return the state of a stack that runs, as it was asked for."""
    from cli import stack

    try:
        return stack.ensure(settings, shape, say)
    except stack.CannotStart as error:
        end(str(error).splitlines(), error.status)


def edge(settings: StackSettings) -> Any:
    """Return the way to the stack of *settings*."""
    from cli.edge import Edge

    folder = Folder(settings.data)
    state = folder.read_state()
    if not state:  # in containers, or another folder's: whose it is shall be no surprise
        say(f"no stack runs in {folder.path}; asking what answers at {settings.address}")
    if auth_of(settings, state or {}) == "keys" and not settings.api_key:
        remedy = "`./studio keys create LABEL --user NAME` makes a key"
        raise SettingsError([f"AUTH=keys needs STUDIO_API_KEY here; {remedy}"])
    return Edge(state["address"] if state else settings.address, settings.api_key)


def auth_of(settings: StackSettings, state: Mapping[str, Any]) -> str:
    """Return AUTH as the stack of *state* was started; as it is set here where none runs."""
    return str(state.get("auth", settings.auth))


_HERE = {  # what programs call it, and what the shell does
    "ListModels (GET /images/models) names": "`./studio models` names",
    "ListPresets (GET /images/presets) names": "`./studio presets` names",
    "seed_text: ": "IDEA: ",
    "purchase_id: ": "--purchase: ",
}


def _in_the_shell(words: str) -> str:
    for there, here in _HERE.items():
        words = words.replace(there, here)
    return words


def troubled(work: Any) -> Any:
    """Run *work*; what the stack refuses is misuse where its argument was bad."""
    from cli.edge import Trouble

    try:
        return work()
    except Trouble as error:
        end([_in_the_shell(str(error))], 2 if error.status in (400, 422) else 1)
