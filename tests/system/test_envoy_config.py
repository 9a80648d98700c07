"""Envoy itself says that both forms of deploy/envoy.yaml are valid."""

import subprocess
from pathlib import Path

import pytest

from cli import envoy

PORTS = {"generator": [7003, 7004], "storage": [7002], "catalog": [7001], "gateway": [7080]}


@pytest.mark.skipif(envoy.installed() is None, reason="Envoy has no package for this platform")
@pytest.mark.parametrize("embedded", [False, True], ids=["compose", "embedded"])
def test_the_configuration_is_valid(tmp_path: Path, embedded: bool) -> None:
    text = envoy.SOURCE.read_text()
    configuration = tmp_path / "envoy.yaml"
    configuration.write_text(envoy.on_loopback(text, 8080, PORTS) if embedded else text)
    command = [str(envoy.installed()), "--mode", "validate", "-c", str(configuration), "-l", "info"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr.lower()
