"""Whoever takes turns on a stack that all share is run by the one worker that has it."""

import ast
from pathlib import Path

from tests.conftest import SHARING

TESTS = Path(__file__).parents[1]


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def asks_for_the_labs(file: Path) -> bool:
    """Whether the tests of *file* take the stack behind the lab, and it makes none of its own."""
    found = [each for each in ast.walk(ast.parse(file.read_text())) if isinstance(each, _FUNCTIONS)]
    taken = {word.arg for each in found for word in each.args.args}
    return bool(taken & {"lit", "vendors"}) and "lit" not in {each.name for each in found}


def test_every_file_that_asks_for_the_lab_s_stack_is_named():
    asking = {
        f"{path.parent.name}/{path.name}"
        for path in TESTS.glob("*/test_*.py")
        if asks_for_the_labs(path)
    }
    assert asking <= set(SHARING["lit"])


def test_every_file_that_is_named_is_there():
    assert [one for files in SHARING.values() for one in files if not (TESTS / one).exists()] == []
