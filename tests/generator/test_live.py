"""Live progress, and the estimate of it where a provider says nothing."""

import asyncio
import io

import pytest
from PIL import Image

from imagestudio.type.v1 import job_event_pb2
from services.generator.live import Live
from services.generator.provider import Preview


class Bus:
    """Keeps what is published; `came` wakes whoever waits for more."""

    def __init__(self) -> None:
        self.told: list[tuple[str, job_event_pb2.JobEvent]] = []
        self.came = asyncio.Event()

    async def publish(self, subject: str, payload: bytes) -> None:
        self.told.append((subject, job_event_pb2.JobEvent.FromString(payload)))
        self.came.set()

    async def until(self, count: int) -> list[job_event_pb2.JobEvent.Progress]:
        async with asyncio.timeout(60):
            while len(self.told) < count:
                self.came.clear()
                await self.came.wait()
        return [event.progress for _, event in self.told]


class World:
    def __init__(self) -> None:
        self.now, self.bus = 100.0, Bus()
        self.live = Live(
            self.bus,
            clock=lambda: self.now,
            interval=0.001,
            guess_interval=0.001,
            most_guesses=10**6,
        )

    def guess(self, purchase="a", *, elapsed=0.0) -> None:
        self.live.guess("jobs/1", purchase, "m", typical=10.0, elapsed=elapsed)


@pytest.fixture
async def world():
    world = World()
    world.live.start()
    yield world
    await world.live.close()


async def test_what_a_provider_says_is_told_as_it_is(world):
    world.live.progress("jobs/1", "a", "m", 0.25)
    (told,) = await world.bus.until(1)
    assert (told.fraction, told.estimated, told.purchase_id) == (0.25, False, "a")
    assert world.bus.told[0][0] == "live.job.1"


async def test_what_it_does_not_say_is_estimated_until_it_is_over(world):
    world.guess()
    told = await world.bus.until(3)
    for _ in range(20):
        world.now += 30.0
        told = await world.bus.until(len(world.bus.told) + 2)
    fractions = [each.fraction for each in told]
    assert all(each.estimated for each in told)
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert 0.98 < fractions[-1] < 1
    world.live.over("a")
    assert not world.live._guesses


async def test_an_estimate_goes_by_the_usual_time_and_by_what_passed_elsewhere(world):
    world.guess(elapsed=10.0)
    (told, *_) = await world.bus.until(1)
    assert 0.8 < told.fraction < 0.9


async def test_saying_again_that_nothing_is_known_does_not_begin_anew(world):
    world.guess()
    world.now += 10.0
    world.guess()
    told = await world.bus.until(4)
    assert told[-1].fraction > 0.8


async def test_the_providers_word_ends_the_estimate(world):
    world.guess()
    await world.bus.until(1)
    world.live.progress("jobs/1", "a", "m", 0.5)
    assert not world.live._guesses
    *_, last = await world.bus.until(len(world.bus.told) + 1)
    assert (last.fraction, last.estimated) == (0.5, False)


async def test_a_clock_of_another_machine_that_is_ahead_makes_it_no_less_than_nothing(world):
    world.guess(elapsed=-50.0)
    (told, *_) = await world.bus.until(1)
    assert told.fraction == 0


def picture(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (900, 600), colour).save(file, "PNG")
    return file.getvalue()


async def test_a_preview_is_told_small_and_of_what_waits_the_newest(world):
    for number, colour in enumerate(("red", "blue")):
        world.live.preview("jobs/7", "a", "m", Preview(picture(colour), number))
    await world.bus.until(1)
    [(subject, event)] = world.bus.told
    assert subject == "live.job.7"
    shown = event.preview
    assert (shown.purchase_id, shown.model, shown.preview_index) == ("a", "m", 1)
    assert shown.media_type == "image/webp"
    assert event.HasField("event_time")
    with Image.open(io.BytesIO(shown.content)) as opened:
        assert opened.size == (512, 341)


async def test_a_preview_that_is_none_holds_up_nobody(world):
    world.live.preview("jobs/7", "a", "m", Preview(b"words", 0))
    world.live.preview("jobs/7", "b", "m", Preview(picture("red"), 0))
    await world.bus.until(1)
    assert [event.preview.purchase_id for _, event in world.bus.told] == ["b"]


async def test_previews_wait_for_a_few_purchases_and_go_with_them(world):
    for number in range(100):
        world.live.preview("jobs/7", str(number), "m", Preview(picture("red"), 0))
    assert len(world.live._shown) == 16
    for number in range(100):
        world.live.over(str(number))
    world.live.preview("jobs/7", "last", "m", Preview(picture("red"), 0))
    await world.bus.until(1)
    assert [event.preview.purchase_id for _, event in world.bus.told] == ["last"]
