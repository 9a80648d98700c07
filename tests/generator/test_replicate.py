"""Buying from Replicate and following what was bought, on a scripted wire."""

import asyncio
import contextlib
import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.provider import (
    Allowance,
    Busy,
    ContentRefused,
    Drawn,
    Ended,
    NoCredit,
    NotKnown,
    Refused,
    Ticket,
    Unavailable,
    Unclear,
    Working,
)
from services.generator.providers import predictions
from tests.generator.scripted_wire import ID, ORDER, SLUG, Script, replicate, says

HOOK = httpx.URL("https://studio.test/webhooks/replicate")
GONE = Ended(charged=True, reason="succeeded, and its output is gone")
DONE = {
    "id": "p1", "model": SLUG, "status": "succeeded", "output": ["https://r/1", "https://r/2"],
    "completed_at": "2026-11-22T07:00:00.123Z", "metrics": {"predict_time": 1.5},
}  # fmt: skip


async def told(provider, ticket="p1"):
    return [event async for event in provider.follow(Ticket(ticket))]


def event(**found):
    return predictions.event(found, {SLUG: 3_000})


# -- buying


async def test_an_order_says_what_to_draw_when_to_stop_and_whose_it_is():
    script = Script(says(201, id="p1", status="starting"))
    assert await replicate(script, hook=HOOK).buy(ORDER, None, None) == Ticket("p1")
    (sent,) = script.requests
    assert script.asked == [f"POST /v1/models/{SLUG}/predictions"]
    assert sent.headers["cancel-after"] == "300s"
    assert json.loads(sent.content) == {
        "input": dict(ORDER.inputs),
        "webhook": f"https://studio.test/webhooks/replicate?purchase_id={ID}",
        "webhook_events_filter": ["logs", "completed"],
    }


async def test_without_a_hook_no_webhook_is_asked_for():
    script = Script(says(201, id="p1"))
    await replicate(script).buy(ORDER, None, None)
    assert json.loads(script.requests[0].content) == {"input": dict(ORDER.inputs)}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.ConnectTimeout("its class proves nothing"), Unclear),
        (httpx.ConnectError("nor does this one"), Unclear),
        (httpx.ReadTimeout("slow"), Unclear),
        (OSError("whatever else"), Unclear),
        (says(429, retry_after=5), Busy),
        (says(400, detail="malformed"), Refused),
        (says(401, detail="Unauthenticated"), NotKnown),
        (says(402, detail="Insufficient credit"), NoCredit),
        (says(403), Refused),
        (says(404), Refused),
        (says(413), Refused),
        (says(422, detail="Input validation failed"), Refused),
        (says(422, detail="The prompt was flagged as sensitive (E005)"), ContentRefused),
        (says(301), Unclear),
        (says(307), Unclear),
        (says(405), Unclear),
        (says(408), Unclear),
        (says(409), Unclear),
        (says(500), Unclear),
        (says(502), Unclear),
        (says(503, detail="Service unavailable"), Unclear),
        (says(504), Unclear),
        (says(201), Unclear),
        (says(201, id=""), Unclear),
        (says(201, id=7), Unclear),
        (httpx.Response(201, text="<html>"), Unclear),
        (httpx.Response(201, json=["p1"]), Unclear),
        (httpx.Response(201, text='{"id": "p1"'), Unclear),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_a_failed_purchase_says_whether_money_may_have_moved(answer, expected):
    script = Script(answer)
    with pytest.raises(expected) as raised:
        await replicate(script).buy(ORDER, None, None)
    assert raised.type is expected
    assert len(script.asked) == 1  # buying is never repeated down here


async def test_an_answer_that_never_comes_is_unclear():
    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            await asyncio.Event().wait()

    async with asyncio.timeout(60):
        with pytest.raises(Unclear):
            await replicate(Silent(), patience=0.01).buy(ORDER, None, None)


@pytest.mark.parametrize(
    ("body", "header", "seconds"),
    [
        ({"retry_after": 5}, "9", 5.0),
        ({}, "9", 9.0),
        ({"retry_after": 0.5}, None, 0.5),
        ({"retry_after": 10**9}, None, 300.0),
        ({"retry_after": "soon"}, None, None),
        ({"retry_after": True}, None, None),
        ({}, "Wed, 21 Oct 2026 07:28:00 GMT", None),
        ({}, "²", None),
        ({}, None, None),
    ],
)
async def test_how_long_to_wait_is_the_bodys_word_and_then_the_headers(body, header, seconds):
    headers = {"retry-after": header.encode()} if header else {}
    script = Script(httpx.Response(429, json=body, headers=headers))
    with pytest.raises(Unavailable) as refused:
        await replicate(script).buy(ORDER, None, None)
    assert refused.value.retry_after == seconds


