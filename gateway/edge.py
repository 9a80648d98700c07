"""
What stands around every request: a time, a trace, limits, and an answer whatever happens.

Plain ASGI, so that a stream is not wrapped in anything that buffers it. It is sent from
here: a stream inside the application would hold a third more memory, for an hour perhaps.
"""

import time
from typing import Any

import prometheus_client
from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import errors, logs, telemetry
from chassis.foreign import Guard
from gateway import problem
from gateway.sse import LATER, Streams

LARGEST_BODY = 1024 * 1024  # bytes
LARGEST_PICTURE = 25 * 1024 * 1024  # bytes that storage takes of one
_PICTURE = "/i/{link}"  # as it is shown
_LARGER = {"/images/references": LARGEST_PICTURE}
HTTP_SECONDS = prometheus_client.Histogram(
    "studio_http_seconds",
    "Time to the end of the answers to requests, by route and status.",
    ("method", "route", "status"),
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 60),
)
log = logs.get()


class Edge:
    """Wraps *app*, which *guard* keeps foreign pages from; *streams* knows when we leave."""

    def __init__(self, app: ASGIApp, guard: Guard, streams: Streams) -> None:
        self._app, self._guard, self._streams = app, guard, streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, headers, method = time.perf_counter(), Headers(scope=scope), scope["method"]
        path, scope = _shown(scope), _readable(scope)
        answer = _Answer(send, self._streams)
        with telemetry.span(f"{method} {path}", parent=headers):
            try:
                self._guard.http(method, headers, linked=path == _PICTURE)
                await self._app(
                    scope, _limited(receive, headers, _LARGER.get(path, LARGEST_BODY)), answer.send
                )
                if stream := scope.pop(LATER, None):
                    _forget_the_application(scope)
                    await stream.run(receive, answer.send)
            except errors.Fault as fault:
                await answer.fail(fault, scope, receive)
            except Exception:
                log.exception("a request failed", method=method, path=path)
                await answer.fail(_defect(), scope, receive)
            finally:
                route = getattr(scope.get("route"), "path", "none")
                labels = (method, route, str(answer.status))
                HTTP_SECONDS.labels(*labels).observe(time.perf_counter() - began)


def _readable(scope: Scope) -> Scope:
    """Make GET of HEAD, whose answer the server sends without its body; streams have none.

    Pictures answer it themselves, since they would be read for nothing.
    """
    path = scope["path"]
    if scope["method"] == "HEAD" and not path.startswith("/i/") and not path.endswith("/events"):
        return {**scope, "method": "GET"}
    return scope


def _shown(scope: Scope) -> str:
    """Return the path for logs and traces: what follows /i/ opens a picture to its readers."""
    path: str = scope["path"]
    return _PICTURE if path.startswith("/i/") else path


def _forget_the_application(scope: Scope) -> None:
    """Drop its exit stacks, which are through: they would live as long as the stream."""
    for name in [name for name in scope if name.startswith("fastapi_")]:
        del scope[name]


class _Answer:
    """
    Remembers whether the answer has begun: after that no other can be sent.

    While we leave each is the last of its connection, so that hardly one is idle when all are
    closed, and nothing is sent on it just then.
    """

    def __init__(self, send: Send, streams: Streams) -> None:
        self._send, self._streams, self.status = send, streams, 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self._streams.leaving:
                message["headers"] = [*message["headers"], (b"connection", b"close")]
        await self._send(message)

    async def fail(self, fault: errors.Fault, scope: Scope, receive: Receive) -> None:
        if self.status:
            log.warning("an answer was cut", path=_shown(scope), reason=fault.reason)
            return  # the server cuts the connection, so that it is not taken for whole
        await problem.respond(fault, instance=scope["path"])(scope, receive, self.send)


def _limited(receive: Receive, headers: Headers, most: int) -> Receive:
    told, taken = headers.get("content-length", "0"), 0

    async def limited() -> Message:
        nonlocal taken
        if told.isdecimal() and int(told) > most:
            raise HTTPException(413)
        message: dict[str, Any] = dict(await receive())
        taken += len(message.get("body", b""))
        if taken > most:
            raise HTTPException(413)
        return message

    return limited


def _defect() -> errors.Fault:
    return errors.Fault(
        "INTERNAL",
        "A defect of ours, and it is logged; try again, and report it if it comes back.",
    )
