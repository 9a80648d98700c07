"""An order is looked for in the list of the account that it left under, and in no other's."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from services.generator.provider import Ticket, Unclear
from services.generator.providers.account import Account, mark
from services.generator.vendor import terms_of_claim
from tests.generator.hired import soon
from tests.generator.scripted_ledger import ID as CLAIMED
from tests.generator.scripted_ledger import SENDING, UNCLEAR, Listing, Shop
from tests.generator.scripted_wire import ORDER, OURS, Script, replicate, says
from tests.generator.test_replicate_lookup import hooked, listed, page

OTHERS = replace(ORDER, account="user/others")
NOBODYS = replace(ORDER, account="")
US = {"type": "user", "username": "us", "name": "We", "github_url": None}


@pytest.mark.parametrize("found", [(), (listed(),)], ids=["nothing", "an equal order's"])
async def test_what_another_account_lists_tells_nothing_of_an_order(found):
    with pytest.raises(Unclear, match="a token of that one") as raised:
        await replicate(Script(page(*found))).look_up(OTHERS)
    assert raised.value.retry_after == 30


@pytest.mark.parametrize("known", [True, False], ids=["the order's is not", "ours is not"])
async def test_where_an_account_is_not_known_nothing_is_absent(known):
    order = NOBODYS if known else ORDER
    silent = [] if known else [says(500)]
    with pytest.raises(Unclear, match="nobody knows"):
        await replicate(Script(page(), *silent), whose=Account()).look_up(order)
    script = Script(page(listed()), *silent)
    [found] = (await replicate(script, whose=Account()).look_up(order)).tickets
    assert (found.alike, found.unsure) == (True, True)


MARK = mark("r8_secret")


async def test_an_order_of_an_untold_account_is_of_whoever_has_its_token():
    """Also where that one has been told its name since, or is not either."""
    order = replace(ORDER, account=MARK)
    for whose in "", OURS:
        provider = replicate(Script(page()), whose=Account(whose, MARK))
        assert (await provider.look_up(order)).tickets == []


async def test_nobody_knows_whose_an_order_of_another_token_is():
    order, another = replace(ORDER, account=MARK), mark("r8_other")
    assert another != MARK
    for whose in "", OURS:
        with pytest.raises(Unclear, match="nobody knows"):
            await replicate(Script(page()), whose=Account(whose, another)).look_up(order)


async def test_while_an_account_is_not_told_its_orders_leave_under_its_tokens_mark():
    now = 0.0
    script = Script(says(500), says(**US))
    provider = replicate(script, whose=Account("", MARK, clock=lambda: now))
    assert await provider.account() == MARK
    now += 30
    assert await provider.account() == OURS


def test_a_mark_tells_nothing_of_its_token():
    assert "secret" not in MARK
    assert len(MARK) == len(mark("")) == 38


@pytest.mark.parametrize("order", [OTHERS, NOBODYS, ORDER], ids=lambda order: order.account)
async def test_what_bears_its_name_is_found_whatever_the_account(order):
    bought = listed(**hooked(order.purchase_id))
    assert (await replicate(Script(page(bought))).look_up(order)).tickets == [Ticket("p1")]


async def test_the_account_is_asked_for_once_a_process():
    script = Script(says(**US))
    provider = replicate(script, whose=Account())
    assert await asyncio.gather(*(provider.account() for _ in range(3))) == [OURS] * 3
    assert await provider.account() == OURS
    assert script.asked == ["GET /v1/account"]


@pytest.mark.parametrize(
    "answer",
    [
        says(401),
        says(),
        says(**US | {"username": None}),
        says(**US | {"username": ""}),
        says(**US | {"username": "u\0s"}),
        says(**US | {"username": "u" * 300}),
        httpx.ReadError("cut"),
    ],
    ids=repr,
)
async def test_one_that_is_not_told_is_asked_for_again_some_time_later(answer):
    now = 0.0
    script = Script(answer, says(**US))
    provider = replicate(script, whose=Account(clock=lambda: now))
    assert [await provider.account() for _ in range(2)] == ["", ""]
    assert len(script.asked) == 1
    now += 30
    assert await provider.account() == OURS


async def test_nobody_waits_for_one_that_is_not_told_at_once():
    """Once its time is over, who comes next does not wait at all."""
    came, told = asyncio.Event(), asyncio.Event()

    async def ask() -> str:
        came.set()
        await told.wait()
        return OURS

    now = iter([0.0, 0.0, 5.0, 5.0])
    account = Account(clock=lambda: next(now))
    assert await soon(account.told(ask)) == ""
    await soon(came.wait())
    assert await soon(account.told(ask)) == ""
    told.set()
    while not account.name:
        await asyncio.sleep(0)
    assert await account.told(ask) == OURS


async def test_who_asks_for_it_ends_with_its_provider():
    came, ended = asyncio.Event(), asyncio.Event()

    async def ask() -> str:
        came.set()
        try:
            return await asyncio.Future()
        finally:
            ended.set()

    provider = replicate(Script(), whose=Account())
    asking = asyncio.create_task(provider.whose.told(ask))
    await soon(came.wait())
    await provider.aclose()
    assert ended.is_set()
    assert await soon(asking) == ""


# -- From the claim to the look-up


def of_account(shop: Shop, name: str) -> Shop:
    """*shop*, which tells that its account is *name*."""

    async def account() -> str:
        return name

    shop.account = account
    return shop


async def test_the_claim_of_an_order_tells_the_account_that_it_leaves_under(world):
    of_account(world.shop, OURS)
    world.worker.take(CLAIMED, "sketch")
    await soon(world.shop.came.wait())
    assert (world.catalog.state, world.catalog.account) == (SENDING, OURS)


async def test_a_claim_of_no_order_asks_for_no_account(world):
    of_account(world.shop, OURS)
    vendors = world.worker.tools.vendors
    assert await terms_of_claim(vendors, "sketch") == (60, OURS)
    assert await terms_of_claim(vendors, "any") == (60, "")


async def test_a_look_up_knows_the_account_that_the_ledger_has(world):
    shop = of_account(Listing(set()), "user/others")
    vendors = world.worker.tools.vendors
    vendors["sketch"] = replace(vendors["sketch"], provider=shop)
    world.catalog.state, world.catalog.account = UNCLEAR, OURS
    world.worker.take(CLAIMED, "sketch")
    assert await soon(world.catalog.written.get()) == "settle"
    assert [order.account for order in shop.looked_for] == [OURS]
