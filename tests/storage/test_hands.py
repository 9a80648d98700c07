"""Steps that block run in threads, to their end, and whoever waits hears how it went."""

import asyncio
import gc
import threading

import pytest

from services.storage.hands import Hands


@pytest.fixture
def hands():
    made = Hands(2, "hand")
    yield made
    made.close()


async def test_what_a_step_returns_or_raises_is_its_callers(hands):
    assert await hands.do(lambda: 7) == 7
    with pytest.raises(OSError, match="full"):
        await hands.do(lambda: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(SystemExit):
        await hands.do(lambda: (_ for _ in ()).throw(SystemExit))
    assert await hands.do(lambda: 8) == 8  # no thread was lost


async def test_so_many_run_side_by_side_and_no_more(hands):
    both, third = threading.Barrier(3), threading.Event()
    steps = [asyncio.create_task(hands.do(both.wait)) for _ in range(2)]
    waiting = asyncio.create_task(hands.do(third.set))
    await asyncio.sleep(0)
    assert not third.is_set()
    both.wait()
    await asyncio.gather(*steps, waiting)
    assert third.is_set()


async def test_a_thousand_steps_are_each_told(hands):
    assert await asyncio.gather(*(hands.do(lambda n=n: n) for n in range(1000))) == [*range(1000)]


async def test_whoever_is_cancelled_waits_for_its_step(hands):
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def step():
        begun.set()
        may_end.wait()
        ended.set()

    task = asyncio.create_task(hands.do(step))
    await hands.do(begun.wait)
    for _ in range(3):  # as often as somebody likes
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_one_that_was_cancelled_before_its_turn_is_still_done(hands):
    may_end, done = threading.Event(), threading.Event()
    busy = [asyncio.create_task(hands.do(may_end.wait)) for _ in range(2)]
    task = asyncio.create_task(hands.do(done.set))
    await asyncio.sleep(0)
    task.cancel()
    may_end.set()
    await asyncio.gather(*busy)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


async def test_the_end_waits_for_what_was_begun(hands):
    begun, closed = threading.Event(), threading.Event()

    def step():
        begun.set()
        return closed.wait(0.3)  # whoever does not wait for us is done by then

    def close():
        hands.close()
        closed.set()

    task = asyncio.create_task(hands.do(step))
    await asyncio.to_thread(begun.wait)
    await asyncio.to_thread(close)
    assert not await task


async def test_what_comes_after_the_end_is_refused_rather_than_awaited_for_ever(hands):
    begun, may_end = threading.Event(), threading.Event()

    def step():
        begun.set()
        may_end.wait()

    async def tidy_up():
        try:
            await hands.do(step)
        finally:
            await hands.do(begun.clear)

    task = asyncio.create_task(tidy_up())
    await asyncio.to_thread(begun.wait)
    task.cancel()
    closing = asyncio.create_task(asyncio.to_thread(hands.close))
    while not hands._closed:
        await asyncio.sleep(0)
    may_end.set()
    with pytest.raises(RuntimeError, match="after the end"):
        await asyncio.wait_for(task, 60)
    await closing
    assert begun.is_set()


async def test_a_thread_that_cannot_start_counts_as_none(hands):
    usual = threading.stack_size(1 << 62)  # bytes, which nobody has
    try:
        for _ in range(3):
            with pytest.raises(RuntimeError):
                await hands.do(threading.current_thread)
    finally:
        threading.stack_size(usual)
    one = await hands.do(threading.current_thread)
    assert await hands.do(threading.current_thread) is one
    assert [each for each in threading.enumerate() if each.name.startswith("hand_")] == [one]


def test_a_loop_that_is_gone_takes_no_thread_with_it():
    hands, may_end, ended = Hands(1, "hand"), threading.Event(), threading.Event()
    begun, tasks = threading.Event(), set()

    def step():
        begun.set()
        may_end.wait()

    async def leave():
        tasks.add(asyncio.create_task(hands.do(step)))
        await asyncio.to_thread(begun.wait)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    loop.close()
    may_end.set()
    asyncio.run(hands.do(ended.set))
    assert ended.is_set()
    hands.close()
    tasks.clear()


async def test_nobody_to_close_it_leaves_no_thread_behind():
    hands = Hands(1, "hand")
    [thread] = [await hands.do(threading.current_thread)]
    del hands
    gc.collect()
    await asyncio.to_thread(thread.join)
    assert not thread.is_alive()
