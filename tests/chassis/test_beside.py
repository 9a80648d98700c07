"""What goes on beside all else outlives whoever starts it, and an end waits for it."""

import asyncio

from chassis.beside import Beside


async def test_it_goes_on_when_its_starter_has_left():
    beside, go, done = Beside(), asyncio.Event(), asyncio.Event()

    async def work():
        await go.wait()
        done.set()

    async def starter():
        await asyncio.shield(beside.start(work()))

    left = asyncio.create_task(starter())
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    go.set()
    await beside.close(20)
    assert done.is_set()


async def test_an_end_waits_no_longer_than_it_is_told_and_for_each_to_let_go():
    beside, let_go = Beside(), []

    async def work(number):
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            let_go.append(number)

    for number in range(3):
        beside.start(work(number))
    await beside.close(0.01)
    assert sorted(let_go) == [0, 1, 2]


async def test_what_is_waited_for_has_its_own_followers_too():
    beside, done = Beside(), []

    async def first():
        await asyncio.sleep(0)
        beside.start(second())

    async def second():
        await asyncio.sleep(0)
        done.append("second")

    beside.start(first())
    await beside.ended()
    assert done == ["second"]
    await beside.close()


async def test_one_that_fails_hinders_no_other():
    beside = Beside()

    async def broken():
        raise RuntimeError("a defect")

    failing = beside.start(broken())
    await beside.close(20)
    assert isinstance(failing.exception(), RuntimeError)
