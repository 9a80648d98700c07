"""A browser's part in the system tests: it asks, watches, and takes up a broken stream."""

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests import patient

PATIENCE = 120.0  # seconds for a job to be through, crashes and all


@dataclass
class Job:
    """What a watcher has seen of one job, however often its stream broke."""

    url: str
    events: list[tuple[str, int | None, dict[str, Any]]] = field(default_factory=list)
    breaks: int = 0
    heard: Callable[[], None] = lambda: None

    @property
    def durable(self) -> list[tuple[str, int]]:
        return [(kind, number) for kind, number, _data in self.events if number is not None]

    @property
    def last(self) -> int:
        return max((number for _kind, number in self.durable), default=0)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [data for found, _number, data in self.events if found == kind]

    @property
    def completed(self) -> dict[str, Any] | None:
        return next(iter(self.of("completed")), None)


def generate(
    url: str,
    body: dict[str, Any],
    key: str | None = None,
    *,
    job: Job | None = None,
    heard: Callable[[], None] = lambda: None,
) -> Job:
    """
    Ask for images and watch to the end; asking again with the same request id is safe.

    *job* fills up as events come, and *heard* is called after each.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = {"request_id": str(uuid.uuid4()), **body}
    job, deadline = job or Job(""), time.monotonic() + PATIENCE
    job.heard = heard
    with patient.Client(base_url=url, headers=headers) as http:
        while job.completed is None:
            _check(job, deadline)
            try:
                if job.url:
                    _resume(http, job, deadline)
                else:
                    with http.stream("POST", "/images/generate/stream", json=body) as answer:
                        _read(answer, job, deadline)
            except httpx.HTTPError:
                job.breaks += 1
                time.sleep(0.05)
    return job


def watch(url: str, location: str, after: int = 0) -> Job:
    """Watch a job to its end from event *after* on."""
    job, deadline = Job(location), time.monotonic() + PATIENCE
    with patient.Client(base_url=url) as http:
        while job.completed is None:
            _check(job, deadline)
            try:
                _resume(http, job, deadline, after)
            except httpx.HTTPError:
                job.breaks += 1
                time.sleep(0.05)
    return job


def _check(job: Job, deadline: float) -> None:
    assert time.monotonic() < deadline, f"not through after {PATIENCE} s: {job.events}"


def _resume(http: httpx.Client, job: Job, deadline: float, after: int = 0) -> None:
    headers = {"Last-Event-ID": str(max(job.last, after))}
    with http.stream("GET", f"{job.url}/events", headers=headers) as answer:
        _read(answer, job, deadline)


def _read(answer: httpx.Response, job: Job, deadline: float) -> None:
    if answer.status_code >= 500:
        answer.read()
        raise httpx.HTTPError(answer.text)
    if answer.status_code >= 400:
        answer.read()
        raise AssertionError(f"{answer.status_code}: {answer.text}")
    job.url = answer.headers.get("location", job.url)
    for kind, number, data in frames(_until(deadline, job, answer.iter_lines())):
        job.events.append((kind, number, data))
        job.heard()


def _until(deadline: float, job: Job, lines: Iterator[str]) -> Iterator[str]:
    """Pass *lines* on, comments too: a stream that tells no end is heard no longer than others."""
    for line in lines:
        _check(job, deadline)
        yield line


def frames(lines: Iterator[str]) -> Iterator[tuple[str, int | None, dict[str, Any]]]:
    """Parse Server-Sent Events into (event, id, data)."""
    kind, number, data = "message", None, ""
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                kind = value
            case "id":
                number = int(value)
            case "data":
                data += value
        if not line and data:
            yield kind, number, json.loads(data)
        if not line:
            kind, number, data = "message", None, ""


def prove_whole(job: Job, count: int) -> None:
    """Assert a log without gap or double, *count* variants, and live links of their bytes."""
    numbers = [number for _kind, number in job.durable]
    assert numbers == list(range(1, len(numbers) + 1))
    completed = job.completed
    assert completed is not None
    assert completed["state"] == "succeeded", completed
    assert len(completed["images"]) == count == len(job.of("image_kept"))
    assert sorted(image["version_number"] for image in completed["images"]) == [
        *range(1, count + 1)
    ]
    for image in completed["images"]:
        found = patient.get(image["url"])
        assert found.status_code == 200
        assert hashlib.sha256(found.content).hexdigest() == image["image_hash"]
