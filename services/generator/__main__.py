"""Run the generator: `python -m services.generator`."""

from chassis import lean

with lean.cheaply(without=(lean.COLOURS, lean.COMMAND_LINE)):
    from chassis.run import run
    from services.generator.serve import serve
    from services.generator.settings import Settings


def main() -> None:
    """Serve until a signal ends it."""
    run("generator", Settings, serve)


if __name__ == "__main__":
    main()
