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


def test_no_file_is_longer_than_400_lines():
    lengths = {named(path): len(path.read_text().splitlines()) for path in OURS}
    assert not {name: length for name, length in lengths.items() if length > 400}


def test_no_function_is_longer_than_40_lines():
    """A drawing may have 65: a list of strokes does not get clearer in parts."""
    long = [
        f"{named(path)}: {node.name}: {node.end_lineno - node.lineno + 1} lines"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno >= (65 if path.parent.name == "sketching" else 40)
    ]
    assert not long


def test_every_module_says_what_it_is_for():
    """Each opens with one to four lines that do."""
    texts = {named(path): path.read_text() for path in SOURCES}
    assert not [name for name, text in texts.items() if text and not docstring(text)]


def docstring(text):
    return ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", sorted((ROOT / "chassis").glob("*.py")), ids=named)
def test_chassis_has_no_word_of_the_domain(path):
    found = [line for line in path.read_text().splitlines() if DOMAIN.search(line)]
    assert not found


def test_chassis_is_a_closed_list():
    assert {path.stem for path in (ROOT / "chassis").glob("*.py")} == {
        "__init__", "beside", "bus", "channel", "errors", "faults", "foreign", "gathering",
        "identity", "lean", "logs", "run", "server", "settings", "telemetry", "tracing",
    }  # fmt: skip


def test_no_test_sleeps_or_patches():
    """A test waits for events or polls for one; it shortens waits, and replaces no work."""
    slept = re.compile(r"\b(time|asyncio)\.sleep\((?!0\)|0\.0)|unittest\.mock")
    patched = re.compile(r"monkeypatch\.setattr\((?!.*\b_[A-Z_]+\b)")
    found = [
        f"{named(path)}: {line}"
        for path in files(ROOT / "tests", "test_*.py")
        if path != Path(__file__)
        for line in path.read_text().splitlines()
        if slept.search(line) or patched.search(line)
    ]
    assert not found


OUTGOING = re.compile(
    r"\b(?:httpx|aiohttp|requests|urllib\.request|chassis\.channel|insecure_channel|\w+Stub)\b"
)


@pytest.mark.parametrize("path", files(ROOT / "services" / "catalog", "*.py"), ids=named)
def test_the_catalog_calls_nobody_while_it_holds_a_transaction(path):
    """It calls nobody at all but PostgreSQL and NATS, and tells NATS nothing before the commit."""
    text = path.read_text()
    left_out = re.compile(r"without=\([^)]*\)")  # what it does not even import
    assert not OUTGOING.search(left_out.sub("", text))
    told = [
        ast.unparse(call.func)
        for block in ast.walk(ast.parse(text))
        if isinstance(block, ast.AsyncWith) and "as_" in ast.unparse(block.items[0])
        for call in ast.walk(block)
        if isinstance(call, ast.Call) and re.search(r"\b_?(?:news|bus)\b", ast.unparse(call.func))
    ]
    assert not told
