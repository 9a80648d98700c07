"""A better prompt is paid for once for each order, however that is sent and whoever dies."""

import asyncio
import uuid

import pytest

from chassis import identity
from chassis.errors import Exhausted
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.type.v1 import cost_pb2, job_pb2
from services.generator import provider
from services.generator.language.call import Voice
from services.generator.language.seam import Stop, Told, Usage
from services.generator.language.smart import Order, Rewriter
from tests.generator.language.books import CUT, ENTRY, LATE, WHOLE, Pen


def order(**more):
    wanted = {"prompt": "the sea", "models": ["sketch"], "use_case": "", "fingerprint": "f" * 64}
    return Order(**{"request_id": str(uuid.uuid4()), **wanted, **more})


def rewriter(books, pen, patience=5.0):
    return Rewriter(books.meter, Voice(ENTRY, pen), patience)


async def test_the_prompt_is_rewritten_and_settled_with_what_it_used(books):
    pen = Pen(WHOLE)
    found = await rewriter(books, pen).rewrite(order())
    assert (found.told.prompt, found.told.enhanced_by) == ("a stormy sea", ENTRY.key)
    assert found.cost == found.told.cost.usd_micros == ENTRY.cost(Usage(100, 10))
    [call] = books.calls.values()
    assert (call.charged, call.cost_usd_micros) == (cost_pb2.CHARGED_YES, found.cost)
    assert call.answer == "a stormy sea"


async def test_the_same_order_again_pays_nothing_and_gets_the_same(books):
    pen, same = Pen(WHOLE), order()
    first = await rewriter(books, pen).rewrite(same)
    again = await rewriter(books, pen).rewrite(same)
    assert (again.told.prompt, again.told.enhanced_by) == ("a stormy sea", ENTRY.key)
    assert again.cost == first.cost
    assert pen.asked == 1


async def test_the_same_order_at_the_same_time_waits_for_the_one_answer(books):
    pen, same = Pen(WHOLE), order()
    pen.gate.clear()
    both = [asyncio.create_task(rewriter(books, pen).rewrite(same)) for _ in range(2)]
    await pen.begun.wait()
    pen.gate.set()
    assert [found.told.prompt for found in await asyncio.gather(*both)] == ["a stormy sea"] * 2
    assert pen.asked == 1


async def test_who_leaves_finds_the_answer_when_the_order_comes_again(books):
    pen, same = Pen(WHOLE), order()
    pen.gate.clear()
    writer = rewriter(books, pen)
    left = asyncio.create_task(writer.rewrite(same))
    await pen.begun.wait()
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    pen.gate.set()
    again = await rewriter(books, pen).rewrite(same)
    assert again.told.prompt == "a stormy sea"
    assert pen.asked == 1


async def test_an_order_whose_earlier_try_died_goes_on_without(books):
    pen, same = Pen(WHOLE), order()
    dead = Pen()
    dead.gate.clear()
    stuck = asyncio.create_task(rewriter(books, dead, patience=600).rewrite(same))
    await dead.begun.wait()
    books.age = 11  # beyond what a living call may take
    async with asyncio.timeout(60):
        found = await rewriter(books, pen).rewrite(same)
    assert (found.told, found.reason) == (None, "LANGUAGE_ANSWER_LOST")
    assert found.cost == next(iter(books.held.values())).usd_micros  # all of it may be charged
    assert pen.asked == 0
    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)


async def test_another_order_is_another_call(books):
    pen, same = Pen(WHOLE, WHOLE, WHOLE), order()
    await rewriter(books, pen).rewrite(same)
    await rewriter(books, pen).rewrite(order(request_id=same.request_id, fingerprint="e" * 64))
    identity.current.set(identity.Caller(8))
    await rewriter(books, pen).rewrite(same)
    assert pen.asked == len(books.calls) == 3


async def test_an_order_that_was_admitted_is_told_and_pays_nothing(books):
    books.admitted, pen = pb.AdmitResponse(job=job_pb2.Job(name="jobs/3"), replayed=True), Pen()
    found = await rewriter(books, pen).rewrite(order())
    assert found.job.name == "jobs/3"
    assert pen.asked == 0


async def test_over_the_cap_the_order_is_refused_before_anything_is_paid(books):
    books.refusal, pen = Exhausted("SPEND_CAP_EXCEEDED", "no more"), Pen()
    with pytest.raises(Exhausted):
        await rewriter(books, pen).rewrite(order())
    assert pen.asked == 0


@pytest.mark.parametrize(
    ("line", "reason", "charged"),
    [
        ([provider.Busy("later")], "PROVIDER_RATE_LIMITED", cost_pb2.CHARGED_NO),
        ([provider.NotKnown("who?")], "PROVIDER_CREDENTIAL_REFUSED", cost_pb2.CHARGED_NO),
        (["{", provider.Unclear("cut")], "LANGUAGE_ANSWER_LOST", cost_pb2.CHARGED_UNKNOWN),
        (["Hm.", WHOLE[-1]], "LANGUAGE_ANSWER_UNFIT", cost_pb2.CHARGED_YES),
        (['{"prompt": " "}', WHOLE[-1]], "LANGUAGE_ANSWER_UNFIT", cost_pb2.CHARGED_YES),
        ([Told(Usage(9, 1), Stop.REFUSED)], "CONTENT_REFUSED", cost_pb2.CHARGED_YES),
    ],
)
async def test_whatever_goes_wrong_is_told_and_the_job_can_go_on(books, line, reason, charged):
    found = await rewriter(books, Pen(line)).rewrite(order())
    assert (found.told, found.reason) == (None, reason)
    assert found.why
    [call] = books.calls.values()
    assert (call.charged, call.answer) == (charged, "")


