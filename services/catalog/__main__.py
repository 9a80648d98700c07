"""Run the catalog: `python -m services.catalog`."""

from chassis import lean

with lean.cheaply(without=(lean.COLOURS, lean.WEBSOCKETS)):
    from chassis.run import run
    from services.catalog.serve import serve
    from services.catalog.settings import Settings


def main() -> None:
    """Serve until a signal ends it."""
    run("catalog", Settings, serve)


if __name__ == "__main__":
    main()
