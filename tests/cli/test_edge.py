"""The CLI's side of the wire: streams that break are taken up, and a clear no is final."""

import json
from collections.abc import Iterator

import httpx
import pytest

from chassis.settings import Secret
from cli.edge import Edge, Event, Trouble, parse


class Script(httpx.BaseTransport):
    """Answers each request with the next line, and remembers what was asked."""

    def __init__(self, *lines: httpx.Response | Exception) -> None:
        self.lines = list(lines)
        self.asked: list[str] = []
        self.keys: list[str | None] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        resumed = request.headers.get("last-event-id", "")
        self.asked.append(f"{request.method} {request.url.path} {resumed}".strip())
        self.keys.append(request.headers.get("idempotency-key"))
        line = self.lines.pop(0)
        if isinstance(line, Exception):
            raise line
        return line


class Broken(httpx.SyncByteStream):
    """A body that breaks off."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __iter__(self) -> Iterator[bytes]:
        yield self.text.encode()
        raise httpx.ReadError("connection reset")


def frames(*events: tuple[str, int]) -> str:
    return "".join(
        (f"id: {number}\n" if number else "")
        + f"event: {kind}\ndata: {json.dumps({'job_id': '7', 'at': number})}\n\n"
        for kind, number in events
    )


def stream(*events: tuple[str, int], broken: bool = False) -> httpx.Response:
    text = "retry: 1000\n\n:\n\n" + frames(*events)
    return httpx.Response(200, stream=Broken(text)) if broken else httpx.Response(200, text=text)


def edge(script: Script) -> Edge:
    return Edge("http://edge.test", Secret("isk_x"), transport=script, pause=lambda _: None)


def kinds(events: Iterator[Event]) -> list[str]:
    return [event.kind for event in events]


WHOLE = [("accepted", 1), ("progress", 0), ("image_kept", 2), ("completed", 3)]


def test_frames_become_events() -> None:
    lines = 'retry: 1\n\n: hello\n\nid: 4\nevent: warning\ndata: {"a":\ndata: 1}\n\ndata: {}\n\n'
    assert list(parse(iter(lines.split("\n")))) == [
        Event("warning", {"a": 1}, 4), Event("", {}, 0),
    ]  # fmt: skip


def test_a_whole_stream_needs_one_request() -> None:
    script = Script(stream(*WHOLE))
    assert kinds(edge(script).generate({}, "key-1", print)) == [kind for kind, _ in WHOLE]
    assert script.asked == ["POST /images/generate/stream"]


def test_a_broken_stream_goes_on_after_the_last_event_without_a_gap_or_a_double() -> None:
    script = Script(
        stream(*WHOLE[:2], broken=True),
        httpx.ConnectError("refused"),
        httpx.Response(503),
        stream(("accepted", 1), ("image_kept", 2), ("completed", 3)),
    )
    found = kinds(edge(script).generate({}, "key-1", print))
    assert found == ["accepted", "progress", "image_kept", "completed"]
    assert script.asked[1:] == ["GET /images/jobs/7/events 1"] * 3


def test_before_it_is_accepted_the_same_request_is_sent_again() -> None:
    script = Script(httpx.ReadTimeout("silent"), stream(*WHOLE))
    assert kinds(edge(script).generate({}, "key-1", print))[-1] == "completed"
    assert script.asked == ["POST /images/generate/stream"] * 2
    assert script.keys == ["key-1", "key-1"]


@pytest.mark.parametrize("status", [400, 401, 402, 404, 422, 429, 507])
def test_a_clear_no_is_final_and_told_in_its_own_words(status: int) -> None:
    script = Script(httpx.Response(status, json={"detail": "because of this"}))
    with pytest.raises(Trouble, match="because of this") as trouble:
        list(edge(script).generate({}, "key-1", print))
    assert trouble.value.status == status
    assert len(script.asked) == 1


def test_a_vault_that_cannot_be_written_is_told_at_once_and_is_no_stack_that_is_away() -> None:
    problem = {"detail": "Mount it.", "code": "VAULT_UNAVAILABLE"}
    script, said = Script(httpx.Response(503, json=problem)), list[str]()
    with pytest.raises(Trouble, match=r"^Mount it\.$") as trouble:
        list(edge(script).generate({}, "key-1", said.append))
    assert (trouble.value.status, trouble.value.code) == (503, "VAULT_UNAVAILABLE")
    assert (len(script.asked), said) == (1, [])


@pytest.mark.parametrize("code", ["SERVICE_UNAVAILABLE", "PROVIDER_UNAVAILABLE"])
def test_a_stack_that_has_no_time_is_asked_again(code: str) -> None:
    script = Script(httpx.Response(503, json={"detail": "wait", "code": code}), stream(*WHOLE))
    assert kinds(edge(script).generate({}, "key-1", print))[-1] == "completed"


class Away(httpx.BaseTransport):
    """Answers once, then nobody listens; *now* is told by the pauses that are made."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answers, self.now = [answer], 1000.0

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def handle_request(self, _request: httpx.Request) -> httpx.Response:
        if self.answers:
            return self.answers.pop()
        assert self.now < 2000, "it never gives up"
        raise httpx.ConnectError("refused")


def test_a_stack_that_stays_away_is_given_up_after_two_minutes() -> None:
    away = Away(stream(("accepted", 1), broken=True))
    patient = Edge("http://edge.test", transport=away, pause=away.pause, clock=lambda: away.now)
    with pytest.raises(Trouble, match="studio doctor"):
        list(patient.watch("7", print))
    assert 1120 < away.now < 1123


def test_the_key_goes_along_and_into_no_message() -> None:
    with pytest.raises(Trouble) as trouble:
        edge(Script(httpx.ConnectError("refused"))).get("/images/jobs")
    assert "isk_x" not in str(trouble.value)


def test_empty_filters_are_left_out() -> None:
    script = Script(httpx.Response(200, json={"jobs": []}))
    assert edge(script).get("/images/jobs", page_size=5, q="") == {"jobs": []}
