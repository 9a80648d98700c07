"""Caps on a whole stack: what the vendor charges, what a user is told, and who is refused."""

import asyncio
import json
import math
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import grpc
import httpx
import pytest

from imagestudio.catalog.v1.catalog_service_pb2 import UpdateSpendCapRequest
from imagestudio.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from tests import patient
from tests.lab.process import Control
from tests.system.client import generate
from tests.system.stack import Stack, running_stack

PRO = {"prompt": "a lighthouse at dawn", "models": ["flux-1.1-pro"]}  # $0.04 an image
CREDENTIALS = ("generate", "read", "caps")


@pytest.fixture(scope="module")
def capped():
    """A stack behind the lab on which nobody spends more than a dollar a month."""
    quick = {"LAB_PACE": "0.05", "PUBLISH_WAIT": "0", "WORKER_PATIENCE": "1", "LOOKUP_LAG": "1"}
    with running_stack("--lab", AUTH="keys", SPEND_CAP_USD="1.00", **quick) as stack:
        yield stack


@dataclass(frozen=True)
class User:
    """Somebody with a key and a month in which nothing is spent yet."""

    stack: Stack
    key: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def ask(self, body, path="/images/generate"):
        return patient.post(f"{self.stack.url}{path}", json=body, headers=self.headers)

    def usage(self):
        return patient.get(f"{self.stack.url}/images/usage", headers=self.headers).json()

    def cap(self, micros):
        """Set a cap of one's own; return the one that holds."""
        with grpc.insecure_channel(f"127.0.0.1:{self.stack.port('CATALOG_PORT')}") as channel:
            answer = CatalogServiceStub(channel).UpdateSpendCap(
                UpdateSpendCapRequest(cap_usd_micros=micros),
                metadata=[("authorization", f"Bearer {self.key}")],
                timeout=60,
            )
        return answer.cap.cap_usd_micros


@pytest.fixture
def user(capped, request):
    scopes = [word for scope in CREDENTIALS for word in ("--scope", scope)]
    name = request.node.name
    made = capped.studio("keys", "create", "test", "--user", name, *scopes, "--json")
    assert made.returncode == 0, made.stderr
    return User(capped, json.loads(made.stdout)["key"])


@pytest.fixture
def vendor(capped):
    control = Control(f"http://127.0.0.1:{capped.port('LAB_PORT')}")
    control.reset()
    return control


async def at_once(user, count):
    """So many requests, each on a connection of its own, none before the others."""
    limits = httpx.Limits(max_connections=count)
    async with patient.AsyncClient(limits=limits, timeout=60, headers=user.headers) as http:
        url = f"{user.stack.url}/images/generate"
        return await asyncio.gather(*(http.post(url, json=PRO) for _ in range(count)))


async def insistently(user, count, answered):
    """As many at once, each sent again with its key until it is taken or refused."""
    url = f"{user.stack.url}/images/generate"
    limits = httpx.Limits(max_connections=count)
    async with patient.AsyncClient(limits=limits, timeout=60, headers=user.headers) as http:

        async def one():
            key = {"Idempotency-Key": str(uuid.uuid4())}
            while True:
                with suppress(httpx.TransportError):
                    answer = await http.post(url, json=PRO, headers=key)
                    if answer.status_code < 500:
                        answered.append(answer.status_code)
                        return answer
                await asyncio.sleep(0.05)

        return await asyncio.gather(*(one() for _ in range(count)))


def settled(user):
    return user.usage()["cap"]["reserved_usd"] == 0


async def test_of_200_at_once_exactly_those_that_the_cap_pays_for_are_bought(user, vendor):
    answers = await at_once(user, 200)
    prove_bought(user, vendor, answers)


@pytest.mark.parametrize("count", [500, pytest.param(1000, marks=pytest.mark.release)])
async def test_of_so_many_as_many_while_generator_and_catalog_are_killed(user, vendor, count):
    answered = []
    asking = asyncio.create_task(insistently(user, count, answered))
    for name, after in (("generator-1", 5), ("catalog", 100), ("generator-1", 400)):
        while len(answered) < after and not asking.done():
            await asyncio.sleep(0.01)
        await asyncio.to_thread(user.stack.kill_and_await, name)
    prove_bought(user, vendor, await asking)


def prove_bought(user, vendor, answers):
    """25 of $0.04 each are a dollar: so many were taken, ordered, charged and told."""
    codes = Counter(answer.status_code for answer in answers)
    assert codes == {202: 25, 402: len(answers) - 25}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 402} == {
        "SPEND_CAP_EXCEEDED"
    }
    user.stack.await_(lambda: settled(user))
    charges = vendor.ledger()
    assert len(charges) == len({charge["purchase_id"] for charge in charges}) == 25
    assert vendor.requests()["replicate"]["create"] == 25
    usage = user.usage()
    assert micros(usage["cap"]["spent_usd"]) == micros(sum(c["usd"] for c in charges)) == 1_000_000
    assert (usage["cap"]["reserved_usd"], usage["cap"]["remaining_usd"]) == (0, 0)
    assert [
        (line["key"], line["image_count"], micros(line["cost_usd"])) for line in usage["lines"]
    ] == [("flux-1.1-pro", 25, 1_000_000)]


