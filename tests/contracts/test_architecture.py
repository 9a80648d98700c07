"""The architecture, held by tests: who imports whom, how long things are, which words stand."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts.files import files

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("chassis", "services", "gateway", "cli", "lab")
SOURCES = [path for folder in FOLDERS for path in files(ROOT / folder, "*.py")]
OURS = [*SOURCES, *files(ROOT / "tests", "*.py"), *files(ROOT / "bench", "*.py")]
DOMAIN = re.compile(r"\b(image|prompt|model|variant|job|preset)s?\b", re.IGNORECASE)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_import_contracts_are_kept():
    """Run in a process of its own: it reads the modules from the sources' own folder."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."],
     ["mypy", "chassis", "services", "gateway", "cli", "lab"]],
    ids=" ".join,
)  # fmt: skip
def test_the_linters_have_nothing_to_say(command):
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run(
        [program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", OURS, ids=named)
def test_no_file_is_longer_than_400_lines(path):
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_no_function_is_longer_than_40_lines(path):
    """A drawing may have 65: a list of strokes does not get clearer in parts."""
    most = 65 if path.parent.name == "sketching" else 40
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > most
    ]
    assert not long


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_every_module_says_what_it_is_for(path):
    text = path.read_text()
    assert not text or ast.get_docstring(ast.parse(text)), "open with one to four lines"


@pytest.mark.parametrize("path", sorted((ROOT / "chassis").glob("*.py")), ids=named)
def test_chassis_has_no_word_of_the_domain(path):
    found = [line for line in path.read_text().splitlines() if DOMAIN.search(line)]
    assert not found


def test_chassis_is_a_closed_list():
    assert {path.stem for path in (ROOT / "chassis").glob("*.py")} == {
        "__init__", "beside", "bus", "channel", "errors", "faults", "identity", "logs", "run",
        "server", "settings", "telemetry",
    }  # fmt: skip


@pytest.mark.parametrize("path", files(ROOT / "tests", "test_*.py"), ids=named)
def test_no_test_sleeps_or_patches(path):
    """A test waits for events or polls for one; it shortens waits, and replaces no work."""
    slept = re.compile(r"\b(time|asyncio)\.sleep\((?!0\)|0\.0)|unittest\.mock")
    patched = re.compile(r"monkeypatch\.setattr\((?!.*\b_[A-Z_]+\b)")
    found = [
        line for line in path.read_text().splitlines() if slept.search(line) or patched.search(line)
    ]
    assert path == Path(__file__) or not found


OUTGOING = re.compile(
    r"\b(?:httpx|aiohttp|requests|urllib\.request|chassis\.channel|insecure_channel|\w+Stub)\b"
)


@pytest.mark.parametrize("path", files(ROOT / "services" / "catalog", "*.py"), ids=named)
def test_the_catalog_calls_nobody_while_it_holds_a_transaction(path):
    """It calls nobody at all but PostgreSQL and NATS, and tells NATS nothing before the commit."""
    text = path.read_text()
    assert not OUTGOING.search(text)
    told = [
        ast.unparse(call.func)
        for block in ast.walk(ast.parse(text))
        if isinstance(block, ast.AsyncWith) and "as_" in ast.unparse(block.items[0])
        for call in ast.walk(block)
        if isinstance(call, ast.Call) and re.search(r"\b_?(?:news|bus)\b", ast.unparse(call.func))
    ]
    assert not told
