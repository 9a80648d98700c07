"""The vendors' bad days of a campaign: dealt by its seed, each in its turn."""

import asyncio
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from cli.chaos import weather
from cli.lab import Lab


def dealt(seed: int, lag: float, deals: int) -> list[dict[weather.Card, Any]]:
    """What is dealt where every card strikes at once."""
    deal = weather.Deal(seed, lag)
    found = [deal.next(())]
    while len(found) < deals:
        found.append(deal.next({card.name for card in found[-1]}))
    return found


def test_the_same_seed_is_the_same_weather():
    assert dealt(7, 2.0, 30) == dealt(7, 2.0, 30) != dealt(8, 2.0, 30)


@pytest.mark.parametrize("place", ["replicate create", "recraft create", "google create",
                                   "openai create", "cloudinary upload"])  # fmt: skip
def test_everybody_who_costs_loses_answers_hangs_fails_and_sends_away(place):
    kinds = {name.removeprefix(f"{place} ") for name in weather.KINDS if name.startswith(place)}
    assert kinds >= {"drop_before", "drop_after", "html", "hang", "status:500", "status:429"}


@pytest.mark.parametrize("place", weather.CARDS)
def test_every_fault_of_a_place_has_its_turn_before_one_comes_again(place):
    deck = weather.CARDS[place]
    seen = [
        [card for card in now if (card.vendor, card.where) == place and card != weather.LATE]
        for now in dealt(3, 2.0, 3 * len(deck))
    ]
    first, later = seen[: len(deck)], seen[len(deck) :]
    assert Counter(card for [card] in first) == Counter(deck)
    assert [len(cards) for cards in later] == [0, 1] * len(deck)  # a good time before each
    assert Counter(card for cards in later for card in cards) == Counter(deck)


def test_what_is_new_is_dealt_fast_so_that_a_short_campaign_has_met_all_of_it():
    """Every card within a third of a campaign of half a minute, where each strikes at once."""
    deal, seconds, met = weather.Deal(3, 2.0), 0.0, set[str]()
    while met != weather.KINDS:
        met.update(card.name for card in deal.next(met))
        seconds += deal.holds()
    assert seconds <= 10
    while deal.holds() < 1:  # the last ones are dealt once, too
        deal.next(met)
        seconds += deal.holds()
    assert seconds <= 12


def test_what_has_not_struck_stays_and_strikes_the_next_call_once():
    deal = weather.Deal(3, 2.0)
    first, second = deal.next(()), deal.next(())
    assert first.keys() == second.keys()
    for card in second.keys() - {weather.LATE}:
        assert ("rate" in second[card], second[card]["times"]) == (False, 1)
    assert deal.next({card.name for card in second}).keys() & second.keys() == {weather.LATE}


def test_what_has_had_its_turn_strikes_a_share_of_the_calls_however_long_it_stays():
    """Who is alone at the end of a campaign would meet it at every try."""
    deal = weather.Deal(3, 2.0)
    now = deal.next(())
    for _ in range(4 * max(map(len, weather.CARDS.values()))):
        now = deal.next({card.name for card in now})
    stays = [deal.next(()) for _ in range(5)]
    for card in stays[-1].keys() - {weather.LATE}:
        assert {faults[card]["rate"] for faults in stays} == {card.rate}


def test_what_never_strikes_stays_for_ever():
    deal = weather.Deal(3, 2.0)
    first = deal.next(())
    for _ in range(1100):
        last = deal.next(())
    assert last.keys() == first.keys()


async def test_faults_that_are_being_dealt_when_it_ends_end_with_it():
    """Else they would come when all had ended, and last."""
    begun, go_on, there = asyncio.Event(), threading.Event(), []
    loop, threads = asyncio.get_running_loop(), Counting()
    loop.set_default_executor(threads)

    def lab(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT" and request.url.path == "/_lab/faults":
            loop.call_soon_threadsafe(begun.set)
            assert go_on.wait(60)
            there[:] = [fault | {"struck": 0} for fault in json.loads(request.content)]
        elif request.method == "DELETE":
            there.clear()
        return httpx.Response(200, json=there)

    found = weather.Weather(Lab("http://lab", httpx.MockTransport(lab)), 3, 2.0, 0.3)
    running = asyncio.create_task(found.run())
    await begun.wait()
    running.cancel()
    await asyncio.wait((running,))
    before = threads.begun
    clearing = asyncio.create_task(found.clear())
    await asyncio.sleep(0)  # it begins
    assert threads.begun == before  # nothing is asked yet
    go_on.set()
    await clearing
    assert there == []


class Counting(ThreadPoolExecutor):
    """Counts what it was given to do."""

    begun = 0

    def submit(self, *what: Any, **how: Any) -> Any:
        self.begun += 1
        return super().submit(*what, **how)


def test_listings_are_late_all_the_time_and_by_no_more_than_is_asked_for():
    late = [now[weather.LATE] for now in dealt(3, 30.0, 200)]
    assert all("rate" not in fault and "times" not in fault for fault in late)  # of every call
    seconds = [float(fault["kind"].removeprefix("lag:")) for fault in late]
    assert 0 < min(seconds) < 2
    assert 28 < max(seconds) <= 30


def test_an_order_hangs_past_its_own_limit_and_past_nobodys_patience():
    late = {card for cards in weather.CARDS.values() for card in cards if "late" in card.kind}
    assert {card.vendor for card in late} == {"recraft", "google", "openai"}
    deals = dealt(5, 2.0, 100)
    hangs = [float(now[card]["kind"][5:]) for now in deals for card in late & now.keys()]
    assert min(hangs) > weather.LIMIT
