"""When Replicate's list was read, by Replicate's own clock: of the very list that was taken."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from services.generator.provider import Unclear
from tests.generator.scripted_wire import ASKED, ID, ORDER, Script, replicate, says
from tests.generator.test_replicate_lookup import AHEAD, OTHER, hooked, listed, page, undated


class Held:
    """A clock that goes on by some seconds whenever it is read."""

    def __init__(self, seconds: float) -> None:
        self.now, self.seconds = 0.0, seconds

    def __call__(self) -> float:
        self.now += self.seconds
        return self.now


def at(answer: httpx.Response, seconds: int) -> httpx.Response:
    """*answer*, given so many seconds after the script's usual date."""
    answer.headers["date"] = f"Sun, 22 Nov 2026 07:{10 + seconds // 60}:{seconds % 60:02} GMT"
    return answer


async def test_a_look_tells_when_its_list_was_begun_and_ended_by_their_clock():
    more = "https://r.test/v1/predictions?cursor=c1"
    script = Script(at(page(next=more), 20), at(page(), 90))
    looked = await replicate(script, wakeful=lambda: Held(7.0)).look_up(ORDER)
    assert looked.began == ASKED + timedelta(seconds=20 - 7)  # its answer was 7 s on its way
    assert looked.ended == ASKED + timedelta(seconds=90)


async def test_who_looks_further_back_tells_of_the_list_that_he_took():
    script = Script(at(page(), 20), at(page(), 40))
    looked = await replicate(script, wakeful=lambda: Held(0.0)).look_up(AHEAD)
    assert looked.began == looked.ended == ASKED + timedelta(seconds=40)


async def test_who_is_slow_about_the_first_page_tells_of_no_later_one():
    """Others' answers, and later pages, come while a page waits to be looked at."""
    script = Script(at(page(listed(**hooked(OTHER)), next="https://r.test/2"), 20), at(page(), 50))
    provider = replicate(script, wakeful=lambda: Held(0.0))
    looked, _ = await asyncio.gather(provider.look_up(ORDER), provider.look_up(ORDER))
    assert looked.began == ASKED + timedelta(seconds=20)


@pytest.mark.parametrize("first", [True, False])
async def test_of_a_page_without_a_date_nothing_is_told(first):
    more = "https://r.test/v1/predictions?cursor=c1"
    pages = [page(next=more), page(listed(**hooked(ID)))]
    undated(pages[0 if first else 1])
    looked = await replicate(Script(*pages)).look_up(ORDER)
    assert (looked.began is None, looked.ended is None) == (first, not first)


async def test_a_date_that_nothing_can_be_added_to_is_none():
    answer = page(listed(**hooked(ID)))
    answer.headers["date"] = "Fri, 31 Dec 9999 23:59:59 -0100"
    looked = await replicate(Script(answer)).look_up(ORDER)
    assert (looked.began, looked.ended) == (None, None)


async def test_a_gateways_page_of_an_error_tells_no_date():
    script = Script(says(502), page())
    provider = replicate(script)
    with pytest.raises(Unclear):
        await provider.look_up(ORDER)
    assert provider._dates.now() is None
