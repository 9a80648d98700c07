"""
The short way of an order to its route.

FastAPI looks for the route, its arguments and its layers anew in each request, which costs more
than the order itself. One that is right in form needs none of that. Any other goes the usual way,
which knows how to say what is wrong.
"""

from fastapi import FastAPI
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from chassis.errors import Fault
from gateway import bodies, once, problem
from gateway.access import identified
from gateway.routes import jobs

_ROUTE = Route("/images/generate/stream", jobs.generate_and_watch, methods=["POST"])


class Direct:
    """Stands around *app* and answers `POST /images/generate/stream` itself."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != _ROUTE.path:
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE  # it is counted under its name
        request = once.Read({**scope, "app": self._app}, receive)
        try:
            answer = await self._answer(request)
        except Fault as fault:
            answer = await problem.on_fault(request, fault)
        except HTTPException as error:  # the body is too large
            answer = await problem.on_http(request, error)
        except ClientDisconnect:
            answer = await problem.on_http(request, HTTPException(400))
        if answer is None:
            await self._app(scope, _again(await request.body(), receive), send)
            return
        await answer(scope, receive, send)

    async def _answer(self, request: once.Read) -> Response | None:
        """Answer *request*; None where it is not right in form."""
        await request.body()
        kind = request.headers.get("content-type", "").partition(";")[0]
        if kind.strip().lower() != "application/json":
            return None
        try:
            found = await request.json()
        except (ValueError, RecursionError):
            return None
        await identified(request)
        try:
            body = bodies.Generation.model_validate(found)
        except ValidationError:
            return None
        key = request.headers.get("idempotency-key")
        return await jobs.generate_and_watch(request, self._app.state.services, body, key)


def _again(body: bytes, receive: Receive) -> Receive:
    """Bring *body*, which was read, once more, and then what *receive* brings."""
    read = [body]

    async def again() -> Message:
        if read:
            return {"type": "http.request", "body": read.pop(), "more_body": False}
        return await receive()

    return again
