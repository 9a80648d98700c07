"""The running stack over HTTP, as any client sees it: JSON, and event streams that resume."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from chassis.settings import Secret
from cli.trust import trusted

_SILENCE = 45.0  # seconds; a comment comes every 15
_GIVE_UP = 120.0  # seconds without a stack until a watch ends
_PAUSES = (0.0, 0.25, 0.5, 1.0, 2.0)


class Trouble(Exception):
    """The stack said no, *code* where it is told, or nothing; *status* is HTTP's, 0 unreached."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a job; *sequence* is 0 for a live one."""

    kind: str
    data: dict[str, Any]
    sequence: int = 0


@dataclass(slots=True)
class Edge:
    """A stack at *address*; *api_key* is empty where AUTH is none."""

    address: str
    api_key: Secret = field(default_factory=lambda: Secret(""))
    transport: httpx.BaseTransport | None = None  # of the wire; None: the real one
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def client(self) -> httpx.Client:
        headers = {"User-Agent": "studio-cli", "Accept-Encoding": "identity"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key.reveal()}"
        patience = httpx.Timeout(30, connect=5)
        return httpx.Client(
            base_url=self.address,
            headers=headers,
            timeout=patience,
            trust_env=False,
            verify=trusted(),
            transport=self.transport,
        )

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """Return what *path* answers, less what is empty in *query*."""
        return self._ask("GET", path, {name: value for name, value in query.items() if value})

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return what a POST answers; made once."""
        return self._ask("POST", path, {}, body)

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a PUT answers."""
        return self._ask("PUT", path, {}, body)

    def upload(self, content: bytes) -> dict[str, Any]:
        """Keep a picture to work from, and return what is said of it."""
        return self._ask("POST", "/images/references", {}, content=content)

    def upload_file(self, path: Path) -> str:
        """Keep the picture in *path*; return its id, or raise Trouble that names the file."""
        try:
            return str(self.upload(path.read_bytes())["id"])
        except (OSError, Trouble) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise Trouble(f"{path}: {why}", getattr(error, "status", 400)) from error

    def words(self, path: str, body: Mapping[str, Any]) -> Iterator[Event]:
        """
        Yield what is written for *body*; Trouble where it ends before its summary.

        Asked for once: asking again would pay again.
        """
        with self.client() as client:
            headers = {"Accept": "text/event-stream"}
            request = client.build_request("POST", path, json=body, headers=headers)
            try:
                for event in _read(client, request):
                    if event.kind == "error":
                        raise Trouble(str(event.data["detail"]), int(event.data["status"]))
                    yield event
                    if event.kind == "summary":
                        return
            except httpx.HTTPError as error:
                raise _unreachable(self.address, error) from error
        raise Trouble("the stream ended early; what was written may have been paid for")

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: Mapping[str, Any] | None = None,
        content: bytes | None = None,
    ) -> dict[str, Any]:
        with self.client() as client:
            try:
                answer = client.request(method, path, params=query, json=body, content=content)
            except httpx.HTTPError as error:
                raise _unreachable(self.address, error) from error
        _check(answer)
        found = answer.json()
        return found if isinstance(found, dict) else {"items": found}

    def generate(
        self, request: Mapping[str, Any], request_id: str, said: Callable[[str], None]
    ) -> Iterator[Event]:
        """Start a job and yield its events to the last, over any number of connections."""

        def start(client: httpx.Client) -> httpx.Request:
            headers = {"Idempotency-Key": request_id, "Accept": "text/event-stream"}
            return client.build_request(
                "POST", "/images/generate/stream", json=request, headers=headers
            )

        yield from self._follow(start, "", said)

    def watch(self, job_id: str, said: Callable[[str], None]) -> Iterator[Event]:
        """Yield the events of a job from its first to its last."""
        yield from self._follow(None, job_id, said)

    def _follow(
        self,
        start: Callable[[httpx.Client], httpx.Request] | None,
        job_id: str,
        said: Callable[[str], None],
    ) -> Iterator[Event]:
        last, failures, heard = 0, 0, self.clock()
        with self.client() as client:
            while True:
                request = start(client) if start else _events(client, job_id, last)
                try:
                    for event in _read(client, request):
                        failures, heard = 0, self.clock()
                        if 0 < event.sequence <= last:
                            continue
                        last = event.sequence or last
                        if event.kind == "accepted":
                            start, job_id = None, event.data["job_id"]
                        yield event
                        if event.kind == "completed":
                            return
                except (httpx.HTTPError, Trouble) as error:
                    _raise_unless_passing(error)
                    if self.clock() - heard > _GIVE_UP:
                        raise _unreachable(self.address, error) from error
                failures += 1
                if failures == 2:
                    said("the stack does not answer; trying again")
                self.pause(_PAUSES[min(failures - 1, len(_PAUSES) - 1)])


def _events(client: httpx.Client, job_id: str, last: int) -> httpx.Request:
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(last)}
    return client.build_request("GET", f"/images/jobs/{job_id}/events", headers=headers)


def _read(client: httpx.Client, request: httpx.Request) -> Iterator[Event]:
    request.extensions["timeout"] = {"connect": 5, "read": _SILENCE, "write": 30, "pool": 5}
    answer = client.send(request, stream=True)
    try:
        if answer.status_code != 200:
            answer.read()
            _check(answer)
            return
        yield from parse(answer.iter_lines())
    finally:
        answer.close()


def parse(lines: Iterator[str]) -> Iterator[Event]:
    """Turn the lines of an event stream into events."""
    data: list[str] = []
    kind, number = "", 0
    for line in lines:
        name, _, text = line.partition(":")
        text = text.removeprefix(" ")
        if not line:
            if data:
                yield Event(kind, json.loads("\n".join(data)), number)
            kind, data, number = "", [], 0
        elif name == "event":
            kind = text
        elif name == "data":
            data.append(text)
        elif name == "id" and text.isdecimal():
            number = int(text)


def _check(answer: httpx.Response) -> None:
    """Raise what a problem document says."""
    if answer.is_success:
        return
    code = ""
    try:
        problem = answer.json()
        code = str(problem.get("code", ""))
        words = str(problem.get("detail") or problem.get("title"))
    except (ValueError, AttributeError):
        words = answer.text.strip()[:300] or answer.reason_phrase
    if answer.status_code == 401:
        words += " The shell takes it from STUDIO_API_KEY."
    raise Trouble(words, answer.status_code, code)


def _raise_unless_passing(error: Exception) -> None:
    """A gateway that is just starting again passes; a clear no, or a sick vault, does not."""
    if isinstance(error, Trouble) and (
        error.status not in (0, 502, 503, 504) or error.code == "VAULT_UNAVAILABLE"
    ):
        raise error


def _unreachable(address: str, error: Exception) -> Trouble:
    why = str(error) or type(error).__name__
    return Trouble(
        f"the stack at {address} cannot be reached: {why}. `./studio up` starts it, "
        "`./studio doctor` tells more"
    )
