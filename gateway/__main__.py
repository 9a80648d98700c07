"""Run the gateway: `python -m gateway`."""

from chassis import lean

with lean.cheaply(without=(lean.COLOURS, lean.PYDANTIC_1)):
    import pydantic

    pydantic.BaseModel.model_config["defer_build"] = True
    import fastapi  # noqa: F401  # its models of OpenAPI are built for who asks for /openapi.json

    del pydantic.BaseModel.model_config["defer_build"]

    from chassis.run import run
    from gateway.compose import serve
    from gateway.settings import Settings


def main() -> None:
    """Serve until a signal ends it."""
    run("gateway", Settings, serve)


if __name__ == "__main__":
    main()
