"""The companies' own clients write at the lab as they are."""

import pytest

from tests.lab.sdk import anthropic, errors, genai, openai, types

SAYS = 'Answer with one object: {"prompt": "the better prompt"}'
BETTER = '{"prompt": "the sea, in golden light, finely drawn"}'
PIXEL = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0\x90wS\xde\0\0\0\x0cIDATx\x9cc\xf8"
    b"\xcf\xc0\0\0\3\1\1\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82"
)


@pytest.fixture
def claude(lab):
    with anthropic.Anthropic(
        api_key="lab", base_url=f"{lab.url}/anthropic", max_retries=0
    ) as client:
        yield client


@pytest.fixture
def gpt(lab):
    with openai.OpenAI(api_key="lab", base_url=f"{lab.url}/openai/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def gemini(lab):
    client = genai.Client(api_key="lab", http_options={"base_url": f"{lab.url}/google"})
    yield client
    client.close()


def charged(lab):
    return [(each["vendor"], each["model"], each["images"]) for each in lab.ledger()]


def test_anthropics_client_reads_whole_answers_and_streams(lab, claude):
    asked = {
        "model": "claude-haiku-5-5",
        "max_tokens": 900,
        "system": SAYS,
        "messages": [{"role": "user", "content": "the sea"}],
    }
    whole = claude.messages.create(**asked)
    assert (whole.content[0].text, whole.stop_reason) == (BETTER, "end_turn")
    with claude.messages.stream(**asked) as stream:
        pieces = list(stream.text_stream)
        told = stream.get_final_message()
    assert "".join(pieces) == BETTER
    assert len(pieces) > 2
    assert told.usage.output_tokens == whole.usage.output_tokens
    assert told.usage.input_tokens == whole.usage.input_tokens
    assert charged(lab) == [("anthropic", "claude-haiku-5-5", 0)] * 2


def test_openais_client_reads_whole_answers_and_streams(lab, gpt):
    asked = {"model": "gpt-6-luna", "instructions": SAYS, "input": "the sea"}
    whole = gpt.responses.create(**asked)
    assert (whole.output_text, whole.status) == (BETTER, "completed")
    with gpt.responses.stream(**asked) as stream:
        pieces = [each.delta for each in stream if each.type == "response.output_text.delta"]
        told = stream.get_final_response()
    assert "".join(pieces) == told.output_text == BETTER
    assert len(pieces) > 2
    assert told.usage == whole.usage
    assert charged(lab) == [("openai", "gpt-6-luna", 0)] * 2


def test_googles_client_reads_whole_answers_and_streams(lab, gemini):
    picture = types.Part.from_bytes(data=PIXEL, mime_type="image/png")
    asked = {
        "model": "gemini-3.5-flash-lite",
        "contents": [picture, "the sea"],
        "config": {"system_instruction": SAYS, "max_output_tokens": 900},
    }
    whole = gemini.models.generate_content(**asked)
    assert whole.text == BETTER
    *pieces, last = gemini.models.generate_content_stream(**asked)
    assert "".join(each.text for each in [*pieces, last]) == BETTER
    assert last.candidates[0].finish_reason == types.FinishReason.STOP
    assert last.usage_metadata == whole.usage_metadata
    assert charged(lab) == [("google", "gemini-3.5-flash-lite", 0)] * 2


def test_what_a_company_refuses_is_its_clients_own_error(lab):
    url = lab.url
    asked = {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user"}]}
    with (
        anthropic.Anthropic(api_key="wrong", base_url=f"{url}/anthropic") as claude,
        pytest.raises(anthropic.AuthenticationError),
    ):
        claude.messages.create(**asked)
    with (
        openai.OpenAI(api_key="poor", base_url=f"{url}/openai/v1", max_retries=0) as gpt,
        pytest.raises(openai.RateLimitError, match="insufficient_quota"),
    ):
        gpt.responses.create(model="gpt-6-luna", input="the sea")
    client = genai.Client(api_key="wrong", http_options={"base_url": f"{url}/google"})
    with pytest.raises(errors.ClientError, match="UNAUTHENTICATED"):
        client.models.generate_content(model="gemini-3.8-flash", contents="the sea")
    client.close()
    assert lab.ledger() == []
