"""OpenAI's own client writes at the lab by chat completions, unchanged."""

import pytest

from tests.lab.sdk import openai

SAYS = 'Answer with one object: {"prompt": "the better prompt"}'
BETTER = '{"prompt": "the sea, in golden light, finely drawn"}'
MODEL = "gpt-6-luna"
PIXEL = {"url": "data:image/png;base64,iVBORw0KGgo="}


def gpt(lab, key="lab"):
    return openai.OpenAI(api_key=key, base_url=f"{lab.url}/openai/v1", max_retries=0)


@pytest.fixture
def client(lab):
    with gpt(lab) as found:
        yield found


def asked(text="the sea", **more):
    said = [{"role": "developer", "content": SAYS}, {"role": "user", "content": text}]
    return {"model": MODEL, "messages": said} | more


def streamed(client, **order):
    """The chunks with a choice, and those without."""
    chunks = list(client.chat.completions.create(**order, stream=True))
    return [each for each in chunks if each.choices], [each for each in chunks if not each.choices]


ENDS = [
    ({}, "stop", BETTER),
    ({"text": "refuse-me"}, "content_filter", ""),
    ({"max_completion_tokens": 3}, "length", BETTER[:12]),
]


@pytest.mark.parametrize(("order", "stop", "text"), ENDS, ids=[each[1] for each in ENDS])
def test_an_answer_says_why_it_ends_whole_and_as_a_stream(lab, client, order, stop, text):
    whole = client.chat.completions.create(**asked(**order))
    chunks, last = streamed(client, **asked(**order), stream_options={"include_usage": True})
    [choice], [told] = whole.choices, last
    assert (choice.finish_reason, choice.message.content) == (stop, text)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(each.choices[0].delta.content or "" for each in chunks) == text
    assert [each.choices[0].finish_reason for each in chunks] == [None] * (len(chunks) - 1) + [stop]
    assert {each.usage for each in chunks} == {None}
    assert told.usage == whole.usage
    usage, charges = whole.usage, lab.ledger()
    usd = (usage.prompt_tokens * 0.1 + usage.completion_tokens * 0.5) / 1e6
    assert [each["model"] for each in charges] == [MODEL] * 2
    assert [each["usd"] for each in charges] == [pytest.approx(usd, abs=1e-6)] * 2


def test_without_being_asked_a_stream_tells_no_usage(client):
    chunks, last = streamed(client, **asked())
    assert last == []
    assert len(chunks) > 3
    assert not any("usage" in each.model_dump(exclude_unset=True) for each in chunks)


def test_pictures_and_texts_are_read_in_parts(client):
    parts = [{"type": "text", "text": "the sea"}, {"type": "image_url", "image_url": PIXEL}]
    seen = client.chat.completions.create(**asked(parts)).usage.prompt_tokens
    assert seen == client.chat.completions.create(**asked()).usage.prompt_tokens + 300


REFUSED = [
    ({}, "wrong", "AuthenticationError", "invalid_api_key", "not valid"),
    ({}, "poor", "RateLimitError", "insufficient_quota", "empty"),
    ({"model": "gpt-0"}, "lab", "NotFoundError", "model_not_found", "gpt-0"),
    ({"messages": []}, "lab", "BadRequestError", None, "'messages'"),
    ({"max_tokens": 9}, "lab", "BadRequestError", None, "max_completion_tokens"),
    ({"n": 2}, "lab", "BadRequestError", None, "'n'"),
    ({"messages": [{"role": "sea", "content": "x"}]}, "lab", "BadRequestError", None, "role"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {
        "url": "file:///a.png"}}]}]}, "lab", "BadRequestError", None, "image_url"),
]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("order", "key", "error", "code", "why"), REFUSED)
def test_what_is_refused_is_its_clients_own_error_and_free(
    lab, order, key, error, code, why, stream
):
    with gpt(lab, key) as client, pytest.raises(getattr(openai, error), match=why) as no:
        client.chat.completions.create(**asked(**order), stream=stream)
    assert no.value.code == code
    assert no.value.request_id
    assert lab.ledger() == []


def test_what_a_stream_shall_tell_is_of_streams(client):
    with pytest.raises(openai.BadRequestError, match="stream_options"):
        client.chat.completions.create(**asked(), stream_options={"include_usage": True})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "error"), [(429, "RateLimitError"), (500, "InternalServerError")]
)
def test_one_that_is_busy_says_so_and_takes_nothing(lab, client, status, error, stream):
    lab.faults([{"vendor": "openai", "where": "chat", "kind": f"status:{status}", "times": 1}])
    with pytest.raises(getattr(openai, error)):
        client.chat.completions.create(**asked(), stream=stream)
    assert lab.ledger() == []


def test_a_stream_that_is_cut_ends_in_an_error_and_was_paid_for(lab, client):
    lab.faults([{"vendor": "openai", "where": "chat", "kind": "truncate", "times": 1}])
    pieces = []
    stream = client.chat.completions.create(**asked(), stream=True)
    with pytest.raises(openai.APIConnectionError):
        pieces.extend(each.choices[0].delta.content or "" for each in stream)
    came = "".join(pieces)
    assert 0 < len(came) < len(BETTER)
    assert BETTER.startswith(came)
    assert len(lab.ledger()) == 1


@pytest.mark.parametrize(("kind", "charged"), [("drop_before", 0), ("drop_after", 1)])
def test_a_connection_that_is_dropped_does_not_tell_whether_it_was_paid_for(
    lab, client, kind, charged
):
    lab.faults([{"vendor": "openai", "where": "chat", "kind": kind, "times": 1}])
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(**asked())
    assert len(lab.ledger()) == charged
