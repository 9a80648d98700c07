"""Run storage: `python -m services.storage`."""

import sys

from chassis import lean

with lean.cheaply(without=(lean.COLOURS,)):
    from chassis.run import run
    from services.storage.serve import serve
    from services.storage.settings import Settings

sys.setswitchinterval(0.0005)  # a thread that has written waits for its turn after each call
run("storage", Settings, serve)
