"""What a process imports until it is ready: nothing that it does not need to be so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEVER = {"pytest", "hypothesis", "replicate", "cloudinary", "opentelemetry.sdk", "requests"}
WITHOUT = {
    "services.catalog": {"rich", "aiohttp", "httpx", "pydantic", "PIL", "fastapi", "uvicorn"},
    "services.generator": {"rich", "asyncpg", "pydantic", "fastapi", "uvicorn"},
    "services.storage": {"rich", "asyncpg", "pydantic", "httpx", "aiohttp", "nats", "fastapi"},
    "gateway": {"rich", "asyncpg", "aiohttp", "httpx", "nats", "PIL"},
}


def said(program):
    """What *program* prints, in a process of its own that has no settings."""
    bare = {name: text for name, text in os.environ.items() if not name.endswith(("_URL", "_KEY"))}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True,
        env=bare | {"PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"},
    )  # fmt: skip
    return done.stdout.split()


@pytest.mark.parametrize("process", WITHOUT)
def test_a_process_starts_without_what_it_does_not_need(process):
    loaded = f"import sys, {process}.__main__; print(*(n for n in sys.modules if sys.modules[n]))"
    assert not (WITHOUT[process] | NEVER) & set(said(loaded))


PROGRAM = """
import csv, gc
from chassis import lean
with lean.imports(without=("csv", "json")):
    import csv
    import html
    print(csv.__name__, html.__name__, gc.isenabled())
print(gc.isenabled(), gc.get_freeze_count() > 1000)
try:
    import json
except ImportError:
    print("away")
"""


def test_what_is_left_out_is_as_if_not_installed_and_the_rest_comes_whole():
    assert said(PROGRAM) == ["csv", "html", "False", "True", "True", "away"]
