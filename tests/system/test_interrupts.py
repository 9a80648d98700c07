"""Ctrl-C at the commands that start and end a stack: each says what goes on, and what does not."""

import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.postgres import temporary_data
from tests.system.stack import CHECKOUT, Stack
from tests.system.test_cli import SMALL, start

# Python runs it first. Whoever comes to the import of HOLD_AT says so by a file, and waits until it
# is gone: no machine is too fast or too slow for a signal that is to come there.
_HOLD = """
import os, sys, time
from pathlib import Path

class Hold:
    def find_spec(name, path=None, target=None):
        if name == os.environ.get("HOLD_AT"):
            here = Path(__file__).with_name("held")
            here.touch()
            while here.exists():
                time.sleep(0.005)

sys.meta_path.insert(0, Hold)
"""


def interrupted_at(folder: Path, stack: Stack, module: str, *command: str) -> str:
    """Leave *command* with Ctrl-C while it imports *module*; return what it said."""
    (folder / "sitecustomize.py").write_text(_HOLD)
    stack.environment |= {"HOLD_AT": module, "PYTHONPATH": str(folder)}
    left, held = start(stack, *command), folder / "held"
    stack.await_(lambda: held.exists() or left.poll() is not None)
    left.send_signal(signal.SIGINT)
    held.unlink()
    return said_by(left)[1]


def said_by(left: subprocess.Popen[str]) -> tuple[int, str]:
    """Return the status of a command that was interrupted, and what it said since."""
    _, said = left.communicate(timeout=120)
    assert "Traceback" not in said
    # Where the signal came within an exec() of a module that loads, Python ends by that signal,
    # which a shell tells as 130.
    assert left.returncode in (130, -signal.SIGINT)
    return left.returncode, said


def interrupted(stack: Stack, marker: str, *command: str) -> tuple[int, str]:
    """Leave *command* with Ctrl-C where *marker* is told; return its status and what it said."""
    left = start(stack, *command)
    assert left.stderr is not None
    assert any(marker in line for line in left.stderr)
    left.send_signal(signal.SIGINT)
    return said_by(left)


@pytest.mark.parametrize(
    ("module", "words"),
    [("typer.models", "interrupted; nothing was begun or ended"),
     ("cli.child", "stopped before anything was started")],
)  # fmt: skip
def test_ctrl_c_ends_a_start_while_it_loads_with_a_word(
    tmp_path: Path, module: str, words: str
) -> None:
    """*module* is of the command's, or of the supervisor's in its place."""
    with temporary_data() as data:
        stack = Stack(data)
        assert words in interrupted_at(tmp_path, stack, module, "up")
        assert stack.ps() == {}


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


def test_ctrl_c_on_a_command_that_loads_ends_nothing(tmp_path: Path, stack: Stack) -> None:
    loading = Stack(stack.data)
    said = interrupted_at(tmp_path, loading, "typer.models", "down")
    assert "interrupted; nothing was begun or ended" in said
    assert stack.ps()


@pytest.mark.parametrize("command", [("up", "-d"), ("generate", "a tree", *SMALL)])
def test_ctrl_c_on_a_start_beside_says_that_it_goes_on(command: tuple[str, ...]) -> None:
    """Its database takes whoever comes and says nothing, so that it is not ready before that."""
    with temporary_data() as data, socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://nobody:secret@127.0.0.1:{silent.getsockname()[1]}/none"
        stack = Stack(data, {"DATABASE_URL": url})
        status, said = interrupted(stack, "starting nats", *command)
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
        _, said = down.communicate(timeout=120)
        holder.communicate("")
    assert (down.returncode, said) == (130, "studio: interrupted; the stack goes on ending\n")