async def test_an_answer_that_takes_too_long_is_given_up(books):
    pen = Pen(WHOLE)
    pen.gate.clear()
    found = await rewriter(books, pen, patience=0.05).rewrite(order())
    assert (found.told, found.reason) == (None, "LANGUAGE_ANSWER_LOST")
    [call] = books.calls.values()
    assert call.charged == cost_pb2.CHARGED_UNKNOWN


async def test_a_whole_answer_is_taken_however_long_its_settling_takes(books):
    books.settling.close()
    found = await rewriter(books, Pen(WHOLE), patience=5).rewrite(order())
    books.settling.open()
    assert found.told.prompt == "a stormy sea"
    async with asyncio.timeout(60):
        await books.settled.wait()
    [call] = books.calls.values()
    assert (call.charged, call.answer) == (cost_pb2.CHARGED_YES, "a stormy sea")


async def test_who_leaves_while_the_money_is_held_finds_the_answer_later(books):
    pen, same, writer = Pen(WHOLE), order(), rewriter(books, Pen(WHOLE))
    books.reserving.close()
    left = asyncio.create_task(rewriter(books, pen).rewrite(same))
    await books.reserving.came.wait()
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    books.reserving.open()
    async with asyncio.timeout(60):
        await books.settled.wait()
    assert (await writer.rewrite(same)).told.prompt == "a stormy sea"
    assert (pen.asked, writer.voice.model.asked) == (1, 0)


@pytest.mark.parametrize(
    ("line", "reason", "told"),
    [
        ([provider.Busy("later")], "PROVIDER_FAILED", "nothing was charged"),
        (["Hm.", WHOLE[-1]], "LANGUAGE_ANSWER_UNFIT", "paid for"),
        (["{", provider.Unclear("cut")], "LANGUAGE_ANSWER_LOST", "may have been charged"),
    ],
)
async def test_the_same_order_again_is_told_what_the_first_try_cost(books, line, reason, told):
    pen, same = Pen(line), order()
    first = await rewriter(books, pen).rewrite(same)
    again = await rewriter(books, pen).rewrite(same)
    assert (again.told, again.reason, pen.asked) == (None, reason, 1)
    assert told in again.why
    assert again.cost == first.cost or reason != "LANGUAGE_ANSWER_UNFIT"


async def test_without_a_voice_there_is_no_wish(books):
    assert Rewriter(books.meter, None).wish is None


async def test_what_it_may_cost_is_what_is_held_for_it(books):
    writer, wanted = rewriter(books, Pen(WHOLE)), order(models=["sketch", "ink"], use_case="a card")
    await writer.rewrite(wanted)
    [held] = books.held.values()
    assert held.usd_micros == writer.wish("the sea", ["sketch", "ink"], "a card") > 0


async def test_nothing_is_written_where_the_images_would_be_refused(books):
    """The ledger is told of them, and says so."""
    await rewriter(books, Pen(WHOLE)).rewrite(order(beside=70, providers=("far", "near")))
    [held] = books.held.values()
    assert (held.beside_usd_micros, held.providers_needed) == (70, ["far", "near"])


async def test_an_order_whose_hold_was_answered_late_is_no_earlier_try(books):
    """The connection broke under the answer, and it was asked again: it is the same try."""
    books.cut, pen = {"reserve": [CUT]}, Pen(WHOLE)
    found = await rewriter(books, pen).rewrite(order())
    assert (found.told.prompt, pen.asked) == ("a stormy sea", 1)


async def test_a_hold_of_which_nobody_knows_is_given_back(books):
    books.cut, pen = {"reserve": [LATE]}, Pen(WHOLE)
    with pytest.raises(LATE):
        await rewriter(books, pen).rewrite(order())
    async with asyncio.timeout(60):
        await books.settled.wait()
    [call] = books.calls.values()
    assert (call.charged, pen.asked) == (cost_pb2.CHARGED_NO, 0)


async def test_what_a_full_disk_did_not_take_is_told_again(books):
    books.cut = {"settle": [lambda *_said: Exhausted("DISK_FULL", "The disk is full.")]}
    async with asyncio.timeout(60):
        found = await rewriter(books, Pen(WHOLE)).rewrite(order())
        await books.settled.wait()
    [call] = books.calls.values()
    assert (call.charged, call.cost_usd_micros) == (cost_pb2.CHARGED_YES, found.cost)


async def test_who_ends_waits_for_what_is_being_written_and_its_settling(books):
    pen, writer = Pen(WHOLE), rewriter(books, Pen(WHOLE))
    writer.voice, _ = Voice(ENTRY, pen), pen.gate.clear()
    left = asyncio.create_task(writer.rewrite(order()))
    await pen.begun.wait()
    left.cancel()
    ending = asyncio.create_task(writer.close(20))
    books.settling.close()
    pen.gate.set()
    await books.settling.came.wait()
    books.settling.open()
    await ending
    await books.meter.close(20)
    [call] = books.calls.values()
    assert (call.charged, call.answer) == (cost_pb2.CHARGED_YES, "a stormy sea")


async def test_who_ends_too_soon_settles_what_was_asked_as_unknown(books):
    pen, writer = Pen(WHOLE), rewriter(books, Pen(WHOLE))
    writer.voice, _ = Voice(ENTRY, pen), pen.gate.clear()
    left = asyncio.create_task(writer.rewrite(order()))
    await pen.begun.wait()
    left.cancel()
    await writer.close(0)
    await books.meter.close(20)
    [call] = books.calls.values()
    assert call.charged == cost_pb2.CHARGED_UNKNOWN
