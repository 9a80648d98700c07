"""Who sits down where another died knows it, and nobody takes the seat of one that lives."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from services.generator.seat import Seat

# Takes the seat and starts a child that outlives it; the child ends with its own input.
_SITS = """
import pathlib, subprocess, sys
from services.generator.seat import Seat
seat = Seat(pathlib.Path(sys.argv[1]))
seat.take()
seat.write("the last one")
subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"])
print("sits", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "generator-1"


@pytest.fixture
def other(path):
    """Another process that holds the seat."""
    command = [sys.executable, "-c", _SITS, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"sits\n"
        yield process
        process.kill()


def test_the_seat_of_one_that_lives_is_not_taken_and_keeps_its_name(path, other):
    seat = Seat(path)
    assert seat.take() == ""
    seat.write("another one")
    assert path.read_text() == "the last one\n"


def test_whoever_sits_down_after_a_death_learns_the_dead_ones_name(path, other):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    seat = Seat(path)
    assert seat.take() == "the last one"  # what it had started lives on, and holds nothing
    seat.write("the new one!")
    assert path.read_text() == "the new one!\n"


@pytest.mark.parametrize("where", [None, "no folder/generator-1"], ids=["none", "not there"])
def test_without_a_seat_nobody_is_known_to_be_dead(tmp_path, where):
    seat = Seat(where and tmp_path / where)
    assert seat.take() == ""
    seat.write("me")


async def test_a_worker_says_goodbye_for_the_dead_before_it_is_known_itself(hire, path):
    path.write_text("the dead one\n")
    world = await hire(Seat(path))
    goodbye, first = world.catalog.beats[:2]
    assert (goodbye.worker_id, goodbye.leaving) == ("the dead one", True)
    assert not goodbye.orderly
    assert (first.worker_id, first.leaving) == (world.worker.worker_id, False)
    assert path.read_text() == f"{world.worker.worker_id}\n"


async def test_a_worker_that_is_somebody_new_sits_there_by_its_new_name(hire, path):
    world = await hire(Seat(path))
    first, world.catalog.alive = world.worker.worker_id, False
    while world.catalog.workers[-1] == first:
        await asyncio.sleep(0)
    assert path.read_text() == f"{world.worker.worker_id}\n"
