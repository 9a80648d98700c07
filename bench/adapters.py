"""
What an adapter costs: CPU a purchase, bought and followed, beside bare aiohttp on the same calls.

A server in a process of its own, on loopback, answers as Replicate does: a purchase, one look
that finds it drawing, one that finds it drawn. Only this process's CPU is counted.
"""

import argparse
import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

import aiohttp
import uvloop
from aiohttp import web

from bench.report import Report, parser, percentile
from services.generator import provider as seam
from services.generator.providers import transport
from services.generator.providers.replicate import Replicate
from services.generator.providers.replicate_files import Files
from tests.ports import free_port

_SLUG = "black-forest-labs/flux-schnell"
_INPUTS = {"prompt": "a lighthouse at dawn", "aspect_ratio": "16:9", "num_outputs": 4, "seed": 7}
_AT_ONCE = 64
_CALLS = 3  # in one purchase

Purchase = Callable[[int], Awaitable[None]]


def serve(port: int) -> None:
    """Answer as Replicate does; what is asked for a second time is done."""
    seen: set[str] = set()

    def shown(name: str, **more: object) -> dict[str, object]:
        return {
            "id": name, "model": _SLUG, "version": "hidden", "input": _INPUTS, "logs": "",
            "output": None, "data_removed": False, "error": None, "status": "processing",
            "created_at": "2026-11-22T07:00:00.123Z",
            "urls": {"get": f"http://127.0.0.1/{name}", "cancel": f"http://127.0.0.1/{name}"},
        } | more  # fmt: skip

    async def create(_request: web.Request) -> web.Response:
        return web.json_response(shown(f"p{time.monotonic_ns()}"), status=201)

    async def get(request: web.Request) -> web.Response:
        name = request.match_info["id"]
        if name not in seen:
            seen.add(name)
            return web.json_response(shown(name))
        seen.discard(name)
        links = [f"https://replicate.delivery/{name}/out-{number}.webp" for number in range(4)]
        metrics = {"predict_time": 0.8, "total_time": 0.9, "image_count": 4}
        done = {"status": "succeeded", "output": links, "metrics": metrics}
        return web.json_response(shown(name, **done, completed_at="2026-11-22T07:00:01.023Z"))

    app = web.Application()
    app.router.add_post("/v1/models/{owner}/{name}/predictions", create)
    app.router.add_get("/v1/predictions/{id}", get)
    web.run_app(app, host="127.0.0.1", port=port, print=lambda _: print("ready", flush=True))


@contextlib.contextmanager
def _server() -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "bench.adapters", "--serve", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        if process.stdout.readline() != "ready\n":
            raise SystemExit("the server did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def _at_once(_reference: str, _seconds: float) -> None:
    return


class _NoPictures:
    async def read(self, asset: str, /) -> bytes:
        raise seam.Refused(f"nobody has {asset}")


async def _ours(url: str, rounds: Callable[[Purchase], Awaitable[float]]) -> float:
    async with transport.client(url, {"Authorization": "Bearer r8_x"}) as http:
        provider = Replicate(
            http=http,
            files=Files(http=http, pictures=_NoPictures(), slots={}),
            hook=None,
            usual={_SLUG: 0.8},
            prices={_SLUG: 3_000},
            pause=_at_once,
        )

        async def purchase(number: int) -> None:
            order = seam.Order(
                purchase_id=f"{number}", slug=_SLUG, inputs=_INPUTS, give_up_after=600
            )
            ticket = await provider.buy(order, None, None)
            *_, drawn = [seen async for seen in provider.follow(ticket)]
            assert isinstance(drawn, seam.Drawn)

        return await rounds(purchase)


async def _bare(url: str, rounds: Callable[[Purchase], Awaitable[float]]) -> float:
    headers = {"Authorization": "Bearer r8_x"}
    connector = aiohttp.TCPConnector(limit=128)
    async with aiohttp.ClientSession(url, headers=headers, connector=connector) as session:

        async def purchase(_number: int) -> None:
            path, body = f"/v1/models/{_SLUG}/predictions", {"input": _INPUTS}
            async with session.post(path, json=body, headers={"Cancel-After": "600s"}) as answer:
                found = await answer.json()
            while found["status"] != "succeeded":
                async with session.get(f"/v1/predictions/{found['id']}") as answer:
                    found = await answer.json()

        return await rounds(purchase)


def _rounds(number: int) -> Callable[[Purchase], Awaitable[float]]:
    """Milliseconds of CPU a purchase, with many at once; the first few are not counted."""

    async def run(purchase: Purchase) -> float:
        await _together(purchase, _AT_ONCE)
        began = time.process_time()
        await _together(purchase, number)
        return 1000 * (time.process_time() - began) / number

    return run


async def _together(purchase: Purchase, number: int) -> None:
    left = iter(range(number))

    async def work() -> None:
        for one in left:
            await purchase(one)

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))


async def measure(url: str, purchases: int, turns: int) -> tuple[list[float], list[float]]:
    """Ours and the bare ones', turn by turn, so that a neighbour hits both alike."""
    ours, bare = [], []
    for _ in range(turns):
        bare.append(await _bare(url, _rounds(purchases)))
        ours.append(await _ours(url, _rounds(purchases)))
    return ours, bare


def main() -> None:
    """Measure against a server of its own."""
    options = parser(__doc__)
    options.add_argument("--purchases", type=int, default=1000, help="in a turn (1000)")
    options.add_argument("--turns", type=int, default=5)
    options.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.serve:
        serve(chosen.serve)
        return
    with _server() as url:
        ours, bare = uvloop.run(measure(url, chosen.purchases, chosen.turns))
    report = Report(f"Replicate's adapter: {_AT_ONCE} purchases at once, {_CALLS} calls each")
    mine, floor = percentile(ours, 0.5), percentile(bare, 0.5)
    report.add("CPU a purchase, our adapter", mine, "ms")
    report.add("CPU a purchase, bare aiohttp", floor, "ms")
    report.add("CPU a call, over bare aiohttp", (mine - floor) / _CALLS, "ms", most=1.0)
    report.add("our adapter over bare aiohttp", mine / floor, "×")
    report.table(
        "Each turn, CPU a purchase in ms",
        ("turn", "ours", "bare aiohttp"),
        [(f"{number}", *pair) for number, pair in enumerate(zip(ours, bare, strict=True), 1)],
    )
    report.show(chosen.json)


if __name__ == "__main__":
    main()
