"""`studio chaos` from its options to its exit status."""

import asyncio
import signal
import sys

from cli.chaos.campaign import Campaign, Wanted
from cli.chaos.ground import ground, times
from cli.screen import print_json, say


def run(wanted: Wanted, *, as_json: bool) -> int:
    """Go through a campaign and print its sheet; 0 where all holds."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the stack ends first
    say(f"a stack of its own is starting; seed {wanted.seed}")
    with ground(**times(wanted.lag)) as own:
        sheet = asyncio.run(Campaign(wanted, own, say).run())
        if not sheet.holds:
            own.keep()
            say(f"what does not hold can be looked into: {own.folder.path} stays")
    if as_json:
        print_json(sheet.as_json())
    else:
        sys.stdout.write(f"{sheet}\n")
    return 0 if sheet.holds else 1
