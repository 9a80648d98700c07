"""The database is dropped and made again of the vault: every row that can come back does."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest

from tests import patient
from tests.system.client import generate, prove_whole
from tests.system.stack import Stack, running_stack

SKETCH = {"prompt": "a boat at night", "models": ["sketch"], "size": "64x64", "seed": 7}
ASKED = (  # by user
    ("ada", SKETCH | {"title": "Boats", "project": "sea", "use_case": "poster"}),
    ("ada", SKETCH),  # the same bytes again
    ("ada", {"prompt": "two towers", "models": ["flux-schnell", "sketch-ink"], "count": 3}),
    ("ada", {"prompt": "a logo", "models": ["recraft-v3"], "negative_prompt": "fog"}),
    ("bob", SKETCH),  # the same bytes, of somebody else
    ("bob", {"prompt": "a door", "models": ["seedream-4.5"], "count": 2}),
)
# Of one file that was uploaded twice the CDN told two URLs; the vault knows the newer ones.
TABLES = {
    "image_variants": """
        SELECT variant_id, version_number, job_id, user_id, model_key, model_version,
               original_prompt, enhanced_prompt, negative_prompt, parameters::text,
               regexp_replace(cdn_url, '/v[0-9]+/', '/'), width, height, seed,
               generation_time_ms, cost, replicate_prediction_id, image_hash, purchase_id,
               output_index, media_type, bytes, published_at IS NOT NULL
        FROM image_variants ORDER BY purchase_id, output_index""",
    "image_files": """
        SELECT user_id, image_hash, link, media_type, bytes, width, height, readable
        FROM image_files ORDER BY link""",
    "image_jobs": """
        SELECT job_id, user_id, title, project, use_case, preset_used, state, original_prompt,
               spec::text, request_id, fingerprint, last_version, open_purchases, cost, created_at
        FROM image_jobs ORDER BY job_id""",
    "purchases": """
        SELECT purchase_id, job_id, user_id, provider, model_key, ordinal, attempt, state, ticket,
               fingerprint, period, reserved, cost, charged, sent_at
        FROM purchases ORDER BY purchase_id""",
    "purchase_outputs": """
        SELECT purchase_id, index, state, image_hash, version_number, variant_id
        FROM purchase_outputs ORDER BY purchase_id, index""",
    "users": "SELECT user_id, subject FROM users ORDER BY user_id",
    "spending": "SELECT user_id, period, spent, reserved FROM spending ORDER BY user_id, period",
}
TIMES = "SELECT created_at FROM image_variants ORDER BY purchase_id, output_index"


def key(stack: Stack, user: str) -> str:
    done = stack.studio("keys", "create", "a test", "--user", user)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def rows(data: Path, query: str) -> list[tuple[object, ...]]:
    url = (data / "secrets" / "database_url").read_text().strip()
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


def every_row(stack: Stack) -> dict[str, list[tuple[object, ...]]]:
    return {name: asyncio.run(rows(stack.data, query)) for name, query in TABLES.items()}


def written_down(data: Path) -> int:
    """How many variants' numbers the vault knows."""
    journal = (data / "vault" / "journal").glob("*.jsonl")
    return sum(len(path.read_text().split("\n{")) - 1 for path in journal)


@pytest.fixture(scope="module")
def lost() -> Iterator[SimpleNamespace]:
    """What there was before, and a stack that has lost its database and has it again."""
    quick = {"LAB_PACE": "0.05", "LOOKUP_LAG": "1", "AUTH": "keys"}
    with running_stack("--lab", **quick) as stack:
        keys = {user: key(stack, user) for user in ("ada", "bob")}
        jobs = [generate(stack.url, body, keys[user]) for user, body in ASKED]
        for job, (_user, body) in zip(jobs, ASKED, strict=True):
            prove_whole(job, len(body["models"]) * body.get("count", 1))
        mine = {"Authorization": f"Bearer {keys['ada']}"}
        [first] = jobs[0].completed["images"]
        gone = patient.delete(f"{stack.url}/images/variants/{first['variant_id']}", headers=mine)
        assert gone.status_code in (200, 204), gone.text
        stack.await_(lambda: written_down(stack.data) == sum(len(j.of("image_kept")) for j in jobs))
        made = SimpleNamespace(stack=stack, jobs=jobs, before=every_row(stack))
        made.times = asyncio.run(rows(stack.data, TIMES))
        stack.stop()
        made.refused = stack.studio("rebuild", "--drop")
        made.done = stack.studio("rebuild", "--drop", "--yes")
        stack.start("--lab")
        made.keys = {user: key(stack, user) for user in ("ada", "bob")}
        yield made


def test_it_is_dropped_only_where_somebody_says_so(lost):
    assert lost.refused.returncode == 1
    assert lost.done.returncode == 0, lost.done.stderr
    assert (
        f"{len(lost.before['image_variants'])} variants of 6 jobs came back from the vault"
        in lost.done.stderr
    )


@pytest.mark.parametrize("table", TABLES)
def test_every_row_that_can_come_back_does(lost, table):
    now = every_row(lost.stack)[table]
    for new, old in zip(now, lost.before[table], strict=True):
        assert new == old


def test_they_have_their_times(lost):
    now = asyncio.run(rows(lost.stack.data, TIMES))
    for (old,), (new,) in zip(lost.times, now, strict=True):
        assert abs((old - new).total_seconds()) < 30


def test_links_that_were_given_out_live(lost):
    for job in lost.jobs:
        for image in job.completed["images"]:
            assert patient.get(image["vault_url"]).status_code == 200


def test_a_job_and_its_log_can_be_read_by_its_user_alone(lost):
    job = lost.jobs[2].completed
    for user, status in (("ada", 200), ("bob", 404)):
        mine = {"Authorization": f"Bearer {lost.keys[user]}"}
        found = patient.get(f"{lost.stack.url}/images/jobs/{job['job_id']}", headers=mine)
        assert found.status_code == status
    mine = {"Authorization": f"Bearer {lost.keys['ada']}"}
    log = patient.get(f"{lost.stack.url}/images/jobs/{job['job_id']}/events", headers=mine)
    assert log.text.count("event: image_kept") == 6
    assert "event: completed" in log.text


def test_the_next_job_goes_on_from_there(lost):
    job = generate(lost.stack.url, SKETCH, lost.keys["ada"])
    prove_whole(job, 1)
    assert int(job.completed["job_id"]) > max(int(old.completed["job_id"]) for old in lost.jobs)


def test_again_there_is_nothing_left_to_do(lost):
    assert "`./studio down` ends it" in lost.stack.studio("rebuild").stderr
    lost.stack.stop()
    done = lost.stack.studio("rebuild")
    assert "lacks nothing that the vault has" in done.stderr
    lost.stack.start("--lab")
