"""What /metrics tells of the vault's room, and for how long; who asks waits alone."""

import asyncio
import shutil
import threading

import pytest
from prometheus_client import REGISTRY, generate_latest

from services.storage.compose import vault_at
from services.storage.room import Room
from services.storage.trial import Trial


@pytest.fixture
async def vault(folder):
    made = vault_at(f"file://{folder}")
    await made.open()
    yield made
    await made.close()


def told(name):
    return REGISTRY.get_sample_value(f"studio_vault_{name}_bytes")


async def test_a_vault_is_asked_for_its_room_as_long_as_it_is_shown(vault, folder):
    room = Room(vault.free, 4096, Trial(vault.probe))
    assert told("free") is None  # made is not shown
    with room.shown():
        assert told("free") > 0
        assert told("reserve") == 4096
    shutil.rmtree(folder)
    assert b"studio_vault" not in generate_latest()


async def test_two_vaults_of_one_process_do_not_forbid_each_other(vault):
    trial = Trial(vault.probe)
    with Room(vault.free, 1, trial).shown(), Room(vault.free, 2, trial).shown():
        assert generate_latest().count(b"\nstudio_vault_reserve_bytes ") == 2
    assert told("reserve") is None


async def test_a_disk_that_takes_its_time_holds_nobody_else_up(vault):
    asked, may_tell = threading.Event(), threading.Event()

    def free():
        asked.set()
        may_tell.wait(60)
        return 1

    checking = asyncio.create_task(Room(free, 0, Trial(vault.probe)).check())
    assert await asyncio.to_thread(asked.wait, 60)
    assert not checking.done()
    may_tell.set()
    await checking
