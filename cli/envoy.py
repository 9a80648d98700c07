"""
Envoy's configuration for one machine: deploy/envoy.yaml with other addresses and ports.

The file is rewritten as text, line by line, so that nothing else can change and no YAML
library is needed.
"""

import importlib.util
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.settings import CHECKOUT, StackSettings

SOURCE = CHECKOUT / "deploy" / "envoy.yaml"
_SOCKET = re.compile(r"socket_address: \{address: ([\w.-]+), port_value: (\d+)\}")
_ENDPOINT = re.compile(
    r"(?P<item> *- endpoint:\n *address:\n *)socket_address: \{address: ([\w.-]+), [^}]*\}\n"
)
_EVERYWHERE = "0.0.0.0"  # noqa: S104  where the file's listener is, inside its container


def installed() -> Path | None:
    """Return Envoy's program; None on a platform that it has no wheel for."""
    spec = importlib.util.find_spec("envoy")
    if spec is None or not spec.origin:
        return None
    program = Path(spec.origin).parent / "_bin" / "envoy"
    return program if os.access(program, os.X_OK) else None


def chosen(settings: StackSettings) -> Path | None:
    """Return Envoy's program where it is to stand in front; None: the gateway takes its port."""
    return installed() if settings.envoy == "on" else None


def on_loopback(text: str, edge: int, endpoints: Mapping[str, Sequence[int]]) -> str:
    """Return *text* with the listener on *edge* and each cluster at its ports on 127.0.0.1."""

    def endpoint(match: re.Match[str]) -> str:
        return "".join(f"{match['item']}{_socket(port)}\n" for port in endpoints[match[2]])

    def listener(match: re.Match[str]) -> str:
        return _socket(edge) if match[1] == _EVERYWHERE else match[0]

    return _SOCKET.sub(listener, _ENDPOINT.sub(endpoint, text))


def _socket(port: int) -> str:
    return f"socket_address: {{address: 127.0.0.1, port_value: {port}}}"
