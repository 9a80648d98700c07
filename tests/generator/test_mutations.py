"""Takes the defences away, one at a time, and has something turn red; see `mutations.py`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.generator.mutation import SIMULATION
from tests.generator.mutations import TABLE

ROOT = Path(__file__).parents[2]
PARTS = ("chassis", "cli", "docs", "gen", "lab", "services", "tests", "pyproject.toml")
PLAY = (
    "-m",
    "tests.generator.simulation",
    "--interpreted",
    "--processes",
    "1",
    "--histories",
    "8000",
)
TESTS = ("-m", "pytest", "-q", "-x", "-n0")


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the tree to be changed."""
    folder = tmp_path_factory.mktemp("mutations")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(
                ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / part, folder)
    return folder


def goes_well(folder, red):
    arguments = PLAY if red == SIMULATION else (*TESTS, *red.split())
    # No bytecode: a change within the second of another, of equal length, would not be seen.
    done = subprocess.run(
        [sys.executable, *arguments], check=False, cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": f"{folder}:{folder}/gen", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.defence)
def test_each_defence_stands_where_the_table_says(row):
    text = (ROOT / row.file).read_text()
    assert text.count(row.old) == 1


@pytest.mark.release
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.defence)
def test_without_a_defence_something_turns_red(row, copy):
    place = copy / row.file
    whole = place.read_text()
    place.write_text(whole.replace(row.old, row.new))
    try:
        well, said = goes_well(copy, row.red)
    finally:
        place.write_text(whole)
    assert not well, said
    assert "SyntaxError" not in said
    if row.red == SIMULATION:
        assert "play it again: .venv/bin/python -m tests.generator.simulation --seed" in said


@pytest.mark.release
@pytest.mark.parametrize("red", sorted({row.red for row in TABLE}))
def test_with_all_defences_it_is_green(red, copy):
    well, said = goes_well(copy, red)
    assert well, said
