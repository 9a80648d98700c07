"""
Words about pictures: prompts suggested and enhanced, references described.

Each call may be paid for at once, so none is ever made again by itself: a stream that breaks
says so in its last frame, and whoever wants it asks anew.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from chassis.errors import Fault, was_cut
from gateway import answers, bodies, follow, once, plain, problem
from gateway.access import Behind
from gateway.describe import WORDS, problems
from gateway.services import Services
from gateway.sse import EventStream, Frame, frame
from imagestudio.generator.v1.generator_service_pb2 import (
    AnalyzeReferencesRequest,
    EnhancePromptRequest,
    SuggestPromptsRequest,
)
from imagestudio.type.v1.image_pb2 import ReferenceImage

router = APIRouter(prefix="/images", tags=["language"], route_class=once.Route)
ENHANCE = 58.0  # seconds: a model has up to 50, and at 60 the edge says 504 for what is paid
_STREAM = 360.0  # seconds for a stream; four references take the longest


@router.post(
    "/prompt-suggestions/stream",
    response_class=Response,
    responses=WORDS | problems(402, 409, 413, 429, 502),
)
async def suggest(request: Request, behind: Behind, body: bodies.Suggestions) -> Response:
    """
    Propose prompts: a `suggestion` as soon as it is whole, `summary` last.

    Costs money at each call where a language model is set up; without one the built-in answers.
    """
    asked = SuggestPromptsRequest(
        seed_text=body.seed_text,
        suggestion_count=body.suggestion_count,
        model=body.model,
        language_code=body.language_code,
    )
    return await _stream(request, behind, "SuggestPrompts", asked)


@router.post(
    "/analyze-references/stream",
    response_class=Response,
    responses=WORDS | problems(402, 404, 409, 413, 429, 502),
)
async def analyze(request: Request, behind: Behind, body: bodies.Analysis) -> Response:
    """
    Describe images: `text_delta` piece by piece, a `finding` for each, `summary` last.

    Costs money as suggestions do. Whatever is written in an image is described, never done.
    """
    asked = AnalyzeReferencesRequest(
        references=[ReferenceImage(asset=f"assets/{one.id}") for one in body.references],
        instruction=body.instruction,
        language_code=body.language_code,
    )
    return await _stream(request, behind, "AnalyzeReferences", asked)


@router.post(
    "/enhance-prompt",
    response_model=answers.Enhanced,
    responses=problems(402, 409, 413, 429, 502),
)
async def enhance(behind: Behind, body: bodies.Enhancement) -> Response:
    """Rewrite a prompt. Costs money at each call; 409 where no language model is set up."""
    asked = EnhancePromptRequest(
        prompt=body.prompt,
        models=body.models,
        use_case=body.use_case,
        language_code=body.language_code,
    )
    try:
        found = await behind.generator.once("EnhancePrompt", asked, timeout=ENHANCE)
    except Fault as fault:
        raise _perhaps_paid(fault) from fault
    return JSONResponse(plain.plain(found))


async def _stream(request: Request, behind: Services, method: str, asked: Any) -> Response:
    """Answer with the stream of *method*; what is refused before it begins has its own status."""
    messages = behind.generator.stream(method, asked, timeout=_STREAM)
    first = await _next(messages)
    return EventStream(_frames(first, messages), request.app.state.streams, _failed)


async def _frames(first: Any, messages: AsyncGenerator[Any]) -> AsyncIterator[Frame]:
    async with aclosing(messages):
        message = first
        while message is not None:
            kind = message.WhichOneof("event")
            if kind and kind != "heartbeat":
                yield frame(kind, plain.plain(getattr(message, kind)))
            message = await _next(messages)


async def _next(messages: AsyncGenerator[Any]) -> Any:
    """The next message; None at the end. A silent generator is as good as dead."""
    try:
        async with asyncio.timeout(follow.QUIET):
            return await anext(messages, None)
    except TimeoutError:
        raise _perhaps_paid(follow.silent()) from None
    except Fault as fault:
        raise _perhaps_paid(fault) from fault


def _perhaps_paid(fault: Fault) -> Fault:
    """Say of a call that was cut what asking again does; nobody is told when to do that."""
    if not was_cut(fault):
        return fault
    why = (
        "The answer was lost: the generator does not answer any more. A language model that it "
        "asked may have been paid, and then it counts as spent; asking again pays again."
    )
    return type(fault)(fault.reason, why, metadata=fault.metadata)


def _failed(fault: Fault) -> Frame:
    return frame("error", problem.to_json(fault, problem.status_of(fault, in_path=False)))
