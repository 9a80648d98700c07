"""
The page on adding a provider, followed to its last line: in a copy of the studio Acme is added by
the page's text alone, and the tests that the page asks for pass there, kill -9 and all.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.leash import leashed
from tests.postgres import temporary_data
from tests.system.stack import CHECKOUT

PAGE = CHECKOUT / "docs" / "adding-a-provider.md"
BLOCKS = re.findall(r"(?ms)^```(\w+) (\S+/\S+|\S+\.yml)\n(.*?)^```$", PAGE.read_text())
FENCES = re.findall(r"(?ms)^```([^\n]*)\n.*?^```$", PAGE.read_text())
PATIENCE = 600  # seconds


def test_the_page_shows_nobody_an_exceptions_own_words():
    assert "!r}" not in "".join(text for _kind, _path, text in BLOCKS)


@pytest.fixture(scope="module")
def studio() -> Iterator[Path]:
    """A copy of this checkout to which the page was applied."""
    with temporary_data() as folder:
        copy = folder / "studio"
        left_out = shutil.ignore_patterns(".*", "__pycache__", "data")
        shutil.copytree(CHECKOUT, copy, ignore=left_out)
        for kind, path, text in BLOCKS:
            (copy / path).parent.mkdir(exist_ok=True)
            if kind == "diff":
                changed(copy / path, text)
            else:
                assert not (copy / path).exists(), path
                (copy / path).write_text(text)
        yield copy


def changed(path: Path, text: str) -> None:
    """Make what the page's diff says of the file, each of its parts standing there once."""
    found = path.read_text()
    for part in text.split("@@\n"):
        lines = [(line[:1], f"{line[1:]}\n") for line in part.splitlines()]
        assert {mark for mark, _line in lines} <= {" ", "+", "-"}, part
        before = "".join(line for mark, line in lines if mark != "+")
        after = "".join(line for mark, line in lines if mark != "-")
        assert found.count(before) == 1, f"{path} does not have it once:\n{before}"
        found = found.replace(before, after)
    path.write_text(found)


def passes(studio: Path, *tests: str) -> None:
    done = subprocess.run(
        leashed([sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *tests]),
        cwd=studio,
        env=os.environ | {"PYTHONPATH": f"{studio}:{studio / 'gen'}"},
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def test_the_page_says_of_every_block_which_file_it_belongs_to() -> None:
    told = {f"{kind} {path}" for kind, path, _text in BLOCKS}
    assert [fence for fence in FENCES if fence not in told] == ["json answer"]


def test_it_is_a_provider_like_any_other(studio: Path) -> None:
    passes(studio, "tests/generator/conformance/test_acme.py")


def test_killed_with_9_over_an_answer_it_loses_and_doubles_nothing(studio: Path) -> None:
    passes(studio, "tests/system/test_acme.py")


def test_nothing_is_left_to_be_told_of_it(studio: Path) -> None:
    passes(studio, "tests/cli/test_processes.py")


def test_it_is_written_as_all_the_rest(studio: Path) -> None:
    python = [path for _kind, path, _text in BLOCKS if path.endswith(".py")]
    for words in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [Path(sys.executable).with_name("ruff"), *words, "--no-cache", *python],
            cwd=studio, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
