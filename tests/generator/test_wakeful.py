"""A machine that is suspended, or whose virtual one is paused, sends no order when it wakes."""

import asyncio
import time

import pytest

from services.generator import provider as seam
from services.generator.providers import answered
from services.generator.wakeful import Wakeful
from tests.generator.errands import errand, under_way
from tests.generator.hired import soon
from tests.generator.scripted_ledger import RUNNING
from tests.generator.scripted_wire import ID, Script, replicate

HOUR = 3600.0


class Hands:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def clock(*witnesses: Hands) -> tuple[Wakeful, Hands]:
    base = Hands()
    return Wakeful(base, witnesses), base


def test_it_goes_on_as_the_monotonic_one():
    told, base = clock(Hands(), Hands())
    base.now += 7
    assert told() == 1007.0


def test_a_sleep_that_either_witness_tells_of_counts_once():
    boot, wall = Hands(), Hands()
    told, base = clock(boot, wall)
    boot.now += 60
    wall.now += 61
    assert told() == told() == 1061.0
    wall.now += 30  # paused, which only the wall's clock tells once it is put right
    for hands in (base, boot, wall):
        hands.now += 1
    assert told() == 1092.0


def test_a_clock_that_is_set_back_or_drifts_takes_nothing_away():
    wall = Hands()
    told, base = clock(wall)
    wall.now -= HOUR
    assert told() == 1000.0
    base.now += 5
    wall.now += 5.1
    assert told() == 1005.0
    wall.now += 60
    assert told() == 1065.0


def test_without_a_witness_it_is_the_monotonic_one():
    assert clock()[0]() == 1000.0


def test_the_real_one_goes_on_and_is_the_loops_where_nobody_slept():
    told = Wakeful()
    before, here, after = time.monotonic(), told(), time.monotonic()
    assert before <= here <= after


async def test_an_order_does_not_leave_when_its_machine_slept_after_the_claim(world):
    wall, now = Hands(), asyncio.get_running_loop().time()
    world.worker.tools.clock = Wakeful(time.monotonic, (wall,))
    work = errand(world, now, now + HOUR)
    wall.now = time.monotonic() + HOUR
    await soon(work.run())
    assert world.catalog.written.get_nowait() == "release"
    assert world.shop.asked == 0


async def test_a_worker_that_slept_takes_nothing_before_it_is_known_again(world):
    assert world.worker.room
    world.worker.tools.clock._slept += HOUR
    assert not world.worker.room
    async with asyncio.timeout(60):
        while not world.worker.room:
            await asyncio.sleep(0)


async def test_a_wall_clock_that_is_set_forward_makes_no_order_late(world):
    world.shop.sights = [seam.Working(0.5), seam.Unclear("no answer")]
    work = under_way(world, RUNNING, late=2 * HOUR, held=1)
    world.worker.tools.clock._slept += 2 * HOUR
    await soon(work.run())
    assert [edge.WhichOneof("step") for edge in world.catalog.edges] == ["park"]


async def test_who_slept_while_it_was_made_ready_does_not_order():
    wall = Hands()

    async def asleep() -> None:
        wall.now += HOUR

    with pytest.raises(seam.NotReady, match="too late"):
        await answered.ready(asleep(), wakeful=lambda: Wakeful(time.monotonic, (wall,)))


class Sleepers:
    """Input images that are handed over in an hour of sleep."""

    def __init__(self) -> None:
        self.wall = Hands()

    async def given(self, order, *, until):
        self.wall.now += HOUR
        return {}


async def test_nor_one_whose_input_images_went_to_replicate_meanwhile():
    files, script = Sleepers(), Script()
    provider = replicate(
        script, files=files, wakeful=lambda: Wakeful(time.monotonic, (files.wall,))
    )
    shown = seam.Reference(asset="ab", media_type="image/png")
    order = seam.Order(
        purchase_id=ID, slug="m", inputs={"prompt": "a"}, give_up_after=10, references=(shown,)
    )
    with pytest.raises(seam.NotReady, match="too long"):
        await provider.buy(order, None, None)
    assert script.asked == []
