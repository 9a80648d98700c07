"""What is there to be ordered again, and a job that orders it: the ledger's part."""

import uuid

import pytest

from chassis.errors import Exhausted, Exists, Missing
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.type.v1 import purchase_pb2
from services.catalog import admit, reading
from services.catalog.database import Pools
from tests.catalog.purchases import (
    absent,
    admitted,
    asking,
    claim,
    drawn,
    end,
    ended_unclear,
    found,
    keep,
    kept,
    next_attempt,
    not_askable,
    taken,
    unclear,
)
from tests.catalog.shelf import Person, Shelf

RUNNING, UNCLEAR = purchase_pb2.PURCHASE_STATE_RUNNING, purchase_pb2.PURCHASE_STATE_UNCLEAR


async def read(
    shelf: Shelf,
    owner: Person,
    job: int,
    request_id: str | None = None,
    fingerprint: str = "a" * 64,
) -> pb.ReadUnclearResponse:
    request = pb.ReadUnclearRequest(
        job=f"jobs/{job}", request_id=request_id or str(uuid.uuid4()), fingerprint=fingerprint
    )
    return await reading.unclear(shelf.pools.ledger, request, job, owner.user_id)


async def job_of(shelf: Shelf, purchase: str) -> int:
    return int(await shelf.run("SELECT job_id FROM purchases WHERE purchase_id = $1", purchase))


async def named(shelf: Shelf, owner: Person, job: int) -> list[str]:
    """Return the purchases that may be ordered again."""
    answer = await read(shelf, owner, job)
    return [each.purchase.purchase_id for each in answer.purchases]


async def test_what_brought_nothing_and_may_have_been_charged_is_read(shelf: Shelf) -> None:
    ann, ledger = await shelf.person(), shelf.ledger
    made = await admitted(shelf.pools.ledger, ann.user_id, 5)
    lost, doubtful, good, refused, _waiting = made
    await ended_unclear(ledger, lost)
    await taken(ledger, claim(doubtful), unclear(doubtful, 1))
    await kept(ledger, good)
    await taken(ledger, claim(refused), end(refused, 1, "REFUSED"))

    answer = await read(shelf, ann, await job_of(shelf, lost))

    assert [each.purchase.purchase_id for each in answer.purchases] == [lost, doubtful]
    assert [each.purchase.ordinal for each in answer.purchases] == [0, 1]
    assert [each.repeats for each in answer.purchases] == [lost, doubtful]
    assert answer.purchases[1].purchase.state == UNCLEAR
    assert answer.purchases[1].purchase.HasField("deadline")
    assert answer.job.spec.prompt == answer.job.original_prompt == "a lighthouse"
    assert not answer.job.images


async def test_where_another_order_brought_the_picture_nothing_is_lacking(shelf: Shelf) -> None:
    """A second match of a look-up is adopted, too; it ends, and nobody knows its charge."""
    ann, ledger = await shelf.person(), shelf.ledger
    [first] = await admitted(shelf.pools.ledger, ann.user_id)
    await taken(ledger, claim(first), unclear(first, 1))
    await taken(ledger, found(first, 1, "t1", "t2"))
    job = await job_of(shelf, first)
    twin = await shelf.run("SELECT purchase_id FROM purchases WHERE ticket = 't2'")
    await taken(ledger, claim(twin), end(twin, 1, "EXPIRED", "UNKNOWN"))
    assert await named(shelf, ann, job) == []  # the first may still bring it
    await taken(ledger, drawn(first, 1), keep(first, 1))
    assert await named(shelf, ann, job) == []
    assert (await ann.ask("GetJob", name=f"jobs/{job}")).job.at_risk_count == 1


async def test_a_place_that_is_tried_again_by_itself_is_not_lacking(shelf: Shelf) -> None:
    ann, ledger = await shelf.person(), shelf.ledger
    [first] = await admitted(shelf.pools.ledger, ann.user_id)
    following = next_attempt()
    await taken(ledger, claim(first), unclear(first, 1))
    await taken(ledger, absent(first, 1, following))
    job = await job_of(shelf, first)
    assert await named(shelf, ann, job) == []
    await ended_unclear(ledger, following.purchase_id)
    assert await named(shelf, ann, job) == [following.purchase_id]


