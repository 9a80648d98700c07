"""Run the gateway: `python -m gateway`."""

from chassis import lean

with lean.imports(without=("rich",)):
    from chassis.run import run
    from gateway.compose import serve
    from gateway.settings import Settings

if __name__ == "__main__":
    run("gateway", Settings, serve)
