"""Replicate's official client, unchanged but for its base URL, against the lab."""

import io
import time

import pytest

from tests import patient
from tests.lab.replicate_client import CUT, PRO, RECRAFT, SCHNELL

try:
    import replicate
    from replicate.exceptions import ModelError, ReplicateError
    from replicate.pagination import async_paginate, paginate
    from replicate.webhook import InvalidSignatureError, InvalidTimestampError, Webhooks
except Exception as error:  # its models stand on pydantic.v1
    pytest.skip(f"the replicate package does not load here: {error!r}", allow_module_level=True)

INPUT = {"prompt": "a lighthouse"}


@pytest.fixture
async def client(lab, monkeypatch):
    monkeypatch.setenv("REPLICATE_BASE_URL", f"{lab.url}/replicate")
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8_good")
    monkeypatch.setenv("REPLICATE_POLL_INTERVAL", "0.01")
    made = replicate.Client()
    yield made
    made._client.close()
    await made._async_client.aclose()


def other(client, token):
    """A client with another token, which the test closes."""
    return replicate.Client(api_token=token, base_url=str(client._client.base_url))


# Create, wait, look, list, cancel


def test_create_by_model_then_wait(lab, client):
    lab.pace(0.05)
    made = client.predictions.create(model=RECRAFT, input=INPUT)
    assert (made.status, made.version, made.model) == ("starting", "hidden", RECRAFT)
    made.wait()

    assert made.status == "succeeded"
    assert made.metrics["image_count"] == 1
    assert made.output.startswith(f"{lab.url}/replicate/delivery/")


def test_create_by_version(lab, client):
    version = client.models.get(SCHNELL).latest_version
    made = client.predictions.create(version=version, input=INPUT)
    named = client.predictions.create(version=version.id, input=INPUT)

    assert made.version == named.version == version.id
    assert made.id != named.id


def test_create_and_wait_is_processing_with_its_output(lab, client):
    made = client.models.predictions.create(model=PRO, input=INPUT, wait=True)

    assert made.status == "processing"
    assert made.output.endswith("/out-0.webp")
    made.reload()
    assert made.status == "succeeded"


def test_create_by_version_and_wait_for_some_seconds(lab, client):
    version = client.models.get(SCHNELL).latest_version
    made = client.predictions.create(version=version, input=INPUT, wait=5)

    assert (made.status, len(made.output)) == ("processing", 1)


def test_create_drops_its_wait_where_it_is_called_by_model(lab, client):
    lab.pace(60)
    made = client.predictions.create(model=SCHNELL, input=INPUT, wait=True)

    assert made.status in ("starting", "processing")  # the package's fault, not the lab's
    assert made.output is None


def test_progress_is_read_from_the_logs(lab, client):
    lab.pace(1000)
    made = client.predictions.create(model=SCHNELL, input=INPUT)
    lab.advance(510)
    made.reload()

    assert (made.progress.percentage, made.progress.current, made.progress.total) == (0.5, 2, 4)


def test_get(lab, client):
    made = client.predictions.create(model=SCHNELL, input=INPUT)
    found = client.predictions.get(made.id)

    assert (found.id, found.input) == (made.id, INPUT)


def test_list_and_its_pages(lab, client):
    made = [client.predictions.create(model=SCHNELL, input=INPUT).id for _ in range(101)]
    pages = list(paginate(client.predictions.list))

    assert [len(page) for page in pages] == [100, 1]
    assert [one.id for page in pages for one in page] == made[::-1]


def test_cancel(lab, client):
    lab.pace(60)
    made = client.predictions.create(model=SCHNELL, input=INPUT)
    lab.advance(1)
    made.cancel()

    assert made.status == "canceled"
    assert client.predictions.get(made.id).status == "canceled"


def test_an_aborted_prediction_is_more_than_it_can_read(lab, client):
    lab.pace(60, queue_seconds=60)
    made = client.predictions.create(model=SCHNELL, input=INPUT)

    with pytest.raises(ValueError, match="status"):
        made.cancel()


# run and stream


def test_run_gives_links_as_text_since_they_are_not_https(lab, client):
    assert client.run(PRO, input=INPUT).startswith(lab.url)
    two = client.run(SCHNELL, input=INPUT | {"num_outputs": 2})

    assert [type(link) for link in two] == [str, str]
    assert [charge["images"] for charge in lab.ledger()] == [1, 2]


def test_run_by_version_and_without_waiting(lab, client):
    version = client.models.get(SCHNELL).latest_version.id
    (link,) = client.run(f"{SCHNELL}:{version}", input=INPUT, wait=False)

    assert patient.get(link).headers["content-type"] == "image/webp"


def test_run_raises_what_the_model_said(lab, client):
    with pytest.raises(ModelError, match="NSFW content detected"):
        client.run(SCHNELL, input={"prompt": "refuse-me"})


def test_stream(lab, client):
    output, done = client.stream(SCHNELL, input=INPUT)

    assert output.event.value == "output"
    assert output.data.startswith(lab.url)
    assert (done.event.value, done.data) == ("done", "{}")


def test_stream_raises_what_the_model_said(lab, client):
    with pytest.raises(RuntimeError, match="interrupted"):
        list(client.stream(SCHNELL, input={"prompt": "fail-me"}))


# Models and files


def test_models(lab, client):
    found = client.models.get("ideogram-ai/ideogram-v2")
    schemas = found.latest_version.openapi_schema["components"]["schemas"]

    assert (found.owner, found.name) == ("ideogram-ai", "ideogram-v2")
    assert "negative_prompt" in schemas["Input"]["properties"]
    assert found.versions.get(found.latest_version.id).id == found.latest_version.id
    assert len(client.models.list().results) >= 20
    assert client.accounts.current().username == "lab"
    lab.vendor("replicate", account="others")
    assert client.accounts.current().username == "others"