async def test_what_was_settled_is_not_unclear(shelf: Shelf) -> None:
    ann = await shelf.person()
    [lost] = await admitted(shelf.pools.ledger, ann.user_id)
    await ended_unclear(shelf.ledger, lost)
    job = await job_of(shelf, lost)
    assert await named(shelf, ann, job) == [lost]
    await ann.ask("SettleCharge", name=f"jobs/{job}", purchase_id=lost, charged=2)
    assert await named(shelf, ann, job) == []


async def test_anothers_job_is_missing(shelf: Shelf) -> None:
    ann, bob = await shelf.person(), await shelf.person()
    [lost] = await admitted(shelf.pools.ledger, ann.user_id)
    await ended_unclear(shelf.ledger, lost)
    for job in (await job_of(shelf, lost), 999_999_999):
        with pytest.raises(Missing):
            await read(shelf, bob, job)


async def again(pools: Pools, owner: Person, lost: str, job: int, **asked) -> pb.AdmitResponse:
    request = asking(**asked)
    request.retry_of = f"jobs/{job}"
    request.purchases[0].repeats = lost
    return await admit.admit(pools.ledger, request, owner.user_id, None)


async def test_an_order_again_is_a_new_job_that_names_the_old_one(shelf: Shelf) -> None:
    ann = await shelf.person()
    [lost] = await admitted(shelf.pools.ledger, ann.user_id, reserve=7)
    await ended_unclear(shelf.ledger, lost)
    job, request_id = await job_of(shelf, lost), str(uuid.uuid4())
    before = (await ann.ask("GetJob", name=f"jobs/{job}")).job

    first = await again(shelf.pools, ann, lost, job, request_id=request_id, reserve=7)
    second = await again(shelf.pools, ann, lost, job, request_id=request_id, reserve=7)

    assert (first.replayed, second.replayed) == (False, True)
    assert first.job.name == second.job.name != before.name
    assert first.job.retry_of == second.job.retry_of == before.name
    assert (await ann.ask("GetJob", name=first.job.name)).job.retry_of == before.name
    assert (await ann.ask("GetJob", name=before.name)).job == before
    assert (await ann.ask("GetUsage")).cap.reserved_usd_micros == 7

    [made] = first.events[-1].queued.purchases
    [claimed] = await shelf.ledger.apply([claim(made.purchase_id)])
    assert claimed.purchase.repeats == lost
    await taken(shelf.ledger, unclear(made.purchase_id, 1, possible=False))
    await taken(shelf.ledger, not_askable(made.purchase_id, 1))
    answer = await read(shelf, ann, await job_of(shelf, made.purchase_id))
    assert [each.repeats for each in answer.purchases] == [lost]  # the first of them all


async def test_a_request_that_was_admitted_is_told_whatever_became_of_the_old_job(
    shelf: Shelf,
) -> None:
    ann = await shelf.person()
    [lost] = await admitted(shelf.pools.ledger, ann.user_id)
    await ended_unclear(shelf.ledger, lost)
    job, request_id = await job_of(shelf, lost), str(uuid.uuid4())
    first = await again(shelf.pools, ann, lost, job, request_id=request_id)
    await ann.ask("SettleCharge", name=f"jobs/{job}", purchase_id=lost, charged=1)
    answer = await read(shelf, ann, job, request_id)
    assert answer.admitted.job.name == first.job.name
    assert answer.admitted.replayed
    with pytest.raises(Exists):
        await read(shelf, ann, job, request_id, fingerprint="b" * 64)


async def test_anothers_job_is_never_named(shelf: Shelf) -> None:
    ann, bob = await shelf.person(), await shelf.person()
    [lost] = await admitted(shelf.pools.ledger, ann.user_id)
    made = await again(shelf.pools, bob, lost, await job_of(shelf, lost))
    assert (await bob.ask("GetJob", name=made.job.name)).job.retry_of == ""


async def test_the_cap_holds_for_what_is_ordered_again(shelf: Shelf) -> None:
    ann = await shelf.person()
    [lost] = await admitted(shelf.pools.ledger, ann.user_id, reserve=7)
    await ended_unclear(shelf.ledger, lost)
    job = await job_of(shelf, lost)
    await ann.ask("UpdateSpendCap", cap_usd_micros=13)
    with pytest.raises(Exhausted) as no:
        await again(shelf.pools, ann, lost, job, reserve=7)
    assert no.value.reason == "SPEND_CAP_EXCEEDED"
    await ann.ask("SettleCharge", name=f"jobs/{job}", purchase_id=lost, charged=2)
    await again(shelf.pools, ann, lost, job, reserve=7)  # there is room again