@pytest.mark.parametrize(
    ("left", "reset", "allowance"),
    [
        ("599", "1", Allowance(599, 1.0)),
        ("0", "5.5", Allowance(0, 5.5)),
        ("7", "99999", Allowance(7, 300.0)),
        ("7", None, None),
        (None, "1", None),
        ("-1", "1", None),
        ("many", "soon", None),
        ("7", "", None),
    ],
)
async def test_what_it_still_takes_is_read_from_its_headers(left, reset, allowance):
    told = {"ratelimit-remaining": left, "ratelimit-reset": reset}
    headers = {name: text for name, text in told.items() if text is not None}
    script = Script(httpx.Response(201, json={"id": "p1"}, headers=headers))
    ticket = await replicate(script).buy(ORDER, None, None)
    assert ticket.allowance == allowance


@pytest.mark.parametrize(
    ("body", "headers", "allowance", "wait"),
    [
        ({"retry_after": 5}, {"ratelimit-remaining": "9", "ratelimit-reset": "60"},
         Allowance(0, 5.0), 5.0),
        ({}, {"ratelimit-remaining": "9", "ratelimit-reset": "60"}, Allowance(0, 60.0), 60.0),
        ({}, {"retry-after": "3"}, Allowance(0, 3.0), 3.0),
        ({}, {}, None, None),
    ],
)  # fmt: skip
async def test_after_a_429_it_takes_nothing_until_its_time(body, headers, allowance, wait):
    script = Script(httpx.Response(429, json=body, headers=headers))
    with pytest.raises(Busy) as refused:
        await replicate(script).buy(ORDER, None, None)
    assert (refused.value.allowance, refused.value.retry_after) == (allowance, wait)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(402, "add credit at replicate.com/account/billing"), (401, "set REPLICATE_API_TOKEN")],
)
async def test_an_account_that_is_of_no_use_says_what_to_do(code, remedy):
    with pytest.raises(Refused, match=remedy):
        await replicate(Script(says(code, detail="no"))).buy(ORDER, None, None)


async def test_a_token_is_in_no_word_of_an_error():
    script = Script(says(401, detail="no"))
    provider = replicate(script)
    provider.http.headers["authorization"] = "Bearer r8_secret"
    with pytest.raises(Refused) as refused:
        await provider.buy(ORDER, None, None)
    assert "r8_secret" not in f"{provider!r} {refused.value!r}"
    assert script.requests[0].headers["authorization"] == "Bearer r8_secret"


# -- following


async def test_a_process_that_never_bought_it_can_collect_it():
    script = Script(
        says(status="starting", model=SLUG),
        says(status="processing", model=SLUG, logs=" 40%|####   | 2/5"),
        says(status="processing", model=SLUG, logs=" 90%|##\n 10%|#"),
        says(**DONE),
    )
    *working, drawn = await told(replicate(script))
    assert [event.fraction for event in working] == [None, 0.4, 0.4]  # never back
    assert f"{drawn.images[0].expires_at:%H:%M %Z}" == "08:00 UTC"
    assert script.asked == ["GET /v1/predictions/p1"] * 4  # it did not buy again
    assert script.pauses == [("p1", 8.0), ("p1", 0.5), ("p1", 0.8)]


async def test_a_look_that_fails_does_not_end_the_follow():
    script = Script(
        says(status="starting", model=SLUG),
        httpx.ReadError("cut"),
        says(502),
        httpx.Response(200, text="<html>"),
        says(**DONE),
    )
    *_, drawn = await told(replicate(script))
    assert len(drawn.images) == 2
    assert [seconds for _, seconds in script.pauses] == [8.0, 0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("answers", "looks", "wait"),
    [
        ([says(429, retry_after=3)], 1, 3.0),
        ([says(503, retry_after=7)], 1, 7.0),
        ([says(404)], 1, 30.0),  # a ticket that we hold is never an end
        ([says(401)], 1, 30.0),
        ([says(500)] * 4, 4, None),
        ([httpx.ConnectError("down")] * 4, 4, None),
    ],
    ids=repr,
)
async def test_who_cannot_look_says_so_and_ends_nothing(answers, looks, wait):
    script = Script(*answers)
    with pytest.raises(Unclear) as failure:
        await told(replicate(script))
    assert (len(script.asked), failure.value.retry_after) == (looks, wait)


