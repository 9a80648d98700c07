"""Ctrl-C at the commands that start and end a stack: each says what goes on, and what does not."""

import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from tests.postgres import temporary_data
from tests.system.stack import CHECKOUT, Stack
from tests.system.test_cli import SMALL, start


def interrupted(stack: Stack, marker: str, *command: str) -> tuple[int, str]:
    """Leave *command* with Ctrl-C where *marker* is told; return its status and what it said."""
    left = start(stack, *command)
    assert left.stderr is not None
    assert any(marker in line for line in left.stderr)
    left.send_signal(signal.SIGINT)
    _, said = left.communicate(timeout=60)
    assert "Traceback" not in said
    # Where the signal came within an exec() of a module that loads, Python ends by that signal,
    # which a shell tells as 130.
    assert left.returncode in (130, -signal.SIGINT)
    return left.returncode, said


@pytest.mark.parametrize(
    ("marker", "words"),
    [("typer.models", "interrupted; nothing was begun or ended"),
     ("cli.child", "stopped before anything was started"),
     ("starting postgres", "stopped; everything is kept")],
)  # fmt: skip
def test_ctrl_c_ends_a_start_in_its_first_moments_with_a_word(marker: str, words: str) -> None:
    """Python tells of each import: *marker* is of the command's, or of the supervisor's."""
    with temporary_data() as data:
        stack = Stack(data, {"PYTHONPROFILEIMPORTTIME": "1"})
        _, said = interrupted(stack, marker, "up")
        assert stack.ps() == {}
    assert words in said


def test_ctrl_c_again_and_again_changes_no_word() -> None:
    with temporary_data() as data:
        stack = Stack(data)
        starting = start(stack, "up")
        assert starting.stderr is not None
        assert any("starting postgres" in line for line in starting.stderr)
        while starting.poll() is None:
            starting.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                starting.wait(0.001)
        _, said = starting.communicate()
        assert said.splitlines()[-1] == "stopped; everything is kept"
        assert starting.returncode == 130
        assert stack.ps() == {}


def test_ctrl_c_on_a_command_that_loads_ends_nothing(stack: Stack) -> None:
    loading = Stack(stack.data, {"PYTHONPROFILEIMPORTTIME": "1"})
    _, said = interrupted(loading, "typer.models", "down")
    assert "interrupted; nothing was begun or ended" in said
    assert stack.ps()


@pytest.mark.parametrize("command", [("up", "-d"), ("generate", "a tree", *SMALL)])
def test_ctrl_c_on_a_start_beside_says_that_it_goes_on(command: tuple[str, ...]) -> None:
    with temporary_data() as data:
        stack = Stack(data)
        status, said = interrupted(stack, "starting postgres", *command)
        assert status == 130
        assert "the stack goes on starting; ./studio down ends it" in said
        assert stack.studio("down").stderr == "studio: stopped\n"


_DEAF = """
import signal, sys
from pathlib import Path
from cli.folder import Folder
folder = Folder(Path(sys.argv[1]))
folder.prepare()
folder.lock()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("holds", flush=True)
signal.sigwait([signal.SIGTERM])
print("told", flush=True)
sys.stdin.read()
"""


def test_ctrl_c_on_down_says_that_the_stack_goes_on_ending() -> None:
    with temporary_data() as data, subprocess.Popen(
        [sys.executable, "-c", _DEAF, str(data)], cwd=CHECKOUT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holds\n"
        down = start(Stack(data), "down")
        assert holder.stdout.readline() == "told\n"
        down.send_signal(signal.SIGINT)
        _, said = down.communicate(timeout=60)
        holder.communicate("")
    assert (down.returncode, said) == (130, "studio: interrupted; the stack goes on ending\n")