def test_files(lab, client):
    made = client.files.create(
        io.BytesIO(b"bytes"), filename="a.txt", content_type="text/plain", metadata={"a": 1}
    )
    assert (made.name, made.content_type, made.size) == ("a.txt", "text/plain", 5)
    assert made.metadata == {"a": 1}
    assert client.files.get(made.id) == made
    assert client.files.list() == [made]
    assert client.files.delete(made.id)
    assert client.files.list() == []


def test_a_file_that_is_given_as_input_is_uploaded_on_the_way(lab, client):
    made = client.predictions.create(
        model=PRO, input=INPUT | {"image_prompt": io.BytesIO(b"bytes")}
    )

    assert made.input["image_prompt"] == client.files.list()[0].urls["get"]


# Errors


@pytest.mark.parametrize(
    ("token", "status", "title"),
    [("r8_wrong", 401, "Unauthenticated"), ("r8_poor", 402, "Insufficient credit")],
)
def test_errors_of_the_account(lab, client, token, status, title):
    stranger = other(client, token)
    with pytest.raises(ReplicateError) as failure:
        stranger.predictions.create(model=SCHNELL, input=INPUT)
    stranger._client.close()

    assert (failure.value.status, failure.value.title) == (status, title)


def test_errors_of_the_order(lab, client):
    with pytest.raises(ReplicateError) as missing:
        client.predictions.create(model="acme/none", input=INPUT)
    with pytest.raises(ReplicateError) as wrong:
        client.predictions.create(model=SCHNELL, input={"num_outputs": 9})

    assert missing.value.status == 404
    assert wrong.value.status == 422
    assert "prompt is required" in wrong.value.detail
    assert "less than or equal to 4" in wrong.value.detail


@pytest.mark.parametrize("status", [429, 503])
def test_it_never_orders_again_by_itself(lab, client, status):
    lab.faults([{"vendor": "replicate", "where": "create", "kind": f"status:{status}"}])
    with pytest.raises(ReplicateError) as failure:
        client.predictions.create(model=SCHNELL, input=INPUT)

    assert failure.value.status == status
    assert lab.requests()["replicate"] == {"create": 1}


@pytest.mark.parametrize("status", [429, 503])
def test_it_looks_again_by_itself(lab, client, status):
    made = client.predictions.create(model=SCHNELL, input=INPUT)
    lab.faults([{"vendor": "replicate", "where": "get", "kind": f"status:{status}", "times": 2}])

    assert client.predictions.get(made.id).id == made.id
    assert lab.requests()["replicate"]["get"] == 3


def test_a_rate_that_is_used_up_is_an_error_of_its_own(lab, client):
    lab.vendor("replicate", creates_per_minute=1)
    client.predictions.create(model=SCHNELL, input=INPUT)
    with pytest.raises(ReplicateError, match="Request was throttled") as failure:
        client.predictions.create(model=SCHNELL, input=INPUT)

    assert failure.value.status == 429
    assert len(client.predictions.list()) == 1


def test_an_answer_that_is_lost_leaves_an_order_behind(lab, client):
    lab.faults([{"vendor": "replicate", "where": "create", "kind": "drop_after"}])
    with pytest.raises(CUT):
        client.predictions.create(model=SCHNELL, input=INPUT)

    assert len(client.predictions.list()) == 1


# Webhooks


def test_webhooks_are_validated(lab, client, listener):
    secret = client.webhooks.default.secret()
    client.predictions.create(
        model=SCHNELL, input=INPUT, webhook=listener.url, webhook_events_filter=["completed"]
    )
    heard = listener.next()
    body = heard.body.decode()

    Webhooks.validate(headers=heard.headers, body=body, secret=secret, tolerance=300)
    with pytest.raises(InvalidSignatureError):
        Webhooks.validate(headers=heard.headers, body=body + " ", secret=secret)
    old = heard.headers | {"webhook-timestamp": str(int(time.time()) - 301)}
    with pytest.raises(InvalidTimestampError):
        Webhooks.validate(headers=old, body=body, secret=secret, tolerance=300)


# The same, asynchronously


async def test_async_create_wait_get_list_cancel(lab, client):
    made = await client.predictions.async_create(model=SCHNELL, input=INPUT)
    await made.async_wait()
    assert made.status == "succeeded"
    assert (await client.predictions.async_get(made.id)).output == made.output
    assert [[one.id for one in page] async for page in async_paginate(
        client.predictions.async_list
    )] == [[made.id]]  # fmt: skip

    lab.pace(60)
    slow = await client.predictions.async_create(model=SCHNELL, input=INPUT)
    lab.advance(1)
    await slow.async_cancel()
    assert slow.status == "canceled"


async def test_async_run_and_stream(lab, client):
    (link,) = await client.async_run(SCHNELL, input=INPUT)
    assert link.startswith(lab.url)

    events = [event async for event in await client.async_stream(SCHNELL, input=INPUT)]
    assert [event.event.value for event in events] == ["output", "done"]


async def test_async_models_files_and_secret(lab, client):
    found = await client.models.async_get(SCHNELL)
    made = await client.models.predictions.async_create(model=found, input=INPUT, wait=True)
    assert made.status == "processing"

    upload = await client.files.async_create(io.BytesIO(b"bytes"))
    assert (await client.files.async_get(upload.id)).size == 5
    assert await client.files.async_delete(upload.id)
    secret = await client.webhooks.default.async_secret()
    assert secret.key.startswith("whsec_")
