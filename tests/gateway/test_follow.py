"""A job is followed to its end, gap-free and without repetition, whatever dies on the way."""

import asyncio
from contextlib import aclosing

import pytest

from chassis.errors import Exhausted, Invalid, Missing, Unavailable
from gateway import follow
from gateway.services import Services
from imagestudio.generator.v1.generator_service_pb2 import (
    GenerateImagesRequest,
    StartGenerationRequest,
)
from tests.gateway.scripted import CUT, HANG, Scripted, event, settings
from tests.ports import free_port

END = event(4, kind="completed")
ASKED = GenerateImagesRequest(request_id="0190")


@pytest.fixture
def fed(stage):
    async def play(script: Scripted, count: int, after: int = 0) -> list[int]:
        """The first *count* numbers that a feed brings."""
        services = await stage.play(script)
        async with aclosing(follow.feed(services, after)) as events:
            return [(await anext(events)).sequence for _ in range(count)]

    return play


@pytest.fixture
def played(stage):
    async def play(script: Scripted, *, watch_after: int | None = None) -> list[int]:
        services = await stage.play(script)
        if watch_after is None:
            events = follow.generate(services, ASKED)
        else:
            events = follow.watch(services, "jobs/7", watch_after)
        return [found.sequence async for found in events]

    return play


async def test_a_stream_that_is_cut_is_taken_up_after_the_last_event(played):
    script = Scripted([event(1), event(2), CUT], [CUT], [event(3), END])

    assert await played(script) == [1, 2, 3, 4]

    assert [getattr(one, "after_sequence", None) for one in script.asked] == [None, 2, 2]


async def test_a_request_that_was_cut_before_its_first_event_is_sent_again_as_the_same(played):
    script = Scripted([CUT], [CUT], [event(1), END])
    script.lines[-1].insert(1, event(2))
    script.lines[-1].insert(2, event(3))

    assert await played(script) == [1, 2, 3, 4]

    assert [one.request_id for one in script.asked] == ["0190"] * 3


async def test_what_comes_twice_is_told_once_and_a_gap_is_read_again(played):
    script = Scripted([event(1), event(1), event(3)], [event(2), event(3), END])

    assert await played(script) == [1, 2, 3, 4]

    assert script.asked[1].after_sequence == 1


async def test_events_in_one_message_are_told_each(played):
    script = Scripted([[event(1), event(2)], event(3), CUT], [END])
    assert await played(script) == [1, 2, 3, 4]


async def test_live_messages_pass_and_move_nothing(played):
    live = event(0, kind="progress")
    script = Scripted([live, event(3), live, CUT], [live, END])
    assert await played(script, watch_after=2) == [0, 3, 0, 0, 4]
    assert script.asked[1].after_sequence == 3


async def test_nothing_comes_after_the_end(played):
    assert await played(Scripted([END, event(0, kind="progress"), CUT]), watch_after=3) == [4]


@pytest.mark.parametrize(
    "fault", [Missing("RESOURCE_UNKNOWN", "x"), Exhausted("SPEND_CAP_EXCEEDED", "x")]
)
async def test_a_no_is_a_no(fault, played):
    script = Scripted([fault], [event(1)])
    with pytest.raises(type(fault)):
        await played(script)
    assert len(script.asked) == 1


async def test_whoever_leaves_ends_the_call_and_nothing_else(stage):
    script = Scripted([event(1), HANG])
    services = await stage.play(script)
    first, events = await follow.opened(follow.generate(services, ASKED))
    assert first.sequence == (await anext(events)).sequence == 1
    await events.aclose()
    await asyncio.wait_for(script.left.wait(), 60)


async def test_a_stream_without_a_first_event_is_a_service_that_does_not_answer(stage):
    services = await stage.play(Scripted([]))
    with pytest.raises(Unavailable):
        await follow.opened(follow.generate(services, ASKED))


async def test_a_feed_goes_on_after_jobs_that_completed_and_after_cuts(fed):
    beat = event(0, kind="heartbeat")
    end = [event(number, kind="completed") for number in range(5)]
    script = Scripted(
        [beat, end[1], end[2], CUT], [CUT], [beat, end[2], end[4]], [beat, end[3], end[4], HANG]
    )
    assert await fed(script, 7) == [0, 1, 2, 0, 0, 3, 4]
    assert [one.after_sequence for one in script.asked] == [0, 2, 2, 2]


async def test_a_feed_that_ends_by_itself_is_over(fed):
    with pytest.raises(StopAsyncIteration):
        await fed(Scripted([event(3)]), 2, after=2)


async def test_a_number_that_no_feed_has_is_refused_at_once(stage):
    script = Scripted([Invalid("REQUEST_INVALID", "x")])
    services = await stage.play(script)
    with pytest.raises(Invalid):
        await follow.opened(follow.feed(services, 7))


async def test_a_call_that_was_cut_is_made_again_with_the_same_request(stage):
    script = Scripted([CUT], [CUT], [])
    services = await stage.play(script)
    await services.generator.ask("StartGeneration", StartGenerationRequest(request_id="0190"))
    assert [one.request_id for one in script.asked] == ["0190"] * 3


async def test_a_service_that_stays_away_is_told_so(stage):
    script = Scripted([CUT], [CUT], [CUT], [CUT])
    services = await stage.play(script)
    with pytest.raises(Unavailable, match="try again"):
        await services.generator.ask("StartGeneration", StartGenerationRequest())
    assert not script.lines


async def test_who_is_missing_is_named(stage):
    services = await stage.play(Scripted())
    assert await services.problems() == {"catalog": "", "storage": "", "generator": ""}

    await stage.close()

    services = Services(settings(free_port()))
    assert set((await services.problems()).values()) == {"does not answer"}
    await services.close()
