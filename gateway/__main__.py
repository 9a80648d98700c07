"""Run the gateway: `python -m gateway`."""

from chassis import lean

with lean.cheaply(without=(lean.COLOURS,)):
    from chassis.run import run
    from gateway.compose import serve
    from gateway.settings import Settings

run("gateway", Settings, serve)
