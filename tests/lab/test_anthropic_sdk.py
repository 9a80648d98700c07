"""Anthropic's own client, unchanged: how answers end, what is refused, and what a fault does."""

import pytest

from tests.lab.sdk import anthropic, httpx2

SAYS = 'Answer with one object: {"prompt": "the better prompt"}'
BETTER = '{"prompt": "the sea, in golden light, finely drawn"}'
MODEL = "claude-haiku-5-5"


@pytest.fixture
def client(lab):
    with claude(lab) as found:
        yield found


def claude(lab, key="lab"):
    url = f"{lab.url}/anthropic"
    return anthropic.Anthropic(api_key=key, base_url=url, max_retries=0)


def asked(text="the sea", **more):
    usual = {
        "model": MODEL, "max_tokens": 900, "system": SAYS,
        "messages": [{"role": "user", "content": text}],
    }  # fmt: skip
    return usual | more


def streamed(client, **order):
    """What came, piece by piece, and the message that they make."""
    with client.messages.stream(**order) as stream:
        pieces = list(stream.text_stream)
        return pieces, stream.get_final_message()


ENDS = [
    ({}, "end_turn", BETTER),
    ({"text": "refuse-me"}, "refusal", ""),
    ({"max_tokens": 3}, "max_tokens", BETTER[:12]),
]


@pytest.mark.parametrize(("order", "stop", "text"), ENDS, ids=[each[1] for each in ENDS])
def test_an_answer_says_why_it_ends_whole_and_as_a_stream(lab, client, order, stop, text):
    whole = client.messages.create(**asked(**order))
    pieces, told = streamed(client, **asked(**order))
    assert (whole.stop_reason, whole.content[0].text) == (stop, text)
    assert (told.stop_reason, "".join(pieces)) == (stop, text)
    assert told.usage.output_tokens == whole.usage.output_tokens
    charges = lab.ledger()
    assert [each["model"] for each in charges] == [MODEL] * 2
    usage = whole.usage
    usd = (usage.input_tokens * 0.1 + usage.output_tokens * 0.5) / 1e6
    assert [each["usd"] for each in charges] == [pytest.approx(usd, abs=1e-6)] * 2


REFUSED = [
    ({}, "wrong", "AuthenticationError", 401, "authentication_error"),
    ({}, "poor", "APIStatusError", 402, "billing_error"),
    ({"model": "claude-0"}, "lab", "NotFoundError", 404, "not_found_error"),
    ({"messages": []}, "lab", "BadRequestError", 400, "invalid_request_error"),
    ({"max_tokens": 0}, "lab", "BadRequestError", 400, "invalid_request_error"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("order", "key", "error", "status", "kind"), REFUSED)
def test_what_is_refused_is_its_clients_own_error_and_free(
    lab, order, key, error, status, kind, stream
):
    with claude(lab, key) as client, pytest.raises(getattr(anthropic, error)) as no:
        client.messages.create(**asked(**order), stream=stream)
    assert (no.value.status_code, no.value.body["error"]["type"]) == (status, kind)
    assert no.value.request_id == no.value.body["request_id"]
    assert lab.ledger() == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (429, "RateLimitError", "rate_limit_error"),
        (500, "InternalServerError", "api_error"),
        (529, "APIStatusError", "overloaded_error"),
    ],
)
def test_one_that_is_busy_says_so_and_takes_nothing(lab, client, status, error, kind, stream):
    lab.faults([{"vendor": "anthropic", "where": "chat", "kind": f"status:{status}", "times": 1}])
    with pytest.raises(getattr(anthropic, error)) as no:
        client.messages.create(**asked(), stream=stream)
    assert (no.value.status_code, no.value.body["error"]["type"]) == (status, kind)
    assert lab.ledger() == []
    assert client.messages.create(**asked()).stop_reason == "end_turn"  # and then it answers


def test_its_client_comes_again_by_itself_where_it_may(lab):
    lab.faults([{"vendor": "anthropic", "where": "chat", "kind": "status:529", "times": 1}])
    with claude(lab).with_options(max_retries=1) as client:
        assert client.messages.create(**asked()).stop_reason == "end_turn"
    assert lab.requests()["anthropic"]["chat"] == 2
    assert len(lab.ledger()) == 1


def test_a_stream_that_is_cut_ends_in_an_error_and_was_paid_for(lab, client):
    lab.faults([{"vendor": "anthropic", "where": "chat", "kind": "truncate", "times": 1}])
    pieces = []
    with (
        pytest.raises(httpx2.RemoteProtocolError),
        client.messages.stream(**asked()) as stream,
    ):
        pieces.extend(stream.text_stream)
    assert 0 < len("".join(pieces)) < len(BETTER)
    assert BETTER.startswith("".join(pieces))
    assert len(lab.ledger()) == 1


@pytest.mark.parametrize(("kind", "charged"), [("drop_before", 0), ("drop_after", 1)])
@pytest.mark.parametrize("stream", [False, True])
def test_a_connection_that_is_dropped_does_not_tell_whether_it_was_paid_for(
    lab, client, kind, charged, stream
):
    lab.faults([{"vendor": "anthropic", "where": "chat", "kind": kind, "times": 1}])
    with pytest.raises(anthropic.APIConnectionError):
        client.messages.create(**asked(), stream=stream)
    assert len(lab.ledger()) == charged
