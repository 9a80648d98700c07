"""Publication in the ledger: a job's end waits for it, and never long; it is never given up."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import asyncpg
import pytest

from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2
from imagestudio.type.v1 import job_event_pb2, purchase_pb2
from services.catalog import cancel, completion, reading, workers
from services.catalog.database import as_ledger, connect
from services.catalog.sweeper import Sweeper
from services.catalog.vigil import Vigil
from tests.catalog.purchases import (
    admitted,
    claim,
    drawn,
    end,
    fail,
    keep,
    make_ledger,
    park,
    publish,
    refused,
    taken,
    ticket,
    url_of,
)

WAIT = 10.0
PATIENCE = 3.0
KEPT, PUBLISHED = purchase_pb2.PURCHASE_STATE_KEPT, purchase_pb2.PURCHASE_STATE_PUBLISHED


@pytest.fixture
async def studio(pools, user, database_url):
    """A ledger that waits for the CDN, a sweep to call by hand, and eyes."""
    ledger, news = make_ledger(pools.ledger, publish_wait=WAIT)
    sweeper = Sweeper(connect=None, ledger=ledger, news=news, patience=PATIENCE)
    sweeper.vigil = Vigil(timedelta(0))  # kept for long enough
    connection = await connect(database_url, "studio_ledger")

    async def sweep():
        news.bus.announced.clear()
        await sweeper.bury(connection)
        await sweeper.sweep(connection)
        await news.close()
        return [purchase_id for _subject, purchase_id in news.bus.announced]

    async def row(purchase_id):
        return await connection.fetchrow(
            "SELECT p.*, j.state AS job_state, j.publishing AS unpublished, j.complete_by "
            "FROM purchases p JOIN image_jobs j USING (job_id) WHERE purchase_id = $1",
            purchase_id,
        )

    async def log(purchase_id):
        job_id = (await row(purchase_id))["job_id"]
        public = "https://studio.test"
        found = await reading.events(pools.ledger, job_id, user, 0, 1000, public)
        assert [event.sequence for event in found.events] == list(range(1, found.last_sequence + 1))
        return list(found.events)

    async def job(purchase_id):
        job_id = (await row(purchase_id))["job_id"]
        jobs = await completion.whole_jobs(connection, [job_id], [user], {})
        return jobs[job_id]

    async def feed():
        rows = await connection.fetch(
            "SELECT sequence, kind, payload FROM user_feed WHERE user_id = $1 ORDER BY 1", user
        )
        assert [found["sequence"] for found in rows] == list(range(1, len(rows) + 1))
        return [job_event_pb2.JobEvent.FromString(found["payload"]) for found in rows]

    yield SimpleNamespace(
        pools=pools, user=user, ledger=ledger, connection=connection,
        sweep=sweep, row=row, log=log, job=job, feed=feed,
    )  # fmt: skip
    await connection.close()


def kinds(events):
    return [event.WhichOneof("event") for event in events]


async def beat(studio, worker, **limits):
    limit = ledger_pb2.ProviderLimit(provider="sketch", lookup_possible=True, **limits)
    request = ledger_service_pb2.HeartbeatRequest(worker_id=worker, limits=[limit])
    return await workers.beat(studio.pools.ledger, request, PATIENCE)


async def offered(studio):
    """What a worker is told by the answer to its heartbeat where it hears nothing else."""
    await beat(studio, "w9")
    request = ledger_service_pb2.HeartbeatRequest(worker_id="w9", room=5, providers=["any"])
    answer = await workers.beat(studio.pools.ledger, request, PATIENCE)
    return [due.purchase_id for due in answer.due_purchases]


async def silence(studio, worker):
    await studio.connection.execute(
        "UPDATE workers SET heartbeat_at = heartbeat_at - interval '10 s' WHERE worker_id = $1",
        worker,
    )


async def the_wait_is_over(studio):
    await studio.connection.execute("UPDATE image_jobs SET complete_by = clock_timestamp()")


async def kept(studio, purchase_id, *, outputs=1, worker="w1"):
    """Bring a purchase to where its outputs are kept and await the CDN; return the last word."""
    [owned] = await taken(studio.ledger, claim(purchase_id, worker))
    fence = owned.fence
    found = await taken(
        studio.ledger,
        ticket(purchase_id, fence),
        drawn(purchase_id, fence, outputs, cost=5),
        *(keep(purchase_id, fence, index, to_publish=True) for index in range(outputs)),
    )
    return found[-1]


async def test_the_end_of_a_job_waits_for_publication_and_shows_the_cdns_urls(studio):
    [purchase_id] = await admitted(studio.pools.ledger, studio.user)
    after = await kept(studio, purchase_id)
    assert (after.purchase.state, after.owner) == (KEPT, "w1")
    [output] = after.outputs
    assert (output.version_number, output.to_publish) == (1, True)
    assert "completed" not in kinds(await studio.log(purchase_id))

    [after] = await taken(studio.ledger, publish(purchase_id, 1))
    assert (after.purchase.state, after.owner, list(after.outputs)) == (PUBLISHED, "", [])

    *_, image_kept, image_published, completed = await studio.log(purchase_id)
    assert kinds([image_kept, image_published, completed]) == [
        "image_kept", "image_published", "completed",
    ]  # fmt: skip
    assert image_kept.image_kept.url.startswith("https://studio.test/i/")
    image = image_published.image_published
    path = image_kept.image_kept.url.removeprefix("https://studio.test")
    assert image_kept.image_kept.path == image.path == path
    assert (image.url, image.version_number) == (url_of(purchase_id), 1)
    assert image.thumbnail_url == url_of(purchase_id).replace("/v7/", "/w_512/v7/")
    assert image.HasField("publish_time")
    assert list(completed.completed.job.images) == [image]
    [in_job] = (await studio.job(purchase_id)).images
    assert (in_job.url, in_job.publish_time) == (image.url, image.publish_time)
    assert in_job.path == path
    [news] = await studio.feed()
    assert news.completed.job.name == news.job == completed.job
    assert not news.completed.job.images
    row = await studio.row(purchase_id)
    assert (row["job_state"], row["unpublished"], row["publishing"]) == ("succeeded", 0, False)


async def test_a_purchase_is_published_with_its_last_output(studio):
    [purchase_id] = await admitted(studio.pools.ledger, studio.user)
    await kept(studio, purchase_id, outputs=3)
    [first] = await taken(studio.ledger, publish(purchase_id, 1, 2))
    assert (first.purchase.state, first.owner) == (KEPT, "w1")
    assert [output.index for output in first.outputs] == [0, 1]
    last = (await taken(studio.ledger, publish(purchase_id, 1, 0), publish(purchase_id, 1, 1)))[-1]
    assert last.purchase.state == PUBLISHED
    assert kinds(await studio.log(purchase_id)).count("completed") == 1


async def test_what_was_not_asked_to_be_published_does_not_wait(studio):
    [purchase_id] = await admitted(studio.pools.ledger, studio.user)
    await taken(studio.ledger, claim(purchase_id), ticket(purchase_id, 1), drawn(purchase_id, 1, 2))
    await taken(studio.ledger, keep(purchase_id, 1, 0, to_publish=True), keep(purchase_id, 1, 1))
    assert await refused(studio.ledger, publish(purchase_id, 1, 1)) == "STATE_CONFLICT"
    [after] = await taken(studio.ledger, publish(purchase_id, 1, 0))
    assert after.purchase.state == PUBLISHED


async def test_publication_waits_until_no_output_is_left_to_keep(studio):
    [purchase_id] = await admitted(studio.pools.ledger, studio.user)
    await taken(studio.ledger, claim(purchase_id), ticket(purchase_id, 1), drawn(purchase_id, 1, 2))
    await taken(studio.ledger, keep(purchase_id, 1, 0, to_publish=True))
    assert await refused(studio.ledger, publish(purchase_id, 1, 0)) == "STATE_CONFLICT"


async def test_the_wait_has_an_end_and_nothing_follows_it_in_the_log(studio):
    [purchase_id] = await admitted(studio.pools.ledger, studio.user)
    await kept(studio, purchase_id)
    await beat(studio, "w1")
    row = await studio.row(purchase_id)
    left = row["complete_by"] - await studio.connection.fetchval("SELECT clock_timestamp()")
    assert 0 < left.total_seconds() <= WAIT

    await studio.sweep()
    assert "completed" not in kinds(await studio.log(purchase_id))
    await the_wait_is_over(studio)
    await studio.sweep()
    events = await studio.log(purchase_id)
    assert kinds(events)[-1] == "completed"
    assert events[-1].completed.job.images[0].url.startswith("https://studio.test/i/")
    row = await studio.row(purchase_id)
    assert (row["state"], row["job_state"], row["publishing"]) == ("kept", "succeeded", True)

    [after] = await taken(studio.ledger, publish(purchase_id, 1))
    assert after.purchase.state == PUBLISHED
    assert await studio.log(purchase_id) == events
    [image] = (await studio.job(purchase_id)).images
    assert image.url == url_of(purchase_id)
    ended, late = await studio.feed()
    assert kinds([ended, late]) == ["completed", "image_published"]
    assert (late.job, late.image_published.url) == (ended.job, url_of(purchase_id))
    assert not await studio.connection.fetch("SELECT 1 FROM image_jobs WHERE ended_at IS NULL")


async def test_a_failure_is_told_though_it_came_before_the_wait(studio):
    failing, waiting = await admitted(studio.pools.ledger, studio.user, 2)
    await taken(studio.ledger, claim(failing), end(failing, 1, "REFUSED"))
    await kept(studio, waiting)
    await beat(studio, "w1")
    await the_wait_is_over(studio)
    await studio.sweep()
    last = (await studio.log(waiting))[-1]
    assert [failure.purchase_id for failure in last.completed.job.failures] == [failing]


async def test_without_a_wait_a_job_ends_with_its_last_keep(pools, user):
    ledger, _news = make_ledger(pools.ledger, publish_wait=0.0)
    [purchase_id] = await admitted(pools.ledger, user)
    await kept(SimpleNamespace(ledger=ledger), purchase_id)
    async with as_ledger(pools.ledger) as connection:
        assert await connection.fetchval("SELECT state FROM image_jobs") == "succeeded"
    await taken(ledger, publish(purchase_id, 1))


async def test_a_cancel_ends_the_wait_and_not_the_publication(studio):
    failing, waiting = await admitted(studio.pools.ledger, studio.user, 2)
    await taken(studio.ledger, claim(failing), end(failing, 1, "REFUSED"))
    await kept(studio, waiting)
    _ledger, news = make_ledger(studio.pools.ledger)
    job_id = (await studio.row(waiting))["job_id"]
    job = await cancel.cancel(studio.pools.ledger, news, job_id, studio.user)
    assert [failure.purchase_id for failure in job.failures] == [failing]
    last = (await studio.log(waiting))[-1]
    assert last.completed.job.state == job.state
    assert [failure.purchase_id for failure in last.completed.job.failures] == [failing]
    answer = await beat(studio, "w1")
    assert not answer.canceling_purchase_ids
    await taken(studio.ledger, publish(waiting, 1))


async def test_a_dead_workers_publication_goes_to_another_under_a_new_fence(studio):
    [purchase_id] = await admitted(studio.pools.ledger, studio.user)
    await beat(studio, "w1", max_in_flight=1)
    await kept(studio, purchase_id)
    assert await studio.connection.fetchval("SELECT in_use FROM permits") == 0
    assert await studio.sweep() == []

    await silence(studio, "w1")
    assert await studio.sweep() == [purchase_id]
    assert await refused(studio.ledger, publish(purchase_id, 1)) == "FENCE_STALE"
    [found] = await studio.ledger.apply([claim(purchase_id, "w2")])
    assert found.outcome == ledger_service_pb2.CLAIM_OUTCOME_CLAIMED
    assert (found.purchase.purchase.state, found.purchase.fence) == (KEPT, 3)
    [output] = found.purchase.outputs
    assert (output.to_publish, output.version_number) == (True, 1)
    assert found.purchase.spec.prompt
    [again] = await studio.ledger.apply([claim(purchase_id, "w3")])
    assert again.outcome == ledger_service_pb2.CLAIM_OUTCOME_TAKEN
    await taken(studio.ledger, publish(purchase_id, 3))
    [gone] = await studio.ledger.apply([claim(purchase_id, "w3")])
    assert gone.outcome == ledger_service_pb2.CLAIM_OUTCOME_TAKEN


async def test_one_that_is_parked_is_announced_when_it_is_due(studio):
    [purchase_id] = await admitted(studio.pools.ledger, studio.user)
    await kept(studio, purchase_id)
    edge = park(purchase_id, 1)
    edge.park.delay.FromSeconds(60)
    await taken(studio.ledger, edge)
    assert await studio.sweep() == []
    [early] = await studio.ledger.apply([claim(purchase_id, "w2")])
    assert early.outcome == ledger_service_pb2.CLAIM_OUTCOME_NOT_DUE
    assert not await offered(studio)
    await studio.connection.execute("UPDATE purchases SET not_before = now()")
    assert await studio.sweep() == [purchase_id]
    assert await offered(studio) == [purchase_id]


async def test_publication_is_never_given_up_whatever_raises_or_dies_at_it(studio):
    [purchase_id] = await admitted(studio.pools.ledger, studio.user)
    await kept(studio, purchase_id)
    for fence in range(1, 8):
        await taken(studio.ledger, fail(purchase_id, fence))
        row = await studio.row(purchase_id)
        waits = row["not_before"] - await studio.connection.fetchval("SELECT clock_timestamp()")
        assert waits.total_seconds() > 800
        await studio.connection.execute("UPDATE purchases SET not_before = now()")
        await taken(studio.ledger, claim(purchase_id))
    for number in range(7):
        await silence(studio, f"w{number}")
        await studio.sweep()
        await beat(studio, f"w{number + 1}")
        await taken(studio.ledger, claim(purchase_id, f"w{number + 1}"))
    row = await studio.row(purchase_id)
    assert (row["state"], row["tries"], row["publishing"]) == ("kept", 0, True)
    await taken(studio.ledger, publish(purchase_id, row["fence"]))


async def test_what_is_safe_is_published_though_others_were_lost(studio):
    from imagestudio.catalog.v1 import edge_pb2

    [purchase_id] = await admitted(studio.pools.ledger, studio.user)
    await taken(studio.ledger, claim(purchase_id), ticket(purchase_id, 1), drawn(purchase_id, 1, 2))
    await taken(studio.ledger, keep(purchase_id, 1, 0, to_publish=True))
    lose = edge_pb2.Edge(purchase_id=purchase_id, fence=1, lose=edge_pb2.LoseEdge(output_index=1))
    [after] = await taken(studio.ledger, lose)
    assert (after.purchase.state, after.owner) == (purchase_pb2.PURCHASE_STATE_LOST, "w1")
    [after] = await taken(studio.ledger, publish(purchase_id, 1, 0))
    assert (after.purchase.state, after.owner) == (purchase_pb2.PURCHASE_STATE_LOST, "")
    last = (await studio.log(purchase_id))[-1]
    assert [image.url for image in last.completed.job.images] == [url_of(purchase_id)]


async def test_the_same_edge_again_changes_nothing(studio):
    [purchase_id] = await admitted(studio.pools.ledger, studio.user)
    await kept(studio, purchase_id)
    await taken(studio.ledger, publish(purchase_id, 1))
    events = await studio.log(purchase_id)
    await taken(studio.ledger, publish(purchase_id, 1), keep(purchase_id, 1, to_publish=True))
    assert await studio.log(purchase_id) == events
    assert len(await studio.feed()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://replicate.delivery/pbxt/abc/out-0.png",
        "https://res.cloudinary.com/studio/image/upload/v7/another.png",
        "https://evil.test/?{link}",
        "/i/{link}",
        "ftp://cdn.test/{link}",
        "https:///{link}",
        "",
    ],
)
async def test_only_a_url_of_the_files_own_is_taken(studio, url):
    [purchase_id] = await admitted(studio.pools.ledger, studio.user)
    await kept(studio, purchase_id)
    link = url_of(purchase_id).rpartition("/")[2].removesuffix(".png")
    edge = publish(purchase_id, 1)
    edge.publish.cdn_url = url.format(link=link)
    assert await refused(studio.ledger, edge) == "REQUEST_INVALID"
    edge = publish(purchase_id, 1)
    edge.publish.thumbnail_url = url.format(link=link)
    assert await refused(studio.ledger, edge) == "REQUEST_INVALID"


async def test_a_vendors_url_is_kept_out_by_the_table_itself(studio):
    good, bad = await admitted(studio.pools.ledger, studio.user, 2)
    await kept(studio, good)
    await kept(studio, bad)
    link = url_of(bad).rpartition("/")[2]
    sneaky = publish(bad, 1, url=f"https://replicate.delivery/pbxt/v7/{link}")
    both = await studio.ledger.apply([publish(good, 1), sneaky])
    assert [result.status.code for result in both] == [0, 9]
    assert "image_variants_no_vendors_url" in both[1].status.message
    for column in ("cdn_url", "thumbnail_url"):
        with pytest.raises(asyncpg.CheckViolationError):
            await studio.connection.execute(
                f"UPDATE image_variants SET published_at = now(), {column} = $1",
                "https://oaidalleapiprodscus.blob.core.windows.net/private/x.png",
            )


async def test_two_catalogs_number_one_feed_without_a_gap(studio):
    ids = [(await admitted(studio.pools.ledger, studio.user))[0] for _ in range(24)]
    ledgers = [studio.ledger, make_ledger(studio.pools.ledger, publish_wait=WAIT)[0]]
    for purchase_id in ids:
        await kept(studio, purchase_id)
    await beat(studio, "w1")
    await the_wait_is_over(studio)
    await studio.sweep()
    await asyncio.gather(
        *(
            taken(ledgers[number % 2], publish(purchase_id, 1))
            for number, purchase_id in enumerate(ids)
        )
    )
    assert sorted(kinds(await studio.feed())) == ["completed"] * 24 + ["image_published"] * 24
