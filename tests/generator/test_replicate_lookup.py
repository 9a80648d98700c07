"""Whether Replicate took an order whose answer was lost: never "no" on a guess."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.generator.provider import Sold, Ticket, Unclear
from services.generator.providers import replicate as adapter
from tests.generator.scripted_wire import ASKED, ID, INPUTS, ORDER, SLUG, Script, replicate, says

OTHER = ID.replace("1", "2")


def hooked(purchase_id):
    return {"webhook": f"https://s.test/webhooks/replicate?purchase_id={purchase_id}"}


def listed(reference="p1", **changed):
    found = {"id": reference, "model": SLUG, "input": dict(INPUTS), "status": "succeeded",
             "created_at": "2026-11-22T07:00:00Z"}  # fmt: skip
    return found | changed


def page(*found, next=None):  # noqa: A002
    return says(results=list(found), next=next, previous=None)


async def looked_up(*answers):
    script = Script(*answers)
    return (await replicate(script).look_up(ORDER)).tickets, script


async def test_it_asks_for_all_since_a_while_before_it_was_planned():
    found, script = await looked_up(page())
    assert found == []
    assert str(script.requests[0].url) == (
        "https://r.test/v1/predictions?created_after=2023-06-28T03:10:47Z"
    )


@pytest.mark.parametrize(
    "one",
    [
        listed(**hooked(ID)),
        listed(**hooked(ID), input={}, data_removed=True),  # the hook says it still
        listed(**hooked(ID), model="who/else"),
        listed(),
        listed(input=INPUTS | {"output_quality": 80}),  # what the provider filled in
        listed(input=INPUTS | {"seed": 7.0}),
        listed(source="api"),
        listed(webhook="https://elsewhere.test/hook"),
        listed(webhook=7),
    ],
    ids=repr,
)
async def test_what_was_bought_is_found(one):
    found, _ = await looked_up(page(listed("p0", input=INPUTS | {"seed": 8}), one))
    assert found == [Ticket("p1")]


@pytest.mark.parametrize(
    "one",
    [
        listed(**hooked(OTHER)),  # the same picture, another's purchase
        listed(**hooked(OTHER), input={}, data_removed=True),
        listed(model="who/else"),
        listed(model="who/else", input={}, data_removed=True),
        listed(input=INPUTS | {"seed": 8}),
        listed(input=INPUTS | {"prompt": "a harbour"}),
        listed(source="web"),  # somebody's own, on their pages
        listed(created_at="2023-06-28T03:10:00Z"),  # before it was planned
        listed(input={}, data_removed=True, created_at="2023-06-28T03:10:00Z"),
    ],
    ids=repr,
)
async def test_what_is_anothers_is_not_taken(one):
    found, _ = await looked_up(page(one))
    assert found == []


@pytest.mark.parametrize(
    "one",
    [
        listed(input={}, data_removed=True),
        listed(input={}),
        listed(input=None),
        listed(data_removed=True),
        listed(model=None),
        listed(input={"prompt": INPUTS["prompt"]}),  # where is the seed?
        listed(input=INPUTS | {"seed": "7"}),
        listed(input=INPUTS | {"prompt": "a\u00a0lighthouse \n"}),  # it may have tidied it up
        listed(input=INPUTS | {"prompt": None}),
    ],
    ids=repr,
)
async def test_what_cannot_be_excluded_is_unclear_and_never_absent(one):
    with pytest.raises(Unclear):
        await looked_up(page(one))


async def test_an_input_that_the_provider_may_have_changed_proves_nothing():
    order = replace(ORDER, inputs=INPUTS | {"output_quality": 100})
    script = Script(page(listed(input=INPUTS | {"output_quality": 95})))
    with pytest.raises(Unclear):
        await replicate(script).look_up(order)


async def test_what_was_created_before_the_order_left_is_anothers():
    sent = datetime(2026, 11, 22, 7, 5, 1, tzinfo=UTC)
    script = Script(page(listed(created_at="2026-11-22T07:00:00Z")))
    assert (await replicate(script).look_up(replace(ORDER, sent=sent))).tickets == []
    assert script.requests[0].url.params["created_after"] == "2026-11-22T07:00:01Z"


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (listed(**hooked(ID)), [Ticket("p1")]),
        (listed(**hooked(OTHER)), []),
        (listed(source="web"), []),
        (listed(input=INPUTS | {"prompt": "a harbour"}), None),
        (listed(model="who/else"), None),
        (listed(), None),
    ],
    ids=repr,
)
async def test_of_what_another_release_sent_the_name_alone_tells(one, expected):
    provider = replicate(Script(page(one)))
    order = replace(ORDER, as_planned=False)
    if expected is None:
        with pytest.raises(Unclear):
            await provider.look_up(order)
    else:
        assert (await provider.look_up(order)).tickets == expected


async def test_what_is_found_counts_whatever_else_cannot_be_told():
    found, _ = await looked_up(page(listed("p0", input={}, data_removed=True), listed()))
    assert found == [Ticket("p1")]
    assert found[0].unsure  # where an equal order has it, that is no proof


@pytest.mark.parametrize("named", [{}, hooked(ID)], ids=["alike", "named"])
async def test_all_that_match_are_told_the_oldest_first(named):
    found, _ = await looked_up(page(listed("p2", **named), listed("p1", **named)))
    assert found == [Ticket("p1"), Ticket("p2")]
    assert [(each.alike, each.unsure) for each in found] == [(not named, False)] * 2


async def test_where_one_bears_our_name_those_without_are_not_ours():
    found, _ = await looked_up(page(listed("p2"), listed("p1", **hooked(ID)), listed("p0")))
    assert (found, found[0].alike) == ([Ticket("p1")], False)


async def test_every_page_is_read():
    more = "https://r.test/v1/predictions?cursor=c1"
    found, script = await looked_up(
        page(listed("p3", **hooked(OTHER)), next=more), page(listed("p1", **hooked(ID)))
    )
    assert found == [Ticket("p1")]
    assert str(script.requests[1].url) == more


async def test_a_page_that_is_older_than_the_order_is_the_last_to_be_read():
    old = listed("p0", input={}, data_removed=True, created_at="2023-06-28T03:00:00Z")
    young = old | {"id": "p1", "created_at": "2026-11-22T07:00:00Z"}
    with pytest.raises(Unclear):  # its own page still counts
        await looked_up(page(young, old, next="https://r.test/2"), page(old, next=None))
    _, script = await looked_up(
        page(old | {"model": "who/else"}, next="https://r.test/v1/predictions?cursor=2")
    )
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    "answers",
    [
        [says(500)],
        [says(429, retry_after=3)],
        [httpx.ReadError("cut")],
        [httpx.ConnectError("refused")],
        [says(results=[])],  # does it go on?
        [says(next=None)],
        [says(results=["p1"], next=None)],
        [page(next="https://r.test/2"), says(502)],
        [page(next="http://[x]")],
        [httpx.Response(200, text="<html>")],
        [page(listed(None, **hooked(ID)))],
    ],
    ids=repr,
)
async def test_a_listing_that_is_not_whole_is_unclear(answers):
    script = Script(*answers)
    with pytest.raises(Unclear):
        await replicate(script).look_up(ORDER)
    assert not script.lines


@pytest.mark.parametrize(
    "elsewhere", ["https://elsewhere.test/x", "http://r.test/x", "https://r.test:444/x"]
)
async def test_the_token_follows_no_page_to_another_place(elsewhere):
    script = Script(page(next=elsewhere), page())
    with pytest.raises(Unclear):
        await replicate(script).look_up(ORDER)
    assert len(script.asked) == 1


async def test_a_listing_without_an_end_is_unclear():
    again = page(next="https://r.test/v1/predictions?cursor=same")
    with pytest.raises(Unclear, match=f"more than {adapter._MOST_PAGES} pages"):
        await looked_up(*[again] * (adapter._MOST_PAGES + 1))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (says(**listed(**hooked(ID))), True),
        (says(**listed(**hooked(OTHER))), False),
        (says(**listed()), True),
        (says(404), False),
    ],
    ids=repr,
)
async def test_a_ticket_is_recognized_by_what_replicate_says_of_it(answer, expected):
    assert await replicate(Script(answer)).recognize(ORDER, Ticket("p1")) is expected


@pytest.mark.parametrize(
    "answer", [says(500), says(**listed(input={}, data_removed=True)), says(401)], ids=repr
)
async def test_a_ticket_that_tells_nothing_is_unclear(answer):
    with pytest.raises(Unclear):
        await replicate(Script(answer)).recognize(ORDER, Ticket("p1"))


async def test_all_who_look_together_share_one_listing():
    others = [replace(ORDER, purchase_id=ID[:-1] + digit) for digit in "234"]
    script = Script(
        page(listed("p1", **hooked(ID)), listed("p2", **hooked(others[0].purchase_id)),
             next="https://r.test/v1/next"),
        page(listed("p3", **hooked(others[1].purchase_id))),
    )  # fmt: skip
    provider = replicate(script)
    found = await asyncio.gather(*(provider.look_up(each) for each in (ORDER, *others)))
    assert [each.tickets for each in found] == [
        *([Ticket("p1")], [Ticket("p2")], [Ticket("p3")], []),
    ]
    assert len(script.asked) == 2


async def test_a_listing_that_breaks_off_is_unclear_to_all_who_share_it():
    script = Script(says(500))
    provider = replicate(script)
    looks = [provider.look_up(ORDER) for _ in range(3)]
    found = await asyncio.gather(*looks, return_exceptions=True)
    assert [type(each) for each in found] == [Unclear] * 3


async def test_what_is_illegible_to_one_is_nothing_to_the_others():
    other = replace(ORDER, purchase_id=ID[:-1] + "2")
    bad = listed(None, **hooked(other.purchase_id))
    provider = replicate(Script(page(bad, listed("p1", **hooked(ID)))))
    looks = [provider.look_up(each) for each in (other, ORDER)]
    broken, whole = await asyncio.gather(*looks, return_exceptions=True)
    assert isinstance(broken, Unclear)
    assert whole.tickets == [Ticket("p1")]


async def test_who_leaves_a_listing_takes_it_from_nobody():
    provider = replicate(Script(page(listed("p1", **hooked(ID)))))
    looks = [asyncio.create_task(provider.look_up(ORDER)) for _ in range(3)]
    await asyncio.sleep(0)
    looks[1].cancel()
    assert (await looks[2]).tickets == [Ticket("p1")]


# -- Whose clock is right

AHEAD = replace(ORDER, sent=ASKED + timedelta(minutes=8), asked=ASKED + timedelta(minutes=10))


@pytest.mark.parametrize("named", [{}, hooked(ID)], ids=["alike", "named"])
async def test_an_order_is_found_though_our_clock_is_minutes_ahead(named):
    """It left at 07:08 of their time, which to us was 07:18."""
    bought = listed(created_at="2026-11-22T07:08:01Z", **named)
    script = Script(page(), page(bought, listed("p0", created_at="2026-11-22T07:02:30Z")))
    assert (await replicate(script).look_up(AHEAD)).tickets == [Ticket("p1")]
    first, second = (asked.url.params["created_after"] for asked in script.requests)
    assert first == "2026-11-22T07:13:00Z"
    assert "2026-11-22T07:02:30Z" < second <= "2026-11-22T07:03:00Z"  # as long as it took


async def test_what_a_second_look_shows_of_the_time_before_is_nobodys():
    script = Script(page(), page())
    assert (await replicate(script).look_up(AHEAD)).tickets == []
    assert len(script.asked) == 2


async def test_a_clock_that_is_behind_theirs_begins_early_enough():
    behind = replace(ORDER, sent=ASKED - timedelta(minutes=12), asked=ASKED - timedelta(minutes=10))
    script = Script(page())
    assert (await replicate(script).look_up(behind)).tickets == []
    assert len(script.asked) == 1


def undated(answer: httpx.Response) -> httpx.Response:
    del answer.headers["date"]
    return answer


@pytest.mark.parametrize("order", [ORDER, replace(ORDER, asked=None)], ids=["no date", "no time"])
async def test_where_no_clock_tells_nothing_is_absent(order):
    def answer(*found):
        return page(*found) if order.asked is None else undated(page(*found))

    with pytest.raises(Unclear, match="no date"):
        await replicate(Script(answer())).look_up(order)
    [found] = (await replicate(Script(answer(listed()))).look_up(order)).tickets
    assert (found.alike, found.unsure) == (
        True,
        True,
    )  # an equal order may hold it, and ours be older
    [found] = (await replicate(Script(answer(listed(**hooked(ID))))).look_up(order)).tickets
    assert not found.unsure


# -- How far back a look goes


class Gated(Script):
    """Holds back what a listing shows until *goes_on*, but of a recent order's."""

    def __init__(self, *lines: httpx.Response) -> None:
        super().__init__(*lines)
        self.held, self.goes_on = asyncio.Event(), asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.params["created_after"] < "2026-11-22T06:00:00Z":
            self.held.set()
            await self.goes_on.wait()
        return await super().handle_async_request(request)