def micros(usd):
    """Whole millionths of a dollar: no more may be lost on the way than a float cannot hold."""
    found = round(usd * 1_000_000)
    assert math.isclose(found, usd * 1_000_000, abs_tol=1e-6)
    return found


def test_more_than_max_cost_is_refused_before_anything_is_spent(user, vendor):
    refused = user.ask(PRO | {"count": 3, "max_cost_usd": 0.119999})
    assert (refused.status_code, refused.json()["code"]) == (402, "COST_LIMIT_EXCEEDED")
    assert not vendor.requests().get("replicate", {}).get("create")
    assert user.usage()["cap"]["reserved_usd"] == 0
    taken = user.ask(PRO | {"count": 3, "max_cost_usd": 0.12})
    assert taken.status_code == 202
    user.stack.await_(lambda: settled(user))
    assert micros(user.usage()["cap"]["spent_usd"]) == 120_000


def test_the_estimate_comes_before_and_the_vendors_price_after(user, vendor):
    asked = PRO | {"models": ["flux-1.1-pro", "flux-schnell"], "count": 2}
    told = user.ask(asked, "/images/estimate").json()
    assert not vendor.requests().get("replicate", {}).get("create")
    job = generate(user.stack.url, asked, user.key)
    [accepted] = job.of("accepted")
    assert job.events[0][0] == "accepted"
    expected = accepted["estimate"]["expected_usd"]
    assert micros(expected) == micros(told["expected_usd"]) == 86_000
    charged = sum(charge["usd"] for charge in vendor.ledger())
    assert micros(job.completed["cost_usd"]) == micros(charged) == 86_000
    images = job.completed["images"]
    assert micros(sum(image["cost_usd"] for image in images)) == 86_000


def test_a_cap_of_ones_own_holds_below_the_servers(user, vendor):
    assert user.cap(100_000) == 100_000
    answers = [user.ask(PRO) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 402]
    assert "$0.0200 of the month's $0.10 is left" in answers[2].json()["detail"]
    with pytest.raises(grpc.RpcError) as above:
        user.cap(1_000_001)
    assert above.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    user.stack.await_(lambda: settled(user))
    assert len(vendor.ledger()) == 2


def test_no_prompt_is_written_for_images_that_would_be_refused(user, vendor):
    """The cap leaves the prompt, and not the four images that it is for."""
    assert user.cap(100_000) == 100_000
    wanted = PRO | {"count": 4, "smart_prompt": True}
    told = user.ask(wanted, "/images/estimate").json()
    assert told["smart_prompt_usd"] < 0.1 < told["reserved_usd"]
    refused = user.ask(wanted)
    assert (refused.status_code, refused.json()["code"]) == (402, "SPEND_CAP_EXCEEDED")
    assert vendor.requests() == {}
    assert settled(user)


IDEA = {"seed_text": "the sea"}


def test_words_are_paid_under_the_same_cap_and_refused_before_they_are_written(user, vendor):
    assert user.cap(1000) == 1000  # a tenth of a cent is less than any answer may cost
    refused = user.ask(IDEA, "/images/prompt-suggestions/stream")
    assert (refused.status_code, refused.json()["code"]) == (402, "SPEND_CAP_EXCEEDED")
    smart = user.ask(PRO | {"smart_prompt": True})
    assert (smart.status_code, smart.json()["code"]) == (402, "SPEND_CAP_EXCEEDED")
    assert vendor.requests() == {}
    assert user.cap(100_000) == 100_000
    assert user.ask(IDEA, "/images/prompt-suggestions/stream").text.count("event: suggestion") == 4
    [charge] = vendor.ledger()
    usage = user.usage()
    assert micros(usage["language_usd"]) == micros(usage["cap"]["spent_usd"])
    assert usage["language_usd"] == pytest.approx(charge["usd"], abs=1e-6)


def test_what_is_refused_by_the_vendor_gives_back_what_was_reserved(user, vendor):
    assert user.cap(40_000) == 40_000
    vendor.faults([{"vendor": "replicate", "where": "create", "kind": "status:422", "times": 1}])
    answer = user.ask(PRO)
    job = watch_as(user, answer.headers["location"])
    assert [failure["charged"] for failure in job["failures"]] == [False]
    assert user.usage()["cap"]["spent_usd"] == user.usage()["cap"]["reserved_usd"] == 0
    assert user.ask(PRO).status_code == 202
    user.stack.await_(lambda: settled(user))


def watch_as(user, location):
    job = {}

    def ended():
        nonlocal job
        job = patient.get(f"{user.stack.url}{location}", headers=user.headers).json()
        return job["ended_at"]

    user.stack.await_(ended)
    return job
