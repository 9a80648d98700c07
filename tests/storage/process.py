"""Storage as a process of its own, as the supervisor starts it."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from tests.leash import leashed

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def process(environment: dict[str, str], **options):
    """Yields the process; it is killed at the end if it still lives."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("FAULT_")}
    started = subprocess.Popen(
        leashed([sys.executable, "-m", "services.storage"]),
        env=plain | environment,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    try:
        yield started
    except BaseException:
        started.kill()
        print(f"storage ended with {started.wait()} and said: {started.stderr.read()}")
        raise
    finally:
        started.kill()
        started.wait()
        started.stderr.close()