async def test_a_ticket_stays_within_its_path():
    script = Script(says(404))
    with pytest.raises(Unclear):
        await told(replicate(script), "../account?x#y")
    assert script.requests[0].url.raw_path == b"/v1/predictions/..%2Faccount%3Fx%23y"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"status": "aborted"}, Ended(charged=False, reason="aborted", stopped=True)),
        ({"status": "canceled"}, Ended(charged=True, reason="canceled", stopped=True)),
        ({"status": "failed", "error": "memory"}, Ended(charged=None, reason="memory")),
        (
            {"status": "failed", "error": "x", "metrics": {"image_count": 1}},
            Ended(charged=True, reason="x"),
        ),
        (
            {"status": "failed", "error": "NSFW content detected."},
            Ended(charged=None, reason="NSFW content detected.", content=True),
        ),
        (
            {"status": "failed", "error": "flagged as sensitive. (E005)"},
            Ended(charged=None, reason="flagged as sensitive. (E005)", content=True),
        ),
        ({"status": "succeeded", "output": None}, GONE),
        ({"status": "succeeded", "output": []}, GONE),
        (
            {"status": "succeeded", "output": ["https://r/1"], "data_removed": True},
            GONE,
        ),
    ],
    ids=repr,
)  # fmt: skip
def test_how_it_ended_says_what_it_cost(found, expected):
    assert event(**found) == expected


@pytest.mark.parametrize("found", [{}, {"status": None}, {"status": "dreaming"}, {"status": []}])
def test_a_status_that_nobody_knows_is_unclear(found):
    with pytest.raises(Unclear):
        event(**found)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {"cost": None, "seconds": 1.5, "version": "", "seed": None}),
        ({"metrics": {"image_count": 1}}, {"cost": 3_000, "seconds": None}),
        ({"model": "who/knows"}, {"cost": None}),
        ({"version": "hidden"}, {"version": ""}),
        ({"version": "9fe3"}, {"version": "9fe3"}),
        ({"input": {"seed": 11}}, {"seed": 11}),
        ({"input": {"seed": True}}, {"seed": None}),
        ({"input": {"seed": 11}, "logs": "Loading\nUsing seed: 12\n 50%|"}, {"seed": 12}),
        ({"logs": "a prompt about a seed: 12"}, {"seed": None}),
        ({"metrics": {"predict_time": "long"}}, {"seconds": None}),
        ({"metrics": [1]}, {"seconds": None}),
    ],
)
def test_what_it_tells_of_a_picture_is_kept(changed, expected):
    drawn = event(**DONE | changed)
    assert {name: getattr(drawn, name) for name in expected} == expected


def test_one_picture_comes_as_text_and_without_a_time_has_no_end():
    drawn = event(status="succeeded", output="https://r/1")
    assert [(link.url, link.expires_at) for link in drawn.images] == [("https://r/1", None)]


@pytest.mark.parametrize("odd", [None, 7, "", {"url": "https://r/9"}, ["https://r/9"]], ids=repr)
def test_what_is_no_link_of_an_output_hides_none_that_is(odd):
    drawn = event(**DONE | {"output": ["https://r/1", odd, "https://r/2"], "metrics": {}})
    assert [link.url for link in drawn.images] == ["https://r/1", "https://r/2"]
    assert drawn.cost is None  # nobody told how many are charged


@pytest.mark.parametrize(
    ("told", "url"),
    [
        ("https://r/a b|é.png?x={1}&y=%20\n", "https://r/a%20b%7C%C3%A9.png?x=%7B1%7D&y=%20"),
        ("data:image/png;base64,iVBO+/8=", "data:image/png;base64,iVBO+/8="),
    ],
)
def test_what_no_url_has_unescaped_is_escaped(told, url):
    drawn = event(**DONE | {"output": [told, "\n", "data:," + "A" * (2 << 20)]})
    assert [link.url for link in drawn.images] == [url]


@pytest.mark.parametrize("output", [{"url": "https://r/1"}, [None], 7, True], ids=repr)
def test_an_output_without_a_link_is_unclear(output):
    with pytest.raises(Unclear, match="no list of links"):
        event(**DONE | {"output": output})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
_KEYS = ("status", "output", "logs", "metrics", "input", "error", "model", "version", "webhook",
         "completed_at", "created_at", "data_removed", "id")  # fmt: skip
_STATES = st.sampled_from(["starting", "processing", "succeeded", "failed", "canceled", "aborted"])


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(_KEYS, _JSON)), _STATES | _JSON)
def test_whatever_it_tells_is_an_event_or_unclear(found, status):
    found["status"] = status
    with contextlib.suppress(Unclear):
        assert isinstance(predictions.event(found, {}), Working | Drawn | Ended)
    assert predictions.belongs(found, ORDER, predictions.since(ORDER)) in (True, False, None)


# -- canceling


async def test_a_cancel_asks_once_and_what_becomes_of_it_is_for_the_follow():
    script = Script(says(200, status="canceled"))
    await replicate(script).cancel(Ticket("p1"))
    assert script.asked == ["POST /v1/predictions/p1/cancel"]


@pytest.mark.parametrize("answer", [says(404), says(500), httpx.ReadError("cut")], ids=repr)
async def test_a_cancel_that_fails_is_no_error(answer):
    script = Script(answer)
    await replicate(script).cancel(Ticket("p1"))
    assert len(script.asked) == 1
