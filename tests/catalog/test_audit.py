"""The audit: the ledger as it stands, whole, as JSON of its own process."""

import json
import os
import subprocess
import sys

from tests.catalog.purchases import admitted, claim, drawn, keep, make_ledger, ticket


def audited(url):
    return subprocess.run(
        [sys.executable, "-P", "-m", "services.catalog.audit"],
        env=os.environ | {"DATABASE_URL": url}, check=False, capture_output=True, text=True,
    )  # fmt: skip


async def test_it_tells_of_a_purchase_its_job_its_log_and_its_money(database_url, pools):
    async with pools.ledger.acquire() as connection:
        user = await connection.fetchval(
            "INSERT INTO users (subject) VALUES ('ada') RETURNING user_id"
        )
    (key,) = await admitted(pools.ledger, user, reserve=40_000, provider="replicate")
    ledger, _news = make_ledger(pools.ledger)
    steps = [claim(key), ticket(key, 1, "p1"), drawn(key, 1, 2, cost=6000)]
    for step in [*steps, keep(key, 1, 0), keep(key, 1, 1)]:
        await ledger.apply([step])

    done = audited(database_url)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (job,), (events,), (purchase,) = found["jobs"], found["events"], found["purchases"]
    assert (job["state"], job["ended"], job["cost"]) == ("succeeded", True, 6000)
    assert events["sequences"] == [*range(1, job["last_sequence"] + 1)]
    assert events["kinds"] == [
        *("accepted", "queued", "purchased", "image_kept", "image_kept", "completed")
    ]
    assert (purchase["purchase_id"], purchase["ticket"], purchase["state"]) == (key, "p1", "kept")
    assert (purchase["reserved"], purchase["cost"], purchase["charged"]) == (0, 6000, "yes")
    assert [variant["cost"] for variant in found["variants"]] == [3000, 3000]
    assert [output["state"] for output in found["outputs"]] == ["kept", "kept"]
    assert len(found["files"]) == 2
    (month,) = found["spending"]
    assert (month["spent"], month["reserved"]) == (6000, 0)
    assert {"user_id": user, "subject": "ada"} in found["users"]


def test_without_a_database_it_says_so_in_a_line():
    done = audited("postgresql://nobody:secret@127.0.0.1:1/none")
    assert done.returncode == 1
    assert done.stderr.startswith("audit: The database does not answer")
    assert "secret" not in done.stderr
