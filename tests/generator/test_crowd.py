"""Many predictions looked at together: one listing for all, and the end asked for itself."""

import asyncio

import pytest

from services.generator.provider import Drawn, Ticket, Unclear
from services.generator.providers.crowd import Crowd
from tests.generator.scripted_wire import SLUG, Script, replicate, says


def drawing(reference, status="processing"):
    return {"id": reference, "model": SLUG, "status": status}


class Listing:
    """Pages that are read, and how many were."""

    def __init__(self, *pages, error=None) -> None:
        self.pages, self.error, self.read = pages, error, 0

    async def __call__(self):
        for page in self.pages:
            self.read += 1
            yield page
        if self.error:
            raise self.error


def small():
    return Crowd(alone=2, gather=0.001, per_page=0.0)


@pytest.fixture
def crowd():
    found = small()
    found._followed.update("abc")
    return found


async def ask(crowd, references, listing):
    return await asyncio.gather(*(crowd.told_of(each, listing) for each in references))


async def test_one_listing_serves_all_who_wait(crowd):
    listing = Listing([drawing(each) for each in "abc"])
    told = await ask(crowd, "abc", listing)
    assert [each["id"] for each in told] == ["a", "b", "c"]
    assert listing.read == 1


async def test_few_are_not_worth_a_listing():
    listing, few = Listing([]), small()
    with few.with_one_more("a"), few.with_one_more("b"):
        assert await few.told_of("a", listing) is None
    assert listing.read == 0


async def test_only_what_is_still_drawn_is_believed(crowd):
    listing = Listing([drawing("a"), drawing("b", "succeeded")])
    assert await ask(crowd, "abc", listing) == [drawing("a"), None, None]


async def test_pages_are_read_until_all_are_covered(crowd):
    listing = Listing([drawing("c")], [drawing("b")], [drawing("a")])
    assert await ask(crowd, "bc", listing) == [drawing("b"), drawing("c")]
    assert listing.read == 2


async def test_what_is_not_listed_does_not_make_it_read_for_ever(crowd):
    listing = Listing(*[[drawing("x")]] * 50)
    assert await ask(crowd, "ab", listing) == [None, None]
    assert listing.read == 2


async def test_who_comes_while_it_is_read_waits_for_the_next(crowd):
    going, go = asyncio.Event(), asyncio.Event()
    reads = []

    async def pages():
        reads.append(sorted(reads))
        going.set()
        await go.wait()
        yield [drawing("a"), drawing("b")]

    first = asyncio.create_task(crowd.told_of("a", pages))
    await going.wait()
    second = asyncio.create_task(crowd.told_of("b", pages))
    go.set()
    assert await asyncio.gather(first, second) == [drawing("a"), drawing("b")]
    assert len(reads) == 2


async def test_one_who_is_stopped_takes_nothing_from_the_others(crowd):
    listing = Listing([drawing("a"), drawing("b")])
    stopped = asyncio.create_task(crowd.told_of("a", listing))
    other = asyncio.create_task(crowd.told_of("b", listing))
    await asyncio.sleep(0)
    stopped.cancel()
    assert await other == drawing("b")


async def test_a_listing_that_fails_is_unclear_to_all(crowd):
    listing = Listing(error=Unclear("500"))
    told = await asyncio.gather(
        *(crowd.told_of(each, listing) for each in "ab"), return_exceptions=True
    )
    assert [type(each) for each in told] == [Unclear, Unclear]


class Desk(Script):
    """Everything is done when it was asked often enough; counts what is asked."""

    def __init__(self, *, until_done: int, by: str) -> None:
        super().__init__()
        self.left, self.by, self.asked_for = until_done, by, {"look": 0, "list": 0}
        self.has_list = True

    async def handle_async_request(self, request):
        what = "list" if request.url.path.endswith("/predictions") else "look"
        self.asked_for[what] += 1
        self.left -= what == self.by
        if what == "list" and not self.has_list:
            return says(404)
        status = "processing" if self.left > 0 else "succeeded"
        if what == "list":
            return says(results=[drawing(each, status) for each in "abc"], next=None)
        return says(**drawing("x", status), output="https://r/1")


class Together:
    """A pause that ends for all three at once."""

    def __init__(self) -> None:
        self.here, self.all_here = 0, asyncio.Event()

    async def __call__(self, reference, seconds):
        self.here += 1
        if self.here % 3 == 0:
            self.all_here.set()
            self.all_here = asyncio.Event()
        else:
            await self.all_here.wait()


AT_ONCE = {"usual": {SLUG: 0.0}, "rarer": (0.0,) * 1000}  # no pause is shorter than that: no hint


async def followed(desk, **extra):
    provider = replicate(desk, crowd=small(), **extra)

    async def follow(reference):
        return [type(event) async for event in provider.follow(Ticket(reference))]

    async with asyncio.timeout(60):
        told = await asyncio.gather(*(follow(each) for each in "abc"))
    assert [each[-1] for each in told] == [Drawn] * 3
    assert not provider.crowd._followed


async def test_many_that_are_followed_cost_a_look_at_each_end_and_listings_between():
    desk = Desk(until_done=3, by="list")
    await followed(desk, pause=Together(), **AT_ONCE)
    assert desk.asked_for["list"] == 3
    assert desk.asked_for["look"] == 6  # each one's first and last


async def test_who_was_hinted_looks_for_himself_at_once():
    desk = Desk(until_done=10, by="look")
    await followed(desk)  # every pause ends at once, as by a hint
    assert desk.asked_for["list"] == 0


async def test_where_there_is_no_list_each_is_looked_at():
    desk = Desk(until_done=20, by="look")
    desk.has_list = False
    await followed(desk, pause=lambda *_: asyncio.sleep(0), **AT_ONCE)
    assert desk.asked_for["list"] > 0


async def test_what_was_ordered_is_not_held(crowd):
    listing = Listing([drawing("a") | {"input": {"image": "data:" + "A" * 1000}}])
    assert await ask(crowd, "a", listing) == [drawing("a")]
