"""What a start leaves out: libraries' own extras, and the collector's rounds."""

import os
import subprocess
import sys

import pytest

from cli.settings import CHECKOUT, NAMES
from tests.ports import free_port


def python(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    bare = {name: text for name, text in os.environ.items() if name not in NAMES}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command,
        env=bare | more,
        cwd=CHECKOUT,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


TRACES = "opentelemetry.trace"
VENDORS = {
    "REPLICATE_API_TOKEN": "r8_of_the_tests",
    "RECRAFT_API_TOKEN": "of-the-tests",
    "GEMINI_API_KEY": "of-the-tests",
    "OPENAI_API_KEY": "of-the-tests",
    "CLOUDINARY_URL": "cloudinary://1:of-the-tests@studio",
    "VAULT_URL": "file:///nowhere",
    "LINK_KEY": "a link key of the tests",
    "SERVICE_SECRET": "a secret of the tests",
    "AUTH": "none",
}


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("services.catalog", {"rich.segment", "aiohttp.client", TRACES}),
        ("services.storage", {"rich.segment", "aiohttp", "PIL.Image", TRACES}),
        (
            "services.generator",
            {"rich.segment", "click.core", "pygments.lexers", "pydantic", "PIL", TRACES}
            | {"services.generator.sketching.render", "services.generator.language.builtin"},
        ),
        ("gateway", {"rich.segment", "pydantic.v1.main", "httpx", "PIL"}),
        ("services.catalog.migrate", {"structlog", "grpc", "google.protobuf", "nats"}),
        ("cli.supervisor", {"rich", "typer", "grpc", "httpx", "pydantic", "prometheus_client"}),
    ],
)
def test_a_process_of_ours_imports_no_extras_that_it_does_not_use(module, absent):
    command = ("--help",) if module == "cli.supervisor" else ()
    started = python("-X", "importtime", "-m", module, *command)  # ends: it has no settings
    lines = [line for line in started.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert started.returncode == (0 if command else 78)
    assert {"chassis.settings", "signal"} <= imported
    assert not absent & imported  # modules within them: the try itself is listed, too


@pytest.mark.parametrize(
    ("package", "wired", "absent"),
    [
        (
            "services.generator",
            "from services.generator import compose\n    compose.generator(found)",
            {"replicate", "pydantic", "PIL", TRACES},
        ),
        (
            "services.storage",
            "from services.storage import compose\n    compose.storage(found)",
            {"PIL", TRACES},
        ),
        (
            "gateway",
            (
                "stop = asyncio.Event()\n    stop.set()\n    await serve(found, stop)\n"
                "    from fastapi.openapi import models\n    from gateway import bodies\n"
                "    assert bodies.Generation.__pydantic_complete__\n"
                "    assert not models.OpenAPI.__pydantic_complete__"
            ),
            {"websockets", "wsproto", "pydantic.v1"},
        ),
    ],
)
def test_nor_does_it_once_it_is_wired_with_all_that_it_can_be_given(package, wired, absent):
    main = (CHECKOUT / package.replace(".", "/") / "__main__.py").read_text()
    program = (
        f"{main.partition('def main')[0]}\n"
        "import asyncio, os, sys\n"
        "from chassis import settings\n"
        "async def wire():\n"
        "    found = settings.read(Settings, os.environ)\n"
        f"    {wired}\n"
        f"    print(sorted({absent!r} & set(sys.modules)), flush=True)\n"
        "    os._exit(0)\n"
        "asyncio.run(wire())\n"
    )
    ports = {"GATEWAY_PORT": str(free_port()), "LAME_SECONDS": "0.01"}
    done = python("-c", program, **VENDORS, **ports)
    assert done.stdout.endswith("[]\n"), done.stderr


def test_what_was_kept_out_can_be_had_afterwards_and_the_collector_rests_until_all_runs():
    done = python(
        "-c",
        "import gc, sys\n"
        "rounds = lambda: sum(each['collections'] for each in gc.get_stats())\n"
        "from chassis import lean\n"
        "before = rounds()\n"
        "with lean.cheaply(without=('rich', 'gc')):\n"
        "    from chassis import run\n"
        "assert 'rich' not in sys.modules and sys.modules['gc'] is gc\n"
        "assert not gc.isenabled()\n"
        "import rich\n"
        "run._collect_in_small_lots()\n"
        "assert gc.isenabled() and rounds() == before\n",
    )
    assert done.returncode == 0, done.stderr
