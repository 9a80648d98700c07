"""Replicate: what has succeeded and shows no output may show it late, or never."""

import pytest

from tests.generator.scripted_wire import Script, replicate, says
from tests.generator.test_replicate import DONE, GONE, told

JUST_DONE = DONE | {"completed_at": "2026-11-22T07:09:59.123Z"}


@pytest.mark.parametrize("output", [None, [], ""])
async def test_an_output_that_is_shown_late_is_waited_for(output):
    late = [says(**JUST_DONE | {"output": output})] * 3
    script = Script(*late, says(**DONE))
    [drawn] = await told(replicate(script))
    assert [link.url for link in drawn.images] == DONE["output"]
    assert script.pauses == [("p1", 1.0), ("p1", 2.0), ("p1", 4.0)]


async def test_an_output_that_is_never_shown_is_waited_for_half_a_minute():
    script = Script(*[says(**JUST_DONE | {"output": None})] * 6)
    assert await told(replicate(script)) == [GONE]
    assert sum(seconds for _, seconds in script.pauses) == 30


async def test_an_output_that_was_not_shown_in_time_is_not_waited_for_again():
    """Whoever takes over from the dead would wait anew each time, and never be through."""
    script = Script(says(**DONE | {"output": None}))  # ten minutes after its end
    assert await told(replicate(script)) == [GONE]
    assert script.pauses == []


async def test_for_an_output_that_was_removed_nobody_waits():
    script = Script(says(**DONE | {"output": None, "data_removed": True}))
    assert await told(replicate(script)) == [GONE]
