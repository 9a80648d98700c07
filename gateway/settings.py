"""What the gateway reads from the environment."""

from dataclasses import dataclass

from chassis.settings import Serving, port, positive, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Serving):
    """Where to listen, whom to call, and who may come in; *lame* is seconds of our end."""

    port: int = setting("GATEWAY_PORT", port, default="7080")
    catalog_target: str = setting("CATALOG_TARGET", default="127.0.0.1:7001")
    storage_target: str = setting("STORAGE_TARGET", default="127.0.0.1:7002")
    generator_target: str = setting("GENERATOR_TARGET", default="127.0.0.1:7003")
    lame: float = setting("LAME_SECONDS", positive, default="0.3")
