"""Run the catalog: `python -m services.catalog`."""

from chassis import lean

with lean.cheaply(without=(lean.COLOURS, lean.WEBSOCKETS)):
    from chassis.run import run
    from services.catalog.serve import serve
    from services.catalog.settings import Settings

run("catalog", Settings, serve)
