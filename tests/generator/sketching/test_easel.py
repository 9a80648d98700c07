"""The easel: honest progress, pacing without waiting workers, and children that never linger."""

import asyncio
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from services.generator.sketching.easel import DrawingError, Easel
from services.generator.sketching.render import MEDIA_TYPES, draw_rows
from services.generator.sketching.scene import compose
from services.generator.sketching.work import BANDS

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits on Linux's pidfd")
SCENE = compose("a lighthouse at dawn", 3, 96, 70, "sketch")
LARGE = compose("a city in the mist", 3, 1024, 1024, "sketch")


@pytest.fixture
async def easel():
    easel = Easel(children=1)
    yield easel
    await easel.close()


class Time:
    """A clock that only pauses move."""

    def __init__(self):
        self.now, self.pauses, self.looks = 100.0, [], 0

    def __call__(self):
        self.looks += 1
        return self.now

    async def pause(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


async def ended(*pids):
    """Return when none of these processes runs any more."""
    loop = asyncio.get_running_loop()
    for descriptor in [os.pidfd_open(pid) for pid in pids if Path(f"/proc/{pid}").exists()]:
        gone = asyncio.Event()
        loop.add_reader(descriptor, gone.set)
        await asyncio.wait_for(gone.wait(), 60)
        loop.remove_reader(descriptor)
        os.close(descriptor)


def pixels(file):
    with Image.open(io.BytesIO(file), formats=("PNG",)) as image:
        return image.tobytes()


def ignore(_share):
    pass


async def test_progress_is_rows_really_drawn_up_to_all_of_them(easel):
    heard = []
    file = await easel.draw(SCENE, "image/png", seconds=0, report=heard.append)
    assert heard == [band / BANDS for band in range(1, BANDS + 1)]
    assert pixels(file) == draw_rows(SCENE, 0, SCENE.height)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
async def test_every_media_type_comes_out(easel, media_type):
    file = await easel.draw(SCENE, media_type, seconds=0, report=ignore)
    with Image.open(io.BytesIO(file), formats=("PNG", "JPEG", "WEBP")) as image:
        assert image.get_format_mimetype() == media_type
        assert image.size == (SCENE.width, SCENE.height)


@pytest.mark.parametrize("keep", [0, 5000, 1 << 20])
async def test_a_paced_drawing_takes_its_time_and_is_the_same_picture(keep):
    time, heard = Time(), []
    easel = Easel(children=1, clock=time, keep=keep)
    file = await easel.draw(SCENE, "image/png", seconds=32, report=heard.append, pause=time.pause)
    assert time.now - 100 == pytest.approx(32)
    assert time.pauses == pytest.approx([2] * BANDS)
    assert heard == [band / BANDS for band in range(1, BANDS + 1)]
    assert pixels(file) == draw_rows(SCENE, 0, SCENE.height)
    assert easel._kept == 0
    await easel.close()


async def test_no_worker_is_held_while_a_drawing_waits(easel):
    waiting = asyncio.Event()

    async def pause(_seconds):
        waiting.set()
        await asyncio.Event().wait()

    slow = asyncio.create_task(
        easel.draw(SCENE, "image/png", seconds=60, report=ignore, pause=pause)
    )
    await waiting.wait()
    assert easel.pids == frozenset()  # it does not even need a process
    await easel.draw(SCENE, "image/png", seconds=0, report=ignore)
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert easel._pacing == easel._kept == 0


async def test_a_drawing_that_is_late_catches_up_in_one_go():
    time, heard = Time(), []
    easel = Easel(children=1, clock=time)

    async def oversleep(seconds):
        time.now += seconds * 5

    await easel.draw(SCENE, "image/png", seconds=16, report=heard.append, pause=oversleep)
    assert heard == [band / BANDS for band in range(1, BANDS + 1)]
    assert time.looks < BANDS  # it was not asked for every single band
    await easel.close()


async def test_a_killed_child_is_replaced_and_the_drawing_repeated(easel):
    heard, killed = [], []

    def report(share):
        heard.append(share)
        if len(heard) in (3, 9):
            killed.extend(easel.pids)
            os.kill(killed[-1], signal.SIGKILL)

    file = await easel.draw(LARGE, "image/jpeg", seconds=0, report=report)
    assert len(set(killed)) >= 2
    assert heard == sorted(set(heard))
    assert heard[-1] == 1.0
    assert file.startswith(b"\xff\xd8")


async def test_a_child_killed_at_rest_is_replaced(easel):
    first = await easel.draw(SCENE, "image/png", seconds=0, report=ignore)
    (pid,) = easel.pids
    os.kill(pid, signal.SIGKILL)
    assert await easel.draw(SCENE, "image/png", seconds=0, report=ignore) == first


async def test_a_picture_that_kills_every_child_is_given_up(easel):
    drawing = asyncio.create_task(easel.draw(LARGE, "image/png", seconds=0, report=ignore))
    killed = set()
    while not drawing.done():
        for pid in easel.pids - killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        await asyncio.sleep(0)
    with pytest.raises(DrawingError, match="memory"):
        await drawing
    assert len(killed) == 5


async def test_a_drawing_that_fails_says_why_and_leaves_the_child_alive(easel):
    with pytest.raises(DrawingError, match="image/gif"):
        await easel.draw(SCENE, "image/gif", seconds=0, report=ignore)
    before = easel.pids
    await easel.draw(SCENE, "image/png", seconds=0, report=ignore)
    assert easel.pids == before


async def test_cancelling_stops_the_child_at_once(easel):
    started = asyncio.Event()
    drawing = asyncio.create_task(
        easel.draw(LARGE, "image/png", seconds=0, report=lambda _share: started.set())
    )
    await started.wait()
    (pid,) = easel.pids
    drawing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drawing
    await ended(pid)
    await easel.draw(SCENE, "image/png", seconds=0, report=ignore)


async def test_an_idle_child_ends():
    easel = Easel(children=1, idle=0)
    await easel.draw(SCENE, "image/png", seconds=0, report=ignore)
    (pid,) = easel.pids
    await ended(pid)
    await asyncio.gather(*easel._ends)
    assert easel.pids == frozenset()
    await easel.draw(SCENE, "image/png", seconds=0, report=ignore)
    await easel.close()


async def test_many_drawings_share_the_children_that_there_are():
    easel = Easel(children=2)
    files = await asyncio.gather(
        *(easel.draw(SCENE, "image/png", seconds=0, report=ignore) for _ in range(6))
    )
    assert len(set(files)) == 1
    assert 1 <= len(easel.pids) <= 2
    await easel.close()


async def test_closing_ends_children_and_drawings():
    easel, started = Easel(children=1), asyncio.Event()
    drawing = asyncio.create_task(
        easel.draw(LARGE, "image/png", seconds=0, report=lambda _share: started.set())
    )
    await started.wait()
    pids = easel.pids
    await easel.close()
    with pytest.raises(RuntimeError, match="closed"):
        await drawing
    await ended(*pids)
    assert easel.pids == frozenset()
    with pytest.raises(RuntimeError, match="closed"):
        await easel.draw(SCENE, "image/png", seconds=0, report=ignore)


PARENT = """
import asyncio
from services.generator.sketching.easel import Easel
from services.generator.sketching.scene import compose
async def main():
    easel = Easel(children=2)
    def draw(side, report):
        scene = compose("x", 1, side, side, "sketch")
        return easel.draw(scene, "image/png", seconds=0, report=report)
    def report(share):
        print(*sorted(easel.pids), flush=True)
    await asyncio.gather(draw(64, lambda _: 0), draw(2048, report))
asyncio.run(main())
"""


async def test_no_child_outlives_a_parent_that_is_killed():
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    pids = {int(pid) for _ in range(4) for pid in (await parent.stdout.readline()).split()}
    parent.kill()
    await parent.wait()
    await ended(*pids)
    assert len(pids) == 2
    parent._transport.close()


async def test_a_child_holds_no_secret_and_no_part_of_the_service(easel, monkeypatch):
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8_secret")
    await easel.draw(SCENE, "image/png", seconds=0, report=ignore)
    (pid,) = easel.pids
    assert b"r8_secret" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert "grpc" not in Path(f"/proc/{pid}/maps").read_text()
