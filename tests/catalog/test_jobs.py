"""Jobs over gRPC: with what they brought and what failed, listed and narrowed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.errors import Invalid, Missing
from imagestudio.catalog.v1 import catalog_service_pb2 as pb
from imagestudio.type.v1 import cost_pb2, job_pb2
from tests.catalog.shelf import PUBLIC, Person, Shelf


async def numbers(person: Person, **filters: Any) -> list[int]:
    found, token = [], ""
    while True:
        answer = await person.ask(
            "ListJobs", page_size=2, page_token=token, filter=pb.JobFilter(**filters)
        )
        found += [int(job.name.removeprefix("jobs/")) for job in answer.jobs]
        token = answer.next_page_token
        if not token:
            return found


async def test_a_job_is_shown_with_images_and_failures(shelf: Shelf) -> None:
    ann = await shelf.person()
    job = await shelf.job(ann, state="partially_succeeded", cost=42)
    second = await shelf.variant(ann, job, version_number=2)
    first = await shelf.variant(ann, job, version_number=1)
    error = {"code": 9, "reason": "CONTENT_REFUSED", "message": "No.", "metadata": {}}
    refused = await shelf.purchase(
        ann, job, ordinal=1, state="ended", ending="refused", charged="no", error=error
    )
    await shelf.purchase(ann, job, ordinal=2, attempt=1, state="void", charged="no")
    await shelf.purchase(ann, job, ordinal=2, attempt=2, state="kept")
    await shelf.purchase(ann, job, ordinal=3, attempt=1, state="ended", charged="no")
    unclear = await shelf.purchase(
        ann, job, ordinal=3, attempt=2, state="ended", ending="unclear", charged="unknown"
    )
    await shelf.purchase(ann, job, ordinal=4, attempt=1, state="void", charged="no")
    await shelf.purchase(ann, job, ordinal=4, attempt=2, state="planned", charged=None)
    await shelf.purchase(ann, job, ordinal=5, attempt=1, state="drawn", charged="yes")
    await shelf.purchase(ann, job, ordinal=5, attempt=2, state="void", charged="no")

    found = (await ann.ask("GetJob", name=f"jobs/{job}")).job
    assert (found.name, found.user) == (f"jobs/{job}", f"users/{ann.user_id}")
    assert found.state == job_pb2.JOB_STATE_PARTIALLY_SUCCEEDED
    assert (found.spec.prompt, found.cost.usd_micros) == ("a lighthouse at dawn", 42)
    assert [image.variant for image in found.images] == [first, second]
    assert all(image.url.startswith(f"{PUBLIC}/i/") for image in found.images)
    assert [f"{PUBLIC}{image.path}" for image in found.images] == [i.url for i in found.images]
    assert [(failure.purchase_id, failure.reason) for failure in found.failures] == [
        (refused, "CONTENT_REFUSED"),
        (unclear, "PURCHASE_UNCLEAR"),
    ]
    assert found.failures[1].charged == cost_pb2.CHARGED_UNKNOWN


@pytest.mark.parametrize("words", ["", "lighthouse"])
async def test_a_list_tells_what_is_at_risk_in_each_job(shelf: Shelf, words: str) -> None:
    ann = await shelf.person()
    clear, risky = await shelf.job(ann), await shelf.job(ann)
    await shelf.purchase(ann, clear, cost=5)
    await shelf.purchase(ann, risky, state="unclear", charged=None, reserved=30)
    await shelf.purchase(ann, risky, ordinal=1, state="ended", charged="unknown", cost=11)

    jobs = (await ann.ask("ListJobs", filter=pb.JobFilter(query=words))).jobs
    told = [(job.name, job.at_risk_count, job.at_risk_usd_micros) for job in jobs]
    assert told == [(f"jobs/{risky}", 2, 41), (f"jobs/{clear}", 0, 0)]
    assert await numbers(ann, query=words, at_risk_only=True) == [risky]
    assert await numbers(await shelf.person(), query=words, at_risk_only=True) == []


async def test_what_is_anothers_answers_as_what_is_not_there(shelf: Shelf) -> None:
    ann, bob = await shelf.person(), await shelf.person()
    job = await shelf.job(ann)
    for name in (f"jobs/{job}", "jobs/999999"):
        with pytest.raises(Missing) as failure:
            await bob.ask("GetJob", name=name)
        assert failure.value.message == f"There is no {name.replace('jobs/', 'job ')} of yours."
    assert await numbers(bob) == []


async def test_jobs_are_narrowed_by_every_filter(shelf: Shelf) -> None:
    ann = await shelf.person()
    old = datetime.now(UTC) - timedelta(days=30)
    both = {"prompt": "x", "models": ["sketch", "sketch-ink"]}
    plain = await shelf.job(ann)
    spring = await shelf.job(ann, project="spring", use_case="ad", preset_used="poster")
    failed = await shelf.job(ann, state="failed", title="The wolf")
    inked = await shelf.job(ann, spec=both, original_prompt="a wolf in ink")
    aged = await shelf.job(ann, created_at=old)
    yesterday = pb.JobFilter()
    yesterday.created_from.FromDatetime(datetime.now(UTC) - timedelta(days=1))

    assert await numbers(ann) == [aged, inked, failed, spring, plain]
    assert await numbers(ann, states=[job_pb2.JOB_STATE_FAILED]) == [failed]
    assert await numbers(ann, models=["sketch-ink", "else"]) == [inked]
    assert await numbers(ann, project="spring", use_case="ad", preset="poster") == [spring]
    assert await numbers(ann, query="wolf") == [inked, failed]
    assert await numbers(ann, query="wolf", states=[job_pb2.JOB_STATE_FAILED]) == [failed]
    assert await numbers(ann, created_from=yesterday.created_from) == [
        *(inked, failed, spring, plain)
    ]
    assert await numbers(ann, created_before=yesterday.created_from) == [aged]


@pytest.mark.parametrize("state", [0, 99, -1])
async def test_a_state_that_no_job_has_is_refused(shelf: Shelf, state: int) -> None:
    with pytest.raises(Invalid) as failure:
        await (await shelf.person()).ask("ListJobs", filter=pb.JobFilter(states=[state]))
    assert list(failure.value.fields) == ["filter.states"]


async def test_a_list_leaves_images_out_and_a_page_has_a_thousand_at_most(shelf: Shelf) -> None:
    ann = await shelf.person()
    await shelf.variant(ann, await shelf.job(ann))
    await shelf.run(
        "INSERT INTO image_jobs (user_id, title, state, original_prompt, spec, request_id, "
        "fingerprint, last_sequence, open_purchases) SELECT $1, '', 'queued', 'x', '{}', "
        "gen_random_uuid(), '', 1, 0 FROM generate_series(1, 1000)",
        ann.user_id,
    )
    assert len((await ann.ask("ListJobs")).jobs) == 50
    most = await ann.ask("ListJobs", page_size=5000)
    assert len(most.jobs) == 1000
    last = await ann.ask("ListJobs", page_token=most.next_page_token)
    assert (len(last.jobs), last.next_page_token) == (1, "")
    assert not last.jobs[0].images
