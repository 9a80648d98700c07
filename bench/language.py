"""
Text from a language model to a browser: how long a piece takes through the whole stack.

The vendor is instant and speaks Anthropic's protocol; each piece that it writes is the moment of
its writing, and the browser, behind Envoy, subtracts. Several descriptions run side by side.
"""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop
from aiohttp import web

from bench.report import Report, parser, percentile
from bench.sse import Wire, get
from tests.ports import free_port
from tests.system.stack import Stack, running_stack

_END = '", "styles": [], "palette": [], "suggested_prompt": "the same again"}'  # of what it writes
_PAUSE = 0.02  # seconds between two pieces of one answer: some fifty tokens a second
_USED = {"input_tokens": 100, "output_tokens": 100}


@asynccontextmanager
async def vendor(pieces: int) -> AsyncIterator[int]:
    """Serve an Anthropic that writes so many *pieces* an answer; yields its port."""

    async def answer(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)

        async def say(kind: str, **data: object) -> None:
            text = json.dumps({"type": kind, **data})
            await stream.write(f"event: {kind}\ndata: {text}\n\n".encode())

        async def write(text: str) -> None:
            await say("content_block_delta", index=0, delta={"type": "text_delta", "text": text})

        await say("message_start", message={"usage": _USED})
        await write('{"description": "')
        for _ in range(pieces):
            await asyncio.sleep(_PAUSE)
            await write(f"{time.time_ns()} ")
        await write(_END)
        await say("message_delta", delta={"stop_reason": "end_turn"}, usage=_USED)
        return stream

    app, port = web.Application(), free_port()
    app.add_routes([web.post("/v1/messages", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield port
    finally:
        await runner.cleanup()


async def measure(stack: Stack, options: argparse.Namespace) -> Report:
    """Read descriptions side by side; tell how late their pieces are."""
    edge = stack.port("EDGE_PORT")
    picture = await _picture(edge)
    await _read(edge, picture)  # whatever is loaded by the first call is loaded
    streams = (_read(edge, picture) for _ in range(options.streams))
    delays = [delay for found in await asyncio.gather(*streams) for delay in found]
    expected = options.streams * options.pieces
    report = Report(f"{options.streams} descriptions at once, vendor to browser through Envoy")
    for share, demand in ((50, {}), (99, {"most": 20})):
        late = 1000 * percentile(delays, share / 100)
        report.add(f"a piece's way, p{share}", late, "ms", **demand)
    report.add("pieces that did not come", expected - len(delays), "", most=0)
    return report


async def _picture(edge: int) -> str:
    """Have a picture drawn; return its hash."""
    wire = Wire(edge)
    body = {"prompt": "a quiet pond", "size": "64x64", "models": ["sketch"]}
    job = json.loads(await wire.ask("POST", "/images/generate", body))["job_id"]
    wire.close()
    while not (found := await get(edge, f"/images/jobs/{job}"))["images"]:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return str(found["images"][0]["image_hash"])


async def _read(edge: int, picture: str) -> list[float]:
    """Seconds from the writing of each piece to its arrival, for one description."""
    wire, delays = Wire(edge), []

    def heard(kind: str, _sequence: int, data: bytes, now: float) -> None:
        if kind == "text_delta":
            moments = json.loads(data)["text"].split()
            delays.extend(now - int(moment) / 1e9 for moment in moments)

    body = {"references": [{"id": picture}]}
    await wire.ask("POST", "/images/analyze-references/stream", body, heard)
    wire.close()
    return delays


async def main(options: argparse.Namespace) -> Report:
    async with vendor(options.pieces) as port:
        settings = {
            "ANTHROPIC_API_KEY": "bench", "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}",
            "LANGUAGE_SECONDS": "50", "LOG_LEVEL": "warning",
        }  # fmt: skip
        running = running_stack(**settings)
        stack = await asyncio.to_thread(running.__enter__)
        try:
            return await measure(stack, options)
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)


if __name__ == "__main__":
    arguments = parser(__doc__)
    arguments.add_argument("--streams", type=int, default=16, help="Side by side.")
    arguments.add_argument("--pieces", type=int, default=200, help="Of each.")
    chosen = arguments.parse_args()
    uvloop.run(main(chosen)).show(chosen.json)