async def test_the_long_listing_of_an_old_order_keeps_nobody_waiting():
    script = Gated(page(listed("p1", **hooked(ID))), page())
    provider = replicate(script)
    old = asyncio.create_task(provider.look_up(replace(ORDER, sent=ASKED - timedelta(hours=20))))
    await asyncio.wait_for(script.held.wait(), 60)
    young = provider.look_up(replace(ORDER, sent=ASKED))
    assert (await asyncio.wait_for(young, 60)).tickets == [Ticket("p1")]
    script.goes_on.set()
    assert (await old).tickets == []


# -- All that was sold

HOOK = httpx.URL("https://s.test/webhooks/replicate")


async def sold(*answers):
    script = Script(*answers)
    since, until = (datetime(2026, 11, 22, hour, 0, tzinfo=UTC) for hour in (6, 7))
    return [one async for one in replicate(script, hook=HOOK).sold(since, until)], script


async def test_of_all_that_was_sold_those_are_told_that_asked_for_a_webhook():
    elsewhere = {"webhook": f"https://old.test/webhooks/replicate?purchase_id={ID}"}
    found, script = await sold(
        page(
            listed("p1", **hooked(ID)),
            listed("p2", **elsewhere),
            listed("p3", webhook=f"{HOOK}?purchase_id=%00"),
            listed("p4", webhook=f"{HOOK}"),
            listed("p5", webhook="https://else.test/hook?purchase_id=7"),
            listed("p6", webhook=7),
            listed("p7"),
            next="https://r.test/v1/predictions?cursor=c1",
        ),
        page(listed("p8", **hooked(ID.upper()))),
    )
    assert found == [
        Sold(reference="p1", purchase_id=ID, ours=True),
        Sold(reference="p2", purchase_id=ID, ours=False),
        Sold(reference="p3", purchase_id="", ours=True),
        Sold(reference="p4", purchase_id="", ours=True),
        Sold(reference="p8", purchase_id=ID, ours=True),
    ]
    asked = script.requests[0].url.params
    assert asked["created_after"] == "2026-11-22T06:00:00Z"
    assert asked["created_before"] == "2026-11-22T07:00:01Z"


@pytest.mark.parametrize("answer", [says(500), says(429, retry_after=3), says(results=[])])
async def test_a_list_of_what_was_sold_is_whole_or_unclear(answer):
    with pytest.raises(Unclear):
        await sold(page(listed(**hooked(ID)), next="https://r.test/2"), answer)
