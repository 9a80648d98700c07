"""What is sent to each company, and what each of its answers proves."""

import asyncio
import json

import httpx
import pytest

from services.generator import provider
from services.generator.language.seam import Stop, Told, Usage
from tests.generator.language.vendors import KINDS, QUESTION, answered, scripted, sse
from tests.generator.scripted_wire import Script

USED = {"input_tokens": 12, "output_tokens": 7}
WHOLE = {
    "openai": [
        {"type": "response.created", "response": {"usage": None}},
        {"type": "response.output_text.delta", "delta": "a "},
        {"type": "response.output_text.delta", "delta": "sea"},
        {"type": "response.completed", "response": {"usage": USED}},
    ],
    "anthropic": [
        {"type": "message_start", "message": {"usage": {"input_tokens": 12, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a "}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "sea"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 7},
        },
        {"type": "message_stop"},
    ],
    "google": [
        {"candidates": [{"content": {"parts": [{"text": "a "}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}]}}]},
        {
            "candidates": [{"content": {"parts": [{"text": "sea"}]}, "finishReason": "STOP"}],
            "usageMetadata": {
                "promptTokenCount": 12,
                "candidatesTokenCount": 5,
                "thoughtsTokenCount": 2,
            },
        },
    ],
}
STOPPED = [
    (
        "openai",
        {
            "type": "response.incomplete",
            "response": {"usage": USED, "incomplete_details": {"reason": "max_output_tokens"}},
        },
        Stop.TOO_LONG,
    ),
    (
        "openai",
        {
            "type": "response.incomplete",
            "response": {"usage": USED, "incomplete_details": {"reason": "content_filter"}},
        },
        Stop.REFUSED,
    ),
    (
        "anthropic",
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": USED},
        Stop.TOO_LONG,
    ),
    (
        "anthropic",
        {"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": USED},
        Stop.REFUSED,
    ),
    ("google", {"candidates": [{"finishReason": "MAX_TOKENS"}]}, Stop.TOO_LONG),
    ("google", {"candidates": [{"finishReason": "SAFETY"}]}, Stop.REFUSED),
    ("google", {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, Stop.REFUSED),
]
BROKEN = [
    ("openai", {"type": "response.failed", "response": {"error": {"code": "server_error"}}}),
    ("openai", {"type": "error", "message": "overloaded"}),
    ("anthropic", {"type": "error", "error": {"type": "overloaded_error"}}),
    ("google", {"error": {"code": 503, "status": "UNAVAILABLE"}}),
]


@pytest.fixture(params=sorted(KINDS))
def vendor(request):
    return request.param


def ask(vendor, *lines, patience=5.0):
    script = Script(*lines)
    return script, scripted(vendor, script, patience).ask(KINDS[vendor][1], QUESTION)


async def test_text_comes_in_pieces_and_its_use_at_the_end(vendor):
    script, pieces = ask(vendor, sse(*WHOLE[vendor]))
    assert [piece async for piece in pieces] == ["a ", "sea", Told(Usage(12, 7), Stop.WHOLE)]
    assert len(script.asked) == 1


async def test_the_model_gets_no_tools_and_words_are_kept_apart(vendor):
    script, pieces = ask(vendor, sse(*WHOLE[vendor]))
    await answered(pieces)
    [request] = script.requests
    body = json.loads(request.content)
    assert not {name for name in body if "tool" in name.lower()}
    system = body.get("instructions") or body.get("system") or body["systemInstruction"]
    assert "be brief" in json.dumps(system)
    assert "the sea" not in json.dumps(system)
    assert body.get("store", False) is False
    assert "900" in json.dumps(body)


@pytest.mark.parametrize(("vendor", "event", "stop"), STOPPED)
async def test_an_answer_that_stops_early_says_why(vendor, event, stop):
    _, pieces = ask(vendor, sse(event))
    assert (await answered(pieces))[1].stop is stop


@pytest.mark.parametrize(("vendor", "event"), BROKEN)
async def test_what_breaks_off_in_its_own_words_may_have_been_paid(vendor, event):
    _, pieces = ask(vendor, sse(*WHOLE[vendor][:2], event))
    with pytest.raises(provider.Unclear, match=r"^it broke off: [\w ]+$"):
        await answered(pieces)


async def test_an_end_without_usage_is_of_unknown_cost(vendor):
    text = json.dumps(WHOLE[vendor]).replace("12", "0").replace("7", "0")
    _, pieces = ask(vendor, sse(*json.loads(text)))
    assert (await answered(pieces))[1].usage is None


async def test_an_answer_without_its_end_may_have_been_paid(vendor):
    for end in (b"", b"data: {", b"data: [1]\n\n", b"<html>oops</html>"):
        _, pieces = ask(vendor, sse(*WHOLE[vendor][:2], end=end))
        with pytest.raises(provider.Unclear):
            await answered(pieces)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"message": "bad"}}, provider.Refused),
        (400, {"error": {"message": "content policy"}}, provider.ContentRefused),
        (400, {"error": {"message": "Your credit balance is too low"}}, provider.NoCredit),
        (401, {"error": {"message": "bad key"}}, provider.NotKnown),
        (403, {"error": {"message": "not yours"}}, provider.NotKnown),
        (404, {"error": {"message": "no such model"}}, provider.Refused),
        (429, {"error": {"message": "slow down"}}, provider.Busy),
        (429, {"error": {"code": "insufficient_quota"}}, provider.NoCredit),
        (503, {"error": {"message": "overloaded"}}, provider.Unavailable),
        (529, {"error": {"type": "overloaded_error"}}, provider.Unavailable),
        (500, {"error": {"message": "oops"}}, provider.Unclear),
        (502, "a proxy's page", provider.Unclear),
        (503, "a proxy's page", provider.Unclear),
        (302, {}, provider.Unclear),
    ],
)
async def test_a_refusal_says_whether_it_was_paid(vendor, status, body, kind):
    script, pieces = ask(vendor, httpx.Response(status, json=body))
    with pytest.raises(provider.ProviderError) as failure:
        await answered(pieces)
    assert type(failure.value) is kind
    assert len(script.asked) == 1  # no call is ever made again down here


