"""What tests in several folders share: running stacks; PostgreSQL and NATS by themselves."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from tests import patient
from tests.lab.process import Control
from tests.nats import nats, nats_url
from tests.postgres import postgres, postgres_url
from tests.system.books import ask
from tests.system.stack import Stack, running_stack

__all__ = ["nats", "nats_url", "postgres", "postgres_url"]

_FORGIVEN = """
    UPDATE permits
    SET breaker = 'closed', recent = '', heard_at = NULL, retry_at = NULL, probe = NULL,
        openings = 0, refusal = NULL, orders_left = NULL, renewed_at = NULL
"""


# Files that take longest, the longest first: a worker that gets one last is waited for.
_LONG = (
    "crash_points", "models_check", "cli", "caps", "bad_days", "backup", "added_provider", "health",
    "partitions", "database_faults", "zombies", "chaos", "unclear", "access", "resuming",
    "language", "rebuild",
)  # fmt: skip
_RANKS = {f"system/test_{name}.py": rank for rank, name in enumerate(_LONG)}
# Files whose tests take turns on `lit`, or on `stack`: with several workers one runs all of them,
# the longest first. Each worker that starts such a stack of its own keeps it busy to the end.
SHARING = {
    "lit": (
        "system/test_models_check.py", "system/test_language.py", "system/test_downloads.py",
        "system/test_lost_answers.py", "system/test_put_off.py", "system/test_references.py",
        "system/test_repeated.py", "system/test_rot.py", "system/test_series.py",
        "system/test_smart_prompts.py",
        "system/test_vendors_bad_days.py", "system/test_ways_home.py",
    ),
    "stack": (
        "system/test_cli.py", "system/test_edge.py", "system/test_foreign_pages.py",
        "system/test_grpc_page.py", "system/test_interrupts.py", "system/test_supervisor.py",
        "system/test_telemetry.py", "web/test_examples.py", "web/test_more.py",
        "web/test_studio.py", "gateway/test_feed.py", "gateway/test_files.py",
        "gateway/test_jobs.py", "gateway/test_library.py", "gateway/test_pages.py",
        "gateway/test_recipes.py", "gateway/test_schema.py",
    ),
}  # fmt: skip
_TOGETHER = {f"tests/{file}": name for name, files in SHARING.items() for file in files}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out files one by one, and those that share a stack as if they were one."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Sharing(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return _TOGETHER.get(file, file)

    return Sharing(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what runs whole stacks first, so that all workers end at about the same time."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    folder, file = item.path.parts[-2:]
    return _RANKS.get(f"{folder}/{file}", len(_RANKS) + (folder not in ("system", "web")))


def pytest_collection_finish() -> None:
    """Seven thousand tests are half a second to look through at each collection of garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A running stack that all share: leave it whole."""
    with running_stack() as found:
        yield found


@pytest.fixture(scope="session")
def lit() -> Iterator[Stack]:
    """A running stack behind the lab that all share: leave it whole."""
    quick = {"LAB_PACE": "0.05", "LOOKUP_LAG": "1", "PUBLISH_WAIT": "2", "WORKER_PATIENCE": "1"}
    with running_stack("--lab", **quick) as found:
        yield found


@pytest.fixture
def vendors(lit: Stack) -> Control:
    """The lab of `lit`, as new, and nothing held against it for what a test before did to it."""
    control = Control(f"http://127.0.0.1:{lit.port('LAB_PORT')}")
    control.reset()
    ask(lit, _FORGIVEN)
    lit.await_(lambda: all(model["state"] != "degraded" for model in _models(lit)))
    return control


def _models(lit: Stack) -> list[dict[str, Any]]:
    answer = patient.get(f"{lit.url}/images/models").raise_for_status()
    models: list[dict[str, Any]] = answer.json()["models"]
    return models
