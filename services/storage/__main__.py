"""Run storage: `python -m services.storage`."""

import sys

from chassis import lean

with lean.cheaply(without=(lean.COLOURS,)):
    from chassis.run import run
    from services.storage.serve import serve
    from services.storage.settings import Settings


def main() -> None:
    """Serve until a signal ends it."""
    # A thread that has written waits for its turn after each call.
    sys.setswitchinterval(0.0005)
    run("storage", Settings, serve)


if __name__ == "__main__":
    main()
