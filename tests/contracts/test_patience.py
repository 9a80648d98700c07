"""Whoever asks by HTTP in a test asks as `tests.patient` does, and says it where he hurries."""

import ast
from pathlib import Path

from tests import patient
from tests.contracts.files import files

TESTS = Path(__file__).resolve().parents[1]
ASKS = {name for name in vars(patient) if hasattr(patient.httpx, name)}


def others(source: str) -> list[int]:
    """The lines of *source* with httpx's own five seconds, or its certificates at each call."""
    return [
        call.lineno
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and ast.unparse(call.func.value) == "httpx"
        and call.func.attr in ASKS
    ]


def test_no_test_takes_a_slow_machine_for_a_failure_or_makes_it_slow():
    found = {path: others(path.read_text()) for path in files(TESTS, "*.py")}
    told = [f"{path}:{line}: ask by tests.patient" for path in found for line in found[path]]
    assert not told


def test_who_asks_otherwise_is_found():
    assert {"get", "post", "stream", "Client", "AsyncClient"} <= ASKS
    assert others("httpx.get(url)\nhttpx.get(url, timeout=9)\nhttpx.Client()") == [1, 2, 3]
