"""Tests that are killed leave no stack running."""

import os
import select
import signal
import subprocess
import sys

import pytest

from cli.folder import Folder
from tests.postgres import temporary_data
from tests.system.stack import alive

TESTS = """
import pathlib, signal, sys
from tests.system.stack import Stack
stack = Stack(pathlib.Path(sys.argv[1])).start()
print(*stack.all_pids(), flush=True)
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of this")
def test_a_killed_test_takes_its_stack_along() -> None:
    with temporary_data() as data:
        command = [sys.executable, "-P", "-c", TESTS, str(data)]
        tests = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert tests.stdout is not None
        with tests.stdout as said:
            pids = {int(pid) for pid in said.readline().split()}
        assert pids
        watched = [os.pidfd_open(pid) for pid in pids]
        tests.send_signal(signal.SIGKILL)
        tests.wait()
        for pid in watched:
            assert select.select([pid], [], [], 60)[0]
            os.close(pid)
        assert alive(pids) == {}
        assert not Folder(data).is_locked()
