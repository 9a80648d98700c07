"""One block, over and over: nothing of it is lost, and the other side waits for us."""

import asyncio
import tracemalloc

import pytest

from services.storage.wire import BLOCK, TooSlow, Wire


class Line(asyncio.Transport):
    """What the loop would do; it says whether it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.reads, self.aborted = True, False

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


@pytest.fixture
def line():
    return Line()


@pytest.fixture
def wire(line):
    made = Wire()
    made.connection_made(line)
    return made


def bring(wire, content: bytes) -> None:
    """As the loop does it."""
    while content:
        into = wire.get_buffer(-1)
        assert len(into) > 0
        count = min(len(into), len(content))
        into[:count] = content[:count]
        wire.buffer_updated(count)
        content = content[count:]


async def test_who_brings_more_than_a_block_waits_until_it_is_taken(wire, line):
    first, second = b"a" * BLOCK, b"b" * BLOCK
    for content in (first, second):
        bring(wire, content)
        assert not line.reads
        assert bytes(await wire.read()) == content
        assert line.reads


async def test_who_hangs_up_gives_the_block_back_at_once(line):
    tracemalloc.start()
    try:
        wire = Wire()
        wire.connection_made(line)
        while_open = tracemalloc.get_traced_memory()[0]
        wire.close()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert line.aborted
    assert while_open - after > BLOCK - 10_000


async def test_what_comes_in_drops_is_read_in_order(wire):
    reading = asyncio.create_task(wire.read())
    await asyncio.sleep(0)
    bring(wire, b"one")
    assert bytes(await reading) == b"one"
    bring(wire, b"two")
    bring(wire, b"three")
    assert bytes(await wire.read()) == b"twothree"
    wire.eof_received()
    wire.connection_lost(None)
    assert bytes(await wire.read()) == b""


async def test_who_waits_for_more_gets_it_in_one_piece_or_what_there_is_at_the_end(wire):
    reading = asyncio.create_task(wire.read(6))
    for piece in (b"one", b"two"):
        await asyncio.sleep(0)
        assert not reading.done()
        bring(wire, piece)
    assert bytes(await reading) == b"onetwo"
    reading = asyncio.create_task(wire.read(6))
    bring(wire, b"three")
    wire.eof_received()
    assert bytes(await reading) == b"three"
    assert bytes(await wire.read(6)) == b""


async def test_a_break_is_told_after_what_came_before_it(wire):
    bring(wire, b"one")
    wire.connection_lost(ConnectionResetError("reset"))
    assert bytes(await wire.read()) == b"one"
    with pytest.raises(ConnectionResetError):
        await wire.read()


async def test_who_waits_hears_of_a_break(wire):
    reading = asyncio.create_task(wire.read())
    await asyncio.sleep(0)
    wire.connection_lost(ConnectionResetError("reset"))
    with pytest.raises(ConnectionResetError):
        await reading


async def pass_window(wire: Wire) -> None:
    """End the window that runs, punctually; another one begins."""
    await asyncio.sleep(0)
    wire._window.cancel()
    wire._look(asyncio.get_running_loop().time())
    await asyncio.sleep(0)


async def test_a_byte_counts_once_although_it_comes_and_is_read(wire):
    wire.keep_up(60.0, 1000)
    for piece in (b"a" * 300, b"b" * 300):
        bring(wire, piece)
        assert bytes(await wire.read()) == piece
    reading = asyncio.create_task(wire.read())
    await pass_window(wire)
    assert isinstance(reading.exception(), TooSlow)


@pytest.mark.parametrize("later", [0, 1])
async def test_who_was_held_up_by_us_is_judged_by_a_window_of_its_own(wire, later):
    wire.keep_up(60.0, 1000)
    bring(wire, bytes(BLOCK - later))
    await pass_window(wire)  # nobody reads
    bring(wire, bytes(later))
    await wire.read()
    reading = asyncio.create_task(wire.read())
    await pass_window(wire)  # in it the block was full
    assert not reading.done()
    await pass_window(wire)
    assert isinstance(reading.exception(), TooSlow)


async def test_who_brings_less_than_is_usual_goes_on_and_it_is_told(wire):
    told = []
    wire.keep_up(60.0, 1000, 4000, lambda: told.append(len(told)))
    for size, times in ((4000, 0), (3999, 1), (4000, 1), (1000, 2)):
        reading = asyncio.create_task(wire.read(BLOCK))
        await asyncio.sleep(0)
        bring(wire, bytes(size))
        await pass_window(wire)
        assert len(told) == times
        reading.cancel()
    wire.close()


async def test_nothing_is_read_after_its_time_whatever_has_come_by_then(wire, line):
    reading = asyncio.create_task(wire.read(6))
    bring(wire, b"one")
    wire.end_at(asyncio.get_running_loop().time())
    with pytest.raises(TimeoutError):
        await reading
    assert line.aborted
