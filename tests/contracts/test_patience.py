"""Whoever asks by HTTP in a test says how long it waits, or waits as `tests.patient` does."""

import ast
from pathlib import Path

from tests import patient
from tests.contracts.files import files

TESTS = Path(__file__).resolve().parents[1]
ASKS = {name for name in vars(patient) if hasattr(patient.httpx, name)}


def hurried(source: str) -> list[int]:
    """The lines of *source* that wait for httpx's own five seconds, which nobody chose."""
    return [
        call.lineno
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and ast.unparse(call.func.value) == "httpx"
        and call.func.attr in ASKS
        and "timeout" not in [word.arg for word in call.keywords]
    ]


def test_no_test_takes_a_slow_machine_for_a_failure():
    found = {path: hurried(path.read_text()) for path in files(TESTS, "*.py")}
    told = [f"{path}:{line}: tests.patient, or a timeout" for path in found for line in found[path]]
    assert not told


def test_who_hurries_is_found():
    assert {"get", "post", "stream", "Client", "AsyncClient"} <= ASKS
    assert hurried("httpx.get(url)\nhttpx.get(url, timeout=9)\nhttpx.Client()") == [1, 3]