def googles(message: str, **details: dict) -> dict:
    told = [{"@type": f"type.googleapis.com/google.rpc.{kind}", **each}
            for kind, each in details.items()]  # fmt: skip
    return {"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED",
                      "details": told}}  # fmt: skip


QUOTA = "You exceeded your current quota, please check your plan and billing details."
RATE = "Rate limit reached on requests per min. Add a payment method at platform.openai.com/billing"
QUOTAS = {"violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]}


@pytest.mark.parametrize(
    ("vendor", "body", "headers", "wait"),
    [
        ("google", googles(QUOTA, QuotaFailure=QUOTAS, RetryInfo={"retryDelay": "37s"}), {}, 37),
        ("google", googles("Exhausted", RetryInfo={"retryDelay": "7.5s"}), {}, 7.5),
        ("google", googles(QUOTA), {}, None),
        ("openai", {"error": {"message": RATE, "type": "requests", "code": "rate_limit_exceeded"}},
         {"retry-after": "20"}, 20),
        ("anthropic", {"error": {"type": "rate_limit_error", "message": "see your billing page"}},
         {"retry-after": "3"}, 3),
    ],
)  # fmt: skip
async def test_a_rate_that_is_used_up_is_no_empty_account(vendor, body, headers, wait):
    _, pieces = ask(vendor, httpx.Response(429, json=body, headers=headers))
    with pytest.raises(provider.Busy) as busy:
        await answered(pieces)
    assert busy.value.retry_after == wait


@pytest.mark.parametrize(
    ("vendor", "status", "body"),
    [
        ("openai", 429, {"error": {"message": QUOTA, "type": "insufficient_quota", "code": None}}),
        ("openai", 400, {"error": {"message": "x", "code": "billing_hard_limit_reached"}}),
        ("anthropic", 400, {"error": {"message": "Your credit balance is too low.",
                                      "type": "invalid_request_error"}}),
        ("anthropic", 402, {"error": {"message": "x", "type": "billing_error"}}),
        ("google", 400, {"error": {"message": "Please enable billing.",
                                   "status": "FAILED_PRECONDITION"}}),
        ("google", 403, googles("No.", ErrorInfo={"reason": "BILLING_DISABLED"})),
    ],
)  # fmt: skip
async def test_an_empty_account_is_told_by_its_code(vendor, status, body):
    _, pieces = ask(vendor, httpx.Response(status, json=body))
    with pytest.raises(provider.NoCredit, match="is empty: top it up"):
        await answered(pieces)


async def test_a_prompt_about_billing_is_no_empty_account(vendor):
    said = {"error": {"message": "The words 'billing' and 'quota' make it too long."}}
    _, pieces = ask(vendor, httpx.Response(400, json=said))
    with pytest.raises(provider.Refused) as refused:
        await answered(pieces)
    assert type(refused.value) is provider.Refused


async def test_a_connection_that_fails_proves_nothing(vendor):
    _, pieces = ask(vendor, httpx.ConnectTimeout("its class proves nothing"))
    with pytest.raises(provider.Unclear):
        await answered(pieces)


class Endless(httpx.AsyncByteStream):
    """The same piece for ever, and how often it was asked for."""

    def __init__(self, piece):
        self.piece, self.sent = piece, 0

    async def __aiter__(self):
        while self.sent < 1000:
            self.sent += 1
            yield self.piece


async def test_a_line_without_end_is_given_up_when_it_is_too_long(vendor):
    endless = Endless(b"data: " + b"x" * (1 << 16))
    _, pieces = ask(vendor, httpx.Response(200, stream=endless))
    with pytest.raises(provider.Unclear, match="more than 4194304 bytes"):
        await answered(pieces)
    assert endless.sent <= 64


async def test_of_a_refusal_without_end_the_beginning_is_enough(vendor):
    endless = Endless(b"no " * 10_000)
    _, pieces = ask(vendor, httpx.Response(400, stream=endless))
    with pytest.raises(provider.Refused, match="no no"):
        await answered(pieces)
    assert endless.sent <= 3


async def test_a_refusal_that_does_not_come_proves_nothing(vendor):
    silence = Silence(WHOLE[vendor][0])
    _, pieces = ask(vendor, httpx.Response(400, stream=silence), patience=0.05)
    with pytest.raises(provider.Unclear, match="in time"):
        await answered(pieces)
    assert silence.left.is_set()


async def test_what_only_some_take_for_the_end_of_a_line_ends_none(vendor):
    """JSON may hold these letters as they are."""
    odd = "\u2028\x85"
    text = json.dumps(WHOLE[vendor], ensure_ascii=False).replace('"a "', f'"a{odd} "')
    lines = [f"data: {json.dumps(each, ensure_ascii=False)}\n\n" for each in json.loads(text)]
    whole = "".join(lines).encode()
    pieces_of = [whole[at : at + 7] for at in range(0, len(whole), 7)]

    async def stream():
        for each in pieces_of:
            yield each

    _, pieces = ask(vendor, httpx.Response(200, content=stream()))
    assert (await answered(pieces))[0] == f"a{odd} sea"


class Silence(httpx.AsyncByteStream):
    """One event, then nothing; *left* is set when nobody listens any more."""

    def __init__(self, event):
        self.event, self.left = event, asyncio.Event()

    async def __aiter__(self):
        yield sse(self.event).content
        await asyncio.Event().wait()

    async def aclose(self):
        self.left.set()


async def test_a_silent_answer_is_given_up_in_time(vendor):
    silence = Silence(WHOLE[vendor][0])
    _, pieces = ask(vendor, httpx.Response(200, stream=silence), patience=0.05)
    with pytest.raises(provider.Unclear, match=r"^no whole answer came in time$"):
        await answered(pieces)
    assert silence.left.is_set()


async def test_leaving_ends_the_call_there(vendor):
    silence = Silence(WHOLE[vendor][1 if vendor == "openai" else 0])
    event = WHOLE[vendor][3] if vendor == "anthropic" else silence.event
    silence.event = event
    _, pieces = ask(vendor, httpx.Response(200, stream=silence))
    assert await anext(pieces) == "a "
    await pieces.aclose()
    assert silence.left.is_set()
