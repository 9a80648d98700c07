"""What a start leaves out: libraries' own extras, and the collector's rounds."""

import os
import subprocess
import sys

import pytest

from cli.settings import CHECKOUT, NAMES


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    bare = {name: text for name, text in os.environ.items() if name not in NAMES}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, env=bare, cwd=CHECKOUT, check=False, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("services.catalog", {"rich.segment", "aiohttp.client"}),
        ("services.storage", {"rich.segment"}),
        ("services.generator", {"rich.segment"}),
        ("gateway", {"rich.segment"}),
    ],
)
def test_a_process_of_ours_imports_no_extras_that_it_does_not_use(module, absent):
    started = python("-X", "importtime", "-m", module)  # and ends: it has no settings
    lines = [line for line in started.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert started.returncode == 78
    assert {"structlog", "chassis.run"} <= imported
    assert not absent & imported  # modules within them: the try itself is listed, too


def test_what_was_kept_out_can_be_had_afterwards_and_the_collector_rests_until_all_runs():
    done = python(
        "-c",
        "import gc, sys\n"
        "from chassis import lean\n"
        "with lean.cheaply(without=('rich', 'gc')):\n"
        "    import structlog\n"
        "assert 'rich' not in sys.modules and sys.modules['gc'] is gc\n"
        "assert not gc.isenabled()\n"
        "import rich\n"
        "from chassis import run\n"
        "run._collect_less_often()\n"
        "assert gc.isenabled()\n",
    )
    assert done.returncode == 0, done.stderr
