"""Who watches a job together with others misses nothing, and nobody is asked twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from chassis.errors import Unavailable
from gateway.crowd import Crowds
from gateway.sse import Frame, frame

END = "end"


class Source:
    """Frames from outside, said one by one; *opened* counts who asked for them."""

    def __init__(self) -> None:
        self.opened, self.closed = 0, asyncio.Event()
        self._frames: asyncio.Queue[Frame | Exception | str] = asyncio.Queue()
        self._heard = asyncio.Event()

    def say(self, *frames: Frame | Exception | str) -> None:
        for found in frames:
            self._frames.put_nowait(found)

    async def open(self) -> AsyncIterator[Frame]:
        self.opened += 1
        try:
            while (found := await self._frames.get()) != END:
                if isinstance(found, Exception):
                    raise found
                yield found
        finally:
            self.closed.set()


def durable(number: int) -> Frame:
    return frame("kept", {}, number)


def live(text: str, topic: str = "p") -> Frame:
    return frame("progress", {"text": text}, topic=topic)


async def numbers(frames: AsyncIterator[Frame]) -> list[int]:
    return [found.sequence async for found in frames]


async def test_however_many_watch_the_source_is_opened_once_and_all_hear_all():
    crowds, source = Crowds(), Source()
    crowd = [asyncio.create_task(numbers(crowds.watch("job", 0, source.open))) for _ in range(50)]
    source.say(durable(1), durable(2), END)
    assert await asyncio.gather(*crowd) == [[1, 2]] * 50
    assert source.opened == 1


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_who_comes_later_is_told_from_his_place_on(after):
    crowds, source = Crowds(), Source()
    async with aclosing(crowds.watch("job", 0, source.open)) as first:
        source.say(durable(1), durable(2))
        assert [(await anext(first)).sequence for _ in range(2)] == [1, 2]
        late = asyncio.create_task(numbers(crowds.watch("job", after, source.open)))
        await asyncio.sleep(0)
        source.say(durable(3), END)
        assert await late == list(range(after + 1, 4))
    assert source.opened == 1


async def test_a_place_that_is_still_to_come_is_waited_for():
    crowds, source = Crowds(), Source()
    source.say(durable(1), durable(2), durable(3), END)
    assert await numbers(crowds.watch("job", 2, source.open)) == [3]


async def test_who_is_slow_holds_nobody_up_and_misses_no_durable_frame():
    crowds, source = Crowds(), Source()
    async with aclosing(crowds.watch("job", 0, source.open)) as slow:
        source.say(durable(1))
        await anext(slow)
        quick = asyncio.create_task(numbers(crowds.watch("job", 0, source.open)))
        await asyncio.sleep(0)
        source.say(*(durable(number) for number in range(2, 500)), END)
        assert await quick == list(range(1, 500))
        assert await numbers(slow) == list(range(2, 500))


async def test_of_live_frames_the_newest_of_each_topic_is_told_and_none_from_before():
    crowds, source = Crowds(), Source()
    async with aclosing(crowds.watch("job", 0, source.open)) as first:
        source.say(live("before"))
        assert b"before" in (await anext(first)).text
        async with aclosing(crowds.watch("job", 0, source.open)) as second:
            told = asyncio.ensure_future(anext(second))
            await asyncio.sleep(0)
            source.say(durable(1))
            assert (await told).sequence == 1
            source.say(live("old"), live("new"), live("other", "q"), durable(2), END)
            assert await numbers(crowds.watch("job", 1, source.open)) == [0, 0, 2]
            texts = b"".join([found.text async for found in second])
    assert texts.count(b"progress") == 2
    assert b"new" in texts


async def test_of_large_live_frames_a_few_are_kept_for_the_slow():
    crowds, source = Crowds(), Source()
    async with aclosing(crowds.watch("job", 0, source.open)) as slow:
        source.say(durable(1))
        assert (await anext(slow)).sequence == 1
        previews = [live("x" * 20_000, f"preview {number}") for number in range(20)]
        source.say(live("small"), *previews, live("y" * 20_000, "preview 15"), durable(2), END)
        assert (await numbers(crowds.watch("job", 1, source.open)))[-1] == 2
        topics = [found.topic async for found in slow if not found.sequence]
    assert topics == ["p", *(f"preview {n}" for n in (12, 13, 14, 16, 17, 18, 19, 15))]


async def test_a_fault_reaches_everybody_and_the_next_one_asks_anew():
    crowds, source = Crowds(), Source()
    crowd = [asyncio.create_task(numbers(crowds.watch("job", 0, source.open))) for _ in range(3)]
    source.say(durable(1), Unavailable("SERVICE_UNAVAILABLE", "x"))
    for watcher in crowd:
        with pytest.raises(Unavailable):
            await watcher
    source.say(durable(1), END)
    assert await numbers(crowds.watch("job", 0, source.open)) == [1]
    assert source.opened == 2


async def test_who_is_still_at_a_crowd_that_broke_keeps_nobody_there():
    crowds, source = Crowds(), Source()
    slow = crowds.watch("job", 0, source.open)
    source.say(durable(1), Unavailable("SERVICE_UNAVAILABLE", "x"))
    await anext(slow)
    await source.closed.wait()
    await asyncio.sleep(0)
    async with aclosing(crowds.watch("job", 0, source.open)) as second:
        source.say(durable(1))
        await anext(second)
        await slow.aclose()
        third = asyncio.create_task(numbers(crowds.watch("job", 0, source.open)))
        source.say(durable(2), END)
        assert await third == [1, 2]
    assert source.opened == 2


async def test_the_source_is_left_with_the_last_watcher_and_not_before():
    crowds, source = Crowds(), Source()
    first = crowds.watch("job", 0, source.open)
    second = crowds.watch("job", 0, source.open)
    source.say(durable(1))
    await anext(first)
    await anext(second)
    await first.aclose()
    await asyncio.sleep(0)
    assert not source.closed.is_set()
    await second.aclose()
    await asyncio.wait_for(source.closed.wait(), 60)


async def test_what_one_may_see_is_not_shown_to_another():
    crowds, mine, theirs = Crowds(), Source(), Source()
    mine.say(durable(1), END)
    theirs.say(durable(1), durable(2), END)
    told = [numbers(crowds.watch("me", 0, mine.open)), numbers(crowds.watch("you", 0, theirs.open))]
    assert await asyncio.gather(*told) == [[1], [1, 2]]
