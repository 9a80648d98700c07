"""Models end when their providers' own lists say so: told before, refused from that day on."""

import asyncio
from datetime import date

import aiohttp
import httpx
import pytest

from chassis.errors import Precondition
from imagestudio.generator.v1 import generator_service_pb2
from services.generator import models, showing
from services.generator.calendar import Calendar
from services.generator.health import Health
from services.generator.models import Registry
from services.generator.providers.openai import OpenAI
from services.generator.standing import Terms
from services.generator.vendor import Vendor
from tests import patient
from tests.generator.memory_pictures import MemoryPictures
from tests.generator.memory_receipts import MemoryReceipts
from tests.generator.scripted_wire import Script, replicate

KEY = "gpt-image-2"


def registry(day: str) -> Registry:
    today = date.fromisoformat(day)
    return Registry(models.EVERY, configured={"openai"}, default=KEY, today=lambda: today)


def calendar(known: Registry, *answers: httpx.Response | Exception) -> Calendar:
    """One that reads OpenAI's list, which is *answers* one after another."""
    http = patient.AsyncClient(transport=Script(*answers), base_url="https://o.test/v1")
    provider = OpenAI(http=http, receipts=MemoryReceipts(), pictures=MemoryPictures(), tokens={})
    vendor = Vendor(name="openai", provider=provider, terms=Terms(askable=True), time_limit=1)
    return Calendar(known, {"openai": vendor})


def listing(**dates: str | None) -> httpx.Response:
    data = [{"id": slug.replace("_", "-"), "shutdown_date": day} for slug, day in dates.items()]
    return httpx.Response(200, json={"object": "list", "data": data})


def retires(known: Registry) -> str:
    request = generator_service_pb2.ListModelsRequest()
    shown = {each.key: each for each in showing.listed(request, known, {}, Health({})).models}
    return shown[KEY].retire_time.ToJsonString() if shown[KEY].HasField("retire_time") else ""


async def test_a_date_is_told_before_and_refused_from_then_on():
    early, late = registry("2027-01-30"), registry("2027-01-31")
    for known in (early, late):
        read = calendar(known, listing(gpt_image_2="2027-01-31", gpt_image_9=None))
        assert await read.read()
    assert retires(early) == "2027-01-31T00:00:00Z"
    assert early.usable(KEY)
    with pytest.raises(Precondition, match="2027-01-31") as refused:
        late.usable(KEY)
    assert refused.value.reason == "MODEL_RETIRED"


async def test_a_date_that_is_taken_back_is_forgotten():
    known = registry("2027-02-01")
    read = calendar(known, listing(gpt_image_2="2027-01-31"), listing())
    assert await read.read()
    assert known.retired(known.known(KEY))
    assert await read.read()
    assert known.usable(KEY)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"data": {"id": KEY}}),
        httpx.Response(200, json={"data": [{"name": KEY}]}),
        httpx.Response(200, json=[]),
        httpx.ConnectError("nobody there"),
        aiohttp.ServerDisconnectedError(),
        TimeoutError(),
    ],
)
async def test_a_list_that_cannot_be_read_changes_nothing_and_is_read_again(answer):
    known = registry("2027-01-01")
    read = calendar(known, listing(gpt_image_2="2027-01-31"), answer)
    assert await read.read()
    assert not await read.read()
    assert retires(known) == "2027-01-31T00:00:00Z"


class Clock:
    """Stands still until it is told to go on: whoever pauses waits for that."""

    def __init__(self) -> None:
        self.now, self.until, self.waits, self.goes = 0.0, 0.0, asyncio.Event(), asyncio.Event()

    async def pause(self, seconds: float) -> None:
        self.until = self.now + seconds
        self.waits.set()
        while self.now < self.until:
            self.goes.clear()
            await self.goes.wait()

    async def go_on(self, seconds: float) -> None:
        """Let *seconds* pass; return when whoever that wakes has paused again."""
        self.now += seconds
        if self.now >= self.until:
            self.waits.clear()
        self.goes.set()
        await self.waits.wait()


async def test_a_day_after_the_start_the_list_is_read_again_and_soon_where_that_failed():
    known, clock = registry("2027-02-01"), Clock()
    told = [listing(gpt_image_2=day) for day in ("2027-03-01", "2027-04-01", "2027-05-01")]
    reading = calendar(known, told[0], told[1], httpx.Response(500), told[2])
    reading.pause = clock.pause
    running = asyncio.create_task(reading.run())
    await asyncio.wait_for(clock.waits.wait(), 60)  # it has read once, at the start
    for seconds, day in [
        *((0, "2027-03-01"), (86_399, "2027-03-01"), (1, "2027-04-01")),
        *((86_400, "2027-04-01"), (599, "2027-04-01"), (1, "2027-05-01")),
    ]:
        await asyncio.wait_for(clock.go_on(seconds), 60)
        assert retires(known) == f"{day}T00:00:00Z", clock.now
    running.cancel()


@pytest.mark.parametrize("odd", ["soon", "2027-13-01", 7, ["2027-01-01"], {}])
async def test_one_odd_entry_spoils_no_other(odd):
    known = registry("2027-01-01")
    data = [
        {"id": "gpt-image-1", "shutdown_date": odd},
        "a word",
        {"shutdown_date": "2026-01-01"},
        {"id": KEY, "shutdown_date": "2027-01-31"},
    ]
    assert await calendar(known, httpx.Response(200, json={"data": data})).read()
    assert retires(known) == "2027-01-31T00:00:00Z"


async def test_a_vendor_whose_list_breaks_everything_keeps_nobody_elses_from_being_read():
    class Broken:
        async def ends(self):
            raise RuntimeError("a defect")

    known = registry("2027-01-01")
    read = calendar(known, listing(gpt_image_2="2027-01-31"))
    broken = Vendor(name="a", provider=Broken(), terms=Terms(askable=True), time_limit=1)
    read.vendors = {"a": broken, **read.vendors}
    assert not await read.read()
    assert retires(known) == "2027-01-31T00:00:00Z"


async def test_who_tells_no_dates_is_not_asked():
    known, script = registry("2027-01-01"), Script()
    shop = Vendor(
        name="replicate", provider=replicate(script), terms=Terms(askable=True), time_limit=1
    )
    assert await Calendar(known, {"replicate": shop}).read()
    assert not script.asked
