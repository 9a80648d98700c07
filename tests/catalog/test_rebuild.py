"""A catalog made again of what the notes beside the files say, on a real PostgreSQL."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.catalog import backup, rebuild, restore
from services.catalog.restoring import CannotRebuild

BEGAN = datetime(2026, 11, 3, 12, tzinfo=UTC)
REQUEST = str(uuid.uuid4())


def hash_of(number):
    return f"{number:064x}"


def note(number, *, job=7, user=3, purchase=None, index=0, file=None, old=False, **told):
    """The note of the *number*-th picture, kept that many seconds after BEGAN."""
    file = number if file is None else file
    found = {
        "created_at": (BEGAN + timedelta(seconds=number)).isoformat(),
        "user_id": user,
        "media_type": "image/png",
        "size_bytes": 1000 + file,
        "purchase_id": purchase or str(uuid.UUID(int=number)),
        "image_hash": hash_of(file),
        "link": f"link{user}{file:021}",
        "width": 64,
        "height": 48,
        "readable": True,
        "job": f"jobs/{job}",
        "model": "flux-schnell",
        "prompt": "a lighthouse",
        "output_index": index,
    }
    return found if old else found | {"provenance": provenance(number, **told)}


def provenance(number, *, subject="ada", ordinal=None, attempt=1, outputs=1, cost=3000, count=2):
    return {
        "job": {
            "title": "Lights",
            "project": "sea",
            "useCase": "poster",
            "requestId": REQUEST,
            "fingerprint": "f" * 64,
            "originalPrompt": "lighthouse!",
            "createTime": BEGAN.isoformat().replace("+00:00", "Z"),
            "spec": {"models": ["flux-schnell"], "count": count},
        },
        "subject": subject,
        "purchase": {
            "provider": "replicate",
            "model": "flux-schnell",
            "ordinal": number if ordinal is None else ordinal,
            "attempt": attempt,
            "sendTime": BEGAN.isoformat().replace("+00:00", "Z"),
            "cost": {"usdMicros": str(cost)},
        },
        "ticket": f"prediction{number}",
        "outputs": outputs,
        "image": {
            "modelVersion": "v1",
            "negativePrompt": "fog",
            "parameters": {"go_fast": True},
            "seed": str(2**53 + number),
            "generationTime": "1.500s",
            "replicatePredictionId": f"prediction{number}",
        },
    }


def lines(*notes):
    return [json.dumps(one) for one in notes]


async def rows(url, query):
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


VARIANTS = """
    SELECT version_number, purchase_id::text, output_index, image_hash, cost, seed,
           generation_time_ms, created_at FROM image_variants ORDER BY job_id, version_number"""


async def test_a_job_comes_back_with_all_that_its_notes_say(empty_url):
    report = await rebuild.rebuild(empty_url, lines(note(0), note(1)))
    assert (report.jobs, report.variants, report.problems) == (1, 2, [])
    assert await rows(empty_url, VARIANTS) == [
        (n + 1, str(uuid.UUID(int=n)), 0, hash_of(n), 3000, 2**53 + n, 1500,
         BEGAN + timedelta(seconds=n))
        for n in range(2)
    ]  # fmt: skip
    [job] = await rows(
        empty_url,
        """SELECT j.job_id, j.user_id, u.subject, j.state, title, project, use_case, j.cost,
                  original_prompt, request_id::text, fingerprint, j.created_at, ended_at,
                  open_purchases, spec::jsonb ->> 'prompt'
           FROM image_jobs j JOIN users u USING (user_id)""",
    )
    ended = BEGAN + timedelta(seconds=1)
    assert job == (
        *(7, 3, "ada", "succeeded", "Lights", "sea", "poster", 6000, "lighthouse!", REQUEST),
        *("f" * 64, BEGAN, ended, 0, "a lighthouse"),
    )
    spent = "SELECT user_id, period::text, spent, reserved FROM spending"
    assert await rows(empty_url, spent) == [(3, "2026-11-01", 6000, 0)]
    tickets = "SELECT ticket, state, charged FROM purchases ORDER BY ordinal"
    assert await rows(empty_url, tickets) == [
        ("prediction0", "kept", "yes"), ("prediction1", "kept", "yes")
    ]  # fmt: skip
    kinds = [kind for (kind,) in await rows(empty_url, "SELECT kind FROM job_events ORDER BY 1")]
    assert kinds.count("completed") == 1
    assert kinds.count("image_kept") == 2


async def test_again_changes_nothing(empty_url):
    notes = lines(note(0), note(1))
    await rebuild.rebuild(empty_url, notes)
    before = await rows(empty_url, "SELECT * FROM image_variants")
    report = await rebuild.rebuild(empty_url, notes)
    assert (report.jobs, report.variants, report.problems) == (0, 0, [])
    assert await rows(empty_url, "SELECT * FROM image_variants") == before


async def test_one_file_of_two_purchases_is_two_variants_with_one_link(empty_url):
    await rebuild.rebuild(empty_url, lines(note(0), note(1, file=0)))
    assert len(await rows(empty_url, VARIANTS)) == 2
    assert len(await rows(empty_url, "SELECT * FROM image_files")) == 1


async def test_several_images_of_one_call_share_its_cost_and_a_lost_one_is_told(empty_url):
    call = {"purchase": str(uuid.uuid4()), "outputs": 3, "ordinal": 0, "cost": 1000, "count": 3}
    report = await rebuild.rebuild(empty_url, lines(note(0, **call), note(2, index=2, **call)))
    assert report.problems == []
    costs = [(row[2], row[4]) for row in await rows(empty_url, VARIANTS)]
    assert costs == [(0, 334), (2, 333)]
    assert await rows(empty_url, "SELECT state FROM purchases") == [("lost",)]
    assert await rows(empty_url, "SELECT state, cost FROM image_jobs") == [
        ("partially_succeeded", 1000)
    ]


async def test_what_was_asked_for_and_is_not_there_is_told_as_failed(empty_url):
    await rebuild.rebuild(empty_url, lines(note(1)))
    assert await rows(empty_url, "SELECT state FROM image_jobs") == [("partially_succeeded",)]
    missing = "SELECT ordinal, charged, cost FROM purchases WHERE state = 'ended'"
    assert await rows(empty_url, missing) == [(0, "unknown", 0)]


async def test_notes_of_an_older_release_are_enough_for_a_variant(empty_url):
    report = await rebuild.rebuild(empty_url, lines(note(0, old=True), note(1, old=True)))
    assert report.problems == []
    [first, second] = await rows(empty_url, VARIANTS)
    assert (first[0], second[0]) == (1, 2)
    job = "SELECT job_id, state, title, subject FROM image_jobs JOIN users USING (user_id)"
    assert await rows(empty_url, job) == [(7, "succeeded", "a lighthouse", "local")]


async def test_a_copy_at_the_cdn_is_known_again(empty_url):
    url = f"https://cdn.test/v7/{note(0)['link']}.png"
    copy = {"cdn_url": url, "cdn_thumbnail_url": f"{url}?w", "published_at": BEGAN.isoformat()}
    await rebuild.rebuild(empty_url, lines(note(0, count=1), note(0, count=1) | copy))
    shown = "SELECT cdn_url, thumbnail_url, published_at FROM image_variants"
    assert await rows(empty_url, shown) == [(url, f"{url}?w", BEGAN)]
    assert await rows(empty_url, "SELECT state FROM purchases") == [("published",)]


async def test_a_file_that_a_user_sent_is_recorded(empty_url):
    await rebuild.rebuild(empty_url, lines(note(0), note(5) | {"purchase_id": ""}))
    assert len(await rows(empty_url, "SELECT * FROM image_files")) == 2
    assert len(await rows(empty_url, VARIANTS)) == 1


async def test_what_cannot_be_read_is_counted_and_hinders_nothing(empty_url):
    report = await rebuild.rebuild(empty_url, ["{", '{"job": 3}', *lines(note(0, count=1))])
    assert report.problems == ["2 notes could not be read"]
    assert report.variants == 1


async def test_a_user_who_is_somebody_else_here_ends_it_before_anything_is_written(empty_url):
    await rebuild.rebuild(empty_url, lines(note(0)))
    with pytest.raises(CannotRebuild, match="user 3"):
        await rebuild.rebuild(empty_url, lines(note(9, job=9, subject="bob")))
    assert len(await rows(empty_url, VARIANTS)) == 1


async def test_numbers_that_somebody_may_know_are_not_given_again(empty_url):
    await rebuild.rebuild(empty_url, lines(note(0)))
    last = "SELECT pg_sequence_last_value(pg_get_serial_sequence('{}', '{}'))"
    for table, column, least in (("users", "user_id", 3), ("image_jobs", "job_id", 7)):
        [(number,)] = await rows(empty_url, last.format(table, column))
        assert number >= least + rebuild.GAP


async def test_dropped_it_is_as_from_nothing_and_an_empty_vault_drops_nothing(empty_url):
    await rebuild.rebuild(empty_url, lines(note(0), note(1)))
    before = await rows(empty_url, VARIANTS)
    with pytest.raises(CannotRebuild, match="nothing is dropped"):
        await rebuild.rebuild(empty_url, [], anew=True)
    await rebuild.rebuild(empty_url, lines(note(1), note(0)), anew=True)
    assert await rows(empty_url, VARIANTS) == before


def number(of, variant, version):
    return json.dumps({
        "purchase_id": of["purchase_id"],
        "output_index": of["output_index"],
        "variant": f"jobs/7/variants/{variant}",
        "version_number": version,
    })  # fmt: skip


async def test_variants_have_their_numbers_again_where_these_were_written_down(empty_url):
    first, second, third = (note(n, ordinal=n, count=3) for n in range(3))
    told = [number(first, 40, 2), number(second, 41, 1), *lines(first, second, third)]
    report = await rebuild.rebuild(empty_url, told)
    assert report.problems == []
    numbers = "SELECT purchase_id::text, variant_id, version_number FROM image_variants ORDER BY 3"
    [one, two, new] = await rows(empty_url, numbers)
    assert one == (second["purchase_id"], 41, 1)
    assert two == (first["purchase_id"], 40, 2)
    assert new[0::2] == (third["purchase_id"], 3)
    last = "SELECT pg_sequence_last_value(pg_get_serial_sequence('image_variants', 'variant_id'))"
    assert (await rows(empty_url, last))[0][0] >= 41 + rebuild.GAP


# -- After a restore


async def restored(url, path):
    with path.open("rb") as copy:
        await restore.prepare(url)
        restore.load(url, copy)
    await restore.mark(url)


@pytest.fixture
async def older(empty_url, tmp_path):
    """A database put back of a time when one of two orders was there, planned."""
    await rebuild.rebuild(empty_url, lines(note(0), note(1)))
    connection = await asyncpg.connect(empty_url)
    await connection.execute(
        """DELETE FROM image_variants; DELETE FROM purchase_outputs;
           DELETE FROM job_events WHERE sequence > 2;
           DELETE FROM purchases WHERE ordinal = 1;
           UPDATE purchases SET state = 'planned', ticket = NULL, cost = 0, charged = NULL;
           UPDATE image_jobs SET state = 'running', ended_at = NULL, open_purchases = 1,
                                 last_sequence = 2, last_version = 0, cost = 0;
           UPDATE spending SET spent = 0"""
    )
    await connection.close()
    await backup.copy(empty_url, tmp_path / "copy")
    connection = await asyncpg.connect(empty_url)
    await connection.execute(rebuild._DROP)
    await connection.close()
    await restored(empty_url, tmp_path / "copy")
    return empty_url


async def test_what_the_vault_has_of_an_open_order_is_kept_and_not_looked_up(older):
    assert await rows(older, "SELECT state FROM purchases") == [("unclear",)]
    report = await rebuild.rebuild(older, lines(note(0)))
    assert (report.variants, report.problems) == (1, [])
    assert await rows(older, "SELECT state, ticket, cost FROM purchases") == [
        ("kept", "prediction0", 3000)
    ]
    assert await rows(older, "SELECT state, cost FROM image_jobs") == [("succeeded", 3000)]


async def test_an_order_that_was_made_in_the_place_of_an_open_one_takes_it(older):
    later = note(1, ordinal=0, attempt=2)
    report = await rebuild.rebuild(older, lines(later))
    assert (report.variants, report.problems) == (1, [])
    states = "SELECT attempt, state FROM purchases ORDER BY attempt"
    assert await rows(older, states) == [(1, "void"), (2, "kept")]


async def test_a_job_that_the_copy_had_not_comes_with_its_own_number(older):
    other = note(5, job=8, count=1, ordinal=0)
    other["provenance"]["job"]["requestId"] = str(uuid.uuid4())
    report = await rebuild.rebuild(older, lines(other))
    assert (report.variants, report.problems) == (1, [])
    jobs = "SELECT job_id, state FROM image_jobs ORDER BY job_id"
    assert await rows(older, jobs) == [(7, "running"), (8, "succeeded")]


async def test_another_job_of_that_number_is_left_alone_and_told(older):
    other = note(5, count=1)
    other["provenance"]["job"]["requestId"] = str(uuid.uuid4())
    report = await rebuild.rebuild(older, lines(other))
    assert "one job in the vault and another" in report.problems[0]


def answer(number):
    told = {"provider": "recraft", "size_bytes": 70_000, "created_at": BEGAN.isoformat()}
    return {"answer": str(uuid.UUID(int=number)), **told}


async def test_answers_to_orders_that_nobody_knows_any_more_are_told_with_their_place(older):
    """The copy knows of the first one, which is followed; what came after it is forgotten."""
    [known] = await rows(older, "SELECT purchase_id FROM purchases")
    report = await rebuild.rebuild(older, lines({**answer(1), "answer": str(known[0])}, answer(99)))
    assert report.problems == []
    missing = str(uuid.UUID(int=99))
    said, told = report.lines()[1:]
    assert said.startswith("answers to orders that nobody knows any more")
    assert told == f"receipts/63/{missing}: 70000 bytes of recraft, of {BEGAN.isoformat()}"
